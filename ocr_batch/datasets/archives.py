"""Read images and labels from NumPy's ``.npz`` archives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from ocr_batch.datasets.opening import open_npz
from ocr_batch.datasets.stored import Stored
from ocr_batch.errors import TrainingError

__all__ = ["load_archive", "load_archive_images"]

#: Names of images and labels that are known, in lower case.
_PAIRS = (
    ("x", "y"),
    ("images", "labels"),
    ("images", "label"),
    ("image", "label"),
    ("x_train", "y_train"),
)


def _array(archive: NpzFile, name: str, path: Path) -> NDArray[Any]:
    try:
        return np.atleast_1d(archive[name])
    except ValueError as error:
        if "pickle" not in str(error):
            raise
        raise TrainingError(
            f"{path}: {name} is an array of objects, which are not read because they could run "
            "code; save it as numbers, or as strings with np.array(list, dtype=str)"
        ) from None


def _held(archive: NpzFile) -> str:
    return ", ".join(sorted(archive.files)[:20]) or "nothing"


def load_archive(path: Path) -> Stored:
    """Read ``X`` and ``y`` (or images and labels, image and label, x_train and y_train).

    Raises
    ------
    TrainingError
        If the archive is damaged, has other arrays, or arrays of objects.
    """
    with open_npz(path) as archive:
        known = {name.lower(): name for name in archive.files}
        for images, label in _PAIRS:
            if images in known and label in known:
                pair = known[images], known[label]
                break
        else:
            raise TrainingError(
                f"{path} holds {_held(archive)}; save it with the arrays X and y (or images and "
                "labels)"
            )
        others = sorted(set(archive.files) - set(pair))
        notes = [f"{path.name}: {pair[0]} and {pair[1]} read"]
        if others:
            notes.append(f"{path.name}: left out: {', '.join(others[:20])}")
        values = [_array(archive, name, path) for name in pair]
    return Stored(values[0], values[1], tuple(notes))


def load_archive_images(path: Path) -> NDArray[Any]:
    """Read ``X`` (or images, image, x_train), or the only array, as it is stored.

    Raises
    ------
    TrainingError
        If the archive is damaged, or no array or one of objects holds the images.
    """
    with open_npz(path) as archive:
        known = {name.lower(): name for name in archive.files}
        found = next((known[name] for name, _ in _PAIRS if name in known), None)
        if found is None and len(archive.files) == 1:
            found = archive.files[0]
        if found is None:
            raise TrainingError(
                f"{path} holds {_held(archive)}; save the images as the array X (or images)"
            )
        return _array(archive, found, path)
