from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("tensorflow")
pytest.importorskip("ai_edge_litert")

import keras
from bundles import CONTRACT, LETTERS, Drawn, letter_bundle

from ocr_batch.datasets.crops import CropSet, pack
from ocr_batch.errors import TrainingError
from ocr_batch.recognition.bundle import LINE_RELATIVE, checksum, load_card, tight, verify
from ocr_batch.training.export import export_bundle, seal
from ocr_batch.training.networks import build_network

CLASSES = ("a", "b", "c", "<noise>")
SOURCE = {"name": "drawn by a test", "licence": "CC0-1.0"}


def crops(count):
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 256, (count, 56, 56), dtype=np.uint8)
    geometry = rng.normal(size=(count, 8)).astype(np.float16)
    label = rng.integers(0, 4, count).astype(np.int16)
    return CropSet(pack(np.stack([grey, grey], axis=-1)), geometry, label, label)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "demo"
    folder.mkdir()
    (folder / "language.npz").write_bytes(b"words")
    keras.utils.set_random_seed(0)
    export_bundle(
        build_network("page-reader", 4),
        folder,
        contract=LINE_RELATIVE,
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
            contract=LINE_RELATIVE,
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


@pytest.mark.parametrize("flat", [True, False])
def test_readers_of_isolated_characters_are_exported(tmp_path, flat):
    folder = letter_bundle(tmp_path / "letters", flat)
    card = verify(folder)
    assert (card.contract, card.network, card.classes) == (CONTRACT, "nearest-letter", LETTERS)
    assert card.metrics["exports"]["litert-float_top1"] == 1
    assert card.metrics["exports"]["litert-int8_top1"] == 1
    assert sorted(card.files) == ["model.float.tflite", "model.int8.tflite", "model.keras"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["letters"]


def test_h5_is_written_on_demand_and_never_that_of_an_earlier_model(tmp_path):
    folder = letter_bundle(tmp_path / "letters", h5=True)
    assert "prediction_model.h5" in verify(folder).files
    restored = keras.models.load_model(folder / "prediction_model.h5", compile=False)
    image = Drawn().image.reshape(-1, 784) / np.float32(255)
    assert (restored.predict(image, verbose=0).argmax(axis=1) == Drawn().label).all()
    letter_bundle(folder)
    assert "prediction_model.h5" not in verify(folder).files


def test_a_failed_export_leaves_the_bundle_as_it_was(tmp_path):
    folder = letter_bundle(tmp_path / "letters")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    class Broken(Drawn):
        def take(self, limit, seed=0):
            raise OSError("the disk is gone")

    with pytest.raises(OSError, match="disk"):
        letter_bundle(folder, validation=Broken())
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["letters"]


def test_contract_must_fit_the_network(tmp_path):
    with pytest.raises(TrainingError, match="numbers a crop"):
        letter_bundle(tmp_path / "letters", contract=tight(32, 20))
    with pytest.raises(TrainingError, match="numbers a crop"):
        letter_bundle(tmp_path / "letters", contract=LINE_RELATIVE)
    assert not (tmp_path / "letters").exists()


def test_layers_of_ones_own_are_refused(tmp_path):
    class Own(keras.layers.Layer):
        def call(self, x):
            return x

    image = keras.Input((784,), name="image")
    model = keras.Model(image, keras.layers.Dense(8)(Own()(image)))
    with pytest.raises(TrainingError, match="Own"):
        export_bundle(
            model,
            tmp_path / "own",
            contract=CONTRACT,
            classes=LETTERS,
            n_characters=8,
            temperature=1.0,
            recipe={},
            metrics={},
            sources=[],
            validation=Drawn(),
        )
