"""Read pages with the models of a bundle, and render them if files are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ocr_batch.document import Page
from ocr_batch.output.writers import WRITERS, Style

if TYPE_CHECKING:
    from ocr_batch.batch.pipeline import Models, ReadOptions
    from ocr_batch.imaging.load import Sheet

__all__ = ["PageJob", "RenderJob", "Rendered", "render"]


@dataclass(frozen=True)
class Rendered:
    """A page as the text of its files, by suffix, and its figures for the summary."""

    files: tuple[tuple[str, str], ...]
    characters: int
    words: int
    confidence: float

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
    models : Models or None
        What `prepare` loads; given for a job that stays in this process.
    """

    model: str
    backend: str
    options: ReadOptions
    models: Models | None = field(default=None, repr=False)

    def prepare(self) -> None:
        """Load the models, and keep OpenCV to the one core that a reading process has."""
        import cv2

        from ocr_batch.batch.pipeline import load_models

        cv2.setNumThreads(1)
        self.models = load_models(self.model, backend=self.backend)

    def count_pages(self, source: str) -> int:
        """Return the number of pages of a file."""
        from ocr_batch.imaging.load import count_pages

        return count_pages(source)

    def load_page(self, source: str, number: int) -> Sheet:
        """Decode one page, counted from 1."""
        from ocr_batch.imaging.load import load_page

        return load_page(source, number)

    def read(self, sheets: Sequence[Sheet]) -> list[Page]:
        """Read pages together."""
        from ocr_batch.batch.pipeline import read_sheets

        if self.models is None:
            raise RuntimeError("the job was not prepared")
        return read_sheets(sheets, self.models, self.options)


@dataclass(frozen=True)
class RenderJob:
    """Read pages; the values are the texts of their files."""

    pages: PageJob
    formats: tuple[str, ...]
    style: Style

    def prepare(self) -> None:
        """Load the models."""
        self.pages.prepare()

    def count_pages(self, source: str) -> int:
        """Return the number of pages of a file."""
        return self.pages.count_pages(source)

    def load_page(self, source: str, number: int) -> Sheet:
        """Decode one page, counted from 1."""
        return self.pages.load_page(source, number)

    def read(self, sheets: Sequence[Sheet]) -> list[Rendered]:
        """Read pages together and render each."""
        return [render(page, self.formats, self.style) for page in self.pages.read(sheets)]
