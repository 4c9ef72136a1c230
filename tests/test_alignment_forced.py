"""Pages drawn letter by letter: forced alignment labels their candidates as they were drawn."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from pages import SIZE, Canvas, page_of, sheet_of

from ocr_batch.alignment.forced import ForcedPage, force_page, read_lines
from ocr_batch.batch.pipeline import Models, ReadTrace, load_models, trace_sheet
from ocr_batch.recognition.assembly import stored_boxes
from ocr_batch.recognition.charset import CLASSES, LEFT, N_CHARACTERS, NOISE, RIGHT, TWO
from ocr_batch.training.real_crops import crop_page

LINES = [
    "The old house by the river",
    "was empty when we came back",
    "from town, and nobody could",
    "say who had lived in it.",
]


@lru_cache(maxsize=1)
def models() -> Models:
    return load_models("english")


def traced(canvas: Canvas) -> ReadTrace:
    return trace_sheet(sheet_of(canvas.grey), models())


def labels_at_boxes(canvas: Canvas, trace: ReadTrace, page: ForcedPage) -> NDArray[np.int64]:
    """Return for each letter that was drawn the trusted label of the candidate at its box."""
    known = np.flatnonzero(page.confidence >= 0.7)
    edge = page.edge[known]
    height, width = canvas.grey.shape
    boxes = stored_boxes(
        trace.page,
        page.line[known],
        page.scored.edges.box[edge],
        trace.prepared.to_stored,
        (width, height),
    )
    drawn = canvas.rendered().characters.box
    found = np.full(len(drawn), -1, np.int64)
    for number, (left, top, wide, high) in enumerate(drawn):
        across = np.minimum(boxes[:, 0] + boxes[:, 2], left + wide) - np.maximum(boxes[:, 0], left)
        down = np.minimum(boxes[:, 1] + boxes[:, 3], top + high) - np.maximum(boxes[:, 1], top)
        area = np.maximum(across, 0) * np.maximum(down, 0)
        both = wide * high + boxes[:, 2] * boxes[:, 3] - area
        overlap = area / both
        if len(overlap) and overlap.max() > 0.6:
            found[number] = page.label[known[overlap.argmax()]]
    return found


def drawn_labels(canvas: Canvas) -> NDArray[np.int64]:
    return np.array([CLASSES.index(letter) for letter, *_ in canvas.letters])


def test_every_letter_gets_its_label_at_its_box() -> None:
    canvas = page_of(LINES)
    trace = traced(canvas)
    page = force_page(trace, "\n".join(LINES), models())
    found, true = labels_at_boxes(canvas, trace, page), drawn_labels(canvas)
    assert (found[found >= 0] == true[found >= 0]).all()
    assert (found >= 0).mean() > 0.97
    assert page.truth == len(true)


def test_defects_of_the_transcript_label_nothing_wrongly() -> None:
    canvas = page_of(LINES)
    trace = traced(canvas)
    spoiled = "\n".join(LINES).replace("river", "rixver").replace("empty", "emty")
    spoiled = spoiled.replace("nobody", "nokody").replace("lived", "~ived")
    found = labels_at_boxes(canvas, trace, force_page(trace, spoiled, models()))
    true = drawn_labels(canvas)
    assert (found[found >= 0] == true[found >= 0]).all()
    assert (found >= 0).mean() > 0.9


def test_a_paragraph_with_joined_words_labels_the_hyphens() -> None:
    lines = ["The old house by the ri-", "ver was empty when we re-", "turned from town that day"]
    canvas = page_of(lines)
    trace = traced(canvas)
    joined = " ".join(lines).replace("- ", "")
    found = labels_at_boxes(canvas, trace, force_page(trace, joined, models()))
    hyphens = [k for k, (letter, *_) in enumerate(canvas.letters) if letter == "-"]
    assert len(hyphens) == 2
    assert (found[hyphens] == CLASSES.index("-")).all()


def test_letters_that_touch_are_parted_as_the_truth_has_them() -> None:
    canvas = Canvas(1300, 420)
    for number, line in enumerate(LINES):
        canvas.text(80, 110 + 80 * number, line, SIZE, tracking=-2.5)
    trace = traced(canvas)
    page = force_page(trace, "\n".join(LINES), models())
    found, true = labels_at_boxes(canvas, trace, page), drawn_labels(canvas)
    atoms = len(np.unique(trace.page.pieces.atom))
    assert atoms < len(true) - 5
    assert (found[found >= 0] == true[found >= 0]).mean() > 0.97
    assert (found == true).mean() > 0.8


def test_a_misread_letter_is_labelled_by_the_truth() -> None:
    """The truth names another letter of the same shape than reading does."""
    canvas = page_of([*LINES, "Room O19 and l8 pages"])
    trace = traced(canvas)
    text = "\n".join([*LINES, "Room O19 and l8 pages"])
    page = force_page(trace, text, models())
    crops = crop_page(trace, page, 0.2, np.random.default_rng(0))
    read = read_lines(trace)
    assert len(read) == 5
    wrong = sum(a != b for a, b in zip(read[4].replace(" ", ""), "RoomO19andl8pages", strict=False))
    text_crops = crops.label < N_CHARACTERS
    assert crops.misread == (crops.read != crops.label)[text_crops].sum()
    assert crops.misread >= min(1, wrong)


def test_a_blank_page_gives_nothing() -> None:
    canvas = Canvas(600, 400)
    trace = traced(canvas)
    page = force_page(trace, "There should be text here.", models())
    crops = crop_page(trace, page, 0.7, np.random.default_rng(0))
    assert len(page.edge) == len(crops.label) == 0
    assert crops.images.shape == (0, 56, 56, 2)


def test_the_transcript_of_another_page_gives_nothing() -> None:
    trace = traced(page_of(LINES))
    page = force_page(trace, "Quite different words stand on the page that this is of.", models())
    assert (page.confidence >= 0.7).sum() <= 2


def test_wrong_cuts_become_garbage_and_easy_ones_are_thinned() -> None:
    canvas = Canvas(1300, 420)
    for number, line in enumerate(LINES):
        canvas.text(80, 110 + 80 * number, line, SIZE, tracking=-2)
    trace = traced(canvas)
    page = force_page(trace, "\n".join(LINES), models())
    first = crop_page(trace, page, 0.7, np.random.default_rng(1))
    again = crop_page(trace, page, 0.7, np.random.default_rng(1))
    assert np.array_equal(first.images, again.images)
    assert np.array_equal(first.label, again.label)
    kinds = set(first.label[first.label >= N_CHARACTERS].tolist())
    assert {LEFT, RIGHT, TWO} <= kinds <= {LEFT, RIGHT, TWO, NOISE}
    assert (first.label < N_CHARACTERS).sum() < first.labelled
    assert len(first.images) == len(first.geometry) == len(first.confidence) == len(first.read)
    assert (first.confidence >= 0.7).all()
