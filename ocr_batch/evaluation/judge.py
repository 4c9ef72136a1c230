"""Give each error of a page to exactly one cause.

The rule. An error that takes a character of the truth is judged by that character, one that only
adds by the character of the truth whose ink it holds. The first of these that holds is the cause:

1. It belongs to a piece of text that was read in another place (`evaluation.moved`).
2. The character lies in a stretch that no line shows: the stretch's cause (`evaluation.lost`).
3. It differs from what was read by its case only, or is a hyphen or a space at a line's end.
4. What its line and its candidate say (`evaluation.verdicts`), in the order of reading: line
   unread, line left out, no candidate, candidate not asked for, rejected, misread, not chosen.
5. It was read right but stands elsewhere in the text.

A space takes the cause of an error that touches it. An error whose own candidate was fine, but
whose neighbour in the same place lacks its candidate or its class, takes the neighbour's cause. An
error of which nothing is wrong (of "ll" read as "l" alignment drops either) takes the cause of the
nearest one that has some.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ocr_batch.batch.pipeline import Models
from ocr_batch.evaluation.causes import Cause
from ocr_batch.evaluation.laid import Laid
from ocr_batch.evaluation.lost import judge_stretches, lost_stretches
from ocr_batch.evaluation.metrics import Edit
from ocr_batch.evaluation.missing import PageInk
from ocr_batch.evaluation.moved import moved_text
from ocr_batch.evaluation.verdicts import Verdicts

__all__ = ["find_causes", "runs"]

# Errors with no more than so many right characters between them are one place of the text.
_TOGETHER = 3
# The characters of the truth beside an error that may be the ones lost: of "ll" either.
_NEAR = 3
# A character read right counts as put elsewhere from so many characters away.
_ELSEWHERE = 12
_MARKS = frozenset("\"';:!?()[]")
_SPACES = (Cause.SPACE_LOST, Cause.SPACE_ADDED, Cause.SPACE_MARK)
# What may follow from another fault beside it rather than from itself, and what from.
_LATE = (Cause.LANGUAGE, Cause.PATH)
_SHAPES = (
    Cause.NO_CUT,
    Cause.NOT_ASKED,
    Cause.REJECTED,
    Cause.SURE,
    Cause.TOP_FIVE,
    Cause.BEYOND,
)


def find_causes(laid: Laid, ink: PageInk, models: Models) -> list[Cause]:
    """Judge the errors of a page.

    Parameters
    ----------
    laid : Laid
    ink : PageInk
        Of the same page.
    models : Models
        What the page was read with; lost text is looked for with it once more.

    Returns
    -------
    list of Cause
        One for each of `laid.edits`.
    """
    judge = _Judge(laid, ink, models)
    found = [judge.alone(edit) for edit in laid.edits]
    for run in runs(laid.edits, _TOGETHER):
        judge.settle(run, found)
    return [Cause.OPEN if cause is None else cause for cause in found]


def runs(edits: tuple[Edit, ...], apart: int) -> list[list[int]]:
    """Group edits that stand together.

    Parameters
    ----------
    edits : tuple of Edit
        In the order of the text.
    apart : int
        Most right characters between two of them.

    Returns
    -------
    list of list of int
        Indices of edits.
    """
    found: list[list[int]] = []
    for number, edit in enumerate(edits):
        if found and _apart(edits[found[-1][-1]], edit) <= apart:
            found[-1].append(number)
        else:
            found.append([number])
    return found


def _apart(one: Edit, other: Edit) -> int:
    """Return how many right characters stand between two edits, the first one first."""
    return max(other.truth[0] - one.truth[1], other.output[0] - one.output[1])


class _Judge:
    def __init__(self, laid: Laid, ink: PageInk, models: Models) -> None:
        self._laid = laid
        self._output = laid.spelled.text
        self._verdicts = Verdicts(laid, ink)
        stretches = lost_stretches(laid)
        self._stretch = np.full(len(laid.truth), -1, np.int64)
        for number, stretch in enumerate(stretches):
            self._stretch[stretch.start : stretch.stop] = number
        self._stretch_cause = judge_stretches(laid, stretches, ink, models)
        self._place = np.full(len(laid.forced.edge), -1, np.int64)
        seen = np.flatnonzero(laid.step >= 0)
        self._place[laid.step[seen]] = seen
        self._aligned = np.zeros(len(laid.trace.layout.lines), np.bool_)
        self._aligned[laid.forced.line] = True
        self._lost_words = _lost_words(laid)
        self._moved_truth, self._moved_output = moved_text(laid)
        # Where each step of the reading stands in the text.
        self._at = np.full(len(laid.trace.reading.edge), -1, np.int64)
        own = np.flatnonzero(laid.spelled.step >= 0)
        self._at[laid.spelled.step[own]] = own

    def alone(self, edit: Edit) -> Cause | None:
        """Judge an error by itself; None where its neighbours have to say."""
        if edit.truth[1] == edit.truth[0]:
            return self._added(edit.output[0])
        if edit.output[1] == edit.output[0]:
            return self._lost(edit.truth[0])
        wanted, given = self._laid.truth[edit.truth[0]], self._output[edit.output[0]]
        if wanted == " ":
            return self._added(edit.output[0]) or self._lost(edit.truth[0])
        if wanted.lower() == given.lower() and self._same_ink(edit):
            return Cause.CASE
        return self._lost(edit.truth[0])

    def _same_ink(self, edit: Edit) -> bool:
        """Say whether a character of the text is what was read for that of the truth."""
        step, read = (
            int(self._laid.step[edit.truth[0]]),
            int(self._laid.spelled.step[edit.output[0]]),
        )
        return step < 0 or read < 0 or read in self._laid.read_steps(step)

    def _lost(self, place: int) -> Cause | None:
        laid = self._laid
        if self._moved_truth[place]:
            return Cause.ORDER
        if self._stretch[place] >= 0:
            return self._stretch_cause[int(self._stretch[place])]
        if laid.truth[place] == " ":
            return self._lost_space(place)
        cause, step = self._verdicts.of(place), int(laid.step[place])
        if cause is None and step >= 0:
            read = laid.read_steps(step)
            if laid.truth[place] == "-" and len(read) and (self._at[read] < 0).all():
                return Cause.LINE_END
            if self._far(read, place):
                return Cause.ORDER
        return cause

    def _lost_space(self, place: int) -> Cause | None:
        laid = self._laid
        if place in (0, len(laid.truth) - 1):
            return None
        before, after = int(laid.step[place - 1]), int(laid.step[place + 1])
        if before < 0 or after < 0:
            return None
        if laid.forced.line[before] == laid.forced.line[after]:
            return Cause.SPACE_LOST
        return Cause.LINE_END if self._follow(before, after) else Cause.ORDER

    def _follow(self, before: int, after: int) -> bool:
        """Say whether two forced steps lie on lines that follow one another in the text."""
        line = self._laid.forced.line
        between = np.unique(self._laid.trace.reading.line[self._laid.spelled.kept])
        between = between[(between > line[before]) & (between < line[after])]
        return bool(line[before] < line[after] and not len(between))

    def _far(self, read: NDArray[np.int64], place: int) -> bool:
        """Say whether steps of the reading stand far from where the truth has them."""
        at = self._at[read]
        at = at[at >= 0]
        if not len(at):
            return False
        matched = self._laid.matched[:place]
        before = np.flatnonzero(matched >= 0)
        expected = int(matched[before[-1]]) + 1 if len(before) else 0
        return bool(np.abs(at - expected).min() > _ELSEWHERE)

    def _added(self, at: int) -> Cause | None:
        laid = self._laid
        if self._moved_output[at]:
            return Cause.ORDER
        if self._output[at] == " ":
            return self._added_space(at)
        step = int(laid.spelled.step[at])
        if step < 0:
            return None
        elsewhere = self._word(at) in self._lost_words
        if not self._aligned[laid.trace.reading.line[step]]:
            return Cause.ORDER if elsewhere else Cause.EXTRA_LINE
        owners = laid.forced_steps(step)
        places = self._place[owners]
        places = places[places >= 0]
        if not len(places):
            # The hyphen of a word that the truth has whole is known, but has no place in it.
            hyphen = self._output[at] == "-" and (laid.forced.label[owners] >= 0).any()
            if hyphen:
                return Cause.LINE_END
            return Cause.ORDER if elsewhere else Cause.EXTRA_MARK
        for place in places.tolist():
            cause = self._verdicts.of(place)
            if cause is not None:
                return cause
        # Read right: it is too many here because it belongs elsewhere.
        for place in places.tolist():
            if laid.matched[place] < 0 and self._far(np.array([step]), place):
                return Cause.ORDER
        return None

    def _added_space(self, at: int) -> Cause | None:
        laid = self._laid
        if at in (0, len(self._output) - 1):
            return None
        before, after = int(laid.spelled.step[at - 1]), int(laid.spelled.step[at + 1])
        if before < 0 or after < 0:
            return None
        line = laid.trace.reading.line
        if line[before] != line[after]:
            # A word or a dash that goes on in the next line, or text that does not belong there.
            ends = [laid.forced_steps(step) for step in (before, after)]
            places = [self._place[owners].max(initial=-1) for owners in ends]
            near = min(places) >= 0 and abs(places[1] - places[0]) <= _NEAR
            return Cause.LINE_END if near else Cause.ORDER
        beside = {self._output[at - 1], self._output[at + 1]}
        return Cause.SPACE_MARK if beside & _MARKS else Cause.SPACE_ADDED

    def _word(self, at: int) -> str:
        start, stop = self._output.rfind(" ", 0, at) + 1, self._output.find(" ", at)
        return self._output[start : stop if stop >= 0 else len(self._output)]

    def settle(self, run: list[int], found: list[Cause | None]) -> None:
        """Let errors that stand together agree."""
        edits = self._laid.edits
        solid = {
            number: cause
            for number in run
            if (cause := found[number]) is not None and cause not in _SPACES
        }
        for number in run:
            cause = found[number]
            touching = [
                solid[other]
                for other in (number - 1, number + 1)
                if other in solid and self._touch(min(number, other), max(number, other))
            ]
            space = self._is_space(edits[number])
            if cause in _LATE:
                shapes = [other for other in touching if other in _SHAPES]
                found[number] = shapes[0] if shapes else cause
            elif touching and (space or cause is None):
                found[number] = touching[0]
        rest = [number for number in run if found[number] is None]
        told = [number for number in run if found[number] is not None]
        beside = self._beside(edits[run[0]], edits[run[-1]]) if rest and not told else None
        for number in rest:
            nearest = min(told, key=lambda other: abs(other - number), default=None)
            found[number] = beside if nearest is None else found[nearest]

    def _touch(self, number: int, other: int) -> bool:
        return _apart(self._laid.edits[number], self._laid.edits[other]) <= 0

    def _is_space(self, edit: Edit) -> bool:
        truth = self._laid.truth[edit.truth[0] : edit.truth[1]]
        return truth in ("", " ") and self._output[edit.output[0] : edit.output[1]] in ("", " ")

    def _beside(self, first: Edit, last: Edit) -> Cause | None:
        """Judge the characters beside errors: of two equal ones, alignment drops either."""
        for distance in range(1, _NEAR + 1):
            for place in (first.truth[0] - distance, last.truth[1] + distance - 1):
                if 0 <= place < len(self._laid.truth) and self._laid.truth[place] != " ":
                    cause = self._verdicts.of(place)
                    if cause is not None:
                        return cause
        return None


def _lost_words(laid: Laid) -> frozenset[str]:
    """Return the words of the truth that have no equal at their place in the output."""
    words = []
    start = 0
    for word in laid.truth.split():
        start = laid.truth.index(word, start)
        if len(word) > 1 and (laid.matched[start : start + len(word)] < 0).mean() > 0.5:
            words.append(word)
        start += len(word)
    return frozenset(words)
