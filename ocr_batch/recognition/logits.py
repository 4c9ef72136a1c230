"""What every back end does with crops and logits: check, divide, normalise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocr_batch.recognition.bundle import Card

__all__ = ["checked", "log_softmax", "slices"]


def log_softmax(logits: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Write the logarithm of the softmax of each row (E, C) to `out`, in float32."""
    np.subtract(logits, logits.max(axis=1, keepdims=True), out=out)
    out -= np.log(np.exp(out).sum(axis=1, keepdims=True))


def slices(count: int, size: int) -> Iterator[slice]:
    """Yield slices of at most `size` that cover `count` rows."""
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def checked(
    card: Card, images: NDArray[np.uint8], geometry: NDArray[np.float32] | None
) -> dict[str, NDArray[Any]]:
    """Return a network's inputs by name, if they fit its card.

    Parameters
    ----------
    card : Card
    images : (E, frame, frame, channels) uint8
    geometry : (E, G) float32 or None
        Left out where the contract has none.

    Raises
    ------
    ValueError
        If shapes or types are others than those of the card's contract.
    """
    contract = card.contract
    frame = (contract.frame, contract.frame, contract.channels)
    if images.dtype != np.uint8 or images.shape[1:] != frame:
        raise ValueError(f"crops are {images.dtype} {images.shape}, not uint8 (E, {frame})")
    if not contract.geometry:
        return {"image": images}
    if geometry is None or geometry.shape != (len(images), contract.geometry):
        shape = None if geometry is None else geometry.shape
        raise ValueError(f"geometry has shape {shape} for {len(images)} crops")
    return {"image": images, "geometry": geometry.astype(np.float32, copy=False)}
