"""Lines in reading order: columns, headings across them, captions set into them."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ocr_batch.layout.blocks import group_blocks
from ocr_batch.layout.order import reading_order

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


def _text_around_a_caption():
    """Two columns with a caption in the middle, into which both are indented."""
    left = [*_column(100, 700, lines=6), *_column(100, 500, 400, 4), *_column(100, 700, 600, 6)]
    right = [*_column(760, 1360, lines=6), *_column(960, 1360, 400, 4), *_column(760, 1360, 600, 6)]
    caption = _column(580, 880, 420, 3, 45)
    gutters = [[725, 60, 735, 390], [725, 590, 735, 890]]
    return left, right, caption, gutters


def test_columns_go_on_beside_a_caption_that_is_set_into_them():
    left, right, caption, gutters = _text_around_a_caption()
    sides = [[535, 390, 545, 590], [915, 390, 925, 590]]
    boxes = [*left, *right, *caption]
    for seed in range(5):
        assert _shuffled_order(boxes, gutters + sides, seed) == list(range(len(boxes)))


def test_a_heading_with_no_text_beside_it_ends_the_columns():
    left, right, _, gutters = _text_around_a_caption()
    heading = [[580, 470, 880, 500]]
    boxes = [*left[:6], *right[:6], *heading, *left[10:], *right[10:]]
    assert _shuffled_order(boxes, gutters) == list(range(len(boxes)))


def test_a_heading_with_a_date_and_a_number_beside_it_ends_the_columns():
    left, right, _, gutters = _text_around_a_caption()
    row = [[100, 470, 300, 490], [580, 470, 880, 490], [1260, 470, 1360, 490]]
    boxes = [*left[:6], *right[:6], *row, *left[10:], *right[10:]]
    assert _shuffled_order(boxes, gutters) == list(range(len(boxes)))


def test_a_table_between_two_tiers_is_read_between_them():
    left, right, _, gutters = _text_around_a_caption()
    rows = [[x, 420 + 50 * k, x + 280, 440 + 50 * k] for k in range(3) for x in (100, 580, 1080)]
    boxes = [*left[:6], *right[:6], *rows, *left[10:], *right[10:]]
    assert _shuffled_order(boxes, gutters) == list(range(len(boxes)))


def test_a_page_number_below_a_column_comes_last():
    boxes = [*_column(100, 700), *_column(760, 1360), [100, 420, 130, 440]]
    assert _shuffled_order(boxes, [[725, 60, 735, 330]]) == list(range(11))
