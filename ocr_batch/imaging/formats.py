"""Decode raster files: one page of PNG, JPEG, TIFF, BMP, WebP, JPEG 2000, GIF or PNM to grey.

Pillow decodes them all. On 1-bit pages, the commonest, it is faster than OpenCV, and it refuses
files cut short where OpenCV returns a page that is half grey.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from ocr_batch.errors import ImageError
from ocr_batch.imaging import integrity, tiff
from ocr_batch.imaging.orientation import swaps_axes, upright

__all__ = ["Decoded", "RasterFile", "check_size", "flatten", "grey_of", "has_two_values"]

# Naming the formats keeps Pillow from trying its others (EPS would start Ghostscript), and
# importing their plugins here keeps it from importing all forty.
_FORMATS = tuple(
    plugin.format
    for plugin in (
        PngImagePlugin.PngImageFile,
        TiffImagePlugin.TiffImageFile,
        JpegImagePlugin.JpegImageFile,
        BmpImagePlugin.BmpImageFile,
        BmpImagePlugin.DibImageFile,
        WebPImagePlugin.WebPImageFile,
        Jpeg2KImagePlugin.Jpeg2KImageFile,
        GifImagePlugin.GifImageFile,
        PpmImagePlugin.PpmImageFile,
    )
)
_ORIENTATION, _WHITE_IS_ZERO, _BITS, _PHOTOMETRIC = 274, 0, 258, 262
# A decoded page of more bytes than this is not kept while the page is being read.
_KEEP_BYTES = 32_000_000
# Pillow's settings and the warning filters belong to the process; one thread at a time.
_PILLOW_SETTINGS = threading.RLock()


@dataclass(frozen=True)
class Decoded:
    """A page in grey, and what its file says about it.

    Attributes
    ----------
    grey : ndarray of uint8, shape (H, W)
        Upright. 0 is black, 255 is white.
    orientation : int
        EXIF orientation, 1..8, that was applied to what is stored.
    dpi : tuple of float or None
        Resolution along x and y of `grey` as the file states it, sane or not.
    bilevel : bool
        True for a 1-bit image, or one of no more than two values.
    """

    grey: NDArray[np.uint8]
    orientation: int = 1
    dpi: tuple[float, float] | None = None
    bilevel: bool = False


class RasterFile:
    """The pages of one raster file; more than one in a TIFF only."""

    def __init__(self, file: BinaryIO) -> None:
        """Read the header only; raises ImageError when it is that of no known format."""
        self._file = file
        self._image: Image.Image | None = None
        self._pages = tiff.find_pages(file)
        if not self._pages:
            self._image = _open(file)
        self.pages = max(1, len(self._pages))

    def decode(self, number: int, limit: int) -> Decoded:
        """Decode page `number` (from 1); raises ImageError, and other pages can still be read."""
        try:
            with _quiet_pillow():
                image = self._at(number)
            check_size(*image.size, limit)
            if image.format == "PNG":
                integrity.check_png(self._file)
            decoded = _decode(image)
            if image.format == "TIFF":
                integrity.check_fax(image, self._file, decoded.grey)
        except ImageError:
            self._image = None
            raise
        except MemoryError:
            self._image = None
            raise ImageError(
                "There is not enough memory to decode this page; scale it down or use fewer jobs."
            ) from None
        # Decoders meet damage with errors of every kind: OSError, SyntaxError, struct.error...
        except Exception as error:
            self._image = None
            raise ImageError(
                f"This page is damaged or cut short ({error}); scan or copy it again."
            ) from error
        if decoded.grey.size * len(image.getbands()) > _KEEP_BYTES:
            self._image = None
        return decoded

    def _at(self, number: int) -> Image.Image:
        if not self._pages:
            self._image = self._image or _open(self._file)
            return self._image
        page = self._pages[number - 1]
        if page.error:
            raise ImageError(page.error)
        try:
            self._image = self._image or _open(self._file)
            self._image.seek(page.frame)
        except Exception:
            # Perhaps an earlier page is to blame: Pillow comes to a page through those before it.
            self._image = None
        else:
            return self._image
        try:
            return _open(tiff.starting_at(self._file, page))
        except ImageError:
            raise ImageError(
                "This TIFF page is of a kind that can not be read, or its directory is damaged; "
                "convert it to PNG, or scan it again."
            ) from None


def _open(file: BinaryIO) -> Image.Image:
    file.seek(0)
    try:
        with _quiet_pillow():
            return Image.open(file, formats=_FORMATS)
    except UnidentifiedImageError:
        raise ImageError(
            "This is not an image that can be read, or its header is damaged; "
            "PNG, JPEG, TIFF, BMP, WebP, JPEG 2000, GIF, PNM and PDF are known."
        ) from None
    except Exception as error:
        raise ImageError(f"The header of this file is damaged ({error}); copy it again.") from error


@contextmanager
def _quiet_pillow() -> Iterator[None]:
    """Silence warnings about metadata, and lift Pillow's limit: `check_size` has its own."""
    with _PILLOW_SETTINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def check_size(width: int, height: int, limit: int) -> None:
    """Raise ImageError when a page of `width` x `height` pixels is over `limit`, or empty."""
    if width < 1 or height < 1:
        raise ImageError(f"The page has no pixels ({width} x {height}); scan it again.")
    if width * height > limit:
        raise ImageError(
            f"The page is {width:,} x {height:,} pixels, over the limit of {limit:,}; "
            "scale it down, or raise the limit if it is real."
        )


def _decode(image: Image.Image) -> Decoded:
    """Load a page whose header Pillow has read, as upright grey."""
    # Pillow turns a TIFF upright while it loads, and forgets the tag; others it leaves alone. In
    # a PNG the tag may follow the pixels.
    stated = _orientation(image) if image.format == "TIFF" else 1
    one_bit = image.mode == "1"
    is_jpeg = isinstance(image, JpegImagePlugin.JpegImageFile)
    if is_jpeg and image.mode == "RGB" and image.info.get("adobe_transform", 1) != 0:
        # A colour JPEG holds its luma as such, unless a marker says that it holds RGB.
        image.draft("L", None)
    with _quiet_pillow():
        image.load()
    grey = grey_of(image)
    remaining = _orientation(image)
    orientation = stated if image.format == "TIFF" else remaining
    return Decoded(
        upright(grey, remaining),
        orientation,
        _stated_dpi(image, orientation),
        one_bit or has_two_values(grey),
    )


def _orientation(image: Image.Image) -> int:
    try:
        value = int(image.getexif().get(_ORIENTATION, 1))
    except Exception:
        # Broken metadata say nothing about the picture.
        return 1
    return value if 1 <= value <= 8 else 1


def _stated_dpi(image: Image.Image, orientation: int) -> tuple[float, float] | None:
    """Resolution along x and y of the upright page."""
    try:
        x, y = (float(value) for value in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return (y, x) if swaps_axes(orientation) else (x, y)


def grey_of(image: Image.Image) -> NDArray[np.uint8]:
    """Turn a Pillow image of any mode to grey; transparent parts become white paper.

    Parameters
    ----------
    image : PIL.Image.Image
        1-bit, grey of 8 to 32 bits or float, palette, RGB, CMYK, Lab, with or without alpha.

    Returns
    -------
    ndarray of uint8, shape (H, W)
        Luma (Rec. 601) of colours; deep grey scaled from its range to 0..255.
    """
    if image.mode == "1" and "transparency" not in image.info:
        # Pillow gives these out as bytes of 0 and 255, called booleans.
        return np.asarray(image).view(np.uint8)
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _shallow(image)
    if image.mode == "LAB":
        return np.asarray(image.getchannel(0))
    if "A" in image.mode or "a" in image.mode or "transparency" in image.info:
        if image.mode not in ("LA", "RGBA"):
            image = image.convert("RGBA")
        return flatten(np.asarray(image.convert("L")), np.asarray(image.getchannel("A")))
    return np.asarray(image.convert("L"))


def flatten(grey: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay a partly transparent grey image, shape (H, W), on white paper.

    An image that would vanish altogether is left opaque: its alpha is a writer's mistake.
    """
    low, high, _, _ = cv2.minMaxLoc(alpha)
    if low == 255 or high == 0:
        return grey
    # On paper of 255 only the darkness, 255 - grey, is weighted with alpha.
    shade = cv2.multiply(cv2.bitwise_not(grey), alpha, scale=1 / 255)
    return cv2.bitwise_not(shade).astype(np.uint8, copy=False)


def _shallow(image: Image.Image) -> NDArray[np.uint8]:
    """Scale grey of more than eight bits, or float, to eight."""
    values = np.asarray(image)
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    tags = image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else {}
    if values.dtype == np.uint16:
        bits = tags.get(_BITS, (16,))[0]
        top = float(2**bits - 1)
    else:
        low, high = float(values.min()), float(values.max())
        if not np.isfinite(low + high):
            values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
            low, high = float(values.min()), float(values.max())
        if low < 0:
            values = np.maximum(values, 0)
        # The file does not say what white is: take the smallest customary range that holds it.
        ranges = (1.0, 255.0, 65535.0) if values.dtype.kind == "f" else (255.0, 65535.0)
        top = next((value for value in ranges if high <= value), high)
    grey = cv2.convertScaleAbs(values, alpha=255 / top)
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        # Pillow inverts such images up to eight bits only.
        grey = cv2.bitwise_not(grey)
    return grey.astype(np.uint8, copy=False)


def has_two_values(grey: NDArray[np.uint8]) -> bool:
    """Tell whether an image, shape (H, W), holds no more than two values."""
    sample = np.unique(grey[:: max(1, grey.shape[0] // 16)])
    if len(sample) > 2:
        return False
    counts = cv2.calcHist([grey], [0], None, [256], [0, 256])
    return int(np.count_nonzero(counts)) <= 2
