"""Analyse a page: its components become lines in reading order, grouped into blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ocr_batch.imaging.clean import remove_borders
from ocr_batch.layout.blocks import group_blocks, reading_order
from ocr_batch.layout.components import Components, find_neighbours
from ocr_batch.layout.figures import coarse_area, find_figures, inside
from ocr_batch.layout.gutters import find_gutters
from ocr_batch.layout.lines import Lines, find_lines, find_phrases

__all__ = ["Layout", "analyse", "letter_like"]

# In x-heights.
_BODY_LOW = 0.55
_BODY_HIGH = 6.0
_SPECK = 0.09
_MARK_HIGH = 2.5
_MARK_WIDE = 8.0


@dataclass(frozen=True)
class Layout:
    """Lines in reading order.

    Attributes
    ----------
    lines : Lines
        Renumbered: line 0 is read first.
    block : ndarray of int64, shape (L,)
        Block of each line, from 0.
    """

    lines: Lines
    block: NDArray[np.int64]


def letter_like(components: Components, x_height: float) -> NDArray[np.bool_]:
    """Tell which components have the size and density of letters."""
    height, width = components.height, components.width
    box = width.astype(np.float64) * height
    body = (height >= _BODY_LOW * x_height) & (height <= _BODY_HIGH * x_height)
    body &= components.area > 0.05 * box
    body &= components.area > 0.05 * x_height * x_height
    # A wide component is a run of touching letters or a leftover of a rule.
    body &= width <= np.maximum(30 * x_height, 3 * height)
    return np.asarray(body, np.bool_)


def analyse(
    ink: NDArray[np.bool_],
    rules: NDArray[np.float64],
    components: Components,
    x_height: float,
) -> Layout:
    """Find the lines of an upright, level page.

    Parameters
    ----------
    ink : ndarray of bool, shape (H, W)
        Without rules.
    rules : ndarray of float64, shape (R, 4)
        left, top, right, bottom of vertical rules.
    components : Components
        Of `ink`.
    x_height : float
        The page's x-height in pixels.

    Returns
    -------
    Layout
    """
    dirt = remove_borders(components.labels, _boxes(components), x_height)
    figures = find_figures(ink, x_height)
    if dirt.any():
        # Crumbs beside the scanner's border are part of it.
        border = ink & np.r_[False, dirt][components.labels]
        figures |= coarse_area(border, x_height, figures.shape)
    dirt |= inside(components, figures, components.labels.shape)
    speck = np.maximum(components.height, components.width) <= max(1.0, _SPECK * x_height)
    body = letter_like(components, x_height) & ~dirt
    dirt |= ~body & (
        (components.height > _MARK_HIGH * x_height) | (components.width > _MARK_WIDE * x_height)
    )
    neighbours = find_neighbours(components, body)
    phrases = find_phrases(components, body, neighbours, x_height)
    gutters = find_gutters(phrases, rules, x_height)
    lines = find_lines(components, body, neighbours, gutters, x_height, dirt | speck)
    band = _bands(lines)
    order = reading_order(band, gutters)
    lines = _renumber(lines, order)
    return Layout(lines, group_blocks(band[order], lines.x_height))


def _boxes(components: Components) -> NDArray[np.int32]:
    return np.stack([components.left, components.top, components.width, components.height], axis=1)


def _bands(lines: Lines) -> NDArray[np.float64]:
    """Return each line's x-height band at its middle."""
    band = lines.box.copy()
    x = (lines.box[:, 0] + lines.box[:, 2]) / 2 - lines.origin
    c = lines.baseline
    band[:, 3] = c[:, 0] + c[:, 1] * x + c[:, 2] * x * x
    band[:, 1] = band[:, 3] - lines.x_height
    return band


def _renumber(lines: Lines, order: NDArray[np.int64]) -> Lines:
    place = np.empty(len(order), np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    line_of = (
        np.where(lines.line_of >= 0, place[lines.line_of], -1) if len(order) else lines.line_of
    )
    return Lines(
        np.asarray(line_of, np.int32),
        lines.box[order],
        lines.origin[order],
        lines.baseline[order],
        lines.x_height[order],
        lines.sure[order],
    )
