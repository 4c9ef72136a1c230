import json
from dataclasses import replace

import numpy as np
import pytest
from font_tools import write_font

from ocr_batch.datasets.crops import join_shards
from ocr_batch.errors import TrainingError
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


def parts(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.rglob("*.npz"))}


@pytest.fixture(scope="module")
def one_page(corpus, font, tmp_path_factory):
    out = tmp_path_factory.mktemp("one") / "out"
    plan = Plan(corpus, out, pages=1, validation_pages=0, seed=3, fonts=[font], page=SMALL)
    generate(plan, 1)
    return plan


def test_parts_that_exist_are_not_made_again_and_more_pages_extend_them(one_page, tmp_path):
    before = parts(one_page.out)
    steps = []
    generate(one_page, 1, lambda done, total: steps.append((done, total)))
    assert (steps, parts(one_page.out)) == ([], before)
    # The last part was not full: it is made again, with more pages.
    more = replace(one_page, pages=2)
    generate(more, 1, lambda done, total: steps.append((done, total)))
    assert steps == [(2, 2)]
    whole = replace(more, out=tmp_path / "whole")
    generate(whole, 1)
    assert parts(one_page.out) == parts(whole.out)
    with pytest.raises(TrainingError, match="it has 2 train pages, 1 are wanted"):
        generate(one_page, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 4}, "seed was 3, is now 4"),
        ({"corpus": "elsewhere"}, "text was"),
        ({"fonts": []}, "fonts was"),
        ({"page": PageOptions(characters=300, x_height=30.0)}, "x_height was 22.0, is now 30.0"),
        ({"validation_pages": 3}, "validation was False"),
    ],
)
def test_crops_of_another_plan_are_not_mixed_in(one_page, change, message):
    before = parts(one_page.out)
    with pytest.raises(TrainingError, match=message) as caught:
        generate(replace(one_page, pages=20, **change), 1)
    assert "another folder" in str(caught.value)
    assert parts(one_page.out) == before


def test_a_folder_without_a_usable_plan_is_refused(one_page, tmp_path):
    plan = replace(one_page, out=tmp_path)
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "part0000-00000.npz").touch()
    with pytest.raises(TrainingError, match=r"no plan\.json"):
        generate(plan, 1)
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(TrainingError, match="can not be read"):
        generate(plan, 1)
    stored = json.loads((one_page.out / "plan.json").read_text())
    (tmp_path / "plan.json").write_text(json.dumps({**stored, "version": 99}))
    with pytest.raises(TrainingError, match="another version"):
        generate(plan, 1)
