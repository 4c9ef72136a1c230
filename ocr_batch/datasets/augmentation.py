"""Vary training crops, so that a network learns what does not matter."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["NO_AUGMENTATION", "Augmentation", "augment_crops", "augment_glyphs"]

_GREY = np.uint8(127)
_MASK_BIT = 7
#: Points of the coarse grid, each way, at which elastic shifts are drawn.
_GRID = 5
#: OpenCV's remap addresses its source by 16-bit numbers: rows of an image it can take at once.
_LONGEST = 32_000


@dataclass(frozen=True)
class Augmentation:
    """How far crops are varied while training; all zeros leaves them as they are.

    The last four are for isolated characters only: a crop cut from a line stands straight, at a
    known size.

    Attributes
    ----------
    shift_x, shift_y : int
        Largest shift in pixels of the frame.
    gain : float
        Contrast is multiplied by a factor within 1 +- this.
    noise : float
        Largest standard deviation of the added noise, as a share of full ink.
    blur : float
        Share of crops smoothed by a 3x3 binomial filter.
    geometry : float
        Standard deviation of the noise added to the geometry, in x-heights.
    rotation : float
        Largest rotation in degrees.
    zoom : float
        Width and height are scaled by factors within 1 +- this, each for itself.
    shear : float
        Largest slant: sideways shift over height.
    elastic : float
        Standard deviation, in pixels of the frame, of smooth local shifts.
    """

    shift_x: int = 2
    shift_y: int = 1
    gain: float = 0.25
    noise: float = 0.06
    blur: float = 0.15
    geometry: float = 0.03
    rotation: float = 0.0
    zoom: float = 0.0
    shear: float = 0.0
    elastic: float = 0.0


#: Leaves crops as they are.
NO_AUGMENTATION = Augmentation(0, 0, 0.0, 0.0, 0.0, 0.0)


def _shift(
    images: NDArray[np.uint8], options: Augmentation, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Shift each image (n, h, w) by whole pixels, zeros coming in."""
    reach_x, reach_y = options.shift_x, options.shift_y
    if not (reach_x or reach_y):
        return images
    count, height, width = images.shape
    padded = np.pad(images, ((0, 0), (reach_y, reach_y), (reach_x, reach_x)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(1, 2))
    rows = rng.integers(0, 2 * reach_y + 1, count)
    columns = rng.integers(0, 2 * reach_x + 1, count)
    shifted: NDArray[np.uint8] = windows[np.arange(count), rows, columns]
    return shifted


def _smooth(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """Smooth (n, h, w) by the binomial filter 1 2 1 in both directions, zero outside."""
    for axis in (1, 2):
        near = grey * np.float32(0.5)
        half = near * np.float32(0.5)
        source: list[slice] = [slice(None)] * 3
        target: list[slice] = [slice(None)] * 3
        for source[axis], target[axis] in (
            (slice(1, None), slice(None, -1)),
            (slice(None, -1), slice(1, None)),
        ):
            near[tuple(target)] += half[tuple(source)]
        grey = near
    return grey


def _tone(
    grey: NDArray[np.float32], options: Augmentation, rng: np.random.Generator, full: float
) -> NDArray[np.float32]:
    """Blur, re-contrast and roughen (n, h, w) in place, from ink = `full` to ink = 255."""
    count, area = len(grey), grey[0].size
    if options.blur:
        chosen = np.flatnonzero(rng.random(count) < options.blur)
        grey[chosen] = _smooth(grey[chosen])
    gain = rng.uniform(1 - options.gain, 1 + options.gain, count).astype(np.float32)
    grey *= gain[:, None, None] * np.float32(255 / full)
    if options.noise:
        # Normal noise is drawn once for a batch and read from random places: drawing it for each
        # pixel would cost more than all the rest.
        bank = rng.standard_normal(16 * area, dtype=np.float32) * np.float32(255 * options.noise)
        starts = rng.integers(0, len(bank) - area, count)
        noise = np.lib.stride_tricks.sliding_window_view(bank, area)[starts]
        strength = rng.random(count, dtype=np.float32)
        strength[rng.random(count) < 0.5] = 0.0
        noise *= strength[:, None]
        grey += noise.reshape(grey.shape)
    return np.clip(grey, 0, 255, out=grey)


def augment_crops(
    packed: NDArray[np.uint8], options: Augmentation, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Shift, blur, re-contrast and roughen packed crops, and unpack them.

    Parameters
    ----------
    packed : (n, 56, 56) uint8
        As made by `crops.pack`. Both channels of a crop are varied alike.
    options : Augmentation
    rng : numpy.random.Generator

    Returns
    -------
    (n, 56, 56, 2) uint8
    """
    if not len(packed):
        return np.empty((*packed.shape, 2), np.uint8)
    packed = _shift(packed, options, rng)
    grey = _tone(np.asarray(packed & _GREY, np.float32), options, rng, 127)
    images = np.empty((*packed.shape, 2), np.uint8)
    images[..., 1] = grey
    np.multiply(images[..., 1], packed >> _MASK_BIT, out=images[..., 0])
    return images


def _hats(side: int) -> NDArray[np.float32]:
    """Return the weights (side, _GRID) that interpolate a coarse grid's points linearly."""
    place = np.linspace(0, _GRID - 1, side)
    weights = np.maximum(0.0, 1.0 - np.abs(place[:, None] - np.arange(_GRID)))
    return np.asarray(weights, np.float32)


def _warp(
    images: NDArray[np.uint8], options: Augmentation, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Turn, scale, slant and bend each image (n, h, w) about its middle."""
    count, height, width = images.shape
    turn = np.deg2rad(rng.uniform(-options.rotation, options.rotation, count))
    slant = rng.uniform(-options.shear, options.shear, count)
    zoom = rng.uniform(1 - options.zoom, 1 + options.zoom, (2, count))
    cosine, sine = np.cos(turn), np.sin(turn)
    # From a pixel of the result to the place it is taken from.
    matrix = np.array(
        [
            [cosine / zoom[0], (sine + slant * cosine) / zoom[0]],
            [-sine / zoom[1], (cosine - slant * sine) / zoom[1]],
        ],
        np.float32,
    )
    y = np.arange(height, dtype=np.float32)[:, None] - np.float32((height - 1) / 2)
    x = np.arange(width, dtype=np.float32)[None, :] - np.float32((width - 1) / 2)
    from_x: NDArray[np.float32] = matrix[0, 0][:, None, None] * x + matrix[0, 1][:, None, None] * y
    from_y: NDArray[np.float32] = matrix[1, 0][:, None, None] * x + matrix[1, 1][:, None, None] * y
    if options.elastic:
        coarse = rng.standard_normal((2, count, _GRID, _GRID), dtype=np.float32)
        bend = _hats(height) @ (coarse * np.float32(options.elastic)) @ _hats(width).T
        from_x, from_y = from_x + bend[0], from_y + bend[1]
    from_x = from_x + np.float32((width - 1) / 2)
    from_y = from_y + np.float32((height - 1) / 2)
    # All images below one another, each with an empty row above and below: one call for all.
    step = height + 2
    result = np.empty_like(images)
    many = max(1, _LONGEST // step)
    for start in range(0, count, many):
        rows = slice(start, min(start + many, count))
        stack = np.pad(images[rows], ((0, 0), (1, 1), (0, 0)))
        number = len(stack)
        top = (np.arange(number, dtype=np.float32) * step + 1)[:, None, None]
        at_y = np.clip(from_y[rows], -1, height) + top
        result[rows] = cv2.remap(
            stack.reshape(-1, width),
            from_x[rows].reshape(-1, width),
            at_y.reshape(-1, width),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=0,
        ).reshape(number, height, width)
    return result


def augment_glyphs(
    images: NDArray[np.uint8], options: Augmentation, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Bend, shift, blur, re-contrast and roughen isolated characters.

    Parameters
    ----------
    images : (n, f, f) uint8
        Ink 255 on 0.
    options : Augmentation
    rng : numpy.random.Generator

    Returns
    -------
    (n, f, f) uint8

    References
    ----------
    Simard, Steinkraus, Platt (2003), Best practices for convolutional neural networks applied to
    visual document analysis.
    """
    if options == NO_AUGMENTATION:
        return images
    if options.rotation or options.zoom or options.shear or options.elastic:
        images = _warp(images, options, rng)
    images = _shift(images, options, rng)
    if len(images) and (options.blur or options.gain or options.noise):
        images = _tone(images.astype(np.float32), options, rng, 255).astype(np.uint8)
    return images
