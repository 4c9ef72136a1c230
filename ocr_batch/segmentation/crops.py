"""Crop candidates to 56x56: the contract between segmenting, training and reading.

An x-height is 20 pixels, letters stand on row 38, the candidate is centred on column 28. Channel
0 shows the candidate alone, channel 1 the same frame with its neighbours. What is wider than the
frame is squeezed, and the squeeze is recorded in the geometry.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ocr_batch.segmentation.lattice import Edges, Pieces
from ocr_batch.segmentation.strips import BASELINE, FRAME, X_HEIGHT, Strips

__all__ = ["GEOMETRY", "make_crops", "spread_labels"]

#: Names of the geometry's columns; lengths are in x-heights.
GEOMETRY = ("top", "bottom", "width", "height", "gap before", "gap after", "stroke", "squeeze")

# Widest candidate that is shown unsqueezed, in strip pixels.
_WIDEST = FRAME - 4.0
_GAP_LIMITS = (-0.5, 1.5)


def spread_labels(label: NDArray[np.int32], rounds: int = 2) -> NDArray[np.int32]:
    """Grow each piece over its grey rim.

    Parameters
    ----------
    label : ndarray of int32, shape (56, W)
        Pieces' labels; 0 is paper.
    rounds : int
        How many pixels to grow.

    Returns
    -------
    ndarray of int32, shape (56, W)
    """
    if not label.size:
        return label.copy()
    # OpenCV dilates floats, which hold labels exactly up to 2**24.
    grown = label.astype(np.float32)
    kernel = np.ones((3, 3), np.uint8)
    for _ in range(rounds):
        grown = np.where(grown > 0, grown, cv2.dilate(grown, kernel))
    return grown.astype(np.int32)


def make_crops(
    strips: Strips, pieces: Pieces, edges: Edges, label: NDArray[np.int32]
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
    label : ndarray of int32, shape (56, W)
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
    offset = np.arange(FRAME) + 0.5 - FRAME / 2
    columns = np.floor(centre[:, None] + offset[None, :] * squeeze[:, None]).astype(np.int64)
    columns = np.clip(columns, 0, max(0, strips.grey.shape[1] - 1))
    images = np.zeros((len(edges), FRAME, FRAME, 2), np.uint8)
    # Transposed strips make each gathered column one contiguous run of 56 pixels.
    grey = np.ascontiguousarray(strips.grey.T)
    piece = np.ascontiguousarray(label.T)
    for part in np.array_split(np.arange(len(edges)), max(1, len(edges) // 2048)):
        frame = grey[columns[part]]
        owner = piece[columns[part]]
        low = (edges.start[part] + 1).astype(np.int32)[:, None, None]
        high = edges.stop[part].astype(np.int32)[:, None, None]
        # Neighbouring lines' padding is white, so a frame never shows another line.
        alone = np.where((owner >= low) & (owner <= high), frame, 0)
        images[part, :, :, 0] = alone.swapaxes(1, 2)
        images[part, :, :, 1] = frame.swapaxes(1, 2)
    return images, _geometry(pieces, edges, squeeze)


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
