from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

from ocr_batch.errors import TrainingError
from ocr_batch.rendering.corpus import Corpus
from ocr_batch.rendering.fonts import Face, find_faces
from ocr_batch.rendering.makeup import KINDS
from ocr_batch.rendering.page import RenderedPage, boxes_of, render_page


@pytest.fixture(scope="module")
def faces() -> list[Face]:
    try:
        return find_faces()
    except TrainingError:
        pytest.skip("no training fonts are installed")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder: Path = tmp_path_factory.mktemp("corpus")
    words = "the office of fire “affairs” flew off; a difficult, (waffle) sum of 12 men’s hats."
    (folder / "a.txt").write_text("\n".join([words * 3, words, "Short line"] * 200), "utf-8")
    return Corpus(folder)


def rebuilt(page: RenderedPage) -> list[str]:
    truth = page.characters
    lines: dict[int, list[str]] = {}
    rows = zip(truth.line.tolist(), truth.word.tolist(), truth.text, strict=True)
    for (line, _), letters in groupby(rows, key=lambda row: row[:2]):
        lines.setdefault(line, []).append("".join(letter[2] for letter in letters))
    return [" ".join(lines[line]) for line in sorted(lines)]


@pytest.mark.parametrize("kind", KINDS)
def test_text_can_be_rebuilt_from_characters(faces, corpus, kind):
    page = render_page(np.random.default_rng(5), faces, corpus, characters=500, kind=kind)
    assert rebuilt(page) == list(page.lines)
    assert len(page.blocks) == len(page.lines)
    assert np.all(np.diff(page.blocks) >= 0)


def test_owner_is_the_ink_of_the_characters(faces, corpus):
    page = render_page(np.random.default_rng(2), faces, corpus, characters=800, x_height=22)
    assert page.grey.dtype == np.uint8
    assert page.owner.dtype == np.int32
    assert page.grey.shape == page.owner.shape
    assert page.grey[page.owner > 0].max() < 230
    assert page.owner.max() == len(page.characters)
    assert page.characters.visible.mean() > 0.99
    for number in (0, len(page.characters) // 2, len(page.characters) - 1):
        rows, columns = np.nonzero(page.owner == number + 1)
        left, top, width, height = page.characters.box[number]
        assert (left, top) == (columns.min(), rows.min())
        assert (width, height) == (np.ptp(columns) + 1, np.ptp(rows) + 1)


def test_x_height_and_baseline_fit_the_letters(faces, corpus):
    times = [face for face in faces if face.group == "times" and not face.italic]
    page = render_page(np.random.default_rng(1), times, corpus, x_height=24, kind="book")
    truth = page.characters
    pick = [n for n, text in enumerate(truth.text) if text in "xvwzr" and truth.visible[n]]
    bottom = truth.box[pick, 1] + truth.box[pick, 3]
    # A letter may lie on the baseline or a little across it, from weight and overshoot.
    assert np.abs(bottom - truth.baseline[pick]).max() <= 4
    assert np.abs(truth.box[pick, 3] - truth.x_height[pick]).max() <= 5
    assert np.median(truth.x_height) == pytest.approx(24, abs=0.5)


def test_same_seed_same_page(faces, corpus):
    first = render_page(np.random.default_rng(7), faces, corpus, characters=400)
    again = render_page(np.random.default_rng(7), faces, corpus, characters=400)
    assert np.array_equal(first.grey, again.grey)
    assert np.array_equal(first.owner, again.owner)
    assert first.characters.text == again.characters.text


def test_ligatures_are_one_character(faces, corpus):
    having = [face for face in faces if len(face.ligatures) == 5 and not face.bold]
    seen: set[str] = set()
    for seed in range(6):
        page = render_page(np.random.default_rng(seed), having, corpus, kind="book")
        seen.update(page.characters.text)
    assert {"fi", "ff", "ffi"} <= seen


def test_wrong_use_is_refused(faces, corpus):
    with pytest.raises(TrainingError, match="faces"):
        render_page(np.random.default_rng(0), [], corpus)
    with pytest.raises(TrainingError, match="kind"):
        render_page(np.random.default_rng(0), faces, corpus, kind="poster")


def test_boxes_of_missing_labels_are_zero():
    owner = np.zeros((5, 6), np.int32)
    owner[1:3, 2:6] = 2
    assert boxes_of(owner, 3).tolist() == [[0, 0, 0, 0], [2, 1, 4, 2], [0, 0, 0, 0]]
