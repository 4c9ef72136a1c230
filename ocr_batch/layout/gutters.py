"""Find the gutters between columns of prose, and leave the gaps inside tables alone."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["find_gutters"]

# In x-heights.
_CELL = 0.25
_MIN_WIDTH = 0.75
_MIN_HEIGHT = 12.0
_REACH = 6.0
_BESIDE = 1.5
_HEADING = 3.0
# More than this is dirt, not columns of text.
_MOST_PHRASES = 4000
_BREAK = 8.0
_MOST_STRIPS = 40
_AT_ONCE = 16
_FEWEST_LINES = 3
_LEVEL = 0.3
# Letters on a line of prose: fewer, and it is a table's cell. Where all rows are level, more.
_PROSE_LETTERS = 14
_PROSE_LETTERS_LEVEL = 19


def _vertical_runs(empty: NDArray[np.bool_], shortest: int) -> NDArray[np.bool_]:
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (1, shortest))
    return np.asarray(
        cv2.morphologyEx(empty.astype(np.uint8), cv2.MORPH_OPEN, kernel) > 0, np.bool_
    )


def find_gutters(
    boxes: NDArray[np.float64],
    letters: NDArray[np.int64],
    rules: NDArray[np.float64],
    x_height: float,
) -> NDArray[np.float64]:
    """Find white (or ruled) strips that part columns of prose.

    Parameters
    ----------
    boxes : ndarray of float64, shape (N, 4)
        left, top, right, bottom of phrases: runs of letters with ordinary word gaps between them.
    letters : ndarray of int64, shape (N,)
        Letters of each phrase.
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
    if not 4 <= len(boxes) <= _MOST_PHRASES or not _side_by_side(boxes, letters, x_height):
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
    for x0, y0, x1, y1 in _strips(_vertical_runs(white, tall), tall, wide):
        corners = np.array([x0, y0, x1, y1], np.float64) * cell
        found += _split_strip(corners + np.tile(origin, 2), boxes, letters, x_height)
    for rule in rules:
        if rule[3] - rule[1] >= _MIN_HEIGHT * x_height:
            found += _split_strip(rule, boxes, letters, x_height)
    return _merge(_distinct(found, boxes), x_height) if found else none


def _side_by_side(boxes: NDArray[np.float64], letters: NDArray[np.int64], x_height: float) -> bool:
    """Tell whether there may be prose on both sides of anything: two lines beside two others."""
    prose = boxes[letters >= _PROSE_LETTERS]
    if len(prose) < 4:
        return False
    end = float(np.partition(prose[:, 2], 1)[1])
    begin = float(np.partition(prose[:, 0], -2)[-2])
    return begin > end - x_height


def _distinct(
    strips: list[NDArray[np.float64]], boxes: NDArray[np.float64]
) -> list[NDArray[np.float64]]:
    """Leave out strips beside a taller one with no column between: white of ragged lines."""
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    kept: list[NDArray[np.float64]] = []
    for strip in sorted(strips, key=lambda entry: float(entry[1] - entry[3])):
        x0, y0, x1, y1 = strip
        column = (y > y0) & (y < y1)
        for other in kept:
            low, high = sorted(((x0 + x1) / 2, (other[0] + other[2]) / 2))
            shared = min(y1, other[3]) - max(y0, other[1])
            between = column & (x > low) & (x < high)
            if shared > 0.5 * (y1 - y0) and between.sum() < _FEWEST_LINES:
                break
        else:
            kept.append(strip)
    return kept


def _merge(strips: list[NDArray[np.float64]], x_height: float) -> NDArray[np.float64]:
    """Join strips that continue one another: a single tight line does not end a gutter."""
    merged: list[NDArray[np.float64]] = []
    for strip in sorted(strips, key=lambda entry: float(entry[1])):
        for other in merged:
            beside = abs(strip[0] + strip[2] - other[0] - other[2]) / 2 < _BESIDE * x_height
            if beside and strip[1] - other[3] < _BREAK * x_height:
                # The longer part knows better where the gutter runs.
                if strip[3] - strip[1] > other[3] - other[1]:
                    other[[0, 2]] = strip[[0, 2]]
                other[3] = max(other[3], strip[3])
                break
        else:
            merged.append(strip.copy())
    return np.array(merged)


def _strips(white: NDArray[np.bool_], tall: int, wide: int) -> list[tuple[int, int, int, int]]:
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


def _split_strip(
    strip: NDArray[np.float64],
    boxes: NDArray[np.float64],
    letters: NDArray[np.int64],
    x_height: float,
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
    typical = min(float(np.median(letters[lefts])), float(np.median(letters[rights])))
    # Where every line on one side has its partner on the other, it may be a table's rows.
    apart = np.abs(boxes[lefts, 3][:, None] - boxes[rights, 3][None, :]).min(axis=1)
    aligned = float((apart < _LEVEL * x_height).mean()) > 0.75
    if typical < (_PROSE_LETTERS_LEVEL if aligned else _PROSE_LETTERS):
        return []
    # The gutter reaches as far as prose stands on both sides, not through a heading below.
    small = boxes[:, 3] - boxes[:, 1] < _HEADING * x_height
    lefts, rights = lefts[small[lefts]], rights[small[rights]]
    if not len(lefts) or not len(rights):
        return []
    top = max(boxes[lefts, 1].min(), boxes[rights, 1].min())
    bottom = min(boxes[lefts, 3].max(), boxes[rights, 3].max())
    if bottom - top < 0.6 * _MIN_HEIGHT * x_height:
        return []
    edge = float(np.quantile(boxes[lefts, 2], 0.95)), float(np.quantile(boxes[rights, 0], 0.05))
    middle_x = (edge[0] + edge[1]) / 2 if edge[0] < edge[1] else (x0 + x1) / 2
    middle_x = min(max(middle_x, x0), x1)
    half = 0.25 * x_height
    top, bottom = max(y0, top - x_height), min(y1, bottom + x_height)
    return [np.array([middle_x - half, top, middle_x + half, bottom])]
