import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from pages import page_of, prose

from ocr_batch.batch.pipeline import load_models
from ocr_batch.errors import TrainingError, UsageError
from ocr_batch.evaluation.confidence import calibration
from ocr_batch.recognition.bundle import checksum, find_bundle, verify
from ocr_batch.recognition.word_features import WORD_FEATURES
from ocr_batch.training.confidence_data import document_of
from ocr_batch.training.confidence_model import fit_confidence, fit_sharpness, main


def _words(count, seed):
    """Words that are wrong the likelier the more surprising, and certainly odd when dirty."""
    rng = np.random.default_rng(seed)
    features = rng.normal(0, 1, (count, len(WORD_FEATURES))).astype(np.float32)
    odds = 3 - 1.5 * features[:, 0] - 2 * np.maximum(features[:, 5], 0)
    return features, rng.random(count) < 1 / (1 + np.exp(-odds))


def test_confidences_are_honest_on_other_words():
    model = fit_confidence(*_words(3000, 1), sharpness=1.4)
    features, right = _words(20_000, 2)
    found = calibration(model.words(features), right)
    assert found.error < 0.025
    # Four times what chance would catch.
    assert found.caught > 0.2
    assert model.sharpness.tolist() == [1.4]


def test_the_same_seed_gives_the_same_model():
    data = _words(900, 3)
    one, same, other = (fit_confidence(*data, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.hidden, same.hidden)
    assert not np.array_equal(one.hidden, other.hidden)


def test_too_few_wrong_words_are_refused():
    features, _ = _words(1000, 4)
    with pytest.raises(TrainingError, match="0 of them wrong"):
        fit_confidence(features, np.ones(1000, np.bool_))


def test_the_sharpness_makes_characters_honest():
    rng = np.random.default_rng(5)
    true = rng.normal(0, 3, (20_000, 12))
    true -= np.log(np.exp(true).sum(axis=1, keepdims=True))
    drawn = (true + rng.gumbel(size=true.shape)).argmax(axis=1)
    blunt = true / 1.6
    blunt -= np.log(np.exp(blunt).sum(axis=1, keepdims=True))
    label = true.argmax(axis=1)
    found = fit_sharpness(blunt.astype(np.float32), label, drawn == label)
    assert found == pytest.approx(1.6, rel=0.05)


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("doe_5184_172.3B.tif", "doe_5184"),
        ("c021.png", "c"),
        ("letter.pdf", "letter"),
        ("scan 7.png", "scan"),
        ("12.png", ""),
    ],
)
def test_the_document_of_a_page_is_told_by_its_name(name, document):
    assert document_of(Path("pages") / name) == f"pages/{document}"


def _draw(folder, count, spoilt):
    """Draw pages; of their transcripts a share of the words is made wrong."""
    rng = np.random.default_rng(0)
    for part in ("images", "truth"):
        (folder / part).mkdir(parents=True)
    for number in range(count):
        lines = prose(22, words=7, seed=number)
        name = f"{'ab'[number % 2]}{number:02d}"
        cv2.imwrite(str(folder / "images" / f"{name}.png"), page_of(lines).grey)
        words = [
            word[::-1] + "x" if rng.random() < spoilt else word
            for line in lines
            for word in line.split()
        ]
        (folder / "truth" / f"{name}.txt").write_text(" ".join(words), "utf-8")
    return str(folder / "images"), str(folder / "truth")


def test_the_command_fits_a_model_that_reading_uses(tmp_path, monkeypatch, capsys):
    pages, truth = _draw(tmp_path, 4, 0.2)
    bundle, diagram = tmp_path / "bundle", tmp_path / "diagram.png"
    shutil.copytree(find_bundle("english"), bundle)
    (bundle / "confidence.npz").unlink(missing_ok=True)
    out = bundle / "confidence.npz"
    arguments = [pages, truth, "-o", str(out), "--temperature", "--diagram", str(diagram)]
    monkeypatch.setattr("sys.argv", ["confidence_model", *arguments, "--jobs", "1"])
    main()
    told = capsys.readouterr().out
    assert "words, by a model of other documents" in told and "temperature: " in told
    assert diagram.read_bytes().startswith(b"\x89PNG")
    # The card knows the new file.
    assert verify(bundle).files["confidence.npz"] == checksum(out)
    model = load_models(bundle).confidence
    assert model is not None and model.hidden.shape[0] == len(WORD_FEATURES)


def test_one_document_is_refused_before_it_is_read(tmp_path, monkeypatch):
    for part, suffix in (("pages", "png"), ("truth", "txt")):
        (tmp_path / part).mkdir()
        for number in (1, 2):
            (tmp_path / part / f"book-{number}.{suffix}").touch()
    names = [str(tmp_path / part) for part in ("pages", "truth")]
    monkeypatch.setattr("sys.argv", ["confidence_model", *names, "-o", "confidence.npz"])
    with pytest.raises(TrainingError, match="one document"):
        main()


def test_pages_and_transcripts_come_in_pairs(monkeypatch):
    monkeypatch.setattr("sys.argv", ["confidence_model", "pages", "-o", "confidence.npz"])
    with pytest.raises(UsageError, match="transcripts"):
        main()
