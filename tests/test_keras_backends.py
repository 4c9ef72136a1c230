"""What Keras runs on makes no difference: train, export and classify on JAX and on TensorFlow."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow")
pytest.importorskip("ai_edge_litert")
if importlib.util.find_spec("jax") is None:
    pytest.skip("JAX is not installed", allow_module_level=True)

import keras
from bundles import CONTRACT, LETTERS, crops, letter_bundle
from cli_tools import environment

from ocr_batch.recognition.bundle import verify
from ocr_batch.recognition.classifier import load_classifier

ON_JAX = """
import sys
from dataclasses import replace
from pathlib import Path
import keras
assert keras.backend.backend() == "jax"
import numpy as np
import bundles
from ocr_batch.recognition.classifier import load_classifier
from ocr_batch.training.fit import fit
from ocr_batch.training.recipe import default_recipe

foreign, own = Path(sys.argv[1]), Path(sys.argv[2])

def build():
    layers = keras.layers
    return keras.Sequential([
        keras.Input((28, 28, 1), name="image"),
        layers.Dropout(0.1),
        layers.Conv2D(4, 3, strides=2, use_bias=False),
        layers.BatchNormalization(momentum=0.5),
        layers.ReLU(6.0),
        layers.Flatten(),
        layers.Dense(8, activation="softmax"),
    ], name="tiny")

recipe = replace(
    default_recipe("mnist-cnn"), rate=0.01, batch=16, epochs=8, patience=0, average=0.9
)
data = bundles.Drawn()
model, history = fit(
    data, data, recipe, own.with_name("run"), build, classes=bundles.LETTERS, n_characters=8
)
assert history.epochs[-1].validation_accuracy > 0.9, history
bundles.nearest_letter = lambda flat: model
bundles.letter_bundle(own, h5=True, temperature=history.temperature)
images = bundles.crops(56)
for bundle in (foreign, own):
    classifier = load_classifier(bundle, "keras")
    scores = classifier.scores(images)
    assert (classifier.scores(images[2:4]) == scores[2:4]).all()
    np.save(bundle.with_suffix(".npy"), scores)
"""


@pytest.fixture(scope="module")
def bundles(tmp_path_factory) -> dict[str, Path]:
    """One bundle made on TensorFlow, one trained and made on JAX; scores of JAX beside each."""
    folder = tmp_path_factory.mktemp("models")
    made = {name: folder / name for name in ("tensorflow", "jax")}
    letter_bundle(made["tensorflow"])
    env = environment()
    env["PYTHONPATH"] += os.pathsep + str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", ON_JAX, str(made["tensorflow"]), str(made["jax"])],
        env={**env, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return made


def test_a_bundle_trained_and_made_on_jax_is_whole(bundles):
    card = verify(bundles["jax"])
    assert card.contract == CONTRACT and card.classes == LETTERS
    assert sorted(card.files) == [
        "model.float.tflite",
        "model.int8.tflite",
        "model.keras",
        "prediction_model.h5",
    ]
    assert card.metrics["exports"]["litert-float_top1"] > 0.9
    assert card.metrics["exports"]["litert-int8_top1"] > 0.9


@pytest.mark.parametrize("made_on", ["tensorflow", "jax"])
def test_jax_tensorflow_and_litert_agree(bundles, made_on):
    bundle = bundles[made_on]
    on_jax = np.load(bundle.with_suffix(".npy"))
    assert [LETTERS[index] for index in on_jax.argmax(axis=1)] == list(LETTERS)
    assert keras.backend.backend() == "tensorflow"
    for backend in ("keras", "litert-float"):
        scores = load_classifier(bundle, backend).scores(crops(56))
        np.testing.assert_allclose(scores, on_jax, atol=1e-4)
