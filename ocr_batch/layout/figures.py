"""Find pictures and half-tones, so that they are not read as text."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ocr_batch.imaging.cells import dense_cells
from ocr_batch.imaging.runs import find_runs, run_pixels
from ocr_batch.layout.components import Components, find_components

__all__ = ["coarse_area", "find_figures", "inside"]

# In x-heights. Strokes closer than this are one surface; a text line's surface is thinner than
# the opening; a component taller than the limit is not a letter of running text.
_CLOSE = 0.3
_OPEN = 2.4
_GROW = 0.6
_GROW_BORDER = 2.0
# Share of ink from which on a cell is part of a surface, or has some ink.
_SURFACE = 0.3
_SOME = 0.1


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
    cell = _cell(ink.shape, x_height)
    surface = dense_cells(ink, cell, _SURFACE).view(np.uint8)
    unit = x_height / cell

    def square(size: float) -> NDArray[np.uint8]:
        side = max(1, round(size * unit))
        return np.asarray(cv2.getStructuringElement(cv2.MORPH_RECT, (side, side)), np.uint8)

    closed = cv2.morphologyEx(surface, cv2.MORPH_CLOSE, square(_CLOSE))
    solid = cv2.erode(closed, square(_OPEN))
    if not solid.any():
        return np.asarray(solid, np.uint8)
    solid = cv2.dilate(solid, square(_OPEN))
    # Grow back over what belongs to the same surface, then a little over its ragged rim.
    grown = cv2.morphologyEx(closed, cv2.MORPH_OPEN, square(0.8))
    pieces = find_components(grown.view(np.bool_))
    row, start, stop = find_runs(solid.view(np.bool_))
    held = np.r_[pieces.at(row, start), pieces.at(row, stop - 1)]
    keep = np.zeros(len(pieces), np.bool_)
    keep[held[held >= 0]] = True
    runs = pieces.runs.take(keep[pieces.runs.component])
    figure = np.zeros_like(grown)
    figure.ravel()[run_pixels(runs.row, runs.start, runs.stop, figure.shape[1])] = 1
    return np.asarray(cv2.dilate(figure, square(_GROW)), np.uint8)


def _cell(shape: tuple[int, ...], x_height: float) -> int:
    return max(1, min(int(x_height / 8), *shape))


def coarse_area(ink: NDArray[np.bool_], x_height: float) -> NDArray[np.uint8]:
    """Mark where some ink is, and its surroundings, on the grid of `find_figures`.

    Parameters
    ----------
    ink : ndarray of bool, shape (H, W)
        What is to be marked.
    x_height : float
        The page's x-height in pixels.

    Returns
    -------
    ndarray of uint8, shape (h, w)
    """
    cell = _cell(ink.shape, x_height)
    small = dense_cells(ink, cell, _SOME).view(np.uint8)
    unit = x_height * (ink.shape[0] // cell) / ink.shape[0]
    side = max(3, round(_GROW_BORDER * unit) | 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (side, side))
    return np.asarray(cv2.dilate(small, kernel), np.uint8)


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
    total = cv2.integral(figures)
    scale_y, scale_x = figures.shape[0] / shape[0], figures.shape[1] / shape[1]
    top = np.floor(components.top * scale_y).astype(np.int64)
    left = np.floor(components.left * scale_x).astype(np.int64)
    bottom = np.maximum(np.ceil(components.bottom * scale_y).astype(np.int64), top + 1)
    right = np.maximum(np.ceil(components.right * scale_x).astype(np.int64), left + 1)
    bottom, right = np.minimum(bottom, figures.shape[0]), np.minimum(right, figures.shape[1])
    covered = total[bottom, right] - total[top, right] - total[bottom, left] + total[top, left]
    return np.asarray(covered > 0.6 * (bottom - top) * (right - left), np.bool_)
