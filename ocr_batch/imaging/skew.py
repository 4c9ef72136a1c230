"""Measure how far a page's lines are from level, and turn pages."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["estimate_skew", "rotate", "turn"]

Grey = NDArray[np.uint8]
Affine = NDArray[np.float64]

_LIMIT_DEGREES = 12.0
# The best angle must gather the baselines this much better than a typical angle does, and stand
# out of the other angles' scatter by so many standard deviations: few marks gather by chance.
_CLEAR_PEAK = 1.25
_CLEAR_DEVIATIONS = 8.0
# Bins in x-heights: coarse ones do not miss the peak, fine ones place it.
_COARSE_BIN = 0.3
_FINER = ((0.05, 0.15), (0.01, 0.1))
_MIN_POINTS = 30


def _sharpness(
    x: NDArray[np.float64], y: NDArray[np.float64], angles: NDArray[np.float64], pitch: float
) -> NDArray[np.float64]:
    slopes = np.tan(np.radians(angles))
    rows = (y[None, :] - slopes[:, None] * x[None, :]) / pitch
    rows -= rows.min()
    low = np.floor(rows).astype(np.int64)
    part = rows - low
    bins = int(low.max()) + 3
    offset = np.arange(len(angles))[:, None] * bins
    size = len(angles) * bins
    histogram = np.bincount((low + offset).ravel(), (1 - part).ravel(), size)
    histogram += np.bincount((low + 1 + offset).ravel(), part.ravel(), size)
    return np.asarray((histogram.reshape(len(angles), bins) ** 2).sum(axis=1), np.float64)


def estimate_skew(x: NDArray[np.float64], y: NDArray[np.float64], x_height: float) -> float:
    """Estimate the skew from the feet of the letters.

    Parameters
    ----------
    x, y : ndarray of float64, shape (N,)
        Centre and bottom of each letter-sized component, in pixels.
    x_height : float
        The page's x-height in pixels.

    Returns
    -------
    float
        Degrees by which lines run down to the right; 0.0 when no angle stands out.
    """
    if len(x) < _MIN_POINTS:
        return 0.0
    if len(x) > 4000:
        keep = np.linspace(0, len(x) - 1, 4000).astype(np.int64)
        x, y = x[keep], y[keep]
    coarse = np.arange(-_LIMIT_DEGREES, _LIMIT_DEGREES + 0.1, 0.25)
    scores = _sharpness(x, y, coarse, max(1.0, _COARSE_BIN * x_height))
    best = float(coarse[int(scores.argmax())])
    typical = float(np.median(scores))
    scatter = 1.4826 * float(np.median(np.abs(scores - typical)))
    if scores.max() < max(_CLEAR_PEAK * typical, typical + _CLEAR_DEVIATIONS * scatter):
        return 0.0
    for step, bin_size in _FINER:
        fine = np.asarray(best + np.arange(-6, 7) * step, np.float64)
        scores = _sharpness(x, y, fine, max(1.0, bin_size * x_height))
        best = float(fine[int(scores.argmax())])
    return best


def rotate(grey: Grey, degrees: float) -> tuple[Grey, Affine]:
    """Turn a page so that lines running down to the right by `degrees` become level.

    Parameters
    ----------
    grey : ndarray of uint8, shape (H, W)
        The page, white paper.
    degrees : float
        Skew as `estimate_skew` gives it.

    Returns
    -------
    turned : ndarray of uint8, shape (H', W')
        Large enough for the whole page; new corners are white.
    back : ndarray of float64, shape (2, 3)
        Affine map from pixels of `turned` to pixels of `grey`.
    """
    height, width = grey.shape
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    cosine, sine = abs(matrix[0, 0]), abs(matrix[0, 1])
    new_width = int(np.ceil(width * cosine + height * sine))
    new_height = int(np.ceil(width * sine + height * cosine))
    matrix[0, 2] += (new_width - width) / 2
    matrix[1, 2] += (new_height - height) / 2
    turned = cv2.warpAffine(
        grey, matrix, (new_width, new_height), flags=cv2.INTER_LINEAR, borderValue=255.0
    )
    return np.asarray(turned, np.uint8), np.asarray(cv2.invertAffineTransform(matrix), np.float64)


def turn(grey: Grey, quarter_turns: int) -> tuple[Grey, Affine]:
    """Turn a page clockwise by quarter turns.

    Parameters
    ----------
    grey : ndarray of uint8, shape (H, W)
        The page.
    quarter_turns : int
        0..3.

    Returns
    -------
    turned : ndarray of uint8
    back : ndarray of float64, shape (2, 3)
        Affine map from pixels of `turned` to pixels of `grey`.
    """
    height, width = grey.shape
    turned = np.ascontiguousarray(np.rot90(grey, -quarter_turns))
    back = {
        0: [[1, 0, 0], [0, 1, 0]],
        1: [[0, 1, 0], [-1, 0, height - 1]],
        2: [[-1, 0, width - 1], [0, -1, height - 1]],
        3: [[0, -1, width - 1], [1, 0, 0]],
    }[quarter_turns % 4]
    return turned, np.array(back, np.float64)
