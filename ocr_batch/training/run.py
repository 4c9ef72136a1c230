"""Take a network through its training steps, in a state that can be saved and restored."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocr_batch.datasets.batches import Batch, TrainingData
from ocr_batch.errors import OutputError, TrainingError
from ocr_batch.recognition.keras_model import as_logits, gives_probabilities
from ocr_batch.training.recipe import Recipe, learning_rate

__all__ = ["Run", "predict_logits"]

#: File of the checkpoint; batches between updates of the weights' running average.
CHECKPOINT = "checkpoint.npz"
_AVERAGED_EVERY = 10


def _feed(model: Any, inputs: dict[str, NDArray[Any]]) -> Any:
    """Bring a batch's inputs to the network: ink 0..1, flat where it wants them flat."""
    import keras

    def bring(tensor: Any) -> NDArray[np.float32]:
        value = inputs[tensor.name]
        if value.dtype == np.uint8:
            value = value.astype(np.float32) * np.float32(1 / 255)
        return value.reshape(len(value), *tensor.shape[1:])

    # A sequence of layers has no structure of inputs before it is first called.
    inside = model.inputs[0] if isinstance(model, keras.Sequential) else model.input
    return keras.tree.map_structure(bring, inside)


def _copy(variable: Any) -> NDArray[Any]:
    """Copy a variable: on the CPU its array may be a view of what the next step overwrites."""
    from keras import ops

    return np.array(ops.convert_to_numpy(variable))


def _without_xla(model: Any) -> Any:
    """Keep TensorFlow from compiling a model by XLA, which slows separable convolutions down."""
    import keras

    if keras.backend.backend() == "tensorflow":
        model.jit_compile = False
    return model


def predict_logits(model: Any, data: TrainingData, batch: int = 1024) -> NDArray[np.float32]:
    """Classify all crops of a set with a Keras model.

    Parameters
    ----------
    model : keras.Model
        May end in logits or in a softmax.
    data : TrainingData
    batch : int
        Crops at a time; the last ones are filled up to as many, so that all batches are alike.

    Returns
    -------
    (N, C) float32
        Logits.
    """
    scorer = _without_xla(as_logits(model))
    return _predict(scorer, data, batch)


def _predict(scorer: Any, data: TrainingData, batch: int = 1024) -> NDArray[np.float32]:
    result = np.empty((len(data), scorer.output_shape[-1]), np.float32)
    batch = min(batch, len(data))
    for start in range(0, len(data), batch):
        rows = np.minimum(np.arange(start, start + batch), len(data) - 1)
        logits = scorer.predict_on_batch(_feed(scorer, data.inputs(rows)))
        result[start : start + batch] = logits[: len(result) - start]
    return result


def _optimizer(recipe: Recipe) -> Any:
    import keras

    kinds = keras.optimizers
    if recipe.optimizer == "adamw":
        optimizer = kinds.AdamW(recipe.rate, weight_decay=recipe.decay, global_clipnorm=5.0)
        # Biases and batch normalisation are not to be pulled towards zero.
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        return optimizer
    kind = {"adam": kinds.Adam, "rmsprop": kinds.RMSprop, "sgd": kinds.SGD}[recipe.optimizer]
    return kind(recipe.rate)


class Run:
    """A network in training: its weights, their running average, the optimizer and the clock.

    Parameters
    ----------
    build : callable
        Makes the network; called again at the end of a run in mixed precision.
    recipe : Recipe
    data : str
        Fingerprint of the data, kept in checkpoints.

    Attributes
    ----------
    state : dict
        Where the run is, in JSON: ``step``, ``seconds``, ``epochs`` (the curve), ``sums`` (loss,
        hits and crops since the last entry of the curve), ``done``, and for early stopping
        ``lowest`` and ``waited``.
    """

    def __init__(self, build: Callable[[], Any], recipe: Recipe, data: str = "") -> None:
        import keras

        self.recipe, self._build, self._data = recipe, build, data
        keras.utils.set_random_seed(recipe.seed)
        policy = keras.config.dtype_policy()
        keras.config.set_dtype_policy(recipe.precision)
        try:
            self.model = build()
        finally:
            keras.config.set_dtype_policy(policy)
        loss = keras.losses.CategoricalCrossentropy(
            from_logits=not gives_probabilities(self.model), label_smoothing=recipe.smoothing
        )
        self.model.compile(_optimizer(recipe), loss=loss, metrics=["accuracy"])
        self.model.optimizer.build(self.model.trainable_variables)
        _without_xla(self.model)
        self._scorer = _without_xla(as_logits(self.model))
        self._classes = self.model.output_shape[-1]
        self._average = self._trainable() if recipe.average else []
        self._best: list[NDArray[Any]] = []
        self.state: dict[str, Any] = {
            "step": 0,
            "seconds": 0.0,
            "epochs": [],
            "sums": [0.0, 0.0, 0],
            "lowest": math.inf,
            "waited": 0,
            "done": False,
        }

    def _trainable(self) -> list[NDArray[Any]]:
        return [_copy(value) for value in self.model.trainable_variables]

    def _stored(self) -> dict[str, Any]:
        """Everything of which the run consists, variables by their place."""
        return {"model": self.model.variables, "optimizer": self.model.optimizer.variables}

    def save(self, folder: Path) -> None:
        """Write a checkpoint; the one before stays until this one is whole.

        Raises
        ------
        OutputError
            If it can not be written.
        """
        about = {"recipe": asdict(self.recipe), "data": self._data, "state": self.state}
        arrays: dict[str, Any] = {"about": np.array(json.dumps(about))}
        for name, variables in self._stored().items():
            for number, variable in enumerate(variables):
                arrays[f"{name}-{number}"] = _copy(variable)
        for name, values in (("average", self._average), ("best", self._best)):
            arrays.update({f"{name}-{number}": value for number, value in enumerate(values)})
        part = folder / f"{CHECKPOINT}.part"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                np.savez(file, **arrays)
            part.replace(folder / CHECKPOINT)
        except OSError as error:
            raise OutputError(
                f"the checkpoint can not be written to {folder} ({error}); make room, or choose "
                "another output, and go on with --resume"
            ) from error

    def restore(self, folder: Path) -> bool:
        """Take up the checkpoint in `folder`; False if there is none.

        Raises
        ------
        TrainingError
            If it was made with another recipe or other data, or can not be read.
        """
        path = folder / CHECKPOINT
        if not path.is_file():
            return False
        try:
            with np.load(path) as stored:
                about = json.loads(str(stored["about"]))
                self._check_origin(about, folder)
                for name, variables in self._stored().items():
                    for number, variable in enumerate(variables):
                        variable.assign(stored[f"{name}-{number}"])
                for name, values in (("average", self._average), ("best", self._best)):
                    count = sum(key.startswith(f"{name}-") for key in stored.files)
                    values[:] = [stored[f"{name}-{number}"] for number in range(count)]
        except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise TrainingError(
                f"the checkpoint {path} can not be used ({error}); remove it and train afresh"
            ) from error
        self.state = about["state"]
        return True

    def _check_origin(self, about: dict[str, Any], folder: Path) -> None:
        """Refuse a checkpoint of another run."""
        same = {
            "recipe": about["recipe"] == json.loads(json.dumps(asdict(self.recipe))),
            "data": about["data"] == self._data,
        }
        for what, equal in same.items():
            if not equal:
                raise TrainingError(
                    f"the checkpoint in {folder} was made with another {what}; give the same, "
                    "or start over with --fresh"
                )

    def train_on(self, batch: Batch) -> tuple[float, float]:
        """Train on one batch; returns its loss and accuracy.

        Raises
        ------
        TrainingError
            If the loss is no number any more.
        """
        number, recipe, state = self.state["step"], self.recipe, self.state
        self.model.optimizer.learning_rate = learning_rate(recipe, number, self.progress())
        loss, accuracy = self._step(batch)
        if not math.isfinite(loss):
            raise TrainingError("the training diverged; lower the learning rate and try again")
        state["step"] = number + 1
        size = len(batch.label)
        state["sums"] = [
            total + more
            for total, more in zip(state["sums"], (loss * size, accuracy * size, size), strict=True)
        ]
        if self._average and state["step"] % _AVERAGED_EVERY == 0:
            # The average looks back over a tenth of a short run only, not to its first guesses.
            momentum = min(recipe.average, (1 + number) / (10 + number)) ** _AVERAGED_EVERY
            self._average = [
                mean + (1 - momentum) * (value - mean)
                for mean, value in zip(self._average, self._trainable(), strict=True)
            ]
        return loss, accuracy

    def _step(self, batch: Batch) -> tuple[float, float]:
        target = np.zeros((len(batch.label), self._classes), np.float32)
        target[np.arange(len(batch.label)), batch.label] = 1.0
        self.model.reset_metrics()
        told = self.model.train_on_batch(_feed(self.model, batch.inputs), target, return_dict=True)
        return float(told["loss"]), float(told["accuracy"])

    def progress(self) -> float:
        """Return the share of the run that is done, 0..1; an early stop does not count."""
        recipe, state = self.recipe, self.state
        if recipe.minutes:
            return float(min(1.0, state["seconds"] / (60 * recipe.minutes)))
        return float(min(1.0, state["step"] / max(1, state.get("steps", recipe.steps))))

    def predict(self, data: TrainingData) -> NDArray[np.float32]:
        """Return logits (N, C) of the weights as they are now."""
        return _predict(self._scorer, data)

    def keep_best(self, loss: float) -> None:
        """Take note of a validation loss, for early stopping and the best weights."""
        state = self.state
        if loss < state["lowest"]:
            state["lowest"], state["waited"] = loss, 0
            if self.recipe.best:
                self._best[:] = [np.array(value) for value in self.model.get_weights()]
        else:
            state["waited"] += 1

    def finish(self, batches: Iterable[Batch]) -> Any:
        """Settle on the final weights and return the network, in plain float32.

        Averaged weights want batch statistics of their own: they are measured on `batches`.
        """
        model = self.model
        if self._best:
            model.set_weights(self._best)
        elif self._average:
            for variable, value in zip(model.trainable_variables, self._average, strict=True):
                variable.assign(value)
            if len(model.non_trainable_weights):
                # A step at rate zero changes the statistics alone.
                model.optimizer.learning_rate = 0.0
                for batch in batches:
                    self._step(batch)
        if self.recipe.precision == "float32":
            return model
        plain = self._build()
        plain.set_weights(model.get_weights())
        return plain
