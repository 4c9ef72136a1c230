"""The comparison of real bundles, through the command line and through the library."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

pytest.importorskip("tensorflow")
pytest.importorskip("ai_edge_litert")

import keras
from keras import layers

from ocr_batch.cli import main
from ocr_batch.datasets.crops import CropSet, pack, write_shard
from ocr_batch.datasets.fingerprint import fingerprint
from ocr_batch.datasets.glyphs import Glyphs, GlyphSet, fit_set
from ocr_batch.datasets.split import split
from ocr_batch.recognition.bundle import LINE_RELATIVE, tight
from ocr_batch.recognition.charset import CLASSES
from ocr_batch.training.export import export_bundle

NAMES = ("A", "B", "C", "D", "E")
SEED, SHARES = 7, (0.0, 0.4)


def drawn(times=12, holes=0.15, frame=28):
    """Return letters with holes, ink 255 on 0, and their class indices."""
    rng = np.random.default_rng(0)
    images, label = [], []
    for number in range(times):
        for index, name in enumerate(NAMES):
            image = Image.new("L", (frame, frame), 0)
            font = ImageFont.load_default(18 + number % 3)
            ImageDraw.Draw(image).text((7, 2), name, fill=255, font=font)
            kept = rng.random((frame, frame)) >= holes
            images.append(np.where(kept, np.asarray(image), np.uint8(0)))
            label.append(index)
    return np.stack(images), np.array(label)


def nearest(templates, frame, spoil, seed):
    """Build a network that finds the nearest template; `spoil` adds noise to its weights."""
    classes = len(templates)
    flat = templates.reshape(classes, -1).T / np.float32(255)
    weights = flat + np.random.default_rng(seed).normal(0, spoil, flat.shape)
    model = keras.Sequential(
        [keras.Input((frame * frame,), name="image"), layers.Dense(classes, activation="softmax")],
        name=f"nearest-{frame}",
    )
    model.set_weights([weights, -(flat**2).sum(axis=0) / 2])
    return model


def trained_on(names, order=slice(None)):
    """Return the fingerprint of the drawn letters, as a card of these classes records it."""
    images, label = drawn()
    place = np.array([names.index(name) for name in NAMES])
    return fingerprint(place[label[order]], names, images[order])


def bundle(folder, frame, names, spoil=0.0, seed=0, shares=SHARES, on="a part", **recorded):
    contract = tight(frame, frame - 6)
    images, label = drawn(holes=0)
    place = np.array([names.index(name) for name in NAMES])
    fitted = fit_set(Glyphs(images, place[label], tuple(names)), contract)
    templates = np.stack(
        [fitted.images[fitted.label == index][0] for index in range(len(names))]
    ).astype(np.float32)
    export_bundle(
        nearest(templates, frame, spoil, seed),
        folder,
        contract=contract,
        classes=names,
        n_characters=len(names),
        temperature=1.0,
        recipe={
            "split_seed": SEED,
            "shares": list(shares),
            "data": trained_on(names),
            **recorded,
        },
        metrics={"test": {"crops": 24, "on": on}},
        sources=[],
        validation=GlyphSet(fitted.images, fitted.label),
    )
    return folder


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Return a folder with bundles: good, seeds/1 and seeds/2 of another frame and order; data."""
    folder = tmp_path_factory.mktemp("shop")
    bundle(folder / "good", 28, NAMES)
    for seed in (1, 2):
        bundle(folder / "seeds" / str(seed), 20, NAMES[::-1], spoil=2.0, seed=seed)
    images, label = drawn()
    np.savez(folder / "letters.npz", X=images, y=np.array(NAMES)[label])
    np.savez(folder / "numbers.npz", X=images, y=label)
    np.savez(folder / "more.npz", X=images, y=np.array([*NAMES[:4], "Z"])[label])
    return folder


def compared(capsys, *arguments):
    assert main(["compare", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys, code, *arguments):
    assert main(["compare", *map(str, arguments)]) == code
    return capsys.readouterr().err


def test_figures_follow_from_what_each_bundle_reads(shop, capsys):
    found = compared(capsys, shop / "good", shop / "seeds", "--data", shop / "letters.npz")
    good, seeds = found["rows"]
    assert (found["images"], found["classes"]) == (60, 5)
    assert good["accuracy"]["runs"] == 1
    assert seeds["accuracy"]["runs"] == 2
    assert good["accuracy"]["mean"] > 0.7 > seeds["accuracy"]["mean"] > 0.2
    assert good["errors"] == pytest.approx(60 * (1 - good["accuracy"]["mean"]))
    assert good["reduction"] is good["test"] is None
    error = 1 - good["accuracy"]["mean"]
    expected = None if error == 0 else 100 * (1 - (1 - seeds["accuracy"]["mean"]) / error)
    assert seeds["reduction"] == (expected if expected is None else pytest.approx(expected))
    test = seeds["test"]
    assert test["only_first"] - test["only_second"] == pytest.approx(
        60 * (good["accuracy"]["mean"] - seeds["accuracy"]["mean"]), abs=1
    )
    assert test["p"] < 0.01
    assert good["parameters"] == 28 * 28 * 5 + 5
    assert seeds["parameters"] == 20 * 20 * 5 + 5
    assert min(good["speed"], seeds["speed"]) > 0


def test_table_is_aligned(shop, capsys):
    arguments = [shop / "good", shop / "good", "--data", shop / "letters.npz"]
    assert main(["compare", *map(str, arguments)]) == 0
    printed = capsys.readouterr()
    first, empty, head, *rows = printed.out.splitlines()
    assert first == "60 images of 5 classes (all images)"
    assert empty == ""
    assert len(rows) == 2
    end = head.index("parameters") + len("parameters")
    assert [row[:end].split()[-1] for row in rows] == ["3,925", "3,925"]
    # A bundle against itself: nothing is read right by one alone.
    assert "0/0" in rows[1]
    assert "1.0000" in rows[1]


def test_only_counts_the_classes_named(shop, capsys):
    common = (shop / "good", shop / "seeds/1", "--data", shop / "letters.npz")
    part = compared(capsys, *common, "--only", "B-D")
    assert (part["images"], part["classes"]) == (36, 3)
    whole = compared(capsys, *common)
    rest = compared(capsys, *common, "--only", "A,E")
    for number in (0, 1):
        wrong = [found["rows"][number]["errors"] for found in (part, rest, whole)]
        assert wrong[0] + wrong[1] == wrong[2]


def test_test_part_is_that_of_training(shop, capsys):
    common = (shop / "good", shop / "good", "--data", shop / "letters.npz")
    found = compared(capsys, *common, "--part", "test")
    assert found["images"] == 24
    # The images alone that the split gives: count on them by hand.
    images, label = drawn()
    _, _, rows = split(label, SHARES, SEED)
    np.savez(shop / "part.npz", X=images[rows], y=np.array(NAMES)[label[rows]])
    by_hand = compared(capsys, shop / "good", shop / "good", "--data", shop / "part.npz")
    assert found["rows"][0]["errors"] == by_hand["rows"][0]["errors"]


def test_numbered_data_takes_the_names_of_the_first(shop, capsys):
    common = (shop / "good", shop / "seeds/1", "--data")
    found = compared(capsys, *common, shop / "numbers.npz")
    assert any("numbered" in note for note in found["notes"])
    named = compared(capsys, *common, shop / "letters.npz")
    for one, other in zip(found["rows"], named["rows"], strict=True):
        assert one["errors"] == other["errors"]
    given = compared(capsys, *common, shop / "numbers.npz", "--classes", "E,D,C,B,A")
    assert given["rows"][0]["errors"] > found["rows"][0]["errors"]


def test_different_splits_are_refused(shop, tmp_path, capsys):
    bundle(tmp_path / "other", 20, NAMES, shares=(0.0, 0.5))
    common = ("--data", shop / "letters.npz", "--part", "test")
    said = refused(capsys, 3, shop / "good", tmp_path / "other", *common)
    assert "different splits" in said
    # The same split, but the labels are numbered the other way round.
    assert "different splits" in refused(capsys, 3, shop / "good", shop / "seeds/1", *common)


def test_other_data_than_that_of_the_training_has_no_test_part(shop, tmp_path, capsys):
    images, label = drawn()
    names = np.array(NAMES)[label]
    half, turned = slice(None, 30), np.r_[1, 0, 2:60]
    np.savez(tmp_path / "half.npz", X=images[half], y=names[half])
    # As many images, and as many of each class.
    np.savez(tmp_path / "turned.npz", X=images[turned], y=names[turned])
    np.savez(tmp_path / "other.npz", X=drawn(holes=0.2)[0], y=names)
    for name in ("half", "turned", "other"):
        data = ("--data", tmp_path / f"{name}.npz", "--part", "test")
        said = refused(capsys, 3, shop / "good", shop / "good", *data)
        assert "not the data that good was trained on" in said
    bundle(tmp_path / "turned", 28, NAMES, data=trained_on(NAMES, turned))
    data = ("--data", tmp_path / "turned.npz", "--part", "test")
    found = compared(capsys, tmp_path / "turned", tmp_path / "turned", *data)
    assert found["images"] == 24


def test_cards_that_tell_no_test_part_are_refused(shop, tmp_path, capsys):
    common = ("--data", shop / "letters.npz", "--part", "test")
    bundle(tmp_path / "old", 28, NAMES, data=None)
    said = refused(capsys, 3, tmp_path / "old", tmp_path / "old", *common)
    assert "does not record what data" in said
    bundle(tmp_path / "apart", 28, NAMES, on="test data of its own, which nothing looked at")
    said = refused(capsys, 3, tmp_path / "apart", tmp_path / "apart", *common)
    assert "tested on data of its own" in said


def test_case_is_folded_when_asked_or_when_the_card_says_so(shop, tmp_path, capsys):
    images, label = drawn()
    mixed = np.array([*NAMES, *"abcde"])[label + 5 * (np.arange(60) % 2)]
    np.savez(tmp_path / "mixed.npz", X=images, y=mixed)
    np.savez(tmp_path / "bytes.npz", X=images, y=np.char.encode(mixed))
    good = (shop / "good", shop / "good", "--data")
    whole = compared(capsys, *good, shop / "letters.npz")
    for name in ("mixed.npz", "bytes.npz"):
        folded = compared(capsys, *good, tmp_path / name, "--fold-case")
        assert folded["rows"][0]["errors"] == whole["rows"][0]["errors"]
    assert "does not know: a, b" in refused(capsys, 2, *good, tmp_path / "mixed.npz")
    bundle(tmp_path / "folds", 28, NAMES, fold_case=True)
    folds = (tmp_path / "folds", tmp_path / "folds", "--data", tmp_path / "mixed.npz")
    assert compared(capsys, *folds, "--part", "test", "--only", "a,B")["classes"] == 2
    both = (shop / "good", tmp_path / "folds", "--data", tmp_path / "mixed.npz")
    assert "different splits" in refused(capsys, 3, *both, "--part", "test")


def test_data_of_one_class_and_crops_of_lines_can_be_compared_on(shop, tmp_path, capsys):
    images, label = drawn()
    np.savez(tmp_path / "one.npz", X=images[label == 2], y=np.full(12, "C"))
    good = (shop / "good", shop / "good", "--data")
    assert compared(capsys, *good, tmp_path / "one.npz")["classes"] == 1
    grey = np.pad(images, ((0, 0), (14, 14), (14, 14)))
    indices = np.array([CLASSES.index(name) for name in NAMES])[label].astype(np.int16)
    crops = CropSet(
        pack(np.stack([grey, grey], axis=-1)), np.zeros((60, 8), np.float16), indices, indices
    )
    write_shard(tmp_path / "shards" / "one.npz", crops)
    found = compared(capsys, *good, tmp_path / "shards")
    assert (found["images"], found["classes"]) == (60, 5)
    found = compared(capsys, *good, tmp_path / "shards", tmp_path / "one.npz")
    assert found["images"] == 72


def test_unknown_classes_are_named(shop, capsys):
    common = (shop / "good", shop / "seeds", "--data", shop / "more.npz")
    assert "does not know: Z" in refused(capsys, 2, *common)
    assert compared(capsys, *common, "--only", "A-D")["images"] == 48
    assert "no classes Q" in refused(capsys, 2, *common, "--only", "A,Q")


def test_mistakes_are_said(shop, capsys):
    data = ("--data", shop / "letters.npz")
    assert "no model bundle" in refused(capsys, 3, shop / "good", shop / "none", *data)
    assert "required: B" in refused(capsys, 1, shop / "good", *data)
    assert "no back end" in refused(
        capsys, 1, shop / "good", shop / "seeds", *data, "--backend", "abacus"
    )
    assert "there is no" in refused(
        capsys, 2, shop / "good", shop / "good", "--data", shop / "absent.npz"
    )
    # Bundles of different networks are no seeds of one.
    bundle(shop / "mixed" / "a", 20, NAMES)
    bundle(shop / "mixed" / "b", 28, NAMES)
    assert "different networks" in refused(capsys, 3, shop / "good", shop / "mixed", *data)


def test_page_readers_are_compared_on_crops_of_lines(shop, tmp_path, capsys):
    classes = ("a", "b", "c", "<noise>")
    image = keras.Input((56, 56, 2), name="image")
    geometry = keras.Input((8,), name="geometry")
    flat = layers.Flatten()(layers.Conv2D(2, 14, strides=14, use_bias=False)(image))
    logits = layers.Dense(4)(layers.Concatenate()([flat, geometry]))
    model = keras.Model({"image": image, "geometry": geometry}, logits, name="tiny-reader")
    rng = np.random.default_rng(1)
    label = np.tile(np.arange(4), 25).astype(np.int16)
    grey = rng.integers(0, 256, (100, 56, 56), dtype=np.uint8)
    shape = rng.normal(size=(100, 8)).astype(np.float16)
    # The geometry alone tells the first three classes apart.
    shape[np.arange(100), label] += 30
    shape[label == 3] = 0
    weights = np.zeros((40, 4), np.float32)
    weights[32:35, :3] = np.eye(3)
    model.set_weights([np.zeros((14, 14, 2, 2)), weights, np.array([0, 0, 0, 0.1], np.float32)])
    crops = CropSet(pack(np.stack([grey, grey], axis=-1)), shape, label, label)
    write_shard(tmp_path / "data" / "validation" / "one.npz", crops)
    export_bundle(
        model,
        tmp_path / "reader",
        contract=LINE_RELATIVE,
        classes=classes,
        n_characters=3,
        temperature=1.0,
        recipe={},
        metrics={},
        sources=[],
        validation=crops,
    )
    reader, data = tmp_path / "reader", ("--data", tmp_path / "data")
    found = compared(capsys, reader, reader, *data, "--backend", "litert-float")
    assert found["images"] == 100
    assert found["rows"][0]["errors"] == 0
    assert compared(capsys, reader, reader, *data, "--only", "a,<noise>")["images"] == 50
    often = ("--data", f"{tmp_path / 'data'}@2")
    assert compared(capsys, reader, reader, *often)["images"] == 100
    assert "isolated characters" in refused(capsys, 3, reader, shop / "good", *data)
    assert "split by page" in refused(capsys, 2, reader, reader, *data, "--part", "test")
    said = refused(capsys, 2, reader, reader, "--data", shop / "letters.npz", "--only", "A,B")
    assert "does not know" in said
    both = (*data, shop / "letters.npz")
    assert "can not be mixed" in refused(capsys, 2, reader, reader, *both)
