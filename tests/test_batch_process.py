"""Reading processes that the system does not grant, now or for a while."""

from __future__ import annotations

import errno
import tempfile
from pathlib import Path
from typing import Any

import pytest
from test_batch_local import SOURCES, ScriptedJob, StarvingJob, expected, summary

from ocr_batch.batch import local
from ocr_batch.batch.local import run_processes, start_early
from ocr_batch.batch.process import Process
from ocr_batch.errors import OcrBatchError


def test_a_process_that_lacked_memory_once_is_not_missed_for_ever(
    monkeypatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(local, "_RECOVER_SECONDS", 0.1)
    log = tmp_path / "log"
    events = run_processes(["a:slow"] * 60, StarvingJob(str(log), how="error"), jobs=2)
    at_work: set[str] = set()
    for _ in events:
        lines = log.read_text().splitlines() if log.exists() else []
        at_work = {line.split()[0] for line in lines}
        if len(at_work) == 2:
            break
    events.close()
    assert len(at_work) == 2


def test_processes_that_the_system_refuses_end_the_run_with_its_reason(
    monkeypatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    assert start_early(2) == []
    with pytest.raises(OcrBatchError, match="can not be started: No such file"):
        list(run_processes(SOURCES, ScriptedJob(), jobs=2))


def test_a_run_makes_do_with_the_processes_it_has(monkeypatch, tmp_path: Path) -> None:
    staff = start_early(1)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    got = summary(run_processes(SOURCES, ScriptedJob(), jobs=3, staff=staff))
    assert got == expected(SOURCES)


def test_a_process_that_the_system_refuses_for_a_while_is_started_later(
    monkeypatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(local, "_REST_SECONDS", 0.05)
    starts = []

    def refused_twice(*arguments: Any) -> Process:
        starts.append(len(starts))
        if len(starts) in (2, 3):
            raise BlockingIOError(errno.EAGAIN, "no more processes")
        return Process(*arguments)

    monkeypatch.setattr(local, "Process", refused_twice)
    sources = ["a", "b:crash-once@1", "c"]
    got = summary(run_processes(sources, ScriptedJob(str(tmp_path / "log")), jobs=1))
    assert got == expected(sources)
    assert len(starts) == 4
