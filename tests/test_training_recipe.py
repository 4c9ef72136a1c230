from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from ocr_batch.datasets.augmentation import Augmentation
from ocr_batch.errors import TrainingError
from ocr_batch.training.recipe import Recipe, default_recipe, learning_rate, read_recipe

REFERENCES = ("mnist-mlp", "mnist-cnn", "glyph-mlp", "glyph-cnn")


@pytest.mark.parametrize("network", REFERENCES)
def test_references_are_trained_as_published(network):
    recipe = default_recipe(network)
    recipe.check()
    assert (recipe.optimizer, recipe.batch, recipe.epochs, recipe.patience) == (
        "rmsprop",
        128,
        30,
        2,
    )
    assert not (recipe.cosine or recipe.best or recipe.smoothing or recipe.average)
    if network.startswith("glyph"):
        assert (recipe.validation, recipe.test) == (0.0, 0.2)


@pytest.mark.parametrize("network", ["page-reader", "page-reader-dense", "glyph-reader", "a.py:b"])
def test_own_recipes_make_sense(network):
    recipe = default_recipe(network)
    recipe.check()
    assert recipe.network == network


def test_learning_rate_rises_and_falls():
    recipe = Recipe(rate=1.0, warmup=10)
    rates = [learning_rate(recipe, step, step / 100) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) <= 1.0
    assert np.argmax(rates) == 9
    assert rates[100] == pytest.approx(0.0)
    assert learning_rate(replace(recipe, cosine=False), 100, 1.0) == 1.0


def test_file_and_settings_change_the_default(tmp_path):
    path = tmp_path / "recipe.ini"
    path.write_text(
        "[training]\nnetwork = glyph-cnn\nepochs = 4\nbest = yes\n[augmentation]\nrotation = 3.5\n",
        "utf-8",
    )
    recipe = read_recipe(path, ["epochs=7", "augmentation.zoom=0.1", "rate = 0.01"])
    expected = default_recipe("glyph-cnn")
    assert recipe == replace(
        expected,
        epochs=7,
        best=True,
        rate=0.01,
        augmentation=replace(expected.augmentation, rotation=3.5, zoom=0.1),
    )
    assert read_recipe(path, [], "mnist-mlp").network == "mnist-mlp"


def test_every_field_can_be_set_from_text():
    for item in fields(Recipe):
        value = getattr(Recipe(), item.name)
        if type(value) in (int, float, bool) and item.name not in ("epochs", "steps", "minutes"):
            assert getattr(read_recipe(None, [f"{item.name}={value}"]), item.name) == value


def test_how_long_is_said_once(tmp_path):
    path = tmp_path / "recipe.ini"
    path.write_text("[training]\nnetwork = page-reader\nminutes = 3\n", "utf-8")
    assert read_recipe(path).minutes == 3
    recipe = read_recipe(path, ["steps=50"])
    assert (recipe.minutes, recipe.epochs, recipe.steps) == (0.0, 0, 50)
    with pytest.raises(TrainingError, match="one of epochs, steps and minutes"):
        read_recipe(path, ["steps=50", "epochs=2"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["epoch=3"], "no setting 'epoch'"),
        (["epochs=many"], "epochs = many is no whole number"),
        (["epochs"], "not name=value"),
        (["optimizer=lion"], "optimizer is one of"),
        (["rate=-1"], "rate"),
        (["validation=0.4", "test=0.4"], "shares"),
        (["best=perhaps"], "neither yes nor no"),
        (["precision=float8"], "precision"),
        (["rate=much"], "rate = much is no number"),
        (["rate=nan"], "finite"),
        (["seed=-1"], "seed"),
        (["split_seed=-1"], "split_seed"),
        (["seed=4294967296"], "below 2 to the power of 32"),
        (["epochs=-1", "minutes=5"], "0 or more"),
        (["epochs=0"], "one of epochs, steps and minutes"),
        (["validation=0", "test=0"], "something to watch"),
        (["limit=0"], "limit"),
        (["augmentation.zoom=1"], "zoom"),
        (["augmentation.gain=1"], "gain"),
        (["augmentation.blur=1.1"], "blur"),
        (["augmentation.noise=1.1"], "noise"),
        (["augmentation.elastic=inf"], "finite"),
        (["augmentation.shift_x=1.5"], "no whole number"),
        *(([f"augmentation.{item.name}=-1"], "below 0") for item in fields(Augmentation)),
    ],
)
def test_nonsense_is_named(settings, message):
    with pytest.raises(TrainingError, match=message):
        read_recipe(None, settings)


def test_the_place_of_a_bad_value_is_named(tmp_path):
    path = tmp_path / "recipe.ini"
    path.write_text("[training]\nepochs = 4\n", "utf-8")
    for settings in (["epochs=many"], ["epoch=3"], ["augmentation.zoom=much"]):
        with pytest.raises(TrainingError, match="settings on the command line") as caught:
            read_recipe(path, settings)
        assert "recipe.ini" not in str(caught.value)
    for content in ("[training]\nepochs = many\n", "[augmentation]\nzoom = much\n"):
        path.write_text(content, "utf-8")
        with pytest.raises(TrainingError, match=r"recipe\.ini: ") as caught:
            read_recipe(path, ["batch=3"])
        assert "command line" not in str(caught.value)


def test_files_that_are_no_recipes(tmp_path):
    with pytest.raises(TrainingError, match="can not be read"):
        read_recipe(tmp_path / "none.ini")
    (tmp_path / "bad.ini").write_text("epochs = 3\n", "utf-8")
    with pytest.raises(TrainingError, match="can not be read"):
        read_recipe(tmp_path / "bad.ini")
    (tmp_path / "other.ini").write_text("[training]\n[cooking]\n", "utf-8")
    with pytest.raises(TrainingError, match="cooking"):
        read_recipe(tmp_path / "other.ini")
