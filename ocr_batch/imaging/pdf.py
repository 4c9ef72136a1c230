"""Render the pages of a PDF to grey at 300 dpi."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ocr_batch.errors import ImageError
from ocr_batch.imaging.formats import Decoded, check_size, has_two_values

__all__ = ["PDF_DPI", "PdfFile"]

PDF_DPI = 300
# PDFium's wrapper rounds sizes up: a hair less, or a page of 432 points gets 1801 rows.
_PIXELS_PER_POINT = PDF_DPI / 72 * (1 - 1e-6)


class PdfFile:
    """The pages of a PDF. PDFium must not be used by two threads at a time."""

    def __init__(self, place: Path | BinaryIO) -> None:
        """Open the document; raises ImageError when it is damaged or needs a password.

        A file is not closed, and stays open as long as the document.
        """
        import pypdfium2

        try:
            self._document: Any = pypdfium2.PdfDocument(place)
        except pypdfium2.PdfiumError as error:
            if "password" in str(error).lower():
                raise ImageError(
                    "This PDF is protected by a password; save a copy without one."
                ) from None
            raise ImageError(f"This PDF is damaged ({error}); copy or save it again.") from None
        self.pages: int = len(self._document)
        if not self.pages:
            self.close()
            raise ImageError("This PDF has no pages.")
        if self._document.get_formtype():
            # Otherwise what was typed into a form stays invisible.
            self._document.init_forms()

    def decode(self, number: int, limit: int) -> Decoded:
        """Render page `number` (from 1); raises ImageError, and other pages can still be read."""
        try:
            page = self._document[number - 1]
        except Exception as error:
            raise ImageError(
                f"This page of the PDF is damaged ({error}); copy or save it again."
            ) from error
        try:
            width, height = page.get_size()
            check_size(
                math.ceil(width * _PIXELS_PER_POINT), math.ceil(height * _PIXELS_PER_POINT), limit
            )
            bitmap = page.render(scale=_PIXELS_PER_POINT, grayscale=True)
            rows = bitmap.to_numpy()
            grey = np.array(rows.reshape(rows.shape[:2]), np.uint8, order="C")
            bitmap.close()
        except ImageError:
            raise
        except Exception as error:
            raise ImageError(
                f"This page of the PDF can not be rendered ({error}); copy or save it again."
            ) from error
        finally:
            page.close()
        return Decoded(grey, 1, (PDF_DPI, PDF_DPI), has_two_values(grey))

    def close(self) -> None:
        """Give the document's memory back."""
        self._document.close()
