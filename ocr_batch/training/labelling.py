"""Label our own segmenter's candidates by the true owners of their ink."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ocr_batch.imaging.load import sheet_from_array
from ocr_batch.layout.page import analyse
from ocr_batch.layout.prepare import Prepared, prepare
from ocr_batch.recognition.charset import (
    CLASSES,
    LEFT,
    LIGATURES,
    N_CHARACTERS,
    NOISE,
    RIGHT,
    TWO,
)
from ocr_batch.recognition.spaces import gap_features
from ocr_batch.rendering.page import RenderedPage
from ocr_batch.segmentation.lattice import (
    Edges,
    Pieces,
    join_edges,
    part_edges,
    whole_edges,
)
from ocr_batch.segmentation.page import segment
from ocr_batch.segmentation.strips import X_HEIGHT, Strips

__all__ = ["LabelledPage", "label_page"]

_CLASS = {text: number for number, text in enumerate(CLASSES)}

# Shares of ink: what makes a candidate one whole character, a piece, or two.
_WHOLE_RECALL = 0.86
_WHOLE_PURITY = 0.86
_FOREIGN_RECALL = 0.15
_PIECE_RECALL = 0.74
_PIECE_PURITY = 0.75
_PART_OF_TWO = 0.35
# A line whose measured x-height is further off than this shows letters at a wrong scale.
_SCALE_ERROR = 1.22
# Measured x-heights, rims and overshoot included, over those that the fonts state.
_USUAL_SCALE = 1.09


@dataclass(frozen=True)
class LabelledPage:
    """Candidates of one page with their true classes.

    Attributes
    ----------
    images : ndarray of uint8, shape (E, 56, 56, 2)
    geometry : ndarray of float32, shape (E, 8)
    label : ndarray of int64, shape (E,)
        Index into `CLASSES`.
    face : ndarray of int64, shape (E,)
        Face of the character, -1 for garbage.
    gaps : ndarray of float32, shape (G, F)
        Features of gaps between true characters.
    spaces : ndarray of bool, shape (G,)
        Whether each gap is a word space.
    """

    images: NDArray[np.uint8]
    geometry: NDArray[np.float32]
    label: NDArray[np.int64]
    face: NDArray[np.int64]
    gaps: NDArray[np.float32]
    spaces: NDArray[np.bool_]


def label_page(page: RenderedPage) -> LabelledPage:
    """Segment a rendered page and label every candidate of its lattice.

    Parameters
    ----------
    page : RenderedPage
        A rendered page with its truth.

    Returns
    -------
    LabelledPage
    """
    prepared = prepare(sheet_from_array(page.grey))
    layout = analyse(prepared.ink, prepared.rules, prepared.components, prepared.x_height or 20.0)
    segmented = segment(prepared.grey, layout.components, layout.lines)
    strips, pieces = segmented.strips, segmented.pieces
    every = np.ones(int(pieces.atom.max(initial=-1)) + 1, np.bool_)
    edges = whole_edges(pieces) + part_edges(pieces, every) + join_edges(pieces, every)
    label, face = _labels(page, prepared, strips, pieces, edges)
    known = np.flatnonzero(label >= 0)
    gaps, spaces = _gaps(page, pieces, edges, label, face)
    edges = edges.take(known)
    images, geometry = segmented.crops(edges)
    owner = face[known]
    truth = page.characters.face
    faces = np.where(owner >= 0, truth[np.maximum(owner, 0)] if len(truth) else -1, -1)
    return LabelledPage(images, geometry, label[known], faces.astype(np.int64), gaps, spaces)


def _owners(
    page: RenderedPage, prepared: Prepared, strips: Strips, pieces: Pieces
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return piece, owner and centre column of every ink pixel in the strips."""
    row, column = np.nonzero(pieces.label)
    piece = pieces.label[row, column].astype(np.int64) - 1
    centre = column.astype(np.float64) + 0.5
    x, y = strips.to_page(pieces.line[piece], centre, row.astype(np.float64) + 0.5)
    stored = prepared.to_stored @ np.stack([x - 0.5, y - 0.5, np.ones_like(x)])
    height, width = page.owner.shape
    stored_x = np.clip(np.round(stored[0]), 0, width - 1).astype(np.int64)
    stored_y = np.clip(np.round(stored[1]), 0, height - 1).astype(np.int64)
    # Ink spreads a little past its owner's pixels: the nearest owner within two pixels counts.
    owner = page.owner.astype(np.float32)
    kernel = np.ones((3, 3), np.uint8)
    for _ in range(2):
        owner = np.where(owner > 0, owner, cv2.dilate(owner, kernel))
    number = np.asarray(owner[stored_y, stored_x], np.int64) - 1
    return piece, number, centre


def _labels(
    page: RenderedPage, prepared: Prepared, strips: Strips, pieces: Pieces, edges: Edges
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return class and true character of each edge; -1 where there is none."""
    piece, owner, column = _owners(page, prepared, strips, pieces)
    characters = len(page.characters)
    # Count pixels by (piece, owner); owner -1 is dirt.
    key = piece * (characters + 1) + owner + 1
    pair, count = np.unique(key, return_counts=True)
    pair_piece, pair_owner = pair // (characters + 1), pair % (characters + 1) - 1
    total = np.bincount(owner[owner >= 0], minlength=characters)
    places = np.bincount(owner[owner >= 0], column[owner >= 0], minlength=characters)
    centre = np.asarray(places / np.maximum(1, total), np.float64)
    first = np.searchsorted(pair_piece, np.arange(len(pieces) + 1))
    # Each edge gathers the pairs of all its pieces, which are one run of pairs.
    low, high = first[edges.start], first[edges.stop]
    number = high - low
    edge = np.repeat(np.arange(len(edges)), number)
    which = np.arange(len(edge)) - np.repeat(np.cumsum(number) - number, number) + low[edge]
    key = edge * (characters + 1) + pair_owner[which] + 1
    pair, inverse = np.unique(key, return_inverse=True)
    ink = np.bincount(inverse, count[which]) if len(pair) else np.zeros(0)
    edge, owner = pair // (characters + 1), pair % (characters + 1) - 1
    area = np.bincount(edge, ink, minlength=len(edges))
    share = ink / np.maximum(1, area[edge])
    recall = np.where(owner >= 0, ink / np.maximum(1, total[np.maximum(owner, 0)]), 0.0)
    return _decide(page, prepared, strips, pieces, edges, edge, owner, share, recall, centre)


def _decide(
    page: RenderedPage,
    prepared: Prepared,
    strips: Strips,
    pieces: Pieces,
    edges: Edges,
    edge: NDArray[np.int64],
    owner: NDArray[np.int64],
    share: NDArray[np.float64],
    recall: NDArray[np.float64],
    centre: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Turn shares and recalls of (edge, owner) pairs into a label for each edge."""
    size = len(edges)
    true = owner >= 0
    label = np.full(size, -1, np.int64)
    character = np.full(size, -1, np.int64)
    # The owner with most of the edge's ink.
    order = np.lexsort((share * true, edge))
    last = np.r_[edge[order][1:] != edge[order][:-1], True][: len(order)]
    top = order[last]
    main = np.full(size, -1, np.int64)
    main_share, main_recall = np.zeros(size), np.zeros(size)
    main[edge[top]] = np.where(true[top], owner[top], -1)
    main_share[edge[top]], main_recall[edge[top]] = share[top] * true[top], recall[top]
    dirt = np.bincount(edge, share * ~true, minlength=size)
    second = np.ones(len(edge), np.bool_)
    second[top] = False
    foreign = np.zeros(size)
    np.maximum.at(foreign, edge[second & true], recall[second & true])
    weight = np.bincount(edge, true & (recall >= _PART_OF_TWO) & (share >= 0.15), minlength=size)

    name = np.array([_CLASS.get(text, -1) for text in page.characters.text] + [-1], np.int64)
    seen = np.r_[page.characters.visible, False]
    whole = (main_recall >= _WHOLE_RECALL) & (main_share >= _WHOLE_PURITY)
    whole &= (foreign < _FOREIGN_RECALL) & seen[main]
    label[whole] = name[main[whole]]
    character[whole] = main[whole]
    piece = (main_share >= _PIECE_PURITY) & (main_recall < _PIECE_RECALL) & (main >= 0)
    middle = (edges.box[:, 0] + edges.box[:, 2]) / 2
    label[piece] = np.where(middle < np.r_[centre, 0.0][main], LEFT, RIGHT)[piece]
    two = weight >= 2
    label[two] = TWO
    label[dirt > 0.6] = NOISE
    _name_ligatures(page, edge, owner, recall, true, label, character)
    _reject_wrong_scale(page, prepared, strips, pieces, edges, label, character)
    return label, character


def _name_ligatures(
    page: RenderedPage,
    edge: NDArray[np.int64],
    owner: NDArray[np.int64],
    recall: NDArray[np.float64],
    true: NDArray[np.bool_],
    label: NDArray[np.int64],
    character: NDArray[np.int64],
) -> None:
    """Give an edge that holds f and i, both whole, the class of the ligature."""
    full = true & (recall >= _WHOLE_RECALL)
    some = true & (recall >= _FOREIGN_RECALL)
    many = np.bincount(edge, full, minlength=len(label))
    touched = np.bincount(edge, some, minlength=len(label))
    could = np.flatnonzero((label == TWO) & (many >= 2) & (many <= 3) & (many == touched))
    first = np.searchsorted(edge, could)
    last = np.searchsorted(edge, could, side="right")
    for number, low, high in zip(could, first, last, strict=True):
        own = np.sort(owner[low:high][full[low:high]])
        text = "".join(page.characters.text[k] for k in own)
        if text in LIGATURES and np.all(np.diff(own) == 1):
            label[number] = _CLASS[text]
            character[number] = own[0]


def _reject_wrong_scale(
    page: RenderedPage,
    prepared: Prepared,
    strips: Strips,
    pieces: Pieces,
    edges: Edges,
    label: NDArray[np.int64],
    character: NDArray[np.int64],
) -> None:
    """Take characters out that stand on a line whose x-height was measured wrongly."""
    read = np.flatnonzero(character >= 0)
    if not len(read):
        return
    line = pieces.line[edges.start[read]]
    # Strips are measured on the prepared page, the truth is in pixels of the page as drawn.
    zoom = float(np.sqrt(abs(np.linalg.det(prepared.to_stored[:, :2]))))
    measured = strips.scale[line] * X_HEIGHT * zoom
    ratio = measured / np.maximum(page.characters.x_height[character[read]], 1e-6)
    # By line, so that a superscript stays.
    order = np.lexsort((ratio, line))
    names, start, count = np.unique(line[order], return_index=True, return_counts=True)
    of_line = np.ones(int(names[-1]) + 1)
    of_line[names] = ratio[order][start + count // 2]
    wrong = np.abs(np.log(of_line[line] / _USUAL_SCALE)) > np.log(_SCALE_ERROR)
    label[read[wrong]] = -1
    character[read[wrong]] = -1


def _gaps(
    page: RenderedPage,
    pieces: Pieces,
    edges: Edges,
    label: NDArray[np.int64],
    character: NDArray[np.int64],
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return features and truth of the gaps between atoms that are characters for certain."""
    features, piece = gap_features(pieces)
    word_before = np.full(len(pieces) + 1, -1, np.int64)
    word_after = np.full(len(pieces) + 1, -1, np.int64)
    read = np.flatnonzero((character >= 0) & (label < N_CHARACTERS))
    word = page.characters.word[character[read]]
    word_after[edges.start[read]] = word
    word_before[edges.stop[read]] = word
    known = (word_before[piece] >= 0) & (word_after[piece] >= 0)
    return features[known], word_before[piece[known]] != word_after[piece[known]]
