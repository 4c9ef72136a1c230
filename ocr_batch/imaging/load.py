"""Decode files: a path becomes grey sheets, page by page."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ocr_batch.errors import ImageError, UsageError
from ocr_batch.imaging.formats import Decoded, RasterFile, flatten, has_two_values
from ocr_batch.imaging.orientation import swaps_axes, to_stored
from ocr_batch.imaging.pdf import PdfFile
from ocr_batch.imaging.remote import fetched, is_url
from ocr_batch.imaging.signatures import is_pdf

__all__ = [
    "MAX_PIXELS",
    "BadPage",
    "Sheet",
    "count_pages",
    "load_page",
    "load_sheets",
    "sheet_from_array",
]

# A page of A0 at 400 dpi has 248 million pixels. Decoding takes 1 byte a pixel for grey, 5 for
# colour: a colour page at the limit needs about 1.6 GB, A3 at 400 dpi (31 million) 0.2 GB.
MAX_PIXELS = 300_000_000
_SANE_DPI = (50.0, 1200.0)
# Fax pages have half the resolution down the page; more than this is not a slip of rounding.
_SAME_DPI, _LARGEST_DPI_RATIO = 1.1, 2.5


@dataclass(frozen=True)
class Sheet:
    """One decoded page, upright as far as its metadata tells.

    Attributes
    ----------
    grey : ndarray of uint8, shape (H, W)
        0 is black, 255 is white.
    source : str
        Path of the file, or "".
    number : int
        Page within the file, from 1.
    dpi : float or None
        Resolution when the file states a sane one (50..1200).
    stored_size : tuple of int
        (width, height) of the image as stored, before EXIF orientation.
    to_stored : ndarray of float64, shape (2, 3)
        Affine map from pixel coordinates (x, y) of `grey` to those of the stored image. Integer
        coordinates are pixel indices (centres): a mirrored image of width W maps x to W - 1 - x.
    bilevel : bool
        True when the file holds a 1-bit image (or a grey one of only two values).
    """

    grey: NDArray[np.uint8]
    source: str = ""
    number: int = 1
    dpi: float | None = None
    stored_size: tuple[int, int] = (0, 0)
    to_stored: NDArray[np.float64] = field(
        default_factory=lambda: np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    )
    bilevel: bool = False


@dataclass(frozen=True)
class BadPage:
    """A page that can not be decoded: its file, its number (from 1), and why."""

    source: str
    number: int
    error: ImageError


def count_pages(path: str | os.PathLike[str]) -> int:
    """Count the pages of a file from its header and directories, decoding none.

    Pages that turn out to be damaged count. Only TIFF and PDF have more than one: of an animated
    GIF or WebP the first picture is read.

    Raises
    ------
    ImageError
        The file can not be opened, or is no image.
    """
    with _opened(os.fspath(path)) as file:
        return file.pages


def load_page(path: str | os.PathLike[str], number: int = 1, *, limit: int = MAX_PIXELS) -> Sheet:
    """Decode one page of a file.

    Parameters
    ----------
    path : str or path-like
        PNG, JPEG, TIFF, BMP, WebP, JPEG 2000, GIF, PNM or PDF, known by content, not by name.
        A URL such as ``s3://bucket/page.png`` needs fsspec and is fetched first.
    number : int
        Page within the file, from 1.
    limit : int
        Largest number of pixels, checked before decoding (PDF: of the page rendered at 300 dpi).

    Returns
    -------
    Sheet
        The page in grey.

    Raises
    ------
    ImageError
        The file or the page is missing, damaged, cut short or too large.
    """
    source = _source(path)
    with _opened(source) as file:
        if not 1 <= number <= file.pages:
            raise ImageError(f"There is no page {number}: the file has {file.pages}.")
        return _sheet(file.decode(number, limit), source, number, limit)


def load_sheets(
    path: str | os.PathLike[str], *, limit: int = MAX_PIXELS
) -> Iterator[Sheet | BadPage]:
    """Decode every page of a file, one at a time; never raises ImageError.

    A page that can not be decoded comes as `BadPage`, and those behind it follow. A file that can
    not be opened comes as one `BadPage` of number 1.

    Parameters
    ----------
    path : str or path-like
        As for `load_page`.
    limit : int
        Largest number of pixels of a page.

    Yields
    ------
    Sheet or BadPage
        In the order of the pages.
    """
    source = _source(path)
    try:
        with _opened(source) as file:
            for number in range(1, file.pages + 1):
                yield _sheet_or_bad(file, source, number, limit)
    except ImageError as error:
        yield BadPage(source, 1, error)


def _sheet_or_bad(
    file: RasterFile | PdfFile, source: str, number: int, limit: int
) -> Sheet | BadPage:
    try:
        return _sheet(file.decode(number, limit), source, number, limit)
    except ImageError as error:
        return BadPage(source, number, error)


def _source(path: str | os.PathLike[str]) -> str:
    """Return a path as it stands in sheets."""
    text = os.fspath(path)
    return text if is_url(text) else str(Path(text))


@contextmanager
def _opened(source: str) -> Iterator[RasterFile | PdfFile]:
    if is_url(source):
        with fetched(source) as copy:
            if not is_pdf(copy.read(1024)):
                yield RasterFile(copy)
                return
            with closing(PdfFile(copy)) as document:
                yield document
        return
    path = Path(source)
    try:
        # A pipe or a device would be waited for; so look before opening.
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            if not os.access(path, os.R_OK | os.X_OK):
                raise ImageError("This folder may not be searched; change its permissions.")
            raise ImageError("This is a folder, not an image; give it as an input of its own.")
        if not stat.S_ISREG(status.st_mode):
            raise ImageError("This is a pipe or a device, not a file; copy it to a file first.")
        if status.st_size == 0:
            raise ImageError("This file is empty (0 bytes); copy or scan it again.")
        file = path.open("rb")
    except (OSError, ValueError) as error:
        raise ImageError(_why_not_opened(path, error)) from None
    with file:
        try:
            raster = None if is_pdf(file.read(1024)) else RasterFile(file)
        except OSError as error:
            raise ImageError(_why_not_opened(path, error)) from None
        if raster is not None:
            yield raster
            return
    with closing(PdfFile(path)) as document:
        yield document


def _why_not_opened(path: Path, error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        if path.is_symlink():
            return f"This link leads nowhere: {path.readlink()} does not exist."
        return "This file does not exist; check the name."
    if isinstance(error, PermissionError):
        return "This file may not be read; change its permissions."
    reason = error.strerror if isinstance(error, OSError) else error
    return f"This file can not be opened ({reason})."


def _sheet(decoded: Decoded, source: str, number: int, limit: int) -> Sheet:
    grey = decoded.grey
    height, width = grey.shape
    if swaps_axes(decoded.orientation):
        width, height = height, width
    mapping = to_stored(decoded.orientation, width, height)
    dpi, factors = _square(decoded.dpi)
    bilevel = decoded.bilevel
    if factors != (1.0, 1.0):
        stretched = tuple(round(n * f) for n, f in zip(grey.shape[::-1], factors, strict=True))
        if stretched[0] * stretched[1] <= limit:
            mapping = mapping @ _shrink(grey.shape[::-1], stretched)
            grey = cv2.resize(grey, stretched, interpolation=cv2.INTER_LINEAR).astype(np.uint8)
            bilevel = False
    return Sheet(grey, source, number, dpi, (width, height), mapping, bilevel)


def _square(dpi: tuple[float, float] | None) -> tuple[float | None, tuple[float, float]]:
    """Return the sane resolution, or None, and by what x and y are to be stretched to it."""
    if dpi is None or not all(_SANE_DPI[0] <= value <= _SANE_DPI[1] for value in dpi):
        return None, (1.0, 1.0)
    best, ratio = max(dpi), max(dpi) / min(dpi)
    if ratio <= _SAME_DPI:
        return round(best, 1), (1.0, 1.0)
    if ratio <= _LARGEST_DPI_RATIO:
        return round(best, 1), (best / dpi[0], best / dpi[1])
    return None, (1.0, 1.0)


def _shrink(size: tuple[int, ...], stretched: tuple[int, ...]) -> NDArray[np.float64]:
    """Map pixel centres of a stretched image to those of the original, as a (3, 3) matrix."""
    x, y = (before / after for before, after in zip(size, stretched, strict=True))
    return np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]])


def sheet_from_array(array: NDArray[Any]) -> Sheet:
    """Make a sheet of an image that is in memory already.

    Parameters
    ----------
    array : ndarray, shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)
        Grey, RGB or RGBA, in that order of channels (OpenCV reads BGR: turn it round first).
        bool (True is white), uint8, uint16 (0..65535) or float (0..1). Transparent parts become
        white. The array is not changed; a uint8 grey one is not copied either.

    Returns
    -------
    Sheet
        Without source or resolution.

    Raises
    ------
    UsageError
        The array has another shape or type, no pixels, or floats outside of 0..1.
    """
    array = np.asarray(array)
    if array.ndim == 2:
        array = array[:, :, np.newaxis]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        raise UsageError(
            f"An image of shape {array.shape} can not be read; "
            "give (height, width), or (height, width, channels) with 1, 3 or 4 channels."
        )
    if array.size == 0:
        raise UsageError(f"An image of shape {array.shape} has no pixels.")
    grey = np.ascontiguousarray(_luma(_eight_bits(array)), np.uint8)
    return Sheet(
        grey,
        stored_size=(grey.shape[1], grey.shape[0]),
        bilevel=array.dtype == np.bool_ or has_two_values(grey),
    )


def _luma(channels: NDArray[np.uint8]) -> NDArray[Any]:
    """Turn an (H, W, 1 or 3 or 4) image to grey."""
    if channels.shape[2] == 1:
        return channels[:, :, 0]
    if channels.shape[2] == 3:
        return cv2.cvtColor(channels, cv2.COLOR_RGB2GRAY)
    luma = cv2.cvtColor(channels, cv2.COLOR_RGBA2GRAY).astype(np.uint8, copy=False)
    return flatten(luma, np.ascontiguousarray(channels[:, :, 3]))


def _eight_bits(array: NDArray[Any]) -> NDArray[np.uint8]:
    """Scale an (H, W, C) array of an accepted type to uint8."""
    array = np.ascontiguousarray(array, array.dtype.newbyteorder("="))
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.bool_:
        return np.where(array, np.uint8(255), np.uint8(0))
    if array.dtype == np.uint16:
        scale = 1 / 257
    elif array.dtype.kind == "f":
        if array.dtype.itemsize not in (4, 8):
            array = array.astype(np.float32)
        # Written so that NaN fails too.
        if not (array.min() >= 0 and array.max() <= 1):
            raise UsageError("A float image must be within 0..1; divide it by its white value.")
        scale = 255.0
    else:
        raise UsageError(
            f"An image of {array.dtype} can not be read; "
            "convert it to bool, uint8, uint16 or float (0..1)."
        )
    scaled = cv2.convertScaleAbs(array, alpha=scale)
    return scaled.reshape(array.shape).astype(np.uint8, copy=False)
