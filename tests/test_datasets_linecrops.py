from __future__ import annotations

import numpy as np
import pytest

from ocr_batch.datasets.crops import ShardWriter
from ocr_batch.datasets.glyphs import fit_set
from ocr_batch.datasets.linecrops import load_line_crops
from ocr_batch.datasets.sources import read_glyphs
from ocr_batch.errors import TrainingError
from ocr_batch.recognition.bundle import tight
from ocr_batch.recognition.charset import CLASSES

NAMES = ["a", "A", "b", "7", "fi", "<two>", "-"]


def shards(folder, copies=4):
    """A bar 6 wide on the line with a neighbour beside it, for each name."""
    label = np.array([CLASSES.index(name) for name in NAMES] * copies)
    images = np.zeros((len(label), 56, 56, 2), np.uint8)
    images[:, 18:38, 25:31] = 255
    images[:, 18:38, 45:51, 1] = 255
    with ShardWriter(folder / "train") as writer:
        writer.add(images, np.zeros((len(label), 8), np.float32), label, 0)
    with ShardWriter(folder / "validation") as writer:
        writer.add(images[:3], np.zeros((3, 8), np.float32), label[:3], 0)
    return folder


def test_characters_are_cut_out_without_their_neighbours(tmp_path):
    stored = load_line_crops(shards(tmp_path))
    assert sorted(set(stored.label)) == ["-", "7", "A", "a", "b"]
    assert len(stored.images) == 20
    assert {image.shape for image in stored.images} == {(24, 10)}
    assert all((image > 0).sum() == 20 * 6 for image in stored.images)


def test_only_named_classes_and_few_of_each(tmp_path, monkeypatch):
    monkeypatch.setattr("ocr_batch.datasets.linecrops._MOST", 3)
    stored = load_line_crops(shards(tmp_path), ["a", "7"])
    assert sorted(stored.label) == ["7", "7", "7", "a", "a", "a"]
    with pytest.raises(TrainingError, match="these classes"):
        load_line_crops(tmp_path, ["Q", "R"])


def test_they_join_other_sources_with_case_folded(tmp_path):
    shards(tmp_path / "shards")
    images = np.zeros((6, 30, 30), np.uint8)
    images[:, 5:25, 12:18] = 255
    np.savez(tmp_path / "own.npz", X=images, y=np.array(["a", "B", "7", "A", "b", "7"]))
    found = read_glyphs(
        [tmp_path / "shards", tmp_path / "own.npz"], ("7", "A", "B"), fold_case=True
    )
    assert found.classes == ("7", "A", "B")
    assert np.bincount(found.label).tolist() == [6, 10, 6]
    fitted = fit_set(found, tight(28, 22))
    assert (fitted.images.max(axis=2) > 0).sum(axis=1).tolist() == [22] * 22


@pytest.mark.parametrize("classes", [["7", "A"], ["7", "a"], ["7", "A", "a"]])
def test_either_case_is_chosen_when_it_is_folded(tmp_path, classes):
    stored = load_line_crops(shards(tmp_path), classes, fold_case=True)
    assert sorted(set(stored.label)) == ["7", "A", "a"]
    found = read_glyphs([tmp_path], classes, fold_case=True)
    assert found.classes == ("7", "A")
    assert np.bincount(found.label).tolist() == [4, 8]
