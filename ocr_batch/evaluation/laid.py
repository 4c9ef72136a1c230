"""Lay a page's lattice, what was read from it and its truth side by side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from ocr_batch.alignment.folding import normalise
from ocr_batch.alignment.forced import ForcedPage, force_page
from ocr_batch.alignment.transcript import SPELLINGS, UNKNOWN, fold_transcript
from ocr_batch.batch.pipeline import Models, ReadTrace
from ocr_batch.evaluation.metrics import Edit, edits
from ocr_batch.evaluation.spelling import Spelled, source_positions, spell
from ocr_batch.recognition.charset import N_CHARACTERS

__all__ = ["Laid", "Shown", "lay_out"]

_TOP = 5


@dataclass(frozen=True)
class Shown:
    """How the candidates of forced alignment show the truth, step by step.

    Attributes
    ----------
    rank : ndarray of int64, shape (M,)
        How many characters the candidate is likelier to be; -1 for steps without a character of
        the truth or without a candidate.
    first : ndarray of bool, shape (M,)
        Whether it is likelier to be the truth than anything else, garbage included.
    surest : ndarray of float64, shape (M,)
        Probability of the likeliest class.
    offered : ndarray of bool, shape (M,)
        Whether the candidate was in the lattice as it was read.
    used : ndarray of bool, shape (M,)
        Whether reading used the candidate.
    right : ndarray of bool, shape (M,)
        Whether it was read as the truth has it, be it in the text or left out.
    alike : ndarray of bool, shape (M,)
        The same, capital or small.
    kept : ndarray of bool, shape (M,)
        Whether reading used the candidate and it is in the text.
    """

    rank: NDArray[np.int64]
    first: NDArray[np.bool_]
    surest: NDArray[np.float64]
    offered: NDArray[np.bool_]
    used: NDArray[np.bool_]
    right: NDArray[np.bool_]
    alike: NDArray[np.bool_]
    kept: NDArray[np.bool_]

    @property
    def among_five(self) -> NDArray[np.bool_]:
        """Whether the truth is among the candidate's five likeliest characters, (M,) bool."""
        return np.asarray((self.rank >= 0) & (self.rank < _TOP), np.bool_)


@dataclass(frozen=True)
class Laid:
    """A page and its truth.

    Attributes
    ----------
    trace : ReadTrace
    spelled : Spelled
        What was read.
    truth : str
        Normalised.
    known : ndarray of bool, shape (len(truth),)
        Whether a class stands for the character; spaces are known.
    edits : tuple of Edit
        What is wrong, in the order of the text.
    matched : ndarray of int64, shape (len(truth),)
        The character of the text that equals each of the truth; -1 for none.
    forced : ForcedPage
    step : ndarray of int64, shape (len(truth),)
        Forced step of each character of the truth; -1 for none.
    shown : Shown
        Of the forced steps.
    owner : ndarray of int64, shape (P,)
        Forced step whose candidate holds each piece; -1 for none.
    reader : ndarray of int64, shape (P,)
        Step of the reading that holds each piece; -1 for dirt.
    """

    trace: ReadTrace
    spelled: Spelled
    truth: str
    known: NDArray[np.bool_]
    edits: tuple[Edit, ...]
    matched: NDArray[np.int64]
    forced: ForcedPage
    step: NDArray[np.int64]
    shown: Shown
    owner: NDArray[np.int64]
    reader: NDArray[np.int64]

    def read_steps(self, step: int) -> NDArray[np.int64]:
        """Return the steps of the reading that hold ink of a forced step's candidate."""
        edges, edge = self.forced.scored.edges, int(self.forced.edge[step])
        if edge < 0:
            return np.zeros(0, np.int64)
        found = np.unique(self.reader[edges.start[edge] : edges.stop[edge]])
        return found[found >= 0]

    def forced_steps(self, step: int) -> NDArray[np.int64]:
        """Return the forced steps whose candidates hold ink of a step of the reading."""
        edges, edge = self.trace.scored.edges, int(self.trace.reading.edge[step])
        found = np.unique(self.owner[edges.start[edge] : edges.stop[edge]])
        return found[found >= 0]


def lay_out(trace: ReadTrace, truth: str, models: Models, *, ignore_case: bool = False) -> Laid:
    """Align a page with its truth, by the text and through the lattice.

    Parameters
    ----------
    trace : ReadTrace
        The page as read.
    truth : str
        As written.
    models : Models
        What it was read with.
    ignore_case : bool
        Whether the texts are compared in upper case.

    Returns
    -------
    Laid
    """
    spelled = spell(trace)
    plain = normalise(truth)
    if ignore_case:
        compared, output = normalise(truth.upper()), normalise(spelled.raw.upper())
        at = source_positions(spelled.text.upper(), output)
        at = np.minimum(at, max(0, len(spelled.text) - 1))
        step = spelled.step[at] if len(spelled.step) else spelled.step
        spelled = Spelled(spelled.raw, output, step, spelled.kept)
    else:
        compared, output = plain, spelled.text
    transcript = fold_transcript(plain)
    forced = force_page(trace, plain, models)
    # Both mostly have the same length; the alignment covers what does not.
    place = np.arange(len(compared))
    if len(transcript.text) != len(compared):
        upper = transcript.text.upper() if ignore_case else transcript.text
        place = np.minimum(source_positions(upper, compared), max(0, len(transcript.text) - 1))
    step_at, known = _steps(forced, transcript.text)
    found = tuple(edits(compared, output))
    return Laid(
        trace,
        spelled,
        compared,
        known[place] if len(transcript.text) else np.ones(len(compared), np.bool_),
        found,
        _matched(compared, output),
        forced,
        step_at[place] if len(transcript.text) else np.full(len(compared), -1),
        _show(trace, forced, spelled.kept),
        _owners(forced.scored.edges.start, forced.scored.edges.stop, forced.edge, trace),
        _owners(trace.scored.edges.start, trace.scored.edges.stop, trace.reading.edge, trace),
    )


def _matched(truth: str, output: str) -> NDArray[np.int64]:
    matched = np.full(len(truth), -1, np.int64)
    for block in Levenshtein.editops(truth, output).as_matching_blocks():
        matched[block.a : block.a + block.size] = np.arange(block.b, block.b + block.size)
    return matched


def _length(label: int, place: int, text: str) -> int:
    """Return how many characters of the truth a step takes."""
    if label < 0:
        return 1
    for number, spelling in SPELLINGS:
        if number == label and len(spelling) > 1 and text.startswith(spelling, place):
            return len(spelling)
    return 1


def _steps(forced: ForcedPage, text: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return each character's forced step, those that show it before those that miss it."""
    step = np.full(len(text), -1, np.int64)
    loss = np.full(len(text), np.inf)
    several = np.array([len(spelling) > 1 for _, spelling in SPELLINGS])
    wide = np.zeros(N_CHARACTERS, np.bool_)
    wide[[number for (number, _), long in zip(SPELLINGS, several, strict=True) if long]] = True
    for number in np.flatnonzero(forced.place >= 0).tolist():
        label, place = int(forced.label[number]), int(forced.place[number])
        length = _length(label, place, text) if label >= 0 and wide[label] else 1
        # A character at the end of one line may be tried at the beginning of the next as well.
        cost = 2.0 - forced.confidence[number] if forced.edge[number] >= 0 else 3.0
        for at in range(place, min(len(text), place + length)):
            if cost < loss[at]:
                step[at], loss[at] = number, cost
    known = np.array([letter != UNKNOWN for letter in text], np.bool_)
    return step, known


def _owners(
    start: NDArray[np.int64], stop: NDArray[np.int64], edge: NDArray[np.int64], trace: ReadTrace
) -> NDArray[np.int64]:
    """Return which step's candidate holds each piece."""
    owner = np.full(len(trace.page.pieces), -1, np.int64)
    step = np.flatnonzero(edge >= 0)
    first, last = start[edge[step]], stop[edge[step]]
    length = last - first
    run = np.arange(int(length.sum())) - np.repeat(np.cumsum(length) - length, length)
    owner[run + np.repeat(first, length)] = np.repeat(step, length)
    return owner


def _numbered(texts: dict[int, str]) -> NDArray[np.int64]:
    """Number the classes by their texts: classes of one text share a number."""
    number: dict[str, int] = {}
    return np.array([number.setdefault(texts[k], len(number)) for k in range(N_CHARACTERS)])


_SPELLED = dict(reversed(SPELLINGS))
_MEANING = _numbered(_SPELLED)
_CASELESS = _numbered({number: text.lower() for number, text in _SPELLED.items()})


def _show(trace: ReadTrace, forced: ForcedPage, kept: NDArray[np.bool_]) -> Shown:
    count = len(forced.edge)
    known = forced.known & (forced.place >= 0)
    rank = np.full(count, -1, np.int64)
    first, used, right, alike, there = (np.zeros(count, np.bool_) for _ in range(5))
    surest = np.zeros(count)
    offered = (forced.edge >= 0) & (forced.edge < len(trace.scored.edges))
    step = np.flatnonzero(known)
    if len(step):
        scores = forced.scored.log_probabilities[forced.edge[step]]
        same = _MEANING[None, :] == _MEANING[forced.label[step]][:, None]
        own = np.where(same, scores[:, :N_CHARACTERS], -np.inf).max(axis=1)
        better = ~same & (scores[:, :N_CHARACTERS] > own[:, None])
        rank[step] = better.sum(axis=1)
        first[step] = (rank[step] == 0) & (own >= scores[:, N_CHARACTERS:].max(axis=1))
        surest[step] = np.exp(scores.max(axis=1))
    reading = trace.reading
    label = np.full(len(forced.scored.edges), -1, np.int64)
    in_text = np.zeros(len(forced.scored.edges), np.bool_)
    label[reading.edge], in_text[reading.edge] = reading.label, kept
    read = label[forced.edge[step]]
    used[step] = read >= 0
    right[step] = (read >= 0) & (_MEANING[np.maximum(read, 0)] == _MEANING[forced.label[step]])
    alike[step] = (read >= 0) & (_CASELESS[np.maximum(read, 0)] == _CASELESS[forced.label[step]])
    there[step] = in_text[forced.edge[step]]
    return Shown(rank, first, surest, offered, used, right, alike, there)
