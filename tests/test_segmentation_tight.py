from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_batch.segmentation.tight import (
    fit_glyphs,
    ink_extent,
    is_light_ground,
    level_ground,
    to_ink,
)


def bar(height, width, *, canvas=(40, 50), at=(3, 5), ink=255):
    image = np.zeros(canvas, np.uint8)
    image[at[0] : at[0] + height, at[1] : at[1] + width] = ink
    return image


def box(image):
    rows, columns = np.nonzero(image > 127)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def test_an_image_of_the_frame_is_taken_as_it_is():
    images = np.random.default_rng(0).integers(0, 256, (3, 56, 56), dtype=np.uint8)
    assert fit_glyphs(images, 56, 44) is images
    np.testing.assert_array_equal(fit_glyphs(list(images), 56, 44), images)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(3, 30),
    st.integers(3, 30),
    st.integers(0, 10),
    st.integers(0, 20),
    st.sampled_from([(28, 20), (56, 44), (32, 32)]),
)
def test_ink_is_scaled_to_the_extent_and_centred(height, width, top, left, contract):
    frame, extent = contract
    fitted = fit_glyphs(bar(height, width, at=(top, left))[None], frame, extent)[0]
    x0, y0, x1, y1 = box(fitted)
    assert abs(max(x1 - x0, y1 - y0) - extent) <= 2
    assert abs((x0 + x1) / 2 - frame / 2) <= 1.5
    assert abs((y0 + y1) / 2 - frame / 2) <= 1.5
    shorter = min(height, width) / max(height, width) * extent
    assert abs(min(x1 - x0, y1 - y0) - shorter) <= 2.5


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_where_ink_stands_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    glyph = rng.integers(0, 256, (12, 9), dtype=np.uint8)
    glyph[0, 0] = glyph[-1, -1] = 255
    one, other = np.zeros((2, 40, 50), np.uint8)
    one[2:14, 3:12] = glyph
    other[20:32, 30:39] = glyph
    fitted = fit_glyphs([one, other], 28, 20)
    np.testing.assert_array_equal(fitted[0], fitted[1])


def test_an_array_and_a_list_give_the_same():
    rng = np.random.default_rng(1)
    images = np.stack([bar(*rng.integers(3, 30, 2), at=rng.integers(0, 9, 2)) for _ in range(20)])
    np.testing.assert_array_equal(fit_glyphs(images, 56, 44), fit_glyphs(list(images), 56, 44))


def test_ink_at_the_edge_of_its_image_keeps_its_whole_box():
    fitted = fit_glyphs(np.full((1, 20, 10), 255, np.uint8), 28, 20)
    assert np.ptp(np.nonzero((fitted[0] > 127).any(axis=1))[0]) + 1 == 20


def test_blank_images_stay_blank():
    images = np.zeros((2, 30, 20), np.uint8)
    images[1] += 9
    assert not fit_glyphs(images, 28, 20).any()
    assert ink_extent(images) == 0
    assert fit_glyphs([], 28, 20).shape == (0, 28, 28)


@pytest.mark.parametrize(
    ("images", "extent"),
    [
        (np.zeros((1, 9, 9), np.uint8), 29),
        (np.zeros((1, 9, 9), np.uint8), 0),
        (np.zeros((1, 9, 9), np.float32), 20),
        ([np.zeros((9, 9, 3), np.uint8)], 20),
    ],
)
def test_what_does_not_fit_is_refused(images, extent):
    with pytest.raises(ValueError, match=r"extent|uint8"):
        fit_glyphs(images, 28, extent)


def test_the_extent_is_the_median_of_the_longest_sides():
    images = np.stack([bar(10, 4), bar(5, 20), bar(12, 12), np.zeros((40, 50), np.uint8)])
    assert ink_extent(images) == 12


def test_polarity_is_told_by_the_border():
    glyph = bar(10, 8, canvas=(20, 20), ink=200)
    grey_paper = np.where(glyph > 0, 20, 120).astype(np.uint8)
    images = np.stack([glyph, 255 - glyph, grey_paper])
    np.testing.assert_array_equal(is_light_ground(images), [False, True, True])
    blank = np.stack([np.zeros((9, 9), np.uint8), np.full((9, 9), 250, np.uint8)])
    np.testing.assert_array_equal(is_light_ground(blank), [False, True])


def test_scans_become_ink_whatever_their_polarity_and_paper():
    glyph = bar(10, 8, canvas=(20, 22))
    scan = np.where(glyph > 0, 30, 190).astype(np.uint8)
    images, inverted = to_ink([glyph, 255 - glyph, scan])
    np.testing.assert_array_equal(inverted, [False, True, True])
    for image in images:
        np.testing.assert_array_equal(image, glyph)


def test_clean_ground_is_left_alone_and_empty_paper_becomes_blank():
    faint = bar(10, 8, ink=120)
    assert level_ground(faint) is faint
    assert not level_ground(np.full((9, 9), 200, np.uint8)).any()
