import numpy as np
import pytest
from pages import Canvas, laid_out

from ocr_batch.imaging.rules import remove_rows
from ocr_batch.layout.components import find_components, find_neighbours
from ocr_batch.layout.lines import find_lines
from ocr_batch.layout.page import letter_like
from ocr_batch.layout.underlines import find_underlines

X_HEIGHT = 21.0


def _find(grey):
    components = find_components(grey < 128)
    body = letter_like(components, X_HEIGHT)
    nothing = np.zeros(len(components), np.bool_)
    neighbours = find_neighbours(components, body)
    lines = find_lines(components, body, neighbours, np.zeros((0, 4)), X_HEIGHT, nothing)
    return find_underlines(components, lines, nothing, X_HEIGHT)


def _page(under, *, thick=3):
    """Draw words of which the second is underlined, so far below the baseline."""
    canvas = Canvas(900, 240)
    canvas.text(80, 120, "some ")
    left, _, right, _ = canvas.text(220, 120, "step")
    canvas.text(right + 20, 120, "by then")
    plain = canvas.grey.copy()
    canvas.rule(left, 120 + under, right, 120 + under + thick)
    return plain, canvas.grey


@pytest.mark.parametrize("under", [5, 8, 12])
def test_an_underline_that_touches_a_descender(under):
    plain, lined = _page(under)
    row, start, stop = _find(lined)
    assert set(row.tolist()) <= set(range(119 + under, 124 + under))
    cleaned = remove_rows(lined < 128, (row, start, stop), X_HEIGHT)
    differing = cleaned != (plain < 128)
    # What remains of it is at most where it met the descender.
    assert differing.sum() < 30
    _, layout = laid_out(lined)
    assert len(layout.lines) == 1
    _, expected = laid_out(plain)
    held = np.bincount(layout.lines.line_of[layout.lines.line_of >= 0])
    assert held.tolist() == np.bincount(expected.lines.line_of + 1)[1:].tolist()


def test_words_without_one():
    plain, _ = _page(8)
    assert _find(plain) is None


def test_a_stroke_through_a_word_is_none():
    _, struck = _page(-12)
    assert _find(struck) is None


def test_a_blank_to_be_filled_in_is_none():
    canvas = Canvas(900, 240)
    _, _, right, _ = canvas.text(80, 120, "Name of place")
    canvas.rule(right + 12, 126, right + 80, 129)
    assert _find(canvas.grey) is None


def test_an_empty_page():
    assert _find(np.full((100, 200), 255, np.uint8)) is None
