"""Find short underlines, which are known as such only when the lines of text are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ocr_batch.layout.components import Components
from ocr_batch.layout.lines import Lines, baseline_at

__all__ = ["find_underlines"]

# In x-heights: the shortest underline, how far below the baseline it may be drawn.
_SHORTEST = 2.2
_BELOW = (0.15, 0.9)
# Of an underline, this share is under letters; wider ones are underlines themselves.
_COVERED = 0.4
_WIDEST = 2.0
# More long runs than this are a picture's.
_MOST_RUNS = 4000
# Letters of a word.
_WORD = 4

Places = NDArray[np.int64]


def find_underlines(
    components: Components, lines: Lines, dirt: NDArray[np.bool_], x_height: float
) -> tuple[Places, Places, Places] | None:
    """Find the long level runs of ink below the letters of lines.

    Parameters
    ----------
    components : Components
        Of a whole page.
    lines : Lines
        As found among those components.
    dirt : ndarray of bool, shape (N,)
        Components that are left alone.
    x_height : float
        The page's, in pixels.

    Returns
    -------
    tuple of ndarray of int64, shape (R,), or None
        Row, first and past-the-last column of each run, row by row; None when there is none.
    """
    runs = components.runs
    # Print may be smaller than the page's.
    long = np.flatnonzero(runs.stop - runs.start >= 0.5 * _SHORTEST * x_height)
    long = long[~dirt[runs.component[long]]]
    if not 0 < len(long) <= _MOST_RUNS:
        return None
    order = np.argsort(lines.line_of, kind="stable")
    bounds = np.searchsorted(lines.line_of[order], np.arange(len(lines) + 1))
    words = np.flatnonzero(np.diff(bounds) >= _WORD)
    row, start, stop = runs.row[long], runs.start[long], runs.stop[long]
    own = lines.line_of[runs.component[long]]
    found = np.zeros(len(long), np.bool_)
    for line in words.tolist():
        size = float(lines.x_height[line])
        left, _, right, _ = lines.box[line]
        near = (stop > left) & (start < right) & (stop - start >= _SHORTEST * size)
        # What is of another line is a stroke of its letters.
        near = np.flatnonzero(near & ((own == line) | (own < 0)))
        if not len(near):
            continue
        middle = np.clip((start[near] + stop[near]) / 2, left, right)
        foot = baseline_at(lines, np.full(len(near), line), middle)
        below = (row[near] - foot) / size
        near = near[(below > _BELOW[0]) & (below < _BELOW[1])]
        # A blank to be filled in has no letters above it.
        letters = order[bounds[line] : bounds[line + 1]]
        over = np.minimum(stop[near, None], components.right[letters]) - np.maximum(
            start[near, None], components.left[letters]
        )
        own_width = components.width[letters] <= _WIDEST * size
        covered = np.where(own_width, np.maximum(over, 0), 0).sum(axis=1)
        found[near[covered >= _COVERED * (stop[near] - start[near])]] = True
    if not found.any():
        return None
    return row[found], start[found], stop[found]
