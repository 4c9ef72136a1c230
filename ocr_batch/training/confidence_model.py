"""Fit the model that says how sure a word is, on pages that the classifier did not learn from.

Usage: ``python -m ocr_batch.training.confidence_model PAGES TRUTH [PAGES TRUTH ...]
--model models/english -o models/english/confidence.npz``. Fit it again whenever the classifier or
the decoder changes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ocr_batch.alignment.pairs import PagePair, find_pairs
from ocr_batch.errors import TrainingError, UsageError
from ocr_batch.evaluation.confidence import LEAST_SURE, Calibration, calibration, of_units
from ocr_batch.recognition.bundle import find_bundle, load_card
from ocr_batch.recognition.confidence import ConfidenceModel, sharpened
from ocr_batch.recognition.word_features import WORD_FEATURES
from ocr_batch.training.assessment import Reliability
from ocr_batch.training.calibration import fit_temperature, negative_log_likelihood
from ocr_batch.training.confidence_data import KnownPage, document_of, read_known
from ocr_batch.training.export import reseal

__all__ = ["cross_check", "fit_confidence", "fit_sharpness", "main"]

# Fewer words of either kind say too little.
_FEWEST_RIGHT, _FEWEST_WRONG = 200, 30
_NETWORKS, _UNITS = 4, 8
# Strength of the weights' Gaussian prior, on standardised features.
_PENALTY = 40.0
_ITERATIONS = 150
_FOLDS = 5
_SHARPNESS = (0.5, 3.0)


def _network(
    features: NDArray[np.float64], right: NDArray[np.float64], rng: np.random.Generator
) -> list[NDArray[np.float64]]:
    """Fit one small network to standardised features by L-BFGS; return its arrays."""
    from scipy.optimize import minimize

    count = features.shape[1]
    shapes = ((count, _UNITS), (_UNITS,), (_UNITS,), (count,), (1,))
    cuts = np.cumsum([int(np.prod(shape)) for shape in shapes])
    start = np.zeros(cuts[-1])
    start[: cuts[0]] = rng.normal(0, count**-0.5, cuts[0])
    start[cuts[1] : cuts[2]] = rng.normal(0, 0.1, _UNITS)

    def parts(flat: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        pieces = np.split(flat, cuts[:-1])
        return [piece.reshape(shape) for piece, shape in zip(pieces, shapes, strict=True)]

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        hidden, hidden_bias, out, linear, bias = parts(flat)
        units = np.tanh(features @ hidden + hidden_bias)
        odds = units @ out + features @ linear + bias
        cost = float((np.logaddexp(0, odds) - right * odds).sum())
        for weight in (hidden, out, linear):
            cost += _PENALTY / 2 * float((weight**2).sum())
        excess = 1 / (1 + np.exp(-odds)) - right
        back = excess[:, None] * out * (1 - units**2)
        gradient = (
            features.T @ back + _PENALTY * hidden,
            back.sum(axis=0),
            units.T @ excess + _PENALTY * out,
            features.T @ excess + _PENALTY * linear,
            excess.sum(keepdims=True),
        )
        return cost, np.concatenate([part.ravel() for part in gradient])

    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": _ITERATIONS})
    return parts(np.asarray(found.x, np.float64))


def fit_confidence(
    features: NDArray[np.float32],
    right: NDArray[np.bool_],
    *,
    sharpness: float = 1.0,
    seed: int = 1,
) -> ConfidenceModel:
    """Fit a model to words.

    Several small networks are fitted from different starts and their log-odds averaged, which is
    a network again.

    Parameters
    ----------
    features : ndarray of float32, shape (N, F)
        From `word_features`.
    right : ndarray of bool, shape (N,)
        Whether each word is right.
    sharpness : float
        For the confidence of characters; see `fit_sharpness`.
    seed : int
        What chance starts from.

    Returns
    -------
    ConfidenceModel

    Raises
    ------
    TrainingError
        If there are too few words, right or wrong.
    """
    wrong = int((~right).sum())
    if wrong < _FEWEST_WRONG or len(right) - wrong < _FEWEST_RIGHT:
        raise TrainingError(
            f"There are {len(right):,} words, {wrong:,} of them wrong: too few to learn from. "
            f"Give more pages; {_FEWEST_RIGHT} right and {_FEWEST_WRONG} wrong words are needed."
        )
    values = features.astype(np.float64)
    mean, deviation = values.mean(axis=0), values.std(axis=0) + 1e-3
    standard = (values - mean) / deviation
    truth = right.astype(np.float64)
    networks = [
        _network(standard, truth, np.random.default_rng([seed, number]))
        for number in range(_NETWORKS)
    ]
    # Features go in as measured: the first layers take the standardisation in.
    hidden = np.concatenate([one[0] for one in networks], axis=1) / deviation[:, None]
    hidden_bias = np.concatenate([one[1] for one in networks]) - mean @ hidden
    linear = np.mean([one[3] for one in networks], axis=0) / deviation
    bias = np.mean([one[4] for one in networks], axis=0) - mean @ linear
    return ConfidenceModel(
        values.min(axis=0),
        values.max(axis=0),
        linear,
        hidden,
        hidden_bias,
        np.concatenate([one[2] for one in networks]) / _NETWORKS,
        bias,
        np.array([sharpness]),
    )


def fit_sharpness(
    scores: NDArray[np.float32], label: NDArray[np.int64], right: NDArray[np.bool_]
) -> float:
    """Find by what to multiply the classifier's logarithms for honest confidences of characters.

    Parameters
    ----------
    scores : ndarray of float32, shape (M, C)
        Log-probabilities of characters that were read.
    label : ndarray of int64, shape (M,)
        What they were read as.
    right : ndarray of bool, shape (M,)

    Returns
    -------
    float
        That makes what is right and what is wrong most likely.
    """
    from scipy.optimize import minimize_scalar

    def cost(place: float) -> float:
        sure = np.clip(sharpened(scores, label, float(np.exp(place))), 1e-6, 1 - 1e-6)
        return float(-np.where(right, np.log(sure), np.log1p(-sure)).mean())

    found = minimize_scalar(
        cost, bounds=np.log(_SHARPNESS), method="bounded", options={"xatol": 1e-3}
    )
    return float(np.exp(found.x))


def _words(pages: Sequence[KnownPage]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the features (N, F) and verdicts (N,) of the words of pages."""
    features = [np.zeros((0, len(WORD_FEATURES)), np.float32)]
    right = [np.zeros(0, np.bool_)]
    for page in pages:
        judged = page.verdicts.unit >= 0
        features.append(page.features[judged])
        right.append(~page.verdicts.wrong[judged])
    return np.concatenate(features), np.concatenate(right)


def _judged(
    pages: Sequence[KnownPage], confidence: Sequence[NDArray[np.float64]]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    found = [of_units(page.verdicts, own) for page, own in zip(pages, confidence, strict=True)]
    return np.concatenate([own for own, _ in found]), np.concatenate([right for _, right in found])


def _documents(names: Iterable[str]) -> list[str]:
    """Return the documents that pages are of, sorted; one alone leaves nothing to check by."""
    documents = sorted(set(names))
    if len(documents) < 2:
        raise TrainingError(
            f"All pages seem to be of one document, {documents[0]}: give pages of others, too."
        )
    return documents


def cross_check(
    pages: Sequence[KnownPage], seed: int = 1
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Tell for each word how sure a model is of it that was fitted to other documents.

    Parameters
    ----------
    pages : sequence of KnownPage
        Of at least two documents.
    seed : int
        Of the split and the fits.

    Returns
    -------
    confidence : ndarray of float64, shape (U,)
        Words broken over lines joined.
    right : ndarray of bool, shape (U,)

    Raises
    ------
    TrainingError
        If all pages are of one document, or there are too few words.
    """
    documents = _documents(page.document for page in pages)
    order = np.random.default_rng([seed, 7]).permutation(len(documents)) % _FOLDS
    fold = dict(zip(documents, order.tolist(), strict=True))
    confidence: list[NDArray[np.float64]] = [np.zeros(0)] * len(pages)
    for number in sorted(set(fold.values())):
        others = [page for page in pages if fold[page.document] != number]
        model = fit_confidence(*_words(others), seed=seed)
        for index, page in enumerate(pages):
            if fold[page.document] == number:
                confidence[index] = model.words(page.features)
    return _judged(pages, confidence)


def _line(what: str, found: Calibration) -> str:
    return (
        f"{what}: {found.words:,}, {found.wrong:,} wrong; calibration error {found.error:.4f} "
        f"({found.error_equal_mass:.4f} in bins of equal mass); "
        f"{found.caught:.1%} of the wrong ones among the {LEAST_SURE:.0%} least sure\n"
    )


def _tell_temperature(pages: Sequence[KnownPage], temperature: float) -> str:
    """Say which temperature suits the labels that forced alignment found."""
    logits = np.concatenate([page.true_scores for page in pages]) * np.float32(temperature)
    label = np.concatenate([page.true_label for page in pages])
    trust = np.concatenate([page.trust for page in pages])
    fitted = fit_temperature(logits, label, trust)
    before, after = (
        negative_log_likelihood(logits, label, value, trust) for value in (temperature, fitted)
    )
    alike = fit_temperature(logits, label)
    return (
        f"temperature: {fitted:.3f} makes {len(label):,} labels, weighted by their trust, most "
        f"likely (-log p {after:.4f}; {before:.4f} at the card's {temperature:g}); all labels "
        f"counted alike: {alike:.3f}\n"
    )


def _diagram(before: Calibration, after: Calibration, path: Path) -> None:
    from ocr_batch.training.plots import reliability_diagram
    from ocr_batch.training.theme import LIGHT

    first, second = (
        Reliability(
            np.array([one.confidence for one in found.bins]),
            np.array([one.right for one in found.bins]),
            np.array([one.words for one in found.bins]),
            found.error,
        )
        for found in (before, after)
    )
    titles = ("Product", "Model")
    path.write_bytes(reliability_diagram(first, second, LIGHT, titles=titles, what="words"))


def _pairs(names: Sequence[str]) -> list[PagePair]:
    if len(names) % 2:
        raise UsageError("Give a folder of transcripts after each folder of pages.")
    found: list[PagePair] = []
    for pages, truth in zip(names[::2], names[1::2], strict=True):
        found += find_pairs([pages], Path(truth))[0]
    return found


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", nargs="+", metavar="PAGES TRUTH")
    parser.add_argument("--model", default="english")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--temperature", action="store_true", help="tell the best temperature, too")
    parser.add_argument("--diagram", type=Path, help="draw the calibration to this PNG file")
    parser.add_argument("-j", "--jobs", type=int)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    pairs = _pairs(options.pages)
    # Before anything is read: that takes long.
    _documents(document_of(pair.image) for pair in pairs)
    pages = read_known(pairs, options.model, options.jobs)
    scores = np.concatenate([page.scores for page in pages])
    label = np.concatenate([page.label for page in pages])
    right = np.concatenate([page.right for page in pages])
    sharpness = fit_sharpness(scores, label, right)
    model = fit_confidence(*_words(pages), sharpness=sharpness, seed=options.seed)
    before = calibration(*_judged(pages, [page.product for page in pages]))
    after = calibration(*cross_check(pages, options.seed))
    sys.stdout.write(_line("words, by the product", before))
    sys.stdout.write(_line("words, by a model of other documents", after))
    for what, value in (("characters, as classified", 1.0), ("characters, sharpened", sharpness)):
        found = calibration(sharpened(scores, label, value), right)
        sys.stdout.write(_line(what, found))
    sys.stdout.write(f"sharpness: {sharpness:.3f}\n")
    if options.temperature:
        card = load_card(find_bundle(options.model))
        sys.stdout.write(_tell_temperature(pages, card.temperature))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    model.save(options.out)
    reseal(options.out.parent)
    if options.diagram is not None:
        options.diagram.parent.mkdir(parents=True, exist_ok=True)
        _diagram(before, after, options.diagram)


if __name__ == "__main__":
    main()
