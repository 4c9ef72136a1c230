"""Find the gutters between columns of prose, and leave the gaps inside tables alone."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["find_gutters"]

# In x-heights.
_CELL = 0.5
_MIN_WIDTH = 1.25
_MIN_HEIGHT = 12.0
_REACH = 6.0
_PROSE_WIDTH = 11.0


def _vertical_runs(empty: NDArray[np.bool_], shortest: int) -> NDArray[np.bool_]:
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (1, shortest))
    return np.asarray(
        cv2.morphologyEx(empty.astype(np.uint8), cv2.MORPH_OPEN, kernel) > 0, np.bool_
    )


def find_gutters(
    boxes: NDArray[np.float64], rules: NDArray[np.float64], x_height: float
) -> NDArray[np.float64]:
    """Find white (or ruled) strips that part columns of prose.

    Parameters
    ----------
    boxes : ndarray of float64, shape (N, 4)
        left, top, right, bottom of phrases: runs of letters with ordinary word gaps between them.
    rules : ndarray of float64, shape (R, 4)
        left, top, right, bottom of long vertical rules.
    x_height : float
        The page's x-height in pixels.

    Returns
    -------
    ndarray of float64, shape (G, 4)
        left, top, right, bottom of each gutter.

    Notes
    -----
    A gap that is lined by short phrases on either side is a table's; its rows are read across.
    """
    none = np.zeros((0, 4))
    if len(boxes) < 4:
        return none
    cell = _CELL * x_height
    origin = boxes[:, :2].min(axis=0)
    size = np.ceil((boxes[:, 2:].max(axis=0) - origin) / cell).astype(np.int64) + 1
    if size.min() < 2 or size.max() > 20_000:
        return none
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

    tall = max(3, round(_MIN_HEIGHT / _CELL))
    wide = max(1, round(_MIN_WIDTH / _CELL))
    white = _vertical_runs(~occupied, tall)
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (wide, 1))
    white = cv2.morphologyEx(white.astype(np.uint8), cv2.MORPH_OPEN, kernel) > 0
    found = []
    for x0, y0, x1, y1 in _strips(_vertical_runs(white, tall)):
        corners = np.array([x0, y0, x1, y1], np.float64) * cell
        found += _split_strip(corners + np.tile(origin, 2), boxes, x_height)
    for rule in rules:
        if rule[3] - rule[1] >= _MIN_HEIGHT * x_height:
            found += _split_strip(rule, boxes, x_height)
    return np.array(found) if found else none


def _strips(white: NDArray[np.bool_]) -> list[tuple[int, int, int, int]]:
    """Return the tallest straight strip of each white region: left, top, right, bottom."""
    count, region, stats, _ = cv2.connectedComponentsWithStats(
        white.astype(np.uint8), connectivity=4
    )
    strips = []
    for number in range(1, count):
        x, y, width, height, _ = stats[number]
        cells = region[y : y + height, x : x + width] == number
        # The longest unbroken run of each column, by counting up from the last break.
        place = np.arange(1, height + 1)[:, None]
        breaks = np.maximum.accumulate(np.where(cells, 0, place), axis=0)
        run = np.where(cells, place - breaks, 0)
        longest = run.max(axis=0)
        best = int(longest.argmax())
        bottom = int(run[:, best].argmax()) + 1
        top = bottom - int(longest[best])
        full = cells[top:bottom].mean(axis=0) > 0.95
        left, right = best, best + 1
        while left > 0 and full[left - 1]:
            left -= 1
        while right < width and full[right]:
            right += 1
        strips.append((int(x + left), int(y + top), int(x + right), int(y + bottom)))
    return strips


def _split_strip(
    strip: NDArray[np.float64], boxes: NDArray[np.float64], x_height: float
) -> list[NDArray[np.float64]]:
    """Keep a white strip if prose stands on both sides of it, cut to where that is so."""
    x0, y0, x1, y1 = strip
    middle = (boxes[:, 1] + boxes[:, 3]) / 2
    level = (middle > y0) & (middle < y1)
    # A wide white area (beside a short paragraph, say) reaches too far: use the nearest boxes.
    lefts = np.flatnonzero(level & (boxes[:, 2] <= x1) & (boxes[:, 2] > x0 - _REACH * x_height))
    rights = np.flatnonzero(level & (boxes[:, 0] >= x0) & (boxes[:, 0] < x1 + _REACH * x_height))
    if len(lefts) < 4 or len(rights) < 4:
        return []
    widths = boxes[:, 2] - boxes[:, 0]
    if min(np.median(widths[lefts]), np.median(widths[rights])) < _PROSE_WIDTH * x_height:
        return []
    top = max(boxes[lefts, 1].min(), boxes[rights, 1].min())
    bottom = min(boxes[lefts, 3].max(), boxes[rights, 3].max())
    if bottom - top < 0.6 * _MIN_HEIGHT * x_height:
        return []
    edge = float(np.quantile(boxes[lefts, 2], 0.95)), float(np.quantile(boxes[rights, 0], 0.05))
    middle_x = (edge[0] + edge[1]) / 2 if edge[0] < edge[1] else (x0 + x1) / 2
    middle_x = min(max(middle_x, x0), x1)
    half = 0.25 * x_height
    return [np.array([middle_x - half, y0, middle_x + half, y1])]
