"""Choose the best path through the lattice: shapes, spaces and language weighed together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ocr_batch.recognition.beam import Front, Pool, best_scores, merge
from ocr_batch.recognition.charset import CHARACTERS, LIGATURES, N_CHARACTERS, NOISE
from ocr_batch.recognition.language import LanguageModel
from ocr_batch.recognition.options import DecoderOptions

__all__ = ["SPELLING", "Candidates", "Reading", "decode", "make_candidates"]

#: Class of a candidate that reads as nothing: dirt.
SKIP = -1


@dataclass(frozen=True)
class Candidates:
    """Readings of edges, ordered by the piece they start at.

    Attributes
    ----------
    edge : ndarray of int64, shape (K,)
    label : ndarray of int64, shape (K,)
        Class, or -1 for dirt that reads as nothing.
    start, stop : ndarray of int64, shape (K,)
        Pieces.
    score : ndarray of float32, shape (K,)
    """

    edge: NDArray[np.int64]
    label: NDArray[np.int64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    score: NDArray[np.float32]


@dataclass(frozen=True)
class Reading:
    """The chosen path of every line.

    Attributes
    ----------
    edge : ndarray of int64, shape (M,)
        Edges in reading order, dirt left out.
    label : ndarray of int64, shape (M,)
        Class of each.
    space : ndarray of bool, shape (M,)
        Whether a space comes before it.
    line : ndarray of int64, shape (M,)
    gap : ndarray of float32, shape (M,)
        Log-odds of the gap model that a space comes before it.
    """

    edge: NDArray[np.int64]
    label: NDArray[np.int64]
    space: NDArray[np.bool_]
    line: NDArray[np.int64]
    gap: NDArray[np.float32]


def _nothing() -> Reading:
    none = np.zeros(0, np.int64)
    return Reading(none, none, none.astype(np.bool_), none, none.astype(np.float32))


def _spellings() -> NDArray[np.int64]:
    """Return the language model's symbols of each class, (C, 3), padded by -1."""
    table = np.full((N_CHARACTERS, 3), -1, np.int64)
    symbol = {character: number + 1 for number, character in enumerate(CHARACTERS)}
    for number, text in enumerate(CHARACTERS + LIGATURES):
        table[number, : len(text)] = [symbol[character] for character in text]
    return table


#: The language model's symbols of each class, (C, 3), padded by -1.
SPELLING = _spellings()
_LENGTH = (SPELLING >= 0).sum(axis=1)


def make_candidates(
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    atoms: NDArray[np.int64],
    log_probabilities: NDArray[np.float32],
    options: DecoderOptions,
    cell_odds: NDArray[np.float32] | None = None,
) -> Candidates:
    """Turn the classifier's scores of edges into scored readings.

    Parameters
    ----------
    start, stop, atoms : ndarray of int64, shape (E,)
        The edges' pieces and how many atoms each spans (0: a part of one).
    log_probabilities : ndarray of float32, shape (E, C)
        The classifier's scores of the edges.
    options : DecoderOptions
        Weights and limits.
    cell_odds : ndarray of float32, shape (E,), optional
        Log-odds of a character by its place among the cells of typewriting.

    Returns
    -------
    Candidates

    Notes
    -----
    The score of class c on edge e is log p(c|e) - log p(garbage|e). A path's sum of these is,
    up to a constant, the log-likelihood that its edges are characters and all others are not,
    so paths of different numbers of edges compare.
    """
    text = log_probabilities[:, :N_CHARACTERS]
    garbage = np.exp(log_probabilities[:, N_CHARACTERS:]).sum(axis=1)
    odds = -options.reject * np.log(np.maximum(garbage, options.reject_floor))
    if cell_odds is not None:
        odds += options.pitch * cell_odds
    bonus = np.where(
        atoms == 0, 0.0, np.where(atoms == 1, options.whole, options.join * (atoms - 1))
    )
    best = text.max(axis=1, initial=-np.inf)
    keep = text >= np.maximum(best - options.margin, np.float32(-18.0))[:, None]
    edge, label = np.nonzero(keep)
    score = text[edge, label] + (odds + bonus)[edge]
    whole = np.flatnonzero(atoms == 1)
    noise = log_probabilities[whole, NOISE] - options.skip
    dirt = whole[noise > -8.0]
    edge = np.concatenate([edge, dirt])
    label = np.concatenate([label, np.full(len(dirt), SKIP)])
    score = np.concatenate([score, noise[noise > -8.0]])
    # An edge without any reading would break its line's path.
    order = np.argsort(start[edge], kind="stable")
    edge = edge[order]
    return Candidates(edge, label[order], start[edge], stop[edge], score[order].astype(np.float32))


def decode(
    candidates: Candidates,
    line_start: NDArray[np.int64],
    line_stop: NDArray[np.int64],
    space_odds: NDArray[np.float32],
    language: LanguageModel,
    options: DecoderOptions,
) -> Reading:
    """Find each line's best path, all lines at once, by a beam search.

    Parameters
    ----------
    candidates : Candidates
        From `make_candidates`.
    line_start, line_stop : ndarray of int64, shape (L,)
        First and past-the-last piece of each line.
    space_odds : ndarray of float32, shape (P,)
        Log-odds that a space comes before each piece; very low inside atoms.
    language : LanguageModel
        Judges what is read; its states are the search's.
    options : DecoderOptions
        Weights and limits.

    Returns
    -------
    Reading
    """
    count = len(line_start)
    if not count:
        return _nothing()
    length = line_stop - line_start
    pool = Pool()
    waiting: dict[int, list[Front]] = {}
    root = pool.add(np.full(count, -1), np.full(count, -1), np.zeros(count, np.bool_))
    waiting[0] = [
        Front(
            np.arange(count),
            np.full(count, language.start, np.int32),
            np.zeros(count, np.float32),
            root,
        )
    ]
    final = np.full(count, -1, np.int64)
    with_space = (-np.logaddexp(0, -space_odds) * options.space).astype(np.float32)
    without = (-np.logaddexp(0, space_odds) * options.space).astype(np.float32)
    step_first = np.searchsorted(candidates.start, np.arange(len(space_odds) + 1))
    for place in range(int(length.max(initial=0)) + 1):
        parts = waiting.pop(place, None)
        if not parts:
            continue
        front = merge(parts, options.beam, options.width)
        done = length[front.line] == place
        # Sorted by score within a line: the first is the line's best.
        finished, index = np.unique(front.line[done], return_index=True)
        final[finished] = front.number[done][index]
        front = Front(
            front.line[~done], front.state[~done], front.score[~done], front.number[~done]
        )
        if not len(front.line):
            continue
        piece = line_start[front.line] + place
        # Every waiting hypothesis meets every candidate that starts where it stands.
        low, high = step_first[piece], step_first[piece + 1]
        number = high - low
        who = np.repeat(np.arange(len(piece)), number)
        which = np.arange(len(who)) - np.repeat(np.cumsum(number) - number, number) + low[who]
        _expand(
            front,
            who,
            which,
            candidates,
            with_space,
            without,
            place,
            pool,
            waiting,
            language,
            options,
        )
    return _trace(pool, final, candidates, space_odds)


def _expand(
    front: Front,
    who: NDArray[np.int64],
    which: NDArray[np.int64],
    candidates: Candidates,
    with_space: NDArray[np.float32],
    without: NDArray[np.float32],
    place: int,
    pool: Pool,
    waiting: dict[int, list[Front]],
    language: LanguageModel,
    options: DecoderOptions,
) -> None:
    """Extend hypotheses by candidates, each with and without a space before it."""
    label = candidates.label[which]
    piece = candidates.start[which]
    base = front.score[who] + candidates.score[which]
    reads = label >= 0
    if place == 0:
        plain, spaced = np.ones(len(who), np.bool_), np.zeros(len(who), np.bool_)
    else:
        spaced = reads & (with_space[piece] > without[piece] - 8.0)
        plain = ~reads | (without[piece] > with_space[piece] - 8.0)
    close, apart = np.flatnonzero(plain), np.flatnonzero(spaced)
    pick = np.concatenate([close, apart])
    if not len(pick):
        return
    owner = who[pick]
    text = label[pick]
    state = front.state[owner]
    score = base[pick]
    if place:
        gap = np.where(reads[close], without[piece[close]], np.float32(0))
        score[: len(close)] += gap
    if len(apart):
        # The space itself is read once for each hypothesis, not for each that continues it.
        cost, after = language.step(front.state, np.zeros(len(front.state), np.int64))
        score[len(close) :] += with_space[piece[apart]]
        score[len(close) :] += (options.language * cost + options.character)[who[apart]]
        state[len(close) :] = after[who[apart]]
    active = np.flatnonzero(reads[pick])
    for place_in_class in range(SPELLING.shape[1]):
        cost, following = language.step(state[active], SPELLING[text[active], place_in_class])
        state[active] = following
        score[active] += options.language * cost + options.character
        # Only ligatures go on.
        active = active[_LENGTH[text[active]] > place_in_class + 1]
        if not len(active):
            break
    line = front.line[owner]
    step = candidates.stop[which[pick]] - piece[pick]
    # What is already out of the beam beside its like need not wait.
    longest = int(step.max()) + 1
    group = line * longest + step
    best = best_scores(group, score)
    keep = np.flatnonzero(score >= best[group] - options.beam)
    number = pool.add(front.number[owner[keep]], which[pick[keep]], keep >= len(close))
    line, state, score, step = line[keep], state[keep], score[keep], step[keep]
    for stop in np.flatnonzero(np.bincount(step)).tolist():
        at = np.flatnonzero(step == stop)
        waiting.setdefault(place + stop, []).append(
            Front(line[at], state[at], score[at], number[at])
        )


def _trace(
    pool: Pool,
    final: NDArray[np.int64],
    candidates: Candidates,
    space_odds: NDArray[np.float32],
) -> Reading:
    """Walk all lines back from their ends together."""
    parent = np.concatenate(pool.parent)
    candidate = np.concatenate(pool.candidate)
    space = np.concatenate(pool.space)
    here = final.copy()
    edge, label, gap, odds, line, depth = [], [], [], [], [], []
    step = 0
    while True:
        alive = np.flatnonzero((here >= 0) & (parent[np.maximum(here, 0)] >= 0))
        if not len(alive):
            break
        node = here[alive]
        chosen = candidate[node]
        edge.append(candidates.edge[chosen])
        label.append(candidates.label[chosen])
        gap.append(space[node])
        odds.append(space_odds[candidates.start[chosen]])
        line.append(alive)
        depth.append(np.full(len(alive), step))
        here[alive] = parent[node]
        step += 1
    if not edge:
        return _nothing()
    lines = np.concatenate(line)
    order = np.lexsort((-np.concatenate(depth), lines))
    labels = np.concatenate(label)[order]
    reads = labels >= 0
    return Reading(
        np.concatenate(edge)[order][reads],
        labels[reads],
        np.concatenate(gap)[order][reads],
        lines[order][reads],
        np.concatenate(odds)[order][reads],
    )
