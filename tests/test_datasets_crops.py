from __future__ import annotations

import gc
import multiprocessing
import os
import tempfile
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_batch.datasets.crops import (
    ARRAYS,
    CropSet,
    ShardWriter,
    join_shards,
    pack,
    unpack,
    write_shard,
)
from ocr_batch.errors import OutputError, TrainingError


def crops(count, seed=0):
    rng = np.random.default_rng(seed)
    grey = rng.integers(0, 256, (count, 56, 56), dtype=np.uint8)
    own = np.where(rng.random(grey.shape) < 0.5, grey, 0)
    return np.stack([own, grey], axis=-1).astype(np.uint8)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_packing_loses_no_more_than_the_last_bit(seed):
    images = crops(2, seed)
    packed = pack(images)
    assert packed.dtype == np.uint8 and packed.shape == (2, 56, 56)
    back = unpack(packed)
    assert np.abs(back.astype(int) - images).max() <= 1
    np.testing.assert_array_equal(unpack(pack(back)), back)
    np.testing.assert_array_equal(back[..., 0][images[..., 0] == 0], 0)


def test_packing_keeps_black_and_white():
    images = np.zeros((1, 56, 56, 2), np.uint8)
    images[0, 10:20, 10:20] = 255
    images[0, 30:40, 30:40, 1] = 255
    np.testing.assert_array_equal(unpack(pack(images)), images)


def test_shards_come_back_joined_and_in_order(tmp_path):
    images = crops(25)
    geometry = np.random.default_rng(1).normal(size=(25, 8)).astype(np.float32)
    label = np.arange(25)
    with ShardWriter(tmp_path, size=10) as writer:
        for start in range(0, 25, 5):
            part = slice(start, start + 5)
            writer.add(images[part], geometry[part], label[part], start)
    assert len(list(tmp_path.glob("*.npz"))) == 3
    data = join_shards(tmp_path)
    assert isinstance(data.packed, np.memmap)
    np.testing.assert_array_equal(data.label, label)
    np.testing.assert_array_equal(data.group, label // 5 * 5)
    np.testing.assert_array_equal(data.packed, pack(images))
    np.testing.assert_allclose(data.geometry, geometry, atol=0.01)
    assert len(data.take(7)) == 7


def test_joined_file_follows_the_shards(tmp_path):
    def add(prefix):
        with ShardWriter(tmp_path, prefix) as writer:
            writer.add(crops(4), np.zeros((4, 8), np.float32), np.zeros(4, int), 0)

    add("a")
    assert len(join_shards(tmp_path)) == 4
    add("b")
    assert len(join_shards(tmp_path)) == 8


def test_bad_folders_are_refused(tmp_path):
    with pytest.raises(TrainingError, match="no shards"):
        join_shards(tmp_path)
    (tmp_path / "bad.npz").write_bytes(b"nothing")
    with pytest.raises(TrainingError, match=r"bad\.npz"):
        join_shards(tmp_path)
    with pytest.raises(TrainingError, match="labels"), ShardWriter(tmp_path) as writer:
        writer.add(crops(2), np.zeros((2, 8), np.float32), np.zeros(3, int), 0)


def shard(path, count=6, seed=0):
    part = CropSet(
        pack(crops(count, seed)),
        np.zeros((count, 8), np.float16),
        np.arange(count, dtype=np.int16),
        np.full(count, seed, np.int16),
    )
    write_shard(path, part)
    return part


def holds(data, *parts):
    for name in ARRAYS:
        joined = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(getattr(data, name), joined)


@pytest.mark.parametrize("left", [0.1, 0.5, 0.99])
def test_a_shard_that_is_cut_off_is_named(tmp_path, left):
    shard(tmp_path / "a.npz")
    shard(tmp_path / "b.npz")
    path = tmp_path / "b.npz"
    path.write_bytes(path.read_bytes()[: int(left * path.stat().st_size)])
    with pytest.raises(TrainingError, match=r"b\.npz is damaged"):
        join_shards(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "b.npz"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"packed": np.zeros((5, 56, 56), np.uint8)},
        {"packed": np.zeros((6, 28, 28), np.uint8)},
        {"geometry": np.zeros((6, 3))},
        {"label": np.int16(3)},
        {"label": np.array(["a"] * 6)},
        {"group": np.zeros(2)},
        {"group": np.array([{}] * 6)},
    ],
)
def test_a_shard_of_other_arrays_is_named(tmp_path, wrong):
    good = shard(tmp_path / "a.npz")
    arrays = {name: getattr(good, name) for name in ARRAYS}
    np.savez(tmp_path / "a.npz", **{**arrays, **wrong})
    with pytest.raises(TrainingError, match=r"a\.npz"):
        join_shards(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("index.json", b'[["a.npz", '),
        ("index.json", b"[]"),
        ("packed.npy", b"\x93NUMPY"),
        ("packed.npy", None),
        ("label.npy", b""),
    ],
)
def test_what_was_joined_is_made_again_when_it_is_damaged(tmp_path, name, content):
    part = shard(tmp_path / "a.npz")
    join_shards(tmp_path)
    path = tmp_path / "joined" / name
    path.write_bytes(path.read_bytes()[:-200] if content is None else content)
    holds(join_shards(tmp_path), part)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "joined"]


def test_drafts_of_killed_processes_go_when_they_are_old(tmp_path):
    shard(tmp_path / "a.npz")
    for name in ("joined-draft-old", "joined-draft-new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "packed.npy").write_bytes(b"x")
    long_ago = time.time() - 7 * 24 * 3600
    os.utime(tmp_path / "joined-draft-old", (long_ago, long_ago))
    join_shards(tmp_path)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["a.npz", "joined", "joined-draft-new"]


def test_shards_in_a_folder_that_can_not_be_written(tmp_path, monkeypatch):
    part = shard(tmp_path / "data" / "a.npz")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    make = tempfile.mkdtemp

    def refuse(prefix, dir):
        # Root may write everywhere, so that a locked folder would prove nothing.
        if dir == tmp_path / "data":
            raise PermissionError(13, "Permission denied")
        return make(prefix=prefix, dir=dir)

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    data = join_shards(tmp_path / "data")
    assert isinstance(data.packed, np.memmap)
    holds(data, part)
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["a.npz"]
    assert len(list(elsewhere.iterdir())) == 1
    del data
    gc.collect()
    assert not list(elsewhere.iterdir())
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises(TrainingError, match="TMPDIR"):
        join_shards(tmp_path / "data")


def test_a_joined_folder_that_can_not_be_replaced_is_left(tmp_path, monkeypatch):
    part = shard(tmp_path / "data" / "a.npz")
    (tmp_path / "data" / "joined").mkdir()
    # The folder can neither be read nor moved away.
    rename = type(tmp_path).rename

    def refuse(path, target):
        if "joined" in (path.name, target.name):
            raise OSError(16, "Device or resource busy")
        return rename(path, target)

    monkeypatch.setattr(type(tmp_path), "rename", refuse)
    data = join_shards(tmp_path / "data")
    holds(data, part)
    del data
    gc.collect()
    left = sorted(path.name for path in (tmp_path / "data").iterdir())
    assert left == ["a.npz", "joined"]


def count_crops(folder, gate, results):
    gate.wait()
    results.put(int(np.asarray(join_shards(folder).packed).sum()))


def test_several_processes_join_the_same_shards_at_once(tmp_path):
    parts = [shard(tmp_path / f"{seed}.npz", 40, seed) for seed in range(5)]
    start = multiprocessing.get_context("spawn")
    gate, results = start.Barrier(3), start.Queue()
    workers = [start.Process(target=count_crops, args=(tmp_path, gate, results)) for _ in range(3)]
    for worker in workers:
        worker.start()
    expected = sum(int(part.packed.sum()) for part in parts)
    assert [results.get(timeout=120) for _ in workers] == [expected] * 3
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [*(f"{seed}.npz" for seed in range(5)), "joined"]


def test_a_shard_that_can_not_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        shard(tmp_path / "file" / "a.npz")
