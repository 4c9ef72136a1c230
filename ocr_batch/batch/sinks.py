"""Put read pages where they belong: files in a folder with a summary, or one stream of text."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, TextIO

from ocr_batch.batch.inputs import Found, assign_outputs, page_stem
from ocr_batch.batch.job import Rendered
from ocr_batch.batch.summary import PageRow, Summary
from ocr_batch.batch.work import Finished
from ocr_batch.errors import OutputError
from ocr_batch.output.files import make_folder, write_atomic
from ocr_batch.output.text import PAGE_BREAK

__all__ = ["FolderSink", "Sink", "StreamSink"]


class Sink(Protocol):
    """Takes pages as they are finished; used as a context manager around a run."""

    #: Whether pages have to come in input order.
    in_order: bool

    def __enter__(self) -> object:
        """Begin."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End, also when the run was broken off."""

    def opened(self, index: int, pages: int) -> None:
        """Take note that the file `index` has so many pages."""

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


class FolderSink:
    """Write each page's files at once, and keep the summary.

    Parameters
    ----------
    folder : Path
        The output folder.
    sources, stems : sequence of str
        Paths of the files, and where each goes within the folder, without suffix.
    summary : Summary
        Of that folder.
    """

    in_order = False

    def __init__(
        self, folder: Path, sources: Sequence[str], stems: Sequence[str], summary: Summary
    ) -> None:
        self._folder = folder
        self._sources = sources
        self._stems = stems
        self._summary = summary
        self._pages: dict[int, int] = {}

    @classmethod
    def over(cls, folder: Path, found: Sequence[Found]) -> FolderSink:
        """Make a sink for inputs, which keep the names that earlier runs gave them.

        Raises
        ------
        OutputError
            When the folder can not be made, or holds another table named pages.csv.
        """
        make_folder(folder)
        summary = Summary(folder)
        inputs = assign_outputs(found, summary.stems())
        stems = [item.stem for item in inputs]
        return cls(folder, [str(item.path) for item in inputs], stems, summary)

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
            self._summary.write()
            return
        # The run was broken off; what broke it off is the news, not what comes on top.
        with contextlib.suppress(OutputError):
            self._summary.write()

    def opened(self, index: int, pages: int) -> None:
        """Take note that the file `index` has so many pages."""
        self._pages[index] = pages
        self._summary.opened(index, pages)

    def finished(self, page: Finished[Rendered]) -> PageRow:
        """Write the page's files; raises `OutputError`."""
        stem = page_stem(self._stems[page.index], page.number, self._pages.get(page.index, 1))
        for suffix, text in page.value.files if page.value else ():
            # Not `with_suffix`: a stem may hold a full stop of its own.
            write_atomic(self._folder / (stem + suffix), text)
        row = _row(self._sources[page.index], page, stem)
        self._summary.add(page.index, row)
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

    def opened(self, index: int, pages: int) -> None:
        """Do nothing: the stream has no use for the number."""

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
