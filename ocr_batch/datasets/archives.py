"""Read images and labels from NumPy's ``.npz`` archives."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from ocr_batch.datasets.stored import Stored
from ocr_batch.errors import TrainingError

__all__ = ["archive_names", "load_archive"]

#: Names of images and labels that are known, in lower case.
_PAIRS = (
    ("x", "y"),
    ("images", "labels"),
    ("images", "label"),
    ("image", "label"),
    ("x_train", "y_train"),
)


def archive_names(path: Path) -> frozenset[str]:
    """Return the names of the arrays of an archive; none when it is not one."""
    try:
        with zipfile.ZipFile(path) as archive:
            return frozenset(name.removesuffix(".npy") for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return frozenset()


def _array(archive: NpzFile, name: str, path: Path) -> NDArray[Any]:
    try:
        return np.asarray(archive[name])
    except ValueError as error:
        if "pickle" not in str(error):
            raise
        raise TrainingError(
            f"{path}: {name} is an array of objects, which are not read because they could run "
            "code; save it as numbers, or as strings with np.array(list, dtype=str)"
        ) from None


def load_archive(path: Path) -> Stored:
    """Read ``X`` and ``y`` (or images and labels, image and label, x_train and y_train).

    Raises
    ------
    TrainingError
        If the archive is damaged, has other arrays, or arrays of objects.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            known = {name.lower(): name for name in archive.files}
            for images, label in _PAIRS:
                if images in known and label in known:
                    pair = known[images], known[label]
                    break
            else:
                held = ", ".join(sorted(archive.files)[:20]) or "nothing"
                raise TrainingError(
                    f"{path} holds {held}; save it with the arrays X and y (or images and labels)"
                )
            others = sorted(set(archive.files) - set(pair))
            notes = [f"{path.name}: {pair[0]} and {pair[1]} read"]
            if others:
                notes.append(f"{path.name}: left out: {', '.join(others[:20])}")
            values = [_array(archive, name, path) for name in pair]
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise TrainingError(
            f"{path} is damaged, cut short or no .npz archive ({error}); save or copy it again"
        ) from error
    return Stored(values[0], values[1], tuple(notes))
