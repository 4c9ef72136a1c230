"""Find out which way up a page stands, from the part of it that is most like text."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import cv2
import numpy as np

from ocr_batch.layout.components import Components, find_components, typical_height
from ocr_batch.layout.page import analyse, letter_like
from ocr_batch.layout.prepare import Prepared
from ocr_batch.recognition.classifier import Classifier
from ocr_batch.recognition.scoring import Scored, line_quality, page_quality, score_whole
from ocr_batch.segmentation.page import Segmented, segment

__all__ = ["MANY", "likely_turn", "stands_upright"]

#: From so few characters nothing is concluded.
MANY = 10
# Lines of so many characters that read this well are not on their side or head; so many tell.
_LINE, _WELL, _ENOUGH = 10, 0.85, 3
# Side of the part that is tried, in x-heights: some ten lines of thirty characters.
_PART = 36.0
# How much better the part must read turned for the whole page to be tried.
_BETTER = 0.05


def _busiest(components: Components, size: tuple[int, int], x_height: float) -> tuple[slice, slice]:
    """Return the rows and columns of the square with the most components like letters."""
    step = max(1, round(2 * x_height))
    letter = letter_like(components, x_height) & (components.height < 4 * x_height)
    row, column = ((side[letter] // step) for side in (components.top, components.left))
    height, width = (-(-side // step) for side in size)
    count = np.bincount(row * width + column, minlength=height * width).astype(np.float32)
    high, wide = (min(round(_PART * x_height / step), cells) for cells in (height, width))
    total = cv2.boxFilter(
        count.reshape(height, width),
        cv2.CV_32F,
        (wide, high),
        anchor=(0, 0),
        normalize=False,
        borderType=cv2.BORDER_CONSTANT,
    )
    inside = total[: height - high + 1, : width - wide + 1]
    top, left = divmod(int(inside.argmax()), inside.shape[1])
    return (
        slice(top * step, (top + high) * step),
        slice(left * step, (left + wide) * step),
    )


def stands_upright(page: Segmented, scored: Scored) -> bool:
    """Tell whether some lines of a page read so well that the page must stand upright.

    Parameters
    ----------
    page : Segmented
    scored : Scored
        Its whole atoms.

    Returns
    -------
    bool
        False when nothing can be said: all lines read badly, or there are hardly any.
    """
    lines = len(page.strips.lines)
    size = np.bincount(page.pieces.line[scored.edges.start], minlength=lines)
    well = line_quality(page, scored, lines) >= _WELL
    return int((well & (size >= _LINE)).sum()) >= _ENOUGH


def likely_turn(
    prepared: Prepared,
    quality: float,
    classifier: Classifier,
    stage: Callable[[str], AbstractContextManager[None]],
) -> int:
    """Try a part of a page in the other three directions.

    Parameters
    ----------
    prepared : Prepared
        The page as it stands.
    quality : float
        How well it reads so.
    classifier : Classifier
    stage : callable
        Gives a context that takes the time of a stage, by its name.

    Returns
    -------
    int
        Clockwise quarter turns, 1 to 3, in which the part reads best, and better than the page
        as it stands; 0 when there is none.
    """
    part = _busiest(prepared.components, prepared.ink.shape, prepared.x_height or 20.0)
    pages = []
    for turns in (1, 2, 3):
        # NumPy turns the other way round.
        grey = np.ascontiguousarray(np.rot90(prepared.grey[part], -turns))
        ink = np.ascontiguousarray(np.rot90(prepared.ink[part], -turns))
        with stage("layout"):
            components = find_components(ink)
            x_height = typical_height(components) or 20.0
            layout = analyse(ink, np.zeros((0, 4)), components, x_height)
        with stage("segment"):
            pages.append(segment(grey, layout.components, layout.lines, cut=False))
    with stage("classify"):
        scored = score_whole(pages, classifier)
    found = [page_quality(scores) if len(scores.edges) >= MANY else 0.0 for scores in scored]
    best = int(np.argmax(found))
    return best + 1 if found[best] > quality + _BETTER else 0
