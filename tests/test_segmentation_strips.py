import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import Canvas, laid_out, page_of, prose, turned

from ocr_batch.layout.lines import Lines
from ocr_batch.segmentation.atoms import Atoms, find_atoms
from ocr_batch.segmentation.strips import BASELINE, FRAME, PAD, X_HEIGHT, Strips, make_strips

PAGE = page_of(["common sense rose above", *prose(4, 8)])
READY, LAYOUT = laid_out(PAGE.grey)
ATOMS = find_atoms(LAYOUT.components, LAYOUT.lines)
STRIPS = make_strips(READY.grey, LAYOUT.components, LAYOUT.lines, ATOMS)


def _strips(grey):
    ready, layout = laid_out(grey)
    atoms = find_atoms(layout.components, layout.lines)
    return ready, atoms, make_strips(ready.grey, layout.components, layout.lines, atoms)


finite = st.floats(-500, 5000)


@settings(max_examples=100)
@given(
    st.floats(0, 3000), st.floats(-0.06, 0.06), st.floats(-1e-5, 1e-5), st.floats(2, 200),
    st.lists(st.tuples(finite, finite), min_size=1, max_size=8),
)  # fmt: skip
def test_to_strip_is_the_inverse_of_to_page(foot, slope, bend, x_height, points):
    lines = Lines(
        np.zeros(0, np.int32),
        np.array([[50.0, 0, 900, 100]]),
        np.array([60.0]),
        np.array([[foot, slope, bend]]),
        np.array([x_height]),
        np.ones(1, np.bool_),
    )
    nothing = np.zeros((FRAME, 0), np.uint8)
    start, stop = np.array([128]), np.array([2000])
    strips = Strips(
        nothing, nothing.astype(np.int32), start, stop, np.array([50.0]),
        np.array([x_height / X_HEIGHT]), lines,
    )  # fmt: skip
    line = np.zeros(len(points), np.int64)
    x, y = np.array(points).T
    column, row = strips.to_strip(line, x, y)
    np.testing.assert_allclose(strips.to_page(line, column, row), (x, y), atol=1e-6)
    back = strips.to_strip(line, *strips.to_page(line, x, y))
    np.testing.assert_allclose(back, (x, y), atol=1e-6)


def test_lines_lie_end_to_end_with_white_between():
    assert STRIPS.grey.shape == STRIPS.label.shape == (FRAME, STRIPS.stop[-1])
    assert np.array_equal(STRIPS.start[1:], STRIPS.stop[:-1]) and STRIPS.start[0] == 0
    for start, stop in zip(STRIPS.start, STRIPS.stop, strict=True):
        label = STRIPS.label[:, start:stop]
        assert not label[:, : PAD - 2].any() and not label[:, -PAD + 2 :].any()


@pytest.mark.parametrize("size", [24, 40, 56])
def test_letters_stand_on_the_baseline_and_have_the_x_height(size):
    canvas = page_of(["common sense rose above", *prose(4, 8)], size)
    _, _, strips = _strips(canvas.grey)
    first = strips.grey[:, : strips.stop[0]][:, : PAD + 300] > 128
    rows = np.flatnonzero(first.sum(axis=1) > 4)
    assert rows[0] == pytest.approx(BASELINE - X_HEIGHT, abs=1.5)
    assert rows[-1] + 1 == pytest.approx(BASELINE, abs=1.5)


def test_ink_is_white_on_black_and_paper_is_zero():
    own = STRIPS.label > 0
    assert np.median(STRIPS.grey[own]) > 200
    assert np.median(STRIPS.grey[~own]) == 0


def test_only_a_line_s_own_atoms_are_labelled():
    for number in range(len(LAYOUT.lines)):
        seen = np.unique(STRIPS.label[:, STRIPS.start[number] : STRIPS.stop[number]])
        assert set(ATOMS.line[seen[seen > 0] - 1]) == {number}
    assert np.array_equal(np.unique(STRIPS.label), np.arange(len(ATOMS.line) + 1))


def test_a_page_of_very_many_atoms_is_labelled_alike():
    more = 2**16
    many = Atoms(
        np.where(ATOMS.atom_of >= 0, ATOMS.atom_of + np.int32(more), -1),
        np.r_[np.zeros(more, np.int64), ATOMS.line],
        np.r_[np.zeros((more, 4)), ATOMS.box],
    )
    found = make_strips(READY.grey, LAYOUT.components, LAYOUT.lines, many).label
    assert found.dtype == np.int32 and STRIPS.label.dtype == np.uint16
    assert np.array_equal(np.maximum(found - more, 0), STRIPS.label)


def test_pixels_come_from_where_to_page_says():
    row, column = np.nonzero(STRIPS.label)
    line = np.searchsorted(STRIPS.stop, column, side="right")
    x, y = STRIPS.to_page(line, column + 0.5, row + 0.5)
    labels = LAYOUT.components.labels[np.floor(y).astype(int), np.floor(x).astype(int)]
    atom = np.where(labels > 0, ATOMS.atom_of[labels - 1], -1)
    assert (atom == STRIPS.label[row, column].astype(int) - 1).mean() > 0.99


def test_a_slanting_line_is_straightened():
    canvas = page_of(["common sense rose above came nearer once more"])
    _, _, strips = _strips(turned(canvas.grey, 0.9))
    ink = strips.grey > 128
    for part in np.array_split(np.arange(PAD, strips.stop[0] - PAD), 4):
        rows = np.flatnonzero(ink[:, part].sum(axis=1) > 4)
        assert rows[-1] + 1 == pytest.approx(BASELINE, abs=2)


def test_a_line_at_the_page_s_edge():
    canvas = Canvas(320, 42)
    canvas.text(0, 32, "at the very edge")
    _, _, strips = _strips(canvas.grey)
    assert len(strips.lines) == 1
    assert np.isfinite(strips.scale).all() and strips.grey.any()


def test_no_lines():
    _, _, strips = _strips(np.full((200, 200), 255, np.uint8))
    assert len(strips.lines) == 0 and strips.grey.shape == (FRAME, 0)


def test_a_line_wider_than_opencv_can_map_is_read_in_parts():
    words = [f"word {number} of a long line" for number in range(74)]
    canvas = Canvas(37_000, 120)
    for number, text in enumerate(words):
        canvas.text(60 + 500 * number, 80, text)
    ready, atoms, strips = _strips(canvas.grey)
    assert ready.grey.shape[1] > 2**15
    line = int(np.argmax(strips.stop - strips.start))
    # Every atom keeps its place along the whole line.
    row, column = np.nonzero(strips.label)
    x, _ = strips.to_page(np.full(len(row), line), column + 0.5, row + 0.5)
    label = strips.label[row, column].astype(int) - 1
    assert (x > atoms.box[label, 0] - 2).all() and (x < atoms.box[label, 2] + 2).all()
    assert len(np.unique(label)) > 0.95 * sum(len(text.replace(" ", "")) for text in words)
