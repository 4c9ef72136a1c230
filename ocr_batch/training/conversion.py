"""Convert a Keras file to LiteRT, float and int8, in this process or in one that has TensorFlow."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import ocr_batch
from ocr_batch.errors import TrainingError
from ocr_batch.recognition.classifier import FLOAT_FILE, INT8_FILE, KERAS_FILE
from ocr_batch.recognition.keras_model import as_logits, load_keras
from ocr_batch.recognition.notices import without_notices

__all__ = ["convert", "convert_here", "free_batch"]

#: Crops that the LiteRT files take at once unless the reader asks for another number.
LITERT_BATCH = 64
_REPRESENTATIVE_FILE = "representative.npz"
_CHILD = (
    "import sys; from pathlib import Path;"
    "from ocr_batch.training.conversion import convert_here; convert_here(Path(sys.argv[1]))"
)
#: Lines of a failed conversion's complaint that are worth showing.
_LAST_LINES = 3


def _to_litert(
    saved: Path, representative: Callable[[], Iterator[dict[str, NDArray[np.float32]]]] | None
) -> bytes:
    """Convert a SavedModel to LiteRT, to int8 when representative inputs are given."""
    import tensorflow as tf

    # The converter looks at its own result by an interpreter that it calls outdated.
    warnings.filterwarnings("ignore", module=r"tensorflow\.lite\.python\.interpreter")
    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved))
    if representative is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = representative
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.int8
    return free_batch(converter.convert())


def free_batch(content: bytes) -> bytes:
    """Let a network of a fixed number of crops be run with any other.

    The converter writes the number into the shapes that tensors are reshaped to, where an
    interpreter can not change it; it becomes "whatever is left" there. Nothing else changes, nor
    does the length.

    Parameters
    ----------
    content : bytes
        A ``.tflite`` file.

    Returns
    -------
    bytes
        The same network.
    """
    from tensorflow.lite.python import schema_py_generated as schema

    changed = bytearray(content)
    model = schema.Model.GetRootAs(changed, 0)
    graph = model.Subgraphs(0)
    batch = graph.Tensors(graph.Inputs(0)).Shape(0)
    for number in range(graph.OperatorsLength()):
        operator = graph.Operators(number)
        code = model.OperatorCodes(operator.OpcodeIndex())
        if code.BuiltinCode() != schema.BuiltinOperator.RESHAPE or operator.InputsLength() < 2:
            continue
        data = model.Buffers(graph.Tensors(operator.Inputs(1)).Buffer()).DataAsNumpy()
        # A view of `changed`; 0 where the shape is no constant.
        shape = data.view("<i4") if isinstance(data, np.ndarray) else np.zeros(0, "<i4")
        if len(shape) and shape[0] == batch and (shape[1:] > 0).all():
            shape[0] = -1
    return bytes(changed)


def convert_here(folder: Path) -> None:
    """Convert the Keras file of a folder; Keras must run on TensorFlow.

    Parameters
    ----------
    folder : Path
        Holds ``model.keras`` and ``representative.npz`` (the network's inputs by name, ``image``
        uint8, on which the ranges of int8 are measured); gets the two ``.tflite`` files, which
        take 64 crops at a time, or as many as they are resized to, and give logits.
    """
    import keras

    model = as_logits(load_keras(folder / KERAS_FILE))
    with np.load(folder / _REPRESENTATIVE_FILE) as stored:
        inputs = {name: stored[name] for name in stored.files}
    shapes = {tensor.name: (LITERT_BATCH, *tensor.shape[1:]) for tensor in model.inputs}
    signature = {
        name: keras.InputSpec(shape=shape, dtype="float32", name=name)
        for name, shape in shapes.items()
    }

    def representative() -> Iterator[dict[str, NDArray[np.float32]]]:
        count = len(inputs["image"])
        for start in range(0, count, LITERT_BATCH):
            rows = np.arange(start, start + LITERT_BATCH) % count
            batch = {name: values[rows].astype(np.float32) for name, values in inputs.items()}
            batch["image"] /= np.float32(255)
            # Black and white in every batch: the input's range is then exactly 0..1, and a
            # quantised pixel is its byte less 128.
            batch["image"][0, 0, 0], batch["image"][0, 0, 1] = 0.0, 1.0
            yield {name: values.reshape(shapes[name]) for name, values in batch.items()}

    with tempfile.TemporaryDirectory() as temporary, without_notices():
        saved = Path(temporary) / "saved"
        model.export(saved, format="tf_saved_model", verbose=False, input_signature=[signature])
        (folder / FLOAT_FILE).write_bytes(_to_litert(saved, None))
        (folder / INT8_FILE).write_bytes(_to_litert(saved, representative))


def convert(folder: Path, inputs: Mapping[str, NDArray[Any]]) -> None:
    """Convert the Keras file of a folder to LiteRT, whatever Keras runs on.

    Where that is not TensorFlow, which the converter needs, a process of its own does it.

    Parameters
    ----------
    folder : Path
        Holds ``model.keras``; gets the two ``.tflite`` files.
    inputs : mapping of str to (N, ...) array
        Crops on which the ranges of int8 are measured, by input; ``image`` is uint8.

    Raises
    ------
    TrainingError
        If the process can not convert it.
    """
    import keras

    arrays: dict[str, Any] = dict(inputs)
    np.savez(folder / _REPRESENTATIVE_FILE, **arrays)
    try:
        if keras.backend.backend() == "tensorflow":
            convert_here(folder)
        else:
            _convert_apart(folder)
    finally:
        (folder / _REPRESENTATIVE_FILE).unlink()


def _convert_apart(folder: Path) -> None:
    root = str(Path(ocr_batch.__file__).resolve().parents[1])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        **os.environ,
        "KERAS_BACKEND": "tensorflow",
        "PYTHONPATH": os.pathsep.join(paths),
        # The converter works on the CPU; the GPU is this process's.
        "CUDA_VISIBLE_DEVICES": "-1",
    }
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(folder)],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()[-_LAST_LINES:]
        raise TrainingError(
            f"the network could not be converted to LiteRT ({' '.join(said)}); "
            "install tensorflow, which the conversion needs, and export it again"
        )
