"""Put lines into reading order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["reading_order"]

Boxes = NDArray[np.float64]

# A column goes on over a step of up to this many x-heights.
_COLUMN_STEP = 4.0
# Lines of which one stands beside the other differ by up to so many of their x-heights; level
# ones by less.
_BESIDE = 1.5
_LEVEL = 0.25
# A single line between columns is a heading.
_FEWEST_INSET = 2


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
    gutters, inset = _join(box, middle, gutters)
    columns = np.zeros((len(gutters), count), np.bool_)
    for number, gutter in enumerate(gutters):
        at = _parted(box, middle, gutter)
        centre, wide = (gutter[0] + gutter[2]) / 2, gutter[2] - gutter[0]
        at &= ~inset[number]
        lefts, rights = at & (right <= centre + wide), at & (left >= centre - wide)
        before |= lefts[:, None] & rights[None, :]
        before &= ~(rights[:, None] & lefts[None, :] & ~shared)
        columns[number] = lefts | rights
    # Rule 3: what is set into two columns comes after them.
    for own, others in zip(inset, columns, strict=True):
        before |= others[:, None] & own[None, :]
        before &= ~(own[:, None] & others[None, :])
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


def _parted(box: Boxes, middle: NDArray[np.float64], gutter: Boxes) -> NDArray[np.bool_]:
    """Tell which lines a gutter parts: those level with it, and those that go on a column.

    The longer of two columns runs on past the gutter's end, until a line crosses the gutter's
    course or a step is wider than one between lines.
    """
    top, bottom = float(gutter[1]), float(gutter[3])
    at, crossing = (middle > top) & (middle < bottom), _crosses(box, gutter)
    step = _COLUMN_STEP * (box[:, 3] - box[:, 1])
    reach = float(middle[at].max(initial=top))
    for line in np.argsort(middle):
        if middle[line] >= bottom:
            if crossing[line] or middle[line] - reach > step[line]:
                break
            at[line], reach = True, max(reach, middle[line])
    reach = float(middle[at].min(initial=bottom))
    for line in np.argsort(-middle):
        if middle[line] <= top:
            if crossing[line] or reach - middle[line] > step[line]:
                break
            at[line], reach = True, min(reach, middle[line])
    return at


def _join(
    box: Boxes, middle: NDArray[np.float64], gutters: Boxes
) -> tuple[Boxes, NDArray[np.bool_]]:
    """Join the parts of gutters, and tell which lines are set into the columns between the parts.

    Returns
    -------
    gutters : ndarray of float64, shape (K, 4)
    inset : ndarray of bool, shape (K, L)
    """
    joined: list[Boxes] = []
    inset: list[NDArray[np.bool_]] = []
    for lower in gutters[np.argsort(gutters[:, 1], kind="stable")]:
        for place, upper in enumerate(joined):
            whole = _whole(box, middle, upper, lower)
            if whole is None:
                continue
            own = _set_between(box, middle, whole, upper[3], lower[1])
            if lower[1] <= upper[3] or own.any():
                joined[place], inset[place] = whole, inset[place] | own
                break
        else:
            joined.append(lower)
            inset.append(np.zeros(len(box), np.bool_))
    return np.array(joined), np.array(inset)


def _whole(box: Boxes, middle: NDArray[np.float64], upper: Boxes, lower: Boxes) -> Boxes | None:
    """Return the gutter of which two are parts, None where one of them would cut the other's lines.

    Ragged columns do not tell where exactly their gutter runs.
    """
    begin, end = -np.inf, np.inf
    for x0, y0, x1, y1 in (upper, lower):
        at = (middle > y0) & (middle < y1)
        lefts, rights = at & (box[:, 2] <= x1), at & (box[:, 0] >= x0)
        begin = max(begin, float(box[lefts, 2].max(initial=-np.inf)))
        end = min(end, float(box[rights, 0].min(initial=np.inf)))
    if not begin < end or not np.isfinite(end - begin):
        return None
    centre, half = (begin + end) / 2, (upper[2] - upper[0]) / 2
    return np.array([centre - half, upper[1], centre + half, max(upper[3], lower[3])])


def _crosses(box: Boxes, gutter: Boxes) -> NDArray[np.bool_]:
    """Tell which lines cross the course of a gutter, at any height."""
    centre = (gutter[0] + gutter[2]) / 2
    return np.asarray((box[:, 0] < centre) & (box[:, 2] > centre), np.bool_)


def _set_between(
    box: Boxes, middle: NDArray[np.float64], gutter: Boxes, top: float, bottom: float
) -> NDArray[np.bool_]:
    """Find the lines that are set into columns; none if one between top and bottom ends these.

    The columns go on, from line to line, on both sides of a caption that is set into them. What
    stands alone across them is a heading.
    """
    none = np.zeros(len(box), np.bool_)
    band, crossing = box[:, 3] - box[:, 1], _crosses(box, gutter)
    between = (middle >= top) & (middle <= bottom)
    column = (middle > gutter[1]) & (middle < top) & ~crossing
    lefts, rights = column & (box[:, 2] <= gutter[2]), column & (box[:, 0] >= gutter[0])
    own = np.flatnonzero(crossing & between)
    if len(own) < _FEWEST_INSET or not lefts.any() or not rights.any():
        return none
    steps = np.diff(np.sort(middle[between & ~crossing]), prepend=top, append=bottom)
    if steps.max() > _COLUMN_STEP * np.median(band):
        return none
    away = np.abs(middle[own, None] - middle) / ((band[own, None] + band) / 2)
    in_left = (box[:, 2] <= box[own, 0, None]) & (box[:, 2] > np.median(box[lefts, 0]))
    in_right = (box[:, 0] >= box[own, 2, None]) & (box[:, 0] < np.median(box[rights, 2]))

    def flanked(limit: float) -> NDArray[np.bool_]:
        """Tell which have lines so close to their own level in both columns."""
        near = away < limit
        return np.asarray((near & in_left).any(axis=1) & (near & in_right).any(axis=1), np.bool_)

    # What stands level with lines on both sides is the middle cell of a table's row.
    if not flanked(_BESIDE).all() or flanked(_LEVEL).mean() > 0.5:
        return none
    # A short last line need not reach across.
    left, right = box[own, 0].min(), box[own, 2].max()
    return np.asarray(between & (box[:, 0] >= left) & (box[:, 2] <= right), np.bool_)


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
