"""Part components that reach over two lines: a descender that touches an ascender below it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ocr_batch.layout.components import Components, Runs
from ocr_batch.layout.lines import Lines, baseline_at

__all__ = ["part_touching_lines"]

# In x-heights of the page.
_TALL = 2.2
_WIDE = 20.0
_BESIDE = 2.0
_MOST_LINES = 6


def part_touching_lines(
    components: Components, lines: Lines, dirt: NDArray[np.bool_], x_height: float
) -> Components | None:
    """Cut components that stand in the bands of several lines, between those lines.

    Parameters
    ----------
    components : Components
        Of a whole page.
    lines : Lines
        As found among those components.
    dirt : ndarray of bool, shape (N,)
        Components that are left alone.
    x_height : float
        The page's, in pixels.

    Returns
    -------
    Components or None
        None when there is nothing to cut. Cut-off lower parts are new components at the end.
    """
    tall = (components.height > _TALL * x_height) & (components.width < _WIDE * x_height)
    candidates = np.flatnonzero(tall & ~dirt)
    if not len(candidates) or len(lines) < 2:
        return None
    component: NDArray[np.int32] | None = None
    runs = components.runs
    number = len(components)
    boxes = [
        np.stack([components.left, components.top, components.right, components.bottom], axis=1)
    ]
    area = [components.area.copy()]
    for candidate in candidates.tolist():
        own = components.runs_of(candidate)
        rows = _cut_rows(components, lines, candidate, own, x_height)
        if not len(rows):
            continue
        if component is None:
            component = runs.component.copy()
        top, bottom = int(components.top[candidate]), int(components.bottom[candidate])
        bounds = np.r_[top, top + rows, bottom]
        for part, (first, last) in enumerate(pairwise(bounds.tolist())):
            ink = own[(runs.row[own] >= first) & (runs.row[own] < last)]
            if not len(ink):
                continue
            row, start, stop = runs.row[ink], runs.start[ink], runs.stop[ink]
            box = np.array([start.min(), row[0], stop.max(), row[-1] + 1])
            held = (stop - start).sum()
            if part == 0:
                boxes[0][candidate], area[0][candidate] = box, held
                continue
            component[ink] = number
            number += 1
            boxes.append(box[None, :])
            area.append(np.array([held]))
    if component is None:
        return None
    box = np.concatenate(boxes).astype(np.int32)
    return Components(
        components.shape,
        Runs(component, runs.row, runs.start, runs.stop),
        np.ascontiguousarray(box[:, 0]),
        np.ascontiguousarray(box[:, 1]),
        np.ascontiguousarray(box[:, 2] - box[:, 0]),
        np.ascontiguousarray(box[:, 3] - box[:, 1]),
        np.concatenate(area).astype(np.int32),
    )


def _cut_rows(
    components: Components,
    lines: Lines,
    candidate: int,
    own: NDArray[np.int64],
    x_height: float,
) -> NDArray[np.int64]:
    """Return the rows, from the component's top, above which it is to be cut."""
    left, right = components.left[candidate], components.right[candidate]
    top, bottom = components.top[candidate], components.bottom[candidate]
    middle = (left + right) / 2
    near = np.flatnonzero(
        (lines.box[:, 0] - _BESIDE * x_height < middle)
        & (lines.box[:, 2] + _BESIDE * x_height > middle)
        & (lines.box[:, 3] > top)
        & (lines.box[:, 1] < bottom)
    )
    foot = baseline_at(lines, near, np.full(len(near), middle))
    head = foot - lines.x_height[near]
    within = ((foot + head) / 2 > top) & ((foot + head) / 2 < bottom)
    order = np.argsort(foot[within])
    foot, head = foot[within][order], head[within][order]
    if len(foot) < 2 or len(foot) > _MOST_LINES:
        return np.zeros(0, np.int64)
    runs = components.runs
    profile = np.bincount(runs.row[own] - top, runs.stop[own] - runs.start[own], bottom - top)
    rows = []
    for upper, lower in zip(foot[:-1], head[1:], strict=True):
        # The thinnest row between the feet of one line and the heads of the next.
        first = int(np.clip(upper - top + 1, 1, len(profile) - 1))
        last = int(np.clip(lower - top, first + 1, len(profile)))
        span = profile[first:last]
        thin = np.flatnonzero(span == span.min())
        rows.append(first + int(thin[len(thin) // 2]))
    return np.array(rows, np.int64)
