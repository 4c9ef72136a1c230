"""Open labelled isolated characters, whatever they are stored in."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ocr_batch.datasets.archives import load_archive
from ocr_batch.datasets.folders import load_folder
from ocr_batch.datasets.glyphs import Glyphs, fold_names, join_glyphs, thin_classes
from ocr_batch.datasets.idx import find_test, find_training, load_idx
from ocr_batch.datasets.kinds import Kind, is_crops, kind_of
from ocr_batch.datasets.linecrops import load_line_crops
from ocr_batch.datasets.pickles import load_pickle
from ocr_batch.datasets.stored import Stored, recognise
from ocr_batch.datasets.tables import load_table
from ocr_batch.errors import TrainingError, UsageError

__all__ = ["is_crops", "official_test", "parse_classes", "read_glyphs"]

Source = str | os.PathLike[str]


def _load(path: Path, classes: Sequence[str] | None, fold_case: bool) -> Stored:
    kind = kind_of(path)
    if kind is Kind.CROPS:
        return load_line_crops(path, classes, fold_case=fold_case)
    if kind is Kind.FOLDER:
        training = find_training(path)
        return load_folder(path) if training is None else load_idx(training)
    if kind is Kind.IDX:
        return load_idx(path)
    if kind is Kind.PICKLE:
        return load_pickle(path)
    return load_table(path) if kind is Kind.TABLE else load_archive(path)


def read_glyphs(
    sources: Sequence[Source],
    classes: Sequence[str] | None = None,
    *,
    fold_case: bool = False,
    least_classes: int = 2,
) -> Glyphs:
    """Read isolated characters and their labels, and check them.

    Each source is a pickle ``(X, y)``, an ``.npz``, an idx file or a folder of them (then the
    training part), a folder a class, or a CSV of ``image,label``. It is recognised by content,
    and `notes` of the result say as what.

    Parameters
    ----------
    sources : sequence of paths
        Joined in order; their classes are matched by name.
    classes : sequence of str, optional
        Class names in order. Whole-number labels index them. Default: those of the data.
    fold_case : bool
        Take small letters for capitals. The classes of the result are capitals; `classes` may name
        small letters too, as it has to where numbers index them.
    least_classes : int
        Fewer classes with samples than this are refused; to train takes two.

    Returns
    -------
    Glyphs

    Raises
    ------
    TrainingError
        If a source can not be read or used, sources do not go together, or the images are of too
        few classes.
    """
    parts = []
    for source in sources:
        path = Path(source)
        stored = _load(path, classes, fold_case)
        parts.append(recognise(stored, path.name or str(path), classes, fold_case=fold_case))
        del stored
    if classes is not None and fold_case:
        classes = tuple(dict.fromkeys(fold_names(classes).values()))
    joined = join_glyphs(parts, classes)
    used = np.unique(joined.label)
    if len(used) < least_classes:
        raise TrainingError(
            f"all {len(joined):,} images are of one class, {joined.classes[int(used[0])]!r}; a "
            "classifier needs at least two"
        )
    warnings = thin_classes(joined.label, joined.classes)
    return replace(joined, notes=(*joined.notes, *warnings))


def official_test(source: Source) -> Path | None:
    """Return the test images that belong to a source of training images; None if it has none.

    MNIST's and EMNIST's idx files come with a test part of their own, which `read_glyphs` does not
    read unless it is given the path returned here.
    """
    path = Path(source)
    training = find_training(path) if path.is_dir() else path
    return find_test(training) if training is not None else None


def parse_classes(text: str) -> tuple[str, ...]:
    """Read class names from ``0-9A-Z``, from ``a,b,c``, or from a file with one a line.

    In a run of characters, ``x-y`` between two letters or two digits means all from x to y.

    Raises
    ------
    UsageError
        If there are fewer than two, one is empty, or one occurs twice.
    """
    path = Path(text)
    try:
        is_file = path.is_file()
        lines = path.read_text("utf-8-sig").splitlines() if is_file else []
    except (OSError, ValueError) as error:
        raise UsageError(f"the class names in {text!r} can not be read ({error})") from error
    if is_file:
        names = [line for line in lines if line]
    elif "," in text.strip(","):
        names = text.split(",")
    else:
        names = _spread(text)
    twice = sorted({name for name in names if names.count(name) > 1})
    if len(names) < 2 or "" in names or twice:
        why = f"{', '.join(twice)} occurs twice" if twice else "at least two names are needed"
        raise UsageError(
            f"the classes {text!r} can not be used: {why if '' not in names else 'one is empty'}; "
            "write them like 0-9A-Z or a,b,c, or give a file with one a line"
        )
    return tuple(names)


def _spread(text: str) -> list[str]:
    """Write out the ranges of a run of characters."""
    names: list[str] = []
    at = 0
    while at < len(text):
        first, last = text[at], text[at + 2 : at + 3]
        alike = (first.isdigit() and last.isdigit()) or (first.isalpha() and last.isalpha())
        if text[at + 1 : at + 2] == "-" and alike and first < last:
            names += [chr(code) for code in range(ord(first), ord(last) + 1)]
            at += 3
        else:
            names.append(first)
            at += 1
    return names
