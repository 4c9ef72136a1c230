"""Tell whether one reading is better than another, or the pages only happened to suit it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ocr_batch.evaluation.metrics import PageScore

__all__ = [
    "RESAMPLES",
    "Change",
    "Significance",
    "compare_scores",
    "format_significance",
    "significance_as_dict",
]

RESAMPLES = 10_000
_INTERVAL = (0.025, 0.975)
#: Draws held at once: resamples times pages.
_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class Change:
    """How a figure changes from the first reading to the second.

    Attributes
    ----------
    name : str
        "CER", "CER, median" (of the pages) or "WER".
    first, second : float
        The figure of each.
    low, high : float
        95 % interval of second minus first.
    better : float
        Share of the resamples in which the second is below the first; where both are level,
        neither is.
    """

    name: str
    first: float
    second: float
    low: float
    high: float
    better: float

    @property
    def difference(self) -> float:
        """Second minus first: below zero when the second is better."""
        return self.second - self.first


@dataclass(frozen=True)
class Significance:
    """A paired bootstrap.

    Attributes
    ----------
    changes : tuple of Change
    pages, resamples, seed : int
    """

    changes: tuple[Change, ...]
    pages: int
    resamples: int
    seed: int


def compare_scores(
    first: Sequence[PageScore],
    second: Sequence[PageScore],
    *,
    resamples: int = RESAMPLES,
    seed: int = 1,
) -> Significance:
    """Resample pages with replacement, the same for both readings.

    Pages differ far more from each other than readings do; drawing them in pairs takes that out
    of the difference.

    Parameters
    ----------
    first, second : sequence of PageScore
        Of the same pages in the same order, at least one.
    resamples : int
        How many times as many pages as there are get drawn.
    seed : int

    Returns
    -------
    Significance

    Raises
    ------
    ValueError
        When there are no pages, or not as many of one as of the other.

    References
    ----------
    B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
    M. Bisani and H. Ney, "Bootstrap estimates for confidence intervals in ASR performance
    evaluation", 2004.
    """
    if not first or len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} pages can not be compared")
    counts = np.stack([_counts(first), _counts(second)])
    pages = len(first)
    rng = np.random.default_rng(seed)
    step = max(1, _AT_ONCE // pages)
    drawn = [
        _figures(counts, rng.integers(pages, size=(min(step, resamples - at), pages)))
        for at in range(0, resamples, step)
    ]
    before, after = np.concatenate(drawn, axis=2)
    point = _figures(counts, np.arange(pages)[None, :])[:, :, 0]
    change = after - before
    low, high = np.quantile(change, _INTERVAL, axis=1)
    better = (change < 0).mean(axis=1)
    return Significance(
        tuple(
            Change(
                name,
                float(point[0, row]),
                float(point[1, row]),
                float(low[row]),
                float(high[row]),
                float(better[row]),
            )
            for row, name in enumerate(("CER", "CER, median", "WER"))
        ),
        pages,
        resamples,
        seed,
    )


def _counts(scores: Sequence[PageScore]) -> NDArray[np.float64]:
    """Return (4, P): errors and length in characters, then in words."""
    rows = [(one.char_errors, one.chars, one.word_errors, one.words) for one in scores]
    return np.array(rows, np.float64).T


def _figures(counts: NDArray[np.float64], draws: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return CER, median CER and WER of both readings (2, 3, R) over drawn pages (R, P)."""
    pages = counts.shape[2]
    offset = pages * np.arange(len(draws))[:, None]
    # How often each page is drawn: sums over the drawn pages are then one product.
    times = np.bincount((draws + offset).ravel(), minlength=pages * len(draws))
    sums = counts @ times.reshape(len(draws), pages).T.astype(np.float64)
    rates = counts[:, 0] / np.maximum(1, counts[:, 1])
    # Where two pages are in the middle, the worse of them, as in `summarise`.
    middle = np.partition(rates[:, draws], pages // 2, axis=2)[:, :, pages // 2]
    cer = sums[:, 0] / np.maximum(1, sums[:, 1])
    wer = sums[:, 2] / np.maximum(1, sums[:, 3])
    return np.stack([cer, middle, wer], axis=1)


def _plural(pages: int) -> str:
    return f"{pages:,} page" + ("" if pages == 1 else "s")


def format_significance(result: Significance, first: str, second: str, *, missing: int = 0) -> str:
    """Return a paired bootstrap as a small table.

    Parameters
    ----------
    result : Significance
    first, second : str
        What the readings are called.
    missing : int
        Pages that the second reading lacks, counted as read empty.

    Returns
    -------
    str
        Lines with a newline each.
    """
    lines = [
        f"{second} (B) against {first} (A): {_plural(result.pages)} resampled "
        f"{result.resamples:,} times, seed {result.seed}",
        *([f"{_plural(missing)} without output in B, counted as read empty"] if missing else []),
        "",
        f"{'':<12}{'A':>8}{'B':>8}{'B - A':>9}  {'95 % interval':<18}  B better in",
    ]
    lines += [
        f"{one.name:<12}{one.first:8.4f}{one.second:8.4f}{one.difference:+9.4f}  "
        f"{one.low:+.4f} to {one.high:+.4f}  {one.better:11.1%}"
        for one in result.changes
    ]
    return "\n".join(lines) + "\n"


def significance_as_dict(result: Significance) -> dict[str, object]:
    """Return a paired bootstrap for JSON.

    Parameters
    ----------
    result : Significance

    Returns
    -------
    dict
        `pages`, `resamples`, `seed`, and `changes` (a list: `figure`, `first`, `second`,
        `difference`, `low`, `high`, `better`).
    """
    return {
        "pages": result.pages,
        "resamples": result.resamples,
        "seed": result.seed,
        "changes": [
            {
                "figure": one.name,
                "first": one.first,
                "second": one.second,
                "difference": one.difference,
                "low": one.low,
                "high": one.high,
                "better": one.better,
            }
            for one in result.changes
        ],
    }
