"""Find where touching characters can be cut: slanted paths of least ink."""

from __future__ import annotations

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
# In strip pixels.
_MOST_INK = 9.0
_NEAREST = 3
_MARGIN = 3.0


class CutPaths:
    """Candidate cuts, ordered from left to right.

    Attributes
    ----------
    column : ndarray of int64, shape (K, 56)
        Column of the path in each row of the strip; a cut lies left of that column.
    cost : ndarray of float32, shape (K,)
        Black pixels that the path passes.
    """

    __slots__ = ("column", "cost")

    def __init__(self, column: NDArray[np.int64], cost: NDArray[np.float32]) -> None:
        self.column = column
        self.cost = cost


def _sweep(ink: NDArray[np.float32], rows: range) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Accumulate least costs along `rows`; return the last row's costs and all steps taken."""
    total = ink[rows[0]].copy()
    steps = np.zeros((FRAME, ink.shape[1]), np.int8)
    for row in rows[1:]:
        from_left = np.empty_like(total)
        from_left[1:], from_left[0] = total[:-1], np.inf
        from_right = np.empty_like(total)
        from_right[:-1], from_right[-1] = total[1:], np.inf
        side = np.minimum(from_left, from_right) + np.float32(_SIDE_STEP)
        steps[row] = np.where(side < total, np.where(from_left <= from_right, -1, 1), 0).astype(
            np.int8
        )
        total = np.minimum(total, side) + ink[row]
    return total, steps


def _least_near(cost: NDArray[np.float32], borders: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the column of least cost near each border; of equals, the nearest."""
    step = np.arange(-_BORDER, _BORDER + 1)
    near = np.clip(np.round(borders).astype(np.int64)[:, None] + step, 0, len(cost) - 1)
    best = (cost[near] + np.float32(0.01) * np.abs(step)).argmin(axis=1)
    return np.asarray(near[np.arange(len(near)), best], np.int64)


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
        The ranges (atoms), ordered from left to right.
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
    none = CutPaths(np.zeros((0, FRAME), np.int64), np.zeros(0, np.float32)), np.zeros(0, np.int64)
    if not len(left) or grey.shape[1] < 8:
        return none
    ink = grey.astype(np.float32) / np.float32(255)
    down, down_steps = _sweep(ink, range(0, _MIDDLE + 1))
    up, up_steps = _sweep(ink, range(FRAME - 1, _MIDDLE - 1, -1))
    cost = down + up - ink[_MIDDLE]
    # A candidate is the least of its neighbourhood; of equals, the middle one.
    width = len(cost)
    padded = np.pad(cost, _NEAREST, constant_values=np.inf)
    window = np.lib.stride_tricks.sliding_window_view(padded, 2 * _NEAREST + 1)
    least = window.min(axis=1)
    minimum = (cost <= least + 1e-6) & (cost < _MOST_INK)
    starts = np.flatnonzero(minimum & ~np.r_[False, minimum[:-1]])
    stops = np.flatnonzero(minimum & ~np.r_[minimum[1:], False])
    middle = (starts + stops) // 2
    if borders is not None and len(borders):
        middle = np.union1d(middle, _least_near(cost, borders))
    # Each candidate with each range that holds it: ranges may overlap, so both are searched.
    first = np.searchsorted(middle, left + _MARGIN)
    last = np.searchsorted(middle, right - _MARGIN)
    count = np.maximum(0, last - first)
    owner = np.repeat(np.arange(len(left)), count)
    if not len(owner):
        return none
    place = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    chosen = middle[first[owner] + place]
    column = np.empty((len(chosen), FRAME), np.int64)
    for rows, steps in (
        (range(_MIDDLE, -1, -1), down_steps),
        (range(_MIDDLE, FRAME), up_steps),
    ):
        here = chosen.copy()
        for row in rows:
            column[:, row] = here
            here = np.clip(here + steps[row, here], 0, width - 1)
    # A path does not leave its range, or it would cut the neighbour.
    low = np.floor(left[owner]).astype(np.int64)[:, None]
    high = np.ceil(right[owner]).astype(np.int64)[:, None]
    return CutPaths(np.clip(column, low, high), cost[chosen].astype(np.float32)), owner
