import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import page_of, prose, sheet_of, turned

from ocr_batch.imaging.skew import estimate_skew, rotate, turn
from ocr_batch.layout.components import find_components, typical_height
from ocr_batch.layout.prepare import prepare

PAGE = page_of(prose(12, 9, seed=3))


def _measure(grey):
    found = find_components(grey < 128)
    x_height = typical_height(found)
    body = (found.height > 0.6 * x_height) & (found.height < 3 * x_height)
    x = (found.left + found.width / 2)[body].astype(np.float64)
    return estimate_skew(x, found.bottom[body].astype(np.float64), x_height)


@pytest.mark.parametrize("angle", [-11, -6.3, -2, -0.7, -0.2, 0, 0.2, 0.45, 1, 3.1, 8, 11])
def test_known_angles_are_found(angle):
    assert _measure(turned(PAGE.grey, angle)) == pytest.approx(angle, abs=0.1)


@pytest.mark.parametrize("angle", [-4, 1.5])
def test_a_skewed_page_is_levelled(angle):
    ready = prepare(sheet_of(turned(PAGE.grey, angle)))
    assert ready.skew == pytest.approx(angle, abs=0.1)
    assert abs(_measure(ready.grey)) < 0.12
    assert prepare(sheet_of(turned(PAGE.grey, angle)), deskew=False).skew == 0.0


def test_a_level_page_is_left_alone():
    ready = prepare(sheet_of(PAGE.grey))
    assert ready.skew == 0.0
    assert ready.grey.shape == PAGE.grey.shape


@pytest.mark.parametrize("text", [[], ["A few words"], ["7"], ["No more than", "two lines"]])
def test_sparse_pages_have_no_skew(text):
    assert _measure(page_of(text).grey) == 0.0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 600))
def test_scattered_marks_have_no_skew(seed, count):
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, 1500, count), rng.uniform(0, 2000, count)
    assert estimate_skew(x, y, 20.0) == 0.0


@settings(max_examples=60, deadline=None)
@given(
    st.floats(-12, 12),
    st.integers(60, 140),
    st.integers(60, 140),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_rotated_points_map_back(degrees, height, width, u, v):
    x, y = 8 + u * (width - 17), 8 + v * (height - 17)
    ys, xs = np.mgrid[:height, :width]
    blob = np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / 8)
    grey = np.round(255 - 255 * blob).astype(np.uint8)
    before = grey.copy()
    rotated, back = rotate(grey, degrees)
    assert np.array_equal(grey, before)
    dark = 255.0 - rotated
    ys, xs = np.mgrid[: rotated.shape[0], : rotated.shape[1]]
    centre = np.array([(xs * dark).sum(), (ys * dark).sum(), dark.sum()]) / dark.sum()
    assert np.hypot(*(back @ centre - (x, y))) < 0.35


@given(st.floats(-45, 45), st.integers(1, 300), st.integers(1, 300))
def test_a_rotated_page_has_room_for_every_corner(degrees, height, width):
    rotated, back = rotate(np.zeros((height, width), np.uint8), degrees)
    forward = np.linalg.inv(np.vstack([back, [0, 0, 1]]))
    for corner in ((0, 0), (width - 1, 0), (0, height - 1), (width - 1, height - 1)):
        x, y, _ = forward @ (*corner, 1)
        assert -1 <= x <= rotated.shape[1] and -1 <= y <= rotated.shape[0]


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 3), st.integers(0, 2**32 - 1))
def test_turned_pixels_map_back(height, width, quarters, seed):
    grey = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    result, back = turn(grey, quarters)
    ys, xs = (axis.ravel() for axis in np.mgrid[: result.shape[0], : result.shape[1]])
    x, y = (back @ np.stack([xs, ys, np.ones_like(xs)])).astype(int)
    assert np.array_equal(result[ys, xs], grey[y, x])


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 3))
def test_turns_are_clockwise_and_add_up(height, width, quarters):
    grey = np.arange(height * width, dtype=np.uint64).reshape(height, width).astype(np.uint8)
    once, _ = turn(grey, 1)
    assert once[0, -1] == grey[0, 0], "the upper left corner goes to the upper right"
    step = grey
    for _ in range(quarters):
        step, _ = turn(step, 1)
    assert np.array_equal(step, turn(grey, quarters)[0])
