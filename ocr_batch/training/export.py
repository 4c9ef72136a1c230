"""Write a trained network as a model bundle: Keras, LiteRT float and int8, and the card."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocr_batch.datasets.crops import Dataset
from ocr_batch.errors import TrainingError
from ocr_batch.recognition.bundle import CARD, LINE_RELATIVE, Card, checksum, load_card
from ocr_batch.recognition.classifier import (
    FLOAT_FILE,
    INT8_FILE,
    KERAS_FILE,
    load_classifier,
)

__all__ = ["export_bundle", "reseal", "seal", "write_card"]

#: Crops that the LiteRT files take at once.
LITERT_BATCH = 64
#: Crops that int8 ranges are measured on, and that the exports are compared on.
_REPRESENTATIVE, _COMPARED = 2048, 20_000


def _convert(
    saved: Path, representative: Callable[[], Iterator[dict[str, NDArray[np.float32]]]] | None
) -> bytes:
    """Convert a SavedModel to LiteRT, to int8 when representative inputs are given."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved))
    if representative is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = representative
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.int8
    content: bytes = converter.convert()
    return content


def _export_litert(model: Any, folder: Path, crops: Dataset) -> None:
    """Write the float and the int8 file, the int8 ranges measured on `crops`."""
    import keras

    size, contract = LITERT_BATCH, LINE_RELATIVE
    shape = (size, contract.frame, contract.frame, contract.channels)
    signature = [
        keras.InputSpec(shape=shape, dtype="float32", name="image"),
        keras.InputSpec(shape=(size, contract.geometry), dtype="float32", name="geometry"),
    ]

    def representative() -> Iterator[dict[str, NDArray[np.float32]]]:
        for start in range(0, len(crops), size):
            rows = np.arange(start, start + size) % len(crops)
            image = crops.images(rows).astype(np.float32) / np.float32(255)
            # Black and white in every batch: the input's range is then exactly 0..1, and a
            # quantised pixel is its byte less 128.
            image[0, 0, 0], image[0, 0, 1] = 0.0, 1.0
            yield {"image": image, "geometry": crops.geometry[rows].astype(np.float32)}

    with tempfile.TemporaryDirectory() as temporary:
        saved = Path(temporary) / "saved"
        model.export(saved, format="tf_saved_model", verbose=False, input_signature=[signature])
        (folder / FLOAT_FILE).write_bytes(_convert(saved, None))
        (folder / INT8_FILE).write_bytes(_convert(saved, representative))


def _compare(folder: Path, crops: Dataset) -> dict[str, float]:
    """Measure how often each back end agrees with the truth, and int8 with float."""
    images, geometry = crops.images(slice(None)), crops.geometry.astype(np.float32)
    scores = {
        backend: load_classifier(folder, backend).scores(images, geometry)
        for backend in ("litert-float", "litert-int8")
    }
    read = {backend: value.argmax(axis=1) for backend, value in scores.items()}
    figures = {
        f"{backend}_top1": float((value == crops.label).mean()) for backend, value in read.items()
    }
    figures["int8_agrees_with_float"] = float((read["litert-int8"] == read["litert-float"]).mean())
    figures["int8_score_deviation"] = float(
        np.abs(scores["litert-int8"] - scores["litert-float"]).max(axis=1).mean()
    )
    return {name: round(value, 5) for name, value in figures.items()}


def write_card(folder: Path, card: Card) -> None:
    """Write the card of a bundle, with the checksums of all files that lie in its folder."""
    files = {
        path.name: checksum(path)
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name != CARD and not path.name.startswith(".")
    }
    content = replace(card, files=files).as_json()
    part = folder / f".{CARD}.part"
    part.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", "utf-8")
    part.replace(folder / CARD)


def seal(folder: Path, sources: Sequence[Mapping[str, str]] = ()) -> None:
    """Renew the checksums of a bundle after a file was added or replaced; add data sources."""
    card = load_card(folder)
    known = list(card.sources)
    known += [source for source in sources if source not in known]
    write_card(folder, replace(card, sources=tuple(known)))


def reseal(folder: Path) -> None:
    """Renew the checksums of a bundle, if the folder is one already."""
    if (folder / CARD).exists():
        seal(folder)


def export_bundle(
    model: Any,
    out: Path,
    *,
    classes: Sequence[str],
    n_characters: int,
    temperature: float,
    recipe: Mapping[str, Any],
    metrics: Mapping[str, Any],
    sources: Sequence[Mapping[str, str]],
    validation: Dataset,
    seed: int = 0,
) -> Card:
    """Write a bundle: ``model.keras``, its two LiteRT exports, and ``card.json``.

    Other files that already lie in the folder (the language model, the space model) stay, and
    are listed in the card.

    Parameters
    ----------
    model : keras.Model
        Takes ``image`` (N, 56, 56, 2) in 0..1 and ``geometry`` (N, 8); gives logits (N, C).
    out : Path
        The bundle's folder, whose name becomes the bundle's; made if missing.
    classes : sequence of str
        The C classes in order; those from `n_characters` on are garbage.
    n_characters : int
    temperature : float
    recipe, metrics : mapping
        For the card; must be JSON.
    sources : sequence of mapping
        For the card: data sources with their licences.
    validation : Dataset
        Crops by which int8 ranges are chosen and the exports compared.
    seed : int
        Of the choice among them.

    Returns
    -------
    Card

    Raises
    ------
    TrainingError
        If the model's output does not fit the classes.
    """
    if model.output_shape[-1] != len(classes):
        raise TrainingError(
            f"the model tells {model.output_shape[-1]} classes apart, not {len(classes)}; "
            "train it with these classes"
        )
    out.mkdir(parents=True, exist_ok=True)
    # Without the optimizer's state, which only a checkpoint needs.
    bare = type(model).from_config(model.get_config())
    bare.set_weights(model.get_weights())
    bare.save(out / KERAS_FILE)
    _export_litert(bare, out, validation.take(_REPRESENTATIVE, seed))
    card = Card(
        name=out.name,
        network=model.name,
        classes=tuple(classes),
        n_characters=n_characters,
        contract=LINE_RELATIVE,
        temperature=round(temperature, 5),
        recipe=dict(recipe),
        metrics=dict(metrics),
        sources=tuple(sources),
        files={},
    )
    write_card(out, card)
    exports = _compare(out, validation.take(_COMPARED, seed + 1))
    write_card(out, replace(card, metrics={**metrics, "exports": exports}))
    return load_card(out)
