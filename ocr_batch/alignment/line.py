"""Hold what forcing a line is given, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ocr_batch.recognition.options import DecoderOptions

__all__ = ["AlignmentOptions", "ForcedPath", "Lattice", "LineTruth"]


@dataclass(frozen=True)
class AlignmentOptions:
    """Costs of the search; all scores are natural logarithms.

    Attributes
    ----------
    decoder : DecoderOptions
        How shapes and gaps are weighed, as in reading.
    surprise : float
        A character of the truth costs at most this much more than the best class.
    extra : float
        Cost of a candidate that the truth has nothing for.
    missing : float
        Cost of a character of the truth that no candidate shows.
    lost_space : float
        Cost of a space of the truth where no gap is.
    unknown : float
        Cost of a candidate for a character that could not be typed, and, doubled, of none.
    end : float
        Cost of beginning or ending elsewhere than expected.
    """

    decoder: DecoderOptions = field(default_factory=DecoderOptions)
    surprise: float = 9.0
    extra: float = 7.0
    missing: float = 7.0
    lost_space: float = 3.0
    unknown: float = 1.0
    end: float = 3.0


@dataclass(frozen=True)
class Lattice:
    """The candidates of one line.

    Attributes
    ----------
    start, stop : ndarray of int64, shape (E,)
        Nodes, 0..N.
    atoms : ndarray of int64, shape (E,)
        As `Edges.atoms`.
    log_probabilities : ndarray of float32, shape (E, C)
    space_odds : ndarray of float32, shape (N,)
        Log-odds that a space comes before each piece; very low inside atoms.
    """

    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    atoms: NDArray[np.int64]
    log_probabilities: NDArray[np.float32]
    space_odds: NDArray[np.float32]


@dataclass(frozen=True)
class LineTruth:
    """What a line should read.

    Attributes
    ----------
    text : str
        Folded; with what may still belong to the line before and after.
    own : ndarray of int64, shape (n,)
        As `Transcript.own`.
    start, stop : int
        Where the line is expected to begin and to end in the text.
    """

    text: str
    own: NDArray[np.int64]
    start: int
    stop: int


@dataclass(frozen=True)
class ForcedPath:
    """The best path that spells the truth, step by step.

    Attributes
    ----------
    edge : ndarray of int64, shape (M,)
        Candidate of each step; -1 for a character of the truth that none shows.
    label : ndarray of int64, shape (M,)
        Class; -1 for a candidate that is none of the truth's characters, or an untyped one.
    place : ndarray of int64, shape (M,)
        Position in the truth; -1 for a candidate that the truth has nothing for, and for the
        hyphen of a word that the truth has whole.
    loss : ndarray of float64, shape (M,)
        How much better the best path of all is than the best one through this step's candidate
        read as this step's class: 0 where the truth is what the shapes say.
    """

    edge: NDArray[np.int64]
    label: NDArray[np.int64]
    place: NDArray[np.int64]
    loss: NDArray[np.float64]
