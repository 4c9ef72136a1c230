"""Look at a page through a grid: which of its cells hold much ink."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["dense_cells"]


def dense_cells(ink: NDArray[np.bool_], cell: int, share: float) -> NDArray[np.bool_]:
    """Tell in which cells of a grid there is more than a share of ink.

    Parameters
    ----------
    ink : ndarray of bool, shape (H, W)
        True is ink.
    cell : int
        Side of a cell in pixels; what does not fill one is left out.
    share : float
        Of a cell's pixels.

    Returns
    -------
    ndarray of bool, shape (H // cell, W // cell)
    """
    height, width = ink.shape[0] // cell, ink.shape[1] // cell
    if not height or not width:
        return np.zeros((height, width), np.bool_)
    kind = np.uint8 if cell < 16 else np.uint16 if cell < 256 else np.int32
    rows = ink[: cell * height, : cell * width].view(np.uint8)
    rows = rows.reshape(height, cell, -1).sum(axis=1, dtype=kind)
    # Sums of whole rows are quick: so columns are laid on their side.
    columns = cv2.transpose(rows).reshape(width, cell, -1).sum(axis=1, dtype=kind)
    dense = (columns > share * cell * cell + 1e-6).view(np.uint8)
    return np.asarray(cv2.transpose(dense), np.uint8).view(np.bool_)
