"""Write the truth of a rendered page as if it had been read without an error."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import numpy.typing as npt

from ocr_batch.document import Block, Box, Character, Line, Page, Word
from ocr_batch.rendering.page import RenderedPage

__all__ = ["true_page"]


def true_page(page: RenderedPage, printed: RenderedPage | None = None) -> Page:
    """Return the text of a rendered page with its boxes.

    Parameters
    ----------
    page : RenderedPage
        As it lies now, degraded or not.
    printed : RenderedPage, optional
        The same page before it was degraded; it tells where characters stood whose ink is lost.

    Returns
    -------
    Page
        Every character that was set. The confidence of a character is 1, and 0 if too little
        ink of it is left; its box is then where it would be.
    """
    truth = page.characters
    boxes = _boxes(page, page if printed is None else printed)
    seen = truth.visible.astype(float).tolist()
    places = [Box(*(int(value) for value in box)) for box in boxes]
    block_of = page.blocks.tolist()
    line_of, word_of = truth.line.tolist(), truth.word.tolist()
    order = range(len(truth))
    blocks: list[Block] = []
    for _, in_block in groupby(order, key=lambda number: block_of[line_of[number]]):
        lines = []
        for _, in_line in groupby(in_block, key=lambda number: line_of[number]):
            words = []
            for _, in_word in groupby(in_line, key=lambda number: word_of[number]):
                numbers = list(in_word)
                letters = tuple(
                    Character(letter, places[number], seen[number])
                    for number in numbers
                    for letter in truth.text[number]
                )
                words.append(Word(letters, min(seen[number] for number in numbers)))
            lines.append(Line(tuple(words)))
        blocks.append(Block(tuple(lines)))
    height, width = page.grey.shape
    return Page(tuple(blocks), width, height)


def _boxes(page: RenderedPage, printed: RenderedPage) -> npt.NDArray[np.int64]:
    """Return the boxes (N, 4) of all characters: left, top, width, height, within the page."""
    now = page.characters.visible
    boxes = page.characters.box.astype(np.float64)
    if now.all():
        return boxes.astype(np.int64)
    known = now.copy()
    both = now & printed.characters.visible
    if np.count_nonzero(both) >= 3:
        # What degrading does to places is a turn and a scale, but for a slight curl.
        old = printed.characters.box.astype(np.float64)
        corners = np.concatenate([old[:, :2], old[:, :2] + old[:, 2:]])
        targets = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])
        design = np.column_stack([corners, np.ones(len(corners))])
        fit, *_ = np.linalg.lstsq(design[np.tile(both, 2)], targets[np.tile(both, 2)], rcond=None)
        first, last = np.split(design @ fit, 2)
        moved = ~now & printed.characters.visible
        boxes[moved] = np.column_stack([first, last - first])[moved]
        known |= moved
    if known.any():
        # What never showed, because others cover it or the page ends, is put at its neighbour.
        places = np.flatnonzero(known)
        near = places[np.minimum(np.searchsorted(places, np.arange(len(known))), len(places) - 1)]
        boxes[~known] = boxes[near[~known]]
    height, width = page.grey.shape
    left = np.clip(np.rint(boxes[:, 0]), 0, width - 1)
    top = np.clip(np.rint(boxes[:, 1]), 0, height - 1)
    wide = np.clip(np.rint(boxes[:, 2]), 1, width - left)
    high = np.clip(np.rint(boxes[:, 3]), 1, height - top)
    return np.column_stack([left, top, wide, high]).astype(np.int64)
