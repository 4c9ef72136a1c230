from __future__ import annotations

from dataclasses import replace

import pytest

from ocr_batch.batch.job import PageJob, RenderJob
from ocr_batch.batch.pipeline import ReadOptions
from ocr_batch.batch.settings import settings_of
from ocr_batch.output.writers import Style

JOB = RenderJob(PageJob("english", "litert-int8", ReadOptions()), ("txt",), Style())


def changed(job=JOB, **changes):
    return settings_of(replace(job, pages=replace(job.pages, **changes)))


def test_what_changes_no_byte_is_no_setting():
    for changes in ({"batch": 7}, {"address": "elsewhere"}, {}):
        assert changed(**changes) == settings_of(JOB)


def test_what_changes_results_is_a_setting():
    pytest.importorskip("keras")
    found = [
        settings_of(JOB),
        settings_of(replace(JOB, formats=("csv",))),
        changed(backend="litert-float"),
        changed(options=ReadOptions(deskew=False)),
        changed(model="digits"),
        changed(backend="keras"),
        # The shape of its batches may show in the last digits of scores.
        changed(backend="keras", batch=64),
    ]
    assert len({setting.hash for setting in found}) == len(found)
