"""Bundles for isolated characters, made without training, for the tests that classify."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ocr_batch.recognition.bundle import tight
from ocr_batch.segmentation.tight import fit_glyphs, to_ink

LETTERS = tuple("ABCDEHXZ")
CONTRACT = tight(28, 20)


def letter(character: str, size: int = 40) -> NDArray[np.uint8]:
    """Draw one character, dark on light."""
    image = Image.new("L", (2 * size, 2 * size), 255)
    font = ImageFont.load_default(size)
    ImageDraw.Draw(image).text((size // 2, size // 3), character, fill=0, font=font)
    return np.asarray(image)


def letters(size: int = 40) -> list[NDArray[np.uint8]]:
    return [letter(character, size) for character in LETTERS]


def crops(size: int = 40) -> NDArray[np.uint8]:
    """Return the letters fitted to the contract, (8, 28, 28, 1)."""
    ink, _ = to_ink(letters(size))
    return fit_glyphs(ink, CONTRACT.frame, CONTRACT.extent)[..., np.newaxis]


class Drawn:
    """The letters as training data."""

    def __init__(self, times: int = 8) -> None:
        self.image = np.concatenate([crops(36 + number) for number in range(times)])
        self.label = np.tile(np.arange(len(LETTERS)), times)

    def __len__(self) -> int:
        return len(self.label)

    def inputs(self, rows):
        return {"image": self.image[rows]}

    def varied(self, rows, options, rng):
        return self.inputs(rows)

    def take(self, limit, seed=0):
        assert limit >= len(self)
        return self


def nearest_letter(flat: bool = True):
    """Build a network that tells which of the letters a crop is nearest to."""
    import keras
    from keras import layers

    templates = crops().reshape(len(LETTERS), -1).T / np.float32(255)
    shape = (784,) if flat else (28, 28, 1)
    model = keras.Sequential(
        [
            keras.Input(shape, name="image"),
            *([] if flat else [layers.Flatten()]),
            layers.Dense(len(LETTERS), activation="softmax"),
        ],
        name="nearest-letter",
    )
    # -|x - t|^2 / 4, less what all classes have in common.
    model.set_weights([templates / 2, -(templates**2).sum(axis=0) / 4])
    return model


def letter_bundle(folder: Path, flat: bool = True, **changes) -> Path:
    """Write a bundle that knows the letters."""
    from ocr_batch.training.export import export_bundle

    settings = {
        "contract": CONTRACT,
        "classes": LETTERS,
        "n_characters": len(LETTERS),
        "temperature": 4.0,
        "recipe": {},
        "metrics": {},
        "sources": [],
        "validation": Drawn(),
        **changes,
    }
    export_bundle(nearest_letter(flat), folder, **settings)
    return folder
