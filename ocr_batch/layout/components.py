"""Measure connected components: their boxes, their typical size, and who sees whom."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ocr_batch.imaging.runs import find_runs, run_pixels
from ocr_batch.layout.groups import connected_groups

__all__ = [
    "Components",
    "Neighbours",
    "Runs",
    "boxes_of",
    "find_components",
    "find_neighbours",
    "link_runs",
    "medians_of",
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

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Runs:
        """Return the chosen runs."""
        return Runs(self.component[chosen], self.row[chosen], self.start[chosen], self.stop[chosen])


@dataclass(frozen=True)
class Components:
    """Connected components of a page's ink.

    Attributes
    ----------
    shape : tuple of int
        (H, W) of the page.
    runs : Runs
        The components' runs along the rows.
    left, top, width, height, area : ndarray of int32, shape (N,)
        Box and number of ink pixels.
    """

    shape: tuple[int, int]
    runs: Runs
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
    def labels(self) -> NDArray[np.int32]:
        """The page, (H, W): 0 is paper; component k has k + 1."""
        runs = self.runs
        labels = np.zeros(self.shape, np.int32)
        place = run_pixels(runs.row, runs.start, runs.stop, self.shape[1])
        labels.ravel()[place] = np.repeat(runs.component + 1, runs.stop - runs.start)
        return labels

    def at(self, row: NDArray[np.int64], column: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return which components have ink at pixels, -1 for paper; the shapes are broadcast."""
        runs, width = self.runs, self.shape[1]
        # The last run that begins at or before each pixel.
        before = np.searchsorted(runs.row * width + runs.start, row * width + column, "right") - 1
        if not len(runs.row):
            return np.full(before.shape, -1, np.int32)
        inked = (before >= 0) & (runs.row[before] == row) & (column < runs.stop[before])
        return np.where(inked, runs.component[before], np.int32(-1))

    def runs_of(self, number: int) -> NDArray[np.int64]:
        """Return the indices of one component's runs, in raster order."""
        rows = self.top[number], self.top[number] + self.height[number]
        first, last = np.searchsorted(self.runs.row, rows)
        own = np.flatnonzero(self.runs.component[first:last] == number)
        return np.asarray(own + first, np.int64)


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
    """Find the 8-connected components of the ink.

    Parameters
    ----------
    ink : ndarray of bool, shape (H, W)
        True is ink.

    Returns
    -------
    Components
        In the order of the first squares of two by two pixels that they have ink in.

    """
    return link_runs(ink.shape, *find_runs(ink))


def link_runs(
    shape: tuple[int, ...],
    row: NDArray[np.int64],
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
) -> Components:
    """Find the 8-connected components of a page of which the runs are known.

    Parameters
    ----------
    shape : tuple of int
        (H, W) of the page.
    row, start, stop : ndarray of int64, shape (R,)
        From `find_runs`.

    Returns
    -------
    Components
        In the order of the first squares of two by two pixels that they have ink in.

    Notes
    -----
    Runs of neighbouring rows are linked, not pixels: on a page of text there are a hundred times
    fewer of them.
    """
    group = _connected_runs(row, start, stop, shape[1])
    count = int(group.max(initial=-1)) + 1
    square = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(square, group, (row // 2) * (shape[1] // 2 + 1) + start // 2)
    place = np.empty(count, np.int32)
    place[np.argsort(square)] = np.arange(count, dtype=np.int32)
    return _measured(shape, Runs(place[group], row, start, stop), count)


def _measured(shape: tuple[int, ...], runs: Runs, count: int) -> Components:
    left = np.full(count, shape[1], np.int64)
    right = np.zeros(count, np.int64)
    np.minimum.at(left, runs.component, runs.start)
    np.maximum.at(right, runs.component, runs.stop)
    # Runs come row by row, and of several values that are assigned to one place the last stays.
    top, bottom = np.zeros(count, np.int64), np.zeros(count, np.int64)
    top[runs.component[::-1]] = runs.row[::-1]
    bottom[runs.component] = runs.row + 1
    area = np.bincount(runs.component, runs.stop - runs.start, count)
    sizes = (one.astype(np.int32) for one in (left, top, right - left, bottom - top, area))
    return Components((shape[0], shape[1]), runs, *sizes)


def _merged(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the places of two sorted arrays' values among all; of equals, those of `one` first.

    Sorting finds the two runs of sorted values and merges them: quicker than a binary search.
    """
    order = np.argsort(np.concatenate([one, other]), kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return place


def _connected_runs(
    row: NDArray[np.int64], start: NDArray[np.int64], stop: NDArray[np.int64], width: int
) -> NDArray[np.int32]:
    """Number the groups of runs that touch, also by corners."""
    # Places in a page that is one column wider: a row's end and the next row's begin are apart.
    offset = row * (width + 1)
    first, last = offset + start, offset + stop
    # The runs above each that touch it: those that do not end before it, nor begin behind it.
    number = np.arange(len(row))
    low = _merged(first - (width + 1), last)[: len(row)] - number
    high = _merged(first, last - (width + 1))[len(row) :] - number
    # Each run hangs on the first one above it, so that most of a component is one tree.
    root = np.where(low < high, low, number)
    while not np.array_equal(above := root[root], root):
        root = above
    top = root == number
    tree = (np.cumsum(top) - 1)[root]
    # What touches several above links their trees.
    several = np.flatnonzero(high - low > 1)
    count = (high - low - 1)[several]
    beside = np.repeat(low[several] + 1 - np.cumsum(count) + count, count) + np.arange(
        int(count.sum())
    )
    group = connected_groups(int(top.sum()), np.repeat(tree[several], count), tree[beside])
    return np.asarray(group[tree], np.int32)


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


def boxes_of(
    components: Components, group: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Renumber groups and find their boxes.

    Parameters
    ----------
    components : Components
        Of a whole page.
    group : ndarray of int32, shape (N,)
        Group of each component, -1 for none.

    Returns
    -------
    number : ndarray of int32, shape (N,)
        The groups renumbered from 0, without gaps.
    boxes : ndarray of float64, shape (L, 4)
        left, top, right, bottom of each.
    """
    member = np.flatnonzero(group >= 0)
    present = np.bincount(group[member]) > 0
    inverse = (np.cumsum(present) - 1)[group[member]]
    number = np.full(len(group), -1, np.int32)
    number[member] = inverse
    sides = np.empty((4, np.count_nonzero(present)))
    sides[:2], sides[2:] = np.inf, -np.inf
    np.minimum.at(sides[0], inverse, components.left[member].astype(np.float64))
    np.minimum.at(sides[1], inverse, components.top[member].astype(np.float64))
    np.maximum.at(sides[2], inverse, components.right[member].astype(np.float64))
    np.maximum.at(sides[3], inverse, components.bottom[member].astype(np.float64))
    box = np.ascontiguousarray(sides.T)
    return number, box


def medians_of(
    values: NDArray[np.int32], group: NDArray[np.int32], count: int
) -> NDArray[np.float64]:
    """Return the upper median of each group.

    Parameters
    ----------
    values : ndarray of int32, shape (N,)
        A value of each component.
    group : ndarray of int32, shape (N,)
        From 0, -1 for none; every group has a member.
    count : int
        Number of groups.

    Returns
    -------
    ndarray of float64, shape (count,)
    """
    order = np.lexsort((values, group))
    bounds = np.searchsorted(group[order], np.arange(count + 1))
    middle = values[order][(bounds[:-1] + bounds[1:]) // 2]
    return np.asarray(middle, np.float64)
