"""Clean a page: level its paper, tell ink from paper, drop scanner borders and long rules."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "binarise",
    "is_reversed",
    "level_background",
    "long_runs",
    "remove_borders",
    "remove_rules",
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


def long_runs(ink: Mask, length: int, *, vertical: bool) -> NDArray[np.bool_]:
    """Tell in which rows (or columns) there may be a run of ink of some length.

    Parameters
    ----------
    ink : ndarray of bool, shape (H, W)
        True is ink.
    length : int
        Pixels.
    vertical : bool
        Whether runs go down the columns.

    Returns
    -------
    ndarray of bool, shape (H,), or (W,) when vertical
        True for each row (column) that has such a run, and for some that do not.
    """
    # A run of 8 k + 7 pixels holds k whole bytes of eight pixels, wherever they begin.
    whole = (length - 7) // 8
    if whole < 1:
        return np.ones(ink.shape[1 if vertical else 0], np.bool_)
    if vertical:
        rows = ink.shape[0] // 8
        full = np.asarray(ink[: 8 * rows].reshape(rows, 8, ink.shape[1]).all(axis=1), np.bool_)
    else:
        full = np.asarray(np.packbits(ink, axis=1) == 255, np.bool_)
    if not full.any():
        return np.zeros(ink.shape[1 if vertical else 0], np.bool_)
    shape = (1, whole) if vertical else (whole, 1)
    # Only the run itself may make a byte count, not what lies outside of the page.
    runs = cv2.erode(
        np.asarray(full.view(np.uint8)),
        cv2.getStructuringElement(cv2.MORPH_RECT, shape),
        borderType=cv2.BORDER_CONSTANT,
        borderValue=0.0,
    )
    return np.asarray(runs.any(axis=0 if vertical else 1), np.bool_)


def _spans(chosen: NDArray[np.bool_], margin: int) -> list[slice]:
    """Return the stretches that hold all chosen places with a margin about each."""
    places = np.flatnonzero(chosen)
    if not len(places):
        return []
    apart = np.flatnonzero(np.diff(places) > 2 * margin)
    first = places[np.r_[0, apart + 1]] - margin
    last = places[np.r_[apart, len(places) - 1]] + margin + 1
    return [
        slice(max(0, start), min(len(chosen), stop))
        for start, stop in zip(first.tolist(), last.tolist(), strict=True)
    ]


def _rule_pixels(ink: Grey, length: int, thickness: int, *, vertical: bool) -> Grey:
    shape = (1, length) if vertical else (length, 1)
    runs = cv2.morphologyEx(ink, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_RECT, shape))
    if not runs.any():
        return np.asarray(runs, np.uint8)
    # A thick bar is not a rule: what survives an opening across is given back.
    across = (thickness + 1, 1) if vertical else (1, thickness + 1)
    thick = cv2.morphologyEx(
        runs, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_RECT, across)
    )
    return np.asarray(cv2.subtract(runs, thick), np.uint8)


def remove_rules(ink: Mask, x_height: float) -> tuple[Mask, Mask]:
    """Take long thin rules, underlines and box sides out of the ink.

    Letters that a rule crosses or touches keep their strokes: a column of the rule goes only
    where no ink continues on either side of it, and keeps its ink where a stroke passes through.

    Parameters
    ----------
    ink : ndarray of bool, shape (H, W)
        True is ink.
    x_height : float
        The page's x-height in pixels.

    Returns
    -------
    cleaned : ndarray of bool, shape (H, W)
    rules : ndarray of bool, shape (H, W)
        What was taken away.
    """
    page = ink.view(np.uint8)
    thickness = max(3, round(0.35 * x_height))
    reach = 2 * thickness + 3
    removed = np.zeros_like(page)
    for vertical, times in ((False, 4.0), (True, 5.5)):
        length = max(12, round(times * x_height))
        # Most of a page has no run that long; a part of it shows all that bears on its rules.
        for span in _spans(long_runs(ink, length, vertical=vertical), 2 * (reach + thickness)):
            part = (slice(None), span) if vertical else (span, slice(None))
            removed[part] |= _rules_of(page[part], length, thickness, reach, vertical=vertical)
    rules = removed.view(np.bool_)
    return (ink & ~rules if rules.any() else ink), rules


def _rules_of(page: Grey, length: int, thickness: int, reach: int, *, vertical: bool) -> Grey:
    """Find the pixels of rules in a part of a page."""
    rule = _rule_pixels(page, length, thickness, vertical=vertical)
    if not rule.any():
        return rule
    # The rule's rim: one pixel across, so that no fringe stays behind.
    grow = cv2.getStructuringElement(cv2.MORPH_RECT, (3, 1) if vertical else (1, 3))
    rule = np.asarray(cv2.bitwise_and(cv2.dilate(rule, grow), page), np.uint8)
    rest = cv2.subtract(page, rule)
    # A stroke passes through where ink stands on both sides: closing across the rule.
    across = (reach, 1) if vertical else (1, reach)
    joined = cv2.morphologyEx(
        rest, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_RECT, across)
    )
    return np.asarray(cv2.subtract(rule, joined), np.uint8)


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
