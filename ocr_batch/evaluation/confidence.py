"""Judge each word that was read, and measure how far its confidence can be believed.

The definition. Output and truth are normalised (`alignment.folding`, which joins words broken
over lines) and aligned word by word with the least number of errors. A word of the output is right
if it stands against an equal one. If it stands against another or none, it is right all the same
where an equal word of the truth is left over elsewhere, so that text in another order is no error.
A wildcard of the truth agrees with any one character. A word joined from two of the output is
judged as one, its confidence their product. Words that the truth lacks are wrong.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from ocr_batch.alignment.folding import WILDCARD, normalise

__all__ = [
    "BINS",
    "LEAST_SURE",
    "Bin",
    "Calibration",
    "WordVerdicts",
    "calibration",
    "judge_words",
    "of_units",
]

#: Bins of the expected calibration error.
BINS = 15
#: Share of the words, the least sure of all, that the wrong ones are looked for in.
LEAST_SURE = 0.05


@dataclass(frozen=True)
class WordVerdicts:
    """Which words of a page were read right.

    Attributes
    ----------
    unit : ndarray of int64, shape (N,)
        For each word of the output the word of the normalised text that it is a part of. The
        parts of a word broken over two lines share theirs. -1 for what normalising leaves nothing
        of: leaders, a soft hyphen.
    right : ndarray of bool, shape (U,)
        Of each word of the normalised text.
    wrong : ndarray of bool, shape (N,)
        Which words of the output are wrong themselves: of a broken word that is wrong, the parts
        that hold the difference.
    """

    unit: NDArray[np.int64]
    right: NDArray[np.bool_]
    wrong: NDArray[np.bool_]


def judge_words(
    lines: Sequence[Sequence[str]], truth: str, *, ignore_case: bool = False
) -> WordVerdicts:
    """Tell for each word of the output whether the truth has it.

    Parameters
    ----------
    lines : sequence of sequence of str
        Words of each line of the output.
    truth : str
        The true text.
    ignore_case : bool
        Whether both are compared in upper case.

    Returns
    -------
    WordVerdicts
    """
    if ignore_case:
        lines, truth = [[word.upper() for word in line] for line in lines], truth.upper()
    found = normalise("\n".join(" ".join(line) for line in lines)).split()
    wanted = normalise(truth).split()
    parts = [normalise(word).replace(" ", "") for line in lines for word in line]
    unit, owner = _owners(parts, found)
    match = _match(found, wanted)
    right = np.array([index >= 0 for index in match], np.bool_)
    wrong = (unit >= 0) & ~right[unit] if len(right) else np.zeros(len(unit), np.bool_)
    shared = np.flatnonzero(np.bincount(unit[unit >= 0], minlength=len(found)) > 1)
    if (~right[shared]).any():
        nearest = _nearest(found, wanted, match)
        for index in shared[~right[shared]].tolist():
            blamed = _differing(found[index], nearest.get(index), owner[index])
            own = np.flatnonzero(unit == index)
            wrong[own] = np.isin(own, blamed) if len(blamed) else True
    return WordVerdicts(unit, right, wrong)


def of_units(
    verdicts: WordVerdicts, confidence: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Put the parts of broken words together.

    Parameters
    ----------
    verdicts : WordVerdicts
    confidence : ndarray of float64, shape (N,)
        Of the words of the output, 0..1.

    Returns
    -------
    confidence : ndarray of float64, shape (U,)
        Of the words of the normalised text: the product over the parts of each.
    right : ndarray of bool, shape (U,)
    """
    known = verdicts.unit >= 0
    unit = verdicts.unit[known]
    logarithm = np.log(np.maximum(confidence[known], 1e-12))
    count = len(verdicts.right)
    present = np.bincount(unit, minlength=count) > 0
    product = np.exp(np.bincount(unit, logarithm, minlength=count))
    return product[present], verdicts.right[present]


def _owners(
    parts: Sequence[str], found: Sequence[str]
) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
    """Find the normalised word of each word of the output, and the output's word of each letter."""
    source, target = "".join(parts), "".join(found)
    part_of = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    word_of = np.repeat(np.arange(len(found)), [len(word) for word in found])
    owner = np.full(len(target), -1, np.int64)
    # The two differ by what joining takes away: hyphens at line ends, leaders.
    for block in Levenshtein.opcodes(source, target).as_matching_blocks():
        owner[block.b : block.b + block.size] = part_of[block.a : block.a + block.size]
    unit = np.full(len(parts), -1, np.int64)
    known = np.flatnonzero(owner >= 0)[::-1]
    unit[owner[known]] = word_of[known]
    return unit, np.split(owner, np.cumsum([len(word) for word in found])[:-1])


def _agree(word: str, true: str) -> bool:
    """Tell whether a word equals one of the truth with wildcards in it."""
    return len(word) == len(true) and all(
        other in (mine, WILDCARD) for mine, other in zip(word, true, strict=True)
    )


def _match(found: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Return the word of the truth that each word found equals, -1 for none."""
    match = [-1] * len(found)
    left = set(range(len(wanted)))
    for block in Levenshtein.opcodes(found, wanted):
        for index, place in zip(
            range(block.src_start, block.src_end),
            range(block.dest_start, block.dest_end),
            strict=False,
        ):
            if block.tag == "equal" or _agree(found[index], wanted[place]):
                match[index] = place
                left.discard(place)
    spare: defaultdict[str, list[int]] = defaultdict(list)
    for place in sorted(left, reverse=True):
        spare[wanted[place]].append(place)
    blurred = [place for place in sorted(left) if WILDCARD in wanted[place]]
    for index, word in enumerate(found):
        if match[index] >= 0:
            continue
        if spare[word]:
            match[index] = spare[word].pop()
            continue
        place = next((place for place in blurred if _agree(word, wanted[place])), -1)
        if place >= 0:
            match[index] = place
            blurred.remove(place)
    return match


def _nearest(found: Sequence[str], wanted: Sequence[str], match: Sequence[int]) -> dict[int, str]:
    """Return the word of the truth that stands against each word that is wrong."""
    return {
        index: wanted[place]
        for block in Levenshtein.opcodes(found, wanted)
        if block.tag == "replace"
        for index, place in zip(
            range(block.src_start, block.src_end),
            range(block.dest_start, block.dest_end),
            strict=False,
        )
        if match[index] < 0
    }


def _differing(word: str, true: str | None, owner: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return which words of the output hold the letters in which a word differs from the truth."""
    if true is None:
        return np.unique(owner)
    bad = np.zeros(len(word), np.bool_)
    for block in Levenshtein.opcodes(word, true):
        if block.tag != "equal":
            # Where letters are missing, the one before is blamed.
            first = block.src_start if block.src_end > block.src_start else block.src_start - 1
            bad[max(0, first) : max(1, block.src_end)] = True
    return np.unique(owner[bad])


@dataclass(frozen=True)
class Bin:
    """Words of like confidence: how many, their mean confidence, the share that is right."""

    words: int
    confidence: float
    right: float


@dataclass(frozen=True)
class Calibration:
    """How far confidences can be believed.

    Attributes
    ----------
    words, wrong : int
    error : float
        Expected calibration error: the mean distance of confidence and share of right words in
        `BINS` bins of equal width, weighted by the words in them.
    error_equal_mass : float
        The same with bins that hold equally many words.
    caught : float
        Share of the wrong words among the `LEAST_SURE` words; ties count in proportion. NaN when
        nothing is wrong.
    confidence : float
        Mean over the words.
    bins : tuple of Bin
        Those of equal width that hold any word, by rising confidence.
    """

    words: int
    wrong: int
    error: float
    error_equal_mass: float
    caught: float
    confidence: float
    bins: tuple[Bin, ...]


def calibration(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> Calibration:
    """Measure confidences against what was right.

    Parameters
    ----------
    confidence : ndarray of float64, shape (N,)
        0..1.
    right : ndarray of bool, shape (N,)

    Returns
    -------
    Calibration

    References
    ----------
    Guo, Pleiss, Sun, Weinberger (2017), On Calibration of Modern Neural Networks.
    """
    count = len(confidence)
    width = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    # Words of the same confidence share a bin.
    rank = np.searchsorted(np.sort(confidence), confidence, side="left")
    mass = rank * BINS // max(1, count)
    bins = tuple(
        Bin(int(own.sum()), float(confidence[own].mean()), float(right[own].mean()))
        for own in (width == number for number in range(BINS))
        if own.any()
    )
    return Calibration(
        count,
        int((~right).sum()),
        _expected_error(confidence, right, width),
        _expected_error(confidence, right, mass),
        _caught(confidence, right),
        float(confidence.mean()) if count else 0.0,
        bins,
    )


def _expected_error(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], place: NDArray[np.int64]
) -> float:
    gap = np.bincount(place, confidence - right, BINS)
    return float(np.abs(gap).sum() / max(1, len(confidence)))


def _caught(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    wrong = int((~right).sum())
    if not wrong:
        return float("nan")
    wanted = LEAST_SURE * len(confidence)
    limit = np.sort(confidence)[min(len(confidence) - 1, int(wanted))]
    below, level = confidence < limit, confidence == limit
    share = (wanted - below.sum()) / level.sum()
    return float(((~right[below]).sum() + share * (~right[level]).sum()) / wrong)
