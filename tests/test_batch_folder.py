"""Runs into an output folder that has seen runs before."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from cli_tools import PACKAGE, rows, tree
from folder_tools import Place, stop_after

from ocr_batch.batch.folder import OutputFolder
from ocr_batch.batch.journal import JOURNAL_NAME, Settings
from ocr_batch.errors import OutputError

OTHER = Settings.of({"model": 2}, {})


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path)
    made.put(a="one", b="two\nthree\nempty\nfour\nfive\nsix", c="seven")
    return made


def statuses(place: Place) -> dict[str, str]:
    return {row["output"]: row["status"] for row in rows(place.out)}


def texts(place: Place) -> dict[str, str]:
    return {name: data.decode() for name, data in tree(place.out).items() if name != "pages.csv"}


def test_what_is_done_is_not_read_again(place: Place) -> None:
    first = place.run()
    before = tree(place.out)
    assert (first.pages, first.earlier) == (8, 0)
    second = place.run()
    assert place.read() == []
    assert (second.pages, second.read, second.empty, second.earlier) == (8, 7, 1, 8)
    assert second.exit_code == 0
    assert tree(place.out) == before


@pytest.mark.parametrize("count", [1, 3, 7])
def test_an_interrupted_run_goes_on_and_ends_like_another(
    count: int, place: Place, tmp_path: Path
) -> None:
    whole = Place(tmp_path / "whole")
    shutil.rmtree(whole.scans)
    whole.scans = place.scans
    whole.run()
    with pytest.raises(KeyboardInterrupt):
        place.run(watch=stop_after(count))
    done = place.run()
    assert (done.earlier, len(place.read())) == (count, 8 - count)
    assert tree(place.out) == tree(whole.out)


def test_names_and_rows_come_out_the_same_whatever_was_read_first(tmp_path: Path) -> None:
    place = Place(tmp_path)
    for name in ("b.png", "b.jpg", "b-0001.png", "b.tif", "b.png.jpg"):
        (place.scans / name).write_text(name)
    place.run()
    whole = tree(place.out)
    shutil.rmtree(place.out)
    for count in (1, 1, 1):
        with pytest.raises(KeyboardInterrupt):
            place.run(watch=stop_after(count))
    place.run()
    assert tree(place.out) == whole


def test_failed_pages_are_tried_again(place: Place) -> None:
    place.put(a="one", b="two\nfail\nthree", c="crash")
    assert place.run().failed == 2
    assert statuses(place)["c"] == "failed"
    again = place.run()
    assert set(place.read()) == {"b.png 2", "c.png 1"}
    assert (again.failed, again.earlier) == (2, 3)
    place.put(c="mended")
    assert place.run().failed == 1
    assert texts(place)["c.txt"] == "mended"


def test_a_changed_file_is_read_again_even_with_the_same_size_and_time(place: Place) -> None:
    place.run()
    path = place.scans / "a.png"
    was = path.stat()
    path.write_text("eno")
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    place.run()
    assert place.read() == ["a.png 1"]
    assert texts(place)["a.txt"] == "eno"


def test_a_file_with_fewer_pages_leaves_neither_rows_nor_files(place: Place) -> None:
    place.run()
    place.put(b="two\nthree")
    place.run()
    assert place.read() == ["b.png 1", "b.png 2"]
    assert set(texts(place)) == {"a.txt", "b-0001.txt", "b-0002.txt", "c.txt"}
    assert set(statuses(place)) == {"a", "b-0001", "b-0002", "c"}
    place.put(b="alone")
    place.run()
    assert set(texts(place)) == {"a.txt", "b.txt", "c.txt"}
    place.put(b="broken")
    place.run()
    assert set(texts(place)) == {"a.txt", "c.txt"}
    assert statuses(place)["b"] == "failed"


def test_other_settings_read_again_and_leave_nothing_of_the_old(place: Place) -> None:
    place.run()
    with pytest.raises(KeyboardInterrupt):
        place.run(settings=OTHER, watch=stop_after(2))
    # Two pages are those of the other settings now, whose bytes might differ.
    back = place.run()
    assert 2 <= len(place.read()) < 8
    assert back.earlier == 8 - len(place.read())


def test_fresh_reads_what_is_given_and_only_that(place: Place) -> None:
    place.run()
    before = tree(place.out)
    place.run("a", fresh=True)
    assert place.read() == ["a.png 1"]
    listed = rows(place.out)
    assert len(listed) == 8
    place.run(fresh=True)
    assert len(place.read()) == 8
    assert tree(place.out) == before


def test_missing_and_empty_outputs_are_made_again(place: Place) -> None:
    place.run()
    before = tree(place.out)
    (place.out / "a.txt").unlink()
    (place.out / "b-0004.txt").write_bytes(b"")
    place.run()
    assert place.read() == ["a.png 1", "b.png 4"]
    assert tree(place.out) == before


def test_the_same_content_twice_has_an_output_each(place: Place) -> None:
    place.put(d="one")
    place.run()
    assert texts(place)["a.txt"] == texts(place)["d.txt"] == "one"
    place.run()
    assert place.read() == []


def test_a_file_that_is_away_for_a_while_loses_nothing(place: Place) -> None:
    place.run()
    before = tree(place.out)
    (place.scans / "b.png").rename(place.scans / "b.away")
    done = place.run("a", "b", "c")
    assert done.failed == 1
    assert texts(place)["b-0001.txt"] == "two"
    (place.scans / "b.away").rename(place.scans / "b.png")
    place.run()
    assert place.read() == []
    assert tree(place.out) == before


def test_drafts_of_a_killed_run_are_removed(place: Place) -> None:
    with pytest.raises(KeyboardInterrupt):
        place.run(watch=stop_after(1))
    (place.out / "deep").mkdir()
    draft = place.out / "deep" / ".ocr-batch-0123456789abcdef.tmp"
    draft.write_text("half")
    journal = sqlite3.connect(place.out / JOURNAL_NAME)
    with journal:
        journal.execute("UPDATE runs SET ended = NULL")
    journal.close()
    place.run()
    assert not draft.exists()


def test_rows_that_only_the_journal_has_reach_the_summary(place: Place) -> None:
    place.run("a")
    (place.out / "pages.csv").unlink()
    place.run("c")
    assert statuses(place) == {"a": "read", "c": "read"}


def test_the_journal_may_lie_elsewhere(place: Place, tmp_path: Path) -> None:
    journal = tmp_path / "deep" / "er" / "journal.sqlite"
    place.run(journal=journal)
    assert journal.is_file()
    assert not list(place.out.glob(".*"))
    place.run(journal=journal)
    assert place.read() == []
    with pytest.raises(OutputError, match="another with --journal"):
        OutputFolder(tmp_path / "elsewhere", journal)


def test_a_folder_that_vanishes_ends_the_run_and_is_not_made_again(place: Place) -> None:
    def watch(step) -> None:
        if step.row is not None:
            shutil.rmtree(place.out)

    with pytest.raises(OutputError, match="is gone"):
        place.run(watch=watch)
    assert not place.out.exists()
    place.run()
    assert len(place.read()) == 8


def test_a_folder_that_is_moved_away_and_brought_back_goes_on(place: Place) -> None:
    away = place.out.with_name("away")

    def watch(step) -> None:
        if step.row is not None:
            place.out.rename(away)
            place.out.mkdir()

    with pytest.raises(OutputError, match="is gone"):
        place.run(watch=watch)
    assert list(place.out.iterdir()) == []
    place.out.rmdir()
    away.rename(place.out)
    assert place.run().earlier == 1


RUN = """
import sys
sys.path[:0] = {path!r}
from pathlib import Path
from folder_tools import Place
place = Place.__new__(Place)
place.scans, place.out, place.log = (Path({root!r}) / name for name in ("scans", "out", "log"))
def forbid(step):
    if step.row is not None and {forbid}:
        place.out.chmod(0o555)
try:
    place.run(watch=forbid)
except Exception as error:
    print(type(error).__name__, error)
    sys.exit(getattr(error, "exit_code", 99))
"""


def run_in_a_process(root: Path, prepare=None, forbid: int = 0) -> subprocess.CompletedProcess[str]:
    """Run; with `forbid` the folder may not be written any more after the first page."""
    path = [str(Path(__file__).parent), str(PACKAGE)]
    code = RUN.format(path=path, root=str(root), forbid=forbid)
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        preexec_fn=prepare,
        timeout=120,
        check=False,
    )


def _limit_files(size: int) -> None:
    """Let no file become larger, as on a disk that is full."""
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.skipif(sys.platform == "win32", reason="limits")
def test_a_disk_that_is_full_ends_the_run_with_nothing_half_written(
    place: Place, tmp_path: Path
) -> None:
    place.put(z="x" * 500_000)
    # Larger than the journal becomes, smaller than the last page.
    limit = 300_000

    done = run_in_a_process(tmp_path, partial(_limit_files, limit))
    assert done.returncode == 4, done
    assert "Free some space" in done.stdout
    assert all(len(text) < 10 for text in texts(place).values())
    assert not list(place.out.glob("*.tmp"))
    done = place.run()
    assert done.read == 8
    assert len(texts(place)["z.txt"]) == 500_000


@pytest.mark.skipif(sys.platform == "win32", reason="limits")
def test_a_journal_that_can_not_grow_ends_the_run(place: Place, tmp_path: Path) -> None:
    place.run("a")

    done = run_in_a_process(tmp_path, partial(_limit_files, 2000))
    assert done.returncode == 4, done
    assert JOURNAL_NAME in done.stdout
    assert place.run().earlier >= 1


def _obey_permissions() -> None:
    """Let root be refused what others are: take CAP_DAC_OVERRIDE from the program that follows."""
    if os.geteuid() == 0:
        drop_from_bounding_set, override = 24, 1
        ctypes.CDLL(None).prctl(drop_from_bounding_set, override, 0, 0, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="permissions of root")
@pytest.mark.parametrize("pages", [0, 1])
def test_a_folder_that_must_not_be_written_any_more_ends_the_run(
    pages: int, place: Place, tmp_path: Path
) -> None:
    place.run("a")
    before = tree(place.out)
    if not pages:
        place.out.chmod(0o555)
    try:
        done = run_in_a_process(tmp_path, _obey_permissions, forbid=pages)
    finally:
        place.out.chmod(0o755)
    assert done.returncode == 4, done
    assert "permissions" in done.stdout
    assert not list(place.out.glob("*.tmp"))
    assert {name: data for name, data in tree(place.out).items() if name in before} == before
    assert place.run().read == 7


def test_a_file_in_the_way_of_a_page_ends_the_run_and_can_be_taken_away(place: Place) -> None:
    (place.out / "b-0002.txt").mkdir(parents=True)
    with pytest.raises(OutputError, match="b-0002"):
        place.run()
    (place.out / "b-0002.txt").rmdir()
    place.run()
    assert len(texts(place)) == 8
