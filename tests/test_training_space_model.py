import numpy as np
import pytest

pytest.importorskip("keras")

from ocr_batch.errors import TrainingError
from ocr_batch.recognition.spaces import FEATURES, SpaceModel
from ocr_batch.training.space_model import load_gaps, main, train_space_model


def _gaps(count, seed=0):
    """Gaps that are spaces when wider than the line's threshold."""
    rng = np.random.default_rng(seed)
    features = rng.normal(0, 0.4, (count, len(FEATURES))).astype(np.float32)
    over = features[:, FEATURES.index("gap over threshold")]
    return features, (over > 0.1).astype(np.float32)


def test_it_learns_which_gaps_are_spaces():
    model = train_space_model(*_gaps(30_000), epochs=8)
    features, spaces = _gaps(2000, seed=1)
    odds = model.log_odds(features)
    assert ((odds > 0) == (spaces > 0.5)).mean() > 0.96
    # Further from the threshold it is surer.
    over = features[:, FEATURES.index("gap over threshold")]
    assert (
        np.abs(odds[np.abs(over - 0.1) > 0.5]).mean()
        > 2 * np.abs(odds[np.abs(over - 0.1) < 0.1]).mean()
    )


def test_the_same_seed_gives_the_same_model():
    first, second = (train_space_model(*_gaps(500), hidden=(4,), epochs=1) for _ in range(2))
    for one, other in zip(first.weights, second.weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def _write(folder, parts=2):
    folder.mkdir(parents=True)
    for part in range(parts):
        features, spaces = _gaps(300, seed=part)
        np.savez(folder / f"part{part:04d}.npz", x=features, y=spaces > 0.5)


def test_gaps_of_all_parts_are_read(tmp_path):
    _write(tmp_path / "gaps-train")
    features, spaces = load_gaps(tmp_path / "gaps-train")
    assert features.shape == (600, len(FEATURES)) and spaces.shape == (600,)
    assert features.dtype == spaces.dtype == np.float32
    assert set(np.unique(spaces)) == {0.0, 1.0}


def test_nothing_to_train_on(tmp_path):
    with pytest.raises(TrainingError, match=r"--crops"):
        load_gaps(tmp_path)


def test_the_command_writes_a_model_and_its_error(tmp_path, monkeypatch, capsys):
    for name in ("train", "validation"):
        _write(tmp_path / f"gaps-{name}")
    out = tmp_path / "model" / "spaces.npz"
    monkeypatch.setattr("sys.argv", ["space_model", str(tmp_path), "-o", str(out)])
    main()
    assert SpaceModel.load(out).weights[0].shape[0] == len(FEATURES)
    assert "validation: 600 gaps" in capsys.readouterr().out
