from __future__ import annotations

import itertools

import numpy as np
import pytest

from ocr_batch.datasets.augmentation import NO_AUGMENTATION
from ocr_batch.datasets.batches import JoinedData, prefetch, shuffled_batches
from ocr_batch.datasets.crops import CropSet
from ocr_batch.errors import TrainingError


def dataset(count, classes=5, seed=0):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, classes, count).astype(np.int16)
    geometry = rng.normal(size=(count, 8)).astype(np.float16)
    packed = rng.integers(0, 256, (count, 56, 56), dtype=np.uint8)
    return CropSet(packed, geometry, label, label.copy())


def test_batches_depend_on_seed_and_number_only():
    data = dataset(50)
    first = list(itertools.islice(shuffled_batches(data, 8, 3), 12))
    again = list(itertools.islice(shuffled_batches(data, 8, 3, start=7), 5))
    for one, other in zip(first[7:], again, strict=True):
        np.testing.assert_array_equal(one.inputs["image"], other.inputs["image"])
        np.testing.assert_array_equal(one.inputs["geometry"], other.inputs["geometry"])
        np.testing.assert_array_equal(one.label, other.label)
    other_seed = next(shuffled_batches(data, 8, 4))
    assert not np.array_equal(first[0].inputs["image"], other_seed.inputs["image"])


def test_an_epoch_shows_each_crop_once():
    data = dataset(40, classes=1)
    data = CropSet(data.packed, data.geometry, np.arange(40, dtype=np.int16), data.group)
    seen = [
        b.label for b in itertools.islice(shuffled_batches(data, 10, 0, options=NO_AUGMENTATION), 4)
    ]
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


def test_joined_sets_are_one_behind_the_other():
    parts = [dataset(7, seed=1), dataset(5, seed=2), dataset(7, seed=1)]
    joined = JoinedData(parts)
    assert len(joined) == 19
    rows = np.array([18, 0, 7, 11, 3])
    inputs = joined.inputs(rows)
    for place, (part, row) in enumerate([(2, 6), (0, 0), (1, 0), (1, 4), (0, 3)]):
        single = parts[part].inputs(np.array([row]))
        for name, values in single.items():
            np.testing.assert_array_equal(inputs[name][place], values[0])
        assert joined.label[rows[place]] == parts[part].label[row]


def test_few_are_taken_from_each_part():
    few = JoinedData([dataset(100, seed=1), dataset(300, seed=2)]).take(40)
    assert len(few) == 40
    assert len(JoinedData([dataset(4)]).take(40)) == 4
