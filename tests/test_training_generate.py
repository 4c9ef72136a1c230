import numpy as np
import pytest
from font_tools import write_font

from ocr_batch.datasets.crops import join_shards
from ocr_batch.recognition.charset import CLASSES, N_CHARACTERS
from ocr_batch.recognition.spaces import FEATURES
from ocr_batch.rendering.corpus import Corpus
from ocr_batch.rendering.folder import PageOptions
from ocr_batch.rendering.fonts import choose_faces
from ocr_batch.training import generate as module
from ocr_batch.training.generate import Plan, generate


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    text = "The old house by the river was empty; 12 men came back from “town” in May."
    (folder / "a.txt").write_text("\n".join([text * 4, text] * 100), "utf-8")
    return folder


@pytest.fixture(scope="module")
def font(tmp_path_factory):
    return write_font(tmp_path_factory.mktemp("fonts") / "own.ttf")


SMALL = PageOptions(characters=300, x_height=22.0)


def test_frequent_classes_are_thinned_and_rare_ones_kept():
    label = np.repeat(np.arange(len(CLASSES)), 20)
    label = np.concatenate([label, np.full(4000, CLASSES.index("e"))])
    label = np.concatenate([label, np.full(9000, N_CHARACTERS)])
    kept = np.bincount(
        label[module._choose(label, np.random.default_rng(0))], minlength=len(CLASSES)
    )
    assert (kept[:N_CHARACTERS] >= 20).all()
    assert 100 < kept[CLASSES.index("e")] < 1000
    assert 0.4 * kept[:N_CHARACTERS].sum() < kept[N_CHARACTERS:].sum() < kept[:N_CHARACTERS].sum()


def test_a_page_without_candidates():
    assert len(module._choose(np.zeros(0, np.int64), np.random.default_rng(0))) == 0


def test_the_same_seed_makes_the_same_page(corpus, font):
    faces = choose_faces([font])
    pages = [
        module.label_rendered(faces, Corpus(corpus), np.random.default_rng(7), SMALL)
        for _ in range(2)
    ]
    (first, kept), (second, kept_again) = pages
    assert np.array_equal(first.images, second.images)
    assert np.array_equal(first.label, second.label)
    assert np.array_equal(kept, kept_again) and kept.any()


def test_a_part_is_written_with_its_gaps(corpus, font, tmp_path):
    steps = []
    plan = Plan(corpus, tmp_path, pages=1, validation_pages=0, seed=3, fonts=[font], page=SMALL)
    generate(plan, 1, lambda done, total: steps.append((done, total)))
    assert steps == [(1, 1)]
    data = join_shards(tmp_path / "train")
    assert len(data.label) > 50
    assert len(np.unique(data.label)) > 15
    with np.load(tmp_path / "gaps-train" / "part0000.npz") as gaps:
        assert gaps["x"].shape == (len(gaps["y"]), len(FEATURES))
        assert 0 < gaps["y"].mean() < 1


def test_parts_that_exist_are_not_made_again(tmp_path):
    plan = Plan(tmp_path / "no corpus is needed", tmp_path, pages=15, validation_pages=5)
    for name, parts in (("train", 2), ("validation", 1)):
        (tmp_path / f"gaps-{name}").mkdir()
        for part in range(parts):
            (tmp_path / f"gaps-{name}" / f"part{part:04d}.npz").touch()
    generate(plan, 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gaps-train", "gaps-validation"]
