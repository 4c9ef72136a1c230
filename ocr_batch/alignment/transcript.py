"""Fold the transcript of a page, and find the part of it that belongs to each line."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz
from rapidfuzz.distance import Levenshtein

from ocr_batch.alignment.folding import WILDCARD, normalise
from ocr_batch.recognition.charset import CLASSES, N_CHARACTERS

__all__ = [
    "ANY_CLASS",
    "SINGLES",
    "SPELLINGS",
    "UNKNOWN",
    "Span",
    "Transcript",
    "find_spans",
    "fold_transcript",
]

#: In `Transcript.own`: any class that folds to the character may be meant.
ANY_CLASS = -1
#: In a folded text: a character that could not be typed, or that no class stands for.
UNKNOWN = WILDCARD

# Lines that agree less than this with the truth they were given are searched for elsewhere.
_AGREES = 0.5
# Shorter lines are found in too many places.
_SEARCHED = 12
_FOUND = 80.0
# The ends of a line's part of the truth may be off by so many characters.
_SLACK = 12


@lru_cache(maxsize=4096)
def _fold(letter: str) -> str:
    """Fold one character as the referee of readings does."""
    # NFKC writes fractions with a slash of their own.
    return normalise(letter).replace("\u2044", "/")


#: What each text class is written as, folded; an em dash is often typed as two hyphens.
SPELLINGS: tuple[tuple[int, str], ...] = (
    *((number, "".join(map(_fold, CLASSES[number]))) for number in range(N_CHARACTERS)),
    (CLASSES.index("—"), "--"),
)
#: The classes that fold to each single character.
SINGLES: dict[str, tuple[int, ...]] = {
    letter: tuple(number for number, text in SPELLINGS if text == letter)
    for letter in {text for _, text in SPELLINGS if len(text) == 1}
}
_CLASS = {CLASSES[number]: number for number in range(N_CHARACTERS)}


@dataclass(frozen=True)
class Transcript:
    """The truth of a page, folded to one line.

    Attributes
    ----------
    text : str
        Quotation marks, dashes, ligatures and fractions plain, single spaces; `UNKNOWN` for what
        no class stands for.
    own : ndarray of int64, shape (len(text),)
        The class that the transcript names for certain (a curly quotation mark where it is
        written so), else `ANY_CLASS`.
    """

    text: str
    own: NDArray[np.int64]


def fold_transcript(text: str) -> Transcript:
    """Fold a transcript.

    Parameters
    ----------
    text : str
        With lines as in the image or joined to paragraphs.

    Returns
    -------
    Transcript
    """
    letters: list[str] = []
    own: list[int] = []
    for word in unicodedata.normalize("NFC", text).split():
        if letters:
            letters.append(" ")
            own.append(ANY_CLASS)
        for raw in word:
            folded = _fold(raw)
            letters += [letter if letter in SINGLES else UNKNOWN for letter in folded]
            certain = _CLASS.get(raw, ANY_CLASS) if len(folded) == 1 and raw != folded else -1
            own += [certain] * len(folded)
    return Transcript("".join(letters), np.array(own, np.int64))


@dataclass(frozen=True)
class Span:
    """The part of the truth that belongs to a line.

    Attributes
    ----------
    line : int
    start, stop : int
        Part of `Transcript.text`.
    first, last : int
        How far it may reach at most, `first <= start`, `last >= stop`.
    agreement : float
        Share of the line's characters that the truth has too, 0..1.
    """

    line: int
    start: int
    stop: int
    first: int
    last: int
    agreement: float


def find_spans(lines: Sequence[str], truth: str) -> list[Span]:
    """Find for each line as read the part of the truth that belongs to it.

    The whole page is aligned at once (Levenshtein 1966), so that lines are anchors of their
    neighbours; lines that stand elsewhere in the truth, as when columns were read in another
    order, are then searched for in what is left.

    Parameters
    ----------
    lines : sequence of str
        Folded as the truth; empty ones have no span.
    truth : str
        `Transcript.text`.

    Returns
    -------
    list of Span
        Of lines whose truth was found, in order.
    """
    output = " ".join(lines)
    if not output.strip() or not truth:
        return []
    low, high, same = _boundaries(output, truth)
    spans: list[Span] = []
    lost: list[int] = []
    used = np.zeros(len(truth) + 1, np.bool_)
    begin = 0
    for number, line in enumerate(lines):
        end = begin + len(line)
        if line:
            start, stop = int(high[begin]), int(low[end])
            agreement = float(same[begin:end].mean())
            if agreement >= _AGREES and stop > start:
                spans.append(_span(number, start, stop, agreement, truth))
                used[start:stop] = True
            else:
                lost.append(number)
        begin = end + 1
    for number in lost:
        if len(lines[number]) >= _SEARCHED:
            found = _search(number, lines[number], truth, used)
            if found is not None:
                spans.append(found)
                used[found.start : found.stop] = True
    return sorted(spans, key=lambda span: span.line)


def _boundaries(
    output: str, truth: str
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Map each boundary of the output to the truth (least and most), and mark what is equal."""
    low = np.full(len(output) + 1, len(truth), np.int64)
    high = np.zeros(len(output) + 1, np.int64)
    same = np.zeros(len(output), np.bool_)
    for op in Levenshtein.opcodes(output, truth):
        source = np.arange(op.src_start, op.src_end + 1)
        if op.tag in ("equal", "replace"):
            target = np.arange(op.dest_start, op.dest_end + 1)
            same[op.src_start : op.src_end] = op.tag == "equal"
        else:
            target = np.full(len(source), op.dest_start)
        low[source] = np.minimum(low[source], target)
        high[source] = np.maximum(high[source], target)
        if op.tag == "insert":
            high[op.src_start] = max(high[op.src_start], op.dest_end)
    return low, high, same


def _span(line: int, start: int, stop: int, agreement: float, truth: str) -> Span:
    while start < stop and truth[start] == " ":
        start += 1
    while stop > start and truth[stop - 1] == " ":
        stop -= 1
    return Span(
        line, start, stop, max(0, start - _SLACK), min(len(truth), stop + _SLACK), agreement
    )


def _search(number: int, line: str, truth: str, used: NDArray[np.bool_]) -> Span | None:
    """Search the unused parts of the truth for a line."""
    edges = np.flatnonzero(np.diff(np.r_[True, used[:-1], True].astype(np.int8)))
    best: Span | None = None
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        if stop - start < len(line) // 2:
            continue
        found = fuzz.partial_ratio_alignment(
            line, truth[start:stop], score_cutoff=max(_FOUND, 100 * best.agreement if best else 0)
        )
        # When the gap is the shorter of the two, a part of the line was searched for in it.
        if found is not None and found.src_end - found.src_start >= 0.8 * len(line):
            best = _span(
                number,
                int(start) + found.dest_start,
                int(start) + found.dest_end,
                found.score / 100,
                truth,
            )
    return best
