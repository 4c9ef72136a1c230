"""Open labelled isolated characters, whatever they are stored in."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ocr_batch.datasets.archives import archive_names, load_archive
from ocr_batch.datasets.folders import load_folder
from ocr_batch.datasets.glyphs import Glyphs, join_glyphs
from ocr_batch.datasets.idx import find_test, find_training, is_idx, load_idx
from ocr_batch.datasets.linecrops import load_line_crops
from ocr_batch.datasets.opening import first_bytes
from ocr_batch.datasets.pickles import load_pickle
from ocr_batch.datasets.stored import Stored, recognise
from ocr_batch.datasets.tables import load_table
from ocr_batch.errors import TrainingError, UsageError

__all__ = ["is_crops", "official_test", "parse_classes", "read_glyphs"]

Source = str | os.PathLike[str]

#: The arrays by which crops of lines are told from isolated characters.
_CROPS = frozenset({"packed", "geometry"})
_ZIP = b"PK"
_PICKLE_SUFFIXES = frozenset({".pkl", ".pickle", ".p", ".pck"})
_PROTOCOLS = range(2, 6)
_NAMED = 40


def is_crops(path: Source) -> bool:
    """Tell crops cut from lines, for a page reader, from isolated characters.

    They are an ``.npz`` (or a folder of them, or one with ``train`` and ``validation``) with the
    arrays ``packed`` and ``geometry``.
    """
    path = Path(path)
    if path.is_dir():
        if (path / "train").is_dir() and (path / "validation").is_dir():
            return is_crops(path / "train")
        first = next(iter(sorted(path.glob("*.npz"))), None)
        return first is not None and is_crops(first)
    return _CROPS.issubset(archive_names(path))


def _suffix(path: Path) -> str:
    name = path.name.lower()
    return Path(name.removesuffix(".gz")).suffix


def _load(path: Path, classes: Sequence[str] | None, fold_case: bool) -> Stored:
    if not path.exists():
        raise TrainingError(f"there is no {path}; check the path of the data")
    if is_crops(path):
        names = classes
        if names is not None and fold_case:
            names = [*names, *(name.lower() for name in names)]
        return load_line_crops(path, names)
    if path.is_dir():
        training = find_training(path)
        return load_folder(path) if training is None else load_idx(training)
    start = first_bytes(path)
    if not start:
        raise TrainingError(f"{path} is empty; copy it again")
    if start.startswith(_ZIP) or _suffix(path) == ".npz":
        return load_archive(path)
    if is_idx(start):
        return load_idx(path)
    is_binary = start[0] == 0x80 and len(start) > 1 and start[1] in _PROTOCOLS
    if is_binary or _suffix(path) in _PICKLE_SUFFIXES:
        return load_pickle(path)
    if _suffix(path) == ".csv":
        return load_table(path)
    raise TrainingError(
        f"{path} is data of an unknown kind; a pickle (X, y), .npz with X and y, idx files, a "
        "folder a class, and a CSV of image,label are known"
    )


def read_glyphs(
    sources: Sequence[Source], classes: Sequence[str] | None = None, *, fold_case: bool = False
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
        Take small letters for capitals.

    Returns
    -------
    Glyphs

    Raises
    ------
    TrainingError
        If a source can not be read or used, sources do not go together, or all images are of one
        class.
    """
    parts = []
    for source in sources:
        path = Path(source)
        stored = _load(path, classes, fold_case)
        if fold_case and stored.label.dtype.kind == "U":
            stored = replace(stored, label=np.char.upper(stored.label))
        parts.append(recognise(stored, path.name or str(path), classes))
        del stored
    joined = join_glyphs(parts, classes)
    counts = np.bincount(joined.label, minlength=len(joined.classes))
    if np.count_nonzero(counts) < 2:
        raise TrainingError(
            f"all {len(joined):,} images are of one class, "
            f"{joined.classes[int(counts.argmax())]!r}; a classifier needs at least two"
        )
    notes = list(joined.notes)
    for number, what in ((0, "no sample"), (1, "a single sample")):
        names = [repr(joined.classes[index]) for index in np.flatnonzero(counts == number)]
        if names:
            more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
            kinds = "class" if len(names) == 1 else "classes"
            notes.append(f"warning: {what} of the {kinds} {', '.join(names[:_NAMED])}{more}")
    return replace(joined, notes=tuple(notes))


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
