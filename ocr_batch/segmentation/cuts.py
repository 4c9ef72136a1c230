"""Find where touching characters can be cut: slanted paths of least ink, and upright ones.

Through thick ink the path of least ink is one through the counter of a letter beside it, which
parts nothing; so there are upright cuts too.
"""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from ocr_batch.segmentation.strips import FRAME

__all__ = ["CutPaths", "find_cuts"]

# Cost of a path: ink passed (a black pixel counts 1) plus this much for each sideways step.
_SIDE_STEP = 0.18
# Paths are searched through this row, the middle of the x-height.
_MIDDLE = 28
# Strip pixels by which a cut may miss a border between cells.
_BORDER = 3
# In strip pixels; an upright cut passes less ink than this share of the most beside it.
_MOST_INK = 9.0
_MOST_UPRIGHT = 14.0
_THIN = 0.7
_NEAREST = 3
_APART = 3
_MARGIN = 3.0
_CONTEXT = 64


class CutPaths:
    """Candidate cuts, in the order of their columns in the middle; upright ones may cross others.

    Attributes
    ----------
    column : ndarray of int64, shape (K, 56)
        Column of the path in each row of the strip; a cut lies left of that column.
    cost : ndarray of float32, shape (K,)
        Black pixels that the path passes, and .18 for each step aside.
    """

    __slots__ = ("column", "cost")

    def __init__(self, column: NDArray[np.int64], cost: NDArray[np.float32]) -> None:
        self.column = column
        self.cost = cost


_NONE = CutPaths(np.zeros((0, FRAME), np.int64), np.zeros(0, np.float32)), np.zeros(0, np.int64)


def _sweep(ink: NDArray[np.float32], rows: range) -> NDArray[np.float32]:
    """Accumulate least costs along `rows`, (56, W + 2): a column beside either end is barred."""
    total = np.empty((FRAME, ink.shape[1] + 2), np.float32)
    total[:, 0] = total[:, -1] = np.inf
    total[rows[0], 1:-1] = ink[rows[0]]
    least = np.empty(ink.shape[1], np.float32)
    for last, row in pairwise(rows):
        np.minimum(total[last, :-2], total[last, 2:], out=least)
        least += np.float32(_SIDE_STEP)
        np.minimum(least, total[last, 1:-1], out=least)
        np.add(least, ink[row], out=total[row, 1:-1])
    return total


def _follow(
    total: NDArray[np.float32], rows: range, chosen: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Walk from columns of the last of `rows` back to the first, (56, K); other rows stay 0."""
    column = np.zeros((FRAME, len(chosen)), np.int64)
    here = column[rows[-1]] = chosen
    for row in reversed(rows[:-1]):
        left, straight, right = (total[row].take(here + step) for step in (0, 1, 2))
        side = np.minimum(left, right) + np.float32(_SIDE_STEP)
        step = np.where(left <= right, -1, 1)
        here = column[row] = here + np.where(side < straight, step, 0)
    return column


def _least_near(cost: NDArray[np.float32], borders: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the column of least cost near each border; of equals, the nearest."""
    step = np.arange(-_BORDER, _BORDER + 1)
    near = np.clip(np.round(borders).astype(np.int64)[:, None] + step, 0, len(cost) - 1)
    best = (cost[near] + np.float32(0.01) * np.abs(step)).argmin(axis=1)
    return np.asarray(near[np.arange(len(near)), best], np.int64)


def _middles(marked: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the middle column of each run of marked ones."""
    starts = np.flatnonzero(marked & ~np.r_[False, marked[:-1]])
    stops = np.flatnonzero(marked & ~np.r_[marked[1:], False])
    return np.asarray((starts + stops) // 2, np.int64)


def _thin_columns(ink: NDArray[np.float32], paths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return columns of less ink than those beside them, but not beside a path of least ink."""
    least = cv2.erode(ink[None], np.ones((1, 2 * _NEAREST + 1), np.uint8))[0]
    most = cv2.dilate(ink[None], np.ones((1, 4 * _NEAREST + 1), np.uint8))[0]
    found = _middles((ink <= least + 1e-3) & (ink > 0) & (ink < _MOST_UPRIGHT))
    found = np.asarray(found[ink[found] < _THIN * most[found]], np.int64)
    if not len(paths):
        return found
    at = np.searchsorted(paths, found)
    before = np.abs(found - paths[np.maximum(at - 1, 0)])
    after = np.abs(paths[np.minimum(at, len(paths) - 1)] - found)
    return np.asarray(found[np.minimum(before, after) > _APART], np.int64)


def find_cuts(
    grey: NDArray[np.uint8],
    left: NDArray[np.float64],
    right: NDArray[np.float64],
    borders: NDArray[np.float64] | None = None,
) -> tuple[CutPaths, NDArray[np.int64]]:
    """Find candidate cuts inside given column ranges of a strip.

    Parameters
    ----------
    grey : ndarray of uint8, shape (56, W)
        255 is ink.
    left, right : ndarray of float64, shape (M,)
        The ranges (atoms), in the order of their middles.
    borders : ndarray of float64, shape (B,), optional
        Columns beside which there is to be a cut in any case, however much ink it passes.

    Returns
    -------
    paths : CutPaths
    owner : ndarray of int64, shape (K,)
        The range each path cuts.

    References
    ----------
    T. M. Breuel, "Segmentation of handprinted letter strings using a dynamic programming
    algorithm", 1994.
    """
    if not len(left) or grey.shape[1] < 8:
        return _NONE
    # What is further away than a path can reach is left out, with room for the even cost of paper.
    low = np.maximum(np.floor(left).astype(np.int64) - _CONTEXT, 0)
    high = np.minimum(np.ceil(right).astype(np.int64) + _CONTEXT, grey.shape[1])
    # Atoms are in the order of their middles: a wide one may begin before one that comes first.
    low = np.minimum.accumulate(low[::-1])[::-1]
    reach = np.maximum.accumulate(high)
    opens = np.r_[True, low[1:] > reach[:-1]]
    begin, end = low[opens], reach[np.r_[opens[1:], True]]
    length = end - begin
    shift = begin - np.cumsum(length) + length
    parts = [grey[:, first:last] for first, last in zip(begin.tolist(), end.tolist(), strict=True)]
    if borders is not None:
        part = np.maximum(np.searchsorted(begin, borders, "right") - 1, 0)
        borders = (borders - shift[part])[(borders >= begin[part]) & (borders < end[part])]
    own = shift[np.cumsum(opens) - 1]
    paths, owner = _cuts(np.concatenate(parts, axis=1), left - own, right - own, borders)
    return CutPaths(paths.column + own[owner][:, None], paths.cost), owner


def _cuts(
    grey: NDArray[np.uint8],
    left: NDArray[np.float64],
    right: NDArray[np.float64],
    borders: NDArray[np.float64] | None,
) -> tuple[CutPaths, NDArray[np.int64]]:
    """Find candidate cuts, looking at all of a strip."""
    ink = grey.astype(np.float32)
    ink /= np.float32(255)
    above, below = range(_MIDDLE + 1), range(FRAME - 1, _MIDDLE - 1, -1)
    down, up = _sweep(ink, above), _sweep(ink, below)
    cost = down[_MIDDLE, 1:-1] + up[_MIDDLE, 1:-1] - ink[_MIDDLE]
    # A candidate is the least of its neighbourhood; of equals, the middle one.
    least = cv2.erode(cost[None], np.ones((1, 2 * _NEAREST + 1), np.uint8))[0]
    minimum = (cost <= least + 1e-6) & (cost < _MOST_INK)
    middle = _middles(minimum)
    upright = np.zeros(len(middle), np.bool_)
    column_ink = ink.sum(axis=0)
    straight = _thin_columns(column_ink, middle)
    if borders is not None and len(borders):
        straight = np.union1d(straight, _least_near(column_ink, borders))
    if len(straight):
        upright = np.r_[upright, np.ones(len(straight), np.bool_)]
        middle = np.r_[middle, straight]
        order = np.argsort(middle, kind="stable")
        middle, upright = middle[order], upright[order]
    # Each candidate with each range that holds it: ranges may overlap, so both are searched.
    first = np.searchsorted(middle, left + _MARGIN)
    last = np.searchsorted(middle, right - _MARGIN)
    count = np.maximum(0, last - first)
    owner = np.repeat(np.arange(len(left)), count)
    if not len(owner):
        return _NONE
    place = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    which = first[owner] + place
    chosen = middle[which]
    column = _follow(down, above, chosen)
    column[_MIDDLE + 1 :] = _follow(up, below, chosen)[_MIDDLE + 1 :]
    column = np.where(upright[which], chosen, column)
    # A path does not leave its range, or it would cut the neighbour.
    low = np.floor(left[owner]).astype(np.int64)[:, None]
    high = np.ceil(right[owner]).astype(np.int64)[:, None]
    passed = np.where(upright[which], column_ink[chosen], cost[chosen]).astype(np.float32)
    return CutPaths(np.clip(column.T, low, high), passed), owner
