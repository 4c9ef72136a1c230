"""Analyse a page: its components become lines in reading order, grouped into blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ocr_batch.imaging.clean import remove_borders
from ocr_batch.imaging.rules import remove_rows
from ocr_batch.imaging.runs import run_pixels
from ocr_batch.layout.blocks import group_blocks
from ocr_batch.layout.components import Components, find_components, find_neighbours
from ocr_batch.layout.figures import coarse_area, find_figures, inside
from ocr_batch.layout.gutters import find_gutters
from ocr_batch.layout.lines import Lines, find_lines
from ocr_batch.layout.order import reading_order
from ocr_batch.layout.phrases import find_phrases
from ocr_batch.layout.touching import part_touching_lines
from ocr_batch.layout.underlines import find_underlines

__all__ = ["Layout", "analyse", "letter_like"]

# In x-heights.
_BODY_LOW = 0.55
_BODY_HIGH = 6.0
_SPECK = 0.09
_MARK_HIGH = 2.5
_MARK_WIDE = 8.0
# Word gaps of print and of typewriting: columns may stand closer than typed words.
_WORD_GAPS = (1.1, 1.9)
_RULE_WIDE = 0.45
_RULE_PIECE = 0.9
_RULE_LONG = 5.5
# A page of a newspaper has 50,000 letters; noise may have more.
_MOST_LETTERS = 150_000
# Lines of an ordinary page and of a newspaper's; letters of a word and of a long line.
_MANY_LINES = 350
_MOST_LINES = 2500
_WORD = 4
_LONG = 12
# Ratios.
_TEXT = 0.9
_RULE_SLENDER = 4.0
_RULE_COVERED = 0.7


@dataclass(frozen=True)
class Layout:
    """Lines in reading order.

    Attributes
    ----------
    components : Components
        The page's, some of them parted where lines touch.
    lines : Lines
        Renumbered: line 0 is read first.
    block : ndarray of int64, shape (L,)
        Block of each line, from 0.
    """

    components: Components
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
    *,
    figures: bool = True,
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
    figures : bool
        Whether pictures, borders and broken rules are left out of the lines.

    Returns
    -------
    Layout
    """
    dirt = np.zeros(len(components), np.bool_)
    if figures:
        dirt = _dirt(ink, components, x_height)
    lines, gutters = _find(components, dirt, rules, x_height)
    underlines = find_underlines(components, lines, dirt, x_height)
    if underlines is not None:
        ink = remove_rows(ink, underlines, x_height)
        components = find_components(ink)
        dirt = _dirt(ink, components, x_height) if figures else np.zeros(len(components), np.bool_)
        lines, gutters = _find(components, dirt, rules, x_height)
    parted = part_touching_lines(components, lines, dirt, x_height)
    if parted is not None:
        components = parted
        dirt = np.r_[dirt, np.zeros(len(parted) - len(dirt), np.bool_)]
        lines, gutters = _find(components, dirt, rules, x_height)
    lines = _drop_noise(lines)
    band = _bands(lines)
    order = reading_order(band, gutters)
    lines = _renumber(lines, order)
    return Layout(components, lines, group_blocks(band[order], lines.x_height))


def _drop_noise(lines: Lines) -> Lines:
    """Drop the shortest lines where a page shows more lines than text can have."""
    if len(lines) <= _MANY_LINES:
        return lines
    size = np.bincount(lines.line_of[lines.line_of >= 0], minlength=len(lines))
    longest = np.argsort(-size, kind="stable")[:_MOST_LINES]
    # The lines of a newspaper are mostly long, those of noise have a few letters.
    if size[size >= _LONG].sum() < _TEXT * size.sum():
        longest = longest[: max(_MANY_LINES, np.count_nonzero(size >= _LONG))]
        longest = longest[size[longest] >= _WORD]
    return _renumber(lines, np.sort(longest))


def _dirt(ink: NDArray[np.bool_], components: Components, x_height: float) -> NDArray[np.bool_]:
    """Find the components that are borders, pictures, or in them."""
    dirt = remove_borders(components.shape, _boxes(components), x_height)
    figures = find_figures(ink, x_height)
    if dirt.any():
        # Crumbs beside the scanner's border are part of it.
        figures |= coarse_area(_only(components, dirt), x_height)
    return (
        dirt | inside(components, figures, components.shape) | _broken_rules(components, x_height)
    )


def _only(components: Components, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the ink of a few components, (H, W) bool."""
    ink = np.zeros(components.shape, np.bool_)
    runs = components.runs.take(chosen[components.runs.component])
    ink.ravel()[run_pixels(runs.row, runs.start, runs.stop, ink.shape[1])] = True
    return ink


def _broken_rules(components: Components, x_height: float) -> NDArray[np.bool_]:
    """Find the pieces of broken vertical rules: thin upright components, one above the other."""
    thin = (components.width <= _RULE_WIDE * x_height) & (
        components.height >= _RULE_SLENDER * components.width
    )
    thin &= components.height >= _RULE_PIECE * x_height
    found = np.zeros(len(components), np.bool_)
    index = np.flatnonzero(thin)
    if len(index) < 2:
        return found
    centre = components.left[index] + components.width[index] / 2
    # Two grids, half a step apart, so that no column of pieces falls between the steps.
    step = 0.7 * x_height
    for shift in (0.0, 0.5):
        column = np.floor(centre / step + shift).astype(np.int64)
        order = np.lexsort((components.top[index], column))
        _, start, count = np.unique(column[order], return_index=True, return_counts=True)
        for first, number in zip(start[count > 1], count[count > 1], strict=True):
            own = index[order[first : first + number]]
            top, height = components.top[own], components.height[own]
            # Break the column where the gap is larger than a piece; letters l and I that
            # happen to stand below one another are further apart than they are high.
            gap = top[1:] - (top + height)[:-1]
            for run in np.split(own, np.flatnonzero(gap > 0.6 * x_height) + 1):
                span = (components.top[run] + components.height[run]).max() - components.top[run[0]]
                covered = components.height[run].sum() / max(1, span)
                if span >= _RULE_LONG * x_height and covered >= _RULE_COVERED:
                    found[run] = True
    return found


def _find(
    components: Components,
    dirt: NDArray[np.bool_],
    rules: NDArray[np.float64],
    x_height: float,
) -> tuple[Lines, NDArray[np.float64]]:
    """Find lines and gutters among the components that are not dirt."""
    speck = np.maximum(components.height, components.width) <= max(1.0, _SPECK * x_height)
    body = letter_like(components, x_height) & ~dirt
    if body.sum() > _MOST_LETTERS:
        body[:] = False
    mark = (components.height <= _MARK_HIGH * x_height) & (
        components.width <= _MARK_WIDE * x_height
    )
    neighbours = find_neighbours(components, body)
    gutters = np.concatenate(
        [
            find_gutters(find_phrases(components, body, neighbours, x_height, word_gap), rules)
            for word_gap in _WORD_GAPS
        ]
    )
    left_out = dirt | speck | (~body & ~mark)
    return find_lines(components, body, neighbours, gutters, x_height, left_out), gutters


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
    place = np.full(len(lines), -1, np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    line_of = (
        np.where(lines.line_of >= 0, place[lines.line_of], -1) if len(lines) else lines.line_of
    )
    return Lines(
        np.asarray(line_of, np.int32),
        lines.box[order],
        lines.origin[order],
        lines.baseline[order],
        lines.x_height[order],
        lines.sure[order],
    )
