"""Tell word spaces from letter gaps: a small model of each gap in its line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from ocr_batch.errors import BundleError
from ocr_batch.segmentation.lattice import Pieces, whole_edges
from ocr_batch.segmentation.page import Segmented
from ocr_batch.segmentation.pitch import empty_cells
from ocr_batch.segmentation.strips import BASELINE, X_HEIGHT

__all__ = ["FEATURES", "SpaceModel", "gap_features", "space_odds"]

#: Names of the features of a gap; lengths are in x-heights.
FEATURES = (
    "gap",
    "gap over letter gaps",
    "gap over threshold",
    "word gap minus letter gap",
    "threshold",
    "centre distance",
    "centre distance over pitch",
    "pitch",
    "pitch spread",
    "width before",
    "width after",
    "height before",
    "height after",
    "bottom before",
    "bottom after",
    "next gap",
    "gap before last",
    "length",
)

_FEWEST = 6
# Inside an atom no space is possible.
_NO_SPACE = -30.0
# What an empty cell of typewriting adds to the log-odds of a space.
_CELL = 1.0


def _two_means(gap: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return the means of the small and of the large gaps and the best threshold between them.

    N. Otsu, "A threshold selection method from gray-level histograms", 1979, on sorted values.
    """
    ordered = np.sort(np.clip(gap, -0.3, 2.0))
    if len(ordered) < _FEWEST:
        return 0.18, 0.75, 0.42
    count = np.arange(1, len(ordered))
    total = np.cumsum(ordered)
    low = total[:-1] / count
    high = (total[-1] - total[:-1]) / (len(ordered) - count)
    spread = count * (len(ordered) - count) * (high - low) ** 2
    best = int(spread.argmax())
    return float(low[best]), float(high[best]), float((ordered[best] + ordered[best + 1]) / 2)


def gap_features(pieces: Pieces) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Describe the gap before each atom that is not the first of its line.

    Parameters
    ----------
    pieces : Pieces
        Of one page.

    Returns
    -------
    features : ndarray of float32, shape (G, 18)
        See `FEATURES`.
    piece : ndarray of int64, shape (G,)
        The piece that each gap comes before.
    """
    atoms = whole_edges(pieces)
    line = pieces.line[atoms.start]
    left, top, right, bottom = atoms.box.T / X_HEIGHT
    inner = np.r_[False, line[1:] == line[:-1]][: len(line)]
    if not inner.any():
        return np.zeros((0, len(FEATURES)), np.float32), np.zeros(0, np.int64)
    gap = np.r_[0.0, left[1:] - right[:-1]]
    centre = (left + right) / 2
    distance = np.r_[0.0, np.diff(centre)]
    stats = np.zeros((len(line), 6))
    starts = np.flatnonzero(~inner)
    for first, last in zip(starts, np.r_[starts[1:], len(line)], strict=True):
        own = slice(first + 1, last)
        step = distance[own]
        close = step[(step > 0.3) & (step < 2.0)]
        usual = float(np.median(close)) if len(close) else 1.0
        # In a fixed pitch all distances are multiples of it.
        residual = np.abs(step / usual - np.round(step / usual))[step < 6]
        typical = float(np.median(residual)) if len(residual) else 0.25
        stats[first:last] = (*_two_means(gap[own]), usual, typical, np.log(last - first))
    low, high, threshold, pitch, spread, length = stats.T
    following = np.where(np.r_[inner[1:], False], np.r_[gap[1:], 0.0], 1.0)
    previous = np.where(np.r_[False, inner[:-1]], np.r_[0.0, gap[:-1]], 1.0)
    width, height = right - left, bottom - top
    foot = BASELINE / X_HEIGHT - bottom
    columns = [
        gap,
        gap - low,
        gap - threshold,
        high - low,
        threshold,
        distance,
        distance / pitch,
        pitch,
        spread,
        np.r_[0.0, width[:-1]],
        width,
        np.r_[0.0, height[:-1]],
        height,
        np.r_[0.0, foot[:-1]],
        foot,
        following,
        previous,
        length,
    ]
    features = np.clip(np.stack(columns, axis=1), -4, 4).astype(np.float32)
    return features[inner], atoms.start[inner]


@dataclass(frozen=True)
class SpaceModel:
    """A multilayer perceptron on `gap_features`: ReLU layers, one log-odds out.

    Attributes
    ----------
    weights : tuple of ndarray of float32
        Of shape (inputs, outputs), layer by layer.
    biases : tuple of ndarray of float32
    """

    weights: tuple[NDArray[np.float32], ...]
    biases: tuple[NDArray[np.float32], ...]

    def log_odds(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the log-odds that each gap is a word space.

        Parameters
        ----------
        features : ndarray of float32, shape (G, 18)
            From `gap_features`.

        Returns
        -------
        ndarray of float32, shape (G,)
        """
        value = features
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            value = value @ weight + bias
            if number + 1 < len(self.weights):
                value = np.maximum(value, 0)
        return np.asarray(value[:, 0], np.float32)

    def save(self, path: Path) -> None:
        """Write the model to an .npz file."""
        arrays = {f"weight{n}": w for n, w in enumerate(self.weights)}
        arrays |= {f"bias{n}": b for n, b in enumerate(self.biases)}
        with ZipFile(path, "w") as archive:
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w") as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)

    @classmethod
    def load(cls, path: Path) -> SpaceModel:
        """Read a model.

        Raises
        ------
        BundleError
            If the file is missing, damaged or made for other features.
        """
        try:
            with np.load(path, allow_pickle=False) as data:
                layers = sum(name.startswith("weight") for name in data.files)
                weights = tuple(np.asarray(data[f"weight{n}"], np.float32) for n in range(layers))
                biases = tuple(np.asarray(data[f"bias{n}"], np.float32) for n in range(layers))
        except (OSError, EOFError, KeyError, ValueError, BadZipFile) as error:
            raise BundleError(
                f"The space model {path} can not be read ({error}). Install the bundle again."
            ) from error
        if not weights or weights[0].shape[0] != len(FEATURES):
            raise BundleError(
                f"The space model {path} was made for other features. Train the bundle again "
                "with this version."
            )
        return cls(weights, biases)


def space_odds(page: Segmented, model: SpaceModel) -> NDArray[np.float32]:
    """Judge the gaps of a page.

    Parameters
    ----------
    page : Segmented
    model : SpaceModel

    Returns
    -------
    ndarray of float32, shape (P,)
        Log-odds that a space comes before each piece; very low inside atoms.
    """
    odds = np.full(len(page.pieces), _NO_SPACE, np.float32)
    features, piece = gap_features(page.pieces)
    # Only in favour: dirt in the cell of a space would speak against it.
    empty = empty_cells(page.pitch, page.atoms)[page.pieces.atom[piece]]
    odds[piece] = model.log_odds(features) + np.float32(_CELL) * empty
    return odds
