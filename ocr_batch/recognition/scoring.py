"""Score candidates in two rounds: whole atoms first, then other cuts where the first is unsure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ocr_batch.recognition.charset import CLASSES, N_CHARACTERS
from ocr_batch.recognition.classifier import Classifier
from ocr_batch.segmentation.lattice import Edges, join_edges, part_edges, whole_edges
from ocr_batch.segmentation.page import Segmented, cut_atoms

__all__ = [
    "Scored",
    "atom_quality",
    "cut_unsure",
    "line_quality",
    "page_quality",
    "score_changed",
    "score_parts",
    "score_whole",
]

# A whole atom this likely to be one character, whichever, is not questioned.
_SURE = 0.95
# One on typewriting whose place is as odd as this is questioned in any case.
_OUT_OF_CELL = -2.0
# Marks that may be half of a double quotation mark, and dots of an ellipsis or a colon.
_MARKS = np.array([text in "'`‘’,\"" for text in CLASSES])
# Crops made at once, unless the classifier takes more, and at most: this bounds the memory of a
# call, not its result.
_CHUNK, _LARGEST_CHUNK = 2048, 8192


@dataclass(frozen=True)
class Scored:
    """Edges with their scores.

    Attributes
    ----------
    edges : Edges
        The whole atoms first, in order.
    log_probabilities : ndarray of float32, shape (E, C)
    """

    edges: Edges
    log_probabilities: NDArray[np.float32]


def _classify(
    pages: Sequence[Segmented], edges: Sequence[Edges], classifier: Classifier
) -> list[NDArray[np.float32]]:
    """Classify the edges of many pages in common batches."""
    counts = [len(chosen) for chosen in edges]
    scores = np.empty((sum(counts), len(CLASSES)), np.float32)
    first = 0
    for together in _chunks(counts, _chunk_size(classifier.batch)):
        crops = [
            pages[number].crops(edges[number].take(np.arange(start, stop)))
            for number, start, stop in together
        ]
        images, geometry = (
            np.concatenate(parts) if len(parts) > 1 else parts[0]
            for parts in zip(*crops, strict=True)
        )
        scores[first : first + len(images)] = classifier.scores(images, geometry)
        first += len(images)
    return np.split(scores, np.cumsum(counts)[:-1]) if counts else []


def _chunk_size(batch: int) -> int:
    """Return how many crops to make at once: whole batches, as long as they are not too large."""
    return min(batch * max(1, _CHUNK // batch), _LARGEST_CHUNK)


def _chunks(counts: Sequence[int], size: int) -> Iterator[list[tuple[int, int, int]]]:
    """Deal out the edges of pages in chunks of `size`: (page, first, past-the-last) each."""
    chunk: list[tuple[int, int, int]] = []
    room = size
    for page, count in enumerate(counts):
        start = 0
        while start < count:
            stop = min(count, start + room)
            chunk.append((page, start, stop))
            room -= stop - start
            start = stop
            if not room:
                yield chunk
                chunk, room = [], size
    if chunk:
        yield chunk


def score_whole(pages: Sequence[Segmented], classifier: Classifier) -> list[Scored]:
    """Score every atom as one character.

    Parameters
    ----------
    pages : sequence of Segmented
        Pages cut into pieces.
    classifier : Classifier
        Gets the crops of all pages together.

    Returns
    -------
    list of Scored
    """
    edges = [whole_edges(page.pieces) for page in pages]
    scores = _classify(pages, edges, classifier)
    return [Scored(chosen, score) for chosen, score in zip(edges, scores, strict=True)]


def score_changed(
    page: Segmented,
    before: Segmented,
    scored: Scored,
    changed: NDArray[np.bool_],
    classifier: Classifier,
) -> Scored:
    """Score the atoms of lines that were segmented anew; the others keep their scores.

    Parameters
    ----------
    page : Segmented
        The page with some of its lines changed.
    before : Segmented
        The page as it was.
    scored : Scored
        Its atoms, from `score_whole`.
    changed : ndarray of bool, shape (L,)
        The lines that differ.
    classifier : Classifier

    Returns
    -------
    Scored
        As `score_whole` of `page`.
    """
    edges = whole_edges(page.pieces)
    line, line_before = page.pieces.line[edges.start], before.pieces.line[scored.edges.start]
    count = len(changed)
    changed = changed | (np.bincount(line, None, count) != np.bincount(line_before, None, count))
    new, kept = changed[line], ~changed[line_before]
    scores = np.empty((len(edges), len(CLASSES)), np.float32)
    scores[~new] = scored.log_probabilities[kept]
    scores[new] = _classify([page], [edges.take(new)], classifier)[0]
    return Scored(edges, scores)


def _unsure(page: Segmented, whole: Scored) -> NDArray[np.bool_]:
    """Tell which atoms are not surely one character, (A,) bool."""
    text = np.exp(whole.log_probabilities[:, :N_CHARACTERS]).sum(axis=1)
    return np.asarray((text < _SURE) | (page.cell_odds(whole.edges) < _OUT_OF_CELL), np.bool_)


def cut_unsure(
    pages: Sequence[Segmented], scored: Sequence[Scored]
) -> tuple[list[Segmented], list[Scored]]:
    """Cut the atoms that are not surely one character into pieces.

    Parameters
    ----------
    pages : sequence of Segmented
        Of uncut atoms.
    scored : sequence of Scored
        From `score_whole`.

    Returns
    -------
    pages : list of Segmented
    scored : list of Scored
        The same scores of the same atoms, whose pieces have other numbers now.
    """
    cut = [cut_atoms(page, _unsure(page, whole)) for page, whole in zip(pages, scored, strict=True)]
    return cut, [
        Scored(whole_edges(page.pieces), whole.log_probabilities)
        for page, whole in zip(cut, scored, strict=True)
    ]


def _sensible(
    page: Segmented, joins: Edges, unsure: NDArray[np.bool_], mark: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Tell which joins are of marks alone, or of atoms of which at most one is sure, (E,) bool."""
    first = page.pieces.atom[joins.start]

    def count(chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        total = np.r_[0, np.cumsum(chosen)]
        return np.asarray(total[first + joins.atoms] - total[first], np.int64)

    return np.asarray((count(unsure) >= joins.atoms - 1) | (count(mark) == joins.atoms), np.bool_)


def score_parts(
    pages: Sequence[Segmented], scored: Sequence[Scored], classifier: Classifier
) -> list[Scored]:
    """Add the scores of cuts and joins around the atoms that are not surely one character.

    Parameters
    ----------
    pages : sequence of Segmented
        Pages cut into pieces, at least their unsure atoms.
    scored : sequence of Scored
        From `score_whole`.
    classifier : Classifier
        Gets the crops of all pages together.

    Returns
    -------
    list of Scored
    """
    extra = []
    for page, whole in zip(pages, scored, strict=True):
        unsure = _unsure(page, whole)
        mark = _MARKS[whole.log_probabilities.argmax(axis=1)]
        joins = join_edges(page.pieces, unsure | mark)
        extra.append(
            part_edges(page.pieces, unsure) + joins.take(_sensible(page, joins, unsure, mark))
        )
    scores = _classify(pages, extra, classifier)
    return [
        Scored(whole.edges + edges, np.concatenate([whole.log_probabilities, score]))
        for whole, edges, score in zip(scored, extra, scores, strict=True)
    ]


def atom_quality(scored: Scored) -> NDArray[np.float32]:
    """Return how likely each atom is some character, (A,) float32."""
    text = scored.log_probabilities[:, :N_CHARACTERS]
    return np.asarray(np.exp(text.max(axis=1, initial=-np.inf)), np.float32)


def line_quality(page: Segmented, scored: Scored, lines: int) -> NDArray[np.float64]:
    """Return each line's mean atom quality, weighted by ink; 0.0 for a line without atoms.

    Parameters
    ----------
    page : Segmented
        The page that was scored.
    scored : Scored
        From `score_whole`.
    lines : int
        How many lines the page has.

    Returns
    -------
    ndarray of float64, shape (lines,)
    """
    edges = scored.edges
    line = page.pieces.line[edges.start]
    # Height rather than ink: a blot does not outweigh a word.
    weight = np.maximum(1.0, edges.box[:, 3] - edges.box[:, 1])
    total = np.bincount(line, weight, minlength=lines)
    return np.bincount(line, weight * atom_quality(scored), minlength=lines) / np.maximum(total, 1)


def page_quality(scored: Scored) -> float:
    """Return how much of a page looks like text, 0..1; 1.0 for a page without anything."""
    edges = scored.edges
    if not len(edges):
        return 1.0
    height = edges.box[:, 3] - edges.box[:, 1]
    return float(np.average(atom_quality(scored), weights=np.maximum(1.0, height)))
