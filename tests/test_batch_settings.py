"""What counts as other settings."""

from __future__ import annotations

import json
import shutil
from dataclasses import fields, replace
from pathlib import Path

import pytest

from ocr_batch.batch.job import PageJob, RenderJob
from ocr_batch.batch.options import ReadOptions
from ocr_batch.batch.settings import settings_of
from ocr_batch.errors import UsageError
from ocr_batch.output.writers import Style
from ocr_batch.recognition.bundle import CARD, find_bundle
from ocr_batch.recognition.classifier import INT8_FILE

JOB = RenderJob(PageJob("english", "auto", ReadOptions()), ("txt", "csv"), Style())


def test_every_option_of_reading_and_of_style_decides() -> None:
    seen = {settings_of(JOB).hash}
    for field in fields(ReadOptions):
        value = getattr(JOB.pages.options, field.name)
        if isinstance(value, bool):
            changes = [not value]
        else:
            changes = [replace(value, **{weight.name: 7}) for weight in fields(value)]
        for changed in changes:
            options = replace(JOB.pages.options, **{field.name: changed})
            seen.add(settings_of(replace(JOB, pages=replace(JOB.pages, options=options))).hash)
    weights = len(fields(ReadOptions().decoder))
    assert len(seen) == 1 + len(fields(ReadOptions)) - 1 + weights
    assert settings_of(replace(JOB, style=Style("char"))).hash not in seen
    assert settings_of(replace(JOB, style=Style(formula_guard=False))).hash not in seen
    assert settings_of(replace(JOB, formats=("txt",))).hash not in seen


def test_what_does_not_change_the_bytes_does_not_decide(tmp_path: Path) -> None:
    here = settings_of(JOB)
    assert settings_of(replace(JOB, formats=("csv", "txt"))).hash == here.hash
    copy = shutil.copytree(find_bundle("english"), tmp_path / "mine")
    there = settings_of(replace(JOB, pages=replace(JOB.pages, model=str(copy))))
    assert there.hash == here.hash
    named = json.loads(here.content)
    assert (named["name"], named["backend"]) == ("english", "litert-int8")


def test_another_model_and_another_back_end_decide(tmp_path: Path) -> None:
    copy = shutil.copytree(find_bundle("english"), tmp_path / "mine")
    card = json.loads((copy / CARD).read_text("utf-8"))
    (copy / CARD).write_text(json.dumps({**card, "temperature": 2.5}), "utf-8")
    job = replace(JOB, pages=replace(JOB.pages, model=str(copy)))
    other = settings_of(job)
    assert other.hash != settings_of(JOB).hash
    (copy / INT8_FILE).unlink()
    # "auto" is what it comes to.
    assert json.loads(settings_of(job).content)["backend"] == "litert-float"
    assert settings_of(job).hash != other.hash
    with pytest.raises(UsageError, match="litert-int8"):
        settings_of(replace(job, pages=replace(job.pages, backend="litert-int8")))
