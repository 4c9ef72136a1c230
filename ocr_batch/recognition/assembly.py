"""Assemble what was decoded into words, lines and blocks with boxes on the stored image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray

from ocr_batch.document import Block, Box, Character, Line, Word
from ocr_batch.recognition.charset import CLASSES
from ocr_batch.recognition.confidence import Confidence
from ocr_batch.recognition.decoder import Reading
from ocr_batch.recognition.scoring import Scored
from ocr_batch.recognition.word_features import first_of_word
from ocr_batch.segmentation.ink import edge_hulls, find_ink
from ocr_batch.segmentation.lattice import Edges
from ocr_batch.segmentation.page import Segmented

__all__ = ["assemble", "kept_steps", "stored_boxes"]

# A line whose characters are less likely than this on average is a picture or dirt.
_LEAST_LIKELY = 0.7
# Short lines have to be surer: a speck is easily taken for a full stop.
_LEAST_LIKELY_SHORT = 0.9
_SHORT = 6
# Limits relative to the page's mean, and the least they come down to.
_LEAST_OF_PAGE = 0.72
_FLOOR = 0.55
_FLOOR_SHORT = 0.85
_LEAST_OF_PAGE_SHORT = 0.92
# Lines of so many characters whose words are this sure on average are text in any case.
_LONG, _FAIR = 20, 0.35
_STROKE = CLASSES.index("|")
# Letters and digits of one part, without a dot or an accent above or below.
_SINGLE = np.array([text.isalnum() and text.isascii() and text not in "ij" for text in CLASSES])


def stored_boxes(
    page: Segmented,
    line: NDArray[np.int64],
    box: NDArray[np.float64],
    to_stored: NDArray[np.float64],
    size: tuple[int, int],
) -> NDArray[np.int64]:
    """Map boxes from strips to the image as stored.

    Parameters
    ----------
    page : Segmented
        The page in whose strips the boxes lie.
    line : ndarray of int64, shape (N,)
        Line of each box.
    box : ndarray of float64, shape (N, 4)
        left, top, right, bottom in strip pixels.
    to_stored : ndarray of float64, shape (2, 3)
        Affine map from the prepared page to the stored image, pixel centres to pixel centres.
    size : tuple of int
        (width, height) of the stored image.

    Returns
    -------
    ndarray of int64, shape (N, 4)
        left, top, width, height; never empty and within the image.
    """
    corners = []
    for x, y in ((0, 1), (2, 1), (0, 3), (2, 3)):
        page_x, page_y = page.strips.to_page(line, box[:, x], box[:, y])
        # Edges of pixels lie half a pixel before their centres.
        corners.append(to_stored @ np.stack([page_x - 0.5, page_y - 0.5, np.ones_like(page_x)]))
    spread = np.stack(corners) + 0.5
    return _whole_pixels(np.concatenate([spread.min(axis=0), spread.max(axis=0)]).T, size)


def _whole_pixels(edges: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.int64]:
    """Return boxes (N, 4) left, top, width, height of left, top, right, bottom."""
    low, high = np.round(edges[:, :2]), np.round(edges[:, 2:])
    limit = np.array(size, np.float64)
    low = np.clip(low, 0, np.maximum(limit - 1, 0))
    high = np.clip(high, low + 1, np.maximum(limit, 1))
    return np.concatenate([low, high - low], axis=1).astype(np.int64)


def _ink_boxes(
    page: Segmented,
    edges: Edges,
    label: NDArray[np.int64],
    to_stored: NDArray[np.float64],
    size: tuple[int, int],
) -> NDArray[np.int64]:
    """Return the boxes of the ink of edges; of those that have lost theirs, as in the strip."""
    hull = edge_hulls(find_ink(page, to_stored), edges.start, edges.stop, _SINGLE[label])
    known = np.isfinite(hull).all(axis=1)
    boxes = stored_boxes(page, page.pieces.line[edges.start], edges.box, to_stored, size)
    boxes[known] = _whole_pixels(hull[known], size)
    return boxes


def kept_steps(
    scored: Scored, reading: Reading, confidence: Confidence | None = None
) -> NDArray[np.bool_]:
    """Tell which characters of a page are text: lines of junk and words of strokes are left out.

    Parameters
    ----------
    scored : Scored
        The page's edges and their scores.
    reading : Reading
        Of the page's lines.
    confidence : Confidence, optional
        How sure its words are: long lines of fair words stay, however poor their print.

    Returns
    -------
    ndarray of bool, shape (M,)
    """
    if not len(reading.edge):
        return np.zeros(0, np.bool_)
    likely = np.exp(scored.log_probabilities[reading.edge, reading.label])
    # A poor page's text is less likely than a good one's, and its dirt no more so.
    typical = float(likely.mean())
    least = float(np.clip(_LEAST_OF_PAGE * typical, _FLOOR, _LEAST_LIKELY))
    short = float(np.clip(_LEAST_OF_PAGE_SHORT * typical, _FLOOR_SHORT, _LEAST_LIKELY_SHORT))
    size = np.bincount(reading.line)
    first = np.searchsorted(reading.line, np.arange(len(size)))
    mean = np.array(
        [likely[at : at + n].mean() if n else 0.0 for at, n in zip(first, size, strict=True)]
    )
    line_kept = mean >= np.where(size <= _SHORT, short, least)
    word = np.cumsum(first_of_word(reading)) - 1
    if confidence is not None:
        sure = np.bincount(reading.line, confidence.word[word]) / np.maximum(1, size)
        line_kept |= (size >= _LONG) & (sure >= _FAIR)
    # What reads as upright strokes only is a rule: the side of a box, a margin line.
    strokes = np.bincount(word, reading.label != _STROKE) == 0
    return np.asarray(line_kept[reading.line] & ~strokes[word], np.bool_)


def assemble(
    page: Segmented,
    scored: Scored,
    reading: Reading,
    block: NDArray[np.int64],
    to_stored: NDArray[np.float64],
    size: tuple[int, int],
    confidence: Confidence | None = None,
) -> tuple[Block, ...]:
    """Build the blocks of a page.

    Parameters
    ----------
    page : Segmented
        The page cut into pieces.
    scored : Scored
        Its edges and their scores.
    reading : Reading
        Of this page's lines.
    block : ndarray of int64, shape (L,)
        Block of each line.
    to_stored, size
        See `stored_boxes`.
    confidence : Confidence, optional
        Of words and characters; without, characters have the classifier's probabilities and words
        their product.

    Returns
    -------
    tuple of Block
    """
    likely = np.exp(scored.log_probabilities[reading.edge, reading.label]).astype(np.float64)
    sure: NDArray[np.float64] | None = None
    if confidence is not None:
        likely = confidence.character
        sure = confidence.word[np.cumsum(first_of_word(reading)) - 1]
    edges = scored.edges.take(reading.edge)
    # Lists: numbers are taken out one by one below, and an array makes an object of each anew.
    boxes = [Box(*box) for box in _ink_boxes(page, edges, reading.label, to_stored, size).tolist()]
    kept = kept_steps(scored, reading, confidence)
    chances = likely.tolist()
    bounds = np.searchsorted(reading.line, np.arange(len(block) + 1))
    lines: list[tuple[int, Line]] = []
    for number in range(len(block)):
        first, last = int(bounds[number]), int(bounds[number + 1])
        if first == last:
            continue
        words = _words(reading, kept, chances, sure, boxes, first, last)
        if words:
            lines.append((int(block[number]), Line(words)))
    return tuple(
        Block(tuple(line for _, line in group))
        for _, group in groupby(lines, key=lambda entry: entry[0])
    )


def _words(
    reading: Reading,
    kept: NDArray[np.bool_],
    likely: Sequence[float],
    sure: NDArray[np.float64] | None,
    boxes: Sequence[Box],
    first: int,
    last: int,
) -> tuple[Word, ...]:
    words: list[Word] = []
    starts = np.flatnonzero(reading.space[first + 1 : last]) + first + 1
    labels = reading.label[first:last].tolist()
    for begin, end in pairwise([first, *starts.tolist(), last]):
        if not kept[begin]:
            continue
        characters = tuple(
            Character(letter, boxes[index], likely[index])
            for index in range(begin, end)
            for letter in CLASSES[labels[index - first]]
        )
        own = math.prod(likely[begin:end]) if sure is None else float(sure[begin])
        words.append(Word(characters, own))
    return tuple(words)
