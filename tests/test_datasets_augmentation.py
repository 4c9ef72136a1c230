from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_batch.datasets.augmentation import (
    NO_AUGMENTATION,
    Augmentation,
    augment_crops,
    augment_glyphs,
)
from ocr_batch.datasets.crops import pack, unpack


def crops(count, seed=0):
    rng = np.random.default_rng(seed)
    grey = rng.integers(0, 256, (count, 56, 56), dtype=np.uint8)
    own = np.where(rng.random(grey.shape) < 0.5, grey, 0)
    return np.stack([own, grey], axis=-1).astype(np.uint8)


def bars(count, side=56):
    """An upright bar, with a mark at its top."""
    images = np.zeros((count, side, side), np.uint8)
    images[:, side // 7 : -side // 7, side // 2 - 3 : side // 2 + 3] = 255
    images[:, side // 7 : side // 7 + 5, side // 2 : side // 2 + 12] = 255
    return images


def warped(count=64, **options):
    return augment_glyphs(
        bars(count),
        Augmentation(0, 0, 0.0, 0.0, 0.0, 0.0, **options),
        np.random.default_rng(0),
    )


def test_no_augmentation_changes_nothing():
    packed = pack(crops(4))
    result = augment_crops(packed, NO_AUGMENTATION, np.random.default_rng(0))
    assert np.abs(result.astype(int) - unpack(packed)).max() <= 1


def test_shift_moves_both_channels_alike_and_within_reach():
    images = np.zeros((64, 56, 56, 2), np.uint8)
    images[:, 28, 28] = 255
    options = Augmentation(2, 1, 0.0, 0.0, 0.0, 0.0)
    moved = augment_crops(pack(images), options, np.random.default_rng(0))
    np.testing.assert_array_equal(moved[..., 0], moved[..., 1])
    rows, columns = np.nonzero(moved[..., 1])[1:]
    assert len(rows) == 64
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (27, 29, 26, 30)


def test_augmentation_keeps_the_mask():
    images = crops(32)
    images[:, :, :28, 0] = 0
    options = Augmentation(shift_x=0, shift_y=0)
    varied = augment_crops(pack(images), options, np.random.default_rng(0))
    assert not varied[:, :, :28, 0].any()
    own = varied[..., 0] > 0
    np.testing.assert_array_equal(varied[..., 0][own], varied[..., 1][own])
    assert not np.array_equal(varied, unpack(pack(images)))


def test_glyphs_are_left_alone_without_options():
    images = bars(3)
    np.testing.assert_array_equal(
        augment_glyphs(images, NO_AUGMENTATION, np.random.default_rng(0)), images
    )


@pytest.mark.parametrize("kind", ["rotation", "zoom", "shear", "elastic"])
def test_each_warp_varies_glyphs_but_keeps_their_ink(kind):
    reach = {"rotation": 15.0, "zoom": 0.15, "shear": 0.3, "elastic": 1.5}[kind]
    images, result = bars(64), warped(**{kind: reach})
    assert result.shape == images.shape and result.dtype == np.uint8
    ink = result.sum(axis=(1, 2)) / images.sum(axis=(1, 2), dtype=np.int64)
    assert ink.min() > 0.6 and ink.max() < 1.5
    assert len(np.unique(result.reshape(64, -1), axis=0)) == 64


def test_rotation_leans_both_ways():
    result = warped(rotation=20.0).astype(float)
    columns = np.arange(56)
    top, foot = result[:, 8:20].sum(axis=1), result[:, -20:-8].sum(axis=1)
    lean = (top @ columns) / top.sum(axis=1) - (foot @ columns) / foot.sum(axis=1)
    assert lean.min() < -4 and lean.max() > 8


def test_warps_do_not_leak_into_the_next_glyph():
    images = bars(40)
    images[::2] = 0
    options = Augmentation(0, 0, 0.0, 0.0, 0.0, 0.0, 25.0, 0.3, 0.4, 3.0)
    result = augment_glyphs(images, options, np.random.default_rng(1))
    assert not result[::2].any()
    assert (result[1::2].max(axis=(1, 2)) > 200).all()


def test_large_batches_are_warped_in_parts():
    assert augment_glyphs(
        bars(700), Augmentation(rotation=5.0), np.random.default_rng(0)
    ).shape == (700, 56, 56)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(8, 60))
def test_the_same_seed_gives_the_same_glyphs(seed, side):
    images = np.random.default_rng(seed).integers(0, 256, (5, side, side), dtype=np.uint8)
    options = Augmentation(rotation=10.0, zoom=0.1, shear=0.1, elastic=1.0)
    one, other = (augment_glyphs(images, options, np.random.default_rng(seed)) for _ in range(2))
    np.testing.assert_array_equal(one, other)
