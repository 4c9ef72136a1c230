"""The file of a harvest: written, read back, and refused when it is anything else."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ocr_batch.datasets.crops import CropSet, write_shard
from ocr_batch.datasets.harvested import (
    Harvested,
    HarvestedPage,
    HarvestWriter,
    read_harvest,
    write_harvest,
)
from ocr_batch.errors import OutputError, TrainingError
from ocr_batch.recognition.charset import CLASSES, TWO


def harvest_of(count: int = 30) -> Harvested:
    rng = np.random.default_rng(0)
    label = rng.integers(0, len(CLASSES), count).astype(np.int16)
    page = np.repeat([0, 2], [count // 2, count - count // 2]).astype(np.int32)
    crops = CropSet(
        rng.integers(0, 255, (count, 56, 56)).astype(np.uint8),
        rng.normal(size=(count, 8)).astype(np.float16),
        label,
        (page + 10_000).astype(np.int16),
    )
    pages = (
        HarvestedPage(Path("/a/b.png"), Path("/t/b.txt"), 1, False, 900, 880, 3, count // 2),
        HarvestedPage(Path("/a/c.tif"), Path("/t/c-0002.txt"), 2, True),
        HarvestedPage(Path("/a/c.tif"), Path("/t/c-0003.txt"), 3, crops=count - count // 2),
        HarvestedPage(Path("/a/d.png"), Path("/t/d.txt"), error="Its transcript is empty."),
    )
    confidence = rng.random(count).astype(np.float16)
    read = np.where(rng.random(count) < 0.5, label, -1).astype(np.int16)
    return Harvested(crops, confidence, page, read, pages, CLASSES, "english", "ab12")


@pytest.mark.parametrize("name", ["data.npz", "data"])
def test_what_is_written_is_read_back(tmp_path: Path, name: str) -> None:
    given = harvest_of()
    write_harvest(tmp_path / name, given)
    found = read_harvest(tmp_path / name)
    assert found.pages == given.pages
    assert (found.model, found.checksum, found.classes) == ("english", "ab12", CLASSES)
    for key in ("packed", "geometry", "label", "group"):
        assert np.array_equal(getattr(found.crops, key), getattr(given.crops, key))
    for key in ("confidence", "page", "read", "misread"):
        assert np.array_equal(getattr(found, key), getattr(given, key))


def test_the_same_crops_give_the_same_file(tmp_path: Path) -> None:
    for name in ("one.npz", "two.npz"):
        write_harvest(tmp_path / name, harvest_of())
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.npz", "two.npz"]


def test_misread_are_other_characters_and_garbage_taken_for_one() -> None:
    given = harvest_of(4)
    crops = CropSet(
        given.crops.packed, given.crops.geometry, np.array([5, 5, TWO, TWO], np.int16), np.zeros(4)
    )
    read = np.array([5, -1, -1, 7], np.int16)
    made = Harvested(crops, given.confidence, given.page, read, given.pages, CLASSES, "", "")
    assert made.misread.tolist() == [False, True, False, True]


def test_a_second_harvest_replaces_the_first(tmp_path: Path) -> None:
    write_harvest(tmp_path / "data", harvest_of(30))
    write_harvest(tmp_path / "data", harvest_of(8))
    assert len(read_harvest(tmp_path / "data")) == 8


def test_an_older_harvest_stays_until_the_new_one_is_finished(tmp_path: Path) -> None:
    folder, given = tmp_path / "data", harvest_of(30)
    write_harvest(folder, given)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(KeyboardInterrupt), HarvestWriter(folder) as writer:
        for _ in range(2):
            many = np.arange(12_000) % 30
            crops = CropSet(
                *(getattr(given.crops, name)[many] for name in ("packed", "geometry")),
                *(getattr(given.crops, name)[many] for name in ("label", "group")),
            )
            writer.add(crops, given.confidence[many], given.page[many], given.read[many])
        assert {path.name for path in folder.glob("*.npz")} == {"harvest-00000.npz"}
        raise KeyboardInterrupt
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_an_interrupted_first_harvest_leaves_nothing(tmp_path: Path) -> None:
    for name in ("data", "data.npz"):
        with pytest.raises(KeyboardInterrupt), HarvestWriter(tmp_path / name):
            raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_other_shards_are_left_alone(tmp_path: Path) -> None:
    write_shard(tmp_path / "part0000-00000.npz", harvest_of().crops)
    with pytest.raises(OutputError, match="another folder"):
        HarvestWriter(tmp_path)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_place_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        write_harvest(tmp_path / "file" / "data.npz", harvest_of())


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, share: float) -> None:
    path = tmp_path / "data.npz"
    write_harvest(path, harvest_of())
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(TrainingError, match="make it again"):
        read_harvest(path)


def test_a_damaged_shard_or_a_lost_one_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    write_harvest(folder, harvest_of())
    shard = folder / "harvest-00000.npz"
    content = shard.read_bytes()
    shard.write_bytes(content[:-500])
    with pytest.raises(TrainingError, match="harvest-00000"):
        read_harvest(folder)
    shard.unlink()
    with pytest.raises(TrainingError, match="missing"):
        read_harvest(folder)


def test_an_unfinished_folder_is_refused(tmp_path: Path) -> None:
    write_harvest(tmp_path / "data", harvest_of())
    (tmp_path / "data" / "harvest.json").unlink()
    with pytest.raises(TrainingError, match="no finished harvest"):
        read_harvest(tmp_path / "data")


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="there is no"):
        read_harvest(tmp_path / "none.npz")
    np.savez(tmp_path / "other.npz", X=np.zeros((3, 9)), y=np.zeros(3))
    (tmp_path / "text.npz").write_text("no archive")
    with (tmp_path / "array.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    np.savez(tmp_path / "pickled.npz", packed=np.array([{}], object))
    write_shard(tmp_path / "shard.npz", harvest_of().crops)
    for name in ("other.npz", "text.npz", "array.npz", "pickled.npz", "shard.npz"):
        with pytest.raises(TrainingError, match=name):
            read_harvest(tmp_path / name)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("format", "other", "another format"),
        ("version", 99, "version 99"),
        ("classes", ["a", "b"], "other classes"),
        ("pages", [{"image": "x"}], "not complete"),
        ("pages", [], "crops are missing"),
    ],
)
def test_what_the_file_says_about_itself_is_checked(
    tmp_path: Path, key: str, value: object, words: str
) -> None:
    write_harvest(tmp_path, harvest_of())
    path = tmp_path / "harvest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(TrainingError, match=words):
        read_harvest(tmp_path)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("label", np.full(30, len(CLASSES), np.int16)),
        ("label", np.zeros(30, np.float32)),
        ("packed", np.zeros((30, 28, 28), np.uint8)),
        ("confidence", np.zeros(3, np.float16)),
        ("page", np.full(30, 99, np.int32)),
    ],
)
def test_arrays_are_checked(tmp_path: Path, name: str, array: np.ndarray) -> None:
    path = tmp_path / "data.npz"
    write_harvest(path, harvest_of())
    with np.load(path) as data:
        arrays = {key: data[key] for key in data.files}
    np.savez(path, **{**arrays, name: array})
    with pytest.raises(TrainingError, match=r"data\.npz"):
        read_harvest(path)


@pytest.mark.parametrize("array", [np.float16(1), np.zeros((30, 2), np.float16)])
def test_arrays_of_a_shard_are_checked(tmp_path: Path, array: np.ndarray) -> None:
    write_harvest(tmp_path, harvest_of())
    path = tmp_path / "harvest-00000.npz"
    with np.load(path) as data:
        arrays = {key: data[key] for key in data.files}
    np.savez(path, **{**arrays, "confidence": array})
    with pytest.raises(TrainingError, match=r"harvest-00000\.npz"):
        read_harvest(tmp_path)
