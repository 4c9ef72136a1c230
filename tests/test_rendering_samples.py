from pathlib import Path

import numpy as np
import pytest

from ocr_batch.errors import TrainingError
from ocr_batch.imaging.load import count_pages, load_page
from ocr_batch.rendering import samples
from ocr_batch.rendering.fonts import Face, find_faces


@pytest.fixture(scope="module")
def faces() -> list[Face]:
    try:
        return find_faces()
    except TrainingError as error:
        if "Install the training fonts" not in str(error):
            raise
        pytest.skip("no training fonts are installed")


def _only(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    made = tuple(make for make in samples.SAMPLES if make.__name__ == name)
    monkeypatch.setattr(samples, "SAMPLES", made)


def _make(out: Path, faces: list[Face]) -> list[Path]:
    try:
        return samples.make_samples(out, faces=faces)
    except TrainingError:
        pytest.skip("the fonts of this page are not installed")


def test_a_page_comes_with_its_truth(
    faces: list[Face], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    _only(monkeypatch, "_receipt")
    first = _make(tmp_path / "a", faces)
    again = _make(tmp_path / "b", faces)
    assert [path.name for path in first] == ["receipt.webp"]
    assert first[0].read_bytes() == again[0].read_bytes()
    lines = (tmp_path / "a/truth/receipt.txt").read_text("utf-8").splitlines()
    assert "TOTAL $33.27" in lines
    assert lines.count("") == 5
    grey = load_page(first[0]).grey
    # Nothing is cut off: paper all around the ink.
    dark = np.argwhere(grey < 150)
    assert dark.min() > 10
    assert np.all(dark.max(axis=0) < np.array(grey.shape) - 10)


def test_a_file_of_several_pages_has_a_truth_for_each(
    faces: list[Face], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    _only(monkeypatch, "_pages")
    (path,) = _make(tmp_path, faces)
    assert count_pages(path) == 3
    assert load_page(path, 2).bilevel
    names = sorted(found.name for found in (tmp_path / "truth").iterdir())
    assert names == [f"constitution-000{number}.txt" for number in (1, 2, 3)]


def test_a_missing_font_is_an_error_that_says_so(faces: list[Face], tmp_path: Path):
    few = [face for face in faces if face.group == "gentium"]
    if not few:
        pytest.skip("the fonts of this test are not installed")
    with pytest.raises(TrainingError, match="Old Standard"):
        samples.make_samples(tmp_path, faces=few)
