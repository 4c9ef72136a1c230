"""Measure how far a text is from the truth: errors in characters and words, and which ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein

from ocr_batch.alignment.folding import WILDCARD, normalise

__all__ = [
    "LONGEST_RUN",
    "Confusion",
    "PageScore",
    "Totals",
    "confusions",
    "score_page",
    "summarise",
]

#: Errors side by side that are longer than this are lost or misplaced text, no confusion.
LONGEST_RUN = 8


@dataclass(frozen=True)
class PageScore:
    """How far one page is from its truth, in counts that can be summed.

    Attributes
    ----------
    chars, words : int
        Length of the truth.
    char_errors, word_errors : int
        Least number of insertions, deletions and substitutions.
    common : int
        Words that both texts have, whatever their order.
    out_words : int
        Words of the output.
    """

    chars: int
    char_errors: int
    words: int
    word_errors: int
    common: int
    out_words: int

    @property
    def cer(self) -> float:
        """Character errors over the truth's length; above 1 when much was added."""
        return self.char_errors / max(1, self.chars)

    @property
    def wer(self) -> float:
        """Word errors over the truth's length."""
        return self.word_errors / max(1, self.words)

    @property
    def bag_f1(self) -> float:
        """Agreement of the words as a multiset, 0..1: blind to the reading order."""
        return 2 * self.common / max(1, self.words + self.out_words)


@dataclass(frozen=True)
class Totals(PageScore):
    """Counts of many pages summed; `cer`, `wer` and `bag_f1` are over all of their text.

    Attributes
    ----------
    pages : int
        How many.
    median_cer, p90_cer : float
        Character error rate of the middle page and of the page nine tenths up, pages in the
        order of their rates; where two are in the middle, the worse of them.
    """

    pages: int
    median_cer: float
    p90_cer: float


def _prepare(truth: str, output: str, ignore_case: bool) -> tuple[str, str]:
    if ignore_case:
        truth, output = truth.upper(), output.upper()
    return normalise(truth), normalise(output)


class Edit(NamedTuple):
    """One error: a span of the truth and the span of the output in its place, 0 or 1 long."""

    truth: tuple[int, int]
    output: tuple[int, int]


def edits(truth: str, output: str) -> Iterator[Edit]:
    """Yield the errors from left to right; what stands for a wildcard is none."""
    for operation in Levenshtein.editops(truth, output):
        here, there = operation.src_pos, operation.dest_pos
        takes = operation.tag != "insert"
        gives = operation.tag != "delete"
        if takes and truth[here] == WILDCARD:
            continue
        yield Edit((here, here + takes), (there, there + gives))


def score_page(truth: str, output: str, *, ignore_case: bool = False) -> PageScore:
    """Compare a page's text with its truth.

    Parameters
    ----------
    truth : str
        May hold `WILDCARD`, which counts for characters only: a word with one in it is right
        when the output has it too.
    output : str
        What was read. Both are normalised first.
    ignore_case : bool
        Whether both are compared in upper case.

    Returns
    -------
    PageScore
        The counts.
    """
    truth, output = _prepare(truth, output, ignore_case)
    if WILDCARD in truth:
        char_errors = sum(1 for _ in edits(truth, output))
    else:
        char_errors = Levenshtein.distance(truth, output)
    right, found = truth.split(), output.split()
    return PageScore(
        chars=len(truth),
        char_errors=char_errors,
        words=len(right),
        word_errors=Levenshtein.distance(right, found),
        common=(Counter(right) & Counter(found)).total(),
        out_words=len(found),
    )


def summarise(scores: Sequence[PageScore]) -> Totals:
    """Sum the scores of pages.

    Parameters
    ----------
    scores : sequence of PageScore
        At least one.

    Raises
    ------
    ValueError
        When there is none.
    """
    if not scores:
        raise ValueError("there are no scores to summarise")
    rates = sorted(score.cer for score in scores)
    return Totals(
        chars=sum(score.chars for score in scores),
        char_errors=sum(score.char_errors for score in scores),
        words=sum(score.words for score in scores),
        word_errors=sum(score.word_errors for score in scores),
        common=sum(score.common for score in scores),
        out_words=sum(score.out_words for score in scores),
        pages=len(scores),
        median_cer=rates[len(rates) // 2],
        p90_cer=rates[int(0.9 * len(rates))],
    )


class Confusion(NamedTuple):
    """A piece of the truth and what was read for it; either may be empty, not both."""

    truth: str
    output: str

    @property
    def errors(self) -> int:
        """Character errors that one of its kind costs."""
        return max(len(self.truth), len(self.output))


def confusions(
    truth: str, output: str, *, ignore_case: bool = False, longest: int | None = LONGEST_RUN
) -> Counter[Confusion]:
    """Count the errors of a page by kind.

    Parameters
    ----------
    truth, output : str
        As for `score_page`.
    ignore_case : bool
        Whether both are compared in upper case.
    longest : int or None
        Errors side by side are one confusion ("rn" read as "m"). Those longer than this, in the
        truth or in the output, are left out: there text is lost, added or in another place, and
        which letter stands against which says nothing. None keeps them.

    Returns
    -------
    Counter of Confusion
        With `longest` None, the sum of count times `Confusion.errors` is `char_errors` of the
        page's score.

    Examples
    --------
    >>> confusions("a modern corner", "a modem comer")
    Counter({Confusion(truth='rn', output='m'): 2})
    """
    truth, output = _prepare(truth, output, ignore_case)
    runs: list[Edit] = []
    for edit in edits(truth, output):
        last = runs[-1] if runs else None
        if last and last.truth[1] == edit.truth[0] and last.output[1] == edit.output[0]:
            runs[-1] = Edit((last.truth[0], edit.truth[1]), (last.output[0], edit.output[1]))
        else:
            runs.append(edit)
    found = (Confusion(truth[slice(*run.truth)], output[slice(*run.output)]) for run in runs)
    return Counter(one for one in found if longest is None or one.errors <= longest)
