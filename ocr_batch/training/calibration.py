"""Measure a classifier on held-out crops, and find the temperature that makes it honest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["fit_temperature", "log_softmax", "measure", "negative_log_likelihood"]

#: Bins of the expected calibration error.
_BINS = 15


def log_softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the logarithm of the softmax of each row (N, C), in double precision."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    result: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return result


def negative_log_likelihood(
    logits: NDArray[np.floating],
    label: NDArray[np.integer],
    temperature: float = 1.0,
    weight: NDArray[np.floating] | None = None,
) -> float:
    """Return the (weighted) mean of -log p(label), in nats, of logits (N, C) / `temperature`."""
    scores = log_softmax(logits.astype(np.float64) / temperature)
    return float(np.average(-scores[np.arange(len(label)), label], weights=weight))


def fit_temperature(
    logits: NDArray[np.floating],
    label: NDArray[np.integer],
    weight: NDArray[np.floating] | None = None,
) -> float:
    """Find the temperature that makes the labels most likely.

    Golden-section search over the logarithm of the temperature, between 0.2 and 5 (the likelihood
    has one maximum).

    Parameters
    ----------
    logits : (N, C) float
        On crops that were not trained on.
    label : (N,) int
    weight : (N,) float, optional
        How much each crop counts.

    Returns
    -------
    float

    References
    ----------
    Guo, Pleiss, Sun, Weinberger (2017), On Calibration of Modern Neural Networks.
    """
    ratio = (5**0.5 - 1) / 2
    low, high = np.log(0.2), np.log(5.0)

    def cost(place: float) -> float:
        return negative_log_likelihood(logits, label, float(np.exp(place)), weight)

    left, right = high - ratio * (high - low), low + ratio * (high - low)
    cost_left, cost_right = cost(left), cost(right)
    while high - low > 1e-3:
        if cost_left < cost_right:
            high, right, cost_right = right, left, cost_left
            left = high - ratio * (high - low)
            cost_left = cost(left)
        else:
            low, left, cost_left = left, right, cost_right
            right = low + ratio * (high - low)
            cost_right = cost(right)
    return float(np.exp((low + high) / 2))


def measure(
    logits: NDArray[np.floating],
    label: NDArray[np.integer],
    classes: Sequence[str],
    n_characters: int,
    *,
    temperature: float = 1.0,
    pairs: int = 40,
) -> dict[str, Any]:
    """Sum up how well crops were classified.

    Parameters
    ----------
    logits : (N, C) float
    label : (N,) int
    classes : sequence of str
        Names of the C classes; those from `n_characters` on are garbage.
    n_characters : int
    temperature : float
    pairs : int
        How many of the most frequent confusions to list.

    Returns
    -------
    dict
        ``crops``; ``top1`` over all; ``characters_top1`` over crops that are characters;
        ``characters_rejected``, their share called garbage; ``garbage_rejected``, the share of
        garbage crops called any garbage; ``garbage``, the same for each kind; ``nll`` in nats;
        ``calibration_error`` (expected, of the best class); ``confusions``, a list of
        ``[truth, read, count]``.
    """
    read = logits.argmax(axis=1)
    is_character, as_character = label < n_characters, read < n_characters
    right = read == label

    def share(hits: NDArray[np.bool_], among: NDArray[np.bool_]) -> float | None:
        return round(float(hits[among].mean()), 5) if among.any() else None

    scores = log_softmax(logits.astype(np.float64) / temperature)
    best = np.exp(scores.max(axis=1))
    place = np.minimum((best * _BINS).astype(np.intp), _BINS - 1)
    gap = np.bincount(place, best - right, _BINS)
    nll = -scores[np.arange(len(label)), label].mean()
    width = len(classes)
    counts = np.bincount(label.astype(np.int64) * width + read, minlength=width * width)
    counts = counts.reshape(width, width)
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:pairs]
    return {
        "crops": len(label),
        "top1": share(right, np.ones_like(right)),
        "characters_top1": share(right, is_character),
        "characters_rejected": share(~as_character, is_character),
        "garbage_rejected": share(~as_character, ~is_character),
        "garbage": {
            name: share(~as_character, label == index)
            for index, name in enumerate(classes)
            if index >= n_characters
        },
        "nll": round(float(nll), 5),
        "calibration_error": round(float(np.abs(gap).sum() / len(label)), 5),
        "confusions": [
            [classes[index // width], classes[index % width], int(counts.flat[index])]
            for index in order.tolist()
            if counts.flat[index]
        ],
    }
