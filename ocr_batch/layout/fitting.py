"""Fit each line's baseline and x-height to the boxes of its letters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ocr_batch.layout.components import Components

__all__ = ["fit_baselines", "fit_x_heights"]

# In x-heights, unless a ratio.
_LEAST = 0.35
_ASCENDER_RATIOS = (1.22, 1.85)


def fit_baselines(
    components: Components,
    line_of: NDArray[np.int32],
    box: NDArray[np.float64],
    x_height: float,
) -> NDArray[np.float64]:
    """Fit the feet of each line's letters; descenders and dirt are trimmed away.

    Parameters
    ----------
    components : Components
        The page's.
    line_of : ndarray of int32, shape (N,)
        Line of each component, -1 for none.
    box : ndarray of float64, shape (L, 4)
        left, top, right, bottom of each line, in pixels.
    x_height : float
        The page's, in pixels.

    Returns
    -------
    ndarray of float64, shape (L, 3)
        Coefficients c of y = c0 + c1 x + c2 x², x counted from the line's left.
    """
    coefficients = np.zeros((len(box), 3))
    order = np.argsort(line_of, kind="stable")
    start = np.searchsorted(line_of[order], np.arange(len(box)))
    stop = np.searchsorted(line_of[order], np.arange(len(box)), side="right")
    for line in range(len(box)):
        members = order[start[line] : stop[line]]
        x = components.left[members] + components.width[members] / 2 - box[line, 0]
        y = components.bottom[members].astype(np.float64)
        coefficients[line] = _fit_baseline(x, y, components.height[members], x_height)
    return coefficients


def _fit_baseline(
    x: NDArray[np.float64], y: NDArray[np.float64], height: NDArray[np.int32], x_height: float
) -> NDArray[np.float64]:
    unit = float(np.median(height)) if len(height) < 4 else max(float(np.median(height)), 4.0)
    unit = min(unit, 3 * x_height)
    if len(x) < 4:
        # Too few to tell a descender: the higher foot is the safer baseline.
        return np.array([float(np.median(y)), 0.0, 0.0])
    fit = np.array([_densest(y, 0.12 * unit), 0.0, 0.0])
    span = float(x.max() - x.min())
    # The page is level: a few words with many descenders do not say otherwise.
    degrees = (0, 0) if span < 8 * unit else (0, 1, 1, 1) if span < 25 * unit else (0, 1, 1, 2, 2)
    tolerance = 0.3 * unit + 0.004 * span
    for degree in degrees:
        residual = y - np.polynomial.polynomial.polyval(x, fit)
        keep = np.abs(residual) < tolerance
        if keep.sum() < max(3 + degree, 0.3 * len(x)) or np.ptp(x[keep]) < 4 * unit:
            break
        solution = np.polynomial.polynomial.polyfit(x[keep], y[keep], degree)
        limit = 0.06
        if degree >= 1 and abs(solution[1]) > limit:
            break
        fit = np.pad(solution, (0, 3 - len(solution)))
        tolerance = max(0.16 * unit, 0.6 * tolerance)
    return np.asarray(fit, np.float64)


def _densest(values: NDArray[np.float64], width: float) -> float:
    """Return the centre of the window of `width` that holds the most values."""
    ordered = np.sort(values)
    held = np.searchsorted(ordered, ordered + max(width, 1.0), side="right") - np.arange(
        len(ordered)
    )
    best = int(held.argmax())
    return float(np.median(ordered[best : best + int(held[best])]))


def fit_x_heights(
    components: Components,
    line_of: NDArray[np.int32],
    box: NDArray[np.float64],
    baseline: NDArray[np.float64],
    x_height: float,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Measure each line's x-height from the two levels on which letters end.

    Parameters
    ----------
    components : Components
        The page's.
    line_of : ndarray of int32, shape (N,)
        Line of each component, -1 for none.
    box : ndarray of float64, shape (L, 4)
        left, top, right, bottom of each line, in pixels.
    baseline : ndarray of float64, shape (L, 3)
        From `fit_baselines`.
    x_height : float
        The page's, in pixels.

    Returns
    -------
    heights : ndarray of float64, shape (L,)
        In pixels.
    sure : ndarray of bool, shape (L,)
        Whether the line itself tells, and not only the page.
    """
    member = line_of >= 0
    line = line_of[member]
    x = components.left[member] + components.width[member] / 2 - box[line, 0]
    c = baseline[line]
    foot = c[:, 0] + c[:, 1] * x + c[:, 2] * x * x
    rise = foot - components.top[member]
    drop = components.bottom[member] - foot
    order = np.argsort(line, kind="stable")
    start = np.searchsorted(line[order], np.arange(len(box)))
    stop = np.searchsorted(line[order], np.arange(len(box)), side="right")
    low = np.zeros(len(box))
    high = np.zeros(len(box))
    for k in range(len(box)):
        own = order[start[k] : stop[k]]
        letters = rise[own][(drop[own] > -0.35 * rise[own]) & (rise[own] > 0.3 * x_height)]
        low[k], high[k] = _two_levels(letters, x_height)
    both = (low > 0) & (high > 0)
    ratio = float(np.median(high[both] / low[both])) if both.sum() >= 3 else 1.45
    page = float(np.median(low[both])) if both.sum() >= 3 else x_height
    heights = low.copy()
    sure = both.copy()
    single = (low > 0) & ~both
    # One level only: it is the x-height or the capitals', whichever is nearer to the page's.
    as_small = np.abs(np.log(np.maximum(low, 1e-6) / page))
    as_capital = np.abs(np.log(np.maximum(low, 1e-6) / (ratio * page)))
    capital = single & (as_capital < as_small)
    heights[capital] = low[capital] / ratio
    missing = heights < _LEAST * x_height
    heights[missing] = page
    sure[missing] = False
    return heights, sure


def _two_levels(rise: NDArray[np.float64], x_height: float) -> tuple[float, float]:
    """Find the x-height level and the ascender level; 0.0 for one that is not there."""
    if not len(rise):
        return 0.0, 0.0
    width = max(1.5, 0.09 * float(np.median(rise)))
    first = _densest(rise, width)
    held = np.abs(rise - first) <= width
    least = max(1.0, 0.08 * len(rise))
    lower = rise[(rise > first / _ASCENDER_RATIOS[1]) & (rise < first / _ASCENDER_RATIOS[0])]
    upper = rise[(rise > first * _ASCENDER_RATIOS[0]) & (rise < first * _ASCENDER_RATIOS[1])]
    if len(lower) >= max(least, 0.25 * held.sum()) and len(lower) >= 2:
        level = _densest(lower, width)
        if (np.abs(lower - level) <= width).sum() >= max(2, 0.5 * len(lower)):
            return level, first
    if len(upper) >= least:
        return first, _densest(upper, width)
    return first, 0.0
