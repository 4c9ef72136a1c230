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

_SIGN_BIT = np.uint8(0x80)


def _by_name(details: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Tell a network's inputs apart, whose names come as ``serving_default_image:0``."""
    if len(details) == 1:
        return {"image": details[0]}
    return {
        name: item for item in details for name in ("image", "geometry") if name in item["name"]
    }


class LiteRTClassifier:
    """A LiteRT interpreter, float or int8, on one thread and with a fixed batch.

    Parameters
    ----------
    path : Path
        The ``.tflite`` file.
    card : Card
        Of its bundle.
    backend : str
        Name of the back end.

    Raises
    ------
    BundleError
        If the file can not be run, or does not fit the card.
    """

    def __init__(self, path: Path, card: Card, backend: str) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self.backend, self.card = backend, card
        try:
            with without_notices():
                self._interpreter = Interpreter(model_path=str(path), num_threads=1)
                self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise BundleError(
                f"{path} can not be run here ({error}); choose another back end, "
                "or install a newer ai-edge-litert"
            ) from error
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
        self._batch = int(image["shape"][0])
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

    def scores(
        self, images: NDArray[np.uint8], geometry: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """See `Classifier.scores`."""
        inputs = checked(self.card, images, geometry)
        result = np.empty((len(images), len(self.card.classes)), np.float32)
        for rows in slices(len(images), self._batch):
            self._feed({name: value[rows] for name, value in inputs.items()})
            self._interpreter.invoke()
            # A view of the interpreter's memory: it must be gone before the next invoke.
            logits = self._interpreter.tensor(self._output)()[: rows.stop - rows.start]
            real = (logits.astype(np.float32) - self._output_zero) * self._factor
            del logits
            log_softmax(real, result[rows])
        return result

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
