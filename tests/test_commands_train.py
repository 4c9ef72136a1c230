"""`ocr-batch train`, on tiny data of its own."""

from __future__ import annotations

import gzip
import json
import pickle
import re
import shutil
import signal
import struct
import subprocess
import time

import numpy as np
import pytest
from cli_tools import COMMAND, environment, run

from ocr_batch.recognition.bundle import load_card
from ocr_batch.recognition.classifier import load_classifier

pytest.importorskip("tensorflow")

NETWORK = """
import keras


def build(n_classes):
    image = keras.Input((28, 28, 1), name="image")
    x = keras.layers.Flatten()(keras.layers.AveragePooling2D(4)(image))
    return keras.Model(image, keras.layers.Dense(n_classes, activation="softmax")(x))
"""


def glyphs(count, seed=0, side=28):
    """Upright, level and crossed bars, light on dark."""
    rng = np.random.default_rng(seed)
    label = np.arange(count) % 3
    images = np.zeros((count, side, side), np.uint8)
    images[label != 1, 4:-4, side // 2 - 2 : side // 2 + 2] = 255
    images[label != 0, side // 2 - 2 : side // 2 + 2, 4:-4] = 255
    dim = rng.integers(0, 60, images.shape, dtype=np.uint8)
    return np.where(images > 0, images - dim, 0).astype(np.uint8), label


@pytest.fixture
def network(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(NETWORK, "utf-8")
    return f"{path}:build"


def idx(path, values, dimensions):
    head = struct.pack(f">BBBB{dimensions}I", 0, 0, 8, dimensions, *values.shape)
    with gzip.open(path, "wb") as file:
        file.write(head + values.astype(np.uint8).tobytes())


def sources(folder):
    """Write the same characters in every form that training takes."""
    from PIL import Image

    images, label = glyphs(120)
    flat = images.reshape(len(images), -1) / 255.0
    with (folder / "set.pkl").open("wb") as file:
        pickle.dump((flat, label[:, None]), file)
    np.savez(folder / "set.npz", X=255 - images, y=np.array(["i", "-", "+"])[label])
    idx(folder / "train-images-idx3-ubyte.gz", images, 3)
    idx(folder / "train-labels-idx1-ubyte.gz", label, 1)
    rows = ["image,label"]
    for number, (image, name) in enumerate(zip(images, label, strict=True)):
        place = folder / "classes" / str(name)
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(255 - image).save(place / f"{number}.png")
        rows.append(f"classes/{name}/{number}.png,{name}")
    (folder / "set.csv").write_text("\n".join(rows) + "\n", "utf-8")
    return ["set.pkl", "set.npz", "train-images-idx3-ubyte.gz", "classes", "set.csv"]


def train(*arguments, cwd):
    return run("train", *arguments, cwd=cwd)


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A bundle trained from a pickle, and what the command said."""
    folder = tmp_path_factory.mktemp("train")
    (folder / "mine.py").write_text(NETWORK, "utf-8")
    sources(folder)
    done = train(
        *("--network", "mine.py:build", "--data", "set.pkl", "-o", "bundle", "--epochs", "40"),
        *("--rate", "0.02", "--batch", "16", "--export", "h5", "--licence", "Bars=made here"),
        cwd=folder,
    )
    return folder, done


def test_a_pickle_becomes_a_bundle_with_a_report(first):
    folder, done = first
    assert done.returncode == 0, done.stderr
    assert "test accuracy: 1.0000" in done.stdout
    assert "values 0..1" in done.stderr
    names = {path.name for path in (folder / "bundle").iterdir()}
    assert {"model.keras", "model.int8.tflite", "model.float.tflite", "card.json"} <= names
    assert {"report", "prediction_model.h5"} <= names
    assert not (folder / "bundle.run").exists()
    page = (folder / "bundle" / "report" / "report.html").read_text("utf-8")
    assert "<img" in page and "http" not in page.split("<style")[0]
    card = load_card(folder / "bundle")
    assert card.classes == ("0", "1", "2")
    assert card.contract.name == "tight-1" and card.contract.frame == 28
    assert card.recipe["epochs"] == 40 and card.recipe["rate"] == 0.02
    assert card.sources == ({"name": "Bars", "licence": "made here"},)


def test_the_bundle_classifies(first):
    images, label = glyphs(30, seed=5)
    for backend in ("litert-int8", "litert-float"):
        scores = load_classifier(first[0] / "bundle", backend).scores(images[..., None], None)
        assert (scores.argmax(axis=1) == label).all()


def again(folder, *arguments, network="mine.py:build", data="set.pkl", out="bundle"):
    return train("--network", network, "--data", data, "-o", out, *arguments, cwd=folder)


def test_a_worse_bundle_does_not_replace_a_better_one(first):
    folder, _ = first
    before = (folder / "bundle" / "card.json").read_bytes()
    worse = again(folder, "--epochs", "1", "--rate", "1e-9")
    assert worse.returncode == 5
    assert "does better and stays" in worse.stderr
    assert (folder / "bundle" / "card.json").read_bytes() == before
    assert load_card(folder / "bundle.rejected").name == "bundle"
    assert not (folder / "bundle.run").exists()


def test_bundles_that_can_not_be_compared_are_not_replaced(first):
    folder, _ = first
    images, label = glyphs(90, seed=3)
    np.savez(folder / "more.npz", X=images, y=label)
    np.savez(folder / "other.npz", X=images, y=np.array(["a", "b", "c"])[label])
    for data, says in (("more.npz", "other data"), ("other.npz", "other characters")):
        done = again(folder, data=data)
        assert done.returncode == 2 and says in done.stderr, done.stderr
        assert "epoch" not in done.stderr
    assert load_card(folder / "bundle").classes == ("0", "1", "2")


def test_files_beside_the_bundle_stay(first):
    folder, _ = first
    shutil.copytree(folder / "bundle", folder / "copy")
    (folder / "copy" / "recipe.ini").write_text("[training]\n", "utf-8")
    done = again(folder, "--epochs", "1", "--force", out="copy")
    assert done.returncode == 0, done.stderr
    assert (folder / "copy" / "recipe.ini").is_file()
    assert "recipe.ini" in load_card(folder / "copy").files
    assert not (folder / "copy" / "prediction_model.h5").exists()


@pytest.mark.parametrize("out", [".", "set.pkl", "full"])
def test_outputs_that_can_not_be_a_bundle(first, out):
    folder, _ = first
    (folder / "full").mkdir(exist_ok=True)
    (folder / "full" / "letter.txt").write_text("mine", "utf-8")
    done = again(folder, out=out)
    assert done.returncode == 4, done.stderr
    assert "epoch" not in done.stderr


def test_interrupted_training_is_not_thrown_away_unasked(first):
    folder, _ = first
    command = [*COMMAND, "train", "--network", "mine.py:build", "--data", "set.pkl", "-o", "long"]
    # The first checkpoint of many, then the end.
    going = subprocess.Popen(
        [*command, "--epochs", "100000"],
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    checkpoint = folder / "long.run" / "checkpoint.npz"
    try:
        for _ in range(3000):
            if checkpoint.exists() or going.poll() is not None:
                break
            time.sleep(0.1)
        going.send_signal(signal.SIGINT)
        assert going.wait(60) == 130
    finally:
        going.kill()
    assert checkpoint.exists()
    refused = again(folder, "--epochs", "100000", out="long")
    assert refused.returncode == 2 and "--resume" in refused.stderr
    other = again(folder, "--epochs", "3", "--resume", out="long")
    assert other.returncode == 2 and "another recipe" in other.stderr
    fresh = again(folder, "--epochs", "1", "--fresh", out="long")
    assert fresh.returncode == 0, fresh.stderr
    nothing = again(folder, "--epochs", "1", "--resume", "--force", out="long")
    assert nothing.returncode == 2 and "no training to resume" in nothing.stderr


def test_case_is_folded(tmp_path, network):
    images, label = glyphs(60)
    np.savez(tmp_path / "set.npz", X=images, y=np.array(["a", "B", "b"])[label])
    done = again(
        tmp_path, "--fold-case", "--classes", "AB", "--epochs", "1", network=network, data="set.npz"
    )
    assert done.returncode == 0, done.stderr
    card = load_card(tmp_path / "bundle")
    assert card.classes == ("A", "B") and card.recipe["fold_case"] is True


@pytest.mark.parametrize("place", range(1, 5))
def test_every_kind_of_source_trains(tmp_path, network, place):
    name = sources(tmp_path)[place]
    done = train(
        *("--network", network, "--data", name, "-o", "out", "--epochs", "30", "--rate", "0.02"),
        *("--batch", "16"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split("test accuracy: ")[1].split()[0]) > 0.9
    expected = ("+", "-", "i") if name == "set.npz" else ("0", "1", "2")
    assert load_card(tmp_path / "out").classes == expected


def test_recipe_file_and_class_names(tmp_path, network):
    sources(tmp_path)
    recipe = "[training]\nepochs = 2\nbatch = 32\n[augmentation]\nrotation = 5\n"
    (tmp_path / "recipe.ini").write_text(recipe, "utf-8")
    done = train(
        *("--network", network, "--recipe", "recipe.ini", "--data", "set.pkl", "-o", "out"),
        *("--classes", "i,-,+", "--set", "augmentation.zoom=0.05"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    card = load_card(tmp_path / "out")
    assert card.classes == ("i", "-", "+")
    assert card.recipe["batch"] == 32
    assert card.recipe["augmentation"]["rotation"] == 5
    assert card.recipe["augmentation"]["zoom"] == 0.05


def test_training_data_of_its_own_to_test_on(tmp_path, network):
    sources(tmp_path)
    images, label = glyphs(33, seed=9)
    np.savez(tmp_path / "test.npz", X=images, y=label)
    done = train(
        *("--network", network, "--data", "set.pkl", "--test-data", "test.npz", "-o", "out"),
        *("--epochs", "2"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "out" / "card.json").read_text("utf-8"))["metrics"]
    assert metrics["test"]["crops"] == 33


class Executed:
    def __reduce__(self):
        import os

        return os.system, ("touch executed",)


def _bad_shape(images, label):
    return images.reshape(len(images), -1)[:, :700], label


def _not_a_number(images, label):
    wrong = images / 255.0
    wrong[3, 4, 5] = np.nan
    return wrong, label


def _one_class(images, label):
    return images, np.zeros_like(label)


def _lengths_differ(images, label):
    return images, label[:-1]


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_bad_shape, "square"),
        (_not_a_number, "NaN|finite|not a number"),
        (_one_class, "one class"),
        (_lengths_differ, "labels"),
        (lambda images, label: (images, Executed()), "system"),
    ],
)
def test_bad_data_ends_before_training(tmp_path, network, spoil, says):
    with (tmp_path / "set.pkl").open("wb") as file:
        pickle.dump(spoil(*glyphs(30)), file)
    done = train("--network", network, "--data", "set.pkl", "-o", "out", cwd=tmp_path)
    assert done.returncode == 2

    assert re.search(says, done.stderr), done.stderr
    assert "epoch" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_wrong_usage(tmp_path, network):
    sources(tmp_path)
    assert train("--data", "set.pkl", "-o", "out", cwd=tmp_path).returncode == 1
    for odd in (["--replay", "x"], ["--licence", "mine"], ["--resume", "--fresh"]):
        done = train("--network", network, "--data", "set.pkl", "-o", "out", *odd, cwd=tmp_path)
        assert done.returncode == 1, done.stderr
    nothing = train("--network", "alexnet", "--data", "set.pkl", "-o", "out", cwd=tmp_path)
    assert nothing.returncode == 2 and "glyph-cnn" in nothing.stderr
    labels = train(
        *("--network", network, "--data", "set.pkl", "--classes", "i,-", "-o", "out"), cwd=tmp_path
    )
    assert labels.returncode == 2 and "2" in labels.stderr
