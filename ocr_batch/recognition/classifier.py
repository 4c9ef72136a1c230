"""Classify crops in batches, with whichever back end the machine has."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ocr_batch.errors import BundleError, UsageError
from ocr_batch.recognition.bundle import Card, verify

__all__ = ["BACKENDS", "FLOAT_FILE", "INT8_FILE", "KERAS_FILE", "Classifier", "load_classifier"]

#: Back ends in order of preference.
BACKENDS = ("litert-int8", "litert-float", "tensorflow")
INT8_FILE, FLOAT_FILE, KERAS_FILE = "model.int8.tflite", "model.float.tflite", "model.keras"

#: Crops that TensorFlow gets at once; always this many, so that results do not depend on how many
#: crops come together.
_TENSORFLOW_BATCH = 1024
_SIGN_BIT = np.uint8(0x80)


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
        self, images: NDArray[np.uint8], geometry: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Classify crops.

        Parameters
        ----------
        images : (E, 56, 56, 2) uint8
            255 is ink.
        geometry : (E, 8) float32
            In x-heights.

        Returns
        -------
        (E, C) float32
            Log-probabilities, the temperature applied. A row does not depend on the others.
        """
        ...


def _log_softmax(logits: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Write the logarithm of the softmax of each row to `out`, in float32."""
    np.subtract(logits, logits.max(axis=1, keepdims=True), out=out)
    out -= np.log(np.exp(out).sum(axis=1, keepdims=True))


def _slices(count: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def _check_shapes(card: Card, images: NDArray[Any], geometry: NDArray[Any]) -> None:
    frame = (card.contract.frame, card.contract.frame, card.contract.channels)
    if images.dtype != np.uint8 or images.shape[1:] != frame:
        raise ValueError(f"crops are {images.dtype} {images.shape}, not uint8 (E, {frame})")
    if geometry.shape != (len(images), card.contract.geometry):
        raise ValueError(f"geometry has shape {geometry.shape} for {len(images)} crops")


@contextmanager
def _without_notices() -> Iterator[None]:
    """Hold back what LiteRT writes to file descriptor 2 about its delegates; pass on the rest.

    It has no setting for that, and a run with many workers would say it once for each.
    """
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # no standard error at all
        yield
        return
    with tempfile.TemporaryFile() as said:
        try:
            os.dup2(said.fileno(), 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            said.seek(0)
            for line in said:
                if not line.startswith(b"INFO:"):
                    os.write(2, line)


class _LiteRT:
    """A LiteRT interpreter, float or int8, on one thread and with a fixed batch."""

    def __init__(self, folder: Path, card: Card, backend: str) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self.backend, self.card = backend, card
        path = folder / (INT8_FILE if backend == "litert-int8" else FLOAT_FILE)
        try:
            with _without_notices():
                self._interpreter = Interpreter(model_path=str(path), num_threads=1)
                self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise BundleError(
                f"{path} can not be run here ({error}); choose another back end, "
                "or install a newer ai-edge-litert"
            ) from error
        inputs = {len(item["shape"]): item for item in self._interpreter.get_input_details()}
        output = self._interpreter.get_output_details()[0]
        self._image, self._geometry, self._output = (
            inputs[4]["index"],
            inputs[2]["index"],
            output["index"],
        )
        self._batch = int(inputs[4]["shape"][0])
        self._quantised = inputs[4]["dtype"] == np.int8
        if self._quantised and inputs[4]["quantization"][1] != -128:
            raise BundleError(f"{path} was not exported by ocr-batch; export the model again")
        self._geometry_step, self._geometry_zero = inputs[2]["quantization"]
        step, self._output_zero = output["quantization"]
        self._factor = np.float32((step if self._quantised else 1.0) / card.temperature)
        if int(output["shape"][1]) != len(card.classes):
            raise BundleError(
                f"{path} tells {output['shape'][1]} classes apart, its card names "
                f"{len(card.classes)}; export the bundle again"
            )

    def scores(
        self, images: NDArray[np.uint8], geometry: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """See `Classifier.scores`."""
        _check_shapes(self.card, images, geometry)
        result = np.empty((len(images), len(self.card.classes)), np.float32)
        for rows in _slices(len(images), self._batch):
            self._feed(images[rows], geometry[rows])
            self._interpreter.invoke()
            # A view of the interpreter's memory: it must be gone before the next invoke.
            logits = self._interpreter.tensor(self._output)()[: rows.stop - rows.start]
            real = (logits.astype(np.float32) - self._output_zero) * self._factor
            del logits
            _log_softmax(real, result[rows])
        return result

    def _feed(self, images: NDArray[np.uint8], geometry: NDArray[np.float32]) -> None:
        """Write crops to the interpreter's inputs; rows beyond them keep what they had."""
        count = len(images)
        to_image = self._interpreter.tensor(self._image)()
        to_geometry = self._interpreter.tensor(self._geometry)()
        if self._quantised:
            # Scale 1/255 and zero point -128: the quantised pixel is the byte less 128.
            np.bitwise_xor(images, _SIGN_BIT, out=to_image[:count].view(np.uint8))
            steps = np.rint(geometry / np.float32(self._geometry_step)) + self._geometry_zero
            to_geometry[:count] = np.clip(steps, -128, 127)
        else:
            np.multiply(images, np.float32(1 / 255), out=to_image[:count])
            to_geometry[:count] = geometry


def _refuse_code(path: Path) -> None:
    """Refuse a Keras file that names anything but Keras' own layers, before Keras opens it."""
    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise BundleError(f"{path} is not a Keras model ({error}); train it again") from error
    waiting: list[Any] = [config]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            module = item.get("module")
            foreign = isinstance(module, str) and module.split(".")[0] not in ("keras", "builtins")
            if foreign or item.get("class_name") in ("Lambda", "__lambda__", "TorchModuleWrapper"):
                raise BundleError(
                    f"{path} holds {item.get('class_name')}, code that a model may not bring along;"
                    " use a model of plain Keras layers"
                )
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item


class _TensorFlow:
    """The Keras model itself: slow to load, but it runs on a GPU."""

    def __init__(self, folder: Path, card: Card) -> None:
        import tensorflow as tf

        self.backend, self.card = "tensorflow", card
        model = _load_keras(folder / KERAS_FILE)
        if model.output_shape[-1] != len(card.classes):
            raise BundleError(
                f"{folder / KERAS_FILE} tells {model.output_shape[-1]} classes apart, its card "
                f"names {len(card.classes)}; export the bundle again"
            )

        def forward(images: Any, geometry: Any) -> Any:
            return model([tf.cast(images, tf.float32) / 255.0, geometry], training=False)

        contract, size = card.contract, _TENSORFLOW_BATCH
        self._shape = (size, contract.frame, contract.frame, contract.channels)
        self._forward = tf.function(
            forward,
            input_signature=[
                tf.TensorSpec(self._shape, tf.uint8),
                tf.TensorSpec((size, contract.geometry), tf.float32),
            ],
        )

    def scores(
        self, images: NDArray[np.uint8], geometry: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """See `Classifier.scores`."""
        _check_shapes(self.card, images, geometry)
        result = np.empty((len(images), len(self.card.classes)), np.float32)
        size = self._shape[0]
        for rows in _slices(len(images), size):
            count = rows.stop - rows.start
            image, shape = images[rows], geometry[rows].astype(np.float32)
            if count < size:
                image = np.concatenate(
                    [image, np.zeros((size - count, *image.shape[1:]), np.uint8)]
                )
                shape = np.pad(shape, ((0, size - count), (0, 0)))
            logits = self._forward(image, shape).numpy()[:count]
            _log_softmax(logits / np.float32(self.card.temperature), result[rows])
        return result


def _load_keras(path: Path) -> Any:
    """Load a Keras model without running code from the file."""
    _refuse_code(path)
    import keras

    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except (OSError, TypeError, ValueError) as error:
        raise BundleError(f"{path} can not be loaded ({error}); train the model again") from error


def _available(backend: str, folder: Path) -> bool:
    """Tell whether the library and the file that a back end needs are there."""
    if backend == "tensorflow":
        return (folder / KERAS_FILE).is_file() and find_spec("tensorflow") is not None
    name = INT8_FILE if backend == "litert-int8" else FLOAT_FILE
    return (folder / name).is_file() and find_spec("ai_edge_litert") is not None


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
        is in the bundle.
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
            if candidate == "tensorflow":
                return _TensorFlow(folder, card)
            return _LiteRT(folder, card, candidate)
    raise UsageError(
        f"back end {backend} can not run the bundle {folder}: its library is not installed or its "
        "file is missing; install ai-edge-litert or tensorflow"
    )
