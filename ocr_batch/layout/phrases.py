"""Gather letters into phrases: what is printed without a gap wider than one between words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ocr_batch.layout.components import Components, Neighbours, boxes_of, medians_of
from ocr_batch.layout.groups import connected_groups
from ocr_batch.layout.links import link_neighbours

__all__ = ["Phrases", "find_phrases"]

# In x-heights.
_LETTER = 1.1
_LARGE_PRINT = 2.5


@dataclass(frozen=True)
class Phrases:
    """Runs of letters with ordinary word gaps between them.

    Attributes
    ----------
    box : ndarray of float64, shape (K, 4)
        left, top, right, bottom of each, in pixels.
    foot : ndarray of float64, shape (K,)
        Row on which most of its letters stand.
    letters : ndarray of int64, shape (K,)
        How many letters each has.
    x_height : float
        The page's, in pixels.
    """

    box: NDArray[np.float64]
    foot: NDArray[np.float64]
    letters: NDArray[np.int64]
    x_height: float

    def __len__(self) -> int:
        return len(self.box)

    @property
    def middle(self) -> NDArray[np.float64]:
        """Row of the middle of each box."""
        return np.asarray((self.box[:, 1] + self.box[:, 3]) / 2, np.float64)


def find_phrases(
    components: Components,
    body: NDArray[np.bool_],
    neighbours: Neighbours,
    x_height: float,
    word_gap: float,
) -> Phrases:
    """Gather letters across ordinary word gaps.

    Parameters
    ----------
    components : Components
        Of a whole page.
    body : ndarray of bool, shape (N,)
        Which are letter-sized.
    neighbours : Neighbours
        Pairs of letters that see each other.
    x_height : float
        The page's, in pixels.
    word_gap : float
        The widest gap within a phrase, in x-heights (of the letters, where these are larger).

    Returns
    -------
    Phrases
    """
    level, gap = link_neighbours(components, neighbours, x_height)
    shorter = np.minimum(
        components.height[neighbours.first], components.height[neighbours.second]
    ).astype(np.float64)
    near = level & (gap < word_gap * np.clip(shorter, x_height, _LARGE_PRINT * x_height))
    group = connected_groups(len(components), neighbours.first[near], neighbours.second[near])
    number, box = boxes_of(components, np.where(body, group, -1))
    # Touching letters are one component; its width tells how many.
    letters = np.maximum(1, np.round(components.width / (_LETTER * x_height)))[number >= 0]
    return Phrases(
        box,
        medians_of(components.bottom, number, len(box)),
        np.bincount(number[number >= 0], letters, len(box)).astype(np.int64),
        x_height,
    )
