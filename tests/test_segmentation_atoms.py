import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import Canvas, laid_out, turned

from ocr_batch.segmentation.atoms import find_atoms


def _atoms(grey):
    _, layout = laid_out(grey)
    return layout.components, layout.lines, find_atoms(layout.components, layout.lines)


def _of_text(text, size=40, degrees=0.0):
    canvas = Canvas(1400, 300)
    canvas.text(80, 150, text, size, tracking=2)
    grey = turned(canvas.grey, degrees) if degrees else canvas.grey
    return canvas, _atoms(grey)[2]


@pytest.mark.parametrize("size", [24, 40, 56])
@pytest.mark.parametrize("text", ["i", "j", "=", ":", ";", "!", "?"])
def test_stacked_parts_are_one_atom(text, size):
    line = f"nose {text} moss" if text in "ij" else f"nose {text} moss {text} use"
    letters = len(line.replace(" ", ""))
    _, atoms = _of_text(line, size)
    assert len(atoms.line) == letters


@pytest.mark.parametrize("degrees", [-0.5, 0.6])
def test_every_letter_of_a_line_is_one_atom(degrees):
    text = "jiving quickly: is it fifty = 12 or more; I say!"
    canvas, atoms = _of_text(text, degrees=degrees)
    assert len(atoms.line) == len(canvas.letters)
    centre = atoms.box[:, [0, 2]].sum(axis=1)
    assert (np.diff(centre) > 0).all()


def test_boxes_hold_dot_and_stem():
    canvas, atoms = _of_text("mini jib")
    truth = canvas.rendered().characters.box
    expected = np.concatenate([truth[:, :2], truth[:, :2] + truth[:, 2:]], axis=1)
    np.testing.assert_allclose(atoms.box, expected, atol=2)


def test_neighbouring_letters_are_not_joined():
    _, atoms = _of_text("AVATAR Toy LTJ fjord Yo.")
    assert len(atoms.line) == len("AVATARToyLTJfjordYo.")


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 0.4))
def test_every_component_of_a_line_has_one_atom(seed, share):
    ink = np.random.default_rng(seed).random((120, 160)) < share
    components, lines, atoms = _atoms(np.where(ink, 0, 255).astype(np.uint8))
    inside = lines.line_of >= 0
    assert (atoms.atom_of[~inside] == -1).all()
    assert set(atoms.atom_of[inside]) == set(range(len(atoms.line)))
    assert np.array_equal(atoms.line[atoms.atom_of[inside]], lines.line_of[inside])
    assert (np.diff(atoms.line) >= 0).all()
    assert len(atoms.atom_of) == len(components)


def _joined(text):
    """A word whose letters a bar at their feet makes one component, and what is apart from it."""
    canvas = Canvas(600, 200)
    left, _, right, _ = canvas.text(80, 120, text, 44)
    canvas.rule(left, 116, right, 120)
    return _atoms(canvas.grey)


@pytest.mark.parametrize("text", ["hid", "kind", "tribal", "dij"])
def test_a_dot_between_ascenders_belongs_to_the_letters_that_touch(text):
    components, _, atoms = _joined(text)
    assert len(components) > 1
    assert len(atoms.line) == 1


@pytest.mark.parametrize("text", ["d't", "d\u201dl"])
def test_other_marks_between_ascenders_stay_apart(text):
    components, _, atoms = _joined(text)
    assert len(atoms.line) == len(components) > 1
