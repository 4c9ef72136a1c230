"""Match the boxes of characters that were read with the true ones, one to one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["OUTCOMES", "BoxMatch", "BoxRule", "box_overlap", "match_boxes", "outcomes"]

#: What may become of a true character, in the order of their codes: box and character right;
#: only the box; only the character; a box overlaps but neither is right; nothing is there.
OUTCOMES = ("good", "wrong", "off", "both", "lost")
_GOOD, _WRONG, _OFF, _BOTH, _LOST = range(len(OUTCOMES))
# Boxes that overlap less have nothing to do with each other: neighbours that lean.
_LEAST_OVERLAP = 0.1


@dataclass(frozen=True)
class BoxRule:
    """When a box that was read is the true one.

    Attributes
    ----------
    overlap : float
        The boxes' common area over that of both together (IoU) must be above this.
    small : float
        Marks whose larger side is under this many pixels go by their centre instead: a pixel
        more or less at an edge decides the overlap of a full stop.
    offset : float
        Greatest distance of their centres, pixels.
    """

    overlap: float = 0.7
    small: float = 8.0
    offset: float = 2.0


@dataclass(frozen=True)
class BoxMatch:
    """Which box that was read belongs to which true one.

    Attributes
    ----------
    read : ndarray of int64, shape (N,)
        Index of the box that was read, -1 for true characters without one.
    overlap : ndarray of float64, shape (N,)
        Intersection over union, 0 without a box.
    offset : ndarray of float64, shape (N,)
        Distance of the centres in pixels, infinite without a box.
    small : ndarray of bool, shape (N,)
        Whether the mark goes by its centre.
    fits : ndarray of bool, shape (N,)
        Whether the box is good by the rule.
    extra : ndarray of bool, shape (M,)
        Boxes that were read where no true character is left.
    """

    read: NDArray[np.int64]
    overlap: NDArray[np.float64]
    offset: NDArray[np.float64]
    small: NDArray[np.bool_]
    fits: NDArray[np.bool_]
    extra: NDArray[np.bool_]


def box_overlap(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the intersection over union of pairs of boxes.

    Parameters
    ----------
    one, other : ndarray of int64, shape (K, 4)
        left, top, width, height.

    Returns
    -------
    ndarray of float64, shape (K,)
        0 to 1.
    """
    low = np.maximum(one[:, :2], other[:, :2])
    high = np.minimum(one[:, :2] + one[:, 2:], other[:, :2] + other[:, 2:])
    common = np.prod(np.maximum(high - low, 0), axis=1)
    union = np.prod(one[:, 2:], axis=1) + np.prod(other[:, 2:], axis=1) - common
    return np.asarray(common / np.maximum(union, 1), np.float64)


def match_boxes(
    true_box: NDArray[np.int64],
    true_code: NDArray[np.int64],
    read_box: NDArray[np.int64],
    read_code: NDArray[np.int64],
    rule: BoxRule | None = None,
) -> BoxMatch:
    """Match true and read boxes of a page, each at most once.

    Pairs are taken by falling quality: those that are good by the rule first, then by overlap,
    then those of the same character, which parts the letters of a ligature.

    Parameters
    ----------
    true_box, read_box : ndarray of int64, shapes (N, 4) and (M, 4)
        left, top, width, height in pixels.
    true_code, read_code : ndarray of int64, shapes (N,) and (M,)
        The characters, as numbers that are equal where the characters count as equal.
    rule : BoxRule, optional

    Returns
    -------
    BoxMatch
    """
    how = rule or BoxRule()
    true, read = _near(true_box, read_box, how.offset)
    overlap = box_overlap(true_box[true], read_box[read])
    # Twice the distance, in whole numbers.
    apart = (2 * true_box[true, :2] + true_box[true, 2:]) - (
        2 * read_box[read, :2] + read_box[read, 2:]
    )
    offset = np.hypot(apart[:, 0], apart[:, 1]) / 2
    small = true_box[:, 2:].max(axis=1, initial=0) < how.small
    fits = np.where(small[true], offset <= how.offset, overlap > how.overlap)
    same = true_code[true] == read_code[read]
    kept = fits | (overlap >= _LEAST_OVERLAP)
    true, read, overlap, offset = true[kept], read[kept], overlap[kept], offset[kept]
    fits, same = fits[kept], same[kept]
    chosen = _choose(np.lexsort((offset, ~same, -overlap, ~fits)), true, read)
    at = true[chosen]
    found = np.full(len(true_box), -1, np.int64)
    found[at] = read[chosen]
    overlaps, offsets = np.zeros(len(true_box)), np.full(len(true_box), np.inf)
    overlaps[at], offsets[at] = overlap[chosen], offset[chosen]
    good = np.zeros(len(true_box), np.bool_)
    good[at] = fits[chosen]
    extra = np.ones(len(read_box), np.bool_)
    extra[read[chosen]] = False
    return BoxMatch(found, overlaps, offsets, small, good, extra)


def outcomes(
    match: BoxMatch, true_code: NDArray[np.int64], read_code: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return what became of each true character, as an index into `OUTCOMES`, shape (N,).

    Parameters
    ----------
    match : BoxMatch
    true_code, read_code : ndarray of int64, shapes (N,) and (M,)
        As for `match_boxes`.
    """
    lost = match.read < 0
    if not len(read_code):
        return np.full(len(true_code), _LOST, np.int64)
    same = true_code == read_code[match.read]
    with_box = np.where(same, _GOOD, _WRONG)
    without = np.where(same, _OFF, _BOTH)
    return np.where(lost, _LOST, np.where(match.fits, with_box, without)).astype(np.int64)


def _near(
    true_box: NDArray[np.int64], read_box: NDArray[np.int64], margin: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pairs (true, read) of boxes that overlap or are no farther than `margin` apart."""
    order = np.argsort(read_box[:, 0], kind="stable")
    left = read_box[order, 0]
    widest = read_box[:, 2].max(initial=0)
    first = np.searchsorted(left, true_box[:, 0] - widest - margin)
    last = np.searchsorted(left, true_box[:, 0] + true_box[:, 2] + margin, side="right")
    count = np.maximum(last - first, 0)
    true = np.repeat(np.arange(len(true_box)), count)
    read = order[np.arange(len(true)) - np.repeat(np.cumsum(count) - count, count) + first[true]]
    one, other = true_box[true], read_box[read]
    gap = np.maximum(one[:, :2], other[:, :2]) - np.minimum(
        one[:, :2] + one[:, 2:], other[:, :2] + other[:, 2:]
    )
    near = (gap <= margin).all(axis=1)
    return true[near].astype(np.int64), read[near].astype(np.int64)


def _choose(
    order: NDArray[np.int64], true: NDArray[np.int64], read: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Take pairs greedily in an order: all that are the best left of both their sides at once."""
    chosen: list[NDArray[np.int64]] = []
    rank = np.arange(len(order))
    while len(order):
        best_true = np.full(int(true.max()) + 1, -1)
        best_read = np.full(int(read.max()) + 1, -1)
        # The last assignment stays: that of the first pair in the order.
        best_true[true[order[::-1]]] = rank[::-1]
        best_read[read[order[::-1]]] = rank[::-1]
        taken = order[(best_true[true[order]] == rank) & (best_read[read[order]] == rank)]
        chosen.append(taken)
        free = ~np.isin(true[order], true[taken]) & ~np.isin(read[order], read[taken])
        order = order[free]
        rank = np.arange(len(order))
    return np.concatenate(chosen) if chosen else np.zeros(0, np.int64)
