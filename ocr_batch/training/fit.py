"""Fit a network to labelled crops, restarting from checkpoints, and calibrate it."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ocr_batch.datasets.batches import Batch, TrainingData, prefetch, shuffled_batches
from ocr_batch.errors import TrainingError
from ocr_batch.training.calibration import fit_temperature, measure, negative_log_likelihood
from ocr_batch.training.recipe import Recipe
from ocr_batch.training.run import Run, predict_logits

__all__ = ["Epoch", "History", "Watch", "fit"]

#: Batches of an entry in the curve, where epochs are not counted; crops it is validated on.
_REPORT, _GLANCE = 500, 5000
#: Batches on which the final batch statistics are measured.
_STATISTICS = 400


@dataclass(frozen=True)
class Epoch:
    """A point of the learning curve.

    Attributes
    ----------
    number, step : int
        Epochs (or stretches of 500 batches) and batches so far.
    seconds : float
        Training time so far, interruptions left out.
    loss, accuracy : float
        Mean over the training batches since the point before, as augmented, dropout on.
    validation_loss, validation_accuracy : float
        Of the weights of this moment, in nats and as a share.
    """

    number: int
    step: int
    seconds: float
    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float


@dataclass(frozen=True)
class History:
    """What came out of a training run.

    Attributes
    ----------
    steps : int
        Batches trained on.
    seconds : float
        Time spent on them, interruptions left out.
    epochs : tuple of Epoch
        The learning curve.
    temperature : float
        Found on the validation crops.
    metrics : dict
        Of the validation crops, as `calibration.measure` gives them.
    """

    steps: int
    seconds: float
    epochs: tuple[Epoch, ...]
    temperature: float
    metrics: dict[str, Any]


def _class_weights(
    label: NDArray[np.integer], classes: int, balance: float
) -> NDArray[np.float64] | None:
    """Weights (C,) that make class frequencies ~ frequency ** (1 - balance); None without."""
    if balance == 0.0:
        return None
    counts = np.bincount(label, minlength=classes).astype(np.float64)
    return np.where(counts > 0, np.maximum(counts, 1) ** -balance, 0.0)


def _point(run: Run, validation: TrainingData) -> Epoch:
    """Measure the weights of this moment."""
    logits, state = run.predict(validation), run.state
    loss, hits, count = state["sums"]
    state["sums"] = [0.0, 0.0, 0]
    return Epoch(
        number=len(state["epochs"]) + 1,
        step=state["step"],
        seconds=round(state["seconds"], 2),
        loss=round(loss / count, 6),
        accuracy=round(hits / count, 6),
        validation_loss=round(negative_log_likelihood(logits, validation.label), 6),
        validation_accuracy=round(float((logits.argmax(axis=1) == validation.label).mean()), 6),
    )


class Watch(Protocol):
    """Whoever wants to see how a training goes."""

    def begin(self, step: int, steps: int | None) -> None:
        """Be told where it starts, and how many batches there will be, if that is known."""
        ...

    def batch(self, loss: float, accuracy: float) -> None:
        """Be told of a batch."""
        ...

    def point(self, point: Epoch, recipe: Recipe) -> None:
        """Be told of a point of the curve."""
        ...


def _train(
    run: Run,
    batches: Generator[Batch],
    validation: TrainingData,
    stretch: int,
    out: Path,
    watch: Watch | None,
) -> None:
    """Train to the end that the recipe sets, a point of the curve every `stretch` batches."""
    recipe, state = run.recipe, run.state
    end = recipe.epochs * stretch if recipe.epochs else recipe.steps
    state["steps"] = end
    before, begun = state["seconds"], time.monotonic()
    if watch is not None:
        watch.begin(state["step"], end or None)
    while not state["done"]:
        loss, accuracy = run.train_on(next(batches))
        if watch is not None:
            watch.batch(loss, accuracy)
        state["seconds"] = before + time.monotonic() - begun
        if end:
            state["done"] = state["step"] >= end
        else:
            state["done"] = state["seconds"] >= 60 * recipe.minutes
        if state["step"] % stretch == 0 or state["done"]:
            point = _point(run, validation)
            state["epochs"].append(asdict(point))
            run.keep_best(point.validation_loss)
            state["done"] |= 0 < recipe.patience <= state["waited"]
            if watch is not None:
                watch.point(point, recipe)
            # Measuring is no training: minutes are for that.
            before, begun = state["seconds"], time.monotonic()
            if recipe.epochs or state["done"] or state["step"] % recipe.checkpoint == 0:
                run.save(out)
        elif state["step"] % recipe.checkpoint == 0:
            run.save(out)
    batches.close()


def fit(
    train: TrainingData,
    validation: TrainingData,
    recipe: Recipe,
    out: Path,
    build: Callable[[], Any],
    *,
    classes: Sequence[str],
    n_characters: int,
    data: str = "",
    resume: bool = True,
    watch: Watch | None = None,
) -> tuple[Any, History]:
    """Train a network, then measure and calibrate it on the validation crops.

    Parameters
    ----------
    train, validation : TrainingData
        Labels are indices into `classes`. The two should share no writer and no font.
    recipe : Recipe
    out : Path
        Folder for the checkpoint; made if missing.
    build : callable
        Makes the network that the training starts from.
    classes : sequence of str
        Names of the classes; those from `n_characters` on are garbage.
    n_characters : int
    data : str
        Fingerprint of the data, by which a checkpoint of other data is known.
    resume : bool
        Continue from the checkpoint in `out`, if there is one.
    watch : Watch, optional

    Returns
    -------
    model : keras.Model
        Ready to export.
    history : History

    Raises
    ------
    TrainingError
        If the data can not be used, or the checkpoint is of another recipe or other data.
    """
    recipe.check()
    for name, part in (("training", train), ("validation", validation)):
        if not len(part) or part.label.min() < 0 or part.label.max() >= len(classes):
            raise TrainingError(
                f"the {name} crops are none, or have labels outside 0..{len(classes) - 1}; "
                "label them again with these classes"
            )
    run = Run(build, recipe, data)
    if run.model.output_shape[-1] != len(classes):
        raise TrainingError(
            f"the network tells {run.model.output_shape[-1]} classes apart, the data has "
            f"{len(classes)}; build it for as many"
        )
    if resume:
        run.restore(out)
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

    held_out = validation.take(recipe.limit, recipe.seed)
    if recipe.epochs:
        stretch, watched = max(1, len(train) // min(recipe.batch, len(train))), held_out
    else:
        stretch, watched = _REPORT, held_out.take(_GLANCE, recipe.seed)
    _train(run, stream(run.state["step"], recipe.seed), watched, stretch, out, watch)
    fresh = stream(0, recipe.seed + 1)
    model = run.finish(islice(fresh, _STATISTICS))
    fresh.close()
    logits = predict_logits(model, held_out)
    temperature = fit_temperature(logits, held_out.label)
    metrics = measure(logits, held_out.label, classes, n_characters, temperature=temperature)
    epochs = tuple(Epoch(**point) for point in run.state["epochs"])
    return model, History(run.state["step"], run.state["seconds"], epochs, temperature, metrics)
