"""Classify crops in batches, with whichever back end the machine has."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ocr_batch.errors import BundleError, UsageError
from ocr_batch.recognition.bundle import Card, load_card, verify
from ocr_batch.recognition.devices import gpu_is_usable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "BACKENDS",
    "FLOAT_FILE",
    "INT8_FILE",
    "KERAS_FILE",
    "LARGEST_BATCH",
    "Classifier",
    "choose_backend",
    "connect_classifier",
    "load_classifier",
]

#: Back ends in order of preference.
BACKENDS = ("litert-int8", "litert-float", "keras")
INT8_FILE, FLOAT_FILE, KERAS_FILE = "model.int8.tflite", "model.float.tflite", "model.keras"
_FILES = dict(zip(BACKENDS, (INT8_FILE, FLOAT_FILE, KERAS_FILE), strict=True))
#: Crops that may be asked for at a time.
LARGEST_BATCH = 65536


class Classifier(Protocol):
    """Whatever turns crops into log-probabilities.

    Attributes
    ----------
    backend : str
        One of `BACKENDS`.
    card : Card
        Of the bundle; `card.classes` names the columns of the scores.
    batch : int
        Crops that it classifies at a time, at most.
    """

    @property
    def backend(self) -> str:
        """Name of the back end."""
        ...

    @property
    def batch(self) -> int:
        """Crops that it classifies at a time."""
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


def _choose(folder: Path, backend: str) -> str:
    """Return the back end asked for, or the first that is there, if its files and library are."""
    if backend not in ("auto", *BACKENDS):
        raise UsageError(f"no back end {backend!r}; choose auto or one of {', '.join(BACKENDS)}")
    for candidate in BACKENDS if backend == "auto" else (backend,):
        if _available(candidate, folder):
            return candidate
    raise UsageError(
        f"back end {backend} can not run the bundle {folder}: its library is not installed or its "
        "file is missing; install ai-edge-litert or keras"
    )


def choose_backend(folder: Path, backend: str = "auto") -> str:
    """Return the name of the back end that a run over many pages uses.

    Imports neither Keras nor LiteRT. Where the system shows a GPU and the libraries for it are
    installed, a process of its own tries whether Keras computes on it (`devices.gpu_is_usable`).

    Parameters
    ----------
    folder : Path
        Of the bundle.
    backend : str
        One of `BACKENDS`, or "auto": "keras" where it can use a GPU, else the first that is there.

    Returns
    -------
    str
        One of `BACKENDS`.

    Raises
    ------
    UsageError
        If the back end is not known, or its library or the bundle's file for it is missing.
    """
    if backend == "auto" and _available("keras", folder) and gpu_is_usable():
        return "keras"
    return _choose(folder, backend)


def _check_classes(folder: Path, card: Card, classes: Sequence[str] | None) -> None:
    if classes is not None and card.classes != tuple(classes):
        raise BundleError(
            f"the model bundle {folder} tells other characters apart than this version reads; "
            "train it again, or install the version it was made for"
        )


def load_classifier(
    folder: Path,
    backend: str = "auto",
    classes: Sequence[str] | None = None,
    *,
    batch: int | None = None,
) -> Classifier:
    """Load the classifier of a bundle into this process.

    Parameters
    ----------
    folder : Path
        As `bundle.find_bundle` gives it. Its files are checked against the card.
    backend : str
        One of `BACKENDS`, or "auto": the first of them whose library is installed and whose file
        is in the bundle, whether there is a GPU or not. "keras" runs on what KERAS_BACKEND says.
    classes : sequence of str, optional
        What the caller takes the columns of the scores for; a bundle with others is refused.
    batch : int, optional
        Crops to classify at a time, 1 to `LARGEST_BATCH`; by default what suits the back end.
        LiteRT's scores do not depend on it, those of Keras may in their last digits.

    Returns
    -------
    Classifier

    Raises
    ------
    UsageError
        If the back end is not known, or its library is not installed; if the batch is no number
        of crops.
    BundleError
        If the bundle does not fit.
    """
    if batch is not None and not 1 <= batch <= LARGEST_BATCH:
        raise UsageError(f"the batch is {batch} crops; it must be 1 to {LARGEST_BATCH}")
    chosen = _choose(folder, backend)
    card = verify(folder)
    _check_classes(folder, card, classes)
    # What a run does not use costs no start-up time.
    if chosen == "keras":
        from ocr_batch.recognition.keras_model import KerasClassifier

        return KerasClassifier(folder / KERAS_FILE, card, batch)
    from ocr_batch.recognition.litert import LiteRTClassifier

    return LiteRTClassifier(folder / _FILES[chosen], card, chosen, batch)


def connect_classifier(
    folder: Path, address: str, classes: Sequence[str] | None = None
) -> Classifier:
    """Have crops classified by another process, which owns the GPU.

    Parameters
    ----------
    folder : Path
        Of the bundle that the other process loads, and checks.
    address : str
        Of that process, from `batch.classifying`; it is waited for until it is ready.
    classes : sequence of str, optional
        As for `load_classifier`.

    Returns
    -------
    Classifier

    Raises
    ------
    OcrBatchError
        If the other process can not classify: what `load_classifier` raised there.
    """
    card = load_card(folder)
    _check_classes(folder, card, classes)
    from ocr_batch.recognition.remote import RemoteClassifier

    return RemoteClassifier(address, card)
