from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("tensorflow")
pytest.importorskip("ai_edge_litert")

import keras

from ocr_batch.datasets.crops import Dataset, pack
from ocr_batch.errors import TrainingError
from ocr_batch.recognition.bundle import LINE_RELATIVE, checksum, load_card, verify
from ocr_batch.training.export import export_bundle, seal
from ocr_batch.training.networks import build_network

CLASSES = ("a", "b", "c", "<noise>")
SOURCE = {"name": "drawn by a test", "licence": "CC0-1.0"}


def crops(count):
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 256, (count, 56, 56), dtype=np.uint8)
    geometry = rng.normal(size=(count, 8)).astype(np.float16)
    label = rng.integers(0, 4, count).astype(np.int16)
    return Dataset(pack(np.stack([grey, grey], axis=-1)), geometry, label, label)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "demo"
    folder.mkdir()
    (folder / "language.npz").write_bytes(b"words")
    keras.utils.set_random_seed(0)
    export_bundle(
        build_network("page-reader", 4),
        folder,
        classes=CLASSES,
        n_characters=3,
        temperature=1.5,
        recipe={"seed": 0},
        metrics={"top1": 0.25},
        sources=[SOURCE],
        validation=crops(100),
    )
    return folder


def test_bundle_is_whole(exported):
    card = verify(exported)
    assert sorted(card.files) == [
        "language.npz",
        "model.float.tflite",
        "model.int8.tflite",
        "model.keras",
    ]
    assert card.name == "demo"
    assert card.network == "page-reader"
    assert card.classes == CLASSES
    assert card.contract == LINE_RELATIVE
    assert card.temperature == 1.5
    assert card.metrics["top1"] == 0.25
    assert 0 <= card.metrics["exports"]["int8_agrees_with_float"] <= 1
    assert (exported / "card.json").read_text("utf-8").endswith("}\n")


def test_int8_takes_the_bytes_of_the_image(exported):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(exported / "model.int8.tflite"))
    kinds = {len(item["shape"]): item for item in interpreter.get_input_details()}
    assert kinds[4]["dtype"] == np.int8
    scale, zero = kinds[4]["quantization"]
    assert scale == pytest.approx(1 / 255, rel=1e-5)
    assert zero == -128


def test_int8_is_much_smaller(exported):
    sizes = {path.name: path.stat().st_size for path in exported.iterdir()}
    assert sizes["model.int8.tflite"] < 0.4 * sizes["model.float.tflite"]


def test_sealing_takes_up_new_files_and_sources(exported):
    (exported / "spaces.json").write_text("{}", "utf-8")
    seal(exported, [SOURCE, {"name": "old books", "licence": "public domain"}])
    card = verify(exported)
    assert card.files["spaces.json"] == checksum(exported / "spaces.json")
    assert [source["name"] for source in card.sources] == ["drawn by a test", "old books"]
    assert json.loads((exported / "card.json").read_text("utf-8"))["schema"] == 1


def test_classes_must_fit_the_network(tmp_path):
    with pytest.raises(TrainingError, match="4 classes apart, not 3"):
        export_bundle(
            build_network("page-reader", 4),
            tmp_path / "demo",
            classes=CLASSES[:3],
            n_characters=3,
            temperature=1.0,
            recipe={},
            metrics={},
            sources=[],
            validation=crops(10),
        )
    with pytest.raises(Exception, match="card"):
        load_card(tmp_path / "demo")
