"""The journal: what it keeps, what it survives, what it refuses."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from cli_tools import PACKAGE
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_batch.batch import journal as module
from ocr_batch.batch.journal import SCHEMA, Entry, Journal, Settings
from ocr_batch.errors import OutputError

ENTRY = Entry("a", "/in/a.png", "in/a.png", "a", 1, 1, "d", "s", ".txt", "read", 3, 1, 0.1 + 0.2)


def bare(entries: list[Entry]) -> list[Entry]:
    return [replace(entry, finished="") for entry in entries]


def keep(path: Path, *entries: Entry) -> None:
    journal = Journal(path)
    for entry in entries:
        journal.record(entry)
    journal.commit()
    journal.close()


def kept(path: Path) -> list[Entry]:
    journal = Journal(path)
    try:
        return bare(journal.entries())
    finally:
        journal.close()


#: Names as the file system gives them: any bytes, those that are no UTF-8 as surrogates.
names = st.binary(min_size=1, max_size=20).map(lambda data: data.decode("utf-8", "surrogateescape"))


@settings(max_examples=25, deadline=None)
@given(output=names, source=names, error=st.text(), confidence=st.floats(0, 1))
def test_rows_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory,
    output: str,
    source: str,
    error: str,
    confidence: float,
) -> None:
    path = tmp_path_factory.mktemp("journal") / "j"
    entry = replace(
        ENTRY, output=output, path=source, source=source, error=error, confidence=confidence
    )
    keep(path, entry)
    (found,) = kept(path)
    assert found == entry


def test_a_page_has_one_row_and_its_time(tmp_path: Path) -> None:
    keep(tmp_path / "j", ENTRY, replace(ENTRY, status="failed"))
    journal = Journal(tmp_path / "j")
    (entry,) = journal.entries()
    journal.close()
    assert entry.status == "failed"
    assert entry.finished.startswith("20")
    assert entry.finished.endswith("+00:00")


def test_rows_can_be_outdated_and_forgotten(tmp_path: Path) -> None:
    other = replace(ENTRY, output="b", stem="b")
    keep(tmp_path / "j", ENTRY, other)
    journal = Journal(tmp_path / "j")
    journal.outdate(["a"])
    journal.close()
    assert kept(tmp_path / "j") == [replace(ENTRY, settings=""), other]
    journal = Journal(tmp_path / "j")
    journal.forget(["a"])
    journal.close()
    assert kept(tmp_path / "j") == [other]


def test_settings_are_named_and_known_by_what_decides() -> None:
    one = Settings.of({"b": 1, "a": [1.5, "x"]}, {"name": "here"})
    other = Settings.of({"a": [1.5, "x"], "b": 1}, {"name": "there"})
    assert one.hash == other.hash
    assert "here" in one.content
    assert Settings.of({"a": [1.5, "y"], "b": 1}, {}).hash != one.hash


def test_a_run_that_did_not_end_is_remembered(tmp_path: Path) -> None:
    path = tmp_path / "j"
    journal = Journal(path)
    assert not journal.was_broken_off
    journal.begin_run(Settings.of({}, {}), 3, 2)
    journal.close()
    journal = Journal(path)
    assert journal.was_broken_off
    journal.begin_run(Settings.of({}, {}), 3, 2)
    journal.end_run()
    journal.close()
    journal = Journal(path)
    assert not journal.was_broken_off
    journal.close()


def test_rows_are_committed_in_groups(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(module, "_COMMIT_SECONDS", 1e9)
    monkeypatch.setattr(module, "_COMMIT_ROWS", 3)
    journal = Journal(tmp_path / "j")
    for number in range(5):
        journal.record(replace(ENTRY, output=str(number)))
    journal.close()
    assert [entry.output for entry in kept(tmp_path / "j")] == ["0", "1", "2"]
    monkeypatch.setattr(module, "_COMMIT_SECONDS", 0.0)
    journal = Journal(tmp_path / "j")
    journal.record(replace(ENTRY, output="9"))
    journal.close()
    assert len(kept(tmp_path / "j")) == 4


@pytest.mark.parametrize("content", [b"not a database" * 100, b"x"])
def test_what_is_no_database_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "j"
    path.write_bytes(content)
    with pytest.raises(OutputError, match=r"not a journal.*Move it away"):
        Journal(path)
    assert path.read_bytes() == content


def test_a_damaged_journal_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "j"
    keep(path, *(replace(ENTRY, output=str(number)) for number in range(2000)))
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xa5" * (len(data) - 4096)
    path.write_bytes(data)
    with pytest.raises(OutputError, match="Move it away"):
        kept(path)


def test_some_other_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "j"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE precious (x)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(OutputError, match="not a journal"):
        Journal(path)
    assert path.read_bytes() == before


def test_another_schema_is_named(tmp_path: Path) -> None:
    keep(tmp_path / "j", ENTRY)
    with sqlite3.connect(tmp_path / "j") as other:
        other.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    other.close()
    with pytest.raises(OutputError, match=f"schema {SCHEMA + 1}.*keeps schema {SCHEMA}"):
        Journal(tmp_path / "j")


@pytest.mark.parametrize("name", ["journal", "locked"])
def test_a_folder_in_its_place_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(OutputError, match=r": Is a directory\. .*name another with --journal"):
        Journal(tmp_path / name)


def test_a_journal_in_use_is_refused(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    code = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path\nfrom ocr_batch.batch.journal import Journal\n"
        "Journal(Path(sys.argv[1]))\n"
    )
    line = [sys.executable, "-c", code, str(tmp_path / "j"), str(PACKAGE)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert "Another run uses it" in done.stderr
    journal.close()


WRITER = """
import sys
sys.path.insert(0, sys.argv[2])
from dataclasses import replace
from pathlib import Path
from ocr_batch.batch import journal
from ocr_batch.batch.journal import Entry, Journal, Settings
journal._COMMIT_ROWS = 5
kept = Journal(Path(sys.argv[1]))
kept.begin_run(Settings.of({}, {}), 1, 1)
entry = Entry("a", "/in/a.png", "in/a.png", "a", 1, 1, "d", "s", ".txt", "read", 3, 1, 0.5)
start = len(kept.entries())
for number in range(start, start + 1000000):
    kept.record(replace(entry, output=f"{number:09}", stem=f"{number:09}", error="x" * 500))
    print(number, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_killed_writer_leaves_a_whole_journal(tmp_path: Path) -> None:
    path = tmp_path / "j"
    for moment in (0.0, 0.03, 0.1):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(PACKAGE)],
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline()
            time.sleep(moment)
            process.send_signal(signal.SIGKILL)
            said = [int(line) for line in process.stdout.read().split()[:-1]]
        found = [int(entry.output) for entry in kept(path)]
        assert found == list(range(len(found)))
        # What was said before the last group was committed.
        assert not said or len(found) >= max(said) - 5
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
