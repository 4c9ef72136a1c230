from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from ocr_batch.errors import BundleError
from ocr_batch.recognition import bundle
from ocr_batch.recognition.bundle import (
    LINE_RELATIVE,
    Card,
    check_purpose,
    checksum,
    find_bundle,
    load_card,
    tight,
    verify,
)

CARD = Card(
    name="demo",
    network="page-reader",
    classes=("a", "b", "<noise>"),
    n_characters=2,
    contract=LINE_RELATIVE,
    temperature=1.25,
    recipe={"seed": 1},
    metrics={"top1": 0.9},
    sources=({"name": "nothing", "licence": "CC0-1.0"},),
    files={},
)


def write(folder, card=CARD, **changes):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "language.npz").write_bytes(b"words")
    files = {"language.npz": checksum(folder / "language.npz")}
    content = {**replace(card, files=files).as_json(), **changes}
    (folder / "card.json").write_text(json.dumps(content), "utf-8")
    return folder


def test_card_survives_a_round_trip(tmp_path):
    card = verify(write(tmp_path / "demo"))
    assert replace(card, files={}) == CARD
    assert list(card.files) == ["language.npz"]


def test_contract_fits_the_documented_frame():
    assert LINE_RELATIVE.name == "line-relative-1"
    assert (LINE_RELATIVE.frame, LINE_RELATIVE.x_height, LINE_RELATIVE.baseline) == (56, 20, 38)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": 99}, "schema 99"),
        ({"contract": {**CARD.as_json()["contract"], "name": "tight-1"}}, "tight-1"),
        ({"contract": {**CARD.as_json()["contract"], "channels": 1}}, "trained on"),
        ({"contract": {**CARD.as_json()["contract"], "extent": 20}}, "trained on"),
        ({"contract": asdict(tight(28, 29))}, "trained on"),
        ({"contract": asdict(tight(28, 0))}, "trained on"),
        ({"contract": asdict(tight(4, 3))}, "trained on"),
        ({"contract": {**asdict(tight(28, 20)), "frame": "28"}}, "trained on"),
        ({"contract": {"name": "?"}}, "incomplete"),
        ({"n_characters": 4}, "4 of 3"),
        ({"classes": ["a", "a", "<noise>"]}, "distinct"),
        ({"temperature": 0}, "temperature"),
        ({"temperature": "warm"}, "incomplete"),
        ({"surprise": 1}, "incomplete"),
    ],
)
def test_cards_that_do_not_fit_are_refused(tmp_path, changes, message):
    with pytest.raises(BundleError, match=message) as caught:
        load_card(write(tmp_path, **changes))
    assert "train it again" in str(caught.value)


def test_cards_of_isolated_characters_are_read(tmp_path):
    card = load_card(write(tmp_path, contract=asdict(tight(28, 20))))
    assert card.contract == tight(28, 20)
    assert (card.contract.frame, card.contract.extent, card.contract.geometry) == (28, 20, 0)


def test_cards_from_before_there_was_an_extent_are_read(tmp_path):
    contract = CARD.as_json()["contract"]
    assert contract.pop("extent") == 0
    assert load_card(write(tmp_path, contract=contract)).contract == LINE_RELATIVE


def test_bundles_are_refused_for_what_they_were_not_trained_for(tmp_path):
    isolated = replace(CARD, contract=tight(28, 20))
    check_purpose(tmp_path, CARD, pages=True)
    check_purpose(tmp_path, isolated, pages=False)
    with pytest.raises(BundleError, match="ocr-batch classify"):
        check_purpose(tmp_path, isolated, pages=True)
    with pytest.raises(BundleError, match="ocr-batch read"):
        check_purpose(tmp_path, CARD, pages=False)


@pytest.mark.parametrize("content", ["", "{", "[]", '"text"', "null"])
def test_a_card_that_is_no_card_is_refused(tmp_path, content):
    (tmp_path / "card.json").write_text(content, "utf-8")
    with pytest.raises(BundleError):
        load_card(tmp_path)


def test_changed_and_missing_files_are_refused(tmp_path):
    folder = write(tmp_path)
    (folder / "language.npz").write_bytes(b"other words")
    with pytest.raises(BundleError, match=r"language\.npz is not the file"):
        verify(folder)
    (folder / "language.npz").unlink()
    with pytest.raises(BundleError, match=r"language\.npz is missing"):
        verify(folder)


def test_files_outside_the_bundle_are_refused(tmp_path):
    folder = write(tmp_path / "demo", files={"../secret": "0" * 64})
    with pytest.raises(BundleError, match="outside"):
        verify(folder)


def test_bundles_are_found_by_path_and_by_name(tmp_path, monkeypatch):
    shipped, own = tmp_path / "shipped", tmp_path / "own"
    monkeypatch.setattr(bundle, "_shipped", lambda: shipped)
    monkeypatch.chdir(write(own / "demo").parent)
    assert find_bundle(str(own / "demo")) == own / "demo"
    assert find_bundle("demo").resolve() == own / "demo"
    write(shipped / "demo")
    assert find_bundle("demo") == shipped / "demo"
    assert find_bundle("./demo").resolve() == own / "demo"
    # What was found stays the same bundle when it is handed on as text.
    assert find_bundle("./demo").is_absolute()
    assert find_bundle(str(find_bundle("./demo"))).resolve() == own / "demo"


def test_unknown_bundle_lists_the_shipped_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(bundle, "_shipped", lambda: tmp_path)
    write(tmp_path / "demo")
    with pytest.raises(BundleError, match="there is: demo"):
        find_bundle("klingon")
