"""Classify crops in batches, with whichever back end the machine has."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ocr_batch.errors import BundleError, UsageError
from ocr_batch.recognition.bundle import Card, verify
from ocr_batch.recognition.keras_model import KerasClassifier
from ocr_batch.recognition.litert import LiteRTClassifier

__all__ = ["BACKENDS", "FLOAT_FILE", "INT8_FILE", "KERAS_FILE", "Classifier", "load_classifier"]

#: Back ends in order of preference.
BACKENDS = ("litert-int8", "litert-float", "keras")
INT8_FILE, FLOAT_FILE, KERAS_FILE = "model.int8.tflite", "model.float.tflite", "model.keras"
_FILES = dict(zip(BACKENDS, (INT8_FILE, FLOAT_FILE, KERAS_FILE), strict=True))


class Classifier(Protocol):
    """Whatever turns crops into log-probabilities.

    Attributes
    ----------
    backend : str
        One of `BACKENDS`.
    card : Card
        Of the bundle; `card.classes` names the columns of the scores.
    """

    @property
    def backend(self) -> str:
        """Name of the back end."""
        ...

    @property
    def card(self) -> Card:
        """Card of the bundle."""
        ...

    def scores(
        self, images: NDArray[np.uint8], geometry: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Classify crops.

        Parameters
        ----------
        images : (E, frame, frame, channels) uint8
            As the contract of the card says; 255 is ink.
        geometry : (E, G) float32, optional
            In x-heights; left out where the contract has none.

        Returns
        -------
        (E, C) float32
            Log-probabilities, the temperature applied. A row does not depend on the others.
        """
        ...


def _available(backend: str, folder: Path) -> bool:
    """Tell whether the library and the file that a back end needs are there."""
    library = "keras" if backend == "keras" else "ai_edge_litert"
    return (folder / _FILES[backend]).is_file() and find_spec(library) is not None


def load_classifier(
    folder: Path, backend: str = "auto", classes: Sequence[str] | None = None
) -> Classifier:
    """Load the classifier of a bundle.

    Parameters
    ----------
    folder : Path
        As `bundle.find_bundle` gives it. Its files are checked against the card.
    backend : str
        One of `BACKENDS`, or "auto": the first of them whose library is installed and whose file
        is in the bundle. "keras" runs on what KERAS_BACKEND says.
    classes : sequence of str, optional
        What the caller takes the columns of the scores for; a bundle with others is refused.

    Returns
    -------
    Classifier

    Raises
    ------
    UsageError
        If the back end is not known, or its library is not installed.
    BundleError
        If the bundle does not fit.
    """
    if backend not in ("auto", *BACKENDS):
        raise UsageError(f"no back end {backend!r}; choose auto or one of {', '.join(BACKENDS)}")
    card = verify(folder)
    if classes is not None and card.classes != tuple(classes):
        raise BundleError(
            f"the model bundle {folder} tells other characters apart than this version reads; "
            "train it again, or install the version it was made for"
        )
    for candidate in BACKENDS if backend == "auto" else (backend,):
        if _available(candidate, folder):
            if candidate == "keras":
                return KerasClassifier(folder / KERAS_FILE, card)
            return LiteRTClassifier(folder / _FILES[candidate], card, candidate)
    raise UsageError(
        f"back end {backend} can not run the bundle {folder}: its library is not installed or its "
        "file is missing; install ai-edge-litert or keras"
    )
