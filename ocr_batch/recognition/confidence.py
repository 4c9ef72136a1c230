"""Say how sure words and characters are: a small model of what reading knows about them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile, ZipFile, ZipInfo

import numpy as np
from numpy.typing import NDArray

from ocr_batch.errors import BundleError
from ocr_batch.recognition.word_features import WORD_FEATURES

__all__ = ["Confidence", "ConfidenceModel", "sharpened"]


@dataclass(frozen=True)
class Confidence:
    """How likely what was read on a page is right.

    Attributes
    ----------
    word : ndarray of float64, shape (W,)
        Of each word, as they begin at `first_of_word`.
    character : ndarray of float64, shape (M,)
    """

    word: NDArray[np.float64]
    character: NDArray[np.float64]


@dataclass(frozen=True)
class ConfidenceModel:
    """A perceptron of one hidden layer beside a linear model, on `word_features`.

    Attributes
    ----------
    low, high : ndarray of float64, shape (F,)
        What the features were seen to lie between; others are taken for the nearer of the two.
    linear : ndarray of float64, shape (F,)
    hidden : ndarray of float64, shape (F, H)
    hidden_bias, out : ndarray of float64, shape (H,)
        The hidden units are hyperbolic tangents.
    bias : ndarray of float64, shape (1,)
    sharpness : ndarray of float64, shape (1,)
        By which the classifier's logarithms are multiplied for the confidence of a character.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    linear: NDArray[np.float64]
    hidden: NDArray[np.float64]
    hidden_bias: NDArray[np.float64]
    out: NDArray[np.float64]
    bias: NDArray[np.float64]
    sharpness: NDArray[np.float64]

    def words(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return how likely each word is right.

        Parameters
        ----------
        features : ndarray of float32, shape (W, F)
            From `word_features`.

        Returns
        -------
        ndarray of float64, shape (W,)
        """
        value = np.clip(features.astype(np.float64), self.low, self.high)
        # Not by matrix products: a row's result must not depend on how many rows there are.
        units = np.tanh(np.einsum("wf,fh->wh", value, self.hidden) + self.hidden_bias)
        odds = np.einsum("wf,f->w", value, self.linear) + np.einsum("wh,h->w", units, self.out)
        odds += self.bias
        return np.asarray(1 / (1 + np.exp(-np.clip(odds, -30, 30))), np.float64)

    def characters(
        self, log_probabilities: NDArray[np.float32], label: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return how likely each character is right.

        Parameters
        ----------
        log_probabilities : ndarray of float32, shape (M, C)
            The classifier's scores.
        label : ndarray of int64, shape (M,)
            What was read.

        Returns
        -------
        ndarray of float64, shape (M,)
        """
        return sharpened(log_probabilities, label, float(self.sharpness[0]))

    def save(self, path: Path) -> None:
        """Write the model to an .npz file, in single precision."""
        with ZipFile(path, "w") as archive:
            for name in _shapes_of(1):
                # A member without a date: the same model is the same file.
                with archive.open(ZipInfo(f"{name}.npy"), "w") as member:
                    array = getattr(self, name).astype(np.float32)
                    np.lib.format.write_array(member, array, allow_pickle=False)

    @classmethod
    def load(cls, path: Path) -> ConfidenceModel:
        """Read a model.

        Raises
        ------
        BundleError
            If the file is damaged or made for other features.
        """
        try:
            with np.load(path, allow_pickle=False) as data:
                model = cls(**{name: np.asarray(data[name], np.float64) for name in _shapes_of(1)})
        except (OSError, EOFError, KeyError, TypeError, ValueError, BadZipFile) as error:
            raise BundleError(
                f"The confidence model {path} can not be read ({error}). Install the bundle again."
            ) from error
        expected = _shapes_of(model.out.size)
        if any(getattr(model, name).shape != shape for name, shape in expected.items()) or not all(
            np.isfinite(getattr(model, name)).all() for name in expected
        ):
            raise BundleError(
                f"The confidence model {path} was made for other features. Fit it again with this "
                "version, or remove it and its entry in the card."
            )
        return model


def _shapes_of(units: int) -> dict[str, tuple[int, ...]]:
    """Return the shape of each array of a model with so many hidden units."""
    count = len(WORD_FEATURES)
    return {
        "low": (count,),
        "high": (count,),
        "linear": (count,),
        "hidden": (count, units),
        "hidden_bias": (units,),
        "out": (units,),
        "bias": (1,),
        "sharpness": (1,),
    }


def sharpened(
    log_probabilities: NDArray[np.floating], label: NDArray[np.int64], sharpness: float
) -> NDArray[np.float64]:
    """Return the probability of a class of each row after multiplying logarithms.

    Parameters
    ----------
    log_probabilities : ndarray of float, shape (M, C)
    label : ndarray of int64, shape (M,)
    sharpness : float
        Above 1: surer.

    Returns
    -------
    ndarray of float64, shape (M,)
    """
    power = np.exp(log_probabilities * np.float32(sharpness))
    own = power[np.arange(len(label)), label].astype(np.float64)
    return np.asarray(own / power.sum(axis=1, dtype=np.float64), np.float64)
