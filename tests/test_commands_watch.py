"""The command that waits for pages, as a real process."""

from __future__ import annotations

import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from cli_tools import rows, run, save, start, text_image, tree, wait_for

LINE = text_image("The quick brown fox")


class Watch:
    """The command, and the lines that it says."""

    def __init__(self, *arguments: object) -> None:
        self._process = start("watch", *arguments)
        self.pid = self._process.pid
        self.lines: list[str] = []
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self._process.stderr is not None
        self.lines.extend(self._process.stderr)

    def wait_for(self, words: str, times: int = 1) -> None:
        """Wait for words that stand in a line that often."""
        assert wait_for(lambda: self.count(words) >= times), self.lines

    def count(self, words: str) -> int:
        return sum(words in line for line in list(self.lines))

    def end(self, number: int) -> int:
        """Send a signal, a moment after what was waited for; return the exit code."""
        time.sleep(0.5)
        self._process.send_signal(number)
        code = self._process.wait(60)
        self._listener.join(60)
        return code

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.kill()
        self._process.wait()
        self._listener.join(60)
        if self._process.stderr is not None:
            self._process.stderr.close()


def arrive(path: Path, content: bytes) -> None:
    """Put a file into its place at once."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    part.replace(path)


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
    with Watch(drop, "-o", out, "--settle", "3", "--interval", "0.2", "--jobs", "1") as watch:
        assert wait_for((out / ".ocr-batch.sqlite").exists)
        # A slow scanner: the file grows.
        with (drop / "a.png").open("wb", buffering=0) as file:
            for at in range(0, len(whole), len(whole) // 4 + 1):
                file.write(whole[at : at + len(whole) // 4 + 1])
                time.sleep(0.05)
        watch.wait_for("1 page: 1 read")
        # Somebody else is kept out meanwhile, and changes nothing.
        before = tree(out)
        assert [row["status"] for row in rows(out)] == ["read"]
        other = run("read", drop, "-o", out)
        assert other.returncode == 4
        assert f"process {watch.pid}" in other.stderr
        assert tree(out) == before
        arrive(drop / "b.png", whole)
        watch.wait_for("1 page: 1 read", 2)
        assert watch.end(number) == 0, watch.lines
    assert not watch.count("Traceback")
    assert [row["status"] for row in rows(out)] == ["read", "read"]
    assert (out / "b.txt").exists()
    assert not (out / ".ocr-batch.lock").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_page_that_failed_is_not_tried_again_until_it_changes(tmp_path: Path) -> None:
    drop, out = tmp_path / "drop", tmp_path / "out"
    drop.mkdir()
    (drop / "a.png").write_text("no image")
    whole = save(tmp_path / "whole.png", LINE).read_bytes()
    with Watch(drop, "-o", out, "--settle", "0.2", "--interval", "0.1", "--jobs", "1") as watch:
        watch.wait_for("1 page: 0 read, 1 failed")
        # Long enough for several looks at it.
        time.sleep(1.5)
        arrive(drop / "a.png", whole)
        watch.wait_for("1 page: 1 read")
        assert [row["status"] for row in rows(out)] == ["read"]
        assert watch.end(signal.SIGTERM) == 5, watch.lines
    assert watch.count("1 page: 0 read, 1 failed") == 1
    assert watch.count("1 page: 1 read") == 1


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
