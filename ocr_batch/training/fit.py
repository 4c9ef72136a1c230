"""Train the page reader's network on shards of labelled crops, restarting from checkpoints."""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocr_batch.datasets.crops import (
    Batch,
    Dataset,
    join_shards,
    prefetch,
    shuffled_batches,
)
from ocr_batch.errors import OcrBatchError, TrainingError
from ocr_batch.recognition.charset import CLASSES, N_CHARACTERS
from ocr_batch.training.calibration import fit_temperature, measure
from ocr_batch.training.run import Recipe, Run

__all__ = ["History", "Recipe", "fit", "predict_logits", "train_page_reader"]

#: Batches between reports; batches on which the final batch statistics are measured.
_REPORT, _STATISTICS = 500, 400


@dataclass(frozen=True)
class History:
    """What came out of a training run.

    Attributes
    ----------
    steps : int
        Batches trained on.
    seconds : float
        Time spent on them, interruptions left out.
    losses : tuple of (int, float)
        Step and mean training loss since the entry before.
    temperature : float
        Found on the validation crops.
    metrics : dict
        Of the validation crops, as `calibration.measure` gives them.
    """

    steps: int
    seconds: float
    losses: tuple[tuple[int, float], ...]
    temperature: float
    metrics: dict[str, Any]


def _class_weights(label: NDArray[np.int16], classes: int, balance: float) -> Any:
    """Weights (C,) that make class frequencies ~ frequency ** (1 - balance); None without."""
    if balance == 0.0:
        return None
    counts = np.bincount(label, minlength=classes).astype(np.float64)
    return np.where(counts > 0, np.maximum(counts, 1) ** -balance, 0.0)


def predict_logits(model: Any, data: Dataset, batch: int = 1024) -> NDArray[np.float32]:
    """Classify all crops of a dataset with a Keras model; returns logits (N, C) float32."""
    import tensorflow as tf

    def forward(images: Any, geometry: Any) -> Any:
        return model([tf.cast(images, tf.float32) / 255.0, geometry], training=False)

    traced = tf.function(forward, reduce_retracing=True)
    parts = []
    for start in range(0, len(data), batch):
        rows = slice(start, start + batch)
        geometry = data.geometry[rows].astype(np.float32)
        parts.append(traced(data.images(rows), geometry).numpy())
    return np.concatenate(parts)


def _train(run: Run, batches: Generator[Batch], out: Path) -> None:
    """Train until the steps or the minutes of the recipe are used up."""
    from tqdm import tqdm

    recipe, state = run.recipe, run.state
    before, begun = state["seconds"], time.monotonic()
    recent: list[Any] = []
    with tqdm(
        total=recipe.steps or None,
        initial=state["step"],
        unit="batch",
        disable=not sys.stderr.isatty(),
    ) as bar:
        while not state["done"]:
            recent.append(run.train_on(next(batches)))
            bar.update()
            state["seconds"] = before + time.monotonic() - begun
            if recipe.steps:
                state["done"] = state["step"] >= recipe.steps
            else:
                state["done"] = state["seconds"] >= 60 * recipe.minutes
            if state["step"] % _REPORT and not state["done"]:
                continue
            loss = float(np.mean([float(value) for value in recent]))
            if not math.isfinite(loss):
                raise TrainingError("the training diverged; lower the learning rate and try again")
            state["losses"].append((state["step"], round(loss, 5)))
            recent.clear()
            tqdm.write(
                f"step {state['step']}: loss {loss:.4f}, {state['seconds']:.0f} s, "
                f"{state['step'] * recipe.batch / state['seconds']:.0f} crops/s",
                file=sys.stderr,
            )
            if state["done"] or state["step"] % recipe.checkpoint == 0:
                run.save(out)
    batches.close()


def fit(
    train: Dataset,
    validation: Dataset,
    recipe: Recipe,
    out: Path,
    resume: bool = True,
    *,
    classes: Sequence[str] = CLASSES,
    n_characters: int = N_CHARACTERS,
) -> tuple[Any, History]:
    """Train a network, then measure and calibrate it on the validation crops.

    Parameters
    ----------
    train, validation : Dataset
        Labels are indices into `classes`. The two should share no `group`.
    recipe : Recipe
    out : Path
        Folder for the checkpoint, ``out/checkpoint``; made if missing.
    resume : bool
        Continue from the checkpoint in `out`, if there is one.
    classes : sequence of str
        Names of the classes; those from `n_characters` on are garbage.
    n_characters : int

    Returns
    -------
    model : keras.Model
        With averaged weights, ready to export.
    history : History

    Raises
    ------
    TrainingError
        If the data can not be used, or the checkpoint is of another recipe.
    """
    import keras

    for name, data in (("training", train), ("validation", validation)):
        if not len(data) or data.label.min() < 0 or data.label.max() >= len(classes):
            raise TrainingError(
                f"the {name} crops are none, or have labels outside 0..{len(classes) - 1}; "
                "label them again with these classes"
            )
    keras.utils.set_random_seed(recipe.seed)
    run = Run.restore(out, recipe) if resume else None
    if run is None:
        run = Run.start(recipe, len(classes))
    weights = _class_weights(train.label, len(classes), recipe.balance)

    def stream(start: int, seed: int) -> Generator[Batch]:
        batches = shuffled_batches(
            train,
            recipe.batch,
            seed,
            start=start,
            options=recipe.augmentation,
            class_weights=weights,
        )
        return prefetch(batches)

    _train(run, stream(run.state["step"], recipe.seed), out)
    fresh = stream(0, recipe.seed + 1)
    run.finish(islice(fresh, _STATISTICS))
    fresh.close()
    model, state = run.model, run.state
    held_out = validation.take(recipe.limit, recipe.seed)
    logits = predict_logits(model, held_out)
    temperature = fit_temperature(logits, held_out.label)
    metrics = measure(logits, held_out.label, classes, n_characters, temperature=temperature)
    losses = tuple((int(step), float(loss)) for step, loss in state["losses"])
    return model, History(state["step"], state["seconds"], losses, temperature, metrics)


def train_page_reader(
    shards: Path,
    out: Path,
    recipe: Recipe | None = None,
    resume: bool = True,
    sources: Sequence[dict[str, str]] = (),
) -> History:
    """Train the page reader on ``shards/train`` and write its bundle.

    Parameters
    ----------
    shards : Path
        Folder with ``train/*.npz`` and ``validation/*.npz``, as `datasets.ShardWriter` writes them.
    out : Path
        The bundle's folder. Checkpoints are kept in ``<shards>/runs/<name of out>``, away from
        what is shipped.
    recipe : Recipe, optional
    resume : bool
        Continue an interrupted run.
    sources : sequence of dict
        Data sources for the card: ``name``, ``licence`` and what else is worth saying.

    Returns
    -------
    History
    """
    from ocr_batch.training.export import export_bundle

    recipe = Recipe() if recipe is None else recipe
    train, validation = join_shards(shards / "train"), join_shards(shards / "validation")
    model, history = fit(train, validation, recipe, shards / "runs" / out.name, resume)
    export_bundle(
        model,
        out,
        classes=CLASSES,
        n_characters=N_CHARACTERS,
        temperature=history.temperature,
        recipe=asdict(replace(recipe, steps=history.steps)),
        metrics=history.metrics,
        sources=sources,
        validation=validation,
    )
    return history


def _main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Train the page reader on shards of crops.")
    parser.add_argument("shards", type=Path, help="folder with train/ and validation/")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder of the bundle")
    parser.add_argument("--minutes", type=float, default=Recipe.minutes)
    parser.add_argument("--steps", type=int, default=Recipe.steps, help="instead of --minutes")
    parser.add_argument("--batch", type=int, default=Recipe.batch)
    parser.add_argument("--rate", type=float, default=Recipe.rate)
    parser.add_argument("--balance", type=float, default=Recipe.balance)
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    parser.add_argument("--network", default=Recipe.network)
    parser.add_argument("--fresh", action="store_true", help="ignore an earlier checkpoint")
    given = parser.parse_args(arguments)
    recipe = Recipe(
        network=given.network,
        steps=given.steps,
        minutes=given.minutes,
        batch=given.batch,
        rate=given.rate,
        balance=given.balance,
        seed=given.seed,
    )
    try:
        history = train_page_reader(given.shards, given.out, recipe, resume=not given.fresh)
    except OcrBatchError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    metrics = {name: value for name, value in history.metrics.items() if name != "confusions"}
    sys.stdout.write(json.dumps({"steps": history.steps, **metrics}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(_main())
