"""Read image files of one isolated character each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ocr_batch.batch.inputs import SUFFIXES as PAGE_SUFFIXES
from ocr_batch.errors import ImageError, TrainingError
from ocr_batch.imaging.load import load_page

__all__ = ["SUFFIXES", "load_images"]

#: Suffixes of files that are taken for images.
SUFFIXES = PAGE_SUFFIXES - {".pdf"}
#: An isolated character of more pixels than this is a page.
_LARGEST = 16_000_000
_NAMED = 5


def load_images(paths: Sequence[Path], source: str) -> list[NDArray[np.uint8]]:
    """Decode image files to grey (h, w) uint8.

    Raises
    ------
    TrainingError
        If any can not be decoded; the message names the first of them, and why.
    """
    images, bad = [], []
    for path in paths:
        try:
            images.append(load_page(path, limit=_LARGEST).grey)
        except ImageError as error:
            bad.append(f"{path} ({error})")
    if bad:
        more = f", and {len(bad) - _NAMED:,} more" if len(bad) > _NAMED else ""
        raise TrainingError(
            f"{source}: {len(bad):,} of {len(paths):,} images can not be read: "
            f"{'; '.join(bad[:_NAMED])}{more}; mend them or take them away"
        )
    return images
