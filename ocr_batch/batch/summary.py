"""Keep pages.csv: one row for each page of the output folder, from all runs into it."""

from __future__ import annotations

import csv
import io
import os
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ocr_batch.batch.storage import Folder, is_url
from ocr_batch.errors import OutputError
from ocr_batch.output.table import format_rows, guard_formula

__all__ = ["COLUMNS", "SUMMARY_NAME", "PageRow", "Summary", "source_key"]

SUMMARY_NAME = "pages.csv"
COLUMNS = ("source", "page", "status", "characters", "words", "confidence", "error", "output")
#: While pages are read the file is written this often, in seconds ...
_REFRESH_SECONDS = 3.0
#: ... and at most this share of the time goes into it, however many rows there are.
_REFRESH_SHARE = 0.02


@dataclass(frozen=True)
class PageRow:
    """One page in the summary.

    Attributes
    ----------
    source : str
        Path of the file.
    page : int
        Page within the file, from 1.
    status : str
        "read", "empty" for a page without text, or "failed".
    characters, words : int
        How many were read; spaces do not count.
    confidence : float
        Mean confidence, 0..1.
    error : str
        Why the page failed, or "".
    output : str
        Path of the page's files within the output folder, without suffix.
    """

    source: str
    page: int
    status: str
    characters: int = 0
    words: int = 0
    confidence: float = 0.0
    error: str = ""
    output: str = ""

    def fields(self) -> tuple[str, ...]:
        """Return the row as it stands in the file, in the order of `COLUMNS`."""
        numbers = ("", "", "")
        if self.status != "failed":
            numbers = (str(self.characters), str(self.words), f"{self.confidence:.4f}")
        return (
            written_name(self.source),
            str(self.page),
            self.status,
            *numbers,
            guard_formula(" ".join(self.error.split())),
            written_name(self.output),
        )


#: A byte of a file name that is no UTF-8, as it stands in the summary.
_ODD_BYTE = re.compile(r"\\udc([89a-f][0-9a-f])")


def _is_guarded(name: str) -> bool:
    bare = name.lstrip("'")
    return guard_formula(bare) != bare


def written_name(name: str) -> str:
    r"""Return a path as it stands in the summary: valid UTF-8, and no formula.

    Bytes of a name that are no UTF-8 are written as ``\udcNN``.
    """
    name = name.encode("utf-8", "backslashreplace").decode("utf-8")
    # One apostrophe more than a name has by itself, so that it can be taken off again.
    return "'" + name if _is_guarded(name) else name


def _read_name(field: str) -> str:
    """Turn a path in the summary back into what it was (see `written_name`)."""
    if _is_guarded(field):
        field = field[1:]
    return _ODD_BYTE.sub(lambda match: chr(0xDC00 + int(match[1], 16)), field)


def _file_stem(source: str, outputs: dict[int, str]) -> str:
    """Return the output name of a file, given the output names of its pages."""
    page, output = next(iter(outputs.items()))
    numbered = output.endswith(f"-{page:04d}") and len(output) > 5
    # A single page may be called so by itself: b-0001.png is b-0001, page 1 of b.tif as well.
    if not numbered or (len(outputs) == 1 and Path(output).name in _own_names(source)):
        return output
    return output.removesuffix(f"-{page:04d}")


def _own_names(source: str) -> tuple[str, str]:
    return Path(source).stem, Path(source).name


def source_key(source: str) -> str:
    """Return the absolute path by which a source is known; a URL is one."""
    if is_url(source):
        return source
    # Not resolved: a link is an input of its own.
    return os.path.normpath(Path.cwd() / source)


class Summary:
    """The rows of pages.csv.

    Rows of earlier runs for other inputs come first, then this run's inputs in their order. A
    page that this run has not come to yet keeps its earlier row.

    Parameters
    ----------
    folder : Folder
        The output folder. Its pages.csv is read when there is one.

    Raises
    ------
    OutputError
        When pages.csv can not be read, or is some other table.
    """

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        #: By absolute path of the source: the fields of each page's row.
        self._earlier: dict[str, dict[int, tuple[str, ...]]] = {}
        self._keys: list[str] = []
        self._rows: list[dict[int, PageRow]] = []
        self._counts: list[int | None] = []
        self._written = time.monotonic()
        self._cost = 0.0
        for fields in self._load():
            pages = self._earlier.setdefault(source_key(_read_name(fields[0])), {})
            pages[int(fields[1])] = fields

    def _load(self) -> Iterable[tuple[str, ...]]:
        found = self._folder.read(SUMMARY_NAME)
        if found is None:
            return ()
        try:
            content = found.decode("utf-8")
            rows = [tuple(row) for row in csv.reader(io.StringIO(content, newline=""))]
        except (UnicodeDecodeError, csv.Error) as error:
            raise self._foreign() from error
        if not rows or rows[0] != COLUMNS:
            raise self._foreign()
        if any(len(row) != len(COLUMNS) or not row[1].isdecimal() for row in rows[1:]):
            raise self._foreign()
        return rows[1:]

    def _foreign(self) -> OutputError:
        return OutputError(
            f"{self._folder.place(SUMMARY_NAME)} is not a summary that ocr-batch wrote, so it is "
            "left alone. Move it away, or choose another output folder."
        )

    def stems(self) -> dict[str, str]:
        """Return the output name of every file of earlier runs, by its absolute path."""
        return {
            source: _file_stem(source, {n: _read_name(row[-1]) for n, row in rows.items()})
            for source, rows in self._earlier.items()
            if all(row[-1] for row in rows.values())
        }

    def adopt(self, rows: Iterable[tuple[str, PageRow]]) -> None:
        """Take rows of earlier runs that were broken off before they stood in the file.

        Parameters
        ----------
        rows : iterable of (str, PageRow)
            With the absolute path of the source. Those of files that the summary lists are left.
        """
        listed = set(self._earlier)
        for key, row in rows:
            if key not in listed:
                self._earlier.setdefault(key, {})[row.page] = row.fields()

    def begin(self, sources: Sequence[str]) -> None:
        """Say what this run reads, in input order, and write the file."""
        self._keys = [source_key(source) for source in sources]
        self._rows = [{} for _ in sources]
        self._counts = [None] * len(sources)
        self.write()

    def opened(self, index: int, pages: int) -> None:
        """Note how many pages the file `index` of this run has."""
        self._counts[index] = pages

    def add(self, index: int, row: PageRow) -> None:
        """Add a page of the file `index`; write the file when the last time is a while ago."""
        self._rows[index][row.page] = row
        wait = max(_REFRESH_SECONDS, self._cost / _REFRESH_SHARE)
        if time.monotonic() - self._written >= wait:
            self.write()

    def _merged(self) -> Iterable[tuple[str, ...]]:
        current = set(self._keys)
        for key, earlier in self._earlier.items():
            if key not in current:
                yield from (earlier[page] for page in sorted(earlier))
        for key, rows, count in zip(self._keys, self._rows, self._counts, strict=True):
            merged = dict(self._earlier.get(key, {}))
            merged.update((page, row.fields()) for page, row in rows.items())
            # A file that could not be opened has one row, which stands for all its pages.
            last = count or (1 if rows else max(merged, default=0))
            yield from (merged[page] for page in sorted(merged) if page <= last)

    def write(self) -> None:
        """Write the file.

        Raises
        ------
        OutputError
            When it can not be written.
        """
        begin = time.monotonic()
        self._folder.write(SUMMARY_NAME, format_rows((COLUMNS, *self._merged())))
        self._written = time.monotonic()
        self._cost = self._written - begin
