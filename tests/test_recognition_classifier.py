from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest

pytest.importorskip("tensorflow")
pytest.importorskip("ai_edge_litert")

import keras
import tensorflow as tf
from bundles import LETTERS, crops, letter, letter_bundle
from cli_tools import run, save, text_image

from ocr_batch.datasets.crops import CropSet, pack
from ocr_batch.errors import BundleError, OcrBatchError, UsageError
from ocr_batch.recognition import classifier as module
from ocr_batch.recognition.bundle import LINE_RELATIVE, find_bundle
from ocr_batch.recognition.classifier import BACKENDS, choose_backend, load_classifier
from ocr_batch.training.export import export_bundle, seal
from ocr_batch.training.networks import build_network

CLASSES = (*"abcdefg", "<noise>")


def make_crops(count, seed=0):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, 56, 56, 2), dtype=np.uint8)
    return images, rng.normal(size=(count, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "demo"
    images, geometry = make_crops(256)
    label = np.zeros(256, np.int16)
    keras.utils.set_random_seed(0)
    export_bundle(
        build_network("page-reader", len(CLASSES)),
        folder,
        contract=LINE_RELATIVE,
        classes=CLASSES,
        n_characters=7,
        temperature=2.0,
        recipe={},
        metrics={},
        sources=[],
        validation=CropSet(pack(images), geometry.astype(np.float16), label, label),
    )
    return folder


@pytest.fixture(scope="module")
def reference(folder):
    """Scores of the Keras model itself."""
    images, geometry = make_crops(100, 1)
    model = keras.models.load_model(folder / "model.keras", safe_mode=True)
    logits = model([images.astype(np.float32) / 255, geometry]).numpy() / 2.0
    return images, geometry, logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


@pytest.mark.parametrize(
    ("backend", "tolerance"),
    [("litert-int8", 0.1), ("litert-float", 1e-4), ("keras", 1e-4)],
)
def test_scores_are_log_probabilities_of_the_model(folder, reference, backend, tolerance):
    images, geometry, expected = reference
    classifier = load_classifier(folder, backend)
    assert classifier.backend == backend
    scores = classifier.scores(images, geometry)
    assert scores.dtype == np.float32 and scores.shape == (100, len(CLASSES))
    np.testing.assert_allclose(np.exp(scores).sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(scores, expected, atol=tolerance)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_row_does_not_depend_on_the_others(folder, backend):
    classifier = load_classifier(folder, backend)
    images, geometry = make_crops(150, 2)
    whole = classifier.scores(images, geometry)
    for start, stop in ((0, 1), (149, 150), (3, 70), (5, 141)):
        part = classifier.scores(images[start:stop], geometry[start:stop])
        np.testing.assert_array_equal(part, whole[start:stop])
    np.testing.assert_array_equal(
        load_classifier(folder, backend).scores(images[7:9], geometry[7:9]), whole[7:9]
    )


@pytest.mark.parametrize("backend", ["litert-int8", "litert-float"])
def test_the_batch_makes_no_difference_to_litert(folder, backend):
    images, geometry = make_crops(150, 2)
    expected = load_classifier(folder, backend).scores(images, geometry)
    for batch in (1, 7, 64, 149, 150, 65536):
        classifier = load_classifier(folder, backend, batch=batch)
        assert classifier.batch == min(batch, 4096)
        np.testing.assert_array_equal(classifier.scores(images, geometry), expected)


class Narrow:
    """A model on a device that has memory for so many crops only."""

    def __init__(self, model, room):
        self._model, self._room = model, room
        self.batches = []

    def predict_on_batch(self, inputs):
        self.batches.append(len(inputs["image"]))
        if self.batches[-1] > self._room:
            # As TensorFlow does after it has waited for memory, ten seconds long.
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
        return self._model.predict_on_batch(inputs)


def test_the_batch_halves_when_memory_runs_out(folder):
    images, geometry = make_crops(150, 2)
    expected = load_classifier(folder, "keras", batch=100).scores(images, geometry)
    classifier = load_classifier(folder, "keras", batch=100)
    classifier._model = narrow = Narrow(classifier._model, 30)
    found = classifier.scores(images, geometry)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert narrow.batches == [100, 50] + [25] * 6
    assert classifier.batch == 25
    classifier.scores(images[:1], geometry[:1])
    assert narrow.batches[-1] == 25
    classifier._model = Narrow(narrow, 0)
    with pytest.raises(OcrBatchError, match="not enough memory"):
        classifier.scores(images, geometry)


def test_other_errors_of_a_model_are_raised(folder):
    images, geometry = make_crops(3)
    classifier = load_classifier(folder, "keras", batch=2)
    classifier._model = None
    with pytest.raises(AttributeError):
        classifier.scores(images, geometry)
    assert classifier.batch == 2


def test_a_batch_that_makes_no_sense_is_refused(folder):
    for batch in (0, -1, 65537):
        with pytest.raises(UsageError, match="1 to 65536"):
            load_classifier(folder, batch=batch)


def test_a_network_of_one_batch_only_is_run_with_that(folder, tmp_path):
    target = copy(folder, tmp_path / "demo")
    flat = 4 * 4 * 160
    for name in ("model.int8.tflite", "model.float.tflite"):
        content = (target / name).read_bytes()
        free, fixed = np.array([[-1, flat], [64, flat]], "<i4")
        assert content.count(free.tobytes()) == 1
        (target / name).write_bytes(content.replace(free.tobytes(), fixed.tobytes()))
    seal(target)
    images, geometry = make_crops(150, 2)
    for backend in ("litert-int8", "litert-float"):
        expected = load_classifier(folder, backend).scores(images, geometry)
        for batch in (None, 1, 4096):
            classifier = load_classifier(target, backend, batch=batch)
            assert classifier.batch == 64
            np.testing.assert_array_equal(classifier.scores(images, geometry), expected)


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_crops_give_no_scores(folder, backend):
    scores = load_classifier(folder, backend).scores(*make_crops(0))
    assert scores.shape == (0, len(CLASSES))


def test_inputs_may_be_views_and_stay_as_they_are(folder):
    classifier = load_classifier(folder)
    images, geometry = make_crops(20)
    before = images.copy()
    np.testing.assert_array_equal(
        classifier.scores(images[::2], geometry[::2]), classifier.scores(images, geometry)[::2]
    )
    np.testing.assert_array_equal(images, before)


def test_wrong_shapes_are_named(folder):
    images, geometry = make_crops(4)
    classifier = load_classifier(folder)
    with pytest.raises(ValueError, match="crops"):
        classifier.scores(images[..., :1], geometry)
    with pytest.raises(ValueError, match="crops"):
        classifier.scores(images.astype(np.float32), geometry)
    with pytest.raises(ValueError, match="geometry"):
        classifier.scores(images, geometry[:3])
    with pytest.raises(ValueError, match="geometry"):
        classifier.scores(images)


def test_auto_takes_the_first_that_is_there(folder, monkeypatch):
    assert load_classifier(folder).backend == "litert-int8"
    real = module._available
    monkeypatch.setattr(module, "_available", lambda b, f: b != "litert-int8" and real(b, f))
    assert load_classifier(folder).backend == "litert-float"
    monkeypatch.setattr(module, "_available", lambda b, f: False)
    with pytest.raises(UsageError, match="install"):
        load_classifier(folder)
    with pytest.raises(UsageError, match="litert-int8"):
        load_classifier(folder, "abacus")


def test_a_run_uses_what_the_machine_has(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "gpu_is_usable", lambda: False)
    assert choose_backend(folder) == "litert-int8"
    for backend in BACKENDS:
        assert choose_backend(folder, backend) == backend
    monkeypatch.setattr(module, "gpu_is_usable", lambda: True)
    assert choose_backend(folder) == "keras"
    assert choose_backend(folder, "litert-float") == "litert-float"
    bare = copy(folder, tmp_path / "bare")
    (bare / "model.keras").unlink()
    assert choose_backend(bare) == "litert-int8"
    (bare / "model.int8.tflite").unlink()
    assert choose_backend(bare) == "litert-float"
    with pytest.raises(UsageError, match="keras can not run"):
        choose_backend(bare, "keras")
    with pytest.raises(UsageError, match="abacus"):
        choose_backend(folder, "abacus")


def test_choosing_imports_neither_keras_nor_litert(folder):
    code = (
        "import sys; from pathlib import Path;"
        "from ocr_batch.recognition.classifier import choose_backend;"
        "choose_backend(Path(sys.argv[1]));"
        "assert not {'tensorflow', 'keras', 'ai_edge_litert'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True)


def test_other_classes_are_refused(folder):
    assert load_classifier(folder, classes=CLASSES).card.classes == CLASSES
    with pytest.raises(BundleError, match="other characters"):
        load_classifier(folder, classes=("b", "a", *CLASSES[2:]))


@pytest.fixture(scope="module", params=["flat", "square"])
def isolated(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / request.param
    return letter_bundle(folder, request.param == "flat", temperature=2.0)


@pytest.mark.parametrize(
    ("backend", "tolerance"), [("litert-int8", 0.5), ("litert-float", 1e-4), ("keras", 1e-4)]
)
def test_isolated_characters_are_classified(isolated, backend, tolerance):
    classifier = load_classifier(isolated, backend)
    images = crops(56)
    scores = classifier.scores(images)
    assert [LETTERS[index] for index in scores.argmax(axis=1)] == list(LETTERS)
    np.testing.assert_allclose(np.exp(scores).sum(axis=1), 1, rtol=1e-5)
    # The file ends in a softmax; the temperature divides what comes before it.
    model = keras.models.load_model(isolated / "model.keras")
    shape = (len(images), *model.input_shape[1:])
    scaled = np.log(model(images.reshape(shape) / np.float32(255)).numpy()) / 2.0
    expected = scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(scores, expected, atol=tolerance)
    np.testing.assert_array_equal(classifier.scores(images[3:5]), scores[3:5])


@pytest.mark.parametrize("backend", BACKENDS)
def test_card_must_name_the_crops_that_the_network_takes(isolated, tmp_path, backend):
    target = copy(isolated, tmp_path / "demo")
    card = json.loads((target / "card.json").read_text("utf-8"))
    card["contract"]["frame"] = 32
    (target / "card.json").write_text(json.dumps(card), "utf-8")
    with pytest.raises(BundleError, match="export the bundle again"):
        load_classifier(target, backend)


def copy(folder, target):
    target.mkdir()
    for path in folder.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    return target


def test_card_must_name_as_many_classes(folder, tmp_path):
    target = copy(folder, tmp_path / "demo")
    card = json.loads((target / "card.json").read_text("utf-8"))
    card["classes"].append("<dirt>")
    (target / "card.json").write_text(json.dumps(card), "utf-8")
    for backend in BACKENDS:
        with pytest.raises(BundleError, match="8 classes apart"):
            load_classifier(target, backend)


def test_broken_export_is_refused(folder, tmp_path):
    target = copy(folder, tmp_path / "demo")
    (target / "model.int8.tflite").write_bytes(b"not a model")
    with pytest.raises(BundleError, match="not the file"):
        load_classifier(target)
    seal(target)
    with pytest.raises(BundleError, match="can not be run"):
        load_classifier(target)


@pytest.mark.parametrize(
    ("module_name", "class_name", "registered_name"),
    [("keras.layers", "Lambda", None), ("os", "X", None), (None, "Mine", "my>Mine")],
)
def test_code_in_a_model_is_refused(folder, tmp_path, module_name, class_name, registered_name):
    target = copy(folder, tmp_path / "demo")
    with zipfile.ZipFile(folder / "model.keras") as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(content["config.json"])
    config["config"]["layers"][1].update(
        module=module_name, class_name=class_name, registered_name=registered_name
    )
    content["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(target / "model.keras", "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    seal(target)
    with pytest.raises(BundleError, match=class_name):
        load_classifier(target, "keras")


def test_reading_with_litert_imports_no_tensorflow_and_is_quiet(folder):
    code = (
        "import sys; from pathlib import Path;"
        "from ocr_batch.recognition.classifier import load_classifier;"
        "load_classifier(Path(sys.argv[1]));"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], check=True, capture_output=True, text=True
    )
    assert done.stdout == done.stderr == ""


def plant(bundle, folder):
    """Have a bundle's card name a network in a file that leaves a mark when it is executed."""
    mark = folder / "executed"
    code = f"from pathlib import Path\nPath({str(mark)!r}).touch()\n\n\ndef build(n):\n    pass\n"
    for place in (folder, bundle):
        (place / "evil.py").write_text(code, "utf-8")
    path = bundle / "card.json"
    card = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**card, "network": "evil.py:build"}), "utf-8")
    return mark


def test_a_network_that_a_card_names_is_never_executed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bundle = letter_bundle(tmp_path / "letters")
    mark = plant(bundle, tmp_path)
    for backend in BACKENDS:
        scores = load_classifier(bundle, backend).scores(crops())
        assert scores.argmax(axis=1).tolist() == list(range(len(LETTERS)))
    image = save(tmp_path / "a.png", letter("A"))
    done = run("classify", image, "--model", bundle, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "a.png,A," in done.stdout
    assert not mark.exists()


def test_a_network_that_a_page_reader_names_is_never_executed(tmp_path):
    bundle = tmp_path / "reader"
    shutil.copytree(find_bundle("english"), bundle)
    mark = plant(bundle, tmp_path)
    image = save(tmp_path / "a.png", text_image("The quick brown fox", "jumps over the dog."))
    done = run("read", image, "-o", "-", "--model", "./reader", "--jobs", 1, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "brown fox" in done.stdout
    assert not mark.exists()
