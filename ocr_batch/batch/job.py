"""Read pages with the models of a bundle, and render them if files are wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ocr_batch.batch.work import file_digest
from ocr_batch.document import Page
from ocr_batch.output.writers import WRITERS, Style

if TYPE_CHECKING:
    from ocr_batch.batch.options import ReadOptions
    from ocr_batch.batch.pipeline import Models, StageTimer
    from ocr_batch.imaging.load import Sheet

__all__ = ["PageJob", "RenderJob", "Rendered", "render"]


@dataclass(frozen=True)
class Rendered:
    """A page as the text of its files, by suffix, and its figures for the summary.

    `seconds` is the time by stage since the page before; pages that are read together have theirs
    with the first of them.
    """

    files: tuple[tuple[str, str], ...]
    characters: int
    words: int
    confidence: float
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether the page has no text."""
        return self.words == 0


def render(page: Page, formats: Sequence[str], style: Style) -> Rendered:
    """Return the page in each of the formats, names of `WRITERS`."""
    lengths = [len(word.characters) for word in page.words]
    files = tuple((WRITERS[name].suffix, WRITERS[name].format(page, style)) for name in formats)
    return Rendered(files, sum(lengths), len(lengths), page.confidence)


@dataclass
class PageJob:
    """Read pages; the values are the pages themselves.

    Attributes
    ----------
    model : str
        Name or path of a bundle.
    backend : str
        What runs the classifier.
    options : ReadOptions
        How pages are read.
    batch : int or None
        Crops to classify at a time; None for what suits the back end.
    address : str
        Of the process that classifies, from `classifying`; "" when the reading process does.
    models : Models or None
        What `prepare` loads; given for a job that stays in this process.
    timer : StageTimer or None
        Gets the time by stage; made by `prepare`.
    """

    model: str
    backend: str
    options: ReadOptions
    batch: int | None = None
    address: str = ""
    models: Models | None = field(default=None, repr=False)
    timer: StageTimer | None = field(default=None, repr=False)

    def prepare(self) -> None:
        """Load the models, and keep OpenCV to the one core that a reading process has."""
        import cv2

        from ocr_batch.batch.pipeline import StageTimer, load_models
        from ocr_batch.imaging.remote import keep_last

        keep_last()
        cv2.setNumThreads(1)
        self.timer = StageTimer()
        with self.stage("models"):
            self.models = load_models(
                self.model, backend=self.backend, batch=self.batch, address=self.address
            )

    def stage(self, name: str) -> AbstractContextManager[None]:
        """Return a context whose time counts for a stage."""
        return self.timer.stage(name) if self.timer else nullcontext()

    def spent(self) -> Mapping[str, float]:
        """Return the seconds by stage since this was last asked."""
        if self.timer is None:
            return {}
        seconds, self.timer.seconds = self.timer.seconds, {}
        return seconds

    def digest(self, source: str) -> str:
        """Return "": pages that are handed on are not compared with those of another day."""
        return ""

    def count_pages(self, source: str) -> int:
        """Return the number of pages of a file."""
        from ocr_batch.imaging.load import count_pages

        return count_pages(source)

    def load_page(self, source: str, number: int) -> Sheet:
        """Decode one page, counted from 1."""
        from ocr_batch.imaging.load import load_page

        with self.stage("load"):
            return load_page(source, number)

    def read(self, sheets: Sequence[Sheet]) -> list[Page]:
        """Read pages together."""
        from ocr_batch.batch.pipeline import read_sheets

        if self.models is None:
            raise RuntimeError("the job was not prepared")
        return read_sheets(sheets, self.models, self.options, self.timer)


@dataclass(frozen=True)
class RenderJob:
    """Read pages; the values are the texts of their files."""

    pages: PageJob
    formats: tuple[str, ...]
    style: Style

    def prepare(self) -> None:
        """Load the models."""
        self.pages.prepare()

    def digest(self, source: str) -> str:
        """Return the hash of a file's content."""
        return file_digest(source)

    def count_pages(self, source: str) -> int:
        """Return the number of pages of a file."""
        return self.pages.count_pages(source)

    def load_page(self, source: str, number: int) -> Sheet:
        """Decode one page, counted from 1."""
        return self.pages.load_page(source, number)

    def read(self, sheets: Sequence[Sheet]) -> list[Rendered]:
        """Read pages together and render each."""
        pages = self.pages.read(sheets)
        with self.pages.stage("format"):
            rendered = [render(page, self.formats, self.style) for page in pages]
        return [replace(rendered[0], seconds=self.pages.spent()), *rendered[1:]]
