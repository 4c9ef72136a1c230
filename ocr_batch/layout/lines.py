"""Gather components into text lines and fit each line's baseline and x-height."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ocr_batch.layout.components import Components, Neighbours
from ocr_batch.layout.fitting import fit_baselines, fit_x_heights
from ocr_batch.layout.groups import connected_groups

__all__ = ["Lines", "baseline_at", "boxes_of", "find_lines", "link_neighbours", "medians_of"]

# In x-heights, unless a ratio.
_WORD_GAP = 1.9
_LINK_OVERLAP = 0.5
_LEVEL = 0.4
_EVEN = 0.4
_MOST_GROUPS = 2000
_WORD = 4
_LONG = 12
_MOST_MARKS = 20_000
# Letters of a group whose feet are so many x-heights apart stand on two lines; from this number
# and share of them on, the group is two lines.
_DOUBLE = (1.2, 3.0)
_LOOK_AHEAD = 6
_FEWEST_DOUBLE = 8
_SHARE_DOUBLE = 0.3
_STAND_LEVEL = 0.25


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


def link_neighbours(
    components: Components, neighbours: Neighbours, x_height: float
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Tell which neighbours stand on one line, and how far apart they are.

    Parameters
    ----------
    components : Components
        Of a whole page.
    neighbours : Neighbours
        Pairs to judge.
    x_height : float
        The page's, in pixels.

    Returns
    -------
    level : ndarray of bool, shape (P,)
    gap : ndarray of float64, shape (P,)
        Pixels between the two boxes; negative where they overlap.
    """
    a, b = neighbours.first, neighbours.second
    top = np.maximum(components.top[a], components.top[b])
    bottom = np.minimum(components.bottom[a], components.bottom[b])
    height_a, height_b = components.height[a], components.height[b]
    shorter = np.minimum(height_a, height_b)
    taller = np.maximum(height_a, height_b)
    overlap = (bottom - top) / np.maximum(1, shorter)
    feet = np.abs(components.bottom[a] - components.bottom[b])
    # Letters of one line overlap by most of the smaller; feet that stand level, or a descender.
    small = np.minimum(x_height, taller)
    level = (overlap >= _LINK_OVERLAP) & (feet <= np.maximum(0.75 * small, 0.45 * taller))
    level &= taller <= np.maximum(3.0 * shorter, 2.2 * x_height)
    gap = (components.left[b] - components.right[a]).astype(np.float64)
    return level, gap


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


def _crosses(
    components: Components, neighbours: Neighbours, gutters: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Tell which pairs look at each other across a gutter."""
    a, b = neighbours.first, neighbours.second
    crossing = np.zeros(len(a), np.bool_)
    centre = (
        components.top[a] + components.bottom[a] + components.top[b] + components.bottom[b]
    ) / 4
    centre_a = components.left[a] + components.width[a] / 2
    centre_b = components.left[b] + components.width[b] / 2
    for x0, y0, x1, y1 in gutters:
        middle = (x0 + x1) / 2
        crossing |= (centre > y0) & (centre < y1) & (centre_a < middle) & (centre_b > middle)
    return crossing


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
    level, gap = link_neighbours(components, neighbours, x_height)
    a, b = neighbours.first, neighbours.second
    similar = np.maximum(components.height[a], components.height[b]) <= 2.6 * np.minimum(
        components.height[a], components.height[b]
    )
    linked = level & ~_crosses(components, neighbours, gutters)
    near = linked & (gap < 2 * _WORD_GAP * x_height)
    group = connected_groups(len(components), a[near], b[near])
    # Across a wide gap words are joined that stand level, but not a lone mark in the margin to a
    # line.
    number, _ = boxes_of(components, np.where(body, group, -1))
    count = int(number.max(initial=-1)) + 1
    size = np.bincount(number[number >= 0], minlength=count)
    foot, tall = (medians_of(v, number, count) for v in (components.bottom, components.height))
    first, second = number[a], number[b]
    even = np.abs(foot[first] - foot[second]) <= _EVEN * np.maximum(tall[first], tall[second])
    shorter, longer = np.minimum(size[first], size[second]), np.maximum(size[first], size[second])
    # A symbol with its subscripts stands level with nothing.
    even |= (shorter < _WORD) & (longer >= _LONG)
    linked &= near | (similar & even & (shorter > 1))
    group = connected_groups(len(components), a[linked], b[linked])
    double = _doubles(components, np.where(body, group, -1), x_height)
    if double.any():
        # Two close lines hang together somewhere: only letters that stand level link them now.
        linked &= ~double[a] | (near & _stand_level(components, a, b, x_height))
        group = connected_groups(len(components), a[linked], b[linked])
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


def _doubles(
    components: Components, group: NDArray[np.int32], x_height: float
) -> NDArray[np.bool_]:
    """Tell which components are in groups of two lines: many letters stand below others."""
    member = np.flatnonzero(group >= 0)
    member = member[np.lexsort((components.left[member], group[member]))]
    stacked = np.zeros(len(components), np.bool_)
    for ahead in range(1, min(_LOOK_AHEAD, len(member) - 1) + 1):
        one, other = member[:-ahead], member[ahead:]
        apart = np.abs(components.bottom[one] - components.bottom[other]) / x_height
        below = (group[one] == group[other]) & (apart > _DOUBLE[0]) & (apart < _DOUBLE[1])
        below &= components.right[one] > components.left[other]
        stacked[one[below]] = stacked[other[below]] = True
    names = np.maximum(group, 0)
    size = np.bincount(names[member], minlength=int(names.max(initial=0)) + 1)
    count = np.bincount(names[member], stacked[member], minlength=len(size))
    double = (count >= _FEWEST_DOUBLE) & (count >= _SHARE_DOUBLE * size)
    return np.asarray((group >= 0) & double[names], np.bool_)


def _stand_level(
    components: Components, a: NDArray[np.int32], b: NDArray[np.int32], x_height: float
) -> NDArray[np.bool_]:
    """Tell which pairs have their feet or their heads on one level."""
    feet = np.abs(components.bottom[a] - components.bottom[b])
    heads = np.abs(components.top[a] - components.top[b])
    return np.asarray(np.minimum(feet, heads) <= _STAND_LEVEL * x_height, np.bool_)


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
