"""Run a bundle's LiteRT export: quick to load and to run on a CPU."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocr_batch.errors import BundleError
from ocr_batch.recognition.bundle import Card
from ocr_batch.recognition.logits import checked, log_softmax, slices
from ocr_batch.recognition.notices import without_notices

__all__ = ["LiteRTClassifier"]

#: Crops that are classified at a time: more are not quicker, and those that fill a batch up at the
#: end are wasted.
_BATCH = 32
#: More than this only takes memory.
_LARGEST_BATCH = 4096
_SIGN_BIT = np.uint8(0x80)


def _by_name(details: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Tell a network's inputs apart, whose names come as ``serving_default_image:0``."""
    if len(details) == 1:
        return {"image": details[0]}
    return {
        name: item for item in details for name in ("image", "geometry") if name in item["name"]
    }


class LiteRTClassifier:
    """A LiteRT network, float or int8, on one thread.

    The number of crops that it gets at once makes no difference to its scores.

    Parameters
    ----------
    path : Path
        The ``.tflite`` file.
    card : Card
        Of its bundle.
    backend : str
        Name of the back end.
    batch : int, optional
        Crops to classify at a time; at most 4096 are. A network that takes no other number than its
        own gets that.

    Raises
    ------
    BundleError
        If the file can not be run, or does not fit the card.
    """

    def __init__(self, path: Path, card: Card, backend: str, batch: int | None = None) -> None:
        self.backend, self.card = backend, card
        batch = min(batch or _BATCH, _LARGEST_BATCH)
        try:
            with without_notices():
                self._network = _open(path, card, batch)
                self.batch = self._network.batch
                # What is left after the last full batch does not fill another large one.
                large = self.batch == batch > _BATCH
                self._rest = _open(path, card, _BATCH) if large else self._network
        except (RuntimeError, ValueError) as error:
            raise BundleError(
                f"{path} can not be run here ({error}); choose another back end, "
                "or install a newer ai-edge-litert"
            ) from error

    def scores(
        self, images: NDArray[np.uint8], geometry: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """See `Classifier.scores`."""
        inputs = checked(self.card, images, geometry)
        result = np.empty((len(images), len(self.card.classes)), np.float32)
        full = len(images) // self.batch * self.batch
        self._network.run(inputs, slice(0, full), result)
        self._rest.run(inputs, slice(full, len(images)), result)
        return result


def _open(path: Path, card: Card, batch: int) -> _Network:
    """Load a network for a batch, or for its own where it takes no other."""
    try:
        return _Network(path, card, batch)
    except RuntimeError:
        return _Network(path, card, None)


class _Network:
    """An interpreter, made ready for a number of crops; None for the number in the file."""

    def __init__(self, path: Path, card: Card, batch: int | None) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter = Interpreter(model_path=str(path), num_threads=1)
        for item in self._interpreter.get_input_details() if batch else ():
            self._interpreter.resize_tensor_input(item["index"], (batch, *item["shape"][1:]))
        self._interpreter.allocate_tensors()
        self._inputs = _by_name(self._interpreter.get_input_details())
        output = self._interpreter.get_output_details()[0]
        self._output = output["index"]
        contract = card.contract
        pixels = {"image": contract.frame**2 * contract.channels}
        wanted = {**pixels, **({"geometry": contract.geometry} if contract.geometry else {})}
        found = {name: int(np.prod(item["shape"][1:])) for name, item in self._inputs.items()}
        if found != wanted:
            raise BundleError(
                f"{path} takes {found} numbers, its card says {wanted}; export the bundle again"
            )
        image = self._inputs["image"]
        self.batch = int(image["shape"][0])
        self._quantised = image["dtype"] == np.int8
        if self._quantised and image["quantization"][1] != -128:
            raise BundleError(f"{path} was not exported by ocr-batch; export the model again")
        step, self._output_zero = output["quantization"]
        self._factor = np.float32((step if self._quantised else 1.0) / card.temperature)
        if int(output["shape"][1]) != len(card.classes):
            raise BundleError(
                f"{path} tells {output['shape'][1]} classes apart, its card names "
                f"{len(card.classes)}; export the bundle again"
            )

    def run(
        self, inputs: Mapping[str, NDArray[Any]], rows: slice, scores: NDArray[np.float32]
    ) -> None:
        """Classify some rows of the inputs; their log-probabilities go to the same of `scores`."""
        for part in slices(rows.stop - rows.start, self.batch):
            place = slice(rows.start + part.start, rows.start + part.stop)
            self._feed({name: value[place] for name, value in inputs.items()})
            self._interpreter.invoke()
            # A view of the interpreter's memory: it must be gone before the next invoke.
            logits = self._interpreter.tensor(self._output)()[: part.stop - part.start]
            real = (logits.astype(np.float32) - self._output_zero) * self._factor
            del logits
            log_softmax(real, scores[place])

    def _feed(self, inputs: Mapping[str, NDArray[Any]]) -> None:
        """Write crops to the interpreter's inputs; rows beyond them keep what they had."""
        for name, given in inputs.items():
            item = self._inputs[name]
            target = self._interpreter.tensor(item["index"])()[: len(given)]
            values = given.reshape(target.shape)
            if not self._quantised:
                np.multiply(values, np.float32(1 / 255 if name == "image" else 1), out=target)
            elif name == "image":
                # Scale 1/255 and zero point -128: the quantised pixel is the byte less 128.
                np.bitwise_xor(values, _SIGN_BIT, out=target.view(np.uint8))
            else:
                step, zero = item["quantization"]
                target[:] = np.clip(np.rint(values / np.float32(step)) + zero, -128, 127)
