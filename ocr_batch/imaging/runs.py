"""Find the runs of ink along the rows of a page: what a page of text is packed in most tightly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["find_runs", "run_pixels"]

Places = NDArray[np.int64]


def find_runs(ink: NDArray[np.bool_]) -> tuple[Places, Places, Places]:
    """Find the unbroken stretches of ink along the rows, in raster order.

    Parameters
    ----------
    ink : ndarray of bool, shape (H, W)
        True is ink.

    Returns
    -------
    row, start, stop : ndarray of int64, shape (R,)
        First and past-the-last column of each.
    """
    width = ink.shape[1]
    flat = ink.ravel()
    if not flat.size:
        none = np.zeros(0, np.int64)
        return none, none, none
    change = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    # Ink begins and ends by turns; what leaves a row for the next is parted below.
    change = np.concatenate(
        [np.arange(int(flat[0])) * 0, change, np.full(int(flat[-1]), flat.size)]
    )
    start, stop = change[::2], change[1::2]
    row, last = start // width, (stop - 1) // width
    across = last > row
    if across.any():
        count = last - row + 1
        first = np.repeat(row - np.cumsum(count) + count, count) + np.arange(int(count.sum()))
        start = np.maximum(np.repeat(start, count), first * width)
        stop = np.minimum(np.repeat(stop, count), (first + 1) * width)
        row = first
    offset = row * width
    return row, start - offset, stop - offset


def run_pixels(row: Places, start: Places, stop: Places, width: int) -> Places:
    """Return where the pixels of runs lie in a page of some width, (P,) int64, run by run."""
    length = stop - start
    before = np.cumsum(length) - length
    return np.repeat(row * width + start - before, length) + np.arange(int(length.sum()))
