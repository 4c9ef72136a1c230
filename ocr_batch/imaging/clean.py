"""Clean a page: level its paper, tell ink from paper, find scanner borders."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "binarise",
    "is_reversed",
    "level_background",
    "remove_borders",
    "sauvola_threshold",
]

Grey = NDArray[np.uint8]
Mask = NDArray[np.bool_]

# Sauvola's parameters (Sauvola and Pietikäinen, 2000), for paper levelled to 255.
_SAUVOLA_K = 0.28
_SAUVOLA_RANGE = 128.0


def is_reversed(grey: Grey) -> bool:
    """Tell whether a page is light text on a dark ground.

    Parameters
    ----------
    grey : ndarray of uint8, shape (H, W)
        The page as decoded.

    Returns
    -------
    bool
        True when more than 60 % of the page, its outer twentieth left out, is on the dark side
        of Otsu's threshold and the two sides are far apart.
    """
    rows, columns = grey.shape[0] // 20, grey.shape[1] // 20
    inner = grey[rows : grey.shape[0] - rows or None, columns : grey.shape[1] - columns or None]
    step = max(1, min(inner.shape) // 400)
    sample = np.ascontiguousarray(inner[::step, ::step])
    threshold, _ = cv2.threshold(sample, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    dark = sample <= threshold
    share = float(dark.mean())
    if share <= 0.6 or share == 1.0:
        return False
    return float(sample[~dark].mean()) - float(sample[dark].mean()) > 60


def level_background(grey: Grey) -> Grey:
    """Divide a page by its paper, so that paper becomes 255 everywhere.

    Parameters
    ----------
    grey : ndarray of uint8, shape (H, W)
        Dark ink on lighter paper.

    Returns
    -------
    ndarray of uint8, shape (H, W)
        Paper near 255; the darkest hundredth of the ink is stretched to 0.
    """
    height, width = grey.shape
    factor = max(1, min(8, min(height, width) // 16))
    small = cv2.resize(
        grey,
        (max(1, width // factor), max(1, height // factor)),
        interpolation=cv2.INTER_AREA,
    )
    # A closing wider than any letter leaves the paper; the median takes away its steps.
    size = max(3, round(min(small.shape) / 24) | 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (size, size))
    paper = cv2.morphologyEx(small, cv2.MORPH_CLOSE, kernel)
    paper = cv2.medianBlur(paper, min(size, 31) | 1)
    paper = cv2.blur(paper, (size, size))
    paper = cv2.resize(np.maximum(paper, 16), (width, height), interpolation=cv2.INTER_LINEAR)
    levelled = cv2.divide(grey, paper, scale=255)
    histogram = np.bincount(levelled.ravel()[:: max(1, levelled.size // 500_000)], minlength=256)
    ink = histogram[:200]
    if ink.sum() == 0:
        return np.asarray(levelled, np.uint8)
    black = int(np.searchsorted(np.cumsum(ink), 0.2 * ink.sum()))
    black = min(black, 140)
    table = np.clip((np.arange(256) - black) * (255.0 / (255 - black)), 0, 255)
    return np.asarray(cv2.LUT(levelled, table.astype(np.uint8)), np.uint8)


def sauvola_threshold(grey: Grey, window: int, k: float = _SAUVOLA_K) -> Grey:
    """Compute Sauvola's local threshold at half resolution.

    Parameters
    ----------
    grey : ndarray of uint8, shape (H, W)
        A levelled page.
    window : int
        Side of the square window, in pixels of `grey`; about three x-heights.
    k : float
        Sauvola's sensitivity.

    Returns
    -------
    ndarray of uint8, shape (H, W)
        A pixel is ink when it is at or below its threshold.

    References
    ----------
    J. Sauvola, M. Pietikäinen, "Adaptive document image binarization", 2000.
    """
    height, width = grey.shape
    half = cv2.resize(
        grey, (max(1, width // 2), max(1, height // 2)), interpolation=cv2.INTER_AREA
    ).astype(np.float32)
    size = (max(3, (window // 2) | 1),) * 2
    edge = cv2.BORDER_REPLICATE
    mean = np.asarray(cv2.boxFilter(half, cv2.CV_32F, size, borderType=edge), np.float32)
    squares = np.asarray(cv2.sqrBoxFilter(half, cv2.CV_32F, size, borderType=edge), np.float32)
    variance = squares - mean * mean
    deviation = cv2.sqrt(np.maximum(variance, 0, out=variance))
    threshold = mean * (1 + k * (deviation / _SAUVOLA_RANGE - 1))
    # Even paper has no ink however low the contrast: keep the threshold well under white.
    small = np.clip(threshold, 0, 224).astype(np.uint8)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def binarise(grey: Grey, window: int) -> Mask:
    """Tell ink from paper by Sauvola's threshold.

    Parameters
    ----------
    grey : ndarray of uint8, shape (H, W)
        A levelled page.
    window : int
        Side of the window in pixels; about three x-heights.

    Returns
    -------
    ndarray of bool, shape (H, W)
        True is ink.
    """
    return np.asarray(grey <= sauvola_threshold(grey, window), np.bool_)


def remove_borders(
    shape: tuple[int, int], boxes: NDArray[np.int32], x_height: float
) -> NDArray[np.bool_]:
    """Find the components that are the scanner's dark border.

    Parameters
    ----------
    shape : tuple of int
        (H, W) of the page.
    boxes : ndarray of int32, shape (N, 4)
        left, top, width, height of each component.
    x_height : float
        The page's x-height in pixels.

    Returns
    -------
    ndarray of bool, shape (N,)
        True for a component that touches the page's edge and is larger than a letter.
    """
    height, width = shape
    left, top, wide, high = boxes.T
    touches = (left <= 1) | (top <= 1) | (left + wide >= width - 1) | (top + high >= height - 1)
    return np.asarray(touches & (np.maximum(wide, high) > 3.0 * x_height), np.bool_)
