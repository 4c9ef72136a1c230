"""Measure connected components: their boxes, their typical size, and who sees whom."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Components",
    "Neighbours",
    "Runs",
    "find_components",
    "find_neighbours",
    "find_runs",
    "typical_height",
]


@dataclass(frozen=True)
class Runs:
    """Unbroken stretches of one component along the rows of a page, in raster order.

    Attributes
    ----------
    component : ndarray of int32, shape (R,)
    row, start, stop : ndarray of int64, shape (R,)
        First and past-the-last column.
    """

    component: NDArray[np.int32]
    row: NDArray[np.int64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]


@dataclass(frozen=True)
class Components:
    """Connected components of a page's ink.

    Attributes
    ----------
    labels : ndarray of int32, shape (H, W)
        0 is paper; component k of the arrays below has label k + 1.
    left, top, width, height, area : ndarray of int32, shape (N,)
        Box and number of ink pixels.
    """

    labels: NDArray[np.int32]
    left: NDArray[np.int32]
    top: NDArray[np.int32]
    width: NDArray[np.int32]
    height: NDArray[np.int32]
    area: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.left)

    @property
    def right(self) -> NDArray[np.int32]:
        """First column right of each box."""
        return self.left + self.width

    @property
    def bottom(self) -> NDArray[np.int32]:
        """First row below each box."""
        return self.top + self.height

    @cached_property
    def runs(self) -> Runs:
        """The components' runs along the rows."""
        return find_runs(self.labels)


@dataclass(frozen=True)
class Neighbours:
    """Pairs of components that see each other along a row, nothing between them.

    Attributes
    ----------
    first, second : ndarray of int32, shape (P,)
        Component indices; `second` is to the right of `first`.
    rows : ndarray of int32, shape (P,)
        In how many rows they see each other.
    """

    first: NDArray[np.int32]
    second: NDArray[np.int32]
    rows: NDArray[np.int32]


def find_components(ink: NDArray[np.bool_]) -> Components:
    """Label the 8-connected components of the ink.

    Parameters
    ----------
    ink : ndarray of bool, shape (H, W)
        True is ink.

    Returns
    -------
    Components
    """
    number, labels = cv2.connectedComponents(ink.view(np.uint8), connectivity=8, ltype=cv2.CV_32S)
    # Boxes and areas come from the runs: OpenCV visits every pixel for them, paper included.
    # Neighbouring pixels of ink are of one component, so the ink tells where runs end.
    runs = _runs(np.asarray(labels, np.int32), ink)
    count = number - 1
    left = np.full(count, ink.shape[1], np.int64)
    right = np.zeros(count, np.int64)
    np.minimum.at(left, runs.component, runs.start)
    np.maximum.at(right, runs.component, runs.stop)
    # Runs come row by row, and of several values that are assigned to one place the last stays.
    top, bottom = np.zeros(count, np.int64), np.zeros(count, np.int64)
    top[runs.component[::-1]] = runs.row[::-1]
    bottom[runs.component] = runs.row + 1
    area = np.bincount(runs.component, runs.stop - runs.start, count)
    sizes = (one.astype(np.int32) for one in (left, top, right - left, bottom - top, area))
    found = Components(np.asarray(labels, np.int32), *sizes)
    # As `cached_property` would keep them.
    found.__dict__["runs"] = runs
    return found


def find_runs(labels: NDArray[np.int32]) -> Runs:
    """Find the runs of equal labels along the rows of a page.

    Parameters
    ----------
    labels : ndarray of int32, shape (H, W)
        0 is paper; component k has label k + 1.

    Returns
    -------
    Runs
    """
    return _runs(labels, labels)


def _runs(labels: NDArray[np.int32], marks: NDArray[np.int32] | NDArray[np.bool_]) -> Runs:
    """Find the runs of `labels`, which end where `marks` change."""
    width = labels.shape[1]
    flat = marks.ravel()
    change = np.empty(flat.size, np.bool_)
    np.not_equal(flat[1:], flat[:-1], out=change[1:])
    # A run ends with its row, whatever the next row begins with.
    change[::width] = True
    start = np.flatnonzero(change)
    stop = np.r_[start[1:], flat.size]
    own = labels.ravel()[start]
    inked = own > 0
    row, column = np.divmod(start[inked], width)
    return Runs(own[inked] - 1, row, column, column + (stop - start)[inked])


def typical_height(components: Components) -> float:
    """Find the height that most letter-like components share: the x-height of a page of text.

    Parameters
    ----------
    components : Components
        Of a whole page.

    Returns
    -------
    float
        Pixels; 0.0 when there is nothing letter-like.
    """
    height = components.height.astype(np.float64)
    width = components.width.astype(np.float64)
    letter = (
        (height >= 5)
        & (height < 250)
        & (width > 0.25 * height)
        & (width < 3 * height)
        & (components.area > 0.12 * width * height)
    )
    if not letter.any():
        return 0.0
    # A histogram over the logarithm: the same relative width for small and large print.
    step = 0.04
    position = np.log(height[letter]) / step
    # Weight by size up to a letter's, or the specks of a dirty page would win.
    weight = np.minimum(height[letter], 30.0)
    histogram = np.bincount(np.round(position).astype(np.int64), weight, minlength=160)
    kernel = np.array([0.25, 0.6, 1.0, 0.6, 0.25])
    smooth = np.convolve(histogram, kernel, mode="same")
    peak = int(smooth.argmax())
    near = np.abs(position - peak) <= 3
    return float(np.median(height[letter][near]))


def find_neighbours(components: Components, body: NDArray[np.bool_], step: int = 2) -> Neighbours:
    """Find which of the chosen components see each other along the rows of the page.

    Parameters
    ----------
    components : Components
        Of a whole page.
    body : ndarray of bool, shape (N,)
        The components that take part; the others are transparent.
    step : int
        Every `step`-th row of the page is looked at.

    Returns
    -------
    Neighbours
        `rows` counts pixels of the page, so it is a multiple of `step`.
    """
    runs = components.runs
    seen = np.flatnonzero(body[runs.component] & (runs.row % step == 0))
    number, row = runs.component[seen], runs.row[seen]
    change = (number[1:] != number[:-1]) & (row[1:] == row[:-1])
    first, second = number[:-1][change].astype(np.int64), number[1:][change]
    pairs, count = np.unique(first * len(components) + second, return_counts=True)
    return Neighbours(
        (pairs // max(1, len(components))).astype(np.int32),
        (pairs % max(1, len(components))).astype(np.int32),
        (count * step).astype(np.int32),
    )
