"""Keep the hypotheses of a beam search: those that wait, and all there were for tracing back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Front", "Pool", "best_scores", "merge"]


class Pool:
    """All hypotheses so far: arrays of the same length that grow by appending.

    Attributes
    ----------
    parent : list of ndarray of int64
        The hypothesis that each continues, -1 for none.
    candidate : list of ndarray of int64
        What it reads last, -1 for nothing yet.
    space : list of ndarray of bool
        Whether a space comes before that.
    size : int
    """

    def __init__(self) -> None:
        self.parent: list[NDArray[np.int64]] = []
        self.candidate: list[NDArray[np.int64]] = []
        self.space: list[NDArray[np.bool_]] = []
        self.size = 0

    def add(
        self,
        parent: NDArray[np.int64],
        candidate: NDArray[np.int64],
        space: NDArray[np.bool_],
    ) -> NDArray[np.int64]:
        """Append hypotheses, arrays of shape (N,), and return their numbers (N,) int64."""
        self.parent.append(parent)
        self.candidate.append(candidate)
        self.space.append(space)
        first = self.size
        self.size += len(parent)
        return np.arange(first, self.size)


@dataclass(frozen=True)
class Front:
    """Hypotheses that wait at one place of their lines.

    Attributes
    ----------
    line : ndarray of int64, shape (N,)
    state : ndarray of int32, shape (N,)
        Of the language model.
    score : ndarray of float32, shape (N,)
    number : ndarray of int64, shape (N,)
        In the pool.
    """

    line: NDArray[np.int64]
    state: NDArray[np.int32]
    score: NDArray[np.float32]
    number: NDArray[np.int64]


def merge(parts: list[Front], beam: float, width: int) -> Front:
    """Join fronts: of hypotheses alike to the language model the best stays, then the beam.

    Parameters
    ----------
    parts : list of Front
        That wait at the same place; at least one.
    beam : float
        Hypotheses this much worse than a line's best are dropped.
    width : int
        Most hypotheses that a line keeps.

    Returns
    -------
    Front
        Sorted by line, the best of a line first.
    """
    line = np.concatenate([part.line for part in parts])
    state = np.concatenate([part.state for part in parts])
    score = np.concatenate([part.score for part in parts])
    number = np.concatenate([part.number for part in parts])
    best = best_scores(line - line.min(), score)
    keep = np.flatnonzero(score >= best[line - line.min()] - beam)
    line, state, score = line[keep], state[keep], score[keep]
    order = _sorted_by(line - line.min(), _descending(score))
    line, state = line[order], state[order]
    # Sorted by score within the line, the first of equal states is the best.
    again = _sorted_by(line - line.min(), state.astype(np.int64))
    alike = np.r_[
        False,
        (line[again][1:] == line[again][:-1]) & (state[again][1:] == state[again][:-1]),
    ]
    distinct = np.ones(len(line), np.bool_)
    distinct[again[alike]] = False
    order, line, state = order[distinct], line[distinct], state[distinct]
    first = np.r_[True, line[1:] != line[:-1]]
    rank = np.arange(len(line)) - np.flatnonzero(first)[np.cumsum(first) - 1]
    few = rank < width
    order = order[few]
    return Front(line[few], state[few], score[order], number[keep[order]])


def best_scores(group: NDArray[np.int64], score: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the best score of each group 0..max, -inf for a group without any."""
    best = np.full(int(group.max(initial=-1)) + 1, -np.inf, np.float32)
    np.maximum.at(best, group, score)
    return best


def _descending(score: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return whole numbers from 0 to 2**32 - 1 whose order is that of the scores turned round."""
    # Adding zero makes one zero of both. The bits of positive floats are in order as they are,
    # those of negative ones in the opposite order.
    bits = (np.float32(0) - score).view(np.int32).astype(np.int64)
    return np.where(bits >= 0, bits + (1 << 31), -1 - bits)


def _sorted_by(major: NDArray[np.int64], minor: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the stable order by two keys of whole numbers from 0: `np.lexsort`, but quicker."""
    count = len(major)
    if not count:
        return np.zeros(0, np.int64)
    low = count.bit_length()
    middle = int(minor.max()).bit_length()
    if low + middle + int(major.max()).bit_length() > 63:
        return np.lexsort((minor, major))
    # Sorting numbers is several times quicker than finding their order; the place is part of them.
    keys = (((major << middle) | minor) << low) | np.arange(count)
    keys.sort()
    return keys & ((1 << low) - 1)
