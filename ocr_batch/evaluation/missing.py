"""Look on the page for characters that no candidate shows: what became of their ink."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ocr_batch.evaluation.causes import Cause
from ocr_batch.evaluation.laid import Laid
from ocr_batch.imaging.clean import binarise
from ocr_batch.layout.components import Components, find_components
from ocr_batch.layout.figures import find_figures, inside
from ocr_batch.segmentation.strips import BASELINE, X_HEIGHT

__all__ = ["PageInk", "binary_page", "missing_cause"]

# In x-heights: how far letters reach above and below the baseline, and how far beyond the end of
# a line one that was lost may stand.
_ABOVE, _BELOW, _BEYOND = 1.7, 0.45, 2.5
# A place narrower than this (x-heights) has no room: the character's ink is in its neighbours'.
_NO_ROOM = 0.25
# Ink and dark pixels, in squares of the x-height, that can be a part of a character.
_SOME_INK = 0.02
_DARK = 215
# Components of this height, in x-heights, may be letters.
_LETTER_LOW, _LETTER_HIGH = 0.5, 4.0


def binary_page(grey: NDArray[np.uint8], x_height: float, *, bilevel: bool) -> NDArray[np.bool_]:
    """Return the ink of a prepared page before rules are taken out.

    Parameters
    ----------
    grey : ndarray of uint8, shape (H, W)
        `Prepared.grey`.
    x_height : float
        In pixels.
    bilevel : bool
        Whether the sheet has black and white only.

    Returns
    -------
    ndarray of bool, shape (H, W)
    """
    if bilevel:
        return np.asarray(grey < 128, np.bool_)
    return binarise(grey, round(3.0 * (x_height or 20.0)))


class PageInk:
    """The ink of a page by what became of it; parts are found when they are asked for.

    Parameters
    ----------
    laid : Laid
    bilevel : bool
        Whether the sheet has black and white only.
    """

    def __init__(self, laid: Laid, *, bilevel: bool) -> None:
        self._prepared, self._layout = laid.trace.prepared, laid.trace.layout
        self.bilevel = bilevel
        self.x_height = self._prepared.x_height or 20.0

    @cached_property
    def raw(self) -> NDArray[np.bool_]:
        """Ink before rules were taken out, (H, W) bool."""
        return binary_page(self._prepared.grey, self.x_height, bilevel=self.bilevel)

    @cached_property
    def pictured(self) -> NDArray[np.bool_]:
        """Which components lie in pictures, (N,) bool."""
        figures = find_figures(self._prepared.ink, self.x_height)
        labels = self._layout.components.labels
        return inside(self._layout.components, figures, labels.shape)

    @cached_property
    def letters(self) -> int:
        """How many components may be letters, be they in lines or not."""
        return int(self._letter_like(find_components(self.raw)).sum())

    def letters_of(self, lines: NDArray[np.int64]) -> int:
        """Count the components of these lines that may be letters."""
        own = np.isin(self._layout.lines.line_of, lines)
        return int((own & self._letter_like(self._layout.components)).sum())

    def _letter_like(self, components: Components) -> NDArray[np.bool_]:
        low, high = _LETTER_LOW * self.x_height, _LETTER_HIGH * self.x_height
        return np.asarray((components.height >= low) & (components.height <= high), np.bool_)

    def cause(self, box: tuple[int, int, int, int], line: int) -> Cause:
        """Say what became of the ink in a box (left, top, right, bottom) beside a line."""
        left, top, right, bottom = box
        window = np.s_[top:bottom, left:right]
        labels = self._layout.components.labels[window]
        least = _SOME_INK * float(self._layout.lines.x_height[line]) ** 2
        found = labels[labels > 0] - 1
        of = self._layout.lines.line_of[found]
        if (of == line).sum() >= least:
            return Cause.NO_CUT
        free = found[of < 0]
        if len(free) >= least:
            return Cause.FIGURES if self.pictured[free].mean() > 0.5 else Cause.ASIDE
        if (of >= 0).sum() >= least:
            return Cause.ASIDE
        if (self.raw[window] & (labels == 0)).sum() >= least:
            return Cause.RULES
        dark = (self._prepared.grey[window] < _DARK) & (labels == 0)
        return Cause.BINARISATION if dark.sum() >= least else Cause.NO_INK


def missing_cause(laid: Laid, ink: PageInk, step: int) -> Cause:
    """Say why no candidate shows a character of a line.

    Parameters
    ----------
    laid : Laid
    ink : PageInk
        Of the same page.
    step : int
        A forced step without a candidate.

    Returns
    -------
    Cause
    """
    forced, strips = laid.forced, laid.trace.page.strips
    line = int(forced.line[step])
    own = np.flatnonzero((forced.line == line) & (forced.edge >= 0) & (forced.place >= 0))
    boxes = forced.scored.edges.box[forced.edge[own]]
    before, after = own < step, own > step
    if not len(own):
        return Cause.UNREAD
    first, last = float(boxes[:, 0].min()), float(boxes[:, 2].max())
    left = float(boxes[before, 2].max()) if before.any() else first - _BEYOND * X_HEIGHT
    right = float(boxes[after, 0].min()) if after.any() else last + _BEYOND * X_HEIGHT
    if right - left < _NO_ROOM * X_HEIGHT:
        return Cause.NO_CUT
    # Candidates here that the truth has nothing for are the character in other cuts.
    edges = forced.scored.edges
    extra = np.flatnonzero((forced.line == line) & (forced.edge >= 0) & (forced.place < 0))
    middle = (edges.box[forced.edge[extra], 0] + edges.box[forced.edge[extra], 2]) / 2
    if ((middle > left) & (middle < right)).any():
        return Cause.NO_CUT
    rows = np.array([BASELINE - _ABOVE * X_HEIGHT, BASELINE + _BELOW * X_HEIGHT])
    x, y = strips.to_page(np.full(2, line), np.array([left, right]), rows)
    height, width = laid.trace.prepared.grey.shape
    box = (
        int(np.clip(round(x[0]), 0, width - 1)),
        int(np.clip(round(y[0]), 0, height - 1)),
        int(np.clip(round(x[1]), 1, width)),
        int(np.clip(round(y[1]), 1, height)),
    )
    return ink.cause(box, line)
