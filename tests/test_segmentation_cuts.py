import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_batch.segmentation import cuts
from ocr_batch.segmentation.cuts import find_cuts


def _strip(*boxes, width=120):
    grey = np.zeros((56, width), np.uint8)
    for left, top, right, bottom in boxes:
        grey[top:bottom, left:right] = 255
    return grey


def _find(grey, *ranges):
    left, right = np.array(ranges, np.float64).reshape(-1, 2).T
    return find_cuts(grey, left, right)


def test_the_thinnest_place_is_cut():
    grey = _strip((20, 18, 40, 38), (40, 34, 44, 36), (44, 18, 64, 38))
    paths, owner = _find(grey, (20, 64))
    assert (owner == 0).all()
    best = int(paths.cost.argmin())
    assert paths.cost[best] <= 2.5
    assert (paths.column[best, 18:38] >= 40).all() and (paths.column[best, 18:38] <= 44).all()


def test_thick_ink_is_not_cut():
    paths, owner = _find(_strip((20, 18, 64, 38)), (20, 64))
    assert len(paths.column) == len(owner) == 0


def test_a_slanted_gap_is_followed():
    grey = _strip((20, 18, 80, 38))
    for row in range(56):
        grey[row, 50 - (row - 28) // 2 - 1 : 50 - (row - 28) // 2 + 2] = 0
    paths, _ = _find(grey, (20, 80))
    best = int(paths.cost.argmin())
    assert paths.cost[best] < 1.5 + 0.18 * 20
    assert paths.column[best, 18] > paths.column[best, 37] + 5


def _bowls():
    """Draw two thick rings that run into each other at column 50."""
    row, column = np.mgrid[:56, :120].astype(float)
    ink = np.zeros((56, 120), np.bool_)
    for middle in (34.5, 64.5):
        away = np.hypot((column - middle) / 16, (row - 28) / 14)
        ink |= (away < 1) & (away > 0.5)
    return np.where(ink, 255, 0).astype(np.uint8)


def test_bowls_that_touch_are_cut_upright_between_them():
    paths, _ = _find(_bowls(), (18, 82))
    upright = (paths.column == paths.column[:, :1]).all(axis=1)
    assert np.abs(paths.column[upright, 28] - 49.5).min() <= 1.5


def test_between_cells_the_cut_is_upright_however_much_ink_it_passes():
    grey = _strip((20, 18, 90, 38))
    left, right = np.array([20.0]), np.array([90.0])
    paths, _ = find_cuts(grey, left, right, np.array([55.0]))
    assert len(paths.column) == 1
    assert np.abs(paths.column - 55).max() <= 3 and np.ptp(paths.column) == 0
    assert paths.cost[0] == pytest.approx(20)


def test_a_bar_between_two_stems_is_cut_once():
    paths, _ = _find(_strip((20, 18, 26, 38), (26, 26, 44, 30), (44, 18, 50, 38)), (20, 50))
    assert len(paths.column) == 1


def test_cuts_stay_inside_their_range_and_off_its_ends():
    rng = np.random.default_rng(0)
    grey = (rng.random((56, 400)) < 0.1).astype(np.uint8) * 255
    ranges = [(10, 90), (80, 200), (210, 380)]
    paths, owner = _find(grey, *ranges)
    assert set(owner) == {0, 1, 2}
    for column, number in zip(paths.column, owner, strict=True):
        left, right = ranges[number]
        assert left <= column.min() and column.max() <= right
        assert left + 3 <= column[28] <= right - 3


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(8, 200), st.floats(0, 0.5))
def test_costs_are_the_ink_that_is_passed(seed, width, share):
    grey = (np.random.default_rng(seed).random((56, width)) < share).astype(np.uint8) * 255
    # The range is wider than any path can stray, so that none is clipped.
    paths, owner = _find(grey, (-60, width + 60))
    assert paths.column.shape == (len(owner), 56)
    for column, cost in zip(paths.column, paths.cost, strict=True):
        assert np.abs(np.diff(column)).max() <= 1
        passed = (grey[np.arange(56), column] / 255).sum()
        assert passed - 1e-3 <= cost <= passed + 0.18 * 56 + 1e-3


def test_nothing_to_cut():
    assert len(_find(_strip(width=0), (0, 10))[1]) == 0
    assert len(_find(_strip())[1]) == 0


@pytest.mark.parametrize("seed", range(30))
def test_leaving_out_what_is_far_from_all_ranges_changes_nothing(seed):
    random = np.random.default_rng(seed)
    grey = np.zeros((56, 900), np.uint8)
    for left in random.integers(0, 880, 40):
        grey[18:38, left : left + int(random.integers(2, 20))] = random.integers(60, 255)
    # In the order of their middles; a wide one encloses the one before it.
    left, right = np.array([(20.0, 60.0), (500.0, 530.0), (300.0, 740.0), (850.0, 880.0)]).T
    found = find_cuts(grey, left, right)[1]
    expected = cuts._cuts(grey, left, right, None)[1]
    # Costs are summed up from another column on: of two equal paths another may be taken.
    difference = np.bincount(found, minlength=4) - np.bincount(expected, minlength=4)
    assert len(expected) > 10 and np.abs(difference).max() <= 1
