"""Which way up a page stands is told from a part of it."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from cli_tools import text_image

from ocr_batch.batch.pipeline import load_models
from ocr_batch.batch.turns import likely_turn, stands_upright
from ocr_batch.imaging.load import sheet_from_array
from ocr_batch.layout.page import analyse
from ocr_batch.layout.prepare import prepare
from ocr_batch.recognition.scoring import page_quality, score_whole
from ocr_batch.segmentation.page import segment

LINES = (
    "Many a letter was written",
    "in the year nineteen hundred,",
    "and few of them were kept by",
    "those who were fond of paper.",
)


@pytest.fixture(scope="module")
def classifier():
    return load_models().classifier


def drafted(grey, classifier):
    """Return a page as it stands, prepared, segmented and scored."""
    ready = prepare(sheet_from_array(grey))
    layout = analyse(ready.ink, ready.rules, ready.components, ready.x_height or 20.0)
    page = segment(ready.grey, layout.components, layout.lines, cut=False)
    return ready, page, score_whole([page], classifier)[0]


@pytest.mark.parametrize("quarters", [1, 2, 3])
@pytest.mark.parametrize("margin", [0, 1500])
def test_a_turned_page_is_found_out_also_when_its_text_is_in_a_corner(classifier, quarters, margin):
    grey = np.pad(text_image(*LINES), ((0, margin), (0, margin)), constant_values=255)
    ready, page, scored = drafted(np.rot90(grey, quarters).copy(), classifier)
    assert not stands_upright(page, scored)
    turn = likely_turn(ready, page_quality(scored), classifier, lambda name: nullcontext())
    assert turn == quarters


def test_a_page_that_reads_well_stands_upright_and_is_left_so(classifier):
    ready, page, scored = drafted(text_image(*LINES), classifier)
    assert stands_upright(page, scored)
    assert likely_turn(ready, page_quality(scored), classifier, lambda name: nullcontext()) == 0


def test_a_page_of_nothing_tells_nothing(classifier):
    ready, page, scored = drafted(np.full((300, 200), 255, np.uint8), classifier)
    assert not stands_upright(page, scored)
    nothing = replace(ready, x_height=0.0)
    assert likely_turn(nothing, 0.0, classifier, lambda name: nullcontext()) == 0
