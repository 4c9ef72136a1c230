from __future__ import annotations

import json
import zipfile

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


def plain_network():
    """A network of many kinds of layers, with initializers, regularizers and operations."""
    x = keras.Input((8, 8, 1), name="image")
    y = layers.RandomRotation(0.1)(layers.Rescaling(2.0)(x))
    y = layers.Conv2D(4, 3, kernel_initializer="he_normal", kernel_regularizer="l2")(y)
    y = layers.BatchNormalization(gamma_constraint="non_neg")(y)
    y = layers.Activation("gelu")(y) + layers.PReLU()(y) * 2.0
    y = keras.ops.relu(keras.ops.clip(y, -1, 1))[:, 1:, :]
    y = layers.TimeDistributed(layers.Dense(3, activation=keras.activations.swish))(y)
    y = layers.Bidirectional(layers.LSTM(2))(layers.Reshape((-1, 3))(y))
    model = keras.Model(x, layers.Dense(4, activation="softmax")(y))
    model.compile(keras.optimizers.AdamW(1e-3), "sparse_categorical_crossentropy")
    return model


def test_plain_layers_are_loaded(tmp_path):
    path = tmp_path / "model.keras"
    model = plain_network()
    model.save(path)
    given = np.random.default_rng(0).random((2, 8, 8, 1), np.float32)
    np.testing.assert_allclose(
        load_keras(path).predict_on_batch(given), model.predict_on_batch(given), atol=1e-5
    )


def thing(module, name, config=None, registered=None):
    return {
        "module": module,
        "class_name": name,
        "config": {} if config is None else config,
        "registered_name": registered,
    }


HOSTILE = {
    "Lambda": thing("keras.layers", "Lambda"),
    "__lambda__": {"class_name": "__lambda__", "config": {"value": "4wEA"}},
    "system": thing("builtins", "function", "system", "function"),
    "execv": thing("os", "execv"),
    "popen": thing("subprocess", "function", "popen", "function"),
    "TFSMLayer": thing("keras.layers", "TFSMLayer", {"filepath": "/tmp/x"}),
    "TorchModuleWrapper": thing("keras.layers", "TorchModuleWrapper", {"module": "gASV"}),
    "JaxLayer": thing("keras.layers", "JaxLayer"),
    "FlaxLayer": thing("keras.layers", "FlaxLayer"),
    "StringLookup": thing("keras.layers", "StringLookup", {"vocabulary": "/etc/passwd"}),
    "IntegerLookup": thing("keras.layers", "IntegerLookup"),
    "TextVectorization": thing("keras.layers", "TextVectorization"),
    "Discretization": thing("keras.layers", "Discretization"),
    "Hashing": thing("keras.layers", "Hashing"),
    "get_file": thing("keras.utils", "function", "get_file", "function"),
    "load_model": thing("keras.models", "load_model", {"filepath": "http://a/b"}),
    "Map": thing("keras.src.ops.core", "Map"),
    "__typespec__": {"class_name": "__typespec__", "spec_name": "os", "config": ["system"]},
    "Future": thing("keras.layers", "Future"),
    "Dense": thing("kerasx.layers", "Dense"),
    "Conv2D": thing("keras.layers", "Conv2D", registered="mine>Conv2D"),
    "ReLU": thing(["keras", "layers"], "ReLU"),
    "['Dense']": thing("keras.layers", ["Dense"]),
    "posix": {"module": "posix", "class_name": None, "config": {}},
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("place", ["layer", "activation", "nested"])
def test_whatever_is_not_known_to_be_plain_is_refused(tmp_path, name, place):
    path, source = tmp_path / "model.keras", tmp_path / "plain.keras"
    dense_softmax().save(source)
    with zipfile.ZipFile(source) as archive:
        files = {entry: archive.read(entry) for entry in archive.namelist()}
    config = json.loads(files["config.json"])
    dense = config["config"]["layers"][-1]
    assert dense["class_name"] == "Dense"
    if place == "layer":
        config["config"]["layers"].append(HOSTILE[name])
    elif place == "activation":
        dense["config"]["activation"] = HOSTILE[name]
    else:
        dense["config"]["kernel_initializer"]["config"] = {"value": [[HOSTILE[name]]]}
    files["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for entry, content in files.items():
            archive.writestr(entry, content)
    with pytest.raises(BundleError) as caught:
        load_keras(path)
    assert f"holds {name}, code that a model may not bring along" in str(caught.value)


def test_every_layer_that_opens_files_or_runs_functions_is_refused():
    for name in dir(layers):
        kind = getattr(layers, name)
        if not isinstance(kind, type) or foreign_code(thing("keras.layers", name)) is not None:
            continue
        written = set(kind.__init__.__code__.co_varnames)
        assert not written & {"filepath", "vocabulary", "call_fn", "function", "fn", "file"}, name


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(b"no archive")
    with pytest.raises(BundleError, match="train it again"):
        load_keras(path)
