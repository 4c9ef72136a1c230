"""Part components that reach over two lines: a descender that touches an ascender below it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ocr_batch.layout.components import Components
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
    labels: NDArray[np.int32] | None = None
    number = len(components)
    boxes = [
        np.stack([components.left, components.top, components.right, components.bottom], axis=1)
    ]
    area = [components.area.copy()]
    full = boxes[0]
    for candidate in candidates:
        rows = _cut_rows(components, lines, int(candidate), x_height)
        if not len(rows):
            continue
        if labels is None:
            labels = components.labels.copy()
        left, top, right, bottom = (int(value) for value in full[candidate])
        window = labels[top:bottom, left:right]
        own = window == candidate + 1
        bounds = np.r_[0, rows, bottom - top]
        for part, (first, last) in enumerate(pairwise(bounds.tolist())):
            ink = own[first:last]
            if not ink.any():
                continue
            where = np.nonzero(ink)
            box = np.array(
                [
                    left + where[1].min(),
                    top + first + where[0].min(),
                    left + where[1].max() + 1,
                    top + first + where[0].max() + 1,
                ]
            )
            if part == 0:
                full[candidate], area[0][candidate] = box, len(where[0])
                continue
            number += 1
            window[first:last][ink] = number
            boxes.append(box[None, :])
            area.append(np.array([len(where[0])]))
    if labels is None:
        return None
    box = np.concatenate(boxes).astype(np.int32)
    return Components(
        labels,
        np.ascontiguousarray(box[:, 0]),
        np.ascontiguousarray(box[:, 1]),
        np.ascontiguousarray(box[:, 2] - box[:, 0]),
        np.ascontiguousarray(box[:, 3] - box[:, 1]),
        np.concatenate(area).astype(np.int32),
    )


def _cut_rows(
    components: Components, lines: Lines, candidate: int, x_height: float
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
    profile = (components.labels[top:bottom, left:right] == candidate + 1).sum(axis=1)
    rows = []
    for upper, lower in zip(foot[:-1], head[1:], strict=True):
        # The thinnest row between the feet of one line and the heads of the next.
        first = int(np.clip(upper - top + 1, 1, len(profile) - 1))
        last = int(np.clip(lower - top, first + 1, len(profile)))
        span = profile[first:last]
        thin = np.flatnonzero(span == span.min())
        rows.append(first + int(thin[len(thin) // 2]))
    return np.array(rows, np.int64)
