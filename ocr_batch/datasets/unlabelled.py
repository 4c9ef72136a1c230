"""Read the images of a data file as they come, whatever labels it may have."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ocr_batch.datasets.archives import load_archive_images
from ocr_batch.datasets.crops import FRAME
from ocr_batch.datasets.idx import load_idx_images
from ocr_batch.datasets.kinds import Kind, kind_of
from ocr_batch.datasets.linecrops import isolate
from ocr_batch.datasets.opening import open_npz
from ocr_batch.datasets.pickles import load_pickle_images
from ocr_batch.datasets.pixels import to_images
from ocr_batch.errors import TrainingError

__all__ = ["read_images"]


def read_images(source: str | os.PathLike[str]) -> Sequence[NDArray[np.uint8]] | NDArray[np.uint8]:
    """Read all the images of an ``.npz``, a pickle or an idx file, in their order.

    Of a pair (X, y) this is X; data without labels is just as good. Of crops of lines each is cut
    to its ink, its neighbours left out.

    Parameters
    ----------
    source : path

    Returns
    -------
    (N, h, w) uint8, or sequence of (h, w) uint8
        Ink 255 on 0, as `to_images` recognises it.

    Raises
    ------
    TrainingError
        If the file can not be read, holds no images, or is of another kind.
    """
    path = Path(source)
    kind = kind_of(path)
    if kind is Kind.CROPS and path.is_file():
        return _line_crops(path)
    if kind is Kind.ARCHIVE:
        stored = load_archive_images(path)
    elif kind is Kind.IDX:
        stored = load_idx_images(path)
    elif kind is Kind.PICKLE:
        stored = load_pickle_images(path)
    else:
        raise TrainingError(f"{path} is no file of images; give its image files one by one")
    return to_images(stored, path.name)[0]


def _line_crops(path: Path) -> list[NDArray[np.uint8]]:
    with open_npz(path, "make it again") as archive:
        packed = np.asarray(archive["packed"])
    if packed.shape[1:] != (FRAME, FRAME) or packed.dtype != np.uint8:
        raise TrainingError(
            f"{path}: its array packed is {packed.dtype} {packed.shape}, no crops of lines; make "
            "it again"
        )
    return isolate(packed)
