"""Recognise how a source stores its images, and bring them to ink 255 on 0."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocr_batch.errors import TrainingError
from ocr_batch.segmentation.tight import is_light_ground

__all__ = ["to_images"]

Arrays = Sequence[NDArray[Any]] | NDArray[Any]
Images = Sequence[NDArray[np.uint8]] | NDArray[np.uint8]

_MANY = 4096
#: Images that polarity is judged by.
_SAMPLE = 2000
_SIDES = (4, 4096)
#: Values up to 255 whose greatest is less than this are on a scale that is not known.
_LEAST_TOP = 64
#: How far numbers with a fraction may lie outside 0..1, and outside 0..255: resizing and rounding
#: errors do that.
_BEYOND_ONE, _BEYOND_BYTE = 0.0101, 0.5
#: A share of images of the other polarity that is worth a warning.
_MIXED = 0.05


def _parts(images: Arrays) -> Iterator[NDArray[Any]]:
    """Yield the images in blocks, as arrays of three dimensions."""
    if isinstance(images, np.ndarray):
        for start in range(0, len(images), _MANY):
            yield images[start : start + _MANY]
    else:
        for image in images:
            yield image[None]


def _check_side(height: int, width: int, source: str) -> None:
    least, most = _SIDES
    if not (least <= height <= most and least <= width <= most):
        raise TrainingError(
            f"{source}: an image of {width}x{height} pixels is not an isolated character; "
            f"sides of {least} to {most} pixels can be used"
        )


def _shaped(array: NDArray[Any], source: str) -> tuple[NDArray[Any], str]:
    """Return images as (N, h, w), and what their shape was if another."""
    shape = array.shape
    if array.ndim == 4 and shape[3] == 1:
        return array[..., 0], ""
    if array.ndim == 4 and shape[1] == 1:
        return array[:, 0], ""
    if array.ndim == 3:
        return array, ""
    if array.ndim == 2:
        side = math.isqrt(shape[1])
        if side * side == shape[1]:
            return array.reshape(-1, side, side), f"rows of {shape[1]:,} values"
        raise TrainingError(
            f"{source}: its images are rows of {shape[1]:,} values, which make no square; "
            "store them as an array (N, height, width)"
        )
    raise TrainingError(
        f"{source}: its images have shape {shape}; grey images (N, height, width) or rows "
        "(N, side x side) are known"
    )


def _arranged(images: Arrays, source: str) -> tuple[Arrays, str]:
    """Return images as one array (N, h, w), or as a list of (h, w) where their sizes differ."""
    if isinstance(images, np.ndarray) and images.dtype != object:
        array, shape = _shaped(images, source)
        _check_side(array.shape[1], array.shape[2], source)
        return array, shape
    listed = list(images)
    if not all(isinstance(image, np.ndarray) for image in listed):
        raise TrainingError(f"{source}: its images are not arrays of numbers; store them as such")
    if len({(image.shape, image.dtype.str) for image in listed}) == 1:
        return _arranged(np.stack(listed), source)
    if any(image.ndim != 2 for image in listed):
        raise TrainingError(
            f"{source}: its images differ in their number of dimensions, or are rows of different "
            "lengths; store each as an array (height, width)"
        )
    for image in listed:
        _check_side(image.shape[0], image.shape[1], source)
    return listed, ""


def _range(images: Arrays, source: str) -> tuple[float, float]:
    low, high = math.inf, -math.inf
    for part in _parts(images):
        if part.dtype.kind not in "biuf":
            raise TrainingError(
                f"{source}: its images hold {part.dtype} values; store them as numbers"
            )
        low, high = min(low, float(part.min())), max(high, float(part.max()))
        # A NaN vanishes in comparisons, but not in its block's own minimum.
        if not (np.isfinite(part.min()) and np.isfinite(part.max())):
            raise TrainingError(
                f"{source}: its images hold values that are not finite (NaN or infinite); "
                "mend or leave out those images"
            )
    return low, high


def _scale(images: Arrays, source: str) -> tuple[float, str]:
    """Return the factor that brings values to 0..255, and how they were recognised."""
    low, high = _range(images, source)
    kinds = {part.dtype.kind for part in _parts(images)}
    top, beyond = 1.0, _BEYOND_ONE if kinds == {"f"} else 0.0
    if high > top + beyond:
        top, beyond = 255.0, _BEYOND_BYTE if beyond else 0.0
    if low < -beyond or high > top + beyond:
        raise TrainingError(
            f"{source}: its images hold values from {low:g} to {high:g}; "
            "true/false, 0/1, 0..1 and 0..255 are known"
        )
    if low == high:
        raise TrainingError(f"{source}: all its images are blank (every value is {low:g})")
    if top == 1:
        if kinds == {"b"}:
            return 255.0, "true/false"
        whole = all(part.dtype.kind != "f" or _is_binary(part) for part in _parts(images))
        return 255.0, "0/1" if whole else "0..1"
    if high < _LEAST_TOP:
        raise TrainingError(
            f"{source}: its images hold values from {low:g} to {high:g}, on a scale that is not "
            f"known; divide them by {high:g}"
        )
    return 1.0, "0..255"


def _is_binary(part: NDArray[Any]) -> bool:
    return bool(((part == 0) | (part == 1)).all())


def _bytes(part: NDArray[Any], factor: float) -> NDArray[np.uint8]:
    if part.dtype == np.uint8 and factor == 1:
        return part
    if part.dtype.kind == "f":
        return np.asarray(np.rint(part * part.dtype.type(factor)).clip(0, 255), np.uint8)
    return part.astype(np.uint8) * np.uint8(factor)


def _light_share(images: Arrays, factor: float) -> float:
    """Return the share of images with a light ground, judged by a sample."""
    chosen = np.unique(np.linspace(0, len(images) - 1, min(len(images), _SAMPLE)).astype(int))
    if isinstance(images, np.ndarray):
        blocks = [images[chosen]]
    else:
        blocks = [images[number][None] for number in chosen]
    verdicts, blank = [], []
    for block in blocks:
        pixels = _bytes(block, factor)
        verdicts.append(is_light_ground(pixels))
        blank.append(pixels.min(axis=(1, 2)) == pixels.max(axis=(1, 2)))
    light, ignored = np.concatenate(verdicts), np.concatenate(blank)
    return float(light[~ignored].mean()) if not ignored.all() else 0.0


def to_images(images: Arrays, source: str) -> tuple[Images, tuple[str, ...]]:
    """Recognise shape, scale and polarity of a source's images, and make them ink 255 on 0.

    Parameters
    ----------
    images : array or sequence of (h, w) arrays
        (N, h, w), (N, h, w, 1), (N, 1, h, w) or square images as rows (N, side * side); bool,
        0/1, 0..1 or 0..255 of any number type; fractions may overshoot a little. Polarity is
        judged for the source as a whole, by the borders of a sample: the ground is what lies there.
    source : str
        What to call it in notes and errors.

    Returns
    -------
    images : (N, h, w) uint8, or list of (h, w) uint8
    notes : tuple of str

    Raises
    ------
    TrainingError
        If it is empty, of another shape, holds values that are not finite or on no known scale.
    """
    if not len(images):
        raise TrainingError(f"{source}: there is no image in it")
    arranged, shape = _arranged(images, source)
    factor, values = _scale(arranged, source)
    light = _light_share(arranged, factor)
    invert = light > 0.5
    if isinstance(arranged, np.ndarray):
        size = f"{arranged.shape[2]}x{arranged.shape[1]}"
    else:
        size = "different sizes"
    note = f"{source}: {len(arranged):,} images of {size}"
    note += f" (from {shape})" if shape else ""
    note += f", values {values}"
    note += ", dark on light, turned round" if invert else ", light on dark"
    notes = [note]
    if _MIXED < light < 1 - _MIXED:
        odd = min(light, 1 - light)
        notes.append(
            f"warning: {source}: about {odd:.0%} of the images seem to be of the other polarity"
        )
    return _converted(arranged, factor, invert), tuple(notes)


def _converted(images: Arrays, factor: float, invert: bool) -> Images:
    if isinstance(images, np.ndarray) and images.dtype == np.uint8 and factor == 1 and not invert:
        return images
    blocks = (_bytes(part, factor) for part in _parts(images))
    turned = (np.bitwise_not(part) if invert else part for part in blocks)
    if not isinstance(images, np.ndarray):
        return [part[0] for part in turned]
    result = np.empty(images.shape, np.uint8)
    start = 0
    for part in turned:
        result[start : start + len(part)] = part
        start += len(part)
    return result
