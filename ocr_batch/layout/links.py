"""Link letters that stand on one line."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ocr_batch.layout.components import Components, Neighbours, boxes_of, medians_of
from ocr_batch.layout.groups import connected_groups

__all__ = ["group_letters", "link_neighbours"]

# In x-heights, unless a ratio.
_WORD_GAP = 1.9
_LINK_OVERLAP = 0.5
_STAND_LEVEL = 0.25
# In heights of the letters.
_EVEN = 0.4
# Letters of a word, of a long line.
_WORD = 4
_LONG = 12
# Quotation marks are fewer, and smaller in x-heights.
_MARK = 0.75
# Letters of a group whose feet are so many x-heights apart stand on two lines; from this number
# and share of them on, the group is two lines.
_DOUBLE = (1.2, 3.0)
_LOOK_AHEAD = 6
_FEWEST_DOUBLE = 8
_SHARE_DOUBLE = 0.3


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


def _look_across(
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


def group_letters(
    components: Components,
    body: NDArray[np.bool_],
    neighbours: Neighbours,
    gutters: NDArray[np.float64],
    x_height: float,
) -> NDArray[np.int32]:
    """Gather letters into groups that stand on one line.

    Parameters
    ----------
    components : Components
        Of a whole page.
    body : ndarray of bool, shape (N,)
        Letter-sized components, between which `neighbours` were found.
    neighbours : Neighbours
        Pairs of letters that see each other.
    gutters : ndarray of float64, shape (G, 4)
        No group crosses one.
    x_height : float
        The page's, in pixels.

    Returns
    -------
    ndarray of int32, shape (N,)
        Group of each component; those that are no letters are alone.
    """
    level, gap = link_neighbours(components, neighbours, x_height)
    a, b = neighbours.first, neighbours.second
    similar = np.maximum(components.height[a], components.height[b]) <= 2.6 * np.minimum(
        components.height[a], components.height[b]
    )
    linked = level & ~_look_across(components, neighbours, gutters)
    near = linked & (gap < 2 * _WORD_GAP * x_height)
    group = connected_groups(len(components), a[near], b[near])
    linked &= near | (similar & _belong(components, np.where(body, group, -1), a, b, x_height))
    group = connected_groups(len(components), a[linked], b[linked])
    double = _doubles(components, np.where(body, group, -1), x_height)
    if double.any():
        # Two close lines hang together somewhere: only letters that stand level link them now.
        linked &= ~double[a] | (near & _stand_level(components, a, b, x_height))
        group = connected_groups(len(components), a[linked], b[linked])
    return group


def _belong(
    components: Components,
    group: NDArray[np.int32],
    a: NDArray[np.int32],
    b: NDArray[np.int32],
    x_height: float,
) -> NDArray[np.bool_]:
    """Tell which pairs across a wide gap are of groups that stand on one line."""
    number, _ = boxes_of(components, group)
    count = int(number.max(initial=-1)) + 1
    size = np.bincount(number[number >= 0], minlength=count)
    foot, tall = (medians_of(v, number, count) for v in (components.bottom, components.height))
    first, second = number[a], number[b]
    shorter, longer = np.minimum(size[first], size[second]), np.maximum(size[first], size[second])
    even = np.abs(foot[first] - foot[second]) <= _EVEN * np.maximum(tall[first], tall[second])
    # The ends of long lines that curve are level where they meet.
    ends = np.abs(components.bottom[a] - components.bottom[b]) <= _STAND_LEVEL * x_height
    even |= ends & (shorter >= _LONG)
    # A symbol with its subscripts stands level with nothing.
    even |= (shorter < _WORD) & (longer >= _LONG)
    # Quotation marks look at each other over the word between them, which is their line.
    marks = (size < _WORD) & (tall < _MARK * x_height)
    even &= ~(marks[first] & marks[second])
    # A lone mark in the margin belongs to no line.
    return np.asarray(even & (shorter > 1), np.bool_)


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
