"""Decode files: a path becomes grey sheets, page by page."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Sheet:
    """One decoded page, upright as far as its metadata tells.

    Attributes
    ----------
    grey : ndarray of uint8, shape (H, W)
        0 is black, 255 is white.
    source : str
        Path of the file, or "".
    number : int
        Page within the file, from 1.
    dpi : float or None
        Resolution when the file states a sane one (50..1200).
    stored_size : tuple of int
        (width, height) of the image as stored, before EXIF orientation.
    to_stored : ndarray of float64, shape (2, 3)
        Affine map from pixel coordinates (x, y) of `grey` to those of the stored image.
    bilevel : bool
        True when the file holds a 1-bit image (or a grey one of only two values).
    """

    grey: NDArray[np.uint8]
    source: str = ""
    number: int = 1
    dpi: float | None = None
    stored_size: tuple[int, int] = (0, 0)
    to_stored: NDArray[np.float64] = field(
        default_factory=lambda: np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    )
    bilevel: bool = False
