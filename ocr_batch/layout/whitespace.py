"""Find the white strips that run down between the phrases of a page."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["TALL", "white_strips"]

#: A strip is at least so tall, in x-heights.
TALL = 12.0
# In x-heights.
_CELL = 0.25
_MIN_WIDTH = 0.75
_MOST_CELLS = 20_000
_MOST_STRIPS = 40
_AT_ONCE = 16


def white_strips(boxes: NDArray[np.float64], x_height: float) -> NDArray[np.float64]:
    """Find upright strips of a page in which next to no phrase stands, the tallest first.

    Parameters
    ----------
    boxes : ndarray of float64, shape (N, 4)
        left, top, right, bottom of phrases, N > 0.
    x_height : float
        The page's x-height in pixels.

    Returns
    -------
    ndarray of float64, shape (S, 4)
        left, top, right, bottom of each strip; strips do not overlap. They end where the phrases of
        the page end. A phrase may reach into a strip over up to a twentieth of its height.
    """
    cell = _CELL * x_height
    origin = boxes[:, :2].min(axis=0)
    size = np.ceil((boxes[:, 2:].max(axis=0) - origin) / cell).astype(np.int64) + 1
    if size.min() < 2 or size.max() > _MOST_CELLS:
        return np.zeros((0, 4))
    grid = np.zeros((int(size[1]) + 1, int(size[0]) + 1), np.int32)
    scaled = (boxes - np.tile(origin, 2)) / cell
    left, top = np.floor(scaled[:, 0]).astype(int), np.floor(scaled[:, 1]).astype(int)
    right = np.maximum(np.ceil(scaled[:, 2]).astype(int), left + 1)
    bottom = np.maximum(np.ceil(scaled[:, 3]).astype(int), top + 1)
    right, bottom = np.minimum(right, size[0]), np.minimum(bottom, size[1])
    # Boxes are painted through the four corners of each and two running sums.
    np.add.at(grid, (top, left), 1)
    np.add.at(grid, (bottom, right), 1)
    np.add.at(grid, (top, right), -1)
    np.add.at(grid, (bottom, left), -1)
    occupied = grid.cumsum(0).cumsum(1)[:-1, :-1] > 0

    tall = max(3, round(TALL / _CELL))
    wide = max(1, round(_MIN_WIDTH / _CELL))
    white = _vertical_runs(~occupied, tall)
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (wide, 1))
    white = cv2.morphologyEx(white.astype(np.uint8), cv2.MORPH_OPEN, kernel) > 0
    corners = np.array(_tallest(_vertical_runs(white, tall), tall, wide), np.float64)
    return np.asarray(corners.reshape(-1, 4) * cell + np.tile(origin, 2), np.float64)


def _vertical_runs(empty: NDArray[np.bool_], shortest: int) -> NDArray[np.bool_]:
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (1, shortest))
    return np.asarray(
        cv2.morphologyEx(empty.astype(np.uint8), cv2.MORPH_OPEN, kernel) > 0, np.bool_
    )


def _tallest(white: NDArray[np.bool_], tall: int, wide: int) -> list[tuple[int, int, int, int]]:
    """Cut white areas into straight strips, the tallest first: left, top, right, bottom."""
    # Columns of the page as rows here, so that each lies in one piece in memory.
    rest = np.ascontiguousarray(white.T)
    longest, end = _longest_runs(rest)
    strips: list[tuple[int, int, int, int]] = []
    while len(strips) < _MOST_STRIPS:
        best = int(longest.argmax())
        if longest[best] < tall:
            break
        bottom = int(end[best])
        top = bottom - int(longest[best])
        least = 0.95 * (bottom - top)
        left = best - _white_before(rest[:best][::-1, top:bottom], least)
        right = best + 1 + _white_before(rest[best + 1 :, top:bottom], least)
        if right - left >= wide:
            strips.append((left, top, right, bottom))
        rest[left:right, top:bottom] = False
        longest[left:right], end[left:right] = _longest_runs(rest[left:right])
    return strips


def _white_before(rows: NDArray[np.bool_], least: float) -> int:
    """Return how many rows come before the first with no more than `least` of white."""
    for first in range(0, len(rows), _AT_ONCE):
        white = rows[first : first + _AT_ONCE].sum(axis=1, dtype=np.uint16) > least
        if not white.all():
            return first + int(white.argmin())
    return len(rows)


def _longest_runs(white: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the length of the first longest run of each row, and where it ends."""
    place = np.arange(1, white.shape[1] + 1, dtype=np.int32)
    # By counting up from the last break.
    run = place - np.maximum.accumulate(np.where(white, np.int32(0), place), axis=1)
    end = run.argmax(axis=1)
    return run[np.arange(len(run)), end], end + 1
