import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ocr_batch.layout.blocks import group_blocks, reading_order

NO_GUTTERS = np.zeros((0, 4))


def _column(left, right, top=100, lines=5, step=50):
    return [[left, top + k * step, right, top + k * step + 20] for k in range(lines)]


def _shuffled_order(boxes, gutters=NO_GUTTERS, seed=0):
    """Order lines given in any order; return their places in the list of boxes."""
    boxes = np.array(boxes, np.float64)
    shuffle = np.random.default_rng(seed).permutation(len(boxes))
    return shuffle[reading_order(boxes[shuffle], np.array(gutters, np.float64))].tolist()


def test_lines_are_read_from_top_to_bottom():
    assert _shuffled_order(_column(100, 700)) == list(range(5))


def test_columns_are_read_one_after_the_other():
    boxes = _column(100, 700) + _column(760, 1360, top=90)
    gutter = [[725, 60, 735, 400]]
    for seed in range(5):
        assert _shuffled_order(boxes, gutter, seed) == list(range(10))


def test_without_a_gutter_rows_are_read_across():
    rows = [[left, y, left + 120, y + 20] for y in (100, 150, 200) for left in (100, 400, 700)]
    assert _shuffled_order(rows) == list(range(9))


def test_a_heading_and_a_footer_over_columns():
    boxes = [
        [100, 20, 1360, 50],
        *_column(100, 700, lines=6),
        *_column(760, 1360, lines=4),
        [100, 500, 1360, 530],
    ]
    gutter = [[725, 60, 735, 490]]
    assert _shuffled_order(boxes, gutter) == list(range(12))


def test_columns_above_a_heading_come_before_those_below_it():
    boxes = [
        *_column(100, 700, lines=4),
        *_column(760, 1360, lines=4),
        [100, 320, 1360, 350],
        *_column(100, 700, top=400, lines=4),
        *_column(760, 1360, top=400, lines=4),
    ]
    gutters = [[725, 60, 735, 310], [725, 360, 735, 700]]
    assert _shuffled_order(boxes, gutters) == list(range(17))


@settings(max_examples=100, deadline=None)
@given(
    hnp.arrays(np.float64, st.tuples(st.integers(0, 25), st.just(4)), elements=st.floats(0, 900)),
    hnp.arrays(np.float64, st.tuples(st.integers(0, 3), st.just(4)), elements=st.floats(0, 900)),
)
def test_every_line_is_read_once(lines, strips):
    def boxes(numbers):
        return np.concatenate([numbers[:, :2], numbers[:, :2] + 1 + numbers[:, 2:]], axis=1)

    order = reading_order(boxes(lines), boxes(strips))
    assert sorted(order.tolist()) == list(range(len(lines)))
    block = group_blocks(boxes(lines)[order], np.full(len(lines), 20.0))
    assert block.shape == (len(lines),)
    assert (np.diff(block) >= 0).all() and (np.diff(block) <= 1).all()


def _blocks(boxes, x_height=20.0):
    heights = np.broadcast_to(np.asarray(x_height, np.float64), (len(boxes),))
    return group_blocks(np.array(boxes, np.float64), heights).tolist()


def test_a_paragraph_is_one_block():
    assert _blocks(_column(100, 700)) == [0] * 5


def test_a_wide_step_parts_paragraphs():
    boxes = _column(100, 700) + _column(100, 700, top=450)
    assert _blocks(boxes) == [0] * 5 + [1] * 5


def test_the_next_column_is_another_block():
    boxes = _column(100, 700) + _column(760, 1360)
    assert _blocks(boxes) == [0] * 5 + [1] * 5


def test_a_heading_in_larger_print_is_another_block():
    boxes = [[100, 20, 900, 60], *_column(100, 700)]
    assert _blocks(boxes, [40.0] + [20.0] * 5) == [0] + [1] * 5


def test_cells_of_a_row_stay_together():
    rows = [[left, 100, left + 120, 120] for left in (100, 400, 700)]
    assert _blocks(rows) == [0] * 3
