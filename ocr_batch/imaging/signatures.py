"""Tell kinds of files by their first bytes, without any library that reads them."""

from __future__ import annotations

__all__ = ["is_pdf", "is_tiff"]

# Readers accept a PDF whose mark comes after some other bytes, as mail programs leave them.
_PDF, _PDF_WITHIN = b"%PDF-", 1024
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def is_pdf(start: bytes) -> bool:
    """Tell a PDF from the first kilobyte of a file."""
    return _PDF in start[:_PDF_WITHIN]


def is_tiff(start: bytes) -> bool:
    """Tell a TIFF, classic or large, from the first bytes of a file."""
    return start.startswith(_TIFF)
