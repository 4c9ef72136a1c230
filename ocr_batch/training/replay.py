"""Keep some of the crops a page reader was trained on in its bundle, against forgetting."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ocr_batch.datasets.crops import ARRAYS, CropSet
from ocr_batch.datasets.opening import open_npz
from ocr_batch.recognition.charset import CLASSES, N_CHARACTERS

__all__ = ["REPLAY_FILE", "choose_replay", "read_replay", "write_replay"]

#: Name of the file within a bundle.
REPLAY_FILE = "replay.npz"
#: Crops kept of each character and of each garbage class: a few megabytes in all.
_CHARACTERS, _GARBAGE = 28, 300
_KEPT_BITS = np.uint8(0b1111_1100)


def choose_replay(crops: Sequence[CropSet], seed: int = 0) -> CropSet:
    """Draw crops of every class, characters alike however rare they are.

    Parameters
    ----------
    crops : sequence of CropSet
        Labels are indices into `CLASSES`.
    seed : int

    Returns
    -------
    CropSet
    """
    rng = np.random.default_rng([seed, 6])
    label = np.concatenate([part.label for part in crops])
    order = rng.permutation(len(label))
    by_class = order[np.argsort(label[order], kind="stable")]
    count = np.bincount(label, minlength=len(CLASSES))
    first = np.cumsum(count) - count
    rank = np.arange(len(label)) - np.repeat(first, count)
    wanted = np.where(np.arange(len(CLASSES)) < N_CHARACTERS, _CHARACTERS, _GARBAGE)
    rows = np.sort(by_class[rank < np.repeat(wanted, count)])
    begin = np.cumsum([0, *map(len, crops)])
    chosen = [
        part.select(rows[(rows >= begin[k]) & (rows < begin[k + 1])] - begin[k])
        for k, part in enumerate(crops)
    ]
    return CropSet(*(np.concatenate([getattr(part, name) for part in chosen]) for name in ARRAYS))


def write_replay(bundle: Path, crops: CropSet) -> None:
    """Write crops to a bundle; its card is to be sealed again."""
    with (bundle / REPLAY_FILE).open("wb") as file:
        np.savez_compressed(
            file,
            # The last two bits of grey are noise, and noise can not be compressed.
            packed=crops.packed & _KEPT_BITS,
            **{name: getattr(crops, name) for name in ARRAYS[1:]},
        )


def read_replay(bundle: Path) -> CropSet | None:
    """Read the crops kept in a bundle; None if there are none.

    Raises
    ------
    TrainingError
        If the file is damaged.
    """
    path = bundle / REPLAY_FILE
    if not path.is_file():
        return None
    with open_npz(path, "install the bundle again, or remove the file") as stored:
        return CropSet(*(np.asarray(stored[name]) for name in ARRAYS))
