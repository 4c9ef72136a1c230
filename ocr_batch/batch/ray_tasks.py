"""What the processes of a Ray cluster do: open long files, and read units of work."""

from __future__ import annotations

import pickle
import platform
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import ocr_batch
from ocr_batch.batch.job import PageJob, RenderJob
from ocr_batch.batch.local import Supervisor, run_processes
from ocr_batch.batch.ray_classify import Post, Relay
from ocr_batch.batch.work import CHUNK_PAGES, Event, Job, Opened, Part
from ocr_batch.errors import OcrBatchError
from ocr_batch.imaging.remote import is_url
from ocr_batch.recognition.bundle import CARD, checksum, find_bundle

if TYPE_CHECKING:
    from ocr_batch.imaging.load import Sheet

__all__ = [
    "PART_PAGES",
    "REMOTE_PART_PAGES",
    "Piece",
    "Task",
    "differences",
    "open_files",
    "other_versions",
    "pack",
    "page_job",
    "read_parts",
    "unpack",
    "versions",
    "with_address",
    "with_model",
]

#: Pages of a long file that are read by one task.
PART_PAGES = 4 * CHUNK_PAGES
#: As many where each task has to fetch the whole file.
REMOTE_PART_PAGES = 16 * CHUNK_PAGES
#: What the text may depend on: the same on every machine of a cluster.
_LIBRARIES = (
    "numpy",
    "opencv-python-headless",
    "scikit-image",
    "pillow",
    "pypdfium2",
    "ai-edge-litert",
    "keras",
)


@dataclass(frozen=True)
class Task:
    """What every task of a run needs to know.

    Attributes
    ----------
    run : str
        Names the run: a process keeps what it has loaded for as long as this stays the same.
    job : Job
        Reads pages.
    limit : float
        Seconds a page may take, 0 for no limit.
    versions : mapping of str to str
        Of the machine that the run was started on. A machine that has others refuses to read: it
        may have joined after the run had begun.
    posts : tuple of Post
        Who classifies; none when each reading process does so for itself.
    """

    run: str
    job: Job[Any]
    limit: float
    versions: Mapping[str, str]
    posts: tuple[Post, ...] = ()


@dataclass(frozen=True)
class Piece:
    """A file or a part of one; of a part also what was found when its file was opened."""

    part: Part
    opened: Opened | None = None


def versions(model: str = "") -> dict[str, str]:
    """Return the versions of this program and of what the text may depend on, by name.

    Parameters
    ----------
    model : str
        Name or path of a bundle, if there is one; its version is the hash of its card.

    Raises
    ------
    BundleError
        If there is no such bundle.
    """
    found = {"ocr-batch": ocr_batch.__version__}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    if model:
        found["model"] = checksum(find_bundle(model) / CARD)[:12]
    return found


def pack(rows: Iterable[object]) -> Any:
    """Return a table of one column with a pickled object in each row."""
    import pyarrow

    # Paths may hold bytes that no text column takes, and events hold errors.
    return pyarrow.table({"row": pyarrow.array([pickle.dumps(row) for row in rows], "binary")})


def unpack(table: Any) -> list[Any]:
    """Return the objects of a table that `pack` made."""
    return [pickle.loads(row.as_py()) for row in table.column("row")]


class _CountingJob(Job[int]):
    """Opens files and reads nothing: the value of a file's only page is its number of pages."""

    def __init__(self, job: Job[Any]) -> None:
        self._job = job
        self._pages: dict[str, int] = {}

    def prepare(self) -> None:
        """Do without the models."""

    def digest(self, source: str) -> str:
        """Return what the job itself does."""
        return self._job.digest(source)

    def count_pages(self, source: str) -> int:
        """Count, and say 1."""
        self._pages[source] = self._job.count_pages(source)
        return 1

    def load_page(self, source: str, number: int) -> Sheet:
        """Return a sheet of one pixel."""
        import numpy as np

        from ocr_batch.imaging.load import Sheet

        return Sheet(np.zeros((1, 1), np.uint8), source)

    def read(self, sheets: Sequence[Sheet]) -> list[int]:
        """Return the number of pages of the files."""
        return [self._pages.pop(sheet.source) for sheet in sheets]


def open_files(table: Any, task: Task) -> Any:
    """Take long files apart.

    Parameters
    ----------
    table : pyarrow.Table
        Of `Piece`, whole files.
    task : Task

    Returns
    -------
    pyarrow.Table
        Of `Piece`: the parts of each file, of up to `PART_PAGES` pages. A file that can not be
        opened, or is to be compared with what is known of it, stays as it is: whoever reads it
        does the rest.
    """
    pieces: list[Piece] = unpack(table)
    rows = [piece for piece in pieces if piece.part.known is not None]
    pieces = [piece for piece in pieces if piece.part.known is None]
    digests: dict[int, str] = {}
    pages: dict[int, int] = {}
    sources = [piece.part.source for piece in pieces]
    # In a process of its own: a decoder may crash or hang when it opens a file.
    with closing(
        run_processes(sources, _CountingJob(task.job), jobs=1, timeout=task.limit)
    ) as events:
        for event in events:
            if isinstance(event, Opened):
                digests[event.index] = event.digest
            elif event.value is not None:
                pages[event.index] = event.value
    for number, piece in enumerate(pieces):
        if number not in pages:
            rows.append(piece)
            continue
        index, source, last = piece.part.index, piece.part.source, pages[number]
        opened = Opened(index, last, digests[number])
        step = REMOTE_PART_PAGES if is_url(source) else PART_PAGES
        for first in range(1, last + 1, step):
            rows.append(Piece(Part(index, source, (first, min(first + step - 1, last))), opened))
    return pack(rows)


#: The run, the reading process that belongs to this one, and what stands between it and those
#: that classify.
_team: tuple[str, Supervisor[Any], Relay | None] | None = None


def _dismiss() -> None:
    global _team  # noqa: PLW0603 - a process has one team at a time
    if _team is not None:
        _, supervisor, relay = _team
        supervisor.close()
        if relay is not None:
            relay.close()
    _team = None


def _reading(task: Task) -> Supervisor[Any]:
    """Return the reading process of this one, with the models in it."""
    global _team  # noqa: PLW0603
    if _team is None or _team[0] != task.run:
        _dismiss()
        pages = page_job(task.job)
        if others := differences(task.versions, pages.model if pages else ""):
            raise other_versions(platform.node(), others)
        relay = Relay(task.posts) if task.posts else None
        job = with_address(task.job, relay.address) if relay else task.job
        _team = task.run, Supervisor(job, 1, task.limit), relay
    return _team[1]


def page_job(job: Job[Any]) -> PageJob | None:
    """Return what of a job names the model and how to classify; None for a job of another kind."""
    if isinstance(job, RenderJob):
        return job.pages
    return job if isinstance(job, PageJob) else None


def with_model(job: Job[Any], model: str) -> Job[Any]:
    """Return a job that reads with a bundle."""
    if isinstance(job, RenderJob):
        return replace(job, pages=replace(job.pages, model=model))
    assert isinstance(job, PageJob)
    return replace(job, model=model)


def with_address(job: Job[Any], address: str) -> Job[Any]:
    """Return a job whose crops are classified at an address."""
    if isinstance(job, RenderJob):
        return replace(job, pages=replace(job.pages, address=address))
    assert isinstance(job, PageJob)
    return replace(job, address=address)


def read_parts(table: Any, task: Task) -> Any:
    """Read a unit of work.

    A process of Ray's supervises a reading process of the local engine's, so that a page that
    crashes or hangs costs that page and nothing else, and is reported in the same words.

    Parameters
    ----------
    table : pyarrow.Table
        Of `Piece`.
    task : Task

    Returns
    -------
    pyarrow.Table
        Of a list of events in a single row, or of the `OcrBatchError` that ends the run.
    """
    pieces: list[Piece] = unpack(table)
    events: list[Event[Any]] = [piece.opened for piece in pieces if piece.opened is not None]
    try:
        events.extend(_reading(task).read([piece.part for piece in pieces]))
    except OcrBatchError as error:
        _dismiss()
        return pack([error])
    except BaseException:
        _dismiss()
        raise
    return pack([events])


def differences(others: Mapping[str, str], model: str) -> list[str]:
    """Return in what the versions of this machine differ from others."""
    return [
        f"{name} {version} instead of {others.get(name)}"
        for name, version in versions(model).items()
        if version != others.get(name)
    ]


def other_versions(machine: str, found: Sequence[str]) -> OcrBatchError:
    """Return the error of a machine with other versions than that where the run was started."""
    return OcrBatchError(
        f"Machine {machine} of the cluster has {', '.join(found)}, so it might read "
        "otherwise. Install the same versions on all machines."
    )
