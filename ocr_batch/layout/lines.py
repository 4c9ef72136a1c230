"""Gather components into text lines and fit each line's baseline and x-height."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ocr_batch.layout.components import Components, Neighbours, boxes_of, medians_of
from ocr_batch.layout.fitting import fit_baselines, fit_x_heights
from ocr_batch.layout.groups import connected_groups
from ocr_batch.layout.links import group_letters

__all__ = ["Lines", "baseline_at", "find_lines"]

# In x-heights.
_LEVEL = 0.4
# More groups than this are dirt.
_MOST_GROUPS = 2000
# Letters of a word.
_WORD = 4
# More loose marks than this are noise.
_MOST_MARKS = 20_000


@dataclass(frozen=True)
class Lines:
    """Text lines of a page, in no particular order.

    Attributes
    ----------
    line_of : ndarray of int32, shape (N,)
        Line of each component, -1 for none.
    box : ndarray of float64, shape (L, 4)
        left, top, right, bottom of each line's components, in pixels.
    origin : ndarray of float64, shape (L,)
        Column from which the baseline's x counts.
    baseline : ndarray of float64, shape (L, 3)
        Coefficients c of y = c0 + c1 x + c2 x².
    x_height : ndarray of float64, shape (L,)
        In pixels.
    sure : ndarray of bool, shape (L,)
        Whether the x-height rests on the line's own evidence.
    """

    line_of: NDArray[np.int32]
    box: NDArray[np.float64]
    origin: NDArray[np.float64]
    baseline: NDArray[np.float64]
    x_height: NDArray[np.float64]
    sure: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.box)


def baseline_at(
    lines: Lines, line: NDArray[np.int64], x: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the row on which the letters of a line stand.

    Parameters
    ----------
    lines : Lines
        The lines of a page.
    line : ndarray of int64, shape (N,)
        Line of each column.
    x : ndarray of float64, shape (N,)
        Columns of the page.

    Returns
    -------
    ndarray of float64, shape (N,)
    """
    c = lines.baseline[line]
    local = x - lines.origin[line]
    return np.asarray(c[:, 0] + c[:, 1] * local + c[:, 2] * local * local, np.float64)


def find_lines(
    components: Components,
    body: NDArray[np.bool_],
    neighbours: Neighbours,
    gutters: NDArray[np.float64],
    x_height: float,
    dirt: NDArray[np.bool_],
) -> Lines:
    """Gather letters into lines; small marks join the line whose band they stand in.

    Parameters
    ----------
    components : Components
        Of a whole page.
    body : ndarray of bool, shape (N,)
        Letter-sized components, between which `neighbours` were found.
    neighbours : Neighbours
        Pairs of letters that see each other.
    gutters : ndarray of float64, shape (G, 4)
        No line crosses one.
    x_height : float
        The page's, in pixels.
    dirt : ndarray of bool, shape (N,)
        Components that join no line.

    Returns
    -------
    Lines
    """
    group = group_letters(components, body, neighbours, gutters, x_height)
    line_of, box = boxes_of(components, np.where(body, group, -1))
    if len(box) > _MOST_GROUPS:
        # Text does not come in so many pieces: what is shorter than a word is dirt.
        size = np.bincount(line_of[line_of >= 0])
        line_of = np.where((line_of >= 0) & (size[line_of] >= _WORD), line_of, -1).astype(np.int32)
        line_of, box = boxes_of(components, line_of)
    if not len(box):
        empty = np.zeros(0)
        return Lines(line_of, box, empty, np.zeros((0, 3)), empty, empty.astype(np.bool_))
    line_of = _merge_fragments(components, line_of, x_height, gutters)
    line_of, box = boxes_of(components, line_of)
    baseline = fit_baselines(components, line_of, box, x_height)
    heights, sure = fit_x_heights(components, line_of, box, baseline, x_height)
    origin = box[:, 0].copy()
    line_of = _attach_small(components, line_of, box, baseline, heights, dirt, gutters)
    kept = np.unique(line_of[line_of >= 0])
    line_of, box = boxes_of(components, line_of)
    return Lines(line_of, box, origin[kept], baseline[kept], heights[kept], sure[kept])


def _merge_fragments(
    components: Components,
    line_of: NDArray[np.int32],
    x_height: float,
    gutters: NDArray[np.float64],
) -> NDArray[np.int32]:
    """Join lines that lie on one another: fragments a tall neighbour or dirt kept apart."""
    _, box = boxes_of(components, line_of)
    count = len(box)
    if count < 2 or count > 3000:
        return line_of
    feet = medians_of(components.bottom, line_of, count)
    tall = medians_of(components.height, line_of, count)
    small = np.minimum(x_height, np.maximum(tall[:, None], tall[None, :]))
    level = np.abs(feet[:, None] - feet[None, :]) < _LEVEL * small
    overlap = np.minimum(box[:, None, 3], box[None, :, 3]) - np.maximum(
        box[:, None, 1], box[None, :, 1]
    )
    level &= overlap > 0.55 * np.minimum(tall[:, None], tall[None, :])
    ratio = tall[:, None] / tall[None, :]
    level &= (ratio < 1.9) & (ratio > 1 / 1.9)
    apart = np.maximum(box[:, None, 0], box[None, :, 0]) - np.minimum(
        box[:, None, 2], box[None, :, 2]
    )
    level &= apart < 4.0 * x_height
    for x0, y0, x1, y1 in gutters:
        middle = (x0 + x1) / 2
        centre = (box[:, 1] + box[:, 3]) / 2
        at = (centre > y0) & (centre < y1)
        left = at & ((box[:, 0] + box[:, 2]) / 2 < middle)
        right = at & ((box[:, 0] + box[:, 2]) / 2 > middle)
        level &= ~(left[:, None] & right[None, :]) & ~(right[:, None] & left[None, :])
    i, j = np.nonzero(np.triu(level, 1))
    group = connected_groups(count, i.astype(np.int32), j.astype(np.int32))
    return np.where(line_of >= 0, group[line_of], -1).astype(np.int32)


def _attach_small(
    components: Components,
    line_of: NDArray[np.int32],
    box: NDArray[np.float64],
    baseline: NDArray[np.float64],
    heights: NDArray[np.float64],
    dirt: NDArray[np.bool_],
    gutters: NDArray[np.float64],
) -> NDArray[np.int32]:
    """Give dots, dashes and accents to the line in whose band they stand."""
    # A group of one or two that stands in the band of a longer line is a mark of that line.
    size = np.bincount(line_of[line_of >= 0], minlength=len(box))
    wide = box[:, 2] - box[:, 0]
    loose = np.flatnonzero(((line_of < 0) & ~dirt) | ((size[line_of] <= 2) & (line_of >= 0)))
    if not len(box) or not 0 < len(loose) <= _MOST_MARKS:
        return line_of
    result = line_of.copy()
    x = components.left[loose] + components.width[loose] / 2
    y = components.top[loose] + components.height[loose] / 2
    for part in np.array_split(np.arange(len(loose)), max(1, len(loose) // 2000)):
        xs, ys = x[part, None], y[part, None]
        local = np.clip(xs - box[None, :, 0], 0, (box[:, 2] - box[:, 0])[None, :])
        foot = baseline[:, 0] + baseline[:, 1] * local + baseline[:, 2] * local**2
        above = (foot - ys) / heights
        aside = np.maximum(np.maximum(box[None, :, 0] - xs, xs - box[None, :, 2]), 0) / heights
        own = line_of[loose[part]]
        grouped = (own >= 0)[:, None]
        fits = (above > -0.75) & (above < 2.2) & (aside < np.where(grouped, 3.0, 5.0))
        tall = components.height[loose[part], None] / heights
        wider = (size[None, :] > 2 * size[own][:, None] + 1) & (wide > 0)[None, :]
        fits &= ~grouped | (wider & (tall < 2.0) & (above > -0.3) & (above < 1.9))
        # Nearest to the middle of the line's band; marks beside the line count for less.
        distance = np.abs(above - 0.6) + 0.25 * aside
        for x0, y0, x1, y1 in gutters:
            middle = (x0 + x1) / 2
            line_left = (box[:, 0] + box[:, 2])[None, :] / 2 < middle
            at = (ys > y0) & (ys < y1)
            fits &= ~(at & ((xs < middle) != line_left))
        distance = np.where(fits, distance, np.inf)
        best = distance.argmin(axis=1)
        found = np.isfinite(distance[np.arange(len(part)), best])
        result[loose[part[found]]] = best[found]
    return result
