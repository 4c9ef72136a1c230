"""Spell a page as it is written to files, and remember which candidate each character is from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from ocr_batch.alignment.folding import normalise
from ocr_batch.batch.pipeline import ReadTrace
from ocr_batch.recognition.assembly import kept_steps
from ocr_batch.recognition.charset import CLASSES

__all__ = ["Spelled", "source_positions", "spell"]


@dataclass(frozen=True)
class Spelled:
    """A page's text with its origin.

    Attributes
    ----------
    raw : str
        As `Page.text`.
    text : str
        The same, normalised.
    step : ndarray of int64, shape (len(text),)
        Step of the reading that each character is from; -1 for spaces.
    kept : ndarray of bool, shape (M,)
        Which steps of the reading are in the text.
    """

    raw: str
    text: str
    step: NDArray[np.int64]
    kept: NDArray[np.bool_]


def spell(trace: ReadTrace) -> Spelled:
    """Spell a page.

    Parameters
    ----------
    trace : ReadTrace

    Returns
    -------
    Spelled
    """
    reading = trace.reading
    kept = kept_steps(trace.scored, reading, trace.confidence)
    letters: list[str] = []
    origin: list[int] = []
    line, fresh = -1, False
    for step, own in enumerate(kept.tolist()):
        here = int(reading.line[step])
        fresh |= bool(reading.space[step])
        if not own:
            continue
        between = ""
        if line >= 0 and here != line:
            between = "\n\n" if trace.layout.block[here] != trace.layout.block[line] else "\n"
        elif fresh and letters:
            between = " "
        text = CLASSES[int(reading.label[step])]
        letters += [*between, *text]
        origin += [-1] * len(between) + [step] * len(text)
        line, fresh = here, False
    raw = "".join(letters)
    text = normalise(raw)
    at = source_positions(raw, text)
    step_of = np.array(origin, np.int64)[at] if origin else np.zeros(0, np.int64)
    step_of[np.array([letter == " " for letter in text], np.bool_)] = -1
    return Spelled(raw, text, step_of, kept)


def source_positions(source: str, folded: str) -> NDArray[np.int64]:
    """Map each character of a folded text to the one of its source that it comes from.

    Parameters
    ----------
    source, folded : str
        Much the same text.

    Returns
    -------
    ndarray of int64, shape (len(folded),)
        Positions in `source`; what was put in comes from the character before it.
    """
    if not source:
        return np.zeros(len(folded), np.int64)
    # Folded letter by letter first, so that little is left for the alignment to find.
    letters: list[str] = []
    origin: list[int] = []
    for number, letter in enumerate(source):
        plain = " " if letter.isspace() else _fold(letter)
        if plain != " " or letters[-1:] != [" "]:
            letters += plain
            origin += [number] * len(plain)
    positions = np.zeros(len(folded), np.int64)
    for op in Levenshtein.opcodes(letters, list(folded)):
        target = np.arange(op.dest_start, op.dest_end)
        if op.tag in ("equal", "replace"):
            positions[target] = op.src_start + target - op.dest_start
        else:
            positions[target] = op.src_start - 1
    if not origin:
        return np.zeros(len(folded), np.int64)
    return np.array(origin, np.int64)[np.clip(positions, 0, len(origin) - 1)]


@lru_cache(maxsize=4096)
def _fold(letter: str) -> str:
    return normalise(letter)
