from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_batch.datasets.crops import ShardWriter, join_shards, pack, unpack
from ocr_batch.errors import TrainingError


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
