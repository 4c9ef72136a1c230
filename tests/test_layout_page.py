import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import SIZE, Canvas, laid_out, page_of, prose

STEP = round(1.6 * SIZE)


def _order(layout, boxes):
    """Return which of the drawn lines each line of the layout is."""
    found = layout.lines.box
    drawn = np.array(boxes, np.float64)
    low = np.maximum(found[:, None, :2], drawn[None, :, :2])
    high = np.minimum(found[:, None, 2:], drawn[None, :, 2:])
    return np.prod(np.maximum(high - low, 0), axis=2).argmax(axis=1).tolist()


def _read(canvas, boxes):
    _, layout = laid_out(canvas.grey)
    assert len(layout.block) == len(layout.lines)
    return _order(layout, boxes), layout


def test_a_page_of_paragraphs():
    canvas = Canvas(1000, 1100)
    boxes = canvas.column(80, 120, prose(5, 7))
    boxes += canvas.column(80, 120 + 7 * STEP, prose(5, 7, seed=1))
    order, layout = _read(canvas, boxes)
    assert order == list(range(10))
    assert layout.block.tolist() == [0] * 5 + [1] * 5


@pytest.mark.parametrize("gap", [40, 60, 150])
def test_two_columns_are_read_one_after_the_other(gap):
    canvas = Canvas(1500, 1300)
    left = canvas.column(60, 120, prose(16, 5))
    start = max(box[2] for box in left) + gap
    boxes = left + canvas.column(start, 110, prose(16, 5, seed=1))
    order, layout = _read(canvas, boxes)
    assert order == list(range(32))
    assert set(layout.block[:16]).isdisjoint(layout.block[16:])


def test_a_heading_over_two_columns_comes_first():
    canvas = Canvas(1500, 1400)
    boxes = [canvas.text(60, 100, "A heading that runs over both of the columns below it", 46)]
    boxes += canvas.column(60, 230, prose(16, 5))
    start = max(box[2] for box in boxes[1:]) + 70
    boxes += canvas.column(start, 230, prose(16, 5, seed=1))
    order, layout = _read(canvas, boxes)
    assert order == list(range(33))
    assert layout.block[0] != layout.block[1]


def test_columns_go_on_beside_a_picture_and_its_caption():
    canvas = Canvas(2100, 1850)
    tops = 100, 100 + 20 * STEP
    left = [canvas.column(60, top, prose(6, 8, seed)) for seed, top in enumerate(tops)]
    start = max(box[2] for column in left for box in column) + 60
    right = [canvas.column(start, top, prose(6, 8, seed + 2)) for seed, top in enumerate(tops)]
    left.insert(1, canvas.column(60, 100 + 6 * STEP, prose(14, 4, seed=4)))
    edge = max(box[2] for box in left[1])
    inner = 2 * start - 60 - edge
    right.insert(1, canvas.column(inner, 100 + 6 * STEP, prose(14, 4, seed=5)))
    canvas.rule(edge + 60, 70 + 6 * STEP, inner - 60, 60 + 14 * STEP)
    lines = [
        "The harbour",
        "as it was in",
        "the autumn",
        "of the last",
        "great war",
        "seen from",
        "town",
    ]
    caption = canvas.column((edge + inner) // 2 - 80, 90 + 15 * STEP, lines, 26, 1.7)
    boxes = [box for column in (*left, *right, caption) for box in column]
    order, _ = _read(canvas, boxes)
    assert order == list(range(len(boxes)))


def test_a_newspaper_has_more_lines_than_a_letter():
    canvas = Canvas(3000, 2900)
    for column in range(5):
        canvas.column(40 + 590 * column, 60, prose(88, 8, column), 20)
    prepared, layout = laid_out(canvas.grey)
    assert len(layout.lines) == 440
    column = layout.lines.box[:, 0] * 5 // prepared.ink.shape[1]
    assert np.lexsort((layout.lines.box[:, 1], column)).tolist() == list(range(440))


def test_noise_has_no_more_lines_than_a_page_of_text():
    rng = np.random.default_rng(0)
    grey = np.full((2200, 1700), 255, np.uint8)
    for y, x in rng.integers(0, (2180, 1680), (9000, 2)):
        grey[y : y + 9, x : x + 7] = 0
    _, layout = laid_out(grey)
    assert len(layout.lines) <= 350


def test_columns_parted_by_a_rule():
    canvas = Canvas(1500, 1300)
    left = canvas.column(60, 120, prose(16, 5))
    edge = max(box[2] for box in left)
    boxes = left + canvas.column(edge + 34, 120, prose(16, 5, seed=1))
    canvas.rule(edge + 15, 80, edge + 18, 1150)
    assert _read(canvas, boxes)[0] == list(range(32))


def test_rows_of_a_table_are_read_across():
    canvas = Canvas(1500, 1100)
    for row in range(12):
        for column, word in enumerate(("March", "1200", "35.50", "paid")):
            canvas.text(80 + 340 * column, 120 + STEP * row, word)
    rows = [(80, 90 + STEP * row, 1300, 130 + STEP * row) for row in range(12)]
    assert _read(canvas, rows)[0] == list(range(12))


def test_a_ruled_table_is_read_across():
    canvas = Canvas(1500, 1200)
    step = 80
    for row in range(10):
        canvas.rule(60, 60 + step * row, 1340, 63 + step * row)
        for column, word in enumerate(("March", "1200", "35.50", "paid")):
            canvas.text(100 + 320 * column, 115 + step * row, word)
    for column in range(5):
        canvas.rule(60 + 320 * column, 60, 63 + 320 * column, 63 + step * 10)
    rows = [(80, 85 + step * row, 1300, 120 + step * row) for row in range(10)]
    assert _read(canvas, rows)[0] == list(range(10))


def test_a_picture_is_no_line():
    canvas = Canvas(1200, 1000)
    boxes = canvas.column(80, 100, prose(4, 7))
    ys, xs = np.mgrid[:300, :500]
    canvas.grey[400:700, 200:700][np.hypot(ys % 4 - 2, xs % 4 - 2) < 1.7] = 0
    boxes += canvas.column(80, 800, prose(2, 7, seed=1))
    assert _read(canvas, boxes)[0] == list(range(6))


def test_the_scanner_s_border_is_no_line():
    canvas = page_of(prose(6, 7))
    boxes = [tuple(row) for row in _drawn(canvas)]
    height, width = canvas.grey.shape
    canvas.rule(0, 0, width, 25)
    canvas.rule(0, 0, 18, height)
    assert _read(canvas, boxes)[0] == list(range(6))


def _drawn(canvas):
    page = canvas.rendered()
    box, line = page.characters.box, page.characters.line
    for number in range(len(page.lines)):
        own = box[line == number]
        yield *own[:, :2].min(axis=0), *(own[:, :2] + own[:, 2:]).max(axis=0)


def test_dirt_makes_no_lines():
    canvas = page_of(prose(6, 7))
    boxes = list(_drawn(canvas))
    rng = np.random.default_rng(0)
    ys, xs = rng.integers(0, canvas.grey.shape, (300, 2)).T
    canvas.grey[ys, xs] = 0
    assert _read(canvas, boxes)[0] == list(range(6))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 150), st.integers(1, 150), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_any_page(height, width, share, seed):
    ink = np.random.default_rng(seed).random((height, width)) < share
    _, layout = laid_out(np.where(ink, 0, 255).astype(np.uint8))
    lines = layout.lines
    assert lines.line_of.shape == (len(layout.components),)
    assert set(lines.line_of[lines.line_of >= 0]) == set(range(len(lines)))
    assert (lines.x_height > 0).all()
    assert np.isfinite(lines.baseline).all()
