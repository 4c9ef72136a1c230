"""Weights of the decoder, apart from it: a run names them before it loads anything."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DecoderOptions"]


@dataclass(frozen=True)
class DecoderOptions:
    """Weights of the decoder; all scores are natural logarithms.

    Attributes
    ----------
    language : float
        Weight of the language model.
    character : float
        Bonus for each character, against the language model's bias to short paths.
    space : float
        Weight of the gap model.
    reject : float
        Weight of the log-odds against garbage.
    reject_floor : float
        Garbage probabilities are not taken to be below this.
    whole, join : float
        Bonus for a whole atom and for each atom joined to another.
    pitch : float
        Weight of where a candidate lies in the cells of typewriting.
    skip : float
        Penalty for reading an atom as dirt.
    margin : float
        Classes this much less likely than the best are not considered.
    beam : float
        Hypotheses this much worse than a line's best are dropped.
    width : int
        Most hypotheses kept at one place of a line.
    """

    language: float = 0.35
    character: float = 0.35
    space: float = 0.9
    reject: float = 0.6
    reject_floor: float = 2e-3
    whole: float = 0.2
    join: float = -0.5
    pitch: float = 0.5
    skip: float = 2.0
    margin: float = 4.5
    beam: float = 6.0
    width: int = 10
