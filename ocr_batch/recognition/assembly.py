"""Assemble what was decoded into words, lines and blocks with boxes on the stored image."""

from __future__ import annotations

from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from ocr_batch.document import Block, Box, Character, Line, Word
from ocr_batch.recognition.charset import CLASSES
from ocr_batch.recognition.decoder import Reading
from ocr_batch.recognition.scoring import Scored
from ocr_batch.segmentation.page import Segmented

__all__ = ["assemble", "stored_boxes"]

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
    low, high = np.round(spread.min(axis=0)), np.round(spread.max(axis=0))
    limit = np.array(size, np.float64)[:, None]
    low = np.clip(low, 0, np.maximum(limit - 1, 0))
    high = np.clip(high, low + 1, np.maximum(limit, 1))
    return np.concatenate([low, high - low]).T.astype(np.int64)


def assemble(
    page: Segmented,
    scored: Scored,
    reading: Reading,
    block: NDArray[np.int64],
    to_stored: NDArray[np.float64],
    size: tuple[int, int],
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

    Returns
    -------
    tuple of Block
    """
    likely = np.exp(scored.log_probabilities[reading.edge, reading.label])
    boxes = stored_boxes(page, reading.line, scored.edges.box[reading.edge], to_stored, size)
    # A poor page's text is less likely than a good one's, and its dirt no more so.
    typical = float(likely.mean()) if len(likely) else 1.0
    least = float(np.clip(_LEAST_OF_PAGE * typical, _FLOOR, _LEAST_LIKELY))
    short = float(np.clip(_LEAST_OF_PAGE_SHORT * typical, _FLOOR_SHORT, _LEAST_LIKELY_SHORT))
    bounds = np.searchsorted(reading.line, np.arange(len(block) + 1))
    lines: list[tuple[int, Line]] = []
    for number in range(len(block)):
        first, last = int(bounds[number]), int(bounds[number + 1])
        if first == last:
            continue
        mean = float(likely[first:last].mean())
        if mean < (short if last - first <= _SHORT else least):
            continue
        words = _words(reading, likely, boxes, first, last)
        if words:
            lines.append((int(block[number]), Line(words)))
    return tuple(
        Block(tuple(line for _, line in group))
        for _, group in groupby(lines, key=lambda entry: entry[0])
    )


def _words(
    reading: Reading,
    likely: NDArray[np.float32],
    boxes: NDArray[np.int64],
    first: int,
    last: int,
) -> tuple[Word, ...]:
    words: list[Word] = []
    characters: list[Character] = []
    probability = 1.0
    for index in range(first, last):
        if reading.space[index] and characters:
            words.append(Word(tuple(characters), probability))
            characters, probability = [], 1.0
        confidence = float(likely[index])
        probability *= confidence
        left, top, width, height = (int(value) for value in boxes[index])
        box = Box(left, top, width, height)
        characters += [
            Character(letter, box, confidence) for letter in CLASSES[reading.label[index]]
        ]
    words.append(Word(tuple(characters), probability))
    # What reads as upright strokes only is a rule: the side of a box, a margin line.
    return tuple(word for word in words if word.text.strip("|"))
