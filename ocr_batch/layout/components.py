"""Measure connected components: their boxes, their typical size, and who sees whom."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Components", "Neighbours", "find_components", "find_neighbours", "typical_height"]


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
    _, labels, stats, _ = cv2.connectedComponentsWithStats(
        ink.view(np.uint8), connectivity=8, ltype=cv2.CV_32S
    )
    left, top, width, height, area = (np.ascontiguousarray(column) for column in stats[1:].T)
    return Components(np.asarray(labels, np.int32), left, top, width, height, area)


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
    table = np.zeros(len(components) + 1, np.int32)
    table[1:][body] = np.flatnonzero(body) + 1
    labels = components.labels[::step]
    position = np.flatnonzero(labels.ravel())
    seen = table[labels.ravel()[position]]
    position, seen = position[seen > 0], seen[seen > 0]
    row = position // labels.shape[1]
    change = (seen[1:] != seen[:-1]) & (row[1:] == row[:-1])
    first = seen[:-1][change].astype(np.int64) - 1
    second = seen[1:][change].astype(np.int64) - 1
    pairs, count = np.unique(first * len(components) + second, return_counts=True)
    return Neighbours(
        (pairs // max(1, len(components))).astype(np.int32),
        (pairs % max(1, len(components))).astype(np.int32),
        (count * step).astype(np.int32),
    )
