from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import keras

from ocr_batch.datasets.crops import Augmentation, Dataset, pack
from ocr_batch.errors import TrainingError
from ocr_batch.training import fit as fit_module
from ocr_batch.training import networks
from ocr_batch.training.fit import fit
from ocr_batch.training.run import Recipe, Run, learning_rate

RECIPE = Recipe(
    network="tiny",
    steps=60,
    batch=16,
    rate=0.02,
    warmup=5,
    augmentation=Augmentation(1, 1, 0.1, 0.02, 0.1, 0.01),
)
CLASSES = ("l", "-", "<noise>")


def _tiny(n_classes):
    image = keras.Input((56, 56, 2), name="image")
    geometry = keras.Input((8,), name="geometry")
    x = keras.layers.Conv2D(4, 8, strides=8, use_bias=False)(image)
    x = keras.layers.ReLU(6.0)(keras.layers.BatchNormalization(momentum=0.8)(x))
    x = keras.layers.Concatenate()([keras.layers.Flatten()(x), geometry])
    return keras.Model([image, geometry], keras.layers.Dense(n_classes)(x))


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setitem(networks.NETWORKS, "tiny", _tiny)
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
    return Dataset(pack(images), np.zeros((count, 8), np.float16), label, label)


TRAIN, VALIDATION = bars(200, 0), bars(60, 1)


def run(folder, recipe=RECIPE, **options):
    return fit(TRAIN, VALIDATION, recipe, folder, classes=CLASSES, n_characters=2, **options)


def test_learns_and_calibrates(tmp_path):
    model, history = run(tmp_path)
    assert history.steps == 60
    assert [step for step, _ in history.losses] == [20, 40, 60]
    assert history.losses[-1][1] < history.losses[0][1]
    assert history.metrics["characters_top1"] > 0.95
    assert history.metrics["garbage_rejected"] > 0.95
    assert 0.2 <= history.temperature <= 5
    assert model.output_shape == (None, 3)


def test_finished_run_is_not_trained_again(tmp_path):
    model, first = run(tmp_path)
    again, second = run(tmp_path)
    assert second == first
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


class InterruptionError(Exception):
    pass


def test_interrupted_run_continues_where_it_stopped(tmp_path, monkeypatch):
    recipe = replace(RECIPE, checkpoint=20)
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
    assert seen == list(range(20, 60))
    assert history.steps == whole.steps
    for one, other in zip(model.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def test_another_recipe_does_not_take_up_a_checkpoint(tmp_path):
    run(tmp_path)
    with pytest.raises(TrainingError, match="another recipe"):
        run(tmp_path, replace(RECIPE, rate=0.01))
    run(tmp_path, replace(RECIPE, rate=0.01, steps=3), resume=False)


def test_minutes_end_a_run(tmp_path):
    _, history = run(tmp_path, replace(RECIPE, steps=0, minutes=0.02))
    assert history.steps >= 1
    assert history.seconds >= 1.2


def test_labels_outside_the_classes_are_refused(tmp_path):
    with pytest.raises(TrainingError, match=r"0\.\.1"):
        fit(TRAIN, VALIDATION, RECIPE, tmp_path, classes=CLASSES[:2], n_characters=1)


def test_learning_rate_rises_and_falls():
    recipe = Recipe(rate=1.0, warmup=10)
    rates = [learning_rate(recipe, step, step / 100) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) <= 1.0
    assert np.argmax(rates) == 9
    assert rates[100] == pytest.approx(0.0)


def test_class_balance():
    weights = fit_module._class_weights(np.array([0, 0, 0, 0, 1], np.int16), 3, 1.0)
    np.testing.assert_allclose(weights, [0.25, 1, 0])
    assert fit_module._class_weights(np.array([0, 1], np.int16), 2, 0.0) is None
