import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ocr_batch.layout.whitespace import TALL, white_strips

X_HEIGHT = 20.0


def _column(left, right, top=100, lines=20, step=50):
    return [[left, top + k * step, right, top + k * step + 20] for k in range(lines)]


def _find(*columns):
    return white_strips(np.array([box for column in columns for box in column], float), X_HEIGHT)


def test_the_strip_between_two_columns():
    (strip,) = _find(_column(100, 700), _column(760, 1360))
    np.testing.assert_allclose(strip, [700, 100, 760, 1070], atol=X_HEIGHT / 2)


def test_white_that_is_lower_than_columns_is_none():
    assert len(_find(_column(100, 700, lines=4), _column(760, 1360, lines=4))) == 0


def test_the_tallest_comes_first():
    columns = _column(100, 600, lines=10), _column(660, 1160, lines=20), _column(1220, 1720)
    strips = _find(*columns, [[100, 800, 1160, 820]])
    heights = strips[:, 3] - strips[:, 1]
    assert len(strips) > 1
    assert (np.diff(heights) <= 1e-9).all()


@settings(max_examples=100)
@given(
    hnp.arrays(np.float64, st.tuples(st.integers(1, 30), st.just(4)), elements=st.floats(0, 900)),
    st.floats(5, 30),
)
def test_no_phrase_stands_in_the_core_of_a_strip(numbers, x_height):
    boxes = np.concatenate([numbers[:, :2], numbers[:, :2] + 1 + numbers[:, 2:]], axis=1)
    for x0, y0, x1, y1 in white_strips(boxes, x_height):
        assert y1 - y0 >= (TALL - 0.5) * x_height
        middle = (x0 + x1) / 2
        inside = (boxes[:, 0] < middle) & (boxes[:, 2] > middle)
        inside &= (boxes[:, 1] < y1) & (boxes[:, 3] > y0)
        height = np.minimum(boxes[inside, 3], y1) - np.maximum(boxes[inside, 1], y0)
        # A strip widens over what stands in up to a twentieth of it.
        assert height.sum() <= 0.06 * (y1 - y0) + 2 * x_height
