import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pages import _glyph, page_of, prose
from skimage.measure import label, regionprops

from ocr_batch.layout.components import (
    find_components,
    find_neighbours,
    typical_height,
)


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(np.bool_, st.tuples(st.integers(1, 25), st.integers(1, 25))))
def test_components_agree_with_scikit_image(ink):
    found = find_components(ink)
    expected = label(ink, connectivity=2)
    assert np.array_equal(found.labels > 0, ink)
    pairs = np.unique(np.stack([found.labels[ink], expected[ink]]), axis=1)
    assert pairs.shape[1] == len(found) == expected.max()
    of = dict(pairs.T.tolist())
    props = {region.label: region for region in regionprops(expected)}
    for number in range(len(found)):
        region = props[of[number + 1]]
        box = (found.top[number], found.left[number], found.bottom[number], found.right[number])
        assert box == region.bbox
        assert found.area[number] == region.area


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(np.bool_, st.tuples(st.integers(1, 25), st.integers(1, 25))))
def test_each_component_has_its_own_runs(ink):
    found = find_components(ink)
    for number in range(len(found)):
        own = found.runs.take(found.runs_of(number))
        assert set(own.component) == {number}
        assert (own.stop - own.start).sum() == found.area[number]


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_components_are_found_by_their_pixels(ink):
    found = find_components(ink)
    row, column = np.indices(ink.shape)
    assert np.array_equal(found.at(row, column), found.labels - 1)


@pytest.mark.parametrize("size", [16, 24, 40, 64, 110])
def test_typical_height_of_text_is_its_x_height(size):
    truth = -_glyph("x", size)[2]
    grey = page_of(prose(6), size).grey
    # Round letters are a little taller than x.
    assert typical_height(find_components(grey < 128)) == pytest.approx(truth, rel=0.08, abs=1)


def test_specks_do_not_hide_the_text():
    ink = page_of(prose(6)).grey < 128
    rng = np.random.default_rng(1)
    for y, x in zip(
        rng.integers(0, ink.shape[0] - 7, 600), rng.integers(0, ink.shape[1] - 7, 600), strict=True
    ):
        ink[y : y + rng.integers(1, 7), x : x + rng.integers(1, 7)] = True
    assert 19 <= typical_height(find_components(ink)) <= 26


@pytest.mark.parametrize("value", [False, True])
def test_no_letters_no_height(value):
    assert typical_height(find_components(np.full((400, 300), value))) == 0.0


def _bars(*columns):
    ink = np.zeros((40, 100), np.bool_)
    for left, top, bottom in columns:
        ink[top:bottom, left : left + 5] = True
    return find_components(ink)


def _pairs(components, body):
    found = find_neighbours(components, np.array(body), 1)
    left = components.left
    return {
        (int(left[a]), int(left[b])): int(rows)
        for a, b, rows in zip(found.first, found.second, found.rows, strict=True)
    }


def test_neighbours_see_each_other_where_nothing_stands_between():
    bars = _bars((10, 0, 40), (30, 10, 20), (60, 5, 25))
    everything = [True] * 3
    assert _pairs(bars, everything) == {(10, 30): 10, (30, 60): 10, (10, 60): 10}


def test_what_does_not_take_part_is_transparent():
    bars = _bars((10, 10, 20), (30, 10, 20), (60, 10, 20))
    body = (bars.left != 30).tolist()
    assert _pairs(bars, body) == {(10, 60): 10}


def test_neighbours_are_in_one_row():
    assert not _pairs(_bars((10, 0, 10), (30, 20, 30)), [True, True])


def test_no_components():
    empty = find_components(np.zeros((30, 30), np.bool_))
    assert len(empty) == 0
    assert len(find_neighbours(empty, np.zeros(0, np.bool_)).first) == 0
