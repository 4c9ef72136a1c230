"""Align a page that was read with its transcript: each character of the truth finds its candidate.

The lattice of reading is used as it is; where the truth does not fit it, the atoms that reading
was too sure of to question are taken apart and joined as well, and the line is aligned again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ocr_batch.alignment.line import AlignmentOptions, ForcedPath, Lattice, LineTruth
from ocr_batch.alignment.path import force
from ocr_batch.alignment.transcript import SPELLINGS, Span, Transcript, find_spans, fold_transcript
from ocr_batch.batch.pipeline import Models, ReadTrace
from ocr_batch.recognition.charset import CHARACTERS, CLASSES, N_CHARACTERS
from ocr_batch.recognition.classifier import Classifier
from ocr_batch.recognition.language import LanguageModel
from ocr_batch.recognition.scoring import Scored
from ocr_batch.recognition.spaces import space_odds
from ocr_batch.segmentation.lattice import join_edges, part_edges
from ocr_batch.segmentation.page import Segmented

__all__ = ["ForcedPage", "force_page", "read_lines"]

# A step that costs more than this may be for want of the right candidate.
_TROUBLE = 1.5
_MOST = 10.0
_AROUND = 4
_SPELLED = dict(reversed(SPELLINGS))
# Log-odds that a label is right: a constant, and weights of what speaks against it. By logistic
# regression on 54 drawn, degraded pages (73,000 characters) whose transcripts were given defects
# in 0.3 % of their characters. The last weight, of the context, was set by looking at real pages:
# there shapes surprise more than on drawn ones.
_TRUST = 6.07
_DOUBTS = (1.18, 0.22, 0.36, 4.5, -0.8)
# The language model judges a character by so many before and after it.
_CONTEXT = 6
_MOST_ODDS = 6.0
_SOME_CHARACTER = 0.7
# Symbols of the language model: spaces are 0.
_SYMBOL = {text: number + 1 for number, text in enumerate(CHARACTERS)}
_MOST_AROUND, _MOST_DISAGREEMENT = 5.0, 0.5
# A line in which this share of the letters looks like the other case has a wrong x-height.
_OTHER_CASE, _OTHER_CASE_LEAST = 0.15, 3
_SWAPPED = np.array(
    [
        CLASSES.index(text.swapcase()) if text.isalpha() and text.swapcase() in CLASSES else -1
        for text in CLASSES
    ]
)


@dataclass(frozen=True)
class ForcedPage:
    """The steps of a page's lines through their lattices, the truth as guide.

    Attributes
    ----------
    scored : Scored
        The lattice, with the candidates that were added.
    edge, label : ndarray of int64, shape (M,)
        As in `ForcedPath`, candidates counted through the page.
    line : ndarray of int64, shape (M,)
    place : ndarray of int64, shape (M,)
        Position in `Transcript.text`, -1 as in `ForcedPath`.
    confidence : ndarray of float64, shape (M,)
        How likely the label is right, 0..1; 0 for steps that have none, and for lines whose
        characters are shown at a wrong scale.
    extra : ndarray of bool, shape (M,)
        Candidates that the truth has nothing for.
    truth : int
        Characters of the transcript, spaces left out.
    """

    scored: Scored
    edge: NDArray[np.int64]
    label: NDArray[np.int64]
    line: NDArray[np.int64]
    place: NDArray[np.int64]
    confidence: NDArray[np.float64]
    extra: NDArray[np.bool_]
    truth: int

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which steps are a character of the truth shown by a candidate, (M,) bool."""
        return np.asarray((self.edge >= 0) & (self.label >= 0), np.bool_)


def read_lines(trace: ReadTrace) -> list[str]:
    """Spell the lines of a page as read, folded as transcripts are.

    Parameters
    ----------
    trace : ReadTrace

    Returns
    -------
    list of str
        One a line of the layout.
    """
    reading = trace.reading
    parts: list[list[str]] = [[] for _ in range(len(trace.layout.lines))]
    for label, space, line in zip(
        reading.label.tolist(), reading.space.tolist(), reading.line.tolist(), strict=True
    ):
        if space and parts[line]:
            parts[line].append(" ")
        parts[line].append(_SPELLED[label])
    return ["".join(part) for part in parts]


def force_page(
    trace: ReadTrace, transcript: str, models: Models, options: AlignmentOptions | None = None
) -> ForcedPage:
    """Align a page with its transcript.

    Parameters
    ----------
    trace : ReadTrace
        The page as read.
    transcript : str
        Its lines, or its paragraphs with the words at line ends joined.
    models : Models
        What it was read with.
    options : AlignmentOptions, optional

    Returns
    -------
    ForcedPage
        Without the lines whose truth was not found.
    """
    options = options or AlignmentOptions()
    truth = fold_transcript(transcript)
    spans = find_spans(read_lines(trace), truth.text)
    odds = space_odds(trace.page, models.spaces)
    scored = trace.scored
    numbers, paths = _force_lines(trace.page, scored, odds, spans, truth, options)
    questioned = _questioned(trace.page, scored, numbers, paths)
    more = _opened(trace.page, scored, questioned, models.classifier)
    if more is not None:
        scored = more
        pieces = trace.page.pieces
        again = set(pieces.line[questioned[pieces.atom]].tolist())
        which = [k for k, span in enumerate(spans) if span.line in again]
        new, better = _force_lines(
            trace.page, scored, odds, [spans[k] for k in which], truth, options
        )
        for k, number, path in zip(which, new, better, strict=True):
            numbers[k], paths[k] = number, path
    return _gather(scored, spans, numbers, paths, truth, models.language)


def _force_lines(
    page: Segmented,
    scored: Scored,
    odds: NDArray[np.float32],
    spans: Sequence[Span],
    truth: Transcript,
    options: AlignmentOptions,
) -> tuple[list[NDArray[np.int64]], list[ForcedPath]]:
    """Align lines one by one; return the edges of each line's lattice and its path."""
    pieces = page.pieces
    edges = scored.edges
    line_of = pieces.line[edges.start]
    order = np.argsort(line_of, kind="stable")
    bounds = np.searchsorted(line_of[order], np.arange(len(page.strips.lines) + 1))
    first_piece = np.searchsorted(pieces.line, np.arange(len(page.strips.lines) + 1))
    numbers: list[NDArray[np.int64]] = []
    paths: list[ForcedPath] = []
    for span in spans:
        own = order[bounds[span.line] : bounds[span.line + 1]]
        first, last = first_piece[span.line], first_piece[span.line + 1]
        lattice = Lattice(
            edges.start[own] - first,
            edges.stop[own] - first,
            edges.atoms[own],
            scored.log_probabilities[own],
            odds[first:last],
        )
        part = slice(span.first, span.last)
        line = LineTruth(
            truth.text[part], truth.own[part], span.start - span.first, span.stop - span.first
        )
        numbers.append(own)
        paths.append(force(lattice, line, options))
    return numbers, paths


def _questioned(
    page: Segmented,
    scored: Scored,
    numbers: Sequence[NDArray[np.int64]],
    paths: Sequence[ForcedPath],
) -> NDArray[np.bool_]:
    """Return which atoms lie at steps that cost much, or beside them, (A,) bool."""
    atom = page.pieces.atom
    line = page.pieces.line
    chosen = np.zeros(int(atom.max(initial=-1)) + 1, np.bool_)
    for number, path in zip(numbers, paths, strict=True):
        trouble = path.loss > _TROUBLE
        # What stands beside a character that is missing may hold it.
        wide = trouble.copy()
        wide[1:] |= trouble[:-1]
        wide[:-1] |= trouble[1:]
        pick = number[path.edge[wide & (path.edge >= 0)]]
        for start, stop in zip(scored.edges.start[pick], scored.edges.stop[pick], strict=True):
            low, high = max(0, int(start) - 1), min(len(atom), int(stop) + 1)
            run = np.arange(low, high)
            chosen[atom[run[line[run] == line[start]]]] = True
    return chosen


def _opened(
    page: Segmented, scored: Scored, atoms: NDArray[np.bool_], classifier: Classifier
) -> Scored | None:
    """Add parts and joins of these atoms that the lattice lacks; None when it lacks none."""
    if not atoms.any():
        return None
    size = len(page.pieces) + 1
    edges = part_edges(page.pieces, atoms) + join_edges(page.pieces, atoms)
    there = scored.edges.start * size + scored.edges.stop
    fresh = ~np.isin(edges.start * size + edges.stop, there)
    if not fresh.any():
        return None
    edges = edges.take(fresh)
    images, geometry = page.crops(edges)
    scores = classifier.scores(images, geometry)
    return Scored(scored.edges + edges, np.concatenate([scored.log_probabilities, scores]))


def _gather(
    scored: Scored,
    spans: Sequence[Span],
    numbers: Sequence[NDArray[np.int64]],
    paths: Sequence[ForcedPath],
    truth: Transcript,
    language: LanguageModel,
) -> ForcedPage:
    size = len(truth.text.replace(" ", ""))
    if not paths:
        none = np.zeros(0, np.int64)
        return ForcedPage(scored, none, none, none, none, np.zeros(0), none.astype(np.bool_), size)
    edge = np.concatenate(
        [
            np.where(path.edge >= 0, number[np.maximum(path.edge, 0)], -1)
            for number, path in zip(numbers, paths, strict=True)
        ]
    )
    label = np.concatenate([path.label for path in paths])
    length = [len(path.edge) for path in paths]
    line = np.repeat([span.line for span in spans], length).astype(np.int64)
    own = np.concatenate([path.place for path in paths])
    place = np.where(own >= 0, own + np.repeat([span.first for span in spans], length), -1)
    beside, around = zip(*(_neighbours(path.loss) for path in paths), strict=True)
    agreement = np.repeat([span.agreement for span in spans], length)
    doubts = np.stack(
        [
            np.minimum(_MOST, -scored.log_probabilities[edge, label]),
            np.concatenate(beside),
            np.minimum(_MOST_AROUND, np.concatenate(around)),
            np.minimum(_MOST_DISAGREEMENT, 1 - agreement),
            _context(scored, edge, label, place, truth.text, language),
        ],
        axis=1,
    )
    confidence = _confidence(doubts)
    known = (edge >= 0) & (label >= 0)
    confidence[~known | _other_scale(scored, edge, label, line)] = 0.0
    extra = (edge >= 0) & (label < 0) & (own < 0)
    return ForcedPage(scored, edge, label, line, place, confidence, extra, size)


def _confidence(doubts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how likely labels are right, of what speaks against each, (M, 5)."""
    return np.asarray(1 / (1 + np.exp(doubts @ np.array(_DOUBTS) - _TRUST)), np.float64)


def _context(
    scored: Scored,
    edge: NDArray[np.int64],
    label: NDArray[np.int64],
    place: NDArray[np.int64],
    truth: str,
    language: LanguageModel,
) -> NDArray[np.float64]:
    """Ask the language model whether the truth or what a candidate looks like suits the context.

    Returns log-odds for the truth, 0 where the two agree or the truth suits less. A slip of the
    transcript seldom suits the letters around it; a character that is hard to read does.
    """
    text = scored.log_probabilities[np.maximum(edge, 0), :N_CHARACTERS]
    looks = text.argmax(axis=1)
    single = np.array([len(_SPELLED[number]) == 1 for number in range(N_CHARACTERS)])
    asked = (edge >= 0) & (label >= 0) & (place >= 0) & single[np.maximum(label, 0)]
    # Only of candidates that are some character: a wrong cut suits no context.
    asked &= text.max(axis=1, initial=-np.inf) >= np.log(_SOME_CHARACTER)
    asked = np.flatnonzero(asked & single[looks] & (looks != label))
    odds = np.zeros(len(edge))
    if not len(asked):
        return odds
    padded = np.pad([_SYMBOL.get(letter, 0) for letter in truth], _CONTEXT)
    window = padded[place[asked][:, None] + np.arange(2 * _CONTEXT + 1)]
    other = window.copy()
    other[:, _CONTEXT] = [_SYMBOL[_SPELLED[number]] for number in looks[asked].tolist()]
    total = np.zeros((2, len(asked)))
    for row, symbols in enumerate((window, other)):
        state = np.zeros(len(asked), np.int32)
        for column in range(symbols.shape[1]):
            cost, state = language.step(state, symbols[:, column])
            if column >= _CONTEXT:
                total[row] += cost
    odds[asked] = np.clip(total[0] - total[1], 0.0, _MOST_ODDS)
    return odds


def _other_scale(
    scored: Scored, edge: NDArray[np.int64], label: NDArray[np.int64], line: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return which steps lie on lines whose letters look like those of the other case."""
    looks = scored.log_probabilities[np.maximum(edge, 0), :N_CHARACTERS].argmax(axis=1)
    cased = (edge >= 0) & (label >= 0) & (_SWAPPED[label] >= 0)
    other = cased & (looks == _SWAPPED[label])
    count = np.bincount(line, cased)
    swapped = np.bincount(line, other, minlength=len(count))
    wrong = (swapped >= _OTHER_CASE_LEAST) & (swapped >= _OTHER_CASE * np.maximum(1, count))
    return np.asarray(wrong[line], np.bool_)


def _neighbours(loss: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the greater loss of the two steps beside each, and the mean of those around."""
    own = np.minimum(loss, _MOST)
    padded = np.pad(own, _AROUND)
    before = padded[_AROUND - 1 : _AROUND - 1 + len(own)]
    after = padded[_AROUND + 1 : _AROUND + 1 + len(own)]
    window = np.convolve(own, np.ones(2 * _AROUND + 1), mode="full")[_AROUND : _AROUND + len(own)]
    return np.maximum(before, after), (window - own) / (2 * _AROUND)
