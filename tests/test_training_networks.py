from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("keras")

from ocr_batch.errors import TrainingError
from ocr_batch.recognition.charset import CLASSES
from ocr_batch.training.networks import NETWORKS, build_network


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


def test_unknown_names_are_listed():
    with pytest.raises(TrainingError, match="page-reader"):
        build_network("alexnet", 10)
    with pytest.raises(TrainingError, match="2 classes"):
        build_network("glyph-cnn", 1)
