"""Tell by its content what a source of labelled characters is stored in."""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path

from ocr_batch.datasets.idx import is_idx
from ocr_batch.datasets.opening import array_names, first_bytes
from ocr_batch.errors import TrainingError

__all__ = ["Kind", "is_crops", "kind_of"]

#: The arrays by which crops of lines are told from isolated characters.
_CROPS = frozenset({"packed", "geometry"})
_ZIP = b"PK"
_PICKLE_SUFFIXES = frozenset({".pkl", ".pickle", ".p", ".pck"})
_PROTOCOLS = range(2, 6)


class Kind(Enum):
    """What a source is stored in."""

    CROPS = "crops of lines"
    FOLDER = "folder"
    ARCHIVE = "npz archive"
    IDX = "idx file"
    PICKLE = "pickle"
    TABLE = "table"


def is_crops(path: str | os.PathLike[str]) -> bool:
    """Tell crops cut from lines, for a page reader, from isolated characters.

    They are an ``.npz`` (or a folder of them, or one with ``train`` and ``validation``) with the
    arrays ``packed`` and ``geometry``.
    """
    path = Path(path)
    if path.is_dir():
        if (path / "train").is_dir() and (path / "validation").is_dir():
            return is_crops(path / "train")
        # The first may be damaged, which whoever reads it will say.
        return any(is_crops(shard) for shard in sorted(path.glob("*.npz")))
    return _CROPS.issubset(array_names(path))


def _suffix(path: Path) -> str:
    name = path.name.lower()
    return Path(name.removesuffix(".gz")).suffix


def kind_of(path: Path) -> Kind:
    """Tell what a source is stored in; folders of idx files are folders.

    Raises
    ------
    TrainingError
        If there is no such path, it is empty, or none of these.
    """
    if not path.exists():
        raise TrainingError(f"there is no {path}; check the path of the data")
    if is_crops(path):
        return Kind.CROPS
    if path.is_dir():
        return Kind.FOLDER
    start = first_bytes(path)
    if not start:
        raise TrainingError(f"{path} is empty; copy it again")
    if start.startswith(_ZIP) or _suffix(path) == ".npz":
        return Kind.ARCHIVE
    if is_idx(start):
        return Kind.IDX
    is_binary = start[0] == 0x80 and len(start) > 1 and start[1] in _PROTOCOLS
    if is_binary or _suffix(path) in _PICKLE_SUFFIXES:
        return Kind.PICKLE
    if _suffix(path) == ".csv":
        return Kind.TABLE
    raise TrainingError(
        f"{path} is data of an unknown kind; a pickle (X, y), .npz with X and y, idx files, a "
        "folder a class, and a CSV of image,label are known"
    )
