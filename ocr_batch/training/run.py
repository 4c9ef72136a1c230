"""Take a network through its training steps, in a state that can be saved and restored."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ocr_batch.datasets.crops import Augmentation, Batch
from ocr_batch.errors import TrainingError

__all__ = ["Recipe", "Run", "learning_rate"]

_CHECKPOINT = "checkpoint"


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training run, beside the data.

    Attributes
    ----------
    network : str
        Name of the network.
    steps : int
        Batches to train on; 0: as many as fit into `minutes`.
    minutes : float
        Time to train, without the measuring afterwards, when `steps` is 0. The learning rate then
        follows the time spent (interruptions left out), so that it always comes down to zero.
    batch : int
        Crops a batch.
    rate : float
        Highest learning rate, after the warm-up.
    warmup : int
        Batches over which the learning rate rises from zero.
    decay : float
        Weight decay of AdamW.
    smoothing : float
        Share of the probability that label smoothing spreads over all classes. It also keeps the
        logits in a narrow range, which int8 needs.
    average : float
        Highest momentum of the running average of the weights, which is what is kept.
    balance : float
        0: crops are drawn as often as they occur; 1: every class equally often; between: the
        class frequency to the power of 1 - balance.
    checkpoint : int
        Batches between checkpoints, a multiple of 500.
    limit : int
        Largest number of validation crops looked at.
    seed : int
    augmentation : Augmentation
    """

    network: str = "page-reader"
    steps: int = 0
    minutes: float = 60.0
    batch: int = 256
    rate: float = 2e-3
    warmup: int = 500
    decay: float = 1e-3
    smoothing: float = 0.02
    average: float = 0.999
    balance: float = 0.0
    checkpoint: int = 2000
    limit: int = 100_000
    seed: int = 1
    augmentation: Augmentation = field(default_factory=Augmentation)


def learning_rate(recipe: Recipe, step: int, progress: float) -> float:
    """Return the learning rate: a linear warm-up over steps times a half cosine over progress."""
    rise = min(1.0, (step + 1) / recipe.warmup) if recipe.warmup else 1.0
    return recipe.rate * rise * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


class Run:
    """A network in training: its weights, their running average, the optimizer and the clock."""

    def __init__(self, model: Any, recipe: Recipe, state: dict[str, Any]) -> None:
        import tensorflow as tf

        self.model, self.recipe, self.state = model, recipe, state
        self.average = [tf.Variable(value) for value in model.trainable_variables]
        self._step = self._trace()

    @classmethod
    def start(cls, recipe: Recipe, classes: int) -> Run:
        """Build the network afresh."""
        import keras

        from ocr_batch.training.networks import build_network

        model = build_network(recipe.network, classes)
        optimizer = keras.optimizers.AdamW(
            recipe.rate, weight_decay=recipe.decay, global_clipnorm=5.0
        )
        # Biases and batch normalisation are not to be pulled towards zero.
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        model.compile(optimizer=optimizer, jit_compile=False)
        state = {"recipe": asdict(recipe), "step": 0, "seconds": 0.0, "losses": [], "done": False}
        return cls(model, recipe, state)

    @classmethod
    def restore(cls, folder: Path, recipe: Recipe) -> Run | None:
        """Open the checkpoint in `folder`, or the one that was just replacing it; None without."""
        import keras

        for name in (_CHECKPOINT, f"{_CHECKPOINT}.new"):
            place = folder / name
            if not (place / "state.json").is_file():
                continue
            state = json.loads((place / "state.json").read_text("utf-8"))
            if state["recipe"] != asdict(recipe):
                raise TrainingError(
                    f"the checkpoint in {folder} was made with another recipe; "
                    "remove that folder, or train afresh"
                )
            model = keras.models.load_model(place / "model.keras", safe_mode=True)
            run = cls(model, recipe, state)
            with np.load(place / "average.npz") as stored:
                for number, variable in enumerate(run.average):
                    variable.assign(stored[f"arr_{number}"])
            return run
        return None

    def save(self, folder: Path) -> None:
        """Write a checkpoint; the one before stays until this one is whole.

        Keras keeps the optimizer's variables and the state of dropout in the model file.
        """
        fresh, old = folder / f"{_CHECKPOINT}.new", folder / _CHECKPOINT
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        self.model.save(fresh / "model.keras")
        np.savez(fresh / "average.npz", *[value.numpy() for value in self.average])
        (fresh / "state.json").write_text(json.dumps(self.state), "utf-8")
        shutil.rmtree(old, ignore_errors=True)
        fresh.rename(old)

    def _trace(self) -> Any:
        """Make the graph that trains on one batch and returns its loss."""
        import tensorflow as tf

        model, optimizer, smoothing = self.model, self.model.optimizer, self.recipe.smoothing
        variables, average = model.trainable_variables, self.average
        optimizer.build(variables)

        def step(images: Any, geometry: Any, label: Any, momentum: Any) -> Any:
            image = tf.cast(images, tf.float32) / 255.0
            with tf.GradientTape() as tape:
                scores = tf.nn.log_softmax(model([image, geometry], training=True))
                hit = tf.gather(scores, label, axis=1, batch_dims=1)
                spread = tf.reduce_mean(scores, axis=1)
                loss = -tf.reduce_mean((1 - smoothing) * hit + smoothing * spread)
            optimizer.apply(tape.gradient(loss, variables), variables)
            for mean, value in zip(average, variables, strict=True):
                mean.assign_sub((1 - momentum) * (mean - value))
            return loss

        return tf.function(step, reduce_retracing=True)

    def train_on(self, batch: Batch) -> Any:
        """Train on one batch; returns its loss, a scalar tensor."""
        number, recipe = self.state["step"], self.recipe
        progress = (
            number / recipe.steps if recipe.steps else self.state["seconds"] / (60 * recipe.minutes)
        )
        self.model.optimizer.learning_rate = learning_rate(recipe, number, progress)
        # The average looks back over a tenth of a short run only, not to its first guesses.
        momentum = np.float32(min(recipe.average, (1 + number) / (10 + number)))
        self.state["step"] = number + 1
        return self._step(batch.images, batch.geometry, batch.label, momentum)

    def finish(self, batches: Iterable[Batch]) -> None:
        """Keep the averaged weights, and measure the batch statistics for them anew."""
        import tensorflow as tf

        model = self.model
        for variable, value in zip(model.trainable_variables, self.average, strict=True):
            variable.assign(value)

        def observe(images: Any, geometry: Any) -> None:
            model([tf.cast(images, tf.float32) / 255.0, geometry], training=True)

        observed = tf.function(observe, reduce_retracing=True)
        for batch in batches:
            observed(batch.images, batch.geometry)
