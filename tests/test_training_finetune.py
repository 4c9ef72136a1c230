"""Fine-tuning from the command line: harvested pages make a new bundle, if it is no worse."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from cli_tools import run, save, text_image

from ocr_batch.datasets.crops import CropSet
from ocr_batch.datasets.harvested import read_harvest
from ocr_batch.errors import TrainingError
from ocr_batch.evaluation.check import TruePage, check_pages, score_pages
from ocr_batch.recognition.bundle import find_bundle, load_card
from ocr_batch.recognition.charset import CLASSES
from ocr_batch.training.replay import choose_replay, read_replay, write_replay

pytest.importorskip("tensorflow")

TEXTS = (
    ("The quick brown fox jumps", "over the lazy dog, and then", "it rests for 25 minutes."),
    ("Many a letter was written", "in the year 1907, they say,", "and few of them were kept."),
    ("Her garden lay by the river", "with roses, lilies and (some)", "very old trees around it."),
    ("No page is ever quite like", "another one of its own kind;", "this one is the fourth."),
)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """The folder of a fine-tuning of three pages, one of them held back, and what it said."""
    folder = tmp_path_factory.mktemp("finetune")
    (folder / "truth").mkdir()
    for number, lines in enumerate(TEXTS):
        save(folder / "pages" / f"{number}.png", text_image(*lines))
        (folder / "truth" / f"{number}.txt").write_text("\n".join(lines), "utf-8")
    done = run("harvest", "pages", "truth", "-o", "data.npz", "--hold-back", 0.3, cwd=folder)
    assert done.returncode == 0, done.stderr
    arguments = ["--data", "data.npz", "-o", "mine", "--steps", "4", "--batch", "64"]
    return folder, run("train", "--base", "english", *arguments, cwd=folder)


def test_the_new_bundle_reads_pages(tuned):
    folder, done = tuned
    assert done.returncode == 0, done.stdout + done.stderr
    assert "held-back pages (1)" in done.stdout
    assert "old crops: accuracy" in done.stdout
    assert not [path.name for path in folder.glob("mine.*")]
    assert load_card(folder / "mine").metrics["held_back"]["pages"] == 1
    base, card = load_card(find_bundle("english")), load_card(folder / "mine")
    assert card.classes == base.classes and card.network == base.network
    # Four steps change little; fitted on crops alone it would be a third lower.
    assert card.temperature == pytest.approx(base.temperature, rel=0.1)
    names = {source["name"] for source in card.sources}
    assert {source["name"] for source in base.sources} < names and "data.npz" in names
    assert set(base.files) - {"recipe.ini"} <= set(card.files)
    read = run("read", "pages/0.png", "-o", "-", "--model", "mine", cwd=folder)
    assert read.stdout.split() == " ".join(TEXTS[0]).split()


def test_a_worse_bundle_is_rejected_unless_forced(tuned):
    folder, _ = tuned
    arguments = ["--data", "data.npz", "--steps", "6", "--rate", "3", "--set", "warmup=0"]
    arguments += ["--set", "cosine=no", "--set", "average=0"]
    before = (folder / "mine" / "card.json").read_bytes()
    spoilt = run("train", "--base", "mine", *arguments, "-o", "mine", cwd=folder)
    assert spoilt.returncode == 5, spoilt.stderr
    assert (folder / "mine" / "card.json").read_bytes() == before
    assert (folder / "mine.rejected" / "card.json").is_file()
    forced = run("train", "--base", "mine", *arguments, "-o", "worse", "--force", cwd=folder)
    assert forced.returncode == 0 and (folder / "worse" / "card.json").is_file()


def test_folders_of_other_things_are_left_alone(tuned):
    folder, _ = tuned
    done = run("train", "--base", "english", "--data", "data.npz", "-o", "pages", cwd=folder)
    assert done.returncode == 4 and "other files" in done.stderr
    assert len(list((folder / "pages").iterdir())) == 4


def test_data_that_does_not_fit_the_base(tuned, tmp_path):
    np.savez(tmp_path / "set.npz", X=np.zeros((9, 28, 28), np.uint8), y=np.arange(9) % 3)
    done = run(
        "train", "--base", "english", "--data", tmp_path / "set.npz", "-o", "x", cwd=tuned[0]
    )
    assert done.returncode == 2 and "no crops of lines" in done.stderr


def test_a_name_in_a_card_is_no_path_to_code(tuned):
    folder, _ = tuned
    (folder / "evil.py").write_text("open('executed', 'w').close()\n", "utf-8")
    shutil.copytree(folder / "mine", folder / "evil")
    card = json.loads((folder / "evil" / "card.json").read_text("utf-8"))
    card["network"] = "evil.py:build"
    (folder / "evil" / "card.json").write_text(json.dumps(card), "utf-8")
    done = run(
        *("train", "--base", "./evil", "--data", "data.npz", "-o", "tamed", "--steps", "2"),
        *("--batch", "16", "--force"),
        cwd=folder,
    )
    assert not (folder / "executed").exists()
    assert done.returncode == 0, done.stderr


def crops(count, seed=0):
    rng = np.random.default_rng(seed)
    label = np.minimum(rng.geometric(0.05, count), len(CLASSES) - 1).astype(np.int16)
    packed = rng.integers(0, 256, (count, 56, 56), dtype=np.uint8)
    return CropSet(packed, np.zeros((count, 8), np.float16), label, np.full(count, seed, np.int16))


def test_replay_has_some_of_every_class(tmp_path):
    parts = [crops(3000, 1), crops(500, 2)]
    chosen = choose_replay(parts, 3)
    counts = np.bincount(np.concatenate([part.label for part in parts]), minlength=len(CLASSES))
    kept = np.bincount(chosen.label, minlength=len(CLASSES))
    assert (kept == np.minimum(counts, kept.max())).all()
    assert set(chosen.group.tolist()) == {1, 2}
    write_replay(tmp_path, chosen)
    back = read_replay(tmp_path)
    assert back is not None
    np.testing.assert_array_equal(back.label, chosen.label)
    assert np.abs(back.images(slice(None)).astype(int) - chosen.images(slice(None))).max() <= 8
    assert read_replay(tmp_path / "none") is None


def test_damaged_replay_is_named(tmp_path):
    (tmp_path / "replay.npz").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(TrainingError, match="damaged"):
        read_replay(tmp_path)


def test_shipped_reader_brings_old_crops():
    old = read_replay(find_bundle("english"))
    assert old is not None and len(np.unique(old.label)) == len(CLASSES)


def test_pages_are_scored_with_either_bundle(tuned):
    folder, _ = tuned
    pages = [
        TruePage(folder / "pages" / f"{number}.png", 1, folder / "truth" / f"{number}.txt")
        for number in range(2)
    ]
    assert [score.char_errors for score in score_pages(pages, "english", jobs=1)] == [0, 0]
    missing = TruePage(Path(folder / "none.png"), 1, folder / "truth" / "0.txt")
    check = check_pages([pages[0]], "english", folder / "mine", jobs=1)
    assert (check.before.char_errors, check.better, check.worse) == (0, 0, 0)
    with pytest.raises(Exception, match=r"none\.png"):
        score_pages([missing], "english", jobs=1)
    assert read_harvest(folder / "data.npz").pages
