"""Read a folder that holds a folder of image files for each class."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ocr_batch.datasets.scans import SUFFIXES, load_images
from ocr_batch.datasets.stored import Stored
from ocr_batch.errors import TrainingError

__all__ = ["load_folder"]


def load_folder(folder: Path) -> Stored:
    """Read images from folders named after their classes.

    Hidden files, and files without the suffix of an image, are passed over. A class's folder may
    have folders of its own.

    Raises
    ------
    TrainingError
        If there are no such folders, no images in them, or an image can not be read.
    """
    try:
        classes = sorted(
            path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")
        )
        found = [
            (path, inner.name)
            for inner in classes
            for path in sorted(inner.rglob("*"))
            if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
        ]
    except OSError as error:
        raise TrainingError(f"{folder} can not be read ({error.strerror or error})") from error
    if not found:
        raise TrainingError(
            f"{folder} holds no folders of images named after their classes (such as A/0001.png), "
            "nor idx files; arrange it so, or give a file"
        )
    empty = [inner.name for inner in classes if inner.name not in {name for _, name in found}]
    notes = [f"{folder.name}: classes by the names of {len(classes):,} folders"]
    if empty:
        notes.append(f"warning: {folder.name}: no images in the folders {', '.join(empty)}")
    images = load_images([path for path, _ in found], str(folder))
    return Stored(images, np.array([name for _, name in found]), tuple(notes), scans=True)
