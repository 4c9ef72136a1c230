"""Find text that was read but stands in another place: lost here, too many there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz

from ocr_batch.evaluation.laid import Laid

__all__ = ["moved_text"]

# Shorter pieces are found in too many places, and how well longer ones have to agree, in per cent.
_LEAST = 8
_ALIKE = 75.0


def moved_text(laid: Laid) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Mark the pieces of truth and output that have no equal where they stand, but elsewhere.

    Parameters
    ----------
    laid : Laid

    Returns
    -------
    truth : ndarray of bool, shape (len(truth),)
    output : ndarray of bool, shape (len(text),)
    """
    truth, output = _lower(laid.truth), _lower(laid.spelled.text)
    lost = laid.matched < 0
    added = np.ones(len(output), np.bool_)
    added[laid.matched[~lost]] = False
    pieces, extra = _pieces(truth, lost), _pieces(output, added)
    return (
        _found(truth, pieces, [output[start:stop] for start, stop in extra]),
        _found(output, extra, [truth[start:stop] for start, stop in pieces]),
    )


def _lower(text: str) -> str:
    """Return a text in lower case, as long as it was: headings may be set in small capitals."""
    return "".join(low if len(low := letter.lower()) == 1 else letter for letter in text)


def _pieces(text: str, alone: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return runs that stand alone; a single character that agrees by chance is no end of one."""
    alone = alone.copy()
    chance = ~alone[1:-1] & alone[:-2] & alone[2:]
    alone[1:-1] |= chance
    step = np.diff(np.r_[0, alone.astype(np.int8), 0])
    found = zip(np.flatnonzero(step > 0).tolist(), np.flatnonzero(step < 0).tolist(), strict=True)
    return [(start, stop) for start, stop in found if len(text[start:stop].strip()) >= _LEAST]


def _found(text: str, pieces: list[tuple[int, int]], others: list[str]) -> NDArray[np.bool_]:
    """Mark the pieces that much resemble a part of another text, or have one as a part."""
    marked = np.zeros(len(text), np.bool_)
    for start, stop in pieces:
        for other in others:
            found = fuzz.partial_ratio_alignment(text[start:stop], other, score_cutoff=_ALIKE)
            if found is not None:
                # Only as much of it as the other text has.
                marked[start + found.src_start : start + found.src_end] = True
    return marked
