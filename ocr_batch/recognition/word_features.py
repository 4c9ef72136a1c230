"""Describe each word of a page by what reading knows about it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ocr_batch.recognition.charset import CLASSES, N_CHARACTERS
from ocr_batch.recognition.decoder import SPELLING, Reading
from ocr_batch.recognition.language import LanguageModel
from ocr_batch.recognition.options import DecoderOptions
from ocr_batch.recognition.scoring import Scored
from ocr_batch.segmentation.page import Segmented
from ocr_batch.segmentation.strips import X_HEIGHT

__all__ = ["WORD_FEATURES", "first_of_word", "word_features"]

#: Names of the features of a word. Logarithms are natural; "worst" is over its characters.
WORD_FEATURES = (
    "surprise",
    "worst surprise",
    "surprise a character",
    "second surprise",
    "worst margin",
    "doubtful characters",
    "garbage",
    "worst garbage",
    "against shape",
    "language",
    "worst language",
    "worst context",
    "context",
    "rival cut",
    "rival cuts",
    "parts",
    "joins",
    "dirt",
    "space before",
    "space after",
    "space within",
    "weakest space",
    "length",
    "one character",
    "letters",
    "digits",
    "marks",
    "digits and letters",
    "capitals within",
    "marks within",
    "line surprise",
    "line doubtful",
    "line garbage",
    "line length",
    "page surprise",
    "page doubtful",
    "page garbage",
    "word before",
    "word after",
    "x-height",
    "x-height over page",
    "ends line",
)

# Log-probabilities are not taken to be lower, nor log-odds further from 0.
_LEAST = 10.0
_MOST_ODDS = 8.0
# A character less likely than this is doubtful.
_DOUBTFUL = np.float32(np.log(0.9))
# Symbols of context that the language model hears before and after a character.
_BEFORE, _AFTER = 5, 5
# Weight of the language against the shape, as in decoding.
_LANGUAGE = DecoderOptions.language
# Classes that normalising takes for one another: which of a group is read is no error.
_GROUPS = tuple(
    np.array([CLASSES.index(letter) for letter in group])
    for group in ("'`‘’", '"“”', "-–—", "*•")
    if all(letter in CLASSES for letter in group)
)
_GROUP_OF = np.full(N_CHARACTERS, -1)
for _number, _members in enumerate(_GROUPS):
    _GROUP_OF[_members] = _number
_LETTER = np.array([text.isalpha() for text in CLASSES[:N_CHARACTERS]])
_CAPITAL = np.array([text.isupper() for text in CLASSES[:N_CHARACTERS]])
_DIGIT = np.array([text.isdigit() for text in CLASSES[:N_CHARACTERS]])


def first_of_word(reading: Reading) -> NDArray[np.bool_]:
    """Tell which characters of a page begin a word, (M,) bool."""
    new_line = np.ones(len(reading.line), np.bool_)
    new_line[1:] = reading.line[1:] != reading.line[:-1]
    return np.asarray(reading.space | new_line, np.bool_)


def _shapes(
    scores: NDArray[np.float32], label: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]:
    """Return log p of each character, of the best other one, which that is, and of garbage.

    Characters of a group that normalising makes one share their probability.
    """
    every = np.arange(len(label))
    text = scores[:, :N_CHARACTERS].copy()
    own = text[every, label]
    for number, members in enumerate(_GROUPS):
        rows = np.flatnonzero(_GROUP_OF[label] == number)
        if len(rows):
            block = text[rows[:, None], members]
            own[rows] = np.logaddexp.reduce(block, axis=1)
            text[rows[:, None], members] = -np.inf
    text[every, label] = -np.inf
    other = text.argmax(axis=1)
    garbage = np.logaddexp.reduce(scores[:, N_CHARACTERS:], axis=1)
    return (
        np.clip(own, -_LEAST, 0),
        np.clip(text[every, other], -_LEAST, 0),
        other,
        np.clip(garbage, -_LEAST, 0),
    )


def _language(
    reading: Reading,
    first: NDArray[np.bool_],
    language: LanguageModel,
    own: NDArray[np.float32],
    best_other: NDArray[np.float32],
    other: NDArray[np.int64],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the language model's log p of each character, and how far it is from being another.

    The latter is the difference of the decoder's scores between the character read and the next
    best class in its place, the characters after it left as they are.
    """
    spelled = np.concatenate([np.where(first, 0, -1)[:, None], SPELLING[reading.label]], axis=1)
    kept = spelled >= 0
    stream = spelled[kept]
    place = (np.cumsum(kept.ravel()) - 1).reshape(kept.shape)[:, 1]
    padded = np.pad(stream, (_BEFORE, _AFTER))
    state = np.zeros(len(stream), np.int32)
    for step in range(_BEFORE):
        _, state = language.step(state, padded[step : step + len(stream)])
    cost, _ = language.step(state, stream)
    ends = np.r_[place[1:] - first[1:], len(stream)]
    total = np.add.reduceat(cost, place)
    # reduceat runs on to the next character: the space before that is not this one's.
    following = np.minimum(ends, len(stream) - 1)
    total -= np.where(np.r_[first[1:], False], cost[following], 0)
    single = SPELLING[:, 1] < 0
    far = own - best_other
    asked = np.flatnonzero((far < _MOST_ODDS) & single[reading.label] & single[other])
    at = place[asked]
    mine = theirs = np.zeros(len(asked), np.float32)
    my_state = their_state = state[at]
    symbol, rival = stream[at], SPELLING[other[asked], 0]
    for step in range(_AFTER + 1):
        if step:
            symbol = rival = padded[at + _BEFORE + step]
        my_cost, my_state = language.step(my_state, symbol)
        their_cost, their_state = language.step(their_state, rival)
        mine, theirs = mine + my_cost, theirs + their_cost
    far = np.minimum(far, _MOST_ODDS)
    far[asked] = np.clip(far[asked] + _LANGUAGE * (mine - theirs), -_MOST_ODDS, _MOST_ODDS)
    return np.clip(total, -2 * _LEAST, 0), far


def _rivals(page: Segmented, scored: Scored, reading: Reading) -> NDArray[np.float32]:
    """Return how likely each character's place is taken by other candidates, as log p."""
    edges = scored.edges
    likely = scored.log_probabilities[:, :N_CHARACTERS].max(axis=1)
    likely[reading.edge] = -_LEAST
    pick = np.flatnonzero(likely > -_LEAST)
    # The likeliest is written last and stays.
    pick = pick[np.argsort(likely[pick], kind="stable")]
    size = edges.stop[pick] - edges.start[pick]
    where = np.arange(int(size.sum())) + np.repeat(edges.start[pick] - np.cumsum(size) + size, size)
    best = np.full(len(page.pieces) + 1, -_LEAST, np.float32)
    best[where] = np.repeat(likely[pick], size)
    pairs = np.stack([edges.start[reading.edge], edges.stop[reading.edge]], axis=1).ravel()
    return np.asarray(np.minimum.reduceat(best, pairs)[::2], np.float32)


def word_features(
    page: Segmented,
    scored: Scored,
    reading: Reading,
    language: LanguageModel,
) -> NDArray[np.float32]:
    """Describe each word of a page.

    Parameters
    ----------
    page : Segmented
        The page cut into pieces.
    scored : Scored
        Its edges and their scores.
    reading : Reading
        Of this page's lines.
    language : LanguageModel

    Returns
    -------
    ndarray of float32, shape (W, 42)
        See `WORD_FEATURES`; words begin at `first_of_word`.
    """
    count = len(reading.edge)
    if not count:
        return np.zeros((0, len(WORD_FEATURES)), np.float32)
    first = first_of_word(reading)
    start = np.flatnonzero(first)
    stop = np.r_[start[1:], count]
    length = (stop - start).astype(np.float32)
    word = np.cumsum(first) - 1
    line = reading.line[start]
    edges = scored.edges

    def total(values: NDArray[np.generic]) -> NDArray[np.float32]:
        return np.asarray(np.add.reduceat(values.astype(np.float32), start), np.float32)

    def least(values: NDArray[np.generic]) -> NDArray[np.float32]:
        return np.asarray(np.minimum.reduceat(values, start), np.float32)

    def most(values: NDArray[np.generic]) -> NDArray[np.float32]:
        return np.asarray(np.maximum.reduceat(values, start), np.float32)

    label = reading.label
    own, best_other, other, garbage = _shapes(scored.log_probabilities[reading.edge], label)
    cost, far = _language(reading, first, language, own, best_other, other)
    rival = _rivals(page, scored, reading)
    surprise = -own
    worst = most(surprise)
    doubtful = own < _DOUBTFUL
    # The second worst: without the first place where the worst stands.
    rank = np.lexsort((-surprise, word))
    second = np.where(length > 1, surprise[rank][np.minimum(start + 1, count - 1)], 0)
    piece = edges.start[reading.edge]
    gap = np.clip(reading.gap, -_MOST_ODDS, _MOST_ODDS)
    new_line = np.r_[True, line[1:] != line[:-1]]
    before = np.where(new_line, _MOST_ODDS, gap[start])
    after = np.r_[before[1:], _MOST_ODDS]
    within = most(np.where(first, -_MOST_ODDS, gap))
    # Atoms between two characters of a line that were read as dirt.
    skipped = np.r_[0, piece[1:] - edges.stop[reading.edge][:-1]]
    skipped[np.r_[True, reading.line[1:] != reading.line[:-1]]] = 0
    dirt = np.minimum(total(np.minimum(skipped, 3)) + np.r_[skipped[start][1:], 0], 5)
    atoms = edges.atoms[reading.edge]
    letters, digits = total(_LETTER[label]), total(_DIGIT[label])
    marks = length - letters - digits
    capital_within = total(_CAPITAL[label] & ~first & ~np.r_[False, _CAPITAL[label][:-1]])
    mark = ~(_LETTER | _DIGIT)[label]
    last = np.r_[first[1:], True]
    between = total(mark & ~first & ~last)
    # Means over the line and over the page, by characters.
    in_line = np.maximum(1, np.bincount(reading.line))

    def by_line(values: NDArray[np.generic]) -> NDArray[np.float64]:
        return (np.bincount(reading.line, values) / in_line)[line]

    wide = np.ones(len(start))
    mean_surprise = total(surprise) / length
    x_height = page.strips.scale * X_HEIGHT
    usual = float(np.median(x_height[reading.line]))
    columns = [
        total(surprise),
        worst,
        mean_surprise,
        second,
        least(np.minimum(own - best_other, _MOST_ODDS)),
        total(doubtful),
        np.logaddexp.reduceat(garbage, start),
        most(garbage),
        most(best_other - own).clip(0),
        total(cost) / length,
        least(cost),
        least(far),
        total(np.logaddexp(0, -far)),
        most(rival),
        total(np.exp(rival)),
        total(atoms == 0),
        total(atoms > 1),
        dirt,
        before,
        after,
        within,
        np.minimum(before, after),
        np.log(length),
        length == 1,
        letters / length,
        digits / length,
        marks / length,
        (digits > 0) & (letters > 0),
        capital_within,
        between,
        by_line(surprise),
        by_line(doubtful),
        by_line(np.exp(garbage)),
        np.log(in_line[line]),
        wide * surprise.mean(),
        wide * doubtful.mean(),
        wide * np.exp(garbage).mean(),
        np.where(new_line, 0, np.r_[0, mean_surprise[:-1]]),
        np.where(np.r_[new_line[1:], True], 0, np.r_[mean_surprise[1:], 0]),
        np.log(x_height[line]),
        np.log(x_height[line] / usual),
        np.r_[new_line[1:], True],
    ]
    return np.stack([np.asarray(column, np.float32) for column in columns], axis=1)
