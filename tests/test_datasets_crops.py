from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_batch.datasets.crops import (
    Augmentation,
    Dataset,
    ShardWriter,
    augment,
    join_shards,
    pack,
    prefetch,
    shuffled_batches,
    unpack,
)
from ocr_batch.errors import TrainingError

NONE = Augmentation(0, 0, 0.0, 0.0, 0.0, 0.0)


def crops(count, seed=0):
    rng = np.random.default_rng(seed)
    grey = rng.integers(0, 256, (count, 56, 56), dtype=np.uint8)
    own = np.where(rng.random(grey.shape) < 0.5, grey, 0)
    return np.stack([own, grey], axis=-1).astype(np.uint8)


def dataset(count, classes=5, seed=0):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, classes, count).astype(np.int16)
    geometry = rng.normal(size=(count, 8)).astype(np.float16)
    return Dataset(pack(crops(count, seed)), geometry, label, label.copy())


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


def test_no_augmentation_changes_nothing():
    packed = pack(crops(4))
    result = augment(packed, NONE, np.random.default_rng(0))
    assert np.abs(result.astype(int) - unpack(packed)).max() <= 1


def test_shift_moves_both_channels_alike_and_within_reach():
    images = np.zeros((64, 56, 56, 2), np.uint8)
    images[:, 28, 28] = 255
    options = Augmentation(2, 1, 0.0, 0.0, 0.0, 0.0)
    moved = augment(pack(images), options, np.random.default_rng(0))
    np.testing.assert_array_equal(moved[..., 0], moved[..., 1])
    rows, columns = np.nonzero(moved[..., 1])[1:]
    assert len(rows) == 64
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (27, 29, 26, 30)


def test_augmentation_keeps_the_mask():
    images = crops(32)
    images[:, :, :28, 0] = 0
    options = Augmentation(shift_x=0, shift_y=0)
    varied = augment(pack(images), options, np.random.default_rng(0))
    assert not varied[:, :, :28, 0].any()
    own = varied[..., 0] > 0
    np.testing.assert_array_equal(varied[..., 0][own], varied[..., 1][own])
    assert not np.array_equal(varied, unpack(pack(images)))


def test_batches_depend_on_seed_and_number_only():
    data = dataset(50)
    first = list(itertools.islice(shuffled_batches(data, 8, 3), 12))
    again = list(itertools.islice(shuffled_batches(data, 8, 3, start=7), 5))
    for one, other in zip(first[7:], again, strict=True):
        np.testing.assert_array_equal(one.images, other.images)
        np.testing.assert_array_equal(one.geometry, other.geometry)
        np.testing.assert_array_equal(one.label, other.label)
    other_seed = next(shuffled_batches(data, 8, 4))
    assert not np.array_equal(first[0].images, other_seed.images)


def test_an_epoch_shows_each_crop_once():
    data = dataset(40, classes=1)
    data = Dataset(data.packed, data.geometry, np.arange(40, dtype=np.int16), data.group)
    seen = [b.label for b in itertools.islice(shuffled_batches(data, 10, 0, options=NONE), 4)]
    np.testing.assert_array_equal(np.sort(np.concatenate(seen)), np.arange(40))


def test_class_weights_shift_the_draw():
    data = dataset(400, classes=2)
    batches = shuffled_batches(data, 400, 0, class_weights=np.array([1.0, 9.0]))
    assert 0.8 < next(batches).label.mean() < 0.97


def test_prefetch_passes_batches_and_errors_on():
    def broken():
        yield next(shuffled_batches(dataset(4), 4, 0))
        raise TrainingError("the disk is full")

    batches = prefetch(broken())
    assert len(next(batches).label) == 4
    with pytest.raises(TrainingError, match="disk"):
        next(batches)


def test_prefetch_can_be_left_early():
    batches = prefetch(shuffled_batches(dataset(8), 4, 0))
    next(batches)
    batches.close()
