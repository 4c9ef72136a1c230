"""Find the x-height at which a line that reads badly reads better."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ocr_batch.layout.components import Components
from ocr_batch.layout.lines import Lines
from ocr_batch.layout.page import Layout
from ocr_batch.recognition.classifier import Classifier
from ocr_batch.recognition.scoring import Scored, line_quality, score_whole
from ocr_batch.segmentation.page import Segmented, segment

__all__ = ["better_x_heights"]

# A line that looks less like text than this is tried at other scales.
_DOUBTFUL = 0.8
# Capitals alone may have been taken for small letters: such lines must read nearly perfectly.
_DOUBTFUL_LEVEL = 0.985
_SCALES = (0.69, 1.45)
# How much better a line must read at another x-height: one that shows a single level of letters,
# one whose x-height is not the page's, and one whose is.
_SLIGHTLY, _BETTER, _MUCH = 0.015, 0.04, 0.08
# Of long lines so many components from the middle are tried first: where these gain nothing, the
# whole line is not tried.
_MIDDLE = 24
# X-heights that differ by less than this factor are the same.
_ALIKE = 1.12


def _agree(lines: Lines) -> NDArray[np.bool_]:
    """Tell which lines have, surely, the x-height that is usual on their page."""
    if not lines.sure.any():
        return lines.sure
    usual = np.median(lines.x_height[lines.sure])
    return np.asarray(lines.sure & (np.abs(np.log(lines.x_height / usual)) < np.log(_ALIKE)))


def _middles(
    components: Components, lines: Lines, chosen: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return which components are in the middle of a chosen line, and these middles' boxes."""
    member = np.flatnonzero((lines.line_of >= 0) & chosen[lines.line_of])
    line = lines.line_of[member]
    order = np.lexsort((components.left[member], line))
    member, line = member[order], line[order]
    size = np.bincount(line, minlength=len(lines))
    rank = np.arange(len(line)) - (np.cumsum(size) - size)[line]
    member = member[np.abs(2 * rank + 1 - size[line]) <= _MIDDLE]
    kept = np.zeros(len(components), np.bool_)
    kept[member] = True
    box = lines.box.copy()
    line = lines.line_of[member]
    box[chosen, 0], box[chosen, 2] = np.inf, -np.inf
    np.minimum.at(box[:, 0], line, components.left[member])
    np.maximum.at(box[:, 2], line, components.right[member])
    return kept, box


def better_x_heights(
    grey: NDArray[np.uint8],
    layout: Layout,
    page: Segmented,
    scored: Scored,
    classifier: Classifier,
    stage: Callable[[str], AbstractContextManager[None]],
) -> NDArray[np.float64]:
    """Try doubtful lines at other scales.

    Parameters
    ----------
    grey : (H, W) uint8
        The prepared page.
    layout : Layout
        Its components and lines.
    page : Segmented
        The lines as they were measured.
    scored : Scored
        Whole atoms of these.
    classifier : Classifier
    stage : callable
        Gives a context that takes the time of a stage, by its name.

    Returns
    -------
    (L,) float64
        The lines' x-heights in pixels, those of lines that read clearly better changed.
    """
    lines = layout.lines
    if not len(lines):
        return lines.x_height
    quality = line_quality(page, scored, len(lines))
    doubtful = quality < np.where(lines.sure, _DOUBTFUL, _DOUBTFUL_LEVEL)
    if not doubtful.any():
        return lines.x_height
    agrees = _agree(lines)
    margin = np.where(lines.sure, np.where(agrees, _MUCH, _BETTER), _SLIGHTLY)

    def read(chosen: NDArray[np.bool_], part: Lines, scale: float) -> NDArray[np.float64]:
        """Return how well lines, or parts of them, read at a scale."""
        with stage("segment"):
            tried = segment(grey, layout.components, _take(part, chosen, scale), cut=False)
        with stage("classify"):
            result = score_whole([tried], classifier)[0]
        found = np.zeros(len(lines))
        found[chosen] = line_quality(tried, result, int(chosen.sum()))
        return found

    kept, box = _middles(layout.components, lines, doubtful)
    middle = replace(lines, line_of=np.where(kept, lines.line_of, -1).astype(np.int32), box=box)
    now = _quality_between(page, scored, box)
    long = np.bincount(lines.line_of[lines.line_of >= 0], minlength=len(lines)) > _MIDDLE
    heights = lines.x_height.copy()
    best = quality + margin
    for scale in _SCALES:
        # Letters as tall as the page's are at times capitals, never small letters of half the size.
        chosen = doubtful & ~agrees if scale > 1 else doubtful
        if not chosen.any():
            continue
        found = read(chosen, middle, scale)
        again = chosen & long & (found > now)
        found[long] = 0.0
        if again.any():
            found = np.maximum(found, read(again, lines, scale))
        better = found > best
        heights[better] = lines.x_height[better] * scale
        best[better] = found[better]
    return heights


def _take(lines: Lines, chosen: NDArray[np.bool_], scale: float) -> Lines:
    """Return the chosen lines, renumbered, at another scale."""
    number = np.cumsum(chosen) - 1
    kept = (lines.line_of >= 0) & chosen[lines.line_of]
    return Lines(
        np.where(kept, number[lines.line_of], -1).astype(np.int32),
        lines.box[chosen],
        lines.origin[chosen],
        lines.baseline[chosen],
        lines.x_height[chosen] * scale,
        lines.sure[chosen],
    )


def _quality_between(
    page: Segmented, scored: Scored, box: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how well each line reads, as far as it lies within the columns of its box."""
    line = page.atoms.line
    middle = (page.atoms.box[:, 0] + page.atoms.box[:, 2]) / 2
    inside = (middle >= box[line, 0]) & (middle <= box[line, 2])
    part = Scored(scored.edges.take(inside), scored.log_probabilities[: len(inside)][inside])
    return line_quality(page, part, len(box))
