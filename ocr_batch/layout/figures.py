"""Find pictures and half-tones, so that they are not read as text."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ocr_batch.layout.components import Components

__all__ = ["coarse_area", "find_figures", "inside"]

# In x-heights. Strokes closer than this are one surface; a text line's surface is thinner than
# the opening; a component taller than the limit is not a letter of running text.
_CLOSE = 0.3
_OPEN = 2.4
_GROW = 0.6
_GROW_BORDER = 2.0


def find_figures(ink: NDArray[np.bool_], x_height: float) -> NDArray[np.uint8]:
    """Mark solid and half-tone areas on a coarse grid.

    Parameters
    ----------
    ink : ndarray of bool, shape (H, W)
        Ink without rules.
    x_height : float
        The page's x-height in pixels.

    Returns
    -------
    ndarray of uint8, shape (h, w)
        1 where a figure is; the grid's cell is an eighth of the x-height, at least one pixel.
    """
    cell = max(1, min(int(x_height / 8), *ink.shape))
    surface = (_shrunk(ink, (ink.shape[0] // cell, ink.shape[1] // cell)) > 76).astype(np.uint8)
    unit = x_height / cell

    def square(size: float) -> NDArray[np.uint8]:
        side = max(1, round(size * unit))
        return np.asarray(cv2.getStructuringElement(cv2.MORPH_RECT, (side, side)), np.uint8)

    closed = cv2.morphologyEx(surface, cv2.MORPH_CLOSE, square(_CLOSE))
    solid = cv2.morphologyEx(closed, cv2.MORPH_OPEN, square(_OPEN))
    if not solid.any():
        return np.asarray(solid, np.uint8)
    # Grow back over what belongs to the same surface, then a little over its ragged rim.
    grown = cv2.morphologyEx(closed, cv2.MORPH_OPEN, square(0.8))
    number, pieces = cv2.connectedComponents(grown, connectivity=8)
    keep = np.zeros(number, np.bool_)
    keep[np.unique(pieces[solid > 0])] = True
    keep[0] = False
    figure = keep[pieces].astype(np.uint8)
    return np.asarray(cv2.dilate(figure, square(_GROW)), np.uint8)


def _shrunk(ink: NDArray[np.bool_], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the share of ink in each cell of a grid, of 255."""
    cell = max(1, ink.shape[0] // shape[0])
    # Whole cells: OpenCV is several times quicker at these, and the rest is less than a cell.
    whole = ink[: cell * shape[0], : cell * shape[1]]
    size = (shape[1], shape[0])
    small = cv2.resize(whole.view(np.uint8) * np.uint8(255), size, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def coarse_area(
    ink: NDArray[np.bool_], x_height: float, shape: tuple[int, int]
) -> NDArray[np.uint8]:
    """Mark where some ink is, and its surroundings, on the grid of `find_figures`.

    Parameters
    ----------
    ink : ndarray of bool, shape (H, W)
        What is to be marked.
    x_height : float
        The page's x-height in pixels.
    shape : tuple of int
        (h, w) of the grid.

    Returns
    -------
    ndarray of uint8, shape (h, w)
    """
    small = _shrunk(ink, shape)
    unit = x_height * shape[0] / ink.shape[0]
    side = max(3, round(_GROW_BORDER * unit) | 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (side, side))
    return np.asarray(cv2.dilate((small > 25).astype(np.uint8), kernel), np.uint8)


def inside(
    components: Components, figures: NDArray[np.uint8], shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """Tell which components lie mostly within figures.

    Parameters
    ----------
    components : Components
        Of the page that `figures` was found on.
    figures : ndarray of uint8, shape (h, w)
        From `find_figures`.
    shape : tuple of int
        (H, W) of the page.

    Returns
    -------
    ndarray of bool, shape (N,)
        True when over 60 % of the component's box is figure.
    """
    if not figures.any():
        return np.zeros(len(components), np.bool_)
    total = np.zeros((figures.shape[0] + 1, figures.shape[1] + 1), np.int64)
    total[1:, 1:] = figures.cumsum(0, dtype=np.int64).cumsum(1)
    scale_y, scale_x = figures.shape[0] / shape[0], figures.shape[1] / shape[1]
    top = np.floor(components.top * scale_y).astype(np.int64)
    left = np.floor(components.left * scale_x).astype(np.int64)
    bottom = np.maximum(np.ceil(components.bottom * scale_y).astype(np.int64), top + 1)
    right = np.maximum(np.ceil(components.right * scale_x).astype(np.int64), left + 1)
    bottom, right = np.minimum(bottom, figures.shape[0]), np.minimum(right, figures.shape[1])
    covered = total[bottom, right] - total[top, right] - total[bottom, left] + total[top, left]
    return np.asarray(covered > 0.6 * (bottom - top) * (right - left), np.bool_)
