"""Build the lattice: pieces in reading order, and the runs of pieces that may be characters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ocr_batch.imaging.runs import run_pixels
from ocr_batch.segmentation.atoms import Atoms
from ocr_batch.segmentation.cuts import CutPaths, find_cuts
from ocr_batch.segmentation.pitch import Pitch, cell_borders
from ocr_batch.segmentation.strips import BASELINE, X_HEIGHT, Owners, Strips

__all__ = ["Edges", "Pieces", "find_pieces", "join_edges", "part_edges", "whole_edges"]

# Limits of a character: pieces, and strip pixels.
_MOST_PIECES = 5
_MOST_ATOMS = 3
_WIDEST = 2.5 * X_HEIGHT
_WIDEST_JOIN = 2.1 * X_HEIGHT
# The W of an old face, whose thin strokes are broken, is nearly as wide as a crop.
_WIDEST_PAIR = 2.75 * X_HEIGHT
_JOIN_GAP = 0.45 * X_HEIGHT
_LEAST_INK = 14
# Atoms narrower than this are not searched for cuts.
_NARROW = 0.5 * X_HEIGHT


@dataclass(frozen=True)
class Pieces:
    """The smallest parts of a page's lines, in reading order; a lattice node lies before each.

    Attributes
    ----------
    label : ndarray of uint16 or int32, shape (56, W)
        0 is paper; piece p has label p + 1.
    line, atom : ndarray of int64, shape (P,)
    box : ndarray of float64, shape (P, 4)
        left, top, right, bottom in strip pixels.
    area : ndarray of int64, shape (P,)
        Ink pixels in the strip.
    """

    label: Owners
    line: NDArray[np.int64]
    atom: NDArray[np.int64]
    box: NDArray[np.float64]
    area: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.line)

    @property
    def first_of_atom(self) -> NDArray[np.bool_]:
        """Whether a piece begins an atom."""
        return np.asarray(np.r_[True, self.atom[1:] != self.atom[:-1]][: len(self)], np.bool_)


@dataclass(frozen=True)
class Edges:
    """Runs of pieces that are offered to the classifier as one character.

    Attributes
    ----------
    start, stop : ndarray of int64, shape (E,)
        Pieces start..stop-1.
    atoms : ndarray of int64, shape (E,)
        0: a part of an atom; 1: a whole atom; 2 or more: so many atoms joined.
    box : ndarray of float64, shape (E, 4)
        left, top, right, bottom in strip pixels.
    """

    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    atoms: NDArray[np.int64]
    box: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.start)

    def __add__(self, other: Edges) -> Edges:
        return Edges(
            np.concatenate([self.start, other.start]),
            np.concatenate([self.stop, other.stop]),
            np.concatenate([self.atoms, other.atoms]),
            np.concatenate([self.box, other.box]),
        )

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.int64] | slice) -> Edges:
        """Return the chosen edges."""
        return Edges(self.start[chosen], self.stop[chosen], self.atoms[chosen], self.box[chosen])


def find_pieces(
    strips: Strips, atoms: Atoms, pitch: Pitch, chosen: NDArray[np.bool_] | None = None
) -> Pieces:
    """Cut atoms wherever a character might end.

    Parameters
    ----------
    strips : Strips
        The lines, straightened.
    atoms : Atoms
        What is to be cut.
    pitch : Pitch
        Where cells meet, cuts are offered through whatever ink stands there.
    chosen : ndarray of bool, shape (A,), optional
        Which atoms to cut; all when not given.

    Returns
    -------
    Pieces
    """
    count = len(atoms.line)
    left, right = (strips.column(atoms.line, atoms.box[:, side]) for side in (0, 2))
    cut = right - left > _NARROW
    wide = np.flatnonzero(cut if chosen is None else cut & chosen)
    owner, border = cell_borders(pitch, atoms)
    border = strips.column(atoms.line[owner], border)
    paths, owner = find_cuts(strips.grey, left[wide], right[wide], border)
    owner = wide[owner]
    row, start, stop, label, passed = _stretches(strips.label, paths)
    atom = label.astype(np.int64) - 1
    # The piece of a stretch: its atom's first piece, and one more for each path left of it.
    number = np.bincount(owner, minlength=count)
    before = np.cumsum(number) - number
    raw = before[atom] + atom + np.clip(passed - before[atom], 0, number[atom])
    total = count + len(owner)
    raw_atom = np.repeat(np.arange(count), number + 1)
    area = np.bincount(raw, stop - start, minlength=total)
    # A piece with hardly any ink is no piece: it joins the one before it, within its atom.
    first = np.r_[True, raw_atom[1:] != raw_atom[:-1]][:total]
    small = area < _LEAST_INK
    last = np.r_[first[1:], True][:total]
    follows_small_first = np.r_[False, (small & first & ~last)[:-1]][:total]
    kept = first | (~small & ~follows_small_first)
    number_of = np.cumsum(kept) - 1
    piece = number_of[raw]
    piece_atom = raw_atom[kept]
    box = _boxes(piece, row, start, stop, len(piece_atom))
    # An atom too thin to show in the strip still has its box on the page.
    empty = ~np.isfinite(box[:, 0])
    lost = piece_atom[empty]
    box[empty] = np.stack(
        [left[lost], np.full(len(lost), BASELINE - 1), right[lost], np.full(len(lost), BASELINE)],
        axis=1,
    )
    labels = strips.label
    if len(piece_atom) > count:
        kind = np.uint16 if len(piece_atom) < 2**16 - 1 else np.int32
        labels = np.zeros(strips.grey.shape, kind)
        place = run_pixels(row, start, stop, strips.grey.shape[1])
        labels.ravel()[place] = np.repeat((piece + 1).astype(kind), stop - start)
    return Pieces(
        labels,
        atoms.line[piece_atom],
        piece_atom,
        box,
        np.bincount(piece, stop - start, len(piece_atom)).astype(np.int64),
    )


def _stretches(
    labels: Owners, paths: CutPaths
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], Owners, NDArray[np.int64]]:
    """Find the stretches of one label along the rows of a strip that no path crosses.

    Returns
    -------
    row, start, stop : ndarray of int64, shape (S,)
    label : ndarray of uint16 or int32, shape (S,)
    passed : ndarray of int64, shape (S,)
        How many paths lie left of each.
    """
    height, width = labels.shape
    flat = labels.ravel()
    if not flat.size:
        none = np.zeros(0, np.int64)
        return none, none, none, flat, none
    change = np.empty(flat.size, np.bool_)
    np.not_equal(flat[1:], flat[:-1], out=change[1:])
    change[::width] = True
    crossed = (paths.column + np.arange(height) * width)[paths.column < width]
    change[crossed] = True
    times = np.zeros(flat.size, np.uint16)
    np.add.at(times, crossed, np.uint16(1))
    start = np.flatnonzero(change)
    length = np.diff(start, append=flat.size)
    # Paths up to the start of a stretch, less those of the rows above it.
    here = times[start]
    passed = np.cumsum(here, dtype=np.int64)
    first = np.searchsorted(start, np.arange(height) * width)
    above = passed[first] - here[first]
    label = flat[start]
    inked = np.flatnonzero(label)
    start, length, label, passed = start[inked], length[inked], label[inked], passed[inked]
    row = start // width
    passed -= above[row]
    start -= row * width
    return row, start, start + length, label, passed


def _boxes(
    piece: NDArray[np.int64],
    row: NDArray[np.int64],
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    count: int,
) -> NDArray[np.float64]:
    box = np.empty((count, 4))
    box[:, :2], box[:, 2:] = np.inf, -np.inf
    left, right = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(left, piece, start.astype(np.float64))
    np.maximum.at(right, piece, stop.astype(np.float64))
    box[:, 0], box[:, 2] = left, right
    # Stretches come row by row, and of several values assigned to one place the last stays.
    box[piece[::-1], 1] = row[::-1]
    box[piece, 3] = row + 1
    return box


def _runs(
    pieces: Pieces, start: NDArray[np.int64], stop: NDArray[np.int64], atoms: NDArray[np.int64]
) -> Edges:
    """Make edges of runs; their boxes are the hulls of their pieces'."""
    if not len(start):
        return Edges(start, stop, atoms, np.zeros((0, 4)))
    # reduceat over pairs (start, stop) gives every second result; an end sentinel is needed.
    pairs = np.stack([start, stop], axis=1).ravel()
    box = np.empty((len(start), 4))
    for side, reduce in ((0, np.minimum), (1, np.minimum), (2, np.maximum), (3, np.maximum)):
        column = np.r_[pieces.box[:, side], 0.0]
        box[:, side] = reduce.reduceat(column, pairs)[::2]
    return Edges(start, stop, atoms, box)


def _atom_bounds(pieces: Pieces) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    first = np.flatnonzero(pieces.first_of_atom)
    return first, np.r_[first[1:], len(pieces)][: len(first)]


def whole_edges(pieces: Pieces) -> Edges:
    """Return one edge for each atom.

    Parameters
    ----------
    pieces : Pieces
        Of one page.

    Returns
    -------
    Edges
        In atom order.
    """
    start, stop = _atom_bounds(pieces)
    return _runs(pieces, start, stop, np.ones(len(start), np.int64))


def part_edges(pieces: Pieces, chosen: NDArray[np.bool_]) -> Edges:
    """Return the runs of pieces inside the chosen atoms, the whole atoms left out.

    Parameters
    ----------
    pieces : Pieces
        Of one page.
    chosen : ndarray of bool, shape (A,)
        Which atoms to take apart.

    Returns
    -------
    Edges
    """
    start_of, stop_of = _atom_bounds(pieces)
    length = stop_of - start_of
    within = np.flatnonzero(chosen[pieces.atom])
    found: list[Edges] = []
    for size in range(1, _MOST_PIECES + 1):
        stop = within + size
        fits = (stop <= stop_of[pieces.atom[within]]) & (length[pieces.atom[within]] > size)
        start, stop = within[fits], stop[fits]
        edges = _runs(pieces, start, stop, np.zeros(len(start), np.int64))
        found.append(edges.take(edges.box[:, 2] - edges.box[:, 0] <= _WIDEST))
    return _concatenate(found)


def join_edges(pieces: Pieces, chosen: NDArray[np.bool_]) -> Edges:
    """Return the joins of neighbouring atoms of which at least one is chosen.

    Parameters
    ----------
    pieces : Pieces
        Of one page.
    chosen : ndarray of bool, shape (A,)
        Which atoms to join to their neighbours.

    Returns
    -------
    Edges
    """
    start_of, stop_of = _atom_bounds(pieces)
    line = pieces.line[start_of]
    whole = whole_edges(pieces)
    left, right = whole.box[:, 0], whole.box[:, 2]
    count = len(start_of)
    found: list[Edges] = []
    wanted = chosen.copy()
    near = np.ones(count, np.bool_)
    reach = right.copy()
    for size in range(2, _MOST_ATOMS + 1):
        if count < size:
            break
        index = np.arange(count - size + 1)
        last = index + size - 1
        near = near[: len(index)] & (left[last] - reach[: len(index)] <= _JOIN_GAP)
        near &= line[index] == line[last]
        reach = np.maximum(reach[: len(index)], right[last])
        wanted = wanted[: len(index)] | chosen[last]
        widest = _WIDEST_PAIR if size == 2 else _WIDEST_JOIN
        pick = np.flatnonzero(near & wanted & (reach - left[index] <= widest))
        found.append(
            _runs(pieces, start_of[pick], stop_of[pick + size - 1], np.full(len(pick), size))
        )
    return _concatenate(found)


def _concatenate(parts: list[Edges]) -> Edges:
    none = np.zeros(0, np.int64)
    total = Edges(none, none, none, np.zeros((0, 4)))
    for part in parts:
        total = total + part
    return total
