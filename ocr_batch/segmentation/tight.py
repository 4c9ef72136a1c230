"""Fit isolated characters to the frame: the tight contract of training and classifying.

Such an image holds one character and no line, so its size and height mean nothing: its ink is
scaled to one length and centred.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["fit_glyphs", "ink_extent", "is_light_ground", "level_ground", "to_ink"]

Images = Sequence[NDArray[np.uint8]] | NDArray[np.uint8]

#: Ink is what exceeds this share of the darkest ink of its image.
_INK_SHARE = 1 / 3
#: An image whose greatest value is less than this is blank.
_FAINTEST = 32
#: Ground darker than this is scanned paper, not the empty ground of a made image.
_CLEAN_GROUND = 16
#: Rim of grey around the ink that is scaled along with it, in pixels of the source.
_RIM = 1
_MANY = 4096


def _ink(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell the ink of images (n, h, w), 255 on 0; all False where blank."""
    darkest = images.max(axis=(1, 2)).astype(np.float32)
    least: NDArray[np.float32] = np.where(
        darkest < _FAINTEST, np.float32(255), darkest * np.float32(_INK_SHARE)
    )
    ink: NDArray[np.bool_] = np.greater(images, least[:, None, None])
    return ink


def _boxes(images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the ink's box (left, top, right, bottom) of each image (n, h, w); zeros if blank."""
    result = np.zeros((len(images), 4), np.int64)
    if 0 in images.shape:
        return result
    for start in range(0, len(images), _MANY):
        part = slice(start, start + _MANY)
        ink = _ink(images[part])
        for column, axis in ((0, 1), (1, 2)):
            profile: NDArray[np.bool_] = np.logical_or.reduce(ink, axis=axis)
            first = profile.argmax(axis=1)
            last = profile.shape[1] - profile[:, ::-1].argmax(axis=1)
            some = profile.any(axis=1)
            result[part, column] = np.where(some, first, 0)
            result[part, column + 2] = np.where(some, last, 0)
    return result


def ink_extent(images: NDArray[np.uint8]) -> int:
    """Return the median longest side of the ink, in pixels.

    Parameters
    ----------
    images : (N, h, w) uint8
        Ink 255 on 0. Blank ones do not count.

    Returns
    -------
    int
        0 when all are blank.
    """
    box = _boxes(images)
    longest = np.maximum(box[:, 2] - box[:, 0], box[:, 3] - box[:, 1])
    longest = longest[longest > 0]
    return round(float(np.median(longest))) if len(longest) else 0


def _middle(image: NDArray[np.uint8], frame: int) -> NDArray[np.uint8]:
    """Lay an image (h, w) in the middle of a frame, cutting off what is outside."""
    height, width = image.shape
    top, left = max(0, (height - frame) // 2), max(0, (width - frame) // 2)
    image = image[top : top + frame, left : left + frame]
    height, width = image.shape
    result = np.zeros((frame, frame), np.uint8)
    top, left = (frame - height) // 2, (frame - width) // 2
    result[top : top + height, left : left + width] = image
    return result


def _fit(
    image: NDArray[np.uint8], box: NDArray[np.int64], frame: int, extent: int
) -> NDArray[np.uint8]:
    """Scale the ink of one image to `extent` and centre it."""
    left, top, right, bottom = (int(value) for value in box)
    longest = max(right - left, bottom - top)
    if longest == 0:
        return np.zeros((frame, frame), np.uint8)
    scale = extent / longest
    padded = np.zeros((bottom - top + 2 * _RIM, right - left + 2 * _RIM), np.uint8)
    from_y, from_x = max(0, top - _RIM), max(0, left - _RIM)
    part = image[from_y : bottom + _RIM, from_x : right + _RIM]
    at_y, at_x = from_y - (top - _RIM), from_x - (left - _RIM)
    padded[at_y : at_y + part.shape[0], at_x : at_x + part.shape[1]] = part
    height, width = (max(1, round(side * scale)) for side in padded.shape)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return _middle(np.asarray(cv2.resize(padded, (width, height), interpolation=method)), frame)


def fit_glyphs(images: Images, frame: int, extent: int) -> NDArray[np.uint8]:
    """Bring isolated characters to the frame.

    An image of exactly ``frame x frame`` pixels is taken as it is. Of any other the ink is scaled,
    both ways alike, so that its longest side is `extent`, and centred by its box. Blank images
    stay blank.

    Parameters
    ----------
    images : (N, h, w) uint8, or sequence of (h, w) uint8
        Ink 255 on 0.
    frame : int
        Side of the frame in pixels.
    extent : int
        Longest side of the ink in pixels, at most `frame`.

    Returns
    -------
    (N, frame, frame) uint8
        The very array given when nothing is to be done.

    Raises
    ------
    ValueError
        If `extent` is not within 1..`frame`, or an image is not a two-dimensional uint8 array.
    """
    if not 1 <= extent <= frame:
        raise ValueError(f"an extent of {extent} does not fit a frame of {frame}")
    if isinstance(images, np.ndarray):
        if images.dtype != np.uint8 or images.ndim != 3:
            raise ValueError(f"images must be (N, h, w) uint8, not {images.shape} {images.dtype}")
        if images.shape[1:] == (frame, frame):
            return images
        boxes: Sequence[NDArray[np.int64]] | NDArray[np.int64] = _boxes(images)
    else:
        if any(image.dtype != np.uint8 or image.ndim != 2 for image in images):
            raise ValueError("each image must be (h, w) uint8")
        boxes = [_boxes(image[None])[0] for image in images]
    result = np.zeros((len(images), frame, frame), np.uint8)
    for number, (image, box) in enumerate(zip(images, boxes, strict=True)):
        exact = image.shape == (frame, frame)
        result[number] = image if exact else _fit(image, box, frame, extent)
    return result


def _border(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the outermost pixels (n, p) of images (n, h, w)."""
    sides = (images[:, 0], images[:, -1], images[:, 1:-1, 0], images[:, 1:-1, -1])
    return np.concatenate(sides, axis=1)


def _ground(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.asarray(np.median(_border(images), axis=1), np.float64)


def is_light_ground(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell which images show dark ink on a light ground, by their borders.

    Parameters
    ----------
    images : (N, h, w) uint8
        The ground is the median of the border, and light when it lies in the upper half of the
        image's values. An image of one value is taken for empty ground.

    Returns
    -------
    (N,) bool
    """
    if 0 in images.shape:
        return np.zeros(len(images), bool)
    low = images.min(axis=(1, 2)).astype(np.float64)
    high = images.max(axis=(1, 2)).astype(np.float64)
    ground = _ground(images)
    flat = high - low < _FAINTEST
    return np.where(flat, ground > 127, 2 * ground > low + high)


def level_ground(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Stretch one image so that its ground is 0 and its darkest ink 255.

    Parameters
    ----------
    image : (h, w) uint8
        Ink light, ground dark. Returned as it is when the ground is clean (at most 16) or when
        there is no ink on it.

    Returns
    -------
    (h, w) uint8
    """
    if not image.size:
        return image
    ground, darkest = float(_ground(image[None])[0]), float(image.max())
    if ground <= _CLEAN_GROUND:
        return image
    if darkest - ground < _FAINTEST:
        return np.zeros_like(image)
    levelled = (image.astype(np.float32) - ground) * (255 / (darkest - ground))
    return np.asarray(np.clip(np.rint(levelled), 0, 255), np.uint8)


def to_ink(images: Images) -> tuple[list[NDArray[np.uint8]], NDArray[np.bool_]]:
    """Turn scans of isolated characters to ink 255 on 0, each by its own border.

    Parameters
    ----------
    images : (N, h, w) uint8, or sequence of (h, w) uint8
        Dark on light or light on dark.

    Returns
    -------
    images : list of (h, w) uint8
        Ink 255 on 0; the grey of paper is taken off.
    inverted : (N,) bool
        Which were dark on light.
    """
    inverted = np.zeros(len(images), bool)
    result = []
    for number, image in enumerate(images):
        inverted[number] = is_light_ground(image[None])[0]
        result.append(level_ground(np.bitwise_not(image) if inverted[number] else image))
    return result, inverted
