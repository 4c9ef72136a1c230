"""Group the lines of a page into blocks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["group_blocks"]

# A block ends where the step down to the next line is this much larger than the usual step.
_BLOCK_STEP = 1.45


def group_blocks(box: NDArray[np.float64], x_height: NDArray[np.float64]) -> NDArray[np.int64]:
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
