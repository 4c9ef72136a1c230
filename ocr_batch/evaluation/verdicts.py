"""Give each character of the truth, were it wrong, to the stage that lost it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ocr_batch.evaluation.causes import Cause
from ocr_batch.evaluation.laid import Laid
from ocr_batch.evaluation.missing import PageInk, missing_cause

__all__ = ["Verdicts", "line_shares"]

#: The classifier is sure from here on, as reading takes a whole atom to be.
_SURE = 0.97
_LEAST_RIGHT = 0.5


def line_shares(laid: Laid) -> NDArray[np.float64]:
    """Return what share of the truth of each line was read right but for its case.

    Parameters
    ----------
    laid : Laid

    Returns
    -------
    ndarray of float64, shape (L,)
        Whether the line was kept or not; NaN for lines whose truth was not found.
    """
    count = len(laid.trace.layout.lines)
    step = np.unique(laid.step[laid.step >= 0])
    line = laid.forced.line[step]
    total = np.bincount(line, minlength=count)
    right = np.bincount(line, laid.shown.alike[step], minlength=count)
    return np.asarray(np.where(total > 0, right / np.maximum(total, 1), np.nan), np.float64)


class Verdicts:
    """Judges characters of the truth by their candidates.

    Parameters
    ----------
    laid : Laid
    ink : PageInk
    """

    def __init__(self, laid: Laid, ink: PageInk) -> None:
        self._laid, self._ink = laid, ink
        self._share = line_shares(laid)
        count = len(laid.trace.layout.lines)
        self._kept = np.bincount(laid.trace.reading.line, laid.spelled.kept, minlength=count) > 0
        self._missing: dict[int, Cause] = {}

    def of(self, place: int) -> Cause | None:
        """Judge the character at a position of the truth.

        Returns
        -------
        Cause or None
            None where forced alignment finds no line for it, and where it was read right.
        """
        laid = self._laid
        if not laid.known[place]:
            return Cause.CHARSET
        step = int(laid.step[place])
        if step < 0:
            return None
        shown, line = laid.shown, int(laid.forced.line[step])
        if self._share[line] < _LEAST_RIGHT:
            return Cause.UNREAD
        if not self._kept[line]:
            return Cause.JUNK
        if laid.forced.edge[step] < 0:
            return self._no_candidate(step)
        if shown.right[step]:
            return None if shown.kept[step] else Cause.JUNK
        if not shown.among_five[step]:
            # Beside a character that is missing, the candidate may be neither of the two; beside
            # one that the truth has nothing for, it may be a part of what the truth has.
            for beside in (step - 1, step + 1):
                if self._misses(beside, line):
                    return self._no_candidate(beside)
                if self._is_extra(beside, line) and not self._joined(step, beside):
                    return Cause.NO_CUT
        return self._shape(step)

    def _misses(self, step: int, line: int) -> bool:
        forced = self._laid.forced
        return (
            0 <= step < len(forced.edge)
            and int(forced.line[step]) == line
            and int(forced.edge[step]) < 0
            and int(forced.place[step]) >= 0
        )

    def _is_extra(self, step: int, line: int) -> bool:
        forced = self._laid.forced
        return (
            0 <= step < len(forced.edge)
            and int(forced.line[step]) == line
            and bool(forced.extra[step])
        )

    def _joined(self, step: int, other: int) -> bool:
        """Say whether a candidate holds the ink of two steps."""
        edges = self._laid.forced.scored.edges
        both = self._laid.forced.edge[[step, other]]
        start, stop = edges.start[both].min(), edges.stop[both].max()
        return bool(((edges.start == start) & (edges.stop == stop)).any())

    def _no_candidate(self, step: int) -> Cause:
        if step not in self._missing:
            self._missing[step] = missing_cause(self._laid, self._ink, step)
        return self._missing[step]

    def _shape(self, step: int) -> Cause:
        """Judge a character by the candidate that shows it."""
        shown = self._laid.shown
        if not shown.offered[step]:
            return Cause.NOT_ASKED
        if shown.rank[step] == 0:
            if not shown.first[step]:
                return Cause.REJECTED
            return Cause.LANGUAGE if shown.used[step] else Cause.PATH
        if shown.used[step] and shown.surest[step] >= _SURE:
            return Cause.SURE
        return Cause.TOP_FIVE if shown.among_five[step] else Cause.BEYOND
