"""Join the shards of a folder into one memory-mapped file, and keep it beside them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocr_batch.datasets.opening import open_npz
from ocr_batch.errors import TrainingError

__all__ = ["join_arrays"]

_CACHE, _DRAFT, _INDEX = "joined", "joined-draft-", "index.json"
#: A draft that old, in seconds, was left behind by a process that was killed.
_STALE = 2 * 24 * 3600
_ADVICE = "remove it, or make it again"

Tails = dict[str, tuple[Any, tuple[int, ...]]]


def join_arrays(folder: Path, kinds: Tails) -> dict[str, NDArray[Any]]:
    """Open the shards of a folder as if they were one.

    What is joined is kept as the folder ``joined`` beside the shards, and made again when they
    change. Where that folder can not be written, it is a temporary one that goes with the arrays.

    Parameters
    ----------
    folder : Path
    kinds : dict of str to (dtype, tuple of int)
        Type and sizes, without the number of rows, of each array. The first is memory-mapped.

    Returns
    -------
    dict of str to ndarray

    Raises
    ------
    TrainingError
        If the folder holds no shards, or one that can not be read or has other arrays, or nowhere
        is room to join them.
    """
    shards = sorted(folder.glob("*.npz"))
    if not shards:
        raise TrainingError(f"no shards (*.npz) in {folder}; label some crops first")
    try:
        state = [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in shards]
    except OSError as error:
        raise TrainingError(f"{folder} can not be read ({error})") from error
    found = _opened(folder / _CACHE, state, kinds)
    if found is not None:
        return found
    _sweep(folder)
    try:
        draft = _drafted(folder, shards, state, kinds)
    except OSError:
        return _temporary(folder, shards, state, kinds)
    # Another process may have put its own there by now.
    found = _opened(folder / _CACHE, state, kinds)
    if found is None:
        if not _put(draft, folder / _CACHE):
            return _borrowed(draft, state, kinds)
        found = _opened(folder / _CACHE, state, kinds)
    shutil.rmtree(draft, ignore_errors=True)
    return join_arrays(folder, kinds) if found is None else found


def _opened(cache: Path, state: list[list[Any]], kinds: Tails) -> dict[str, NDArray[Any]] | None:
    """Open what was joined from shards in this state; None if it is not there or damaged."""
    try:
        if json.loads((cache / _INDEX).read_text("utf-8")) != state:
            return None
        mapped, *others = kinds
        arrays = {mapped: np.load(cache / f"{mapped}.npy", mmap_mode="r")}
        arrays |= {name: np.load(cache / f"{name}.npy") for name in others}
    except (OSError, ValueError, EOFError):
        return None
    count = len(arrays[mapped])
    fits = all(arrays[name].shape == (count, *tail) for name, (_, tail) in kinds.items())
    return arrays if fits else None


def _sweep(folder: Path) -> None:
    """Remove drafts that killed processes left behind."""
    for path in folder.glob(f"{_DRAFT}*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _STALE:
                shutil.rmtree(path)


def _drafted(place: Path, shards: Sequence[Path], state: list[list[Any]], kinds: Tails) -> Path:
    """Join the shards in a new folder of a name of its own, so that nobody else writes there."""
    draft = Path(tempfile.mkdtemp(prefix=_DRAFT, dir=place))
    try:
        # mkdtemp lets nobody else in; what is joined is as open as the shards.
        draft.chmod(place.stat().st_mode & 0o777 | 0o700)
        _join(shards, draft, kinds)
        (draft / _INDEX).write_text(json.dumps(state), "utf-8")
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return draft


def _put(draft: Path, cache: Path) -> bool:
    """Put a draft in the place of what was joined before; False if that fails."""
    old = draft.with_name(f"{draft.name}-old")
    with contextlib.suppress(OSError):
        cache.rename(old)
    try:
        draft.rename(cache)
    except OSError:
        return False
    finally:
        shutil.rmtree(old, ignore_errors=True)
    return True


def _borrowed(draft: Path, state: list[list[Any]], kinds: Tails) -> dict[str, NDArray[Any]]:
    """Open a draft that is removed when its memory-mapped array is no longer used."""
    arrays = _opened(draft, state, kinds)
    if arrays is None:
        shutil.rmtree(draft, ignore_errors=True)
        raise TrainingError(f"{draft} can not be read back; look after the disk, and try again")
    weakref.finalize(arrays[next(iter(kinds))], shutil.rmtree, draft, ignore_errors=True)
    return arrays


def _temporary(
    folder: Path, shards: Sequence[Path], state: list[list[Any]], kinds: Tails
) -> dict[str, NDArray[Any]]:
    place = Path(tempfile.gettempdir())
    try:
        return _borrowed(_drafted(place, shards, state, kinds), state, kinds)
    except OSError as error:
        raise TrainingError(
            f"the shards in {folder} can not be joined, neither there nor in {place} ({error}); "
            "make room or let the folder be written, or set TMPDIR to a place with room"
        ) from error


def _checked(path: Path, name: str, array: NDArray[Any], count: int, tail: Sequence[int]) -> None:
    if array.shape != (count, *tail) or array.dtype.kind not in "iuf":
        raise TrainingError(
            f"{path} is not a shard of crops (its array {name} is {array.dtype} {array.shape}); "
            f"{_ADVICE}"
        )


def _join(shards: Sequence[Path], draft: Path, kinds: Tails) -> None:
    """Write the arrays of `shards`, one after the other, as .npy files in `draft`."""
    mapped, *others = kinds
    small: dict[str, list[NDArray[Any]]] = {name: [] for name in others}
    counts = []
    for path in shards:
        with open_npz(path, _ADVICE) as shard:
            parts = {name: np.asarray(shard[name]) for name in others}
        counts.append(len(parts["label"]) if parts["label"].ndim else 0)
        for name, part in parts.items():
            _checked(path, name, part, counts[-1], kinds[name][1])
            small[name].append(part.astype(kinds[name][0]))
    for name, pieces in small.items():
        np.save(draft / f"{name}.npy", np.concatenate(pieces))
    dtype, tail = np.dtype(kinds[mapped][0]), kinds[mapped][1]
    # Written, not mapped: a full disk is an error then, and not the end of the process.
    with (draft / f"{mapped}.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file,
            {"descr": dtype.str, "fortran_order": False, "shape": (sum(counts), *tail)},
        )
        for path, count in zip(shards, counts, strict=True):
            with open_npz(path, _ADVICE) as shard:
                part = np.asarray(shard[mapped])
            _checked(path, mapped, part, count, tail)
            file.write(np.ascontiguousarray(part, dtype).data)
        file.flush()
        os.fsync(file.fileno())
