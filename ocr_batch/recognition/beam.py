"""Keep the hypotheses of a beam search: those that wait, and all there were for tracing back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Front", "Pool", "merge"]


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
    order = np.lexsort((-score, line))
    line, state, score, number = line[order], state[order], score[order], number[order]
    first = np.r_[True, line[1:] != line[:-1]]
    start = np.flatnonzero(first)
    group = np.cumsum(first) - 1
    keep = score >= score[start][group] - beam
    line, state, score, number = line[keep], state[keep], score[keep], number[keep]
    # Sorted by score within the line, the first of equal states is the best.
    order = np.lexsort((np.arange(len(line)), state, line))
    alike = np.r_[
        False,
        (line[order][1:] == line[order][:-1]) & (state[order][1:] == state[order][:-1]),
    ]
    keep = np.ones(len(line), np.bool_)
    keep[order[alike]] = False
    line, state, score, number = line[keep], state[keep], score[keep], number[keep]
    first = np.r_[True, line[1:] != line[:-1]]
    rank = np.arange(len(line)) - np.flatnonzero(first)[np.cumsum(first) - 1]
    keep = rank < width
    return Front(line[keep], state[keep], score[keep], number[keep])
