import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import Canvas, laid_out

from ocr_batch.segmentation.atoms import find_atoms
from ocr_batch.segmentation.page import segment
from ocr_batch.segmentation.pitch import cell_borders, cell_odds, empty_cells, find_pitch

STEP = 26.0
LINES = (
    "we were formed into files and had",
    "to pass an officer most probably",
    "a doctor who sat on his chair and",
    "pointed either to the left or to",
)


def _typed(lines=LINES, step=STEP, left=60.0, jitter=0.0):
    """Write every letter into the middle of its cell."""
    canvas = Canvas(1100, 80 + 70 * len(lines))
    rng = np.random.default_rng(0)
    for number, text in enumerate(lines):
        for cell, letter in enumerate(text):
            if letter != " ":
                x0, _, x1, _ = Canvas(80, 80).text(20, 60, letter)
                middle = left + (cell + 0.5 + jitter * rng.normal()) * step
                canvas.text(middle - (x0 + x1) / 2 + 20, 80 + 70 * number, letter)
    return canvas


def _pitch(grey):
    _, layout = laid_out(grey)
    atoms = find_atoms(layout.components, layout.lines)
    return find_pitch(atoms, layout.lines), atoms


@pytest.mark.parametrize("step", [25.0, 26.7, 30.0])
@pytest.mark.parametrize("jitter", [0.0, 0.05])
def test_the_step_of_typewriting_is_found(step, jitter):
    pitch, atoms = _pitch(_typed(step=step, jitter=jitter).grey)
    assert (pitch.step > 0).all()
    np.testing.assert_allclose(pitch.step, step, rtol=0.002)
    odds = cell_odds(pitch, atoms.line, atoms.box[:, 0], atoms.box[:, 2])
    assert (odds > 0).mean() > 0.97


def test_print_has_no_pitch():
    canvas = Canvas(1100, 400)
    for number, text in enumerate(LINES):
        canvas.text(60, 80 + 70 * number, text)
    pitch, atoms = _pitch(canvas.grey)
    assert not pitch.step.any()
    assert not cell_odds(pitch, atoms.line, atoms.box[:, 0], atoms.box[:, 2]).any()
    assert not empty_cells(pitch, atoms).any()
    assert not len(cell_borders(pitch, atoms)[0])


def test_a_printed_line_on_a_typewritten_page_keeps_no_pitch():
    canvas = _typed((*LINES, ""))
    canvas.text(60, 80 + 70 * len(LINES), "printed with letters of all widths, mil")
    pitch, _ = _pitch(canvas.grey)
    assert (pitch.step[: len(LINES)] > 0).all()
    assert pitch.step[len(LINES)] == 0


def test_a_page_with_hardly_any_letters_has_no_pitch():
    for text in ("", "a", "ab cd"):
        canvas = Canvas(400, 150)
        canvas.text(40, 80, text)
        pitch, _ = _pitch(canvas.grey)
        assert not pitch.step.any()


def test_cells_tell_spaces():
    canvas = _typed()
    pitch, atoms = _pitch(canvas.grey)
    expected = [
        cell > 0 and text[cell - 1] == " "
        for text in LINES
        for cell in range(len(text))
        if text[cell] != " "
    ]
    np.testing.assert_array_equal(empty_cells(pitch, atoms), expected)


def test_what_covers_two_cells_or_half_of_one_is_no_character():
    pitch, _ = _pitch(_typed().grey)
    line = np.zeros(3, np.int64)
    middle = pitch.middle[0] + STEP * 4
    left = np.array([middle - 10, middle - 12, middle - 12])
    right = np.array([middle + 10, middle + STEP + 12, middle - 2])
    good, double, half = cell_odds(pitch, line, left, right)
    assert good > 1 and double < -4 and half < -1


def test_touching_letters_are_cut_between_their_cells():
    canvas = _typed()
    solid = canvas.grey.copy()
    # A smear as high as the letters joins the first four cells of a word: no thin place is left.
    left, right = round(60 + 8 * STEP) + 4, round(60 + 12 * STEP) - 4
    solid[80 - 21 : 80, left:right] = 0
    _, layout = laid_out(solid)
    page = segment(solid, layout.components, layout.lines)
    atom, border = cell_borders(page.pitch, page.atoms)
    assert len(set(atom)) == 1
    np.testing.assert_allclose(border, 60 + STEP * np.array([9, 10, 11]), atol=2.5)
    pieces = np.flatnonzero(page.pieces.atom == atom[0])
    cuts = page.strips.page_x(page.pieces.line[pieces[1:]], page.pieces.box[pieces[1:], 0])
    for expected in border:
        assert np.abs(cuts - expected).min() < 0.2 * STEP


@settings(max_examples=20, deadline=None)
@given(st.floats(20, 40), st.floats(0, 40), st.integers(0, 2**32 - 1))
def test_odds_repeat_with_every_cell(step, middle, seed):
    from ocr_batch.segmentation.pitch import Pitch

    rng = np.random.default_rng(seed)
    pitch = Pitch(np.array([step]), np.array([middle]))
    line = np.zeros(30, np.int64)
    left = rng.uniform(0, 500, 30)
    right = left + rng.uniform(1, 3 * step, 30)
    here = cell_odds(pitch, line, left, right)
    there = cell_odds(pitch, line, left + 3 * step, right + 3 * step)
    np.testing.assert_allclose(here, there, atol=1e-3)
    assert np.isfinite(here).all()
