"""Compare classifiers that read the same images: accuracy, significance, speed and size."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ocr_batch.datasets.opening import DAMAGE
from ocr_batch.errors import BundleError

__all__ = [
    "Accuracy",
    "McNemar",
    "accuracy",
    "count_parameters",
    "crops_per_second",
    "discordant",
    "error_reduction",
    "mcnemar",
]

#: Up to so many images that only one of two read right, McNemar's test is exact.
_EXACT = 50
#: Rounds of a timing.
_ROUNDS = 5


@dataclass(frozen=True)
class Accuracy:
    """A share of images read right, and how far to trust it.

    Attributes
    ----------
    mean : float
    deviation : float
        Of one classifier: the standard error of the share. Of several: their sample standard
        deviation.
    runs : int
        Number of classifiers.
    """

    mean: float
    deviation: float
    runs: int


@dataclass(frozen=True)
class McNemar:
    """McNemar's test of two classifiers.

    Attributes
    ----------
    only_first, only_second : int
        Images that only one of the two read right.
    p : float
        Probability of a difference at least as large, were both equally good; two-sided.
    exact : bool
        Whether it is binomial; otherwise chi-square with continuity correction.
    """

    only_first: int
    only_second: int
    p: float
    exact: bool


def accuracy(right: NDArray[np.bool_]) -> Accuracy:
    """Sum up which images were read right.

    Parameters
    ----------
    right : (S, N) bool
        By each of S classifiers (one training seed each), N > 0 images.
    """
    shares = right.mean(axis=1)
    mean = float(shares.mean())
    if len(shares) > 1:
        return Accuracy(mean, float(shares.std(ddof=1)), len(shares))
    return Accuracy(mean, float((mean * (1 - mean) / right.shape[1]) ** 0.5), 1)


def error_reduction(first: float, second: float) -> float | None:
    """Return by how many per cent the error is lower at accuracy `second` than at `first`.

    Negative if it is higher; None if the first makes no errors.
    """
    return None if first >= 1 else 100 * (second - first) / (1 - first)


def discordant(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> tuple[int, int]:
    """Count the images that only one of two classifiers read right.

    Of classifiers trained several times, every run of the first is paired with every run of the
    second, and the counts are averaged over the pairs. They are not summed: the runs read the
    same images, and a test on the sum would take each image for several.

    Parameters
    ----------
    first : (S, N) bool
    second : (T, N) bool
        By each run, whether each image was read right.

    Returns
    -------
    only_first, only_second : int
        Rounded means.
    """
    one, other = first.astype(np.float64), second.astype(np.float64)
    pairs = len(one) * len(other)
    only_first = (one @ (1 - other).T).sum() / pairs
    only_second = ((1 - one) @ other.T).sum() / pairs
    return round(float(only_first)), round(float(only_second))


def mcnemar(only_first: int, only_second: int) -> McNemar:
    """Test whether two classifiers differ, from the counts of `discordant`.

    References
    ----------
    McNemar (1947), Note on the sampling error of the difference between correlated proportions or
    percentages; Edwards (1948) for the continuity correction.
    """
    from scipy import stats

    total = only_first + only_second
    if total <= _EXACT:
        p = float(stats.binomtest(only_first, total).pvalue) if total else 1.0
        return McNemar(only_first, only_second, p, True)
    statistic = max(0, abs(only_first - only_second) - 1) ** 2 / total
    return McNemar(only_first, only_second, float(stats.chi2.sf(statistic, 1)), False)


def crops_per_second(
    classify: Sequence[Callable[[], object]],
    crops: int,
    *,
    rounds: int = _ROUNDS,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[float, ...]:
    """Time classifiers in turns, so that whatever else the machine does meets all alike.

    Parameters
    ----------
    classify : sequence of callable
        Each classifies the same crops once. Called once more before, to warm up.
    crops : int
        How many they are.
    rounds : int
        Timings of each.
    clock : callable
        Seconds.

    Returns
    -------
    tuple of float
        Crops per second of each: the median over the rounds.
    """
    for one in classify:
        one()
    seconds = np.empty((rounds, len(classify)))
    for turn in range(rounds):
        for number, one in enumerate(classify):
            begun = clock()
            one()
            seconds[turn, number] = clock() - begun
    medians = np.median(seconds, axis=0)
    return tuple((crops / np.maximum(medians, 1e-9)).tolist())


def count_parameters(path: Path) -> int:
    """Count the weights in a ``.keras`` file, without loading Keras.

    As Keras counts them: running averages of a normalisation are weights, states of random
    generators and optimizers are none.

    Raises
    ------
    BundleError
        If the file can not be read.
    """
    import h5py

    sizes: list[int] = []

    def add(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and "vars" in name.split("/"):
            sizes.append(int(np.prod(item.shape)))

    try:
        with (
            zipfile.ZipFile(path) as archive,
            archive.open("model.weights.h5") as file,
            h5py.File(file, "r") as weights,
        ):
            weights.visititems(lambda name, item: None if _is_state(name) else add(name, item))
    except (*DAMAGE, OSError, KeyError, ValueError, RuntimeError) as error:
        raise BundleError(
            f"the weights in {path} can not be counted ({error}); export the bundle again"
        ) from error
    return sum(sizes)


def _is_state(name: str) -> bool:
    parts = name.split("/")
    return parts[0] == "optimizer" or any(part.startswith("seed_generator") for part in parts)
