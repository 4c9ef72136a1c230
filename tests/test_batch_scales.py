"""Lines whose x-height was measured wrongly get a better one; others keep theirs."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from cli_tools import text_image

from ocr_batch.batch.pipeline import load_models
from ocr_batch.batch.scales import better_x_heights
from ocr_batch.imaging.load import sheet_from_array
from ocr_batch.layout.page import analyse
from ocr_batch.layout.prepare import prepare
from ocr_batch.recognition.scoring import score_whole
from ocr_batch.segmentation.page import segment

TEXT = (
    "Many a letter was written",
    "in the year nineteen hundred,",
    "and few of them were kept by",
    "those who were fond of paper.",
)


@pytest.fixture(scope="module")
def measured():
    """A page, its layout, and the classifier that reads it."""
    prepared = prepare(sheet_from_array(text_image(*TEXT)))
    layout = analyse(prepared.ink, prepared.rules, prepared.components, prepared.x_height or 20.0)
    return prepared.grey, layout, load_models().classifier


def factors(measured, wrong, sure):
    """Return by what x-heights are changed that were measured too large by these factors."""
    grey, layout, classifier = measured
    lines = replace(
        layout.lines, x_height=layout.lines.x_height * np.array(wrong), sure=np.array(sure)
    )
    layout = replace(layout, lines=lines)
    page = segment(grey, layout.components, lines)
    scored = score_whole([page], classifier)[0]
    found = better_x_heights(grey, layout, page, scored, classifier, lambda name: nullcontext())
    return (found / lines.x_height).round(2).tolist()


def test_lines_that_read_well_are_left_alone(measured):
    assert len(measured[1].lines) == len(TEXT)
    assert factors(measured, [1, 1, 1, 1], [True, True, True, True]) == [1, 1, 1, 1]
    assert factors(measured, [1, 1, 1, 1], [False, False, False, False]) == [1, 1, 1, 1]


def test_lines_measured_wrongly_get_the_height_at_which_they_read_best(measured):
    assert factors(measured, [1, 1 / 0.69, 1, 1], [True] * 4) == [1, 0.69, 1, 1]
    # Letters shown as large as capitals read fairly well: only lines of one level are asked then.
    assert factors(measured, [1, 1 / 0.69, 1, 1 / 1.45], [False] * 4) == [1, 0.69, 1, 1.45]


def test_a_line_like_its_page_may_be_of_capitals_but_not_of_small_letters_half_the_size(measured):
    assert factors(measured, [1 / 0.69] * 4, [True] * 4) == [0.69] * 4
    assert factors(measured, [1 / 1.45] * 4, [True] * 4) == [1] * 4
