from __future__ import annotations

import itertools

import numpy as np
import pytest

from ocr_batch.datasets.augmentation import NO_AUGMENTATION, Augmentation
from ocr_batch.datasets.batches import JoinedData, Subset, prefetch, shuffled_batches
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


def test_a_subset_is_the_rows_of_its_set():
    data, rows = dataset(30), np.array([17, 3, 3, 29])
    part = Subset(data, rows)
    assert len(part) == 4
    np.testing.assert_array_equal(part.label, data.label[rows])
    for chosen in (np.array([2, 0]), slice(1, 3)):
        for name, values in part.inputs(chosen).items():
            np.testing.assert_array_equal(values, data.inputs(rows[chosen])[name])
    one, other = (
        source.varied(at, Augmentation(), np.random.default_rng(1))
        for source, at in ((part, np.array([3, 0])), (data, rows[[3, 0]]))
    )
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name])


def test_few_are_taken_from_a_subset_in_order():
    data = dataset(300)
    part = Subset(data, np.arange(100, 200))
    few = part.take(10, seed=3)
    assert len(few) == 10 and part.take(100) is part
    images = data.images(slice(None))
    places = [
        int(np.flatnonzero((images == image).all(axis=(1, 2, 3)))[0])
        for image in few.inputs(slice(None))["image"]
    ]
    assert places == sorted(places) and places[0] >= 100 and places[-1] < 200


def test_a_subset_of_a_mapped_file_copies_no_crops(tmp_path):
    data = dataset(40)
    np.save(tmp_path / "packed.npy", data.packed)
    mapped = np.load(tmp_path / "packed.npy", mmap_mode="r+")
    part = Subset(CropSet(mapped, data.geometry, data.label, data.group), np.arange(0, 40, 2))
    mapped[6] = 0
    assert not part.inputs(np.array([3]))["image"].any()
