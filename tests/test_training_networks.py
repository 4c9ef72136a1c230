from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("keras")

from ocr_batch.errors import TrainingError
from ocr_batch.recognition.bundle import LINE_RELATIVE
from ocr_batch.recognition.charset import CLASSES
from ocr_batch.training.networks import NETWORKS, build_network, contract_of


@pytest.mark.parametrize(
    ("name", "classes", "shape", "parameters"),
    [
        ("mnist-mlp", 10, (784,), 669_706),
        ("mnist-cnn", 10, (28, 28, 1), 600_810),
        ("glyph-mlp", 36, (3136,), 3_305_636),
        ("glyph-cnn", 36, (56, 56, 1), 691_688),
    ],
)
def test_references_have_the_published_size(name, classes, shape, parameters):
    model = build_network(name, classes)
    assert model.count_params() == parameters
    assert model.input_shape == (None, *shape)
    probabilities = model(np.random.default_rng(0).random((2, *shape), dtype=np.float32)).numpy()
    assert probabilities.shape == (2, classes)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def described(layer):
    """A layer in short: what it does, its size, and its activation where it has one."""
    kind, config = type(layer).__name__, layer.get_config()
    if kind == "Dropout":
        return f"drop {config['rate']:g}"
    if kind == "Dense":
        return f"dense {config['units']} {config['activation']}"
    if kind == "Conv2D":
        assert (config["kernel_size"], config["strides"], config["padding"]) == (
            (3, 3),
            (1, 1),
            "valid",
        )
        return f"conv {config['filters']} {config['activation']}"
    if kind == "MaxPooling2D":
        return f"pool {config['pool_size'][0]}"
    return kind.lower()


LAYERS = {
    "mnist-mlp": [
        "dense 512 relu, drop 0.2, dense 512 relu, drop 0.2, dense 10 softmax",
        (10,),
    ],
    "mnist-cnn": [
        "conv 32 relu, conv 32 relu, pool 2, drop 0.25, flatten, dense 128 relu, drop 0.5, "
        "dense 10 softmax",
        (12, 12, 32),
    ],
    "glyph-mlp": [
        "drop 0.2, dense 700 relu, drop 0.5, dense 700 relu, drop 0.5, dense 500 relu, drop 0.5, "
        "dense 500 relu, dense 36 softmax",
        (36,),
    ],
    "glyph-cnn": [
        "drop 0.2, conv 16 relu, conv 32 relu, pool 2, drop 0.5, conv 64 relu, pool 2, drop 0.5, "
        "conv 128 relu, pool 3, flatten, dense 500 relu, drop 0.5, dense 36 softmax",
        (3, 3, 128),
    ],
}


@pytest.mark.parametrize("name", LAYERS)
def test_references_have_the_published_layers_in_order(name):
    layers, shape = LAYERS[name]
    model = build_network(name, shape[0] if len(shape) == 1 else 10 if "mnist" in name else 36)
    assert ", ".join(map(described, model.layers)) == layers
    flat = [layer for layer in model.layers if type(layer).__name__ == "Flatten"]
    assert (flat[0].input.shape[1:] if flat else model.output_shape[1:]) == shape


@pytest.mark.parametrize("name", ["page-reader", "page-reader-dense"])
def test_page_reader_is_compact_and_emits_logits(name):
    model = build_network(name, len(CLASSES))
    assert 400_000 <= model.count_params() <= 600_000
    image = np.random.default_rng(0).random((3, 56, 56, 2), dtype=np.float32)
    logits = model([image, np.zeros((3, 8), np.float32)]).numpy()
    assert logits.shape == (3, len(CLASSES))
    assert not np.allclose(np.exp(logits).sum(axis=1), 1)


def test_page_reader_looks_at_the_geometry():
    model = build_network("page-reader", 5)
    image = np.zeros((1, 56, 56, 2), np.float32)
    plain = model([image, np.zeros((1, 8), np.float32)]).numpy()
    tall = model([image, np.full((1, 8), 2, np.float32)]).numpy()
    assert not np.allclose(plain, tall)


def test_layers_are_all_of_keras():
    for name in NETWORKS:
        for layer in build_network(name, 4).layers:
            assert type(layer).__module__.startswith("keras.")
            assert type(layer).__name__ != "Lambda"


def own(tmp_path, body):
    path = tmp_path / "own.py"
    path.write_text(f"import keras\n\n\ndef build(n_classes):\n    {body}\n", "utf-8")
    return f"{path}:build"


HEAD = "keras.layers.Dense(n_classes)(keras.layers.Flatten()(image))"


def image_network(shape, name="image"):
    return f"image = keras.Input({shape}, name={name!r}); return keras.Model(image, {HEAD})"


@pytest.mark.parametrize("shape", ["(40, 40, 1)", "(784,)"])
def test_networks_of_ones_own(tmp_path, shape):
    name = own(
        tmp_path, f"image = keras.Input({shape}, name='image'); return keras.Model(image, {HEAD})"
    )
    model = build_network(name, 7)
    assert model.output_shape == (None, 7)
    contract = contract_of(model)
    assert (contract.name, contract.channels, contract.geometry) == ("tight-1", 1, 0)
    assert contract.frame == (28 if shape == "(784,)" else 40)


def test_contract_of_the_page_readers():
    assert contract_of(build_network("page-reader", 3)) == LINE_RELATIVE
    assert contract_of(build_network("glyph-reader", 3)).frame == 56


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return 3", "no Keras model"),
        ("raise ValueError('too deep')", "too deep"),
        (
            f"image = keras.Input((28, 28, 3), name='image'); return keras.Model(image, {HEAD})",
            "f, f, 1",
        ),
        (
            image_network("(28, 28, 1)", name="x"),
            r"begin with keras.Input\(\(f, f, 1\), name='image'",
        ),
        (
            "return keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(n_classes)])",
            r"begin with keras.Input\(\(f, f, 1\), name='image'\)",
        ),
        (
            "image = keras.Input((28, 28, 1), name='image'); "
            "return keras.Model(image, keras.layers.Dense(9)(keras.layers.Flatten()(image)))",
            "called with 5, gave 9 outputs; use its argument",
        ),
        (
            "image = keras.Input((28, 28, 1), name='image'); "
            "return keras.Model(image, keras.layers.Dense(n_classes)(image))",
            "instead of one output",
        ),
        (
            "image = keras.Input((28, 28, 1), name='image'); "
            f"return keras.Model(image, [{HEAD}, {HEAD}])",
            "instead of one output",
        ),
        (
            "image = keras.Input((28, 28, 1), name='image'); "
            "x = keras.layers.Lambda(lambda v: v + 1)(keras.layers.Flatten()(image)); "
            "return keras.Model(image, keras.layers.Dense(n_classes)(x))",
            "Lambda",
        ),
    ],
)
def test_own_networks_that_can_not_be_trained(tmp_path, body, message):
    with pytest.raises(TrainingError, match=message):
        build_network(own(tmp_path, body), 5)


@pytest.mark.parametrize("name", ["own", "own.txt", "own.py.orig"])
def test_the_file_may_have_any_name(tmp_path, name):
    own(tmp_path, image_network("(28, 28, 1)"))
    (tmp_path / "own.py").rename(tmp_path / name)
    assert build_network(f"{tmp_path / name}:build", 3).output_shape == (None, 3)


def test_own_networks_that_are_not_there(tmp_path):
    with pytest.raises(TrainingError, match="no file"):
        build_network(f"{tmp_path / 'none.py'}:build", 5)
    with pytest.raises(TrainingError, match="must define other"):
        build_network(own(tmp_path, "return 3").replace(":build", ":other"), 5)


def test_unknown_names_are_listed():
    with pytest.raises(TrainingError, match="page-reader"):
        build_network("alexnet", 10)
    with pytest.raises(TrainingError, match="2 classes"):
        build_network("glyph-cnn", 1)
