"""Carry out a unit of work: load its pages, read them together, report on each."""

from __future__ import annotations

import contextlib
import hashlib
import stat
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from ocr_batch.errors import OcrBatchError
from ocr_batch.imaging.remote import fetched, is_url

if TYPE_CHECKING:
    from ocr_batch.imaging.load import Sheet

__all__ = [
    "CHUNK_PAGES",
    "NOTHING_KNOWN",
    "Checked",
    "Event",
    "Finished",
    "Job",
    "Known",
    "NoMemoryError",
    "Opened",
    "Part",
    "Unchanged",
    "Unit",
    "as_failure",
    "file_digest",
    "missing_of_file",
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

    def digest(self, source: str) -> str:
        """Return the hash of a file's content, or "" where nobody asks for it."""

    def count_pages(self, source: str) -> int:
        """Return the number of pages of a file."""

    def load_page(self, source: str, number: int) -> Sheet:
        """Decode one page, counted from 1."""

    def read(self, sheets: Sequence[Sheet]) -> Sequence[T_co]:
        """Read pages together; one value each, in the same order."""


@dataclass(frozen=True)
class Known:
    """What is known of a file from an earlier run.

    Attributes
    ----------
    digest : str
        Hash of its content then.
    pages : int
        How many it had.
    missing : tuple of int
        Those that are still to be read if the content is the same.
    """

    digest: str
    pages: int
    missing: tuple[int, ...] = ()


#: Of no file anything is known.
NOTHING_KNOWN: Mapping[int, Known] = MappingProxyType({})


@dataclass(frozen=True)
class Part:
    """A file of a unit.

    Attributes
    ----------
    index : int
        Its place in the input.
    source : str
        Its path.
    pages : (int, int) or None
        First and last page to be read; None when it is to be opened.
    known : Known or None
        When given, the file is only to be compared with what is known of it.
    """

    index: int
    source: str
    pages: tuple[int, int] | None = None
    known: Known | None = None


@dataclass(frozen=True)
class Unit:
    """What a process is given at a time."""

    parts: tuple[Part, ...]

    @property
    def start(self) -> tuple[int, int]:
        """Where the unit begins in the input: (file, page)."""
        part = self.parts[0]
        return part.index, part.pages[0] if part.pages else 0

    @property
    def most_pages(self) -> int:
        """How many pages are read at most; files that are to be opened may have fewer."""
        spans = [part.pages or (1, CHUNK_PAGES) for part in self.parts]
        return sum(last - first + 1 for first, last in spans)


@dataclass(frozen=True)
class Opened:
    """A file was opened: it has so many pages, and its content this hash."""

    index: int
    pages: int
    digest: str = ""


@dataclass(frozen=True)
class Unchanged(Opened):
    """A file is still what is known of it; only what it misses is read."""


@dataclass(frozen=True)
class Checked:
    """What a process answers that compared a file with what is known of it."""

    index: int
    same: bool


@dataclass(frozen=True)
class Finished(Generic[T_co]):
    """A page is done: its value, or the error that took its place.

    The failure of a file that could not even be opened is that of its page 1, with the hash of the
    file's content where that could be had.
    """

    index: int
    number: int
    value: T_co | None = None
    error: OcrBatchError | None = None
    digest: str = ""


Event = Opened | Finished[T_co]


class NoMemoryError(OcrBatchError):
    """There was not enough memory for a page."""


def file_digest(path: str) -> str:
    """Return the BLAKE2b hash of a file's content, 40 hexadecimal digits.

    Raises
    ------
    OSError
        When it can not be read, or is no regular file.
    """
    digest = hashlib.blake2b(digest_size=20)
    if is_url(path):
        # As it is now; the pages that are read next come from this copy.
        with fetched(path, fresh=True) as file:
            while block := file.read(1 << 20):
                digest.update(block)
        return digest.hexdigest()
    # Looked at first: opening a pipe would wait for ever.
    if not stat.S_ISREG(Path(path).stat().st_mode):
        raise OSError(f"{path} is no regular file")
    with Path(path).open("rb", buffering=0) as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def as_failure(error: Exception) -> OcrBatchError:
    """Return the error that a page's failure is reported with."""
    if isinstance(error, OcrBatchError):
        return error
    text = " ".join(str(error).split())
    # OpenCV has an error of its own for it.
    if isinstance(error, MemoryError) or "Failed to allocate" in text:
        return NoMemoryError("Not enough memory for this page. Use fewer --jobs.")
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return OcrBatchError(
        f"Unexpected {type(error).__name__}{where}: {text}. "
        "This is a bug in ocr-batch; please report it with the page."
    )


def rest_of_file(part: Part, pages: int) -> Iterator[Part]:
    """Yield what is left of a file after the pages that are read when it is opened."""
    for first in range(CHUNK_PAGES + 1, pages + 1, CHUNK_PAGES):
        yield replace(part, pages=(first, min(first + CHUNK_PAGES - 1, pages)))


def missing_of_file(part: Part) -> Iterator[Part]:
    """Yield what is still to be read of a file that is as it is known, in runs of pages."""
    missing = part.known.missing if part.known else ()
    first = 0
    for at in range(1, len(missing) + 1):
        ends = at == len(missing) or missing[at] != missing[at - 1] + 1
        if ends or at - first == CHUNK_PAGES:
            yield Part(part.index, part.source, (missing[first], missing[at - 1]))
            first = at


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


def _digest(part: Part, job: Job[T]) -> str:
    """Return the hash of a part's file, or "" when it can not be read."""
    with contextlib.suppress(Exception):
        return job.digest(part.source)
    return ""


def perform(unit: Unit, job: Job[T]) -> Iterator[Event[T] | Checked]:
    """Read the pages of a unit.

    Parameters
    ----------
    unit : Unit
        Of a part whose pages are unknown the file is opened and its first `CHUNK_PAGES` are read.
        A part of which something is known is only compared with it.
    job : Job
        Prepared.

    Yields
    ------
    Opened, Checked or Finished
        One `Opened` for each file that was opened, one `Checked` for each that was compared, one
        `Finished` for each page. No error is raised: whatever happens to a page becomes its
        failure.
    """
    batch: list[tuple[int, int, Sheet]] = []
    pixels = 0
    for part in unit.parts:
        if part.known is not None:
            yield Checked(part.index, _digest(part, job) == part.known.digest)
            continue
        if part.pages is None:
            # Before anything is decoded: a file that is changed meanwhile is read again next time.
            digest = _digest(part, job)
            try:
                count = job.count_pages(part.source)
                if count < 1:
                    raise OcrBatchError("The file holds no page.")
            except Exception as error:
                yield Finished(part.index, 1, error=as_failure(error), digest=digest)
                continue
            yield Opened(part.index, count, digest)
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
