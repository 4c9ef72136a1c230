import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import Canvas, page_of, prose, segmented, turned

from ocr_batch.imaging.load import sheet_from_array
from ocr_batch.layout.page import analyse
from ocr_batch.layout.prepare import prepare
from ocr_batch.recognition.assembly import assemble, kept_steps, stored_boxes
from ocr_batch.recognition.charset import CLASSES
from ocr_batch.recognition.confidence import Confidence
from ocr_batch.recognition.decoder import Reading
from ocr_batch.recognition.scoring import Scored
from ocr_batch.segmentation.lattice import whole_edges
from ocr_batch.segmentation.page import segment

LINES = ["some men ran", "on over us", "more come now"]


def _truth(canvas):
    box = canvas.rendered().characters.box
    return np.concatenate([box[:, :2], box[:, :2] + box[:, 2:]], axis=1)


CANVAS = page_of(LINES, 44)
READY, LAYOUT, PAGE = segmented(CANVAS.grey)
SIZE = CANVAS.grey.shape[::-1]
EDGES = whole_edges(PAGE.pieces)


def _read(texts=None, confidence=0.98, spaces=None, lines=None):
    """Read the page as told: every letter of `LINES` is an atom of its own."""
    assert len(EDGES) == sum(len(line.replace(" ", "")) for line in LINES)
    texts = texts or [letter for line in LINES for letter in line if letter != " "]
    label = np.array([CLASSES.index(text) for text in texts])
    if spaces is None:
        spaces = [
            k > 0 and line[k - 1] == " "
            for line in LINES for k in range(len(line)) if line[k] != " "
        ]  # fmt: skip
    confidence = np.broadcast_to(np.asarray(confidence), (len(label),))
    table = np.full((len(EDGES), len(CLASSES)), -20.0, np.float32)
    table[np.arange(len(label)), label] = np.log(confidence)
    edge = np.arange(len(label))
    line = PAGE.pieces.line[EDGES.start]
    keep = np.ones(len(edge), np.bool_) if lines is None else np.isin(line, lines)
    reading = Reading(
        edge[keep],
        label[keep],
        np.array(spaces)[keep],
        line[keep],
        np.zeros(int(keep.sum()), np.float32),
    )
    return assemble(PAGE, Scored(EDGES, table), reading, LAYOUT.block, READY.to_stored, SIZE)


def test_words_and_lines_are_put_together():
    (block,) = _read()
    assert [line.text for line in block.lines] == LINES
    assert block.text == "\n".join(LINES)


def test_boxes_are_those_of_the_letters():
    characters = [c for line in _read()[0].lines for word in line.words for c in word.characters]
    found = [(c.box.left, c.box.top, c.box.right, c.box.bottom) for c in characters]
    np.testing.assert_allclose(found, _truth(CANVAS), atol=2)


def test_a_word_is_no_surer_than_its_letters():
    count = len(EDGES)
    confidence = np.linspace(0.7, 1.0, count)
    (block,) = _read(confidence=confidence)
    words = [word for line in block.lines for word in line.words]
    characters = [c for word in words for c in word.characters]
    np.testing.assert_allclose([c.confidence for c in characters], confidence, rtol=1e-4)
    for word in words:
        assert 0 < word.confidence <= min(c.confidence for c in word.characters) + 1e-9


def test_letters_of_a_ligature_share_their_box():
    texts = [letter for line in LINES for letter in line if letter != " "]
    texts[1] = "ffi"
    (block,) = _read(texts)
    word = block.lines[0].words[0]
    assert word.text == "sffime"
    boxes = [c.box for c in word.characters]
    assert boxes[1] == boxes[2] == boxes[3] != boxes[4]
    assert len({c.confidence for c in word.characters[1:4]}) == 1


def test_a_space_before_the_first_letter_makes_no_empty_word():
    spaces = [True] * len(EDGES)
    (block,) = _read(spaces=spaces)
    assert block.lines[0].text == " ".join(LINES[0].replace(" ", ""))


def test_lines_of_junk_are_left_out():
    texts = [letter for line in LINES for letter in line if letter != " "]
    of_line = PAGE.pieces.line[EDGES.start]
    confidence = np.where(of_line == 1, 0.2, 0.98)
    (block,) = _read(texts, confidence)
    assert [line.text for line in block.lines] == [LINES[0], LINES[2]]


@pytest.mark.parametrize("length", [12, 24])
def test_a_long_line_of_fair_words_is_text_however_poor_its_print(length):
    label = np.arange(length) % 26 + CLASSES.index("a")
    table = np.full((length, len(CLASSES)), -20.0, np.float32)
    table[np.arange(length), label] = np.log(0.45)
    steps = np.arange(length)
    reading = Reading(
        steps, label, steps % 6 == 5, np.zeros(length, np.int64), np.zeros(length, np.float32)
    )
    scored = Scored(EDGES.take(np.zeros(length, np.int64)), table)
    words = int((steps % 6 == 5).sum()) + 1
    assert not kept_steps(scored, reading).any()
    for sure, kept in ((0.6, length == 24), (0.1, False)):
        confidence = Confidence(np.full(words, sure), np.full(length, 0.45))
        assert kept_steps(scored, reading, confidence).all() == kept


def test_lines_that_read_as_nothing_are_left_out():
    (block,) = _read(lines=[0, 2])
    assert [line.text for line in block.lines] == [LINES[0], LINES[2]]
    assert _read(lines=[]) == ()


def test_blocks_are_kept_apart():
    canvas = Canvas(700, 800)
    canvas.column(80, 120, ["some men", "ran on"], 44)
    canvas.column(80, 420, ["over us", "more now"], 44)
    ready, layout, page = segmented(canvas.grey)
    edges = whole_edges(page.pieces)
    label = np.zeros(len(edges), np.int64)
    table = np.full((len(edges), len(CLASSES)), -0.01, np.float32)
    line = page.pieces.line[edges.start]
    reading = Reading(
        np.arange(len(edges)),
        label,
        np.zeros(len(edges), np.bool_),
        line,
        np.zeros(len(edges), np.float32),
    )
    blocks = assemble(
        page, Scored(edges, table), reading, layout.block, ready.to_stored, (700, 800)
    )
    assert [len(block.lines) for block in blocks] == [2, 2]


@pytest.mark.parametrize("angle", [-3, 2])
@pytest.mark.parametrize("quarters", [0, 1])
def test_boxes_of_a_turned_page_lie_on_the_stored_ink(angle, quarters):
    grey = np.rot90(turned(page_of(prose(8, 7)).grey, angle), quarters).copy()
    ready = prepare(sheet_from_array(grey), quarter_turns=quarters)
    assert abs(ready.skew) > 1
    layout = analyse(ready.ink, ready.rules, ready.components, ready.x_height)
    page = segment(ready.grey, layout.components, layout.lines)
    edges = whole_edges(page.pieces)
    line = page.pieces.line[edges.start]
    boxes = stored_boxes(page, line, edges.box, ready.to_stored, grey.shape[::-1])
    covered = np.zeros(grey.shape, np.bool_)
    for left, top, width, height in boxes:
        assert grey[top : top + height, left : left + width].min() < 128
        covered[top : top + height, left : left + width] = True
    assert covered[grey < 100].mean() > 0.99


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(*[st.floats(-200, 3000)] * 2, *[st.floats(0, 300)] * 2), min_size=1, max_size=10
    ),
    st.integers(1, 800),
    st.integers(1, 800),
    st.floats(-3.2, 3.2),
)
def test_boxes_are_never_empty_and_lie_inside_the_image(rows, width, height, angle):
    rows = np.array(rows)
    box = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:]], axis=1)
    cosine, sine = np.cos(angle), np.sin(angle)
    matrix = np.array([[cosine, -sine, 10], [sine, cosine, -20]])
    line = np.zeros(len(box), np.int64)
    found = stored_boxes(PAGE, line, box, matrix, (width, height))
    assert found.dtype == np.int64
    assert (found[:, :2] >= 0).all() and (found[:, 2:] >= 1).all()
    assert (found[:, 0] + found[:, 2] <= width).all()
    assert (found[:, 1] + found[:, 3] <= height).all()
