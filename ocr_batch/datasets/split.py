"""Split labelled characters into parts to train, validate and test on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ocr_batch.errors import TrainingError

__all__ = ["split"]

Rows = NDArray[np.intp]


def _quota(counts: NDArray[np.intp], room: NDArray[np.intp], share: float) -> NDArray[np.intp]:
    """How many of each class make up `share` of all, by largest remainders."""
    wanted = counts * share
    quota = np.minimum(np.floor(wanted).astype(np.intp), room)
    missing = round(float(wanted.sum())) - int(quota.sum())
    remainder = np.where(quota < room, wanted - quota, -1.0)
    order = np.argsort(-remainder, kind="stable")[: max(0, missing)]
    quota[order] += remainder[order] > 0
    return np.asarray(quota, np.intp)


def split(
    label: NDArray[np.integer], shares: tuple[float, float], seed: int
) -> tuple[Rows, Rows, Rows]:
    """Split by class, at random.

    Each class keeps at least one sample to train on; otherwise the parts' sizes are the shares of
    the whole, rounded, and each class is shared out alike.

    Parameters
    ----------
    label : (N,) integer array
    shares : tuple of float
        Of validation and test. Validation 0 with a test part means the reference's way: the test
        part validates too.
    seed : int
        The same seed gives the same split.

    Returns
    -------
    train, validation, test : (n,) intp
        Ascending rows. Disjoint, except that validation is test in the reference's way.

    Raises
    ------
    TrainingError
        If a share is not within 0..1, nothing is left to train on, or a part that is asked for
        comes out empty.
    """
    validation, test = shares
    if not (0 <= validation < 1 and 0 <= test < 1 and validation + test < 1):
        raise TrainingError(
            f"shares of {validation:g} for validation and {test:g} for testing leave nothing to "
            "train on; give shares from 0 that sum to less than 1"
        )
    if not len(label):
        raise TrainingError("there is nothing to split: the data is empty")
    number = np.unique(label, return_inverse=True)[1].reshape(-1)
    shuffled = np.random.default_rng(seed).permutation(len(label))
    shuffled = shuffled[np.argsort(number[shuffled], kind="stable")]
    counts = np.bincount(number)
    first = np.cumsum(counts) - counts
    of = number[shuffled]
    rank = np.arange(len(label)) - first[of]
    for_test = _quota(counts, counts - 1, test)
    for_validation = _quota(counts, counts - 1 - for_test, validation)
    is_test = rank < for_test[of]
    is_validation = ~is_test & (rank < (for_test + for_validation)[of])
    parts = [np.sort(shuffled[which]) for which in (~(is_test | is_validation), is_validation)]
    tested = np.sort(shuffled[is_test])
    for share, rows, what in ((validation, parts[1], "validation"), (test, tested, "test")):
        if share > 0 and not len(rows):
            raise TrainingError(
                f"{len(label)} images are too few for a {what} part of {share:g}; "
                "give more data or a larger share"
            )
    if validation == 0 and test > 0:
        parts[1] = tested
    return parts[0], parts[1], tested
