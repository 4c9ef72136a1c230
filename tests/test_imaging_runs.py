import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ocr_batch.imaging.runs import find_runs, run_pixels

PAGES = hnp.arrays(np.bool_, st.tuples(st.integers(0, 9), st.integers(0, 9)))


@given(PAGES)
def test_runs_are_as_long_as_can_be_and_in_order(ink):
    row, start, stop = find_runs(ink)
    assert (start < stop).all()
    assert not ink[row[start > 0], start[start > 0] - 1].any()
    inner = stop < ink.shape[1]
    assert not ink[row[inner], stop[inner]].any()
    place = row * ink.shape[1] + start
    assert (place[1:] > place[:-1]).all()


@given(PAGES)
def test_runs_make_up_the_page(ink):
    painted = np.zeros_like(ink)
    painted.ravel()[run_pixels(*find_runs(ink), ink.shape[1])] = True
    assert np.array_equal(painted, ink)
