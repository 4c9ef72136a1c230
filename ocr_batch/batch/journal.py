"""Keep the journal of an output folder: what was made of each page, from what and how."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ocr_batch.batch.summary import PageRow
from ocr_batch.errors import OutputError

__all__ = ["JOURNAL_NAME", "SCHEMA", "Entry", "Journal", "Settings"]

#: Name of the journal within the output folder.
JOURNAL_NAME = ".ocr-batch.sqlite"
#: Version of the tables that this code reads and writes.
SCHEMA = 1
#: How every SQLite file begins.
_MAGIC = b"SQLite format 3\0"
#: Marks an SQLite file as a journal: "ocrb".
_APPLICATION = 0x6F637262
#: Rows wait so long, in seconds, and at most so many of them, to be committed together. A page
#: whose row is lost is read again and gives the same files.
_COMMIT_SECONDS = 0.5
_COMMIT_ROWS = 256
#: How names that are no valid Unicode are kept.
_ODD = "surrogatepass" if os.name == "nt" else "surrogateescape"

_TABLES = f"""
CREATE TABLE folder (path TEXT NOT NULL);
CREATE TABLE settings (hash TEXT PRIMARY KEY, content TEXT NOT NULL);
CREATE TABLE runs (
    id INTEGER PRIMARY KEY, begun TEXT NOT NULL, ended TEXT, settings TEXT NOT NULL,
    files INTEGER NOT NULL, jobs INTEGER NOT NULL
);
CREATE TABLE pages (
    output TEXT PRIMARY KEY, path TEXT NOT NULL, source TEXT NOT NULL, stem TEXT NOT NULL,
    page INTEGER NOT NULL, pages INTEGER NOT NULL, digest TEXT NOT NULL, settings TEXT NOT NULL,
    suffixes TEXT NOT NULL, status TEXT NOT NULL, characters INTEGER NOT NULL,
    words INTEGER NOT NULL, confidence REAL NOT NULL, error TEXT NOT NULL, seconds TEXT NOT NULL,
    finished TEXT NOT NULL
);
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {SCHEMA};
"""


@dataclass(frozen=True)
class Settings:
    """Everything but the input that decides what stands in the files of a page.

    Attributes
    ----------
    content : str
        As JSON.
    hash : str
        Of what in it decides.
    """

    content: str
    hash: str

    @classmethod
    def of(cls, values: Mapping[str, Any], notes: Mapping[str, Any]) -> Settings:
        """Make settings of values that JSON knows, and of notes that decide nothing."""
        decisive = json.dumps(values, sort_keys=True)
        digest = hashlib.blake2b(decisive.encode(), digest_size=10).hexdigest()
        return cls(json.dumps({**notes, **values}), digest)


@dataclass(frozen=True)
class Entry:
    """A page in the journal.

    Attributes
    ----------
    output : str
        Path of its files within the output folder, without suffix.
    path, source : str
        The input file: its absolute path, and as it was given.
    stem : str
        Output name of the file, which is that of its page where it has one only.
    page, pages : int
        Which page of how many.
    digest : str
        Hash of the file's content, "" when it could not be read.
    settings : str
        Hash of the settings; "" when the files are to be made anew.
    suffixes : str
        Of the page's files, separated by spaces.
    status : str
        "read", "empty" or "failed".
    characters, words : int
    confidence : float
    error : str
        As in the summary.
    seconds : str
        Time by stage, as JSON; pages that were read together have theirs with the first.
    finished : str
        When, UTC.
    """

    output: str
    path: str
    source: str
    stem: str
    page: int
    pages: int
    digest: str
    settings: str
    suffixes: str = ""
    status: str = "failed"
    characters: int = 0
    words: int = 0
    confidence: float = 0.0
    error: str = ""
    seconds: str = "{}"
    finished: str = ""

    @classmethod
    def of(
        cls,
        row: PageRow,
        *,
        path: str,
        stem: str,
        pages: int,
        digest: str,
        settings: str,
        suffixes: Sequence[str],
        seconds: Mapping[str, float],
    ) -> Entry:
        """Make an entry of a row of the summary and what the summary does not hold."""
        rounded = {stage: round(spent, 4) for stage, spent in seconds.items()}
        return cls(
            row.output,
            path,
            row.source,
            stem,
            row.page,
            pages,
            digest,
            settings,
            " ".join(suffixes),
            row.status,
            row.characters,
            row.words,
            row.confidence,
            row.error,
            json.dumps(rounded),
        )

    def row(self) -> PageRow:
        """Return the page's row of the summary."""
        return PageRow(
            self.source,
            self.page,
            self.status,
            self.characters,
            self.words,
            self.confidence,
            self.error,
            self.output,
        )

    @property
    def files(self) -> list[str]:
        """Names of the page's files within the output folder."""
        return [self.output + suffix for suffix in self.suffixes.split()]


_COLUMNS = tuple(field.name for field in fields(Entry))
# Names that are no valid Unicode can be bound as bytes only, but stand in the file as text.
_INSERT = (
    f"INSERT OR REPLACE INTO pages ({', '.join(_COLUMNS)}) VALUES ("
    + ", ".join("CAST(? AS TEXT)" if field.type == "str" else "?" for field in fields(Entry))
    + ")"
)


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def _encoded(text: str) -> bytes:
    try:
        return text.encode("utf-8", _ODD)
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace")


def _bound(values: Iterable[object]) -> list[object]:
    return [_encoded(value) if isinstance(value, str) else value for value in values]


class Journal:
    """The journal, open for one run or several in turn.

    Rows are committed in groups. Whatever happens to the process, the file is whole, and holds all
    rows but perhaps the last.

    Parameters
    ----------
    path : Path
        Made when it is not there.
    folder : str
        The output folder, by its absolute path, when the journal lies elsewhere; else "".
    settle : callable
        Waits until the files of all rows are written; called before rows are committed.

    Raises
    ------
    OutputError
        When it can not be read or written, is no journal, is one of another version or of another
        output folder, or is in use.
    """

    def __init__(
        self, path: Path, folder: str = "", settle: Callable[[], None] = lambda: None
    ) -> None:
        self.path = path
        self._settle = settle
        self._waiting: list[Entry] = []
        self._committed = time.monotonic()
        self._run: int | None = None
        #: Whether the last run before this one did not come to its end.
        self.was_broken_off = False
        with self._translated():
            # SQLite takes a few bytes of something else for an empty database.
            if path.exists() and path.stat().st_size:
                with path.open("rb") as file:
                    if file.read(len(_MAGIC)) != _MAGIC:
                        raise self._foreign()
            self._connection = sqlite3.connect(path, isolation_level=None, timeout=1.0)
        try:
            self._open(folder)
        except BaseException:
            self._connection.close()
            raise

    def _open(self, folder: str) -> None:
        execute = self._connection.execute
        self._connection.text_factory = lambda data: data.decode("utf-8", _ODD)
        with self._translated():
            # Without memory that is shared between processes, which some file systems lack.
            execute("PRAGMA locking_mode = EXCLUSIVE")
            (tables,) = execute("SELECT count(*) FROM sqlite_master").fetchone()
            (application,) = execute("PRAGMA application_id").fetchone()
            (version,) = execute("PRAGMA user_version").fetchone()
            if tables and application != _APPLICATION:
                raise self._foreign()
            if tables and version != SCHEMA:
                raise OutputError(
                    f"The journal {self.path} has schema {version}, this version of ocr-batch "
                    f"keeps schema {SCHEMA}. Go on with the version that began it, or move it "
                    "away; then all pages are read again."
                )
            execute("PRAGMA journal_mode = WAL")
            # Nothing is lost when the process dies; a loss of power may cost the last rows.
            execute("PRAGMA synchronous = NORMAL")
            with self._transaction():
                if not tables:
                    # Not a script, which would commit halfway.
                    for statement in _TABLES.split(";"):
                        execute(statement)
                    execute("INSERT INTO folder VALUES (CAST(? AS TEXT))", _bound([folder]))
                (kept,) = execute("SELECT path FROM folder").fetchone()
                last = execute("SELECT ended FROM runs ORDER BY id DESC LIMIT 1").fetchone()
        self.was_broken_off = last is not None and last[0] is None
        if kept != folder:
            raise OutputError(
                f"The journal {self.path} is that of "
                + (f"the output folder {kept}" if kept else "the folder it was made in")
                + ". Name another with --journal."
            )

    def _foreign(self) -> OutputError:
        return OutputError(
            f"{self.path} is not a journal that ocr-batch wrote, or it is damaged; it is left "
            "alone. Move it away, or name another with --journal; then all pages are read again."
        )

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            text = (error.strerror if isinstance(error, OSError) else None) or str(error)
            advice = "Free some space, mend the permissions, or name another with --journal."
            if isinstance(error, sqlite3.OperationalError) and "locked" in text:
                advice = "Another run uses it; wait until that has ended."
            elif isinstance(error, sqlite3.DatabaseError) and not isinstance(
                error, sqlite3.OperationalError
            ):
                advice = "It is damaged. Move it away; then all pages are read again."
            raise OutputError(f"Can not use the journal {self.path}: {text}. {advice}") from error

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise

    def entries(self) -> list[Entry]:
        """Return all rows, those of one file together and in the order of its pages."""
        query = f"SELECT {', '.join(_COLUMNS)} FROM pages ORDER BY stem, page"
        with self._translated():
            return [Entry(*row) for row in self._connection.execute(query)]

    def begin_run(self, settings: Settings, files: int, jobs: int) -> None:
        """Note that a run begins, of so many input files and processes."""
        with self._translated(), self._transaction():
            execute = self._connection.execute
            execute(
                "INSERT OR IGNORE INTO settings (hash, content) VALUES (?, ?)",
                (settings.hash, settings.content),
            )
            self._run = execute(
                "INSERT INTO runs (begun, settings, files, jobs) VALUES (?, ?, ?, ?)",
                (_now(), settings.hash, files, jobs),
            ).lastrowid

    def end_run(self) -> None:
        """Commit what waits, and note that the run has ended, perhaps before its time."""
        self.commit()
        with self._translated(), self._transaction():
            self._connection.execute("UPDATE runs SET ended = ? WHERE id = ?", (_now(), self._run))

    def forget(self, outputs: Sequence[str]) -> None:
        """Remove the rows of pages, by their outputs, at once."""
        self._at_once("DELETE FROM pages WHERE output = CAST(? AS TEXT)", outputs)

    def outdate(self, outputs: Sequence[str]) -> None:
        """Let pages count as not read, at once.

        To be called before their files are replaced, which are then no longer surely those that
        the rows tell of.
        """
        self._at_once("UPDATE pages SET settings = '' WHERE output = CAST(? AS TEXT)", outputs)

    def _at_once(self, statement: str, outputs: Sequence[str]) -> None:
        if outputs:
            self.commit()
            with self._translated(), self._transaction():
                self._connection.executemany(statement, (_bound([name]) for name in outputs))

    def record(self, entry: Entry) -> None:
        """Add or replace the row of a page, whose files are written by now."""
        self._waiting.append(entry)
        late = time.monotonic() - self._committed >= _COMMIT_SECONDS
        if late or len(self._waiting) >= _COMMIT_ROWS:
            self.commit()

    def commit(self) -> None:
        """Commit the rows that wait.

        Raises
        ------
        OutputError
            When the journal can not be written.
        """
        if self._waiting:
            self._settle()
            now = _now()
            rows = [
                _bound([*(getattr(entry, name) for name in _COLUMNS[:-1]), now])
                for entry in self._waiting
            ]
            with self._translated(), self._transaction():
                self._connection.executemany(_INSERT, rows)
            self._waiting.clear()
        self._committed = time.monotonic()

    def close(self) -> None:
        """Close the file; rows that wait are given up."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()
