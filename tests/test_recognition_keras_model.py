from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import keras
from keras import layers

from ocr_batch.errors import BundleError
from ocr_batch.recognition.keras_model import (
    as_logits,
    foreign_code,
    gives_probabilities,
    load_keras,
)


def image():
    return keras.Input((12,), name="image")


def dense_softmax():
    return keras.Sequential([image(), layers.Dense(4, activation="softmax")])


def softmax_layer():
    x = image()
    return keras.Model(x, layers.Softmax()(layers.Dense(4)(x)))


def activation_layer():
    return keras.Sequential([image(), layers.Dense(4), layers.Activation("softmax")])


def softmax_operation():
    x = image()
    return keras.Model(x, keras.ops.softmax(layers.Dense(4)(x)))


def nested():
    x = image()
    inner = keras.Sequential([keras.Input((6,)), layers.Dense(4, activation="softmax")])
    return keras.Model(x, inner(layers.Dense(6)(x)))


def nested_functional():
    x, y = image(), keras.Input((6,))
    inner = keras.Model(y, layers.Dense(4, activation="softmax")(y))
    return keras.Model(x, inner(layers.Dense(6)(x)))


def two_inputs():
    x, y = image(), keras.Input((3,), name="geometry")
    return keras.Model([x, y], layers.Dense(4, activation="softmax")(layers.Concatenate()([x, y])))


WITH_SOFTMAX = [
    dense_softmax,
    softmax_layer,
    activation_layer,
    softmax_operation,
    nested,
    nested_functional,
    two_inputs,
]


def feed(model, count=5):
    rng = np.random.default_rng(0)
    return {
        tensor.name: rng.random((count, *tensor.shape[1:]), np.float32) for tensor in model.inputs
    }


@pytest.mark.parametrize("build", WITH_SOFTMAX)
def test_a_softmax_is_taken_off_and_the_weights_are_shared(build):
    keras.utils.set_random_seed(0)
    model = build()
    assert gives_probabilities(model)
    logits = as_logits(model)
    inputs = feed(model)

    def probabilities():
        values = [inputs[tensor.name] for tensor in model.inputs]
        return model.predict_on_batch(values if len(values) > 1 else values[0])

    for _ in range(2):
        real = logits.predict_on_batch(inputs)
        assert np.abs(real.sum(axis=1) - 1).max() > 0.1
        exponential = np.exp(real)
        np.testing.assert_allclose(
            exponential / exponential.sum(axis=1, keepdims=True), probabilities(), atol=1e-6
        )
        # Training goes on: the logits follow.
        model.set_weights([0.5 + 1.5 * weight for weight in model.get_weights()])
    np.testing.assert_allclose(probabilities().sum(axis=1), 1, rtol=1e-5)


def test_logits_stay_logits():
    model = keras.Sequential([image(), layers.Dense(4, name="logits")])
    assert not gives_probabilities(model)
    inputs = feed(model)
    np.testing.assert_array_equal(
        as_logits(model).predict_on_batch(inputs), model.predict_on_batch(inputs["image"])
    )


def test_plain_models_bring_no_code_along():
    for build in WITH_SOFTMAX:
        assert foreign_code(keras.saving.serialize_keras_object(build())) is None


def test_a_registered_layer_is_refused_though_keras_would_load_it(tmp_path):
    @keras.saving.register_keras_serializable("tests")
    class Mine(layers.Layer):
        def call(self, x):
            return x

    x = image()
    keras.Model(x, layers.Dense(2)(Mine()(x))).save(tmp_path / "mine.keras")
    with pytest.raises(BundleError, match="Mine"):
        load_keras(tmp_path / "mine.keras")


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(b"no archive")
    with pytest.raises(BundleError, match="train it again"):
        load_keras(path)
