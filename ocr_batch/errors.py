"""Say what went wrong and what to do next: one tree of errors, each with its exit code."""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "BundleError",
    "ImageError",
    "InputError",
    "OcrBatchError",
    "OutputError",
    "PageTimeoutError",
    "TrainingError",
    "UsageError",
]


class OcrBatchError(Exception):
    """Root of every error that ocr-batch raises on purpose.

    Its text is one or two sentences: what happened, and what the user can do about it.
    """

    exit_code: ClassVar[int] = 15


class UsageError(OcrBatchError):
    """A command line or an argument that makes no sense."""

    exit_code = 1


class InputError(OcrBatchError):
    """No input could be read at all: nothing found, or nothing that is an image."""

    exit_code = 2


class BundleError(OcrBatchError):
    """A model bundle is missing, damaged, or made for another version."""

    exit_code = 3


class OutputError(OcrBatchError):
    """The output folder or a file in it can not be written."""

    exit_code = 4


class ImageError(OcrBatchError):
    """One page can not be decoded; the other pages of the run are not concerned."""

    exit_code = 5


class PageTimeoutError(OcrBatchError):
    """One page took longer than the time limit, or its worker died; the run goes on."""

    exit_code = 5


class TrainingError(OcrBatchError):
    """Training data or a recipe that can not be used."""

    exit_code = 2
