"""Carry out a unit of work: load its pages, read them together, report on each."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from ocr_batch.errors import OcrBatchError

if TYPE_CHECKING:
    from ocr_batch.imaging.load import Sheet

__all__ = [
    "CHUNK_PAGES",
    "Event",
    "Finished",
    "Job",
    "Opened",
    "Part",
    "Unit",
    "as_failure",
    "perform",
    "rest_of_file",
]

#: Pages of one file that make a unit, and at most so many pages are read together.
CHUNK_PAGES = 4
#: At most so many pixels are read together (two A4 pages at 400 dpi); a larger page goes alone.
BATCH_PIXELS = 32_000_000

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Job(Protocol[T_co]):
    """What a process that reads pages has to know; it is pickled when it is sent there."""

    def prepare(self) -> None:
        """Load the models; called once in the process before anything else."""

    def count_pages(self, source: str) -> int:
        """Return the number of pages of a file."""

    def load_page(self, source: str, number: int) -> Sheet:
        """Decode one page, counted from 1."""

    def read(self, sheets: Sequence[Sheet]) -> Sequence[T_co]:
        """Read pages together; one value each, in the same order."""


@dataclass(frozen=True)
class Part:
    """A file of a unit: its place in the input, its path, first and last page (None: unknown)."""

    index: int
    source: str
    pages: tuple[int, int] | None = None


@dataclass(frozen=True)
class Unit:
    """What a process is given at a time."""

    parts: tuple[Part, ...]

    @property
    def start(self) -> tuple[int, int]:
        """Where the unit begins in the input: (file, page)."""
        part = self.parts[0]
        return part.index, part.pages[0] if part.pages else 0


@dataclass(frozen=True)
class Opened:
    """A file was opened and has so many pages."""

    index: int
    pages: int


@dataclass(frozen=True)
class Finished(Generic[T_co]):
    """A page is done: its value, or the error that took its place.

    The failure of a file that could not even be opened is that of its page 1.
    """

    index: int
    number: int
    value: T_co | None = None
    error: OcrBatchError | None = None


Event = Opened | Finished[T_co]


def as_failure(error: Exception) -> OcrBatchError:
    """Return the error that a page's failure is reported with."""
    if isinstance(error, OcrBatchError):
        return error
    if isinstance(error, MemoryError):
        return OcrBatchError("Not enough memory for this page. Use fewer --jobs.")
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    text = " ".join(str(error).split())
    return OcrBatchError(
        f"Unexpected {type(error).__name__}{where}: {text}. "
        "This is a bug in ocr-batch; please report it with the page."
    )


def rest_of_file(part: Part, pages: int) -> Iterator[Part]:
    """Yield what is left of a file after the pages that are read when it is opened."""
    for first in range(CHUNK_PAGES + 1, pages + 1, CHUNK_PAGES):
        yield replace(part, pages=(first, min(first + CHUNK_PAGES - 1, pages)))


def _read(
    batch: Sequence[tuple[int, int, Sheet]], read: Callable[[Sequence[Sheet]], Sequence[T]]
) -> Iterator[Finished[T]]:
    if not batch:
        return
    try:
        values = read([sheet for _, _, sheet in batch])
        if len(values) != len(batch):
            raise RuntimeError(f"{len(batch)} pages were read, {len(values)} came back")
    except Exception as error:
        if len(batch) == 1:
            yield Finished(*batch[0][:2], error=as_failure(error))
            return
        # One of them is to blame: the others are read without it.
        for item in batch:
            yield from _read([item], read)
        return
    for (index, number, _), value in zip(batch, values, strict=True):
        yield Finished(index, number, value)


def perform(unit: Unit, job: Job[T]) -> Iterator[Event[T]]:
    """Read the pages of a unit.

    Parameters
    ----------
    unit : Unit
        Of a part whose pages are unknown the file is opened and its first `CHUNK_PAGES` are read.
    job : Job
        Prepared.

    Yields
    ------
    Opened or Finished
        One `Opened` for each file that was opened, one `Finished` for each page. No error is
        raised: whatever happens to a page becomes its failure.
    """
    batch: list[tuple[int, int, Sheet]] = []
    pixels = 0
    for part in unit.parts:
        if part.pages is None:
            try:
                count = job.count_pages(part.source)
                if count < 1:
                    raise OcrBatchError("The file holds no page.")
            except Exception as error:
                yield Finished(part.index, 1, error=as_failure(error))
                continue
            yield Opened(part.index, count)
            first, last = 1, min(count, CHUNK_PAGES)
        else:
            first, last = part.pages
        for number in range(first, last + 1):
            try:
                sheet = job.load_page(part.source, number)
            except Exception as error:
                yield Finished(part.index, number, error=as_failure(error))
                continue
            size = sheet.grey.size
            if batch and (len(batch) >= CHUNK_PAGES or pixels + size > BATCH_PIXELS):
                yield from _read(batch, job.read)
                batch.clear()
                pixels = 0
            batch.append((part.index, number, sheet))
            pixels += size
            del sheet
    yield from _read(batch, job.read)
