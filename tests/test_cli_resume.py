"""Runs that are killed, run twice at a time, or called again: the whole program."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_tools import COMMAND, environment, many, rows, run, save, text_image, tree, wait_for

from ocr_batch.batch.journal import JOURNAL_NAME

PAGES = ("The quick brown fox", "jumps over the lazy dog", "and runs away", "into the wood")


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("resume") / "scans"
    pages = [text_image(*([line] * 6)) for line in PAGES]
    for number, page in enumerate(pages):
        save(folder / f"{number}.png", page)
    save(folder / "book.tif", *pages, *pages[:3])
    # Names that depend on what was named before.
    save(folder / "deep" / "a.png", pages[0])
    save(folder / "deep" / "a.jpg", pages[1])
    (folder / "broken.png").write_text("no image")
    return folder


@pytest.fixture(scope="module")
def whole(scans: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("whole") / "out"
    assert run("read", scans, "-o", out, "--jobs", 1).returncode == 5
    return tree(out)


def test_the_number_of_processes_changes_nothing(
    scans: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    run("read", scans, "-o", tmp_path / "out", "--jobs", 2, "--quiet")
    assert tree(tmp_path / "out") == whole


def _written(out: Path, count: int, process: subprocess.Popen[bytes]) -> bool:
    """Wait for so many texts, or for the end of the process; tell whether that was in time."""
    return wait_for(lambda: len(list(out.rglob("*.txt"))) >= count or process.poll() is not None)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_run_that_is_killed_goes_on_and_ends_the_same(
    scans: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    moments = random.Random(5)
    line = [*COMMAND, "read", str(scans), "-o", str(out), "--jobs", "2", "--quiet"]
    for wanted in (1, 5, 11):
        process = subprocess.Popen(line, env=environment())
        try:
            assert _written(out, wanted, process)
            time.sleep(moments.uniform(0, 0.1))
        finally:
            process.kill()
            process.wait()
    done = run("read", scans, "-o", out, "--jobs", 2)
    assert done.returncode == 5
    assert tree(out) == whole
    done = run("read", scans, "-o", out)
    assert "from an earlier run" in done.stderr
    assert tree(out) == whole


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_the_second_of_two_runs_is_refused_at_once(scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    # So many that the run is not over before it is stopped.
    pages = many(tmp_path / "many", 1000)
    first = subprocess.Popen(
        [*COMMAND, "read", str(pages), "-o", str(out), "--journal", str(tmp_path / "j")],
        env=environment(),
        stderr=subprocess.DEVNULL,
    )
    try:
        assert _written(out, 1, first)
        assert first.poll() is None
        first.send_signal(signal.SIGSTOP)
        # It goes on for a moment after the signal was sent.
        assert os.WIFSTOPPED(os.waitpid(first.pid, os.WUNTRACED)[1])
        before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
        # Also with a journal of its own.
        second = run("read", scans, "-o", out)
        assert second.returncode == 4
        assert f"process {first.pid}" in second.stderr
        assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before
    finally:
        first.kill()
        first.wait()
    assert run("read", scans / "0.png", "-o", out, "--journal", tmp_path / "j").returncode == 0


def test_options_that_change_the_bytes_read_again_and_others_do_not(
    scans: Path, tmp_path: Path
) -> None:
    out, page = tmp_path / "out", scans / "0.png"
    run("read", page, "-o", out)
    same = run("read", page, "-o", out, "--jobs", "1", "--timeout", "77", "--format", "csv,txt")
    assert "1 from an earlier run" in same.stderr
    for options in (["--detail", "char"], ["--no-deskew"], ["--backend", "litert-float"]):
        changed = run("read", page, "-o", out, *options)
        assert "earlier" not in changed.stderr, options
    assert "earlier" not in run("read", page, "-o", out, "--fresh").stderr
    assert "earlier" in run("read", page, "-o", out).stderr


def test_a_journal_that_is_none_ends_the_run_before_it_begins(scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / JOURNAL_NAME).write_text("something else")
    done = run("read", scans, "-o", out)
    assert done.returncode == 4
    assert "not a journal" in done.stderr
    assert os.listdir(out) == [JOURNAL_NAME]  # noqa: PTH208 - hidden ones too


def test_a_stream_has_no_journal(scans: Path, tmp_path: Path) -> None:
    done = run("read", scans / "0.png", "-o", "-", cwd=tmp_path)
    assert done.returncode == 0
    assert list(tmp_path.iterdir()) == []
    done = run("read", scans / "0.png", "-o", "-", "--journal", tmp_path / "j")
    assert done.returncode == 1
    assert "--journal" in done.stderr


def test_pages_that_were_given_up_are_read_by_the_next_run(
    scans: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    out, pages = tmp_path / "out", [scans / "0.png", scans / "1.png"]
    # On a busy machine one of the pages may be done before the clock is looked at.
    done = run("read", *pages, "-o", out, "--timeout", "0.001", "--jobs", "2")
    assert done.returncode == 5
    run("read", *pages, "-o", out, "--quiet")
    assert {name: whole[name] for name in ("0.txt", "0.csv", "1.txt", "1.csv")} == {
        name: data for name, data in tree(out).items() if name != "pages.csv"
    }
    assert [row["status"] for row in rows(out)] == ["read", "read"]
