"""The command that waits for pages, as a real process."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_tools import COMMAND, environment, rows, run, save, text_image, tree

LINE = text_image("The quick brown fox")


def _hear_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def begin(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, "watch", *map(str, arguments)],
        stderr=subprocess.PIPE,
        env=environment(),
        text=True,
        # What a shell runs in the background is deaf to interrupts, and so are its children.
        preexec_fn=_hear_interrupts,  # noqa: PLW1509 - no threads run here
    )


def wait_for(condition, seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def test_once_reads_what_is_complete_and_ends(tmp_path: Path) -> None:
    drop, out = tmp_path / "drop", tmp_path / "out"
    save(drop / "a.png", LINE)
    save(drop / "deep" / "b.png", LINE)
    (drop / "c.png.part").write_bytes((drop / "a.png").read_bytes())
    done = run("watch", drop, "-o", out, "--once", "--settle", "0.2")
    assert done.returncode == 0, done.stderr
    assert done.stderr == f"2 pages: 2 read. The text is in {out}.\n"
    assert [row["output"] for row in rows(out)] == ["a", "deep/b"]
    before = tree(out)
    (drop / "bad.png").write_bytes(b"")
    done = run("watch", drop, "-o", out, "--once", "--settle", "0.2")
    assert done.returncode == 5
    assert done.stderr.splitlines()[-1].startswith("3 pages, 2 from an earlier run: 2 read, 1 fail")
    after = tree(out)
    assert {name: after[name] for name in before if name != "pages.csv"} == {
        name: data for name, data in before.items() if name != "pages.csv"
    }


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_pages_are_read_as_they_arrive_until_it_is_ended(number: int, tmp_path: Path) -> None:
    drop, out = tmp_path / "drop", tmp_path / "out"
    drop.mkdir()
    whole = save(tmp_path / "whole.png", LINE).read_bytes()
    process = begin(drop, "-o", out, "--settle", "1", "--interval", "0.2", "--jobs", "1")
    try:
        assert wait_for((out / ".ocr-batch.sqlite").exists)
        # A slow scanner: the file grows.
        with (drop / "a.png").open("wb", buffering=0) as file:
            for at in range(0, len(whole), len(whole) // 4 + 1):
                file.write(whole[at : at + len(whole) // 4 + 1])
                time.sleep(0.3)
        assert wait_for(lambda: (out / "pages.csv").exists() and rows(out))
        # Somebody else is kept out meanwhile, and changes nothing.
        before = tree(out)
        other = run("read", drop, "-o", out)
        assert other.returncode == 4
        assert f"process {process.pid}" in other.stderr
        assert tree(out) == before
        (drop / "b.png.tmp").write_bytes(whole)
        (drop / "b.png.tmp").replace(drop / "b.png")
        assert wait_for((out / "b.txt").exists)
        assert wait_for(lambda: len(rows(out)) == 2)
        time.sleep(0.5)
    finally:
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "Traceback" not in said
    assert [row["status"] for row in rows(out)] == ["read", "read"]
    assert not (out / ".ocr-batch.lock").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_page_that_failed_is_not_tried_again_until_it_changes(tmp_path: Path) -> None:
    drop, out = tmp_path / "drop", tmp_path / "out"
    drop.mkdir()
    (drop / "a.png").write_text("no image")
    process = begin(drop, "-o", out, "--settle", "0.2", "--interval", "0.1", "--jobs", "1")
    try:
        assert wait_for(lambda: (out / "pages.csv").exists() and rows(out))
        time.sleep(1.5)
        save(drop / "a.png", LINE)
        assert wait_for((out / "a.txt").exists)
        assert wait_for(lambda: rows(out)[0]["status"] == "read")
        time.sleep(0.3)
    finally:
        process.terminate()
        _, said = process.communicate(timeout=60)
    assert process.returncode == 5
    assert said.count("1 page: 0 read, 1 failed") == 1
    assert said.count("1 page: 1 read") == 1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["drop", "-o", "-"], 1),
        (["nowhere", "-o", "out"], 2),
        (["drop/a.png", "-o", "out"], 2),
        (["drop", "-o", "out", "--settle", "-1"], 1),
        (["drop", "-o", "out", "--interval", "0"], 1),
        (["drop", "-o", "out", "--model", "./none"], 3),
        (["drop"], 1),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: list[str], code: int, tmp_path: Path) -> None:
    save(tmp_path / "drop" / "a.png", LINE)
    done = run("watch", *arguments, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith("ocr-batch: ")
    assert not (tmp_path / "out").exists()
