"""Store the page reader's labelled crops in shards, and open them to train on."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocr_batch.datasets.augmentation import Augmentation, augment_crops
from ocr_batch.datasets.joining import join_arrays
from ocr_batch.errors import TrainingError
from ocr_batch.output.files import write_atomic

__all__ = [
    "ARRAYS",
    "FRAME",
    "GEOMETRY",
    "CropSet",
    "ShardWriter",
    "join_shards",
    "pack",
    "unpack",
    "write_shard",
]

#: Names of the arrays of a shard, in the order of `CropSet`'s fields.
ARRAYS = ("packed", "geometry", "label", "group")
#: Sides of a crop in pixels, and length of the vector beside it.
FRAME, GEOMETRY = 56, 8
_GREY = np.uint8(127)
_MASK = np.uint8(128)
_MASK_BIT = 7
#: 7-bit grey back to 0..255, rounded down.
_SPREAD = (np.arange(128) * 255 // 127).astype(np.uint8)


def pack(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Squeeze two-channel crops into one byte a pixel: 7 bits of grey, 1 bit of mask.

    Parameters
    ----------
    images : (N, 56, 56, 2) uint8
        Channel 0: the candidate's own ink, else 0; channel 1: all ink of the frame.

    Returns
    -------
    (N, 56, 56) uint8
        ``(channel 1 >> 1) | (channel 0 > 0) << 7``.
    """
    own = np.where(images[..., 0], _MASK, np.uint8(0))
    packed: NDArray[np.uint8] = (images[..., 1] >> np.uint8(1)) | own
    return packed


def unpack(packed: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Restore two-channel crops (N, 56, 56, 2) uint8 from bytes (N, 56, 56) of `pack`.

    Grey comes back within 1 of 255, as long as channel 0 was either 0 or equal to channel 1.
    """
    images = np.empty((*packed.shape, 2), np.uint8)
    grey = _SPREAD[packed & _GREY]
    images[..., 1] = grey
    images[..., 0] = np.where(packed >> _MASK_BIT, grey, 0)
    return images


@dataclass(frozen=True)
class CropSet:
    """Labelled crops of lines: packed (N, 56, 56) uint8, geometry (N, 8), label (N,), group (N,).

    `packed` may be memory-mapped. `group` is the index of the font family (or of another source)
    by which training and validation are kept apart.
    """

    packed: NDArray[np.uint8]
    geometry: NDArray[np.float16]
    label: NDArray[np.int16]
    group: NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.label)

    def images(self, rows: NDArray[np.intp] | slice) -> NDArray[np.uint8]:
        """Return the crops of these rows, (n, 56, 56, 2) uint8."""
        return unpack(np.asarray(self.packed[rows]))

    def inputs(self, rows: NDArray[np.intp] | slice) -> dict[str, NDArray[Any]]:
        """Return ``image`` (n, 56, 56, 2) uint8 and ``geometry`` (n, 8) float32 of these rows."""
        return {"image": self.images(rows), "geometry": self.geometry[rows].astype(np.float32)}

    def varied(
        self, rows: NDArray[np.intp], options: Augmentation, rng: np.random.Generator
    ) -> dict[str, NDArray[Any]]:
        """Return the inputs of these rows, varied at random."""
        geometry = self.geometry[rows].astype(np.float32)
        if options.geometry:
            noise = rng.standard_normal(geometry.shape, dtype=np.float32)
            geometry += noise * np.float32(options.geometry)
        images = augment_crops(np.asarray(self.packed[rows]), options, rng)
        return {"image": images, "geometry": geometry}

    def select(self, rows: NDArray[np.intp]) -> CropSet:
        """Return the crops of these rows as a set of their own."""
        return CropSet(self.packed[rows], self.geometry[rows], self.label[rows], self.group[rows])

    def take(self, limit: int, seed: int = 0) -> CropSet:
        """Return at most `limit` crops, drawn at random and kept in order."""
        if len(self) <= limit:
            return self
        rows = np.sort(np.random.default_rng(seed).choice(len(self), limit, replace=False))
        return self.select(rows)


def write_shard(path: Path, data: CropSet) -> None:
    """Write crops to one uncompressed ``.npz`` file, atomically.

    Raises
    ------
    OutputError
        If it can not be written.
    """
    content = io.BytesIO()
    np.savez(
        content,
        packed=data.packed,
        geometry=data.geometry.astype(np.float16),
        label=data.label.astype(np.int16),
        group=data.group.astype(np.int16),
    )
    write_atomic(path, content.getvalue())


class ShardWriter:
    """Collect labelled crops and write a shard whenever enough have come together.

    Parameters
    ----------
    folder : Path
        Where the shards go; made if missing.
    prefix : str
        Start of the file names, so that several writers can share a folder.
    size : int
        Crops a shard.
    """

    def __init__(self, folder: Path, prefix: str = "shard", size: int = 20_000) -> None:
        self._folder, self._prefix, self._size = folder, prefix, size
        self._parts: list[CropSet] = []
        self._waiting = 0
        self._written = 0

    def add(
        self,
        images: NDArray[np.uint8],
        geometry: NDArray[np.float32],
        label: NDArray[np.integer],
        group: NDArray[np.integer] | int,
    ) -> None:
        """Add crops (n, 56, 56, 2), geometry (n, 8), labels (n,) and their group(s)."""
        count = len(images)
        if not len(geometry) == len(label) == count:
            raise TrainingError(f"{count} crops, {len(geometry)} geometries, {len(label)} labels")
        groups = np.broadcast_to(np.asarray(group, np.int16), (count,))
        part = CropSet(
            pack(images), geometry.astype(np.float16), np.asarray(label).astype(np.int16), groups
        )
        self._parts.append(part)
        self._waiting += count
        if self._waiting >= self._size:
            self.flush()

    def flush(self) -> None:
        """Write what has been added so far, if anything."""
        if self._waiting == 0:
            return
        joined = {
            name: np.concatenate([getattr(part, name) for part in self._parts]) for name in ARRAYS
        }
        path = self._folder / f"{self._prefix}-{self._written:05d}.npz"
        write_shard(path, CropSet(**joined))
        self._parts, self._waiting = [], 0
        self._written += 1

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if kind is None:
            self.flush()


def join_shards(folder: Path) -> CropSet:
    """Join the shards of a folder into one memory-mapped file and open it.

    What is joined is kept in ``folder/joined``, and made again when the shards change, so that a
    set larger than the memory can be read in any order. Where that can not be written, it is kept
    in a temporary folder for as long as it is used.

    Raises
    ------
    TrainingError
        If the folder holds no shards, or one that can not be read, or nowhere is room for them.
    """
    kinds: dict[str, tuple[Any, tuple[int, ...]]] = {
        "packed": (np.uint8, (FRAME, FRAME)),
        "geometry": (np.float16, (GEOMETRY,)),
        "label": (np.int16, ()),
        "group": (np.int16, ()),
    }
    return CropSet(**join_arrays(folder, kinds))
