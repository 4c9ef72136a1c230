"""Take the characters among crops of lines as isolated characters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ocr_batch.datasets.crops import CropSet, join_shards, unpack
from ocr_batch.datasets.glyphs import fold_names
from ocr_batch.datasets.harvested import read_harvest
from ocr_batch.datasets.stored import Stored
from ocr_batch.errors import TrainingError
from ocr_batch.recognition.charset import CHARACTERS

__all__ = ["isolate", "load_line_crops"]

#: Most crops taken of a class, so that the few frequent letters do not fill the memory.
_MOST = 1500
#: Share of the ink's full tone that a crop must reach; fainter ones show nothing once isolated.
_VISIBLE = 96
#: Tone from which a pixel counts as ink of a crop.
_FAINT = 32
#: Empty pixels left around the ink.
_MARGIN = 2
#: Crops that are unpacked at once.
_MANY = 4096


def _open(path: Path) -> CropSet:
    if path.is_file() or (path / "harvest.json").is_file():
        return read_harvest(path).crops
    return join_shards(path / "train" if (path / "train").is_dir() else path)


def _wanted(classes: Sequence[str] | None, fold_case: bool) -> NDArray[np.bool_]:
    """Tell which characters are among the classes, (n_characters,) bool."""
    if classes is None:
        return np.ones(len(CHARACTERS), np.bool_)
    names = set(fold_names(classes).values()) if fold_case else set(classes)
    characters = fold_names(CHARACTERS).values() if fold_case else CHARACTERS
    return np.array([name in names for name in characters])


def load_line_crops(
    path: Path,
    classes: Sequence[str] | None = None,
    seed: int = 0,
    *,
    fold_case: bool = False,
) -> Stored:
    """Load rendered or harvested crops as isolated characters, their neighbours masked out.

    Ligatures and garbage are left out, and so is what `classes` does not name; of frequent
    characters, 1,500 are drawn.

    Parameters
    ----------
    path : Path
        As `ocr-batch render --crops` and `ocr-batch harvest` write them.
    classes : sequence of str, optional
    seed : int
    fold_case : bool
        Take small letters of `classes` and of the crops for capitals in the choice; the labels
        are left as they are.

    Returns
    -------
    Stored
        Images (h, w) uint8 cut to the ink, which is 255; labels are characters.

    Raises
    ------
    TrainingError
        If the crops can not be read, or none is of the classes.
    """
    crops = _open(path)
    wanted = _wanted(classes, fold_case)
    rows = np.random.default_rng([seed, 7]).permutation(len(crops))
    label = crops.label[rows]
    known = label < len(CHARACTERS)
    known[known] = wanted[label[known]]
    rows = rows[known]
    rows = rows[np.argsort(crops.label[rows], kind="stable")]
    count = np.bincount(crops.label[rows], minlength=len(CHARACTERS))
    rank = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
    rows = np.sort(rows[rank < _MOST])
    images = crops.images(rows)[..., 0]
    seen = images.max(axis=(1, 2)) >= _VISIBLE
    if not seen.any():
        raise TrainingError(f"{path} holds no crops of these classes; name others, or leave it out")
    names = np.array(CHARACTERS)[crops.label[rows[seen]]]
    note = f"{path.name}: characters of crops of lines, at most {_MOST:,} of a class"
    return Stored(_cropped(images[seen]), names, (note,))


def isolate(packed: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Cut packed crops (N, 56, 56) to their ink, 255 on 0, neighbours left out; all of them."""
    return [
        image
        for start in range(0, len(packed), _MANY)
        for image in _cropped(unpack(packed[start : start + _MANY])[..., 0])
    ]


def _cropped(images: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Cut images (N, 56, 56) to their ink: where a character stands on its line is left behind."""
    side = images.shape[1]
    ink: NDArray[np.bool_] = images >= _FAINT
    rows, columns = (np.asarray(ink.any(axis=axis), np.bool_) for axis in (2, 1))
    top, left = rows.argmax(axis=1), columns.argmax(axis=1)
    bottom = side - rows[:, ::-1].argmax(axis=1) + 2 * _MARGIN
    right = side - columns[:, ::-1].argmax(axis=1) + 2 * _MARGIN
    padded = np.pad(images, ((0, 0), (_MARGIN, _MARGIN), (_MARGIN, _MARGIN)))
    boxes = np.stack([top, bottom, left, right], axis=1).tolist()
    return [image[a:b, c:d] for image, (a, b, c, d) in zip(padded, boxes, strict=True)]
