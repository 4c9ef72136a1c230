"""Train the gap model that tells word spaces from letter gaps.

Usage: ``python -m ocr_batch.training.space_model SHARDS -o models/english/spaces.npz``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ocr_batch.errors import TrainingError
from ocr_batch.recognition.spaces import FEATURES, SpaceModel
from ocr_batch.training.export import reseal

__all__ = ["load_gaps", "train_space_model"]


def load_gaps(folder: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Read gap features and truths that `generate` wrote.

    Parameters
    ----------
    folder : Path
        ``gaps-train`` or ``gaps-validation`` of the shards' folder.

    Returns
    -------
    features : ndarray of float32, shape (G, F)
    spaces : ndarray of float32, shape (G,)
        1.0 for a word space.

    Raises
    ------
    TrainingError
        If there is nothing to read.
    """
    features, spaces = [], []
    for path in sorted(folder.glob("*.npz")):
        with np.load(path, allow_pickle=False) as data:
            features.append(data["x"])
            spaces.append(data["y"])
    if not features:
        raise TrainingError(
            f"No gaps in {folder}. Make them first: ocr-batch render TEXT -o SHARDS --crops."
        )
    return (
        np.concatenate(features).astype(np.float32),
        np.concatenate(spaces).astype(np.float32),
    )


def train_space_model(
    features: NDArray[np.float32],
    spaces: NDArray[np.float32],
    *,
    hidden: tuple[int, ...] = (48, 24),
    epochs: int = 6,
    seed: int = 1,
) -> SpaceModel:
    """Fit a small perceptron to gaps.

    Parameters
    ----------
    features : ndarray of float32, shape (G, F)
        From `gap_features`.
    spaces : ndarray of float32, shape (G,)
        1.0 for a word space.
    hidden : tuple of int
        Units of the hidden layers.
    epochs, seed : int
        Passes over the gaps; what chance starts from.

    Returns
    -------
    SpaceModel
    """
    import keras

    keras.utils.set_random_seed(seed)
    mean, deviation = features.mean(axis=0), features.std(axis=0) + 1e-3
    layers = [keras.layers.Dense(units, activation="relu") for units in hidden]
    model = keras.Sequential([keras.Input((len(FEATURES),)), *layers, keras.layers.Dense(1)])
    steps = max(1, epochs * len(features) // 1024)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-3, steps)),
        keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.002),
    )
    model.fit((features - mean) / deviation, spaces, batch_size=1024, epochs=epochs, verbose=0)
    arrays = [np.asarray(value, np.float32) for value in model.get_weights()]
    # The first layer takes the standardisation in, so that features go in as measured.
    weights, biases = list(arrays[0::2]), list(arrays[1::2])
    biases[0] = (biases[0] - (mean / deviation) @ weights[0]).astype(np.float32)
    weights[0] = (weights[0] / deviation[:, None]).astype(np.float32)
    return SpaceModel(tuple(weights), tuple(biases))


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shards", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    options = parser.parse_args()
    model = train_space_model(*load_gaps(options.shards / "gaps-train"))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    model.save(options.out)
    reseal(options.out.parent)
    features, spaces = load_gaps(options.shards / "gaps-validation")
    wrong = (model.log_odds(features) > 0) != (spaces > 0.5)
    sys.stdout.write(f"validation: {len(spaces)} gaps, {100 * wrong.mean():.2f} % wrong\n")


if __name__ == "__main__":
    main()
