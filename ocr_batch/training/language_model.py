"""Build the character language model from text.

Usage: ``python -m ocr_batch.training.language_model CORPUS... -o models/english/language.npz``.
Each sub-folder of a corpus is a genre; genres weigh alike up to a limit.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ocr_batch.errors import TrainingError
from ocr_batch.recognition.language import (
    DEPTH,
    FOLD_OF,
    FOLDED,
    STEP,
    SYMBOLS,
    LanguageModel,
    pack_contexts,
)
from ocr_batch.rendering.corpus import normalise
from ocr_batch.training.export import reseal

__all__ = ["bits_per_character", "build_language_model", "encode", "read_genres"]

_SYMBOL = {symbol: number for number, symbol in enumerate(SYMBOLS)}
_BITS = 7
# Share of the text that is counted once more in capitals.
_CAPITALS = 0.05
_UNIFORM = 0.02


def encode(text: str) -> NDArray[np.uint8]:
    """Turn text into folded symbols; white space is folded to one space.

    Parameters
    ----------
    text : str

    Returns
    -------
    ndarray of uint8, shape (N,)
    """
    table = np.full(0x2200, 255, np.uint8)
    for symbol, number in _SYMBOL.items():
        table[ord(symbol)] = FOLD_OF[number]
    points = np.frombuffer(" ".join(normalise(text).split()).encode("utf-32-le"), np.uint32)
    known = table[np.minimum(points, len(table) - 1)]
    return np.asarray(known[known != 255], np.uint8)


def read_genres(folders: Iterable[Path], limit: int = 5_000_000) -> list[str]:
    """Read at most `limit` characters of each genre (sub-folder), spread over its files.

    Parameters
    ----------
    folders : iterable of Path
    limit : int

    Returns
    -------
    list of str
        One text a genre.

    Raises
    ------
    TrainingError
        If there is no text.
    """
    texts = []
    for folder in folders:
        groups: dict[Path, list[Path]] = {}
        for path in sorted(folder.rglob("*.txt")):
            groups.setdefault(path.parent, []).append(path)
        for paths in groups.values():
            share = limit // len(paths)
            # What was made from templates is not prose.
            parts = [
                path.read_text("utf-8")[: share // 8 if "synthetic" in path.name else share]
                for path in paths
            ]
            texts.append("\n".join(parts))
    if not any(texts):
        raise TrainingError("No text to build a language model from. Give folders of .txt files.")
    return texts


def build_language_model(texts: Iterable[str], states: int = 50_000) -> LanguageModel:
    """Count n-grams and smooth them.

    Parameters
    ----------
    texts : iterable of str
    states : int
        About how many contexts to keep: the most frequent ones.

    Returns
    -------
    LanguageModel

    References
    ----------
    I. Witten, T. Bell, "The zero-frequency problem", 1991 (interpolated).
    """
    parts = []
    for text in texts:
        symbols = encode(text)
        capitals = encode(text[: int(len(text) * _CAPITALS)].upper())
        parts += [symbols, capitals]
    stream = np.concatenate(parts).astype(np.int64)
    size = len(FOLDED)
    # Codes of every context of each length together with the symbol after it.
    counted = []
    for depth in range(DEPTH + 1):
        code = np.zeros(len(stream) - depth, np.int64)
        for back in range(depth, -1, -1):
            code = (code << _BITS) | stream[depth - back : len(stream) - back]
        counted.append(np.unique(code, return_counts=True))
    least = _threshold(counted, states)
    contexts = [np.full((1, DEPTH), 255, np.uint8)]
    unigram = np.zeros(size)
    unigram[counted[0][0]] = counted[0][1]
    rows = [((1 - _UNIFORM) * unigram / unigram.sum() + _UNIFORM / size)[None, :]]
    number_of = {0: (np.zeros(1, np.int64), np.zeros(1, np.int64))}
    for depth in range(1, DEPTH + 1):
        code, count = counted[depth]
        context = code >> _BITS
        names, start = np.unique(context, return_index=True)
        total = np.add.reduceat(count, start)
        kept = total >= least
        names, total = names[kept], total[kept].astype(np.float64)
        if not len(names):
            break
        row = np.searchsorted(names, context)
        member = (row < len(names)) & (names[np.minimum(row, len(names) - 1)] == context)
        table = np.zeros((len(names), size))
        table[row[member], code[member] & ((1 << _BITS) - 1)] = count[member]
        kinds = (table > 0).sum(axis=1).astype(np.float64)
        shorter = names & ((1 << (_BITS * (depth - 1))) - 1)
        known, place = number_of[depth - 1]
        parent = rows[depth - 1][place[np.searchsorted(known, shorter)]]
        rows.append((table + kinds[:, None] * parent) / (total + kinds)[:, None])
        number_of[depth] = (names, np.arange(len(names)))
        spelled = np.full((len(names), DEPTH), 255, np.uint8)
        for back in range(depth):
            spelled[:, DEPTH - 1 - back] = (names >> (_BITS * back)) & ((1 << _BITS) - 1)
        contexts.append(spelled)
    probability = np.concatenate(rows)
    costs = np.clip(np.round(-np.log(probability) / STEP), 0, 255).astype(np.uint8)
    return LanguageModel(np.concatenate(contexts), costs)


def _threshold(counted: list[tuple[NDArray[np.int64], NDArray[np.int64]]], states: int) -> int:
    """Return the count from which contexts are kept, so that about `states` are."""
    totals = []
    for code, count in counted[1:]:
        _, start = np.unique(code >> _BITS, return_index=True)
        totals.append(np.add.reduceat(count, start))
    every = np.sort(np.concatenate(totals))[::-1]
    return max(2, int(every[min(states, len(every)) - 1]))


def bits_per_character(model: LanguageModel, text: str) -> float:
    """Measure the model on text, digits and variants of marks folded.

    Parameters
    ----------
    model : LanguageModel
    text : str

    Returns
    -------
    float
    """
    stream = encode(text)
    # The state before each symbol is its longest known context.
    code = pack_contexts(model.contexts)
    order = np.argsort(code)
    padded = np.concatenate([np.zeros(DEPTH, np.uint8), stream])
    windows = np.lib.stride_tricks.sliding_window_view(padded, DEPTH)[: len(stream)]
    state = np.zeros(len(stream), np.int64)
    for depth in range(1, DEPTH + 1):
        wanted = windows.copy()
        wanted[:, : DEPTH - depth] = 255
        packed = pack_contexts(wanted)
        place = np.minimum(np.searchsorted(code[order], packed), len(code) - 1)
        found = code[order][place] == packed
        state = np.where(found, order[place], state)
    return float(model.costs[state, stream].mean() * STEP / np.log(2))


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path, nargs="+")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--states", type=int, default=50_000)
    parser.add_argument("--measure", type=Path, nargs="*", default=[])
    options = parser.parse_args()
    model = build_language_model(read_genres(options.corpus), options.states)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    model.save(options.out)
    reseal(options.out.parent)
    sys.stdout.write(f"{len(model.contexts)} states, {options.out.stat().st_size} bytes\n")
    for folder in options.measure:
        text = "\n".join(path.read_text("utf-8") for path in sorted(folder.rglob("*.txt")))
        sys.stdout.write(f"{folder}: {bits_per_character(model, text):.3f} bits a character\n")


if __name__ == "__main__":
    main()
