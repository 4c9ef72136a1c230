"""Predict the next character: a character n-gram as a finite automaton.

A state is a context of up to five characters that was frequent in the training text. Digits share
one context symbol and one probability, so that the model has no opinion on numbers; so do straight
and typographic quotes, and dashes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from ocr_batch.errors import BundleError
from ocr_batch.recognition.charset import CHARACTERS

__all__ = ["DEPTH", "FOLDED", "FOLD_OF", "STEP", "SYMBOLS", "LanguageModel"]

#: Symbols of the model: the space, then the characters of the page reader.
SYMBOLS: tuple[str, ...] = (" ", *CHARACTERS)
#: Longest context, in characters.
DEPTH = 5
#: A stored unit of minus log-probability, in nats.
STEP = 1 / 16

_ALIKE = {
    **dict.fromkeys("0123456789", "0"),
    **dict.fromkeys("“”", '"'),
    **dict.fromkeys("‘’", "'"),
    "–": "—",
}
#: Symbols after folding, in order.
FOLDED: tuple[str, ...] = tuple(s for s in SYMBOLS if _ALIKE.get(s, s) == s)
#: Folded symbol of each symbol.
FOLD_OF: NDArray[np.int64] = np.array([FOLDED.index(_ALIKE.get(s, s)) for s in SYMBOLS])
# Ten digits share their class's probability; the other foldings are variants of one mark.
_SHARE = np.array([10.0 if _ALIKE.get(s, s) == "0" else 1.0 for s in SYMBOLS])
_LOG_SHARE = np.log(_SHARE).astype(np.float32)
# Fills the unused front of a short context.
_NONE = 255


@dataclass(frozen=True)
class LanguageModel:
    """A character n-gram.

    Attributes
    ----------
    contexts : ndarray of uint8, shape (S, 5)
        Folded symbols of each state's context, the latest last, 255 in front. State 0 is the empty
        context, states are ordered by length, and with a context all its prefixes and suffixes
        are states.
    costs : ndarray of uint8, shape (S, F)
        Minus log-probability of each folded symbol, in units of `STEP`.
    """

    contexts: NDArray[np.uint8]
    costs: NDArray[np.uint8]

    @cached_property
    def _following_folded(self) -> NDArray[np.uint16] | NDArray[np.int32]:
        """State after each folded symbol in each state, shape (S, F)."""
        return _transitions(self.contexts)

    @cached_property
    def start(self) -> int:
        """State at the start of a line: as after a space."""
        return int(self._following_folded[0, FOLD_OF[0]])

    def step(
        self, states: NDArray[np.int32], symbols: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Read one symbol in each of many states.

        Parameters
        ----------
        states : ndarray of int32, shape (N,)
        symbols : ndarray of int64, shape (N,)
            Indices into `SYMBOLS`.

        Returns
        -------
        log_probability : ndarray of float32, shape (N,)
        next_states : ndarray of int32, shape (N,)
        """
        # The folded tables are a part of the others' size, and one index is quicker than two.
        index = states.astype(np.int64) * len(FOLDED) + FOLD_OF[symbols]
        cost = self.costs.ravel()[index] * np.float32(-STEP) - _LOG_SHARE[symbols]
        return cost, self._following_folded.ravel()[index].astype(np.int32)

    def save(self, path: Path) -> None:
        """Write the model to a compressed .npz file."""
        with path.open("wb") as file:
            np.savez_compressed(file, contexts=self.contexts, costs=self.costs)

    @classmethod
    def load(cls, path: Path) -> LanguageModel:
        """Read a model.

        Raises
        ------
        BundleError
            If the file is missing, damaged or made for other symbols.
        """
        try:
            with np.load(path, allow_pickle=False) as data:
                model = cls(data["contexts"], data["costs"])
        except (OSError, EOFError, KeyError, ValueError, BadZipFile) as error:
            raise BundleError(
                f"The language model {path} can not be read ({error}). Install the bundle again."
            ) from error
        if model.costs.shape != (len(model.contexts), len(FOLDED)):
            raise BundleError(
                f"The language model {path} was made for other characters. Train the bundle again "
                "with this version."
            )
        return model


def pack_contexts(contexts: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Pack contexts (S, 5) into one integer each; equal contexts, equal integers."""
    code = np.zeros(len(contexts), np.int64)
    for column in range(contexts.shape[1]):
        code = (code << 8) | contexts[:, column]
    return code


def _transitions(contexts: NDArray[np.uint8]) -> NDArray[np.uint16] | NDArray[np.int32]:
    """Build the transition table.

    After context h and symbol c comes the longest known suffix of hc. That is hc itself where it
    is a state, else where the suffix of h leads: rows are copied from shorter to longer contexts.
    """
    count = len(contexts)
    length = (contexts != _NONE).sum(axis=1)
    code = pack_contexts(contexts)
    order = np.argsort(code)
    ordered = code[order]

    def find(wanted: NDArray[np.uint8]) -> NDArray[np.int64]:
        return np.asarray(order[np.searchsorted(ordered, pack_contexts(wanted))], np.int64)

    def without_last(chosen: NDArray[np.uint8]) -> NDArray[np.uint8]:
        shifted = np.full_like(chosen, _NONE)
        shifted[:, 1:] = chosen[:, :-1]
        return shifted

    # Read at random for every hypothesis: what is half the size stays in the cache.
    small = count <= np.iinfo(np.uint16).max
    table = np.zeros((count, len(FOLDED)), np.uint16 if small else np.int32)
    for depth in range(DEPTH + 1):
        own = np.flatnonzero(length == depth)
        if depth:
            suffix = contexts[own].copy()
            suffix[np.arange(len(own)), DEPTH - depth] = _NONE
            table[own] = table[find(suffix)]
        longer = np.flatnonzero(length == depth + 1)
        if len(longer):
            prefix = find(without_last(contexts[longer]))
            table[prefix, contexts[longer, -1]] = longer
    return table
