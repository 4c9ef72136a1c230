"""Hold what came of one page: the page, or the error that took its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ocr_batch.document import Page
from ocr_batch.errors import OcrBatchError

__all__ = ["Result", "Status"]

Status = Literal["read", "empty", "failed"]


@dataclass(frozen=True)
class Result:
    """What came of one page.

    Attributes
    ----------
    source : str
        Path of the file.
    number : int
        Page within the file, from 1.
    page : Page or None
        What was read; None when the page failed.
    error : OcrBatchError or None
        Why the page failed; None when it was read.
    """

    source: str
    number: int
    page: Page | None = None
    error: OcrBatchError | None = None

    @property
    def status(self) -> Status:
        """What became of it: "failed" after an error, "empty" without text, else "read"."""
        if self.page is None:
            return "failed"
        return "read" if self.page.blocks else "empty"
