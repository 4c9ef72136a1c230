"""Force the truth of a line through its lattice: which candidate shows which character.

A Viterbi search over states (node of the lattice, position in the truth). A candidate consumes one
character of the truth, two or three as a ligature, or none at a cost; a character without a
candidate costs too, so that a defect of the truth or of the print stays local.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ocr_batch.alignment.line import AlignmentOptions, ForcedPath, Lattice, LineTruth
from ocr_batch.alignment.transcript import ANY_CLASS, SINGLES, SPELLINGS, UNKNOWN
from ocr_batch.recognition.charset import N_CHARACTERS, NOISE

__all__ = ["force"]

_NEVER = -1e9
# Log-odds of spaces are not taken to be surer than this.
_SURE_SPACE = 8.0
_INSIDE_ATOM = -20.0
_MULTIPLES = tuple((number, text) for number, text in SPELLINGS if len(text) > 1)
_HYPHENS = np.array(SINGLES["-"])


@dataclass(frozen=True)
class _Shapes:
    """Scores of the candidates without regard to the truth."""

    text: NDArray[np.float64]
    base: NDArray[np.float64]
    best: NDArray[np.float64]
    drop: NDArray[np.float64]
    free: NDArray[np.float64]
    spaced: NDArray[np.float64]
    plain: NDArray[np.float64]


def _shapes(lattice: Lattice, options: AlignmentOptions) -> _Shapes:
    weights = options.decoder
    scores = lattice.log_probabilities.astype(np.float64)
    text = np.maximum(scores[:, :N_CHARACTERS], -30.0)
    garbage = np.exp(scores[:, N_CHARACTERS:]).sum(axis=1)
    base = -weights.reject * np.log(np.maximum(garbage, weights.reject_floor))
    joined = weights.join * (lattice.atoms - 1)
    base += np.where(lattice.atoms == 0, 0.0, np.where(lattice.atoms == 1, weights.whole, joined))
    best = text.max(axis=1, initial=-30.0) + base
    noise = np.where(lattice.atoms == 1, np.maximum(scores[:, NOISE], -30.0) - weights.skip, _NEVER)
    odds = np.clip(lattice.space_odds.astype(np.float64), -_SURE_SPACE, _SURE_SPACE)
    inside = lattice.space_odds < _INSIDE_ATOM
    return _Shapes(
        text,
        base,
        best,
        np.maximum(best - options.extra, noise),
        np.maximum(best, noise),
        np.where(inside, _NEVER, -np.logaddexp(0, -odds) * weights.space),
        np.where(inside, 0.0, -np.logaddexp(0, odds) * weights.space),
    )


@dataclass(frozen=True)
class _Wanted:
    """Scores of the candidates as the characters at each position of the truth."""

    size: int
    score: NDArray[np.float64]
    label: NDArray[np.int64]


def _wanted(truth: LineTruth, shapes: _Shapes, options: AlignmentOptions) -> list[_Wanted]:
    """Return scores (E, n) and classes (E, n) of one, two and three characters."""
    text = truth.text
    symbols = sorted(set(zip(text, truth.own.tolist(), strict=True)))
    number = {symbol: index for index, symbol in enumerate(symbols)}
    at = np.array([number[symbol] for symbol in zip(text, truth.own.tolist(), strict=True)])
    score = np.full((len(shapes.base), len(symbols)), _NEVER)
    label = np.full((len(shapes.base), len(symbols)), -1, np.int64)
    for index, (letter, own) in enumerate(symbols):
        if letter == UNKNOWN:
            score[:, index] = shapes.best - options.unknown
        elif letter != " ":
            meant = np.array(SINGLES[letter] if own == ANY_CLASS else (own,))
            likely = shapes.text[:, meant]
            label[:, index] = meant[likely.argmax(axis=1)]
            score[:, index] = np.maximum(
                likely.max(axis=1) + shapes.base, shapes.best - options.surprise
            )
    found = [_Wanted(1, score[:, at], label[:, at])]
    for size in (2, 3):
        several = np.full((len(shapes.base), len(text)), _NEVER)
        kind = np.full((len(shapes.base), len(text)), -1, np.int64)
        for own, spelling in _MULTIPLES:
            if len(spelling) == size and spelling in text:
                places = [p for p in range(len(text)) if text.startswith(spelling, p)]
                own_score = (shapes.text[:, own] + shapes.base)[:, None]
                better = own_score > several[:, places]
                several[:, places] = np.where(better, own_score, several[:, places])
                kind[:, places] = np.where(better, own, kind[:, places])
        if kind.max(initial=-1) >= 0:
            found.append(_Wanted(size, several, kind))
    return found


def force(lattice: Lattice, truth: LineTruth, options: AlignmentOptions) -> ForcedPath:
    """Find the path through a line's lattice that spells its truth best.

    Parameters
    ----------
    lattice : Lattice
        With whole atoms at least, so that there is a path from end to end.
    truth : LineTruth
    options : AlignmentOptions

    Returns
    -------
    ForcedPath
    """
    nodes = len(lattice.space_odds)
    if not nodes or not truth.text:
        none = np.zeros(0, np.int64)
        return ForcedPath(none, none, none, np.zeros(0))
    shapes = _shapes(lattice, options)
    wanted = _wanted(truth, shapes, options)
    search = _Search(lattice, truth, shapes, wanted, options)
    edge, label, place, score = search.run()
    return ForcedPath(edge, label, place, _losses(lattice, shapes, edge, score))


class _Search:
    """The forward pass and the way back; rows of a node's table are candidates that end there."""

    def __init__(
        self,
        lattice: Lattice,
        truth: LineTruth,
        shapes: _Shapes,
        wanted: list[_Wanted],
        options: AlignmentOptions,
    ) -> None:
        self._lattice, self._truth, self._shapes = lattice, truth, shapes
        self._wanted, self._options = wanted, options
        nodes, size = len(lattice.space_odds), len(truth.text)
        self._value = np.full((nodes + 1, size + 1), _NEVER)
        # Where a state came from: a candidate and how many characters it took (-1: a hyphen),
        # whether a space was taken on arrival, whether a character was passed over before or
        # after that.
        self._edge = np.full((nodes + 1, size + 1), -1, np.int64)
        self._took = np.zeros((nodes + 1, size + 1), np.int64)
        self._spaced = np.zeros((nodes + 1, size + 1), np.bool_)
        self._lacked = np.zeros((nodes + 1, size + 1), np.bool_)
        self._missed = np.zeros((nodes + 1, size + 1), np.bool_)
        letters = np.array(list(truth.text))
        self._space = letters == " "
        self._cost = np.where(
            self._space,
            options.lost_space,
            np.where(letters == UNKNOWN, 2 * options.unknown, options.missing),
        )
        self._passed = np.r_[0.0, np.cumsum(self._cost)]
        order = np.argsort(lattice.stop, kind="stable")
        self._arriving = np.split(
            order, np.searchsorted(lattice.stop[order], np.arange(1, nodes + 1))
        )

    def run(
        self,
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Return edge, label, place and score of each step."""
        nodes = len(self._lattice.space_odds)
        truth, options = self._truth, self._options
        here = np.arange(len(truth.text) + 1)
        space = np.r_[True, self._space, True]
        # Neither in front of a space at the beginning nor behind one at the end.
        first = np.where(space[:-1], -options.end, -options.end - options.missing / 2)
        first[here == truth.start] = 0.0
        first[(here >= truth.stop) | space[1:]] = _NEVER
        self._value[0] = first
        self._pass_over(0, self._missed)
        for node in range(1, nodes + 1):
            self._arrive(node, self._arriving[node])
            if node < nodes:
                self._pass_over(node, self._lacked)
                self._take_space(node)
            self._pass_over(node, self._missed)
        last = np.where(space[1:], -options.end, -options.end - options.missing / 2)
        last[here == truth.stop] = 0.0
        last[(here <= truth.start) | space[:-1]] = _NEVER
        return self._back(int(np.argmax(self._value[nodes] + last)))

    def _arrive(self, node: int, edges: NDArray[np.int64]) -> None:
        if not len(edges):
            return
        size = len(self._truth.text)
        before = self._value[self._lattice.start[edges]]
        rows = [before + self._shapes.drop[edges][:, None]]
        took = [0]
        for wanted in self._wanted:
            row = np.full_like(before, _NEVER)
            reach = size + 1 - wanted.size
            if reach > 0:
                row[:, wanted.size :] = before[:, :reach] + wanted.score[edges][:, :reach]
            rows.append(row)
            took.append(wanted.size)
        if node == len(self._lattice.space_odds):
            rows.append(before + self._hyphens(edges))
            took.append(-1)
        table = np.concatenate(rows)
        best = table.argmax(axis=0)
        self._value[node] = np.maximum(table[best, np.arange(size + 1)], _NEVER)
        self._edge[node] = np.tile(edges, len(rows))[best]
        self._took[node] = np.repeat(took, len(edges))[best]

    def _hyphens(self, edges: NDArray[np.int64]) -> NDArray[np.float64]:
        """Score the last candidate as the hyphen of a word that the truth has whole."""
        letters = np.array([letter.isalpha() for letter in self._truth.text], np.bool_)
        within = np.r_[False, letters] & np.r_[letters, False]
        score = self._shapes.text[edges][:, _HYPHENS].max(axis=1) + self._shapes.base[edges]
        return np.where(within[None, :], score[:, None], _NEVER)

    def _take_space(self, node: int) -> None:
        value = self._value[node]
        taken = np.full_like(value, _NEVER)
        taken[1:] = np.where(self._space, value[:-1] + self._shapes.spaced[node], _NEVER)
        plain = value + self._shapes.plain[node]
        self._spaced[node] = taken > plain
        self._value[node] = np.maximum(taken, plain)

    def _pass_over(self, node: int, missed: NDArray[np.bool_]) -> None:
        """Leave characters of the truth out: a running maximum along the truth."""
        lifted = self._value[node] + self._passed
        best = np.maximum.accumulate(lifted)
        missed[node] = best > lifted
        self._value[node] = best - self._passed

    def _back(
        self, position: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        steps: list[tuple[int, int, int, float]] = []
        node = len(self._lattice.space_odds)
        scores = {wanted.size: wanted for wanted in self._wanted}
        while True:
            position = self._back_over(self._missed[node], position, steps)
            if not node:
                break
            position -= int(self._spaced[node, position])
            position = self._back_over(self._lacked[node], position, steps)
            edge, took = int(self._edge[node, position]), int(self._took[node, position])
            if took > 0:
                position -= took
                score = float(scores[took].score[edge, position])
                steps.append((edge, int(scores[took].label[edge, position]), position, score))
            elif took < 0:
                likely = self._shapes.text[edge, _HYPHENS]
                score = float(likely.max() + self._shapes.base[edge])
                steps.append((edge, int(_HYPHENS[likely.argmax()]), -1, score))
            else:
                steps.append((edge, -1, -1, float(self._shapes.drop[edge])))
            node = int(self._lattice.start[edge])
        steps.reverse()
        table = np.array(steps, np.float64).reshape(-1, 4)
        edge, label, place = table[:, :3].astype(np.int64).T
        return edge, label, place, table[:, 3]

    def _back_over(
        self,
        missed: NDArray[np.bool_],
        position: int,
        steps: list[tuple[int, int, int, float]],
    ) -> int:
        """Note the characters that were passed over, and return where that began."""
        while missed[position]:
            position -= 1
            if not self._space[position]:
                steps.append((-1, -1, position, self._cost[position]))
        return position


def _losses(
    lattice: Lattice, shapes: _Shapes, edge: NDArray[np.int64], score: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Compare each step with the best path that need not spell the truth (max-marginals)."""
    nodes = len(lattice.space_odds)
    gap = np.r_[np.maximum(shapes.spaced, shapes.plain), 0.0]
    gap[0] = 0.0
    forward = np.full(nodes + 1, _NEVER)
    forward[0] = 0.0
    backward = np.full(nodes + 1, _NEVER)
    backward[nodes] = 0.0
    order = np.argsort(lattice.stop, kind="stable")
    bounds = np.searchsorted(lattice.stop[order], np.arange(nodes + 2))
    for node in range(1, nodes + 1):
        edges = order[bounds[node] : bounds[node + 1]]
        if len(edges):
            forward[node] = (forward[lattice.start[edges]] + shapes.free[edges]).max() + gap[node]
    order = np.argsort(lattice.start, kind="stable")
    bounds = np.searchsorted(lattice.start[order], np.arange(nodes + 1))
    for node in range(nodes - 1, -1, -1):
        edges = order[bounds[node] : bounds[node + 1]]
        if len(edges):
            stop = lattice.stop[edges]
            backward[node] = (shapes.free[edges] + gap[stop] + backward[stop]).max()
    safe = np.maximum(edge, 0)
    stop = lattice.stop[safe]
    through = forward[lattice.start[safe]] + score + gap[stop] + backward[stop]
    return np.where(edge >= 0, np.maximum(0.0, forward[nodes] - through), score)
