"""Make training shards: render pages, degrade them, segment them, label the candidates.

Usage: ``python -m ocr_batch.training.generate CORPUS -o SHARDS --pages 700``.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ocr_batch.datasets.crops import ShardWriter
from ocr_batch.recognition.charset import CLASSES, N_CHARACTERS
from ocr_batch.rendering.corpus import Corpus
from ocr_batch.rendering.degradation import degrade, sample_degradation
from ocr_batch.rendering.fonts import Face, find_faces, split_families
from ocr_batch.rendering.page import render_page
from ocr_batch.training.labelling import LabelledPage, label_page

__all__ = ["Plan", "generate"]

# A class seen this often on a page is thinned out above it.
_PLENTY = 40
# Garbage kept for each character kept.
_GARBAGE = 0.65


@dataclass(frozen=True)
class Plan:
    """What to generate.

    Attributes
    ----------
    corpus : Path
        Folder of text files.
    out : Path
        Gets the folders ``train`` and ``validation``.
    pages, validation_pages : int
    seed : int
        Page k of a set depends on the seed and k only.
    """

    corpus: Path
    out: Path
    pages: int = 700
    validation_pages: int = 40
    seed: int = 1


def _choose(label: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Choose candidates of one page: frequent letters thinned, garbage in proportion."""
    count = np.bincount(label, minlength=len(CLASSES))
    share = np.minimum(1.0, (_PLENTY / np.maximum(count, 1)) ** 0.5)
    garbage = count[N_CHARACTERS:].sum()
    kept = float((share[:N_CHARACTERS] * count[:N_CHARACTERS]).sum())
    share[N_CHARACTERS:] = min(1.0, _GARBAGE * kept / max(1, garbage))
    return np.asarray(rng.random(len(label)) < share[label], np.bool_)


def make_page(
    faces: Sequence[Face], corpus: Corpus, rng: np.random.Generator
) -> tuple[LabelledPage, NDArray[np.bool_]]:
    """Render, degrade, segment and label one page, and choose the candidates to keep."""
    page = render_page(rng, faces, corpus)
    page = degrade(page, sample_degradation(rng), rng)
    labelled = label_page(page)
    return labelled, _choose(labelled.label, rng)


def _work(plan: Plan, name: str, numbers: Sequence[int], part: int) -> int:
    import cv2

    cv2.setNumThreads(1)
    corpus = Corpus(plan.corpus)
    train, validation = split_families(find_faces(), plan.seed)
    faces = train if name == "train" else validation
    family = {text: number for number, text in enumerate(sorted({f.family for f in faces}))}
    of_face = np.array([family[face.family] for face in faces] + [-1])
    gaps, spaces = [], []
    folder = plan.out / name
    with ShardWriter(folder, prefix=f"part{part:04d}") as writer:
        for number in numbers:
            rng = np.random.default_rng([plan.seed, name == "train", number])
            labelled, keep = make_page(faces, corpus, rng)
            writer.add(
                labelled.images[keep],
                labelled.geometry[keep],
                labelled.label[keep],
                of_face[labelled.face[keep]],
            )
            gaps.append(labelled.gaps)
            spaces.append(labelled.spaces)
    target = plan.out / f"gaps-{name}"
    target.mkdir(parents=True, exist_ok=True)
    np.savez(target / f"part{part:04d}.npz", x=np.concatenate(gaps), y=np.concatenate(spaces))
    return len(numbers)


def generate(plan: Plan, jobs: int | None = None) -> None:
    """Generate shards in parallel; parts that exist already are not made again.

    Parameters
    ----------
    plan : Plan
        What to make, and where.
    jobs : int, optional
        Processes; default: one a core.
    """
    tasks = []
    for name, pages in (("validation", plan.validation_pages), ("train", plan.pages)):
        for part, first in enumerate(range(0, pages, 10)):
            if not (plan.out / f"gaps-{name}" / f"part{part:04d}.npz").exists():
                tasks.append((name, range(first, min(first + 10, pages)), part))
    os.environ["OMP_NUM_THREADS"] = "1"
    with (
        ProcessPoolExecutor(jobs or os.cpu_count(), mp_context=get_context("spawn")) as pool,
        tqdm(total=sum(len(task[1]) for task in tasks), unit="page") as bar,
    ):
        for done in [pool.submit(_work, plan, *task) for task in tasks]:
            bar.update(done.result())


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--pages", type=int, default=Plan.pages)
    parser.add_argument("--validation-pages", type=int, default=Plan.validation_pages)
    parser.add_argument("--seed", type=int, default=Plan.seed)
    parser.add_argument("--jobs", type=int)
    options = parser.parse_args()
    plan = Plan(options.corpus, options.out, options.pages, options.validation_pages, options.seed)
    generate(plan, options.jobs)


if __name__ == "__main__":
    main()
