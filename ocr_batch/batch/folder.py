"""Open an output folder for this process alone, and tell what in it is done already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from ocr_batch.batch.inputs import Found
from ocr_batch.batch.journal import JOURNAL_NAME, Entry, Journal, Settings
from ocr_batch.batch.lock import LOCK_NAME, FolderLock
from ocr_batch.batch.naming import Input, assign_outputs
from ocr_batch.batch.sinks import FolderSink
from ocr_batch.batch.storage import is_url, open_folder
from ocr_batch.batch.summary import Summary, source_key
from ocr_batch.batch.work import Known
from ocr_batch.errors import UsageError
from ocr_batch.output.files import make_folder

__all__ = ["OutputFolder"]


class OutputFolder:
    """An output folder, locked, with its journal open; a context manager.

    Parameters
    ----------
    target : Path or str
        Made when it is not there. A str may be a URL.
    journal : Path, optional
        Where the journal is kept, on this machine; by default hidden in the folder. Where that is
        behind a URL, the lock is kept beside the journal.

    Raises
    ------
    OutputError
        When the folder can not be made or is being written into by another run, holds another
        table named pages.csv, or the journal can not be used. Nothing is changed then.
    UsageError
        When the folder is behind a URL and no journal is named, or can not be used.
    """

    def __init__(self, target: Path | str, journal: Path | None = None) -> None:
        url = str(target) if is_url(str(target)) else ""
        if url and journal is None:
            raise UsageError(
                f"The journal of {url} has to be on this machine; name a file with --journal."
            )
        if journal is not None:
            make_folder(journal.parent)
        self._folder = open_folder(str(target))
        lock = journal.with_name(f"{journal.name}.lock") if url and journal else None
        self._lock = FolderLock(lock or Path(target) / LOCK_NAME, str(target))
        try:
            self._summary: Summary | None = Summary(self._folder)
            if journal is None:
                self._journal = Journal(Path(target) / JOURNAL_NAME)
            else:
                place = url.rstrip("/") or str(Path(target).resolve())
                self._journal = Journal(journal, place, self._folder.finish)
        except BaseException:
            self._lock.release()
            raise
        if self._journal.was_broken_off:
            self._folder.remove_drafts()

    def __enter__(self) -> OutputFolder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._journal.close()
        self._lock.release()

    def sink(
        self, found: Sequence[Found], settings: Settings, *, jobs: int, fresh: bool = False
    ) -> FolderSink:
        """Make a sink for inputs, which keep the names that earlier runs gave them.

        Parameters
        ----------
        found : sequence of Found
            The input files.
        settings : Settings
            What was read with others is read again.
        jobs : int
            Number of processes, for the journal.
        fresh : bool
            Read all of the files again.

        Raises
        ------
        OutputError
            When the summary or the journal can not be used.
        """
        summary, self._summary = self._summary or Summary(self._folder), None
        by_path: dict[str, list[Entry]] = {}
        for entry in self._journal.entries():
            by_path.setdefault(entry.path, []).append(entry)
        summary.adopt((path, entry.row()) for path, rows in by_path.items() for entry in rows)
        names = {**summary.stems(), **{path: rows[0].stem for path, rows in by_path.items()}}
        inputs = assign_outputs(found, names)
        earlier = {
            index: by_path[key]
            for index, item in enumerate(inputs)
            if (key := source_key(str(item.path))) in by_path
        }
        known = {} if fresh else self._known(inputs, earlier, settings)
        self._journal.begin_run(settings, len(inputs), jobs)
        return FolderSink(
            self._folder, inputs, summary, self._journal, settings.hash, self._lock, earlier, known
        )

    def _known(
        self, inputs: Sequence[Input], earlier: Mapping[int, Sequence[Entry]], settings: Settings
    ) -> dict[int, Known]:
        """Return what is still good of what was done, by the index of the input."""
        known = {}
        for index, entries in earlier.items():
            digests = {(entry.digest, entry.pages) for entry in entries}
            if len(digests) > 1 or any(entry.stem != inputs[index].stem for entry in entries):
                continue
            ((digest, pages),) = digests
            done = {entry.page for entry in entries if self._is_done(entry, settings)}
            if digest and done:
                missing = [number for number in range(1, pages + 1) if number not in done]
                known[index] = Known(digest, pages, tuple(missing))
        return known

    def _is_done(self, entry: Entry, settings: Settings) -> bool:
        if entry.settings != settings.hash or entry.status == "failed":
            return False
        for name in entry.files:
            size = self._folder.size(name)
            if size is None:
                return False
            # What a page with text has lost by a failure of power is read again.
            if not size and entry.status != "empty":
                return False
        return True
