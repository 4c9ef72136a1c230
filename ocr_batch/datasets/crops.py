"""Store labelled crops in shards and stream them back as shuffled, augmented batches."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from ocr_batch.errors import TrainingError

__all__ = [
    "Augmentation",
    "Batch",
    "Dataset",
    "ShardWriter",
    "augment",
    "join_shards",
    "pack",
    "prefetch",
    "shuffled_batches",
    "unpack",
    "write_shard",
]

_ARRAYS = ("packed", "geometry", "label", "group")
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
class Dataset:
    """Labelled crops: packed (N, 56, 56) uint8, geometry (N, 8), label (N,), group (N,).

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

    def take(self, limit: int, seed: int = 0) -> Dataset:
        """Return at most `limit` crops, drawn at random and kept in order."""
        if len(self) <= limit:
            return self
        rows = np.sort(np.random.default_rng(seed).choice(len(self), limit, replace=False))
        return Dataset(self.packed[rows], self.geometry[rows], self.label[rows], self.group[rows])


def write_shard(path: Path, data: Dataset) -> None:
    """Write crops to one uncompressed ``.npz`` file, atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        np.savez(
            file,
            packed=data.packed,
            geometry=data.geometry.astype(np.float16),
            label=data.label.astype(np.int16),
            group=data.group.astype(np.int16),
        )
    part.replace(path)


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
        self._parts: list[Dataset] = []
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
        part = Dataset(
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
            name: np.concatenate([getattr(part, name) for part in self._parts]) for name in _ARRAYS
        }
        path = self._folder / f"{self._prefix}-{self._written:05d}.npz"
        write_shard(path, Dataset(**joined))
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


def join_shards(folder: Path) -> Dataset:
    """Join the shards of a folder into one memory-mapped file and open it.

    The joined file, ``folder/joined/packed.npy``, is kept, and rebuilt when the shards change, so
    that a set larger than the memory can be read in any order.

    Raises
    ------
    TrainingError
        If the folder holds no shards, or one that can not be read.
    """
    shards = sorted(folder.glob("*.npz"))
    if not shards:
        raise TrainingError(f"no shards (*.npz) in {folder}; label some crops first")
    state = [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in shards]
    cache = folder / "joined"
    index = cache / "index.json"
    if not index.is_file() or json.loads(index.read_text("utf-8")) != state:
        cache.mkdir(exist_ok=True)
        index.unlink(missing_ok=True)
        _join(shards, cache)
        index.write_text(json.dumps(state), "utf-8")
    small = {name: np.load(cache / f"{name}.npy") for name in _ARRAYS if name != "packed"}
    return Dataset(packed=np.load(cache / "packed.npy", mmap_mode="r"), **small)


def _join(shards: list[Path], cache: Path) -> None:
    """Write the arrays of `shards`, one after the other, as .npy files in `cache`."""
    small: dict[str, list[NDArray[np.generic]]] = {"geometry": [], "label": [], "group": []}
    try:
        for path in shards:
            with np.load(path) as shard:
                for name, parts in small.items():
                    parts.append(shard[name])
    except (OSError, KeyError, ValueError) as error:
        raise TrainingError(f"{path} is not a shard of crops ({error}); remove it") from error
    for name, parts in small.items():
        kind = np.float16 if name == "geometry" else np.int16
        np.save(cache / f"{name}.npy", np.concatenate(parts).astype(kind))
    count = sum(len(part) for part in small["label"])
    packed = np.lib.format.open_memmap(
        cache / "packed.npy", "w+", dtype=np.uint8, shape=(count, 56, 56)
    )
    start = 0
    for path in shards:
        with np.load(path) as shard:
            part = shard["packed"]
        packed[start : start + len(part)] = part
        start += len(part)
    packed.flush()


@dataclass(frozen=True)
class Augmentation:
    """How far crops are varied while training; all zeros leaves them as they are.

    Attributes
    ----------
    shift_x, shift_y : int
        Largest shift in pixels of the frame.
    gain : float
        Contrast is multiplied by a factor within 1 +- this.
    noise : float
        Largest standard deviation of the added noise, as a share of full ink.
    blur : float
        Share of crops smoothed by a 3x3 binomial filter.
    geometry : float
        Standard deviation of the noise added to the geometry, in x-heights.
    """

    shift_x: int = 2
    shift_y: int = 1
    gain: float = 0.25
    noise: float = 0.06
    blur: float = 0.15
    geometry: float = 0.03


@dataclass(frozen=True)
class Batch:
    """A training batch: images (n, 56, 56, 2) uint8, geometry (n, 8) float32, label (n,) int32."""

    images: NDArray[np.uint8]
    geometry: NDArray[np.float32]
    label: NDArray[np.int32]


def _blur(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """Smooth (n, h, w) by the binomial filter 1 2 1 in both directions, zero outside."""
    for axis in (1, 2):
        near = grey * np.float32(0.5)
        half = near * np.float32(0.5)
        source: list[slice] = [slice(None)] * 3
        target: list[slice] = [slice(None)] * 3
        for source[axis], target[axis] in (
            (slice(1, None), slice(None, -1)),
            (slice(None, -1), slice(1, None)),
        ):
            near[tuple(target)] += half[tuple(source)]
        grey = near
    return grey


def augment(
    packed: NDArray[np.uint8], options: Augmentation, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Shift, blur, re-contrast and roughen packed crops, and unpack them.

    Parameters
    ----------
    packed : (n, 56, 56) uint8
        As made by `pack`. Both channels of a crop are varied alike.
    options : Augmentation
    rng : numpy.random.Generator

    Returns
    -------
    (n, 56, 56, 2) uint8
    """
    count = len(packed)
    height, width = packed.shape[1:]
    reach_x, reach_y = options.shift_x, options.shift_y
    if reach_x or reach_y:
        padded = np.pad(packed, ((0, 0), (reach_y, reach_y), (reach_x, reach_x)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(1, 2))
        rows = rng.integers(0, 2 * reach_y + 1, count)
        columns = rng.integers(0, 2 * reach_x + 1, count)
        packed = windows[np.arange(count), rows, columns]
    grey: NDArray[np.float32] = (packed & _GREY).astype(np.float32)
    if options.blur:
        chosen = np.flatnonzero(rng.random(count) < options.blur)
        grey[chosen] = _blur(grey[chosen])
    gain = rng.uniform(1 - options.gain, 1 + options.gain, count).astype(np.float32)
    grey *= gain[:, None, None] * np.float32(255 / 127)
    if options.noise:
        # Normal noise is drawn once for a batch and read from random places: drawing it for each
        # pixel would cost more than all the rest.
        area = height * width
        bank = rng.standard_normal(16 * area, dtype=np.float32) * np.float32(255 * options.noise)
        starts = rng.integers(0, len(bank) - area, count)
        noise = np.lib.stride_tricks.sliding_window_view(bank, area)[starts]
        strength = rng.random(count, dtype=np.float32)
        strength[rng.random(count) < 0.5] = 0.0
        noise *= strength[:, None]
        grey += noise.reshape(grey.shape)
    images = np.empty((count, height, width, 2), np.uint8)
    images[..., 1] = np.clip(grey, 0, 255, out=grey)
    np.multiply(images[..., 1], packed >> _MASK_BIT, out=images[..., 0])
    return images


def shuffled_batches(
    data: Dataset,
    size: int,
    seed: int,
    *,
    start: int = 0,
    options: Augmentation | None = None,
    class_weights: NDArray[np.float64] | None = None,
) -> Iterator[Batch]:
    """Yield batches for ever; batch number `start` + i depends on the seed and its number only.

    Parameters
    ----------
    data : Dataset
    size : int
        Crops a batch.
    seed : int
    start : int
        Number of the first batch, to continue where a run stopped.
    options : Augmentation, optional
        Default: `Augmentation()`.
    class_weights : (C,) float64, optional
        How much more often a crop of each class is drawn. Default: each crop once an epoch.
    """
    options = Augmentation() if options is None else options
    size = min(size, len(data))
    epoch_length = len(data) // size
    cumulated = None
    if class_weights is not None:
        cumulated = np.cumsum(np.asarray(class_weights, np.float64)[data.label])
    order_of, order = -1, np.empty(0, np.intp)
    number = start
    while True:
        rng = np.random.default_rng([seed, 1, number])
        if cumulated is not None:
            rows = np.searchsorted(cumulated, rng.random(size) * cumulated[-1], side="right")
        else:
            epoch, position = divmod(number, epoch_length)
            if epoch != order_of:
                order = np.random.default_rng([seed, 0, epoch]).permutation(len(data))
                order_of = epoch
            rows = order[position * size : (position + 1) * size]
        rows = np.sort(rows)  # neighbours on disk are read together
        geometry = data.geometry[rows].astype(np.float32)
        if options.geometry:
            noise = rng.standard_normal(geometry.shape, dtype=np.float32)
            geometry += noise * np.float32(options.geometry)
        images = augment(np.asarray(data.packed[rows]), options, rng)
        yield Batch(images, geometry, data.label[rows].astype(np.int32))
        number += 1


def prefetch(batches: Iterator[Batch], depth: int = 4) -> Generator[Batch]:
    """Make batches in a thread of their own, `depth` ahead; an error there is raised here."""
    waiting: queue.Queue[Batch | BaseException | None] = queue.Queue(depth)
    stop = threading.Event()

    def put(item: Batch | BaseException | None) -> None:
        while not stop.is_set():
            try:
                return waiting.put(item, timeout=0.1)
            except queue.Full:
                continue

    def work() -> None:
        try:
            for batch in batches:
                put(batch)
                if stop.is_set():
                    return
            put(None)
        except BaseException as error:
            put(error)

    threading.Thread(target=work, name="batches", daemon=True).start()
    try:
        while (item := waiting.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
