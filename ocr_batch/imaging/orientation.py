"""Turn a stored image upright by its EXIF orientation, and map its pixels back."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["swaps_axes", "to_stored", "upright"]


def swaps_axes(orientation: int) -> bool:
    """Tell whether an EXIF orientation (1..8) exchanges width and height."""
    return orientation >= 5


def upright(image: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Apply an EXIF orientation to an image.

    Parameters
    ----------
    image : ndarray, shape (H, W) or (H, W, C)
        The image as stored.
    orientation : int
        1..8 as EXIF numbers them; 1 leaves the image alone.

    Returns
    -------
    ndarray, shape (H, W) or (W, H) and channels as before
        The upright image; the same array when there is nothing to do.
    """
    match orientation:
        case 2:
            return cv2.flip(image, 1)
        case 3:
            return cv2.rotate(image, cv2.ROTATE_180)
        case 4:
            return cv2.flip(image, 0)
        case 5:
            return cv2.transpose(image)
        case 6:
            return cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE)
        case 7:
            return cv2.transpose(cv2.rotate(image, cv2.ROTATE_180))
        case 8:
            return cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE)
        case _:
            return image


def to_stored(orientation: int, width: int, height: int) -> NDArray[np.float64]:
    """Map pixels of the upright image to those of the stored one.

    Integer coordinates mean pixel indices, that is pixel centres: an image of width W that is
    mirrored maps x to W - 1 - x.

    Parameters
    ----------
    orientation : int
        1..8 as EXIF numbers them.
    width, height : int
        Size of the *stored* image.

    Returns
    -------
    ndarray of float64, shape (2, 3)
        Affine map: stored (x, y) = map @ (x, y, 1).
    """
    right, bottom = width - 1, height - 1
    rows = {
        2: ((-1, 0, right), (0, 1, 0)),
        3: ((-1, 0, right), (0, -1, bottom)),
        4: ((1, 0, 0), (0, -1, bottom)),
        5: ((0, 1, 0), (1, 0, 0)),
        6: ((0, 1, 0), (-1, 0, bottom)),
        7: ((0, -1, right), (-1, 0, bottom)),
        8: ((0, -1, right), (1, 0, 0)),
    }
    return np.array(rows.get(orientation, ((1, 0, 0), (0, 1, 0))), np.float64)
