"""Put read pages where they belong: files in a folder with a summary, or one stream of text."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Protocol, TextIO

from ocr_batch.batch.job import Rendered
from ocr_batch.batch.journal import Entry, Journal
from ocr_batch.batch.lock import FolderLock
from ocr_batch.batch.naming import Input, page_stem
from ocr_batch.batch.storage import Folder
from ocr_batch.batch.summary import PageRow, Summary, source_key
from ocr_batch.batch.work import NOTHING_KNOWN, Finished, Known, Opened, Unchanged
from ocr_batch.errors import OutputError
from ocr_batch.output.text import PAGE_BREAK

__all__ = ["FolderSink", "Sink", "StreamSink"]


class Sink(Protocol):
    """Takes pages as they are finished; used as a context manager around a run."""

    #: Whether pages have to come in input order.
    in_order: bool
    #: What need not be read again, by the index of the file.
    known: Mapping[int, Known]

    def __enter__(self) -> object:
        """Begin."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End, also when the run was broken off."""

    def opened(self, event: Opened) -> Sequence[PageRow]:
        """Take note of how many pages a file has; return the rows of those that are there."""

    def finished(self, page: Finished[Rendered]) -> PageRow:
        """Take a page; return its row of the summary."""


def _row(source: str, page: Finished[Rendered], output: str) -> PageRow:
    if page.value is None:
        return PageRow(source, page.number, "failed", error=str(page.error), output=output)
    value = page.value
    status = "empty" if value.empty else "read"
    return PageRow(
        source,
        page.number,
        status,
        value.characters,
        value.words,
        value.confidence,
        output=output,
    )


@dataclass(frozen=True)
class _UnderWay:
    """The page under way: first what it writes, then what is to be recorded of it.

    Attributes
    ----------
    loose : tuple of str
        Files that no row tells of, should the page not be finished.
    record : (int, PageRow, Entry or None), optional
        Index of the file, row of the summary and of the journal; the files are written.
    """

    loose: tuple[str, ...] = ()
    record: tuple[int, PageRow, Entry | None] | None = None


class FolderSink:
    """Write each page's files at once, and keep the summary and the journal.

    Made by `ocr_batch.batch.folder.OutputFolder.sink`. The order of things makes it safe to be
    killed at any moment: rows of what is going to be replaced are outdated, then files are
    written, each whole or not at all, then the row of the page is recorded.

    Parameters
    ----------
    folder : Folder
        For the output.
    inputs : sequence of Input
        The files, and where each goes within the folder.
    summary : Summary
        Of that folder.
    journal : Journal
        Of that folder; `begin_run` was called.
    settings : str
        Hash of the settings.
    lock : FolderLock
        Of that folder.
    earlier : mapping of int to sequence of Entry
        What the journal holds of the files, by index.
    known : mapping of int to Known
        What of it counts still.
    """

    in_order = False

    def __init__(
        self,
        folder: Folder,
        inputs: Sequence[Input],
        summary: Summary,
        journal: Journal,
        settings: str,
        lock: FolderLock,
        earlier: Mapping[int, Sequence[Entry]],
        known: Mapping[int, Known],
    ) -> None:
        self.known = known
        self._folder = folder
        self._inputs = inputs
        self._sources = [str(item.path) for item in inputs]
        self._summary = summary
        self._journal = journal
        self._settings = settings
        self._lock = lock
        self._earlier = dict(earlier)
        self._opened: dict[int, Opened] = {}
        #: Files of earlier runs that go unless their page writes them anew, by output.
        self._replaced: dict[str, list[str]] = {}
        self._under_way = _UnderWay()

    def __enter__(self) -> FolderSink:
        self._summary.begin(self._sources)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._end()
            return
        # The run was broken off; what broke it off is the news, not what comes on top.
        with contextlib.suppress(OutputError):
            self._lock.check()
            self._remove(self._under_way.loose)
        with contextlib.suppress(OutputError):
            self._record()
            self._end()

    def _end(self) -> None:
        # Also where the folder is gone: it may be brought back.
        self._journal.commit()
        self._lock.check()
        self._summary.write()
        self._folder.finish()
        self._journal.end_run()

    def opened(self, event: Opened) -> list[PageRow]:
        """Take note of a file, and take over what is still known of it; raises `OutputError`."""
        self._lock.check()
        index = event.index
        self._opened[index] = event
        self._summary.opened(index, event.pages)
        earlier = self._earlier.pop(index, ())
        if isinstance(event, Unchanged):
            return self._take_over(index, earlier)
        if any((entry.digest, entry.pages) != (event.digest, event.pages) for entry in earlier):
            self._discard(earlier)
        elif earlier:
            self._outdate(earlier)
        return []

    def _take_over(self, index: int, earlier: Sequence[Entry]) -> list[PageRow]:
        missing = self.known[index].missing
        self._outdate([entry for entry in earlier if entry.page in missing])
        rows = []
        for entry in earlier:
            if entry.page not in missing:
                rows.append(replace(entry.row(), source=self._sources[index]))
                self._summary.add(index, rows[-1])
        return rows

    def _outdate(self, entries: Sequence[Entry]) -> None:
        """Let rows count no more, before the files of their pages are replaced."""
        self._replaced.update((entry.output, entry.files) for entry in entries)
        self._journal.outdate([entry.output for entry in entries if entry.settings])

    def _discard(self, entries: Sequence[Entry]) -> None:
        """Remove the files and rows of another content, in this order: the rows name the files."""
        for entry in entries:
            self._remove(entry.files)
        self._journal.forget([entry.output for entry in entries])

    def _remove(self, names: Iterable[str]) -> None:
        for name in names:
            self._folder.remove(name)

    def _record(self) -> None:
        """Record the page whose files are written; twice does no harm."""
        if self._under_way.record is None:
            return
        index, row, entry = self._under_way.record
        if entry is not None:
            self._journal.record(entry)
        self._summary.add(index, row)

    def finished(self, page: Finished[Rendered]) -> PageRow:
        """Write the page's files; raises `OutputError`."""
        self._lock.check()
        item, event = self._inputs[page.index], self._opened.get(page.index)
        pages, digest = (event.pages, event.digest) if event else (1, page.digest)
        output = page_stem(item.stem, page.number, pages)
        row = _row(self._sources[page.index], page, output)
        # Not `with_suffix`: a stem may hold a full stop of its own.
        files = {output + suffix: text for suffix, text in (page.value.files if page.value else ())}
        old = self._replaced.pop(output, ())
        self._under_way = _UnderWay(tuple(name for name in files if name not in old))
        for name, text in files.items():
            self._folder.write(name, text)
        # Of a page that failed now, and of formats that are not asked for any more.
        self._remove(name for name in old if name not in files)
        kept = False
        if event is None:
            earlier = self._earlier.pop(page.index, ())
            # A file that can not even be looked at may be as it was, the next time.
            kept = not digest and bool(earlier)
            if not kept:
                self._discard(earlier)
        entry = Entry.of(
            row,
            path=source_key(row.source),
            stem=item.stem,
            pages=pages,
            digest=digest,
            settings=self._settings,
            suffixes=[name.removeprefix(output) for name in files],
            seconds=page.value.seconds if page.value else {},
        )
        self._under_way = _UnderWay(record=(page.index, row, None if kept else entry))
        self._record()
        self._under_way = _UnderWay()
        return row


class StreamSink:
    """Write the text of the pages to a stream, in input order, a form feed between two pages.

    A page that failed is as an empty one, so the pages can still be counted.

    Parameters
    ----------
    stream : text stream
        Written to, not closed.
    sources : sequence of str
        Paths of the files.
    """

    in_order = True
    known = NOTHING_KNOWN

    def __init__(self, stream: TextIO, sources: Sequence[str]) -> None:
        self._stream = stream
        self._sources = sources
        self._begun = False

    def __enter__(self) -> StreamSink:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def opened(self, event: Opened) -> Sequence[PageRow]:
        """Do nothing: the stream has no use for the number."""
        return ()

    def finished(self, page: Finished[Rendered]) -> PageRow:
        """Write the page's text; raises `OutputError`."""
        texts = [text for _, text in page.value.files] if page.value else []
        try:
            self._stream.write((PAGE_BREAK if self._begun else "") + "".join(texts))
            self._stream.flush()
        except OSError as error:
            raise OutputError(
                f"Can not write the text: {error.strerror or error}. "
                "Whatever reads the output has closed it, or there is no space left."
            ) from error
        self._begun = True
        return _row(self._sources[page.index], page, "")
