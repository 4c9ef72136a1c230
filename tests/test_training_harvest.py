"""Harvesting from the command line: pages and their transcripts to a file of labelled crops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cli_tools import run, save, text_image
from PIL import Image

from ocr_batch.alignment.pairs import PagePair, find_pairs
from ocr_batch.datasets.harvested import read_harvest
from ocr_batch.errors import BundleError, InputError, TrainingError, UsageError
from ocr_batch.recognition.charset import CLASSES, N_CHARACTERS
from ocr_batch.training.contact import contact_path, contact_sheet
from ocr_batch.training.harvest import HarvestOptions, harvest_pages

LINES = ("The quick brown fox jumps", "over the lazy dog, and then", "it rests for 25 minutes.")
OTHER = ("Many a letter was written", "in the year 1907, they say,", "and few of them were kept.")
THIRD = (
    "Her garden lay by the river",
    "with roses, lilies and (some)",
    "very old trees around it.",
)


def make(folder: Path) -> tuple[Path, Path]:
    """Write good pages and bad ones, and their transcripts."""
    pages, truth = folder / "pages", folder / "truth"
    save(pages / "a.png", text_image(*LINES))
    save(pages / "b.tif", text_image(*OTHER), text_image(*LINES), text_image(*THIRD))
    save(pages / "sub" / "blank.png", np.full((300, 400), 255, np.uint8))
    (pages / "broken.png").write_bytes(b"no image")
    save(pages / "stray.png", text_image("No transcript"))
    texts = {
        "a.txt": "\n".join(LINES),
        "b-0001.gt.txt": " ".join(OTHER),
        "b-0003.txt": "\n".join(THIRD),
        "b-0009.txt": "There is no such page.",
        "broken.txt": "text",
        "empty.txt": " \n",
        "sub/blank.txt": "This page is blank.",
    }
    save(pages / "empty.png", text_image("Some text"))
    for name, text in texts.items():
        (truth / name).parent.mkdir(parents=True, exist_ok=True)
        (truth / name).write_text(text, "utf-8")
    return pages, truth


@pytest.fixture(scope="module")
def harvested(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("harvest")
    pages, truth = make(folder)
    done = run("harvest", pages, truth, "-o", folder / "data.npz", "--hold-back", 0, "--jobs", 2)
    assert done.returncode == 5, done.stderr
    return folder, done.stderr


def test_good_pages_are_harvested_and_bad_ones_named(harvested: tuple[Path, str]) -> None:
    folder, said = harvested
    found = read_harvest(folder / "data.npz")
    crops = {(page.image.name, page.number): page.crops for page in found.pages}
    assert {name for name, count in crops.items() if count} == {
        ("a.png", 1),
        ("b.tif", 1),
        ("b.tif", 3),
    }
    assert set(crops) - {name for name, count in crops.items() if count} == {
        ("b.tif", 9),
        ("blank.png", 1),
        ("broken.png", 1),
        ("empty.png", 1),
    }
    for words in ("broken.png: ", "blank.png: ", "empty.png: ", "no page 9", "stray.png: no trans"):
        assert words in said
    assert "3 harvested, 0 held back, 4 failed, 1 without a transcript" in said


def test_crops_say_where_they_come_from(harvested: tuple[Path, str]) -> None:
    found = read_harvest(harvested[0] / "data.npz")
    assert found.model == "english"
    assert len(found.checksum) == 64
    assert (found.confidence >= 0.7).all()
    for number, page in enumerate(found.pages):
        own = found.page == number
        assert own.sum() == page.crops
        assert len(np.unique(found.crops.group[own])) <= 1
        labels = found.crops.label[own]
        letters = {CLASSES[label] for label in labels if label < N_CHARACTERS}
        text = page.truth.read_text("utf-8")
        assert set("".join(letters)) <= set(text) | set("“”‘’–—")
        if page.crops:
            assert page.labelled > 0.9 * page.characters
    assert len(np.unique(found.crops.group)) == 3


def test_the_contact_sheet_has_a_row_for_each_class(harvested: tuple[Path, str]) -> None:
    found = read_harvest(harvested[0] / "data.npz")
    path = contact_path(harvested[0] / "data.npz")
    assert path == harvested[0] / "data.contact.png"
    assert f"look at {path}" in harvested[1]
    with Image.open(path) as sheet:
        assert sheet.size == contact_sheet(found).size
        assert sheet.height > 70 * len(np.unique(found.crops.label))
        assert np.asarray(sheet.convert("L")).min() < 50


def test_pages_are_held_back_by_the_seed(tmp_path: Path) -> None:
    pages, truth = tmp_path / "pages", tmp_path / "truth"
    truth.mkdir()
    for number, lines in enumerate((LINES, OTHER, THIRD)):
        save(pages / f"{number}.png", text_image(*lines))
        (truth / f"{number}.txt").write_text("\n".join(lines))
    pairs, without = find_pairs([str(pages)], truth)
    assert not without
    options = HarvestOptions(hold_back=0.4, seed=3, jobs=1)
    first = harvest_pages(pairs, tmp_path / "one", options)
    again = harvest_pages(pairs, tmp_path / "two", options)
    assert first.held_back == 1
    assert first.pages == again.pages
    one, two = read_harvest(tmp_path / "one"), read_harvest(tmp_path / "two")
    assert np.array_equal(one.crops.packed, two.crops.packed)
    assert np.array_equal(one.crops.label, two.crops.label)
    held = [number for number, page in enumerate(one.pages) if page.held_back]
    assert not np.isin(one.page, held).any()
    assert (tmp_path / "one" / "contact.png").is_file()


def test_pages_pair_with_texts_by_name(tmp_path: Path) -> None:
    pages, truth = make(tmp_path)
    pairs, without = find_pairs([str(pages)], truth)
    assert [(pair.image.name, pair.number, pair.truth.name) for pair in pairs] == [
        ("a.png", 1, "a.txt"),
        ("b.tif", 1, "b-0001.gt.txt"),
        ("b.tif", 3, "b-0003.txt"),
        ("b.tif", 9, "b-0009.txt"),
        ("broken.png", 1, "broken.txt"),
        ("empty.png", 1, "empty.txt"),
        ("blank.png", 1, "blank.txt"),
    ]
    assert [Path(name).name for name in without] == ["stray.png"]
    one = find_pairs([str(pages / "a.png")], truth / "a.txt")
    assert one == ([PagePair(pages / "a.png", truth / "a.txt")], [])


def test_texts_that_fit_no_page_are_an_error(tmp_path: Path) -> None:
    pages, truth = make(tmp_path)
    with pytest.raises(UsageError, match="one page"):
        find_pairs([str(pages)], truth / "a.txt")
    with pytest.raises(InputError, match=r"a\.txt"):
        find_pairs([str(pages / "a.png")], truth / "sub")
    with pytest.raises(InputError, match="transcripts"):
        find_pairs([str(pages)], tmp_path / "none")


def test_nothing_harvested_is_an_error(tmp_path: Path) -> None:
    image = save(tmp_path / "a.png", text_image(*LINES))
    text = tmp_path / "a.txt"
    text.write_text("Another page altogether, whose words are quite unlike these ones.")
    with pytest.raises(TrainingError, match="may be of another page"):
        harvest_pages([PagePair(image, text)], tmp_path / "data.npz", HarvestOptions(jobs=1))
    assert not (tmp_path / "data.npz").exists()
    with pytest.raises(TrainingError, match="may be of another page"):
        harvest_pages([PagePair(image, text)], tmp_path / "folder", HarvestOptions(jobs=1))
    assert not (tmp_path / "folder").exists()
    with pytest.raises(TrainingError, match="no pages"):
        harvest_pages([], tmp_path / "data.npz")
    with pytest.raises(BundleError):
        harvest_pages([PagePair(image, text)], tmp_path / "x.npz", HarvestOptions(model="none"))


def test_shares_are_checked(tmp_path: Path) -> None:
    done = run("harvest", tmp_path, tmp_path, "-o", tmp_path / "x.npz", "--hold-back", "1.5")
    assert done.returncode == 1
    assert "not between 0 and 1" in done.stderr
    done = run("harvest", tmp_path, tmp_path, "-o", tmp_path / "x.npz", "--hold-back", "1")
    assert done.returncode == 1
    assert "leaves no page" in done.stderr


def test_pages_and_transcripts_are_not_written_over(tmp_path: Path) -> None:
    image = save(tmp_path / "letter.contact.png", text_image(*LINES))
    text = tmp_path / "letter.npz"
    text.write_text("\n".join(LINES))
    before = image.read_bytes()
    with pytest.raises(UsageError, match=r"letter\.contact\.png is one of the pages"):
        harvest_pages([PagePair(image, tmp_path / "letter.txt")], text, HarvestOptions(jobs=1))
    with pytest.raises(UsageError, match=r"letter\.npz is one of the pages or transcripts"):
        harvest_pages([PagePair(tmp_path / "a.png", text)], text, HarvestOptions(jobs=1))
    sheet = save(tmp_path / "folder" / "contact.png", text_image(*LINES))
    with pytest.raises(UsageError, match="Choose another output"):
        harvest_pages([PagePair(sheet, text)], sheet.parent, HarvestOptions(jobs=1))
    assert image.read_bytes() == before
    assert text.read_text() == "\n".join(LINES)
