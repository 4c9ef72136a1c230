"""Score candidates in two rounds: whole atoms first, then other cuts where the first is unsure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ocr_batch.recognition.charset import CLASSES, N_CHARACTERS
from ocr_batch.recognition.classifier import Classifier
from ocr_batch.segmentation.lattice import Edges, join_edges, part_edges, whole_edges
from ocr_batch.segmentation.page import Segmented

__all__ = ["Scored", "atom_quality", "line_quality", "score_parts", "score_whole"]

# A whole atom this likely to be one character is not questioned.
_SURE = 0.97
# Marks that may be half of a double quotation mark, and dots of an ellipsis or a colon.
_MARKS = np.array([text in "'`‘’,\"" for text in CLASSES])
# Crops classified at once: bounds the memory of a call, not its result.
_CHUNK = 16_384


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
    crops = [page.crops(chosen) for page, chosen in zip(pages, edges, strict=True)]
    if not crops:
        return []
    images = np.concatenate([image for image, _ in crops]) if len(crops) > 1 else crops[0][0]
    geometry = np.concatenate([vector for _, vector in crops])
    del crops
    if not len(images):
        return [np.zeros((0, len(CLASSES)), np.float32) for _ in edges]
    scores = np.concatenate(
        [
            classifier.scores(images[first : first + _CHUNK], geometry[first : first + _CHUNK])
            for first in range(0, len(images), _CHUNK)
        ]
    )
    return np.split(scores, np.cumsum([len(chosen) for chosen in edges])[:-1])


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


def score_parts(
    pages: Sequence[Segmented], scored: Sequence[Scored], classifier: Classifier
) -> list[Scored]:
    """Add the scores of cuts and joins around the atoms that are not surely one character.

    Parameters
    ----------
    pages : sequence of Segmented
        Pages cut into pieces.
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
        text = whole.log_probabilities[:, :N_CHARACTERS]
        unsure = np.exp(text.max(axis=1, initial=-np.inf)) < _SURE
        mark = (
            _MARKS[whole.log_probabilities.argmax(axis=1)] if len(text) else np.zeros(0, np.bool_)
        )
        extra.append(part_edges(page.pieces, unsure) + join_edges(page.pieces, unsure | mark))
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
