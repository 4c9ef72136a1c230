import numpy as np

from ocr_batch.layout.blocks import group_blocks


def _column(left, right, top=100, lines=5, step=50):
    return [[left, top + k * step, right, top + k * step + 20] for k in range(lines)]


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
