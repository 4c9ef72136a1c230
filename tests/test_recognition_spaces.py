from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import Canvas, page_of, prose, segmented

from ocr_batch.errors import BundleError
from ocr_batch.recognition.spaces import FEATURES, SpaceModel, gap_features
from ocr_batch.segmentation.lattice import Pieces, whole_edges
from ocr_batch.segmentation.strips import X_HEIGHT


def _pieces(canvas):
    return segmented(canvas.grey)[2].pieces


def _model(seed=0, hidden=8):
    rng = np.random.default_rng(seed)
    shapes = [(len(FEATURES), hidden), (hidden, 1)]
    return SpaceModel(
        tuple(rng.normal(size=shape).astype(np.float32) for shape in shapes),
        tuple(rng.normal(size=shape[1]).astype(np.float32) for shape in shapes),
    )


def test_gaps_are_those_between_atoms_of_a_line():
    pieces = _pieces(page_of(prose(4, 6), 44))
    features, piece = gap_features(pieces)
    assert features.shape == (len(piece), len(FEATURES)) and features.dtype == np.float32
    atoms = whole_edges(pieces)
    line = pieces.line[atoms.start]
    inner = np.r_[False, line[1:] == line[:-1]]
    assert np.array_equal(piece, atoms.start[inner])
    gap = np.r_[0, atoms.box[1:, 0] - atoms.box[:-1, 2]][inner] / X_HEIGHT
    np.testing.assert_allclose(features[:, FEATURES.index("gap")], np.clip(gap, -4, 4), atol=1e-5)


def test_word_gaps_stand_out():
    canvas = Canvas(1400, 300)
    text = "one or two of us can see more"
    canvas.text(80, 150, text, tracking=2)
    features, _ = gap_features(_pieces(canvas))
    space = np.array([before == " " for before, after in pairwise(text)
                      if after != " "])  # fmt: skip
    assert len(space) == len(features)
    over = features[:, FEATURES.index("gap over threshold")]
    assert over[space].min() > 0 > over[~space].max()


def test_features_do_not_depend_on_other_lines():
    pieces = _pieces(page_of(prose(4, 6), 44))
    features, piece = gap_features(pieces)
    for number in range(4):
        own = pieces.line == number
        alone = Pieces(
            pieces.label, pieces.line[own], pieces.atom[own] - pieces.atom[own][0],
            pieces.box[own], pieces.area[own],
        )  # fmt: skip
        found, _ = gap_features(alone)
        np.testing.assert_allclose(found, features[pieces.line[piece] == number], atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 12), max_size=5), st.integers(0, 2**32 - 1))
def test_any_boxes_have_finite_features(counts, seed):
    rng = np.random.default_rng(seed)
    line = np.repeat(np.arange(len(counts)), counts)
    box = rng.uniform(0, 56, (len(line), 4))
    box[:, 2:] += box[:, :2] + 1
    none = np.zeros((56, 0), np.int32)
    pieces = Pieces(none, line, np.arange(len(line)), box, np.ones(len(line), np.int64))
    features, piece = gap_features(pieces)
    assert len(features) == len(piece) == len(line) - len(counts)
    assert np.isfinite(features).all() and np.abs(features).max(initial=0) <= 4


def test_log_odds_are_those_of_the_perceptron():
    model = _model()
    features = np.random.default_rng(1).normal(size=(20, len(FEATURES))).astype(np.float32)
    hidden = np.maximum(features @ model.weights[0] + model.biases[0], 0)
    expected = (hidden @ model.weights[1] + model.biases[1])[:, 0]
    np.testing.assert_allclose(model.log_odds(features), expected, rtol=1e-5)
    assert model.log_odds(features[:0]).shape == (0,)


def test_saving_and_loading(tmp_path):
    model = _model()
    model.save(tmp_path / "spaces.npz")
    loaded = SpaceModel.load(tmp_path / "spaces.npz")
    features = np.random.default_rng(1).normal(size=(20, len(FEATURES))).astype(np.float32)
    assert np.array_equal(loaded.log_odds(features), model.log_odds(features))


@pytest.mark.parametrize(
    "kind", ["missing", "empty", "cut short", "text", "other arrays", "no layers", "other features"]
)
def test_a_damaged_file_is_refused(tmp_path, kind):
    path = tmp_path / "spaces.npz"
    _model().save(path)
    content = path.read_bytes()
    match kind:
        case "missing":
            path.unlink()
        case "empty":
            path.write_bytes(b"")
        case "cut short":
            path.write_bytes(content[: len(content) // 2])
        case "text":
            path.write_text("not a model")
        case "other arrays":
            np.savez(path, weight0=np.zeros((18, 1)))
        case "no layers":
            np.savez(path, other=np.zeros(3))
        case "other features":
            SpaceModel((np.zeros((5, 1), np.float32),), (np.zeros(1, np.float32),)).save(path)
    with pytest.raises(BundleError, match=r"spaces\.npz .*again"):
        SpaceModel.load(path)
