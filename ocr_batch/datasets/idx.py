"""Read idx files, the form of MNIST (LeCun et al. 1998) and EMNIST (Cohen et al. 2017)."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocr_batch.datasets.opening import open_data
from ocr_batch.datasets.stored import Stored
from ocr_batch.errors import TrainingError

__all__ = ["find_test", "find_training", "is_idx", "load_idx", "load_idx_images"]

#: Third byte of the file to the type of its values, which are big-endian.
_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MOST_BYTES = 1 << 34
_TRANSPOSED = "emnist-"


def is_idx(start: bytes) -> bool:
    """Tell an idx file by its first four bytes."""
    return len(start) >= 4 and start[:2] == b"\0\0" and start[2] in _TYPES and 1 <= start[3] <= 4


def _read(path: Path) -> NDArray[Any]:
    """Read one idx file of any type and shape."""
    with open_data(path) as file:
        start = file.read(4)
        if not is_idx(start):
            raise TrainingError(f"{path} is not an idx file; give one, or .npz with X and y")
        sizes = file.read(4 * start[3])
        shape = tuple(int(size) for size in np.frombuffer(sizes[: len(sizes) // 4 * 4], ">u4"))
        dtype = np.dtype(_TYPES[start[2]])
        wanted = math.prod(shape) * dtype.itemsize
        if len(shape) != start[3] or wanted > _MOST_BYTES:
            raise TrainingError(f"{path} is damaged: its header makes no sense; download it again")
        content = file.read(wanted + 1)
    if len(content) != wanted:
        state = "cut short" if len(content) < wanted else "longer than its header says"
        raise TrainingError(
            f"{path} is {state}: shape {shape} takes {wanted:,} bytes; download it again"
        )
    return np.frombuffer(content, dtype).reshape(shape)


def _plain_name(path: Path) -> str:
    return path.name[:-3] if path.name.lower().endswith(".gz") else path.name


def _existing(folder: Path, name: str) -> Path | None:
    """Find a file by its name, compressed or not."""
    for candidate in (folder / name, folder / f"{name}.gz"):
        if candidate.is_file():
            return candidate
    return None


def _labels_beside(path: Path) -> Path:
    name = _plain_name(path)
    renamed = name.replace("images", "labels").replace("idx3", "idx1")
    found = _existing(path.parent, renamed) if renamed != name else None
    if found is None:
        beside = (
            f"expected as {renamed} beside it" if renamed != name else "no 'images' in its name"
        )
        raise TrainingError(
            f"the labels of {path} were not found ({beside}); put them there, or give the file of "
            "images"
        )
    return found


def _mapped(label: NDArray[Any], path: Path) -> NDArray[Any] | None:
    """Turn EMNIST's labels to characters by its mapping file, where that is beside the images."""
    kind = re.match(r"(emnist-[a-z]+)-", path.name, re.IGNORECASE)
    mapping = path.parent / f"{kind[1]}-mapping.txt" if kind else None
    if mapping is None or not mapping.is_file():
        return None
    try:
        rows = [line.split() for line in mapping.read_text("ascii").splitlines() if line.strip()]
        names = {int(row[0]): chr(int(row[1])) for row in rows}
        values, number = np.unique(label, return_inverse=True)
        return np.array([names[int(value)] for value in values])[number.reshape(-1)]
    except (OSError, ValueError, IndexError, KeyError, OverflowError) as error:
        raise TrainingError(
            f"{mapping} does not name the classes of {path.name} ({error}); download it again, or "
            "take it away and use --classes"
        ) from error


def _is_turned(path: Path, images: NDArray[Any]) -> bool:
    return path.name.lower().startswith(_TRANSPOSED) and images.ndim == 3


def load_idx_images(path: Path) -> NDArray[Any]:
    """Read an idx file of images, compressed or not; those of EMNIST are turned.

    Raises
    ------
    TrainingError
        If the file is missing, damaged, cut short, or holds labels.
    """
    images = _read(path)
    if images.ndim == 1:
        raise TrainingError(f"{path} holds labels only; give the file of images instead")
    return np.ascontiguousarray(images.swapaxes(1, 2)) if _is_turned(path, images) else images


def load_idx(path: Path) -> Stored:
    """Read an idx file of images and the labels beside it, both compressed or not.

    EMNIST, told by its name ``emnist-...``, is stored with rows and columns exchanged, and is
    turned; where its file ``...-mapping.txt`` is beside it, its labels become characters.

    Raises
    ------
    TrainingError
        If either file is missing, damaged or cut short.
    """
    images = load_idx_images(path)
    beside = _labels_beside(path)
    label = _read(beside)
    if label.ndim != 1:
        raise TrainingError(f"{beside} holds no labels but an array of {label.ndim} dimensions")
    notes = [f"{path.name}: labels from {beside.name}"]
    if _is_turned(path, images):
        notes.append(f"{path.name}: EMNIST, rows and columns exchanged back")
        named = _mapped(label, path)
        if named is not None:
            label = named
            notes.append(f"{path.name}: characters by its mapping file")
    return Stored(images, label, tuple(notes))


def _images_of(folder: Path, word: str) -> list[Path]:
    """Find the idx files of images of a part, each once, uncompressed before compressed."""
    pattern = re.compile(rf"(.*-)?{word}-images[-.]idx3-ubyte(\.gz)?", re.IGNORECASE)
    found = sorted(path for path in folder.iterdir() if pattern.fullmatch(path.name))
    return list({_plain_name(path): path for path in reversed(found)}.values())


def find_training(folder: Path) -> Path | None:
    """Find the training images in a folder with the usual names; None if there are none.

    Raises
    ------
    TrainingError
        If there are several (EMNIST's six sets in one folder).
    """
    found = _images_of(folder, "train")
    if len(found) > 1:
        names = ", ".join(sorted(path.name for path in found))
        raise TrainingError(f"{folder} holds several sets ({names}); give one of these files")
    return found[0] if found else None


def find_test(training: Path) -> Path | None:
    """Find the test images that belong to a file of training images; None if there are none."""
    name = _plain_name(training)
    for word in ("t10k", "test"):
        renamed = re.sub(r"\btrain(?=-images)", word, name)
        found = _existing(training.parent, renamed) if renamed != name else None
        if found is not None:
            return found
    return None
