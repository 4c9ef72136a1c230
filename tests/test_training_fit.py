from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import keras

from ocr_batch.datasets.augmentation import Augmentation
from ocr_batch.datasets.crops import CropSet, pack
from ocr_batch.errors import TrainingError
from ocr_batch.training import fit as fit_module
from ocr_batch.training.fit import fit
from ocr_batch.training.recipe import Recipe
from ocr_batch.training.run import CHECKPOINT, Run, predict_logits

RECIPE = Recipe(
    network="tiny",
    minutes=0.0,
    steps=60,
    batch=16,
    rate=0.02,
    warmup=5,
    augmentation=Augmentation(1, 1, 0.1, 0.02, 0.1, 0.01),
)
CLASSES = ("l", "-", "<noise>")


def tiny(n_classes=3):
    image = keras.Input((56, 56, 2), name="image")
    geometry = keras.Input((8,), name="geometry")
    x = keras.layers.Conv2D(4, 8, strides=8, use_bias=False)(image)
    x = keras.layers.ReLU(6.0)(keras.layers.BatchNormalization(momentum=0.8)(x))
    x = keras.layers.Concatenate()([keras.layers.Flatten()(x), geometry])
    return keras.Model([image, geometry], keras.layers.Dense(n_classes)(x))


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(fit_module, "_REPORT", 20)
    monkeypatch.setattr(fit_module, "_STATISTICS", 20)


def bars(count, seed):
    """Upright bars, level bars and noise."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 3, count).astype(np.int16)
    grey = np.zeros((count, 56, 56), np.uint8)
    grey[label == 0, 16:40, 26:30] = 255
    grey[label == 1, 26:30, 16:40] = 255
    noisy = label == 2
    grey[noisy] = rng.integers(0, 256, (noisy.sum(), 56, 56), dtype=np.uint8)
    images = np.stack([grey, grey], axis=-1)
    return CropSet(pack(images), np.zeros((count, 8), np.float16), label, label)


TRAIN, VALIDATION = bars(200, 0), bars(60, 1)


def run(folder, recipe=RECIPE, **options):
    options = {"build": tiny, "classes": CLASSES, "n_characters": 2, **options}
    return fit(TRAIN, VALIDATION, recipe, folder, **options)


def weights_of(model):
    return [np.asarray(value) for value in model.get_weights()]


def same(one, other, **tolerance):
    for left, right in zip(weights_of(one), weights_of(other), strict=True):
        np.testing.assert_allclose(left, right, **tolerance)


def test_learns_and_calibrates(tmp_path):
    model, history = run(tmp_path)
    assert history.steps == 60
    assert [point.step for point in history.epochs] == [20, 40, 60]
    assert history.epochs[-1].loss < history.epochs[0].loss
    assert history.epochs[-1].validation_accuracy > 0.9
    assert history.metrics["characters_top1"] > 0.95
    assert history.metrics["garbage_rejected"] > 0.95
    assert 0.2 <= history.temperature <= 5
    assert model.output_shape == (None, 3)


def test_the_same_seed_gives_the_same_network(tmp_path):
    one, first = run(tmp_path / "a")
    other, second = run(tmp_path / "b")
    same(one, other, rtol=0, atol=0)
    assert [point.loss for point in first.epochs] == [point.loss for point in second.epochs]
    third, _ = run(tmp_path / "c", replace(RECIPE, seed=2))
    assert not np.allclose(weights_of(one)[0], weights_of(third)[0])


def test_finished_run_is_not_trained_again(tmp_path):
    model, first = run(tmp_path)
    again, second = run(tmp_path)
    assert second.epochs == first.epochs
    same(model, again, rtol=1e-5, atol=1e-6)


def test_without_training_validation_says_what_the_network_says(tmp_path):
    model, history = run(tmp_path, replace(RECIPE, rate=1e-12, steps=20, average=0.0, decay=0.0))
    start = tiny()
    # Batch statistics move even at rate zero: only trained weights must not.
    for left, right in zip(model.trainable_variables, start.trainable_variables, strict=True):
        assert left.shape == right.shape
    logits = predict_logits(model, VALIDATION)
    accuracy = (logits.argmax(axis=1) == VALIDATION.label).mean()
    assert history.epochs[-1].validation_accuracy == pytest.approx(accuracy, abs=1e-6)


class InterruptionError(Exception):
    pass


@pytest.mark.parametrize(
    "recipe", [RECIPE, replace(RECIPE, steps=0, epochs=5, patience=4, average=0.0, best=True)]
)
def test_interrupted_run_continues_to_the_same_result(tmp_path, monkeypatch, recipe):
    recipe = replace(recipe, checkpoint=20)
    model, whole = run(tmp_path / "whole", recipe)
    train_on = Run.train_on

    def stop(self, batch):
        if self.state["step"] == 30:
            raise InterruptionError
        return train_on(self, batch)

    monkeypatch.setattr(Run, "train_on", stop)
    with pytest.raises(InterruptionError):
        run(tmp_path / "parts", recipe)
    seen = []

    def count(self, batch):
        seen.append(self.state["step"])
        return train_on(self, batch)

    monkeypatch.setattr(Run, "train_on", count)
    resumed, history = run(tmp_path / "parts", recipe)
    assert seen[0] in (20, 24) and seen == list(range(seen[0], 60))
    assert history.steps == whole.steps == 60
    for one, other in zip(history.epochs, whole.epochs, strict=True):
        assert replace(one, seconds=0.0) == replace(other, seconds=0.0)
    same(model, resumed, rtol=1e-5, atol=1e-6)


def test_early_stopping_and_the_best_weights(tmp_path, monkeypatch):
    losses = iter([0.5, 0.4, 0.6, 0.45, 0.3])
    told = fit_module._point
    kept = {}

    def point(run, validation):
        made = replace(told(run, validation), validation_loss=next(losses))
        kept[made.number] = weights_of(run.model)
        return made

    monkeypatch.setattr(fit_module, "_point", point)
    recipe = replace(RECIPE, steps=0, epochs=9, patience=2, average=0.0)
    last, history = run(tmp_path / "last", recipe)
    assert len(history.epochs) == 4
    np.testing.assert_array_equal(weights_of(last)[0], kept[4][0])
    losses = iter([0.5, 0.4, 0.6, 0.45, 0.3])
    best, _ = run(tmp_path / "best", replace(recipe, best=True))
    np.testing.assert_array_equal(weights_of(best)[0], kept[2][0])


def test_another_recipe_does_not_take_up_a_checkpoint(tmp_path):
    run(tmp_path, replace(RECIPE, steps=20))
    with pytest.raises(TrainingError, match="another recipe"):
        run(tmp_path, replace(RECIPE, rate=0.01))
    with pytest.raises(TrainingError, match="another data"):
        run(tmp_path, replace(RECIPE, steps=20), data="of others")
    run(tmp_path, replace(RECIPE, rate=0.01, steps=3), resume=False)


def test_damaged_checkpoint_is_named(tmp_path):
    (tmp_path / CHECKPOINT).write_bytes(b"PK broken")
    with pytest.raises(TrainingError, match="can not be used"):
        run(tmp_path)


class Watcher:
    def __init__(self):
        self.begun, self.batches, self.points = [], 0, []

    def begin(self, step, steps):
        self.begun.append((step, steps))

    def batch(self, loss, accuracy):
        self.batches += 1

    def point(self, point, recipe):
        self.points.append(point.step)


def test_a_watcher_sees_how_it_goes(tmp_path):
    watcher = Watcher()
    run(tmp_path, watch=watcher)
    assert (watcher.begun, watcher.batches, watcher.points) == ([(0, 60)], 60, [20, 40, 60])


def test_minutes_end_a_run(tmp_path):
    _, history = run(tmp_path, replace(RECIPE, steps=0, minutes=0.02))
    assert history.steps >= 1
    assert history.seconds >= 1.2


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop", "sgd"])
def test_every_optimizer_learns(tmp_path, optimizer):
    _, history = run(tmp_path, replace(RECIPE, optimizer=optimizer, rate=0.005))
    assert history.epochs[-1].loss < history.epochs[0].loss


def test_softmax_networks_are_trained_on_their_probabilities(tmp_path):
    def build():
        image = keras.Input((56, 56, 2), name="image")
        x = keras.layers.Flatten()(keras.layers.AveragePooling2D(8)(image))
        return keras.Model(image, keras.layers.Dense(3, activation="softmax")(x))

    model, history = run(tmp_path, replace(RECIPE, steps=80), build=build)
    assert history.metrics["top1"] > 0.9
    logits = predict_logits(model, VALIDATION)
    assert not np.allclose(logits.sum(axis=1), 1)


def test_mixed_precision_ends_in_plain_weights(tmp_path):
    model, _ = run(tmp_path, replace(RECIPE, precision="mixed_bfloat16", steps=20))
    assert {str(value.dtype) for value in model.variables if "seed" not in value.path} == {
        "float32"
    }
    assert all(layer.dtype_policy.name == "float32" for layer in model.layers)


def test_labels_outside_the_classes_are_refused(tmp_path):
    with pytest.raises(TrainingError, match=r"0\.\.1"):
        run(tmp_path, classes=CLASSES[:2], n_characters=1)
    with pytest.raises(TrainingError, match="3 classes apart"):
        run(tmp_path, classes=("a", "b", "c", "d"))


def test_divergence_ends_the_run(tmp_path):
    with pytest.raises(TrainingError, match="diverged"):
        run(tmp_path, replace(RECIPE, rate=1e38, warmup=0, optimizer="sgd", average=0.0))


def test_class_balance():
    weights = fit_module._class_weights(np.array([0, 0, 0, 0, 1], np.int16), 3, 1.0)
    np.testing.assert_allclose(weights, [0.25, 1, 0])
    assert fit_module._class_weights(np.array([0, 1], np.int16), 2, 0.0) is None
