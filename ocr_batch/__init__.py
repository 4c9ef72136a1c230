"""Batch OCR: a folder of scanned pages in, text and CSV per page out."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ocr_batch.document import Block, Box, Character, Line, Page, Word
from ocr_batch.errors import (
    BundleError,
    ImageError,
    InputError,
    OcrBatchError,
    OutputError,
    PageTimeoutError,
    TrainingError,
    UsageError,
)

if TYPE_CHECKING:
    from ocr_batch.batch.classify import Classified, classify
    from ocr_batch.batch.options import ReadOptions
    from ocr_batch.batch.reader import Reader, read, read_page
    from ocr_batch.batch.result import Result

__all__ = [
    "Block",
    "Box",
    "BundleError",
    "Character",
    "Classified",
    "ImageError",
    "InputError",
    "Line",
    "OcrBatchError",
    "OutputError",
    "Page",
    "PageTimeoutError",
    "ReadOptions",
    "Reader",
    "Result",
    "TrainingError",
    "UsageError",
    "Word",
    "__version__",
    "classify",
    "read",
    "read_page",
]

__version__ = "0.1.0"

#: Loaded when they are first used: they bring OpenCV and NumPy with them.
_LAZY = {
    "Classified": "ocr_batch.batch.classify",
    "ReadOptions": "ocr_batch.batch.options",
    "Reader": "ocr_batch.batch.reader",
    "Result": "ocr_batch.batch.result",
    "classify": "ocr_batch.batch.classify",
    "read": "ocr_batch.batch.reader",
    "read_page": "ocr_batch.batch.reader",
}


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
