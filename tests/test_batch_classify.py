from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("tensorflow")
pytest.importorskip("ai_edge_litert")

from bundles import LETTERS, letter, letter_bundle, letters
from cli_tools import save

import ocr_batch
from ocr_batch.batch.classify import Scan, classify_scans, load_glyph_classifier
from ocr_batch.errors import BundleError, ImageError, InputError, UsageError


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return letter_bundle(tmp_path_factory.mktemp("models") / "letters")


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scans")
    for number, image in enumerate(letters(60)):
        save(folder / f"{number}.png", image)
    return folder


def names(results):
    return [result.label for result in results]


def test_files_of_a_folder_are_classified_in_order(bundle, scans):
    results = list(ocr_batch.classify(scans, model=bundle))
    assert names(results) == list(LETTERS)
    assert [result.name for result in results] == [str(scans / f"{n}.png") for n in range(8)]
    for result in results:
        assert len(result.labels) == len(result.confidences) == 3
        assert list(result.confidences) == sorted(result.confidences, reverse=True)
        assert 0 < result.confidence <= 1 and result.error is None
    assert all(len(result.labels) == 8 for result in ocr_batch.classify(scans, model=bundle, top=9))


def test_the_result_does_not_depend_on_the_batch(bundle, scans):
    whole = list(ocr_batch.classify(scans, model=bundle))
    for batch in (1, 3, 8):
        assert list(ocr_batch.classify(scans, model=bundle, batch=batch)) == whole


def test_ink_may_be_light_or_dark_and_of_any_size(bundle):
    for size in (24, 40, 90):
        images = letters(size)
        assert names(ocr_batch.classify(images, model=bundle)) == list(LETTERS)
        turned = [255 - image for image in images]
        assert names(ocr_batch.classify(turned, model=bundle)) == list(LETTERS)
    assert names(ocr_batch.classify(np.stack(letters()), model=bundle)) == list(LETTERS)
    assert names(ocr_batch.classify(letter("C"), model=bundle)) == ["C"]


def test_known_ink_is_not_turned_round(bundle):
    # A letter cut so close that its own ink makes up most of the border.
    ink = 255 - letter("H", 90)
    image = ink[np.ix_(ink.any(axis=1), ink.any(axis=0))]
    classifier = load_glyph_classifier(bundle)
    (known,) = classify_scans([Scan("", 1, True, image, is_ink=True)], classifier)
    (guessed,) = classify_scans([Scan("", 1, True, image)], classifier)
    assert known.label == "H" and known.confidence > 0.5
    assert guessed.confidences != known.confidences


def test_pages_blank_and_bad_images_keep_their_places(bundle, tmp_path):
    blank = np.full((50, 50), 255, np.uint8)
    save(tmp_path / "a.tif", letter("A"), blank, letter("B"))
    (tmp_path / "b.png").write_bytes(b"no image")
    save(tmp_path / "c.png", letter("C"))
    results = list(ocr_batch.classify([tmp_path / "*.*", tmp_path / "gone.png"], model=bundle))
    assert names(results) == ["A", "", "B", "", "C", ""]
    assert [result.name.removeprefix(f"{tmp_path}/") for result in results] == [
        "a.tif#1", "a.tif#2", "a.tif#3", "b.png", "c.png", "gone.png",
    ]  # fmt: skip
    failed = [result.error for result in results if result.error is not None]
    assert len(failed) == 2 and all(isinstance(error, ImageError) for error in failed)
    assert results[1].labels == () and results[1].confidence == 0


def test_memory_is_bounded_by_pixels_too(bundle, monkeypatch):
    taken = 0

    def stream():
        nonlocal taken
        for image in letters(40):
            taken += 1
            yield Scan("", taken, False, image)

    monkeypatch.setattr("ocr_batch.batch.classify._MAX_PIXELS", 2 * 80 * 80)
    results = classify_scans(stream(), load_glyph_classifier(bundle))
    assert next(results).label == "A"
    assert taken == 2
    assert names(results) == list(LETTERS[1:])


def test_mistakes_are_told_at_once(bundle, scans, tmp_path):
    for wrong in ({"top": 0}, {"batch": 0}, {"backend": "abacus"}):
        with pytest.raises(UsageError):
            ocr_batch.classify(scans, model=bundle, **wrong)
    with pytest.raises(UsageError, match="mixed"):
        ocr_batch.classify([letter("A"), scans], model=bundle)
    with pytest.raises(UsageError, match="reshape"):
        ocr_batch.classify(np.zeros((1, 2, 3, 4)), model=bundle)
    with pytest.raises(InputError):
        ocr_batch.classify(tmp_path, model=bundle)
    with pytest.raises(BundleError, match="ocr-batch read"):
        ocr_batch.classify(scans, model="english")


def test_pages_are_not_read_with_it(bundle):
    with pytest.raises(BundleError, match="ocr-batch classify"):
        ocr_batch.Reader(bundle).read_page(letter("A"))
