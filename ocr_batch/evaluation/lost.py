"""Find out what became of text that forced alignment finds in no line.

Words that the output has elsewhere were put in another place. Lines that were found there, but
whose text was not recognised, were read badly. A line as high as two that has ink to spare is two
lines taken for one. What is left is looked for in the page read again
with pictures, then rules left in, then with other thresholds of ink: the first change that
brings a stretch back names its cause. What nothing brings back is in no line, or not printed at
all where the page has no ink for it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from ocr_batch.batch.pipeline import Models, ReadTrace, trace_prepared
from ocr_batch.evaluation.causes import Cause
from ocr_batch.evaluation.laid import Laid
from ocr_batch.evaluation.missing import PageInk
from ocr_batch.evaluation.spelling import spell
from ocr_batch.layout.components import find_components, typical_height
from ocr_batch.layout.prepare import Prepared

__all__ = ["Stretch", "judge_stretches", "lost_stretches", "surplus_words"]

# A page is read again only when so many letters are lost without a cause.
_WORTH_READING = 16
# Share of a stretch's letters that has to be found, and how far lines there may differ in length.
_FOUND = 0.5
_LIKE_IN_LENGTH = 0.5
# A page that has fewer free components than this share of what is lost does not show it.
_PRINTED = 0.3
# A line this many times as high as the others of its page may be two.
_TWO_LINES = 1.4
_WORD = re.compile(r"[^ ]+")


@dataclass(frozen=True)
class Stretch:
    """Text that no line shows.

    Attributes
    ----------
    start, stop : int
        Its part of the truth.
    wrong : int
        How many of its characters are errors, spaces left out.
    """

    start: int
    stop: int
    wrong: int


def lost_stretches(laid: Laid) -> list[Stretch]:
    """Return the stretches of the truth that no line shows and that have errors.

    Parameters
    ----------
    laid : Laid

    Returns
    -------
    list of Stretch
        In order; none begins or ends with a space.
    """
    lost = (laid.step < 0) & laid.known
    space = np.array([letter == " " for letter in laid.truth], np.bool_)
    lost &= ~space
    # A space belongs to a stretch when both of its neighbours do.
    inner = space & np.r_[False, lost[:-1]] & np.r_[lost[1:], False] if len(lost) else lost
    edges = np.diff(np.r_[0, (lost | inner).astype(np.int8), 0])
    wrong = np.zeros(len(laid.truth) + 1, np.int64)
    for edit in laid.edits:
        if edit.truth[1] > edit.truth[0]:
            wrong[edit.truth[0]] = 1
    wrong[:-1][space] = 0
    total = np.r_[0, np.cumsum(wrong)]
    found = []
    for start, stop in zip(np.flatnonzero(edges > 0), np.flatnonzero(edges < 0), strict=True):
        count = int(total[stop] - total[start])
        if count:
            found.append(Stretch(int(start), int(stop), count))
    return found


def surplus_words(laid: Laid) -> Counter[str]:
    """Return the words of the output that stand against nothing equal in the truth."""
    output = laid.spelled.text
    wrong = np.ones(len(output), np.bool_)
    wrong[laid.matched[laid.matched >= 0]] = False
    words = Counter[str]()
    for word in _WORD.finditer(output):
        if wrong[word.start() : word.end()].mean() > _FOUND:
            words[word[0]] += 1
    return words


def judge_stretches(
    laid: Laid, stretches: list[Stretch], ink: PageInk, models: Models
) -> list[Cause]:
    """Give each stretch its cause.

    Parameters
    ----------
    laid : Laid
    stretches : list of Stretch
        From `lost_stretches`.
    ink : PageInk
        Of the same page.
    models : Models
        What the page is read with again.

    Returns
    -------
    list of Cause
    """
    causes: list[Cause | None] = [None] * len(stretches)
    surplus = surplus_words(laid)
    for number, stretch in enumerate(stretches):
        if _take(_words(laid, stretch), surplus):
            causes[number] = Cause.ORDER
        elif _badly_read(laid, stretch):
            causes[number] = Cause.UNREAD
        elif _in_one_line(laid, stretch, ink):
            causes[number] = Cause.MERGED
    known = Counter(laid.spelled.text.split())
    for cause, read_again in _changes(laid.trace.prepared, ink, models):
        left = [k for k, found in enumerate(causes) if found is None]
        if sum(stretches[k].wrong for k in left) < _WORTH_READING:
            break
        fresh = Counter(spell(read_again()).text.split()) - known
        for number in left:
            if _take(_words(laid, stretches[number]), fresh):
                causes[number] = cause
    unknown = [stretch for stretch, cause in zip(stretches, causes, strict=True) if cause is None]
    rest = _unfound(laid, unknown, ink) if unknown else Cause.NOT_FOUND
    return [rest if cause is None else cause for cause in causes]


def _unfound(laid: Laid, stretches: list[Stretch], ink: PageInk) -> Cause:
    """Say whether a page has ink enough for stretches besides its lines."""
    wanted = sum(stretch.wrong for stretch in stretches)
    free = ink.letters - ink.letters_of(laid.forced.line)
    return Cause.NOT_FOUND if free >= _PRINTED * wanted else Cause.NO_INK


def _words(laid: Laid, stretch: Stretch) -> list[str]:
    return laid.truth[stretch.start : stretch.stop].split()


def _take(words: list[str], heap: Counter[str]) -> bool:
    """Take words from a heap if enough of them are there, and say whether they were."""
    found = Counter(words) & heap
    letters = sum(len(word) * count for word, count in found.items())
    if letters < max(2, _FOUND * sum(map(len, words))):
        return False
    heap -= found
    return True


def _badly_read(laid: Laid, stretch: Stretch) -> bool:
    """Say whether lines without a truth of their own lie where a stretch belongs."""
    lines = len(laid.trace.layout.lines)
    length = np.bincount(laid.trace.reading.line, minlength=lines)
    aligned = np.zeros(lines, np.bool_)
    aligned[laid.forced.line] = True
    before = laid.step[: stretch.start]
    after = laid.step[stretch.stop :]
    before, after = before[before >= 0], after[after >= 0]
    first = int(laid.forced.line[before[-1]]) + 1 if len(before) else 0
    last = int(laid.forced.line[after[0]]) if len(after) else lines
    if first >= last:
        return False
    there = length[first:last][~aligned[first:last]].sum()
    return bool(there >= _LIKE_IN_LENGTH * (stretch.stop - stretch.start))


def _in_one_line(laid: Laid, stretch: Stretch, ink: PageInk) -> bool:
    """Say whether the line before or after a stretch holds its ink too."""
    lines = laid.trace.layout.lines
    height = lines.box[:, 3] - lines.box[:, 1]
    usual = np.median(height[np.unique(laid.forced.line)]) if len(laid.forced.line) else 0.0
    before, after = laid.step[: stretch.start], laid.step[stretch.stop :]
    for step in np.r_[before[before >= 0][-1:], after[after >= 0][:1]].tolist():
        line = int(laid.forced.line[step])
        own = (laid.forced.line == line) & laid.forced.known
        free = ink.letters_of(np.array([line])) - int(own.sum())
        if height[line] >= _TWO_LINES * usual and free >= _PRINTED * stretch.wrong:
            return True
    return False


def _changes(
    prepared: Prepared, ink: PageInk, models: Models
) -> Iterator[tuple[Cause, Callable[[], ReadTrace]]]:
    """Yield what may be undone, and how to read the page then."""
    yield Cause.FIGURES, partial(trace_prepared, prepared, models, figures=False)
    with_rules = _with_ink(prepared, ink.raw)
    yield Cause.RULES, partial(trace_prepared, with_rules, models, figures=False)
    for other in _other_inks(prepared, ink):
        changed = _with_ink(prepared, other)
        yield Cause.BINARISATION, partial(trace_prepared, changed, models, figures=False)


def _with_ink(prepared: Prepared, ink: NDArray[np.bool_]) -> Prepared:
    components = find_components(ink)
    return replace(prepared, ink=ink, components=components, x_height=typical_height(components))


def _other_inks(prepared: Prepared, ink: PageInk) -> Iterator[NDArray[np.bool_]]:
    """Yield the ink by one threshold for the page, Otsu's, and by a lenient one."""
    if ink.bilevel:
        return
    grey = prepared.grey
    level, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    for threshold in (level, (level + 255) / 2):
        yield np.asarray(grey <= threshold, np.bool_)
