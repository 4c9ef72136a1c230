"""Find the x-height at which a line that reads badly reads better."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

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
# X-heights that differ by less than this factor are the same.
_ALIKE = 1.12


def _margin(lines: Lines) -> NDArray[np.float64]:
    """Return how much better each line must read at another x-height to be given it.

    A line that agrees with its page is seldom measured wrongly: letters that touch read badly at
    any scale.
    """
    if not lines.sure.any():
        return np.full(len(lines), _SLIGHTLY)
    usual = np.median(lines.x_height[lines.sure])
    agrees = np.abs(np.log(lines.x_height / usual)) < np.log(_ALIKE)
    return np.where(lines.sure, np.where(agrees, _MUCH, _BETTER), _SLIGHTLY)


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
    heights = lines.x_height.copy()
    best = quality + _margin(lines)
    number = np.cumsum(doubtful) - 1
    kept = (lines.line_of >= 0) & doubtful[lines.line_of]
    line_of = np.where(kept, number[lines.line_of], -1).astype(np.int32)
    for scale in _SCALES:
        trial = replace(
            lines,
            line_of=line_of,
            box=lines.box[doubtful],
            origin=lines.origin[doubtful],
            baseline=lines.baseline[doubtful],
            x_height=lines.x_height[doubtful] * scale,
            sure=lines.sure[doubtful],
        )
        with stage("segment"):
            tried = segment(grey, layout.components, trial)
        with stage("classify"):
            read = score_whole([tried], classifier)[0]
        found = np.zeros(len(lines))
        found[doubtful] = line_quality(tried, read, len(trial))
        better = found > best
        heights[better] = lines.x_height[better] * scale
        best[better] = found[better]
    return heights
