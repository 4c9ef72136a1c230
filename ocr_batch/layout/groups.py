"""Find the connected groups of a graph."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["connected_groups"]


def connected_groups(
    count: int, first: NDArray[np.integer[Any]], second: NDArray[np.integer[Any]]
) -> NDArray[np.int32]:
    """Number the groups of nodes that links connect.

    Parameters
    ----------
    count : int
        Number of nodes.
    first, second : ndarray of int, shape (P,)
        The nodes that each link joins.

    Returns
    -------
    ndarray of int32, shape (count,)
        Group of each node, from 0, in the order of the groups' first nodes.

    Notes
    -----
    Links hook the larger root to the smaller, and paths are halved until all are roots (Y.
    Shiloach, U. Vishkin, "An O(log n) parallel connectivity algorithm", 1982). SciPy has the same,
    but takes longer to import than a page to read.
    """
    root = np.arange(count)
    a, b = first.astype(np.int64), second.astype(np.int64)
    while len(a):
        # Roots are never larger than their nodes, so hooking by the least can not make a circle.
        low, high = np.minimum(root[a], root[b]), np.maximum(root[a], root[b])
        apart = low != high
        if not apart.any():
            break
        a, b, low, high = a[apart], b[apart], low[apart], high[apart]
        np.minimum.at(root, high, low)
        while True:
            above = root[root]
            if np.array_equal(above, root):
                break
            root = above
    # A root is the first node of its group.
    number = np.cumsum(root == np.arange(count), dtype=np.int32) - np.int32(1)
    return number[root]
