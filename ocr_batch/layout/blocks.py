"""Put lines into reading order and group them into blocks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["group_blocks", "reading_order"]

Boxes = NDArray[np.float64]

# A block ends where the step down to the next line is this much larger than the usual step.
_BLOCK_STEP = 1.45
# A column goes on over a step of up to this many x-heights.
_COLUMN_STEP = 3.2


def reading_order(box: Boxes, gutters: Boxes) -> NDArray[np.int64]:
    """Order lines as a reader goes: down each column, columns from left to right.

    Parameters
    ----------
    box : ndarray of float64, shape (L, 4)
        left, top, right, bottom of each line's x-height band.
    gutters : ndarray of float64, shape (G, 4)
        Strips that part columns; without one, lines are read from top to bottom.

    Returns
    -------
    ndarray of int64, shape (L,)
        Line indices in reading order.

    References
    ----------
    T. M. Breuel, "High performance document layout analysis", 2003.
    """
    count = len(box)
    middle = (box[:, 1] + box[:, 3]) / 2
    if not len(gutters) or count < 2:
        return _rows_order(box, middle)
    left, right = box[:, 0], box[:, 2]
    overlap = np.minimum(right[:, None], right[None, :]) - np.maximum(left[:, None], left[None, :])
    shared = overlap > 0
    above = middle[:, None] < middle[None, :]
    # Rule 1: of two lines in one column, the upper one comes first.
    before = shared & above
    # Rule 2: a line left of a gutter comes before one right of it, unless a line that spans the
    # gutter stands between the two.
    for x0, y0, x1, y1 in gutters:
        centre = (x0 + x1) / 2
        at = _beside(box, middle, centre, y0, y1)
        lefts = at & (right <= centre + (x1 - x0))
        rights = at & (left >= centre - (x1 - x0))
        before |= lefts[:, None] & rights[None, :]
        before &= ~(rights[:, None] & lefts[None, :] & ~shared)
    # Lines side by side with no gutter between them are one row: left comes first.
    beside = ~shared & (
        np.abs(middle[:, None] - middle[None, :]) < 0.5 * np.median(box[:, 3] - box[:, 1])
    )
    unordered = ~(before | before.T)
    before |= unordered & beside & (left[:, None] < left[None, :])
    unordered = ~(before | before.T)
    before |= unordered & above & ~beside
    np.fill_diagonal(before, False)
    return _topological(before, middle, left)


def _beside(
    box: Boxes, middle: NDArray[np.float64], centre: float, top: float, bottom: float
) -> NDArray[np.bool_]:
    """Tell which lines a gutter parts: those level with it, and those that go on a column.

    The longer of two columns runs on past the gutter's end, until a line crosses the gutter's
    course or a step is wider than one between lines.
    """
    at = (middle > top) & (middle < bottom)
    crossing = (box[:, 0] < centre) & (box[:, 2] > centre)
    step = _COLUMN_STEP * (box[:, 3] - box[:, 1])
    reach = bottom
    for line in np.argsort(middle):
        if middle[line] >= bottom:
            if crossing[line] or middle[line] - reach > step[line]:
                break
            at[line], reach = True, max(reach, middle[line])
    reach = top
    for line in np.argsort(-middle):
        if middle[line] <= top:
            if crossing[line] or reach - middle[line] > step[line]:
                break
            at[line], reach = True, min(reach, middle[line])
    return at


def _rows_order(box: Boxes, middle: NDArray[np.float64]) -> NDArray[np.int64]:
    """Read across: lines whose middles are level form a row, rows go down the page."""
    order = np.argsort(middle, kind="stable")
    if len(order) < 2:
        return order
    height = np.maximum(1.0, (box[:, 3] - box[:, 1])[order])
    step = np.diff(middle[order])
    row = np.concatenate([[0], np.cumsum(step > 0.5 * np.minimum(height[1:], height[:-1]))])
    return np.asarray(order[np.lexsort((box[order, 0], row))], np.int64)


def _topological(
    before: NDArray[np.bool_], middle: NDArray[np.float64], left: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Sort by a relation that may hold a cycle: a cycle is broken at its topmost line."""
    remaining = np.ones(len(before), np.bool_)
    waiting = before.sum(axis=0).astype(np.int64)
    order = np.empty(len(before), np.int64)
    rank = np.lexsort((left, middle)).argsort()
    for place in range(len(before)):
        # Among the free lines the one that continues the last is preferred by being highest up.
        free = remaining & (waiting == 0)
        pool = free if free.any() else remaining
        chosen = int(np.where(pool, rank, len(rank) + 1).argmin())
        order[place] = chosen
        remaining[chosen] = False
        waiting -= before[chosen]
    return order


def group_blocks(box: Boxes, x_height: NDArray[np.float64]) -> NDArray[np.int64]:
    """Number the blocks of lines that are in reading order.

    Parameters
    ----------
    box : ndarray of float64, shape (L, 4)
        left, top, right, bottom of each line's x-height band, in reading order.
    x_height : ndarray of float64, shape (L,)
        Of each line, in pixels.

    Returns
    -------
    ndarray of int64, shape (L,)
        Block of each line, from 0, never decreasing.
    """
    count = len(box)
    if count == 0:
        return np.zeros(0, np.int64)
    step = box[1:, 3] - box[:-1, 3]
    smaller = np.minimum(x_height[1:], x_height[:-1])
    running = step[(step > 0.8 * smaller) & (step < 6.0 * smaller)]
    # The usual step is the lower quartile: pages have more line steps than paragraph steps.
    usual = (
        float(np.quantile(running, 0.3))
        if len(running)
        else 2.5 * float(smaller.mean() if count > 1 else 1)
    )
    same_row = np.abs(step) < 0.8 * smaller
    # The cells of a row count as one line: the next row's first stands below all of them.
    row = np.concatenate([[0], np.cumsum(~same_row)])
    first = np.flatnonzero(np.r_[True, np.diff(row) > 0])
    left = np.minimum.reduceat(box[:, 0], first)[row]
    right = np.maximum.reduceat(box[:, 2], first)[row]
    apart = np.minimum(right[1:], right[:-1]) <= np.maximum(left[1:], left[:-1])
    ends = (step > _BLOCK_STEP * np.maximum(usual, 1.6 * smaller)) | (step < 0) | apart
    ratio = x_height[1:] / x_height[:-1]
    ends |= (ratio > 1.45) | (ratio < 1 / 1.45)
    return np.concatenate([[0], np.cumsum(ends & ~same_row)]).astype(np.int64)
