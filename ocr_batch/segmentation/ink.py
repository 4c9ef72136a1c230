"""Find the extent of characters' ink in the image as stored, to the pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ocr_batch.imaging.runs import run_pixels
from ocr_batch.layout.components import Runs
from ocr_batch.segmentation.page import Segmented

__all__ = ["InkParts", "edge_hulls", "find_ink"]

# Of the darkest pixel of its component: where blur has made an edge wider, it lies half-way.
_LEAST_DARK = 0.4
# A part with less than this of the largest part's ink, above or below it, is dirt or a neighbour's.
_SATELLITE = 0.15
# A page pixel whose own place in the strip is paper belongs to what is beside it there.
_AROUND = ((0, 0), (0, -1), (0, 1), (-1, 0), (1, 0))


@dataclass(frozen=True)
class InkParts:
    """The ink of a page's pieces: a part is what a component has in a piece.

    Attributes
    ----------
    piece : ndarray of int64, shape (Q,)
        In rising order; a piece may have several parts or none.
    hull : ndarray of float64, shape (Q, 4)
        left, top, right, bottom of the pixels' edges in the stored image.
    area : ndarray of int64, shape (Q,)
        Pixels of the prepared page.
    """

    piece: NDArray[np.int64]
    hull: NDArray[np.float64]
    area: NDArray[np.int64]


def find_ink(page: Segmented, to_stored: NDArray[np.float64]) -> InkParts:
    """Find where the ink of each piece lies, from the pixels of the page and not of its strip.

    A strip's pixel may be larger than the page's, and a box that is turned back grows: for a
    hyphen either is half its height.

    Parameters
    ----------
    page : Segmented
    to_stored : ndarray of float64, shape (2, 3)
        Affine map from the prepared page to the stored image, pixel centres to pixel centres.

    Returns
    -------
    InkParts
    """
    atom_of = page.atoms.atom_of
    runs = _dark_runs(page)
    # A component has a part for each piece of its atom; where that is one, nothing was cut.
    first = np.flatnonzero(page.pieces.first_of_atom)
    pieces = np.append(np.diff(np.r_[first, len(page.pieces)]), 0)
    number = np.where(atom_of >= 0, pieces[atom_of], 0)
    before = np.cumsum(number) - number
    piece_of = np.repeat(np.append(first, 0)[atom_of] - before, number)
    piece_of += np.arange(len(piece_of))
    whole = (number == 1)[runs.component]
    kept, cut = runs.take(whole), runs.take(~whole)
    # Of what was cut each pixel is looked up, as a run of its own.
    width = page.grey.shape[1]
    across = run_pixels(cut.row * 0, cut.start, cut.stop, width)
    length = cut.stop - cut.start
    component = np.repeat(cut.component, length).astype(np.int64)
    down = np.repeat(cut.row, length)
    piece = _pieces_at(page, component, across, down)
    near = piece >= 0
    across, down = across[near], down[near]
    own = before[component] + piece - first[atom_of[component]]
    part = np.concatenate([before[kept.component], own[near]])
    row, start = np.concatenate([kept.row, down]), np.concatenate([kept.start, across])
    stop = np.concatenate([kept.stop, across + 1])
    hull = np.empty((4, len(piece_of)))
    hull[:2], hull[2:] = np.inf, -np.inf
    half = 0.5 * float(np.sqrt(abs(np.linalg.det(to_stored[:, :2]))))
    for side, (over_x, over_y, shift) in enumerate(to_stored):
        left = over_x * start + over_y * row + (shift + 0.5)
        right = left + over_x * (stop - 1 - start)
        np.minimum.at(hull[side], part, np.minimum(left, right) - half)
        np.maximum.at(hull[side + 2], part, np.maximum(left, right) + half)
    area = np.bincount(part, stop - start, len(piece_of)).astype(np.int64)
    inked = np.flatnonzero(area)
    inked = inked[np.argsort(piece_of[inked], kind="stable")]
    return InkParts(piece_of[inked], hull.T[inked], area[inked])


def _dark_runs(page: Segmented) -> Runs:
    """Return the runs of a page's ink without its pale rim."""
    runs = page.components.runs
    runs = runs.take(page.atoms.atom_of[runs.component] >= 0)
    if not len(runs.row):
        return runs
    width = page.grey.shape[1]
    length = runs.stop - runs.start
    place = run_pixels(runs.row, runs.start, runs.stop, width)
    dark = 255 - page.grey.ravel()[place]
    darkest = np.zeros(len(page.components), np.uint8)
    in_run = np.maximum.reduceat(dark, np.cumsum(length) - length)
    np.maximum.at(darkest, runs.component, in_run)
    least = np.ceil(_LEAST_DARK * darkest).astype(np.uint8)[runs.component]
    kept = np.flatnonzero(dark >= np.repeat(least, length))
    if len(kept) == len(dark):
        return runs
    run, place = np.repeat(np.arange(len(length)), length)[kept], place[kept]
    first = np.flatnonzero(np.r_[True, (np.diff(place) != 1) | (np.diff(run) != 0)])
    size = np.diff(np.r_[first, len(place)])
    row = runs.row[run[first]]
    start = place[first] - row * width
    return Runs(runs.component[run[first]], row, start, start + size)


def edge_hulls(
    parts: InkParts,
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    single: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Return the hulls of the ink of runs of pieces.

    Parameters
    ----------
    parts : InkParts
        Of the page.
    start, stop : ndarray of int64, shape (E,)
        Pieces start..stop-1.
    single : ndarray of bool, shape (E,)
        Whether what was read has no parts above each other, as i and = have: small ink wholly
        above or below the rest is left out then.

    Returns
    -------
    ndarray of float64, shape (E, 4)
        left, top, right, bottom in the stored image; infinite for a run without any ink.
    """
    low, high = np.searchsorted(parts.piece, start), np.searchsorted(parts.piece, stop)
    count = high - low
    edge = np.repeat(np.arange(len(start)), count)
    part = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count) + low[edge]
    largest = np.full(len(start), -1)
    order = np.argsort(parts.area[part], kind="stable")
    # The last assignment stays: that of the largest part.
    largest[edge[order]] = part[order]
    main, own = parts.hull[largest[edge]], parts.hull[part]
    apart = np.maximum(main[:, 1] - own[:, 3], own[:, 1] - main[:, 3]) >= 0
    little = parts.area[part] < _SATELLITE * parts.area[largest[edge]]
    kept = ~(single[edge] & apart & little)
    edge, own = edge[kept], own[kept]
    hull = np.empty((len(start), 4))
    hull[:, :2], hull[:, 2:] = np.inf, -np.inf
    for side in (0, 1):
        np.minimum.at(hull[:, side], edge, own[:, side])
        np.maximum.at(hull[:, side + 2], edge, own[:, side + 2])
    return hull


def _pieces_at(
    page: Segmented, component: NDArray[np.int64], x: NDArray[np.int64], y: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the piece of pixels of the page whose atoms are cut, -1 where none is near."""
    atom = page.atoms.atom_of[component].astype(np.int64)
    middle_x, middle_y = (side.astype(np.float64) + 0.5 for side in (x, y))
    column, row = page.strips.to_strip(page.atoms.line[atom], middle_x, middle_y)
    across, down = np.floor(column).astype(np.int64), np.floor(row).astype(np.int64)
    piece = np.full(len(atom), -1, np.int64)
    label = page.pieces.label
    for step_down, step_across in _AROUND:
        open_ = np.flatnonzero(piece < 0)
        there = label[
            np.clip(down[open_] + step_down, 0, label.shape[0] - 1),
            np.clip(across[open_] + step_across, 0, label.shape[1] - 1),
        ].astype(np.int64)
        own = (there > 0) & (page.pieces.atom[there - 1] == atom[open_])
        piece[open_[own]] = there[own] - 1
    return piece
