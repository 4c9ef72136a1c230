"""Cut the part of a page out that shows an error."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ocr_batch.evaluation.laid import Laid
from ocr_batch.evaluation.metrics import Edit
from ocr_batch.segmentation.strips import X_HEIGHT

__all__ = ["scene"]

# In x-heights: how much of the page is shown around what is wrong.
_ASIDE, _ABOVE, _BELOW = 12.0, 3.0, 2.0
_WIDEST, _HIGHEST = 48.0, 14.0


def scene(laid: Laid, edits: Sequence[Edit]) -> NDArray[np.uint8] | None:
    """Show the place of errors on the prepared page.

    Parameters
    ----------
    laid : Laid
    edits : sequence of Edit
        That stand together.

    Returns
    -------
    ndarray of uint8, shape (h, w, 3), or None
        An x-height is 20 pixels, what is meant is framed; None when no line is near.
    """
    boxes = _boxes(laid, edits)
    if not len(boxes):
        return None
    left, top = boxes[:, 0].min(), boxes[:, 1].min()
    right, bottom = boxes[:, 2].max(), boxes[:, 3].max()
    unit = laid.trace.prepared.x_height or 20.0
    grey = laid.trace.prepared.grey
    left, right = left - _ASIDE * unit, right + _ASIDE * unit
    right = min(right, left + _WIDEST * unit)
    top, bottom = top - _ABOVE * unit, min(bottom, top + _HIGHEST * unit) + _BELOW * unit
    x0, y0 = max(0, round(left)), max(0, round(top))
    x1, y1 = min(grey.shape[1], round(right)), min(grey.shape[0], round(bottom))
    if x1 - x0 < 2 or y1 - y0 < 2:
        return None
    scale = X_HEIGHT / unit
    size = (max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    shown = cv2.cvtColor(
        cv2.resize(grey[y0:y1, x0:x1], size, interpolation=how), cv2.COLOR_GRAY2RGB
    )
    for box in boxes:
        corners = np.round((box - [x0, y0, x0, y0]) * scale).astype(int)
        cv2.rectangle(shown, corners[:2].tolist(), corners[2:].tolist(), (220, 60, 40), 1)
    return np.asarray(shown, np.uint8)


def _boxes(laid: Laid, edits: Sequence[Edit]) -> NDArray[np.float64]:
    """Return boxes on the prepared page of what was read there, else of what stands beside."""
    steps: list[int] = []
    forced: list[int] = []
    for edit in edits:
        forced += laid.step[edit.truth[0] : edit.truth[1]].tolist()
        steps += laid.spelled.step[edit.output[0] : edit.output[1]].tolist()
    found = _forced_boxes(laid, np.array(forced, np.int64))
    found = np.concatenate([found, _read_boxes(laid, np.array(steps, np.int64))])
    if len(found):
        return found
    start, stop = edits[0].truth[0], edits[-1].truth[1]
    before, after = laid.step[:start], laid.step[stop:]
    before, after = before[before >= 0][-1:], after[after >= 0][:1]
    return _forced_boxes(laid, np.r_[before, after])


def _forced_boxes(laid: Laid, steps: NDArray[np.int64]) -> NDArray[np.float64]:
    steps = np.unique(steps[steps >= 0])
    steps = steps[laid.forced.edge[steps] >= 0] if len(steps) else steps
    return _on_page(
        laid, laid.forced.line[steps], laid.forced.scored.edges.box[laid.forced.edge[steps]]
    )


def _read_boxes(laid: Laid, steps: NDArray[np.int64]) -> NDArray[np.float64]:
    steps = np.unique(steps[steps >= 0])
    reading = laid.trace.reading
    return _on_page(laid, reading.line[steps], laid.trace.scored.edges.box[reading.edge[steps]])


def _on_page(laid: Laid, line: NDArray[np.int64], box: NDArray[np.float64]) -> NDArray[np.float64]:
    strips = laid.trace.page.strips
    left, top = strips.to_page(line, box[:, 0], box[:, 1])
    right, bottom = strips.to_page(line, box[:, 2], box[:, 3])
    return np.stack([left, top, right, bottom], axis=1)
