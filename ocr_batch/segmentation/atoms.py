"""Join what is stacked: dots with their stems, accents, colons, equals signs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ocr_batch.layout.components import Components
from ocr_batch.layout.groups import connected_groups
from ocr_batch.layout.lines import Lines, baseline_at

__all__ = ["Atoms", "find_atoms"]

# In x-heights, unless a share.
_OVERLAP = 0.45
_SLACK = 0.14
_RISE = 2.4
_LOOK_AHEAD = 8
# Of a dot over one of several letters that touch.
_LARGEST_DOT = 0.6
_LIFT = 0.7
_LOWEST_DOT = 0.75
_ACROSS_DOT = np.array([0.25, 0.5, 0.75])


@dataclass(frozen=True)
class Atoms:
    """The smallest things a line is read from before anything is cut.

    Attributes
    ----------
    atom_of : ndarray of int32, shape (N,)
        Atom of each component, -1 for components in no line.
    line : ndarray of int64, shape (A,)
        Atoms are ordered by line, then from left to right.
    box : ndarray of float64, shape (A, 4)
        left, top, right, bottom on the page.
    """

    atom_of: NDArray[np.int32]
    line: NDArray[np.int64]
    box: NDArray[np.float64]


def find_atoms(components: Components, lines: Lines) -> Atoms:
    """Group the components of each line into atoms, in reading order.

    Parameters
    ----------
    components : Components
        Of a whole page.
    lines : Lines
        Which components stand on which line.

    Returns
    -------
    Atoms
    """
    member = np.flatnonzero(lines.line_of >= 0)
    line = lines.line_of[member].astype(np.int64)
    left = components.left[member].astype(np.float64)
    order = np.lexsort((left, line))
    member, line = member[order], line[order]
    box = np.stack(
        [
            components.left[member],
            components.top[member],
            components.right[member],
            components.bottom[member],
        ],
        axis=1,
    ).astype(np.float64)
    unit = lines.x_height[line]
    i, j = _beside(box, line, unit)
    stacked = _stacked(box[i], box[j], unit[i])
    maybe = np.flatnonzero(~stacked)
    for mark, body in ((i[maybe], j[maybe]), (j[maybe], i[maybe])):
        small = _dot_like(box, mark, body, unit, lines, line)
        dots = _over_ink(components, box[mark[small]], member[body[small]], unit[mark[small]])
        stacked[maybe[small[dots]]] = True
    a, b = i[stacked], j[stacked]
    group = connected_groups(len(member), a, b)
    count = int(group.max()) + 1 if len(member) else 0
    hull = np.empty((count, 4))
    hull[:, :2], hull[:, 2:] = np.inf, -np.inf
    for side in (0, 1):
        np.minimum.at(hull[:, side], group, box[:, side])
        np.maximum.at(hull[:, side + 2], group, box[:, side + 2])
    line_of = np.zeros(count, np.int64)
    line_of[group] = line
    rank = np.lexsort((hull[:, 0] + hull[:, 2], line_of))
    place = np.empty(count, np.int32)
    place[rank] = np.arange(count, dtype=np.int32)
    atom_of = np.full(len(components), -1, np.int32)
    atom_of[member] = place[group]
    return Atoms(atom_of, line_of[rank], hull[rank])


def _beside(
    box: NDArray[np.float64], line: NDArray[np.int64], unit: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return pairs of boxes of a line, the second begins before the first's end or just after."""
    end = box[:, 2] + _SLACK * unit
    first, second = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for ahead in range(1, min(_LOOK_AHEAD, len(box) - 1) + 1):
        near = (line[ahead:] == line[:-ahead]) & (box[ahead:, 0] <= end[:-ahead])
        first.append(np.flatnonzero(near))
        second.append(first[-1] + ahead)
    return np.concatenate(first), np.concatenate(second)


def _stacked(
    a: NDArray[np.float64], b: NDArray[np.float64], unit: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Tell which pairs of boxes stand one above the other as parts of one character."""
    width_a, width_b = a[:, 2] - a[:, 0], b[:, 2] - b[:, 0]
    height_a, height_b = a[:, 3] - a[:, 1], b[:, 3] - b[:, 1]
    narrow = np.minimum(width_a, width_b)
    across = np.minimum(a[:, 2], b[:, 2]) - np.maximum(a[:, 0], b[:, 0])
    along = np.minimum(a[:, 3], b[:, 3]) - np.maximum(a[:, 1], b[:, 1])
    total = np.maximum(a[:, 3], b[:, 3]) - np.minimum(a[:, 1], b[:, 1])
    # A slanted letter's dot stands to the right of its stem: small marks may be a little off.
    small = np.minimum(height_a, height_b) < 0.5 * unit
    slack = np.where(small, _SLACK * unit, 0.0)
    stacked = across + slack >= _OVERLAP * narrow
    stacked &= along <= 0.25 * np.minimum(height_a, height_b)
    stacked &= total <= _RISE * unit
    # The upper and the lower part of two neighbours that overlap are not one character.
    hull = np.maximum(a[:, 2], b[:, 2]) - np.minimum(a[:, 0], b[:, 0])
    stacked &= hull <= np.maximum(1.25 * np.maximum(width_a, width_b), 0.55 * unit)
    return np.asarray(stacked, np.bool_)


def _dot_like(
    box: NDArray[np.float64],
    mark: NDArray[np.int64],
    body: NDArray[np.int64],
    unit: NDArray[np.float64],
    lines: Lines,
    line: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return which pairs may be a dot and touching letters that stand on both sides of it."""
    width, height = (box[mark, side + 2] - box[mark, side] for side in (0, 1))
    middle = 0.5 * (box[mark, 0] + box[mark, 2])
    within = (middle > box[body, 0]) & (middle < box[body, 2])
    within &= box[mark, 3] < box[body, 3]
    size = unit[mark]
    small = np.maximum(width, height) < _LARGEST_DOT * size
    # Where both stand apart, as over a single letter, their boxes have told already.
    small &= box[body, 2] - box[body, 0] > 1.5 * width
    foot = baseline_at(lines, line[mark], middle)
    return np.flatnonzero(within & small & (box[mark, 3] < foot - _LOWEST_DOT * size))


def _over_ink(
    components: Components,
    box: NDArray[np.float64],
    body: NDArray[np.int64],
    unit: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Tell over which marks' middles nothing of the body stands, but something below them."""
    if not len(box):
        return np.zeros(0, np.bool_)
    height, width = components.shape
    column = box[:, :1] + _ACROSS_DOT * (box[:, 2:3] - box[:, :1])
    down = np.arange(int(np.ceil((box[:, 3] - box[:, 1] + _LIFT * unit).max())))
    row = box[:, 1:2] + down
    seen = components.at(
        np.clip(row, 0, height - 1).astype(np.int64)[:, None, :],
        np.clip(column, 0, width - 1).astype(np.int64)[:, :, None],
    )
    ink = seen == body[:, None, None]
    beside = (row < box[:, 3:])[:, None, :]
    below = ((row >= box[:, 3:]) & (row < box[:, 3:] + _LIFT * unit[:, None]))[:, None, :]
    return np.asarray(~(ink & beside).any(axis=(1, 2)) & (ink & below).any(axis=2)[:, 1], np.bool_)
