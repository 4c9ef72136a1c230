"""Crop candidates to 56x56: the contract between segmenting, training and reading.

An x-height is 20 pixels, letters stand on row 38, the candidate is centred on column 28. Channel
0 shows the candidate alone, channel 1 the same frame with its neighbours. What is wider than the
frame is squeezed, and the squeeze is recorded in the geometry.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ocr_batch.segmentation.lattice import Edges, Pieces
from ocr_batch.segmentation.strips import BASELINE, FRAME, X_HEIGHT, Owners, Strips

__all__ = ["GEOMETRY", "make_crops", "spread_labels"]

#: Names of the geometry's columns; lengths are in x-heights.
GEOMETRY = ("top", "bottom", "width", "height", "gap before", "gap after", "stroke", "squeeze")

# Widest candidate that is shown unsqueezed, in strip pixels.
_WIDEST = FRAME - 4.0
_GAP_LIMITS = (-0.5, 1.5)
# Frames made at once: what fits a core's cache.
_AT_ONCE = 64


def spread_labels(label: Owners, rounds: int = 2) -> Owners:
    """Grow each piece over its grey rim.

    Parameters
    ----------
    label : ndarray of uint16 or int32, shape (56, W)
        Pieces' labels; 0 is paper.
    rounds : int
        How many pixels to grow.

    Returns
    -------
    ndarray, of the same shape and type
    """
    if not label.size:
        return label.copy()
    # OpenCV dilates no integers of 32 bits, but floats, which hold labels exactly up to 2**24.
    small = label.dtype == np.uint16
    grown: NDArray[Any] = label if small else label.astype(np.float32)
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (3, 3))
    for _ in range(rounds):
        # What has a label keeps it.
        taken = (grown > 0).view(np.uint8)
        grown = cv2.copyTo(grown, taken, cv2.dilate(grown, kernel))
    return grown if small else grown.astype(np.int32)


def make_crops(
    strips: Strips, pieces: Pieces, edges: Edges, label: Owners
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Crop candidates by the contract.

    Parameters
    ----------
    strips : Strips
        The lines, straightened.
    pieces : Pieces
        What the edges are runs of.
    edges : Edges
        The candidates.
    label : ndarray of uint16 or int32, shape (56, W)
        `spread_labels` of the pieces' labels.

    Returns
    -------
    images : ndarray of uint8, shape (E, 56, 56, 2)
        255 is ink. Channel 0: the candidate; channel 1: with its neighbours.
    geometry : ndarray of float32, shape (E, 8)
        See `GEOMETRY`.
    """
    left, right = edges.box[:, 0], edges.box[:, 2]
    squeeze = np.maximum(1.0, (right - left) / _WIDEST)
    centre = (left + right) / 2
    images = np.empty((len(edges), FRAME, FRAME, 2), np.uint8)
    width = strips.grey.shape[1]
    first = np.floor(centre + 0.5 - FRAME / 2).astype(np.int64)
    plain = (squeeze == 1) & (first >= 0) & (first + FRAME <= width)
    if plain.any():
        # A frame that is not squeezed is a window of the strip; the others are made again below.
        first = np.clip(first, 0, width - FRAME)
        grey = sliding_window_view(strips.grey, (FRAME, FRAME))[0]
        piece = sliding_window_view(label, (FRAME, FRAME))[0]
        for start in range(0, len(edges), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            _frames(grey[first[part]], piece[first[part]], edges.take(part), images[part])
    offset = np.arange(FRAME) + 0.5 - FRAME / 2
    others = np.flatnonzero(~plain)
    for start in range(0, len(others), _AT_ONCE):
        few = others[start : start + _AT_ONCE]
        columns = np.floor(centre[few, None] + offset * squeeze[few, None]).astype(np.int64)
        columns = np.clip(columns, 0, width - 1)
        grey = np.ascontiguousarray(strips.grey[:, columns].swapaxes(0, 1))
        piece = np.ascontiguousarray(label[:, columns].swapaxes(0, 1))
        images[few] = _frames(grey, piece, edges.take(few))
    return images, _geometry(pieces, edges, squeeze)


def _frames(
    grey: NDArray[np.uint8],
    piece: NDArray[Any],
    edges: Edges,
    images: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Return (or write) both channels of frames: (E, 56, 56) of ink and of owners."""
    if images is None:
        images = np.empty((*grey.shape, 2), np.uint8)
    # Neighbouring lines' padding is white, so a frame never shows another line. Unsigned, what is
    # less than the first piece is large.
    unsigned: NDArray[Any] = piece.view(np.uint32 if piece.itemsize == 4 else np.uint16)
    unsigned -= (edges.start + 1).astype(unsigned.dtype)[:, None, None]
    more = (edges.stop - edges.start - 1).astype(unsigned.dtype)[:, None, None]
    own = (unsigned <= more).view(np.uint8)
    own *= grey
    rows = len(grey) * FRAME
    pair = [own.reshape(rows, FRAME), grey.reshape(rows, FRAME)]
    cv2.merge(pair, images.reshape(rows, FRAME, 2))
    return images


def _geometry(pieces: Pieces, edges: Edges, squeeze: NDArray[np.float64]) -> NDArray[np.float32]:
    left, top, right, bottom = edges.box.T
    width, height = right - left, bottom - top
    line = pieces.line[edges.start]
    last = len(pieces) - 1
    before = np.clip(edges.start - 1, 0, last)
    after = np.clip(edges.stop, 0, last)
    low, high = _GAP_LIMITS
    gap_before = np.where(
        (edges.start > 0) & (pieces.line[before] == line), left - pieces.box[before, 2], np.inf
    )
    gap_after = np.where(
        (edges.stop <= last) & (pieces.line[after] == line), pieces.box[after, 0] - right, np.inf
    )
    ink = np.r_[0, np.cumsum(pieces.area)]
    area = (ink[edges.stop] - ink[edges.start]).astype(np.float64)
    stroke = area / np.maximum(width + height, 1.0)
    columns = [
        (BASELINE - top) / X_HEIGHT,
        (BASELINE - bottom) / X_HEIGHT,
        width / X_HEIGHT,
        height / X_HEIGHT,
        np.clip(gap_before / X_HEIGHT, low, high),
        np.clip(gap_after / X_HEIGHT, low, high),
        stroke / X_HEIGHT * 4,
        squeeze - 1,
    ]
    return np.asarray(np.clip(np.stack(columns, axis=1), -4, 4), np.float32)
