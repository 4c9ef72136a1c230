"""Write a trained network as a model bundle: Keras, LiteRT float and int8, and the card."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ocr_batch.datasets.batches import TrainingData
from ocr_batch.errors import TrainingError
from ocr_batch.recognition.bundle import CARD, Card, CropContract, checksum, load_card
from ocr_batch.recognition.classifier import KERAS_FILE, load_classifier
from ocr_batch.recognition.keras_model import foreign_code
from ocr_batch.training.conversion import convert

__all__ = ["H5_FILE", "export_bundle", "reseal", "seal", "write_card"]

#: The file that the customer's reference saves its model as.
H5_FILE = "prediction_model.h5"
#: Crops that int8 ranges are measured on, and that the exports are compared on.
_REPRESENTATIVE, _COMPARED = 2048, 20_000


def _compare(folder: Path, crops: TrainingData) -> dict[str, float]:
    """Measure how often each back end agrees with the truth, and int8 with float."""
    inputs = crops.inputs(slice(None))
    scores = {
        backend: load_classifier(folder, backend).scores(inputs["image"], inputs.get("geometry"))
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


def _check(model: Any, contract: CropContract, classes: Sequence[str]) -> None:
    """Refuse a model that does not fit the classes or the crops, or that Keras can not restore."""
    if model.output_shape[-1] != len(classes):
        raise TrainingError(
            f"the model tells {model.output_shape[-1]} classes apart, not {len(classes)}; "
            "train it with these classes"
        )
    takes = {tensor.name: int(np.prod(tensor.shape[1:])) for tensor in model.inputs}
    gets = {"image": contract.frame**2 * contract.channels, "geometry": contract.geometry}
    if takes != {name: size for name, size in gets.items() if size}:
        raise TrainingError(
            f"the model takes {takes} numbers a crop, {contract.name} crops have {gets}; "
            "train it on crops of this contract"
        )
    name = foreign_code(json.loads(model.to_json()))
    if name is not None:
        raise TrainingError(
            f"the model holds {name}, code that no bundle may bring along; "
            "build it from Keras' own layers alone"
        )


def export_bundle(
    model: Any,
    out: Path,
    *,
    contract: CropContract,
    classes: Sequence[str],
    n_characters: int,
    temperature: float,
    recipe: Mapping[str, Any],
    metrics: Mapping[str, Any],
    sources: Sequence[Mapping[str, str]],
    validation: TrainingData,
    representative: TrainingData | None = None,
    seed: int = 0,
    h5: bool = False,
) -> Card:
    """Write a bundle: ``model.keras``, its two LiteRT exports, and ``card.json``.

    All is made in a folder beside `out` first. Other files that already lie in `out` (the language
    model, the space model) stay, and are listed in the card.

    Parameters
    ----------
    model : keras.Model
        Takes ``image`` (N, frame, frame, channels), or flat (N, frame * frame), in 0..1, and
        ``geometry`` (N, G) where the contract has one; gives logits or probabilities (N, C).
    out : Path
        The bundle's folder, whose name becomes the bundle's; made if missing.
    contract : CropContract
        How the crops are cut.
    classes : sequence of str
        The C classes in order; those from `n_characters` on are garbage.
    n_characters : int
    temperature : float
    recipe, metrics : mapping
        For the card; must be JSON.
    sources : sequence of mapping
        For the card: data sources with their licences.
    validation : TrainingData
        Crops on which the exports are compared.
    representative : TrainingData, optional
        Crops by which int8 ranges are chosen, best training data. Default: `validation`.
    seed : int
        Of the choice among them.
    h5 : bool
        Also write ``prediction_model.h5``, for programs that expect it.

    Returns
    -------
    Card

    Raises
    ------
    TrainingError
        If the model does not fit the classes or the contract, holds layers that are not Keras'
        own, or can not be converted.
    """
    _check(model, contract, classes)
    # An absolute path has a name, whatever `out` is.
    out = out.absolute()
    out.parent.mkdir(parents=True, exist_ok=True)
    card = Card(
        name=out.name,
        network=model.name,
        classes=tuple(classes),
        n_characters=n_characters,
        contract=contract,
        temperature=round(temperature, 5),
        recipe=dict(recipe),
        metrics=dict(metrics),
        sources=tuple(sources),
        files={},
    )
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as temporary:
        part = Path(temporary)
        # Without the optimizer's state, which only a checkpoint needs.
        bare = type(model).from_config(model.get_config())
        bare.set_weights(model.get_weights())
        bare.save(part / KERAS_FILE)
        if h5:
            bare.save(part / H5_FILE)
        shown = validation if representative is None else representative
        convert(part, shown.take(_REPRESENTATIVE, seed).inputs(slice(None)))
        write_card(part, card)
        exports = _compare(part, validation.take(_COMPARED, seed + 1))
        out.mkdir(exist_ok=True)
        if not h5:  # that of an earlier model is not this one's
            (out / H5_FILE).unlink(missing_ok=True)
        for path in sorted(part.iterdir()):
            if path.name != CARD:
                shutil.move(path, out / path.name)
    write_card(out, replace(card, metrics={**metrics, "exports": exports}))
    return load_card(out)
