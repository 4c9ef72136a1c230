"""Fit each line's baseline and x-height to the boxes of its letters."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocr_batch.layout.components import Components

__all__ = ["fit_baselines", "fit_x_heights"]

# In x-heights, unless a ratio.
_LEAST = 0.35
_ASCENDER_RATIOS = (1.22, 1.85)
# Letters that make a line; degrees of the fits of short, middling and long lines, -1 for none.
_FEWEST = 4
_DEGREES = np.array([[0, 0, -1, -1, -1], [0, 1, 1, 1, -1], [0, 1, 1, 2, 2]])
_STEEPEST = 0.06


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
    order = np.argsort(line_of, kind="stable")
    start = np.searchsorted(line_of[order], np.arange(len(box)))
    stop = np.searchsorted(line_of[order], np.arange(len(box)), side="right")
    members = order[start[0] if len(box) else 0 :]
    line = line_of[members].astype(np.int64)
    x = components.left[members] + components.width[members] / 2 - box[line, 0]
    y = components.bottom[members].astype(np.float64)
    fit = np.zeros((len(box), 3))
    unit = np.zeros(len(box))
    offset = start[0] if len(box) else 0
    for number, (first, last) in enumerate(zip(start - offset, stop - offset, strict=True)):
        tall = _median(np.sort(components.height[members[first:last]]))
        feet = np.sort(y[first:last])
        if last - first < _FEWEST:
            # Too few to tell a descender: the higher foot is the safer baseline.
            unit[number], fit[number, 0] = tall, _median(feet)
        else:
            unit[number] = min(max(tall, 4.0), 3 * x_height)
            fit[number, 0] = _densest(feet, 0.12 * unit[number])
    return _refine(fit, x, y, line, unit)


def _refine(
    fit: NDArray[np.float64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    line: NDArray[np.int64],
    unit: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Fit polynomials of growing degree to the feet near the last fit, all lines at once."""
    count = len(fit)
    number = np.bincount(line, minlength=count)
    left, right = _extremes(x, line, count)
    span = np.where(number > 0, right - left, 0.0)
    # The page is level: a few words with many descenders do not say otherwise.
    course = np.where(span < 8 * unit, 0, np.where(span < 25 * unit, 1, 2))
    tolerance = 0.3 * unit + 0.004 * span
    active = number >= _FEWEST
    for degrees in _DEGREES.T:
        degree = degrees[course]
        active &= degree >= 0
        near = active[line] & (np.abs(y - _value(fit[line], x)) < tolerance[line])
        own, xs, ys = line[near], x[near], y[near]
        held = np.bincount(own, minlength=count)
        low, high = _extremes(xs, own, count)
        active &= (held >= np.maximum(3 + degree, 0.3 * number)) & (high - low >= 4 * unit)
        solution = _least_squares(xs, ys, own, degree, held)
        active &= np.abs(solution[:, 1]) <= _STEEPEST
        fit = np.where(active[:, None], solution, fit)
        tolerance = np.where(active, np.maximum(0.16 * unit, 0.6 * tolerance), tolerance)
    return fit


def _extremes(
    values: NDArray[np.float64], group: NDArray[np.int64], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the least and the largest value of each group; infinities for one without any."""
    low, high = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(low, group, values)
    np.maximum.at(high, group, values)
    return low, high


def _value(fit: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(fit[:, 0] + x * (fit[:, 1] + x * fit[:, 2]), np.float64)


def _least_squares(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    group: NDArray[np.int64],
    degree: NDArray[np.int64],
    held: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Fit a polynomial of degree 0..2 to each group, by polynomials orthogonal on its x.

    Returns
    -------
    ndarray of float64, shape (L, 3)
        Coefficients of 1, x, x²; anything for a group too small for its degree.
    """
    count = len(held)

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(group, values, count) / np.maximum(held, 1)

    centre, level = mean(x), mean(y)
    u, rest = x - centre[group], y - level[group]
    spread = mean(u * u)
    positive = np.where(spread > 0, spread, 1.0)
    slope = np.where(degree >= 1, mean(u * rest) / positive, 0.0)
    # u² made orthogonal to 1 and u: u² - tilt u - spread.
    tilt = mean(u * u * u) / positive
    v = u * u - tilt[group] * u - spread[group]
    size = mean(v * v)
    bend = np.where(degree == 2, mean(v * rest) / np.where(size > 0, size, 1.0), 0.0)
    # Back to powers of x.
    first = slope - bend * tilt
    constant = level - bend * spread - first * centre + bend * centre * centre
    return np.stack([constant, first - 2 * bend * centre, bend], axis=1)


def _median(ordered: NDArray[Any]) -> float:
    """Return the median of sorted values, at least one."""
    half = len(ordered) // 2
    if len(ordered) % 2:
        return float(ordered[half])
    return (float(ordered[half - 1]) + float(ordered[half])) / 2


def _densest(ordered: NDArray[np.float64], width: float) -> float:
    """Return the centre of the window of `width` that holds the most of sorted values."""
    held = np.searchsorted(ordered, ordered + max(width, 1.0), side="right") - np.arange(
        len(ordered)
    )
    best = int(held.argmax())
    return _median(ordered[best : best + int(held[best])])


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
    rise = np.sort(rise)
    width = max(1.5, 0.09 * _median(rise))
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
