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


def decide(measured, monkeypatch, lines, *quality):
    """Return by what each line's x-height is changed, if it reads so well at 1, .69 and 1.45."""
    grey, layout, classifier = measured
    layout = replace(layout, lines=lines)
    page = segment(grey, layout.components, layout.lines)
    scored = score_whole([page], classifier)[0]
    told = iter([np.array(values) for values in quality])
    monkeypatch.setattr("ocr_batch.batch.scales.line_quality", lambda *given: next(told))
    found = better_x_heights(grey, layout, page, scored, classifier, lambda name: nullcontext())
    return (found / layout.lines.x_height).round(2).tolist()


def test_lines_that_read_well_are_left_alone(measured):
    grey, layout, classifier = measured
    assert len(layout.lines) == len(TEXT)
    page = segment(grey, layout.components, layout.lines)
    scored = score_whole([page], classifier)[0]
    found = better_x_heights(grey, layout, page, scored, classifier, lambda name: nullcontext())
    np.testing.assert_array_equal(found, layout.lines.x_height)


def test_a_line_that_agrees_with_its_page_must_read_much_better_to_leave_it(measured, monkeypatch):
    lines = replace(
        measured[1].lines,
        x_height=np.array([20.0, 20.5, 29.0, 20.0]),
        sure=np.array([True, True, True, False]),
    )
    changed = decide(
        measured, monkeypatch, lines, [0.6] * 4, [0.66, 0.7, 0.66, 0.62], [0.5, 0.6, 0.9, 0.5]
    )
    assert changed == [1.0, 0.69, 1.45, 0.69]


def test_only_doubtful_lines_are_tried(measured, monkeypatch):
    lines = replace(measured[1].lines, sure=np.ones(4, np.bool_))
    # The trials hold the doubtful lines alone.
    changed = decide(measured, monkeypatch, lines, [0.9, 0.5, 0.95, 0.7], [0.9, 0.2], [0.3, 0.99])
    assert changed == [1.0, 0.69, 1.0, 1.45]
