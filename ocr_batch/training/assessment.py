"""Count what a classifier confused, class by class, and how far its confidences can be believed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ocr_batch.training.calibration import log_softmax

__all__ = [
    "ClassFigures",
    "Pair",
    "Reliability",
    "class_figures",
    "confusion_counts",
    "most_confused",
    "probabilities",
    "reliability",
    "worst_pairs",
]

#: Bins of confidence, as in `calibration.measure`.
_BINS = 15


@dataclass(frozen=True)
class ClassFigures:
    """How well each of C classes was read; NaN where there is nothing to divide by.

    Attributes
    ----------
    support : (C,) int64
        Images of the class.
    precision, recall, f1 : (C,) float64
    """

    support: NDArray[np.int64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]

    def worst_first(self) -> NDArray[np.intp]:
        """Return the classes by rising F1, the larger class first; those without images last."""
        unknown = np.isnan(self.f1)
        return np.lexsort((-self.support, np.where(unknown, 2.0, self.f1)))


@dataclass(frozen=True)
class Pair:
    """Images of one class that were read as another: class indices, their number, some rows."""

    truth: int
    read: int
    count: int
    rows: tuple[int, ...]


@dataclass(frozen=True)
class Reliability:
    """Confidence against the truth, in bins of equal width that hold any image.

    Attributes
    ----------
    confidence, accuracy : (B,) float64
        Means over the images of each bin.
    count : (B,) int64
        Images in it.
    error : float
        Expected calibration error: mean distance of the two, weighted by the counts.
    """

    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    count: NDArray[np.int64]
    error: float


def confusion_counts(
    label: NDArray[np.integer], read: NDArray[np.integer], classes: int
) -> NDArray[np.int64]:
    """Return how often each class (row) was read as each (column), (classes, classes) int64."""
    joint = label.astype(np.int64) * classes + read
    return np.bincount(joint, minlength=classes * classes).reshape(classes, classes)


def class_figures(counts: NDArray[np.int64]) -> ClassFigures:
    """Return precision, recall and F1 of each class from counts (C, C) of `confusion_counts`."""
    right = np.diagonal(counts).astype(np.float64)
    support, taken = counts.sum(axis=1), counts.sum(axis=0)
    with np.errstate(invalid="ignore"):
        f1 = 2 * right / (support + taken)
        precision, recall = right / taken, right / support
    return ClassFigures(support, precision, recall, np.where(support > 0, f1, np.nan))


def worst_pairs(
    label: NDArray[np.integer],
    read: NDArray[np.integer],
    confidence: NDArray[np.floating],
    classes: int,
    *,
    limit: int,
    examples: int,
) -> tuple[Pair, ...]:
    """List the classes that were taken for another most often.

    Parameters
    ----------
    label, read : (N,) int
        True class, and the class it was read as.
    confidence : (N,) float
        Of what was read: the surest misreadings are the examples.
    classes : int
    limit, examples : int
        At most so many pairs, and rows of each.

    Returns
    -------
    tuple of Pair
        Most frequent first, then in the order of the classes.
    """
    counts = confusion_counts(label, read, classes)
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:limit]
    pairs = []
    for truth, taken in zip(*np.divmod(order, classes), strict=True):
        if counts[truth, taken] == 0:
            break
        rows = np.flatnonzero((label == truth) & (read == taken))
        surest = rows[np.argsort(-confidence[rows], kind="stable")][:examples]
        pairs.append(
            Pair(int(truth), int(taken), int(counts[truth, taken]), tuple(surest.tolist()))
        )
    return tuple(pairs)


def most_confused(counts: NDArray[np.int64], limit: int) -> NDArray[np.intp]:
    """Choose at most `limit` classes of counts (C, C), taking in the worst pairs first.

    Returns
    -------
    (n,) intp
        In rising order; all classes if there are no more than `limit`.
    """
    classes = len(counts)
    if classes <= limit:
        return np.arange(classes)
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[: np.count_nonzero(wrong)]
    members = np.stack(np.divmod(order, classes), axis=1).ravel()
    distinct, first = np.unique(members, return_index=True)
    return np.sort(distinct[np.argsort(first)][:limit])


def probabilities(logits: NDArray[np.floating], temperature: float = 1.0) -> NDArray[np.float64]:
    """Return the softmax of logits (N, C) divided by `temperature`."""
    result: NDArray[np.float64] = np.exp(log_softmax(logits.astype(np.float64) / temperature))
    return result


def reliability(
    confidence: NDArray[np.floating], right: NDArray[np.bool_], bins: int = _BINS
) -> Reliability:
    """Compare confidences with how often they were right.

    Parameters
    ----------
    confidence : (N,) float
        Probability of the class that was read, 0..1.
    right : (N,) bool
        Whether it was the true one.
    bins : int

    Returns
    -------
    Reliability

    References
    ----------
    Guo, Pleiss, Sun, Weinberger (2017), On Calibration of Modern Neural Networks.
    """
    place = np.minimum((confidence * bins).astype(np.intp), bins - 1)
    count = np.bincount(place, minlength=bins)
    sure = np.bincount(place, confidence, bins)
    hits = np.bincount(place, right, bins)
    held = count > 0
    error = float(np.abs(sure - hits).sum() / max(1, len(right)))
    return Reliability(sure[held] / count[held], hits[held] / count[held], count[held], error)
