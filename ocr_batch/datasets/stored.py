"""Hand what a loader found in a file over to the recognising of images and labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocr_batch.datasets.glyphs import Glyphs
from ocr_batch.datasets.labels import to_labels
from ocr_batch.datasets.pixels import to_images
from ocr_batch.errors import TrainingError
from ocr_batch.segmentation.tight import level_ground

__all__ = ["Stored", "recognise"]


@dataclass(frozen=True)
class Stored:
    """Images and labels as a file stores them.

    Attributes
    ----------
    images : array, or sequence of arrays
    label : array
    notes : tuple of str
        What the loader has to say.
    scans : bool
        The images are scans, whose paper is not quite white.
    """

    images: Sequence[NDArray[Any]] | NDArray[Any]
    label: NDArray[Any]
    notes: tuple[str, ...] = ()
    scans: bool = False


def recognise(
    stored: Stored,
    source: str,
    classes: Sequence[str] | None = None,
    *,
    fold_case: bool = False,
) -> Glyphs:
    """Recognise what a file stores; see `to_images` and `to_labels`.

    Raises
    ------
    TrainingError
        If images and labels differ in number, or either can not be used.
    """
    if len(stored.images) != len(stored.label):
        raise TrainingError(
            f"{source}: {len(stored.images):,} images but {len(stored.label):,} labels; "
            "each image needs one"
        )
    images, seen = to_images(stored.images, source)
    label, names, said = to_labels(stored.label, classes, source, fold_case=fold_case)
    if stored.scans:
        levelled = [level_ground(image) for image in images]
        images = np.stack(levelled) if isinstance(images, np.ndarray) else levelled
    return Glyphs(images, label, names, (*stored.notes, *seen, *said))
