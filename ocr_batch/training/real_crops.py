"""Cut labelled crops out of a page that was aligned with its transcript."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ocr_batch.alignment.forced import ForcedPage
from ocr_batch.batch.pipeline import ReadTrace
from ocr_batch.recognition.charset import (
    CLASSES,
    LEFT,
    LIGATURES,
    N_CHARACTERS,
    NOISE,
    RIGHT,
    TWO,
)
from ocr_batch.segmentation.strips import X_HEIGHT

__all__ = ["RealCrops", "crop_page"]

# Characters read right and surely teach little: this share is kept, and all of rare ones.
_SURE, _SURE_SHARE = 0.98, 0.35
_RARE = 4
_GARBAGE_SHARE = 0.5
# A part with more of its character's ink is nearly the character, as in labelling drawn pages.
_PIECE = 0.74
# Dirt between characters this certain, smaller than this (in x-heights), and not like a mark.
_CERTAIN = 0.9
_DIRT_HEIGHT, _DIRT_WIDTH, _DIRT_GAP = 0.5, 0.6, 0.2
_LIKE_A_MARK = 0.9
_MARKS = np.array([text in "'`‘’“”.,\"-–—•*°^~:;_…" for text in CLASSES])
_LIGATURE = {text: CLASSES.index(text) for text in LIGATURES}


@dataclass(frozen=True)
class RealCrops:
    """Labelled crops of a page.

    Attributes
    ----------
    images : ndarray of uint8, shape (E, 56, 56, 2)
    geometry : ndarray of float32, shape (E, 8)
    label : ndarray of int64, shape (E,)
        Index into `CLASSES`.
    confidence : ndarray of float64, shape (E,)
        How likely each label is right, 0..1.
    read : ndarray of int64, shape (E,)
        Class that reading took the crop for; -1 where it made another cut.
    labelled, misread : int
        Characters whose label is trusted, and of them those that reading had wrong; counted
        before easy ones are thinned out.
    """

    images: NDArray[np.uint8]
    geometry: NDArray[np.float32]
    label: NDArray[np.int64]
    confidence: NDArray[np.float64]
    read: NDArray[np.int64]
    labelled: int
    misread: int


def crop_page(
    trace: ReadTrace, forced: ForcedPage, least: float, rng: np.random.Generator
) -> RealCrops:
    """Cut the crops whose labels can be trusted, and surely wrong cuts as garbage.

    Parameters
    ----------
    trace : ReadTrace
        The page as read.
    forced : ForcedPage
        Its alignment with the truth.
    least : float
        Least confidence of a label.
    rng : numpy.random.Generator
        Draws which of the easy crops are kept.

    Returns
    -------
    RealCrops
    """
    scored = forced.scored
    read = np.full(len(scored.edges), -1, np.int64)
    read[trace.reading.edge] = trace.reading.label
    step = np.flatnonzero(forced.confidence >= max(least, 1e-9))
    edge, label, confidence = forced.edge[step], forced.label[step], forced.confidence[step]
    misread = read[edge] != label
    sure = np.exp(scored.log_probabilities[edge, label]) > _SURE
    common = np.bincount(label, minlength=len(CLASSES))[label] > _RARE
    keep = ~(sure & common & ~misread) | (rng.random(len(step)) < _SURE_SHARE)
    wrong = _garbage(trace, forced, step, rng)
    dirt = _dirt(forced, step)
    chosen = np.concatenate([edge[keep], wrong[0], dirt[0]])
    images, geometry = trace.page.crops(scored.edges.take(chosen))
    return RealCrops(
        images,
        geometry,
        np.concatenate([label[keep], wrong[1], np.full(len(dirt[0]), NOISE)]),
        np.concatenate([confidence[keep], wrong[2], dirt[1]]),
        read[chosen],
        len(step),
        int(misread.sum()),
    )


def _garbage(
    trace: ReadTrace, forced: ForcedPage, step: NDArray[np.int64], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return edges that are a part of a character or several at once, their classes, confidence."""
    edges, pieces = forced.scored.edges, trace.page.pieces
    edge, label, confidence = forced.edge[step], forced.label[step], forced.confidence[step]
    if not len(step):
        none = np.zeros(0, np.int64)
        return none, none, np.zeros(0)
    start, stop = edges.start[edge], edges.stop[edge]
    owner = np.full(len(pieces) + 1, -1, np.int64)
    length = stop - start
    run = np.arange(int(length.sum())) - np.repeat(np.cumsum(length) - length, length)
    owner[run + np.repeat(start, length)] = np.repeat(np.arange(len(edge)), length)
    first, last = owner[edges.start], owner[edges.stop - 1]
    ink = np.r_[0, np.cumsum(pieces.area)]
    share = (ink[edges.stop] - ink[edges.start]) / np.maximum(1, (ink[stop] - ink[start])[first])
    inside = (first >= 0) & (first == last) & (share < _PIECE)
    # A join counts as two only if it holds neighbours that are whole, and all of them.
    across = (first >= 0) & (last == first + 1)
    across &= (edges.start == start[first]) & (edges.stop == stop[last])
    across &= stop[first] == start[last]
    # Two quotation marks are also one double one, two dots a part of an ellipsis.
    across &= ~(_MARKS[label[first]] & _MARKS[label[last]])
    pick = np.flatnonzero((inside | across) & (rng.random(len(edges)) < _GARBAGE_SHARE))
    # Left and right of the middle of the character's ink, as in labelling drawn pages.
    centre = pieces.area * (pieces.box[:, 0] + pieces.box[:, 2]) / 2
    moment = np.r_[0.0, np.cumsum(centre)]
    whole = (moment[stop] - moment[start]) / np.maximum(1, ink[stop] - ink[start])
    middle = (edges.box[pick, 0] + edges.box[pick, 2]) / 2
    kind = np.where(inside[pick], np.where(middle < whole[first[pick]], LEFT, RIGHT), TWO)
    for number in np.flatnonzero(across[pick]):
        text = CLASSES[label[first[pick[number]]]] + CLASSES[label[last[pick[number]]]]
        kind[number] = _LIGATURE.get(text, TWO)
    return pick, kind, np.minimum(confidence[first[pick]], confidence[last[pick]])


def _dirt(
    forced: ForcedPage, step: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return small candidates between certain characters that the truth has nothing for."""
    count = len(forced.edge)
    here = np.flatnonzero(forced.extra)
    here = here[(here > 0) & (here < count - 1)]
    before, after = here - 1, here + 1
    confidence = np.minimum(forced.confidence[before], forced.confidence[after])
    edge = forced.edge[here]
    box = forced.scored.edges.box[edge]
    text = forced.scored.log_probabilities[edge, :N_CHARACTERS]
    looks = text.argmax(axis=1) if len(text) else np.zeros(0, np.int64)
    likely = np.exp(text.max(axis=1, initial=-np.inf))
    good = (confidence >= _CERTAIN) & (forced.line[before] == forced.line[after])
    good &= box[:, 3] - box[:, 1] <= _DIRT_HEIGHT * X_HEIGHT
    good &= box[:, 2] - box[:, 0] <= _DIRT_WIDTH * X_HEIGHT
    # What looks surely like a mark may be one that the transcript lacks; leaders are dots.
    good &= (likely < _LIKE_A_MARK) & (_MARKS[looks] | (likely < 0.5))
    good &= (looks != forced.label[before]) & (looks != forced.label[after])
    # What stands close to a character may have broken off it.
    boxes = forced.scored.edges.box
    gap = np.minimum(
        box[:, 0] - boxes[forced.edge[before], 2], boxes[forced.edge[after], 0] - box[:, 2]
    )
    odds = forced.scored.log_probabilities[edge]
    good &= gap >= _DIRT_GAP * X_HEIGHT
    good &= odds[:, NOISE] > np.logaddexp(odds[:, LEFT], odds[:, RIGHT])
    # A part of it must not belong to what was labelled.
    good &= ~np.isin(edge, forced.edge[step])
    return edge[good], confidence[good]
