"""Harvest labelled crops from real pages whose text is known.

A page is read, its reading is aligned with its truth, and where long stretches agree the
characters' crops are labelled: those read right, those read wrong between neighbours read right,
and the wrong cuts and joins of both as garbage.

Usage: ``python -m ocr_batch.training.harvest PAGES TRUTH -o SHARDS --model BUNDLE``.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein
from tqdm import tqdm

from ocr_batch.batch.pipeline import Models, ReadTrace, load_models, trace_sheet
from ocr_batch.datasets.crops import ShardWriter
from ocr_batch.errors import ImageError, TrainingError
from ocr_batch.evaluation.metrics import normalise
from ocr_batch.imaging.load import load_page
from ocr_batch.recognition.charset import CLASSES, GARBAGE, N_CHARACTERS

__all__ = ["Harvest", "align", "harvest_page", "harvest_pages"]

_LEFT, _RIGHT, _TWO, _NOISE = (N_CHARACTERS + number for number in range(len(GARBAGE)))
_CLASS = {text: number for number, text in enumerate(CLASSES)}
# A character counts only inside a stretch of this many that agree, single errors allowed between.
_STRETCH = 14
_CONTEXT = 3
# Characters read right and surely teach little: this share of them is kept.
_SURE, _SURE_SHARE = 0.98, 0.35
_GARBAGE_SHARE = 0.5


@dataclass(frozen=True)
class Harvest:
    """Labelled crops of one page.

    Attributes
    ----------
    images : ndarray of uint8, shape (E, 56, 56, 2)
    geometry : ndarray of float32, shape (E, 8)
    label : ndarray of int64, shape (E,)
        Index into `CLASSES`.
    """

    images: NDArray[np.uint8]
    geometry: NDArray[np.float32]
    label: NDArray[np.int64]


def _fold(text: str) -> str:
    """Fold one character as the referee does, keeping its length."""
    folded = normalise(text)
    return folded if len(folded) == 1 else text


def align(output: str, truth: str) -> list[tuple[int, str]]:
    """Find the output characters whose truth is certain.

    Parameters
    ----------
    output : str
        As read; characters already folded one to one.
    truth : str
        Folded likewise.

    Returns
    -------
    list of (int, str)
        Position in `output` and true character.
    """
    same = np.zeros(len(output), np.bool_)
    true: list[str] = [""] * len(output)
    for op in Levenshtein.opcodes(output, truth):
        if op.tag == "equal":
            same[op.src_start : op.src_end] = True
            true[op.src_start : op.src_end] = truth[op.dest_start : op.dest_end]
        elif op.tag == "replace" and op.src_end - op.src_start == op.dest_end - op.dest_start == 1:
            true[op.src_start] = truth[op.dest_start]
    known = np.array([bool(text) for text in true], np.bool_)
    if not len(known):
        return []
    # Stretches of known characters in which errors stand alone between right ones.
    near = np.convolve(same, np.ones(2 * _CONTEXT + 1), mode="same")
    good = known & (same | (near >= 2 * _CONTEXT))
    edges = np.flatnonzero(np.diff(np.r_[0, good.astype(np.int8), 0]))
    certain: list[tuple[int, str]] = []
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        if stop - start >= _STRETCH:
            certain += [(place, true[place]) for place in range(int(start), int(stop))]
    return certain


def _output(trace: ReadTrace) -> tuple[str, NDArray[np.int64]]:
    """Spell a reading; for each character the index of its reading, -1 for a space."""
    letters: list[str] = []
    index: list[int] = []
    reading = trace.reading
    for number in range(len(reading.edge)):
        new_line = number > 0 and reading.line[number] != reading.line[number - 1]
        if number and (reading.space[number] or new_line):
            letters.append(" ")
            index.append(-1)
        text = CLASSES[reading.label[number]]
        letters += [_fold(letter) for letter in text]
        index += [number] * len(text)
    return "".join(letters), np.array(index, np.int64)


def harvest_page(trace: ReadTrace, truth: str, rng: np.random.Generator) -> Harvest:
    """Label the crops of one page that was read.

    Parameters
    ----------
    trace : ReadTrace
        The page with its lattice.
    truth : str
    rng : numpy.random.Generator
        Draws which of the easy crops are kept.

    Returns
    -------
    Harvest
    """
    output, index = _output(trace)
    folded = normalise(truth)
    certain: dict[int, str] = {}
    for place, text in align(output, folded):
        number = int(index[place])
        if number >= 0 and len(CLASSES[trace.reading.label[number]]) == 1:
            certain[number] = text
        elif number >= 0 and text == output[place]:
            # A ligature counts when all its letters were confirmed; the last one decides.
            certain[number] = CLASSES[trace.reading.label[number]]
    numbers = np.array(sorted(certain), np.int64)
    if not len(numbers):
        none = np.zeros(0, np.int64)
        return Harvest(np.zeros((0, 56, 56, 2), np.uint8), np.zeros((0, 8), np.float32), none)
    edge = trace.reading.edge[numbers]
    read = trace.reading.label[numbers]
    label = np.array(
        [
            own
            if _fold(CLASSES[own]) == certain[int(n)] or len(CLASSES[own]) > 1
            else _CLASS.get(certain[int(n)], -1)
            for n, own in zip(numbers, read, strict=True)
        ],
        np.int64,
    )
    likely = np.exp(trace.scored.log_probabilities[edge, read])
    easy = (label == read) & (likely > _SURE)
    keep = (label >= 0) & (~easy | (rng.random(len(label)) < _SURE_SHARE))
    garbage, kind = _garbage(trace, edge, rng)
    chosen = np.concatenate([edge[keep], garbage])
    images, geometry = trace.page.crops(trace.scored.edges.take(chosen))
    return Harvest(images, geometry, np.concatenate([label[keep], kind]))


def _garbage(
    trace: ReadTrace, edge: NDArray[np.int64], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return edges that are surely no character, and their classes."""
    edges = trace.scored.edges
    owner = np.full(len(trace.page.pieces) + 1, -1, np.int64)
    for number, (start, stop) in enumerate(zip(edges.start[edge], edges.stop[edge], strict=True)):
        owner[start:stop] = number
    first, last = owner[edges.start], owner[edges.stop - 1]
    chosen = np.zeros(len(edges), np.bool_)
    chosen[edge] = True
    inside = (first >= 0) & (first == last) & ~chosen
    across = (first >= 0) & (last >= 0) & (first != last) & ~chosen
    middle = (edges.box[:, 0] + edges.box[:, 2]) / 2
    whole = (edges.box[edge, 0] + edges.box[edge, 2]) / 2
    side = np.where(middle < whole[np.maximum(first, 0)], _LEFT, _RIGHT)
    # A join counts as two only if it holds both whole.
    start, stop = edges.start[edge], edges.stop[edge]
    across &= edges.start == start[np.maximum(first, 0)]
    across &= edges.stop == stop[np.maximum(last, 0)]
    wanted = np.flatnonzero((inside | across) & (rng.random(len(edges)) < _GARBAGE_SHARE))
    return wanted, np.where(inside[wanted], side[wanted], _TWO)


def _work(pages: Sequence[tuple[Path, Path]], out: Path, model: str, group: int, part: int) -> int:
    import cv2

    cv2.setNumThreads(1)
    models = load_models(model)
    with ShardWriter(out, prefix=f"harvest{part:04d}") as writer:
        for number, (image, truth) in enumerate(pages):
            try:
                found = _harvest_file(image, truth, models, np.random.default_rng([part, number]))
            except ImageError:
                continue
            writer.add(found.images, found.geometry, found.label, group)
    return len(pages)


def _harvest_file(image: Path, truth: Path, models: Models, rng: np.random.Generator) -> Harvest:
    trace = trace_sheet(load_page(image), models)
    return harvest_page(trace, truth.read_text("utf-8", errors="replace"), rng)


def harvest_pages(
    pairs: Iterable[tuple[Path, Path]], out: Path, model: str, *, group: int = 9999, jobs: int = 0
) -> None:
    """Harvest many pages in parallel into shards.

    Parameters
    ----------
    pairs : iterable of (Path, Path)
        Image and text file of each page.
    out : Path
        Folder of the shards.
    model : str
        Bundle to read with.
    group : int
        Group that the crops are marked with.
    jobs : int
        Processes; 0: one a core.

    Raises
    ------
    TrainingError
        If there is no page.
    """
    found = list(pairs)
    if not found:
        raise TrainingError("No pages to harvest: no image has a truth of the same name.")
    os.environ["OMP_NUM_THREADS"] = "1"
    parts = [found[first : first + 10] for first in range(0, len(found), 10)]
    with (
        ProcessPoolExecutor(jobs or os.cpu_count(), mp_context=get_context("spawn")) as pool,
        tqdm(total=len(found), unit="page") as bar,
    ):
        waiting = [
            pool.submit(_work, part, out, model, group, number) for number, part in enumerate(parts)
        ]
        for done in waiting:
            bar.update(done.result())


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", type=Path)
    parser.add_argument("truth", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--model", default="english")
    parser.add_argument("--jobs", type=int, default=0)
    parser.add_argument("--leave-out", default="", help="skip names that contain one of a,b,c")
    options = parser.parse_args()
    skipped = [text for text in options.leave_out.split(",") if text]
    pairs = [
        (image, options.truth / f"{image.stem}.txt")
        for image in sorted(options.pages.iterdir())
        if (options.truth / f"{image.stem}.txt").exists()
        and not any(text in image.name for text in skipped)
    ]
    harvest_pages(pairs, options.out, options.model, jobs=options.jobs)


if __name__ == "__main__":
    main()
