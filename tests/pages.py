"""Draw small pages whose every letter is known, and read them without a trained network."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ocr_batch.batch.pipeline import Models
from ocr_batch.imaging.load import Sheet, sheet_from_array
from ocr_batch.layout.page import Layout, analyse
from ocr_batch.layout.prepare import Prepared, prepare
from ocr_batch.recognition.charset import CLASSES
from ocr_batch.recognition.language import LanguageModel
from ocr_batch.recognition.spaces import FEATURES, SpaceModel
from ocr_batch.rendering.page import Characters, RenderedPage, boxes_of
from ocr_batch.segmentation.page import Segmented, segment
from ocr_batch.training.labelling import label_page
from ocr_batch.training.language_model import build_language_model

#: Pixels of Pillow's own font at which an x-height is 21 pixels, as print scanned at 300 dpi.
SIZE = 40

WORDS = (
    *("the", "old", "house", "by", "the", "river", "was", "empty", "when", "we", "came", "back"),
    *("from", "town", "and", "nobody", "could", "say", "who", "had", "lived", "there", "before"),
    *("the", "war", "or", "why", "they", "left", "so", "much", "behind", "them", "in", "every"),
    *("single", "room"),
)


@lru_cache(maxsize=2000)
def _glyph(letter: str, size: int) -> tuple[NDArray[np.uint8], int, int, float]:
    """Return coverage, left and top against the pen, and advance of a letter."""
    font = ImageFont.load_default(size)
    left, top, right, bottom = (round(value) for value in font.getbbox(letter, anchor="ls"))
    image = Image.new("L", (max(1, right - left), max(1, bottom - top)), 0)
    ImageDraw.Draw(image).text((-left, -top), letter, 255, font=font, anchor="ls")
    return np.asarray(image), left, top, font.getlength(letter)


class Canvas:
    """A white page to write and draw on."""

    def __init__(self, width: int = 1000, height: int = 400) -> None:
        self.grey = np.full((height, width), 255, np.uint8)
        self.owner = np.zeros((height, width), np.int32)
        self.letters: list[tuple[str, int, int, float, float]] = []
        self.lines: list[str] = []
        self._words = 0

    def text(
        self, x: float, baseline: int, text: str, size: int = SIZE, tracking: float = 0
    ) -> tuple[int, int, int, int]:
        """Write a line; return left, top, right, bottom of its ink."""
        hull = [10**6, 10**6, -1, -1]
        x_height = -_glyph("x", size)[2]
        self._words += 1
        for letter in text:
            coverage, left, top, advance = _glyph(letter, size)
            if letter == " ":
                self._words += 1
            elif letter.strip():
                x0, y0 = round(x) + left, baseline + top
                x1, y1 = x0 + coverage.shape[1], y0 + coverage.shape[0]
                place = self.grey[y0:y1, x0:x1]
                owned = self.owner[y0:y1, x0:x1]
                self.letters.append((letter, len(self.lines), self._words, baseline, x_height))
                owned[coverage >= 90] = len(self.letters)
                np.minimum(place, 255 - coverage, out=place)
                ys, xs = np.nonzero(coverage >= 90)
                hull = [
                    min(hull[0], x0 + int(xs.min())),
                    min(hull[1], y0 + int(ys.min())),
                    max(hull[2], x0 + int(xs.max()) + 1),
                    max(hull[3], y0 + int(ys.max()) + 1),
                ]
            x += advance + tracking
        self.lines.append(text)
        return hull[0], hull[1], hull[2], hull[3]

    def column(
        self, x: int, baseline: int, lines: list[str], size: int = SIZE, leading: float = 1.6
    ) -> list[tuple[int, int, int, int]]:
        """Write lines below one another; return their boxes."""
        step = round(leading * size)
        return [self.text(x, baseline + k * step, line, size) for k, line in enumerate(lines)]

    def rule(self, left: int, top: int, right: int, bottom: int) -> None:
        """Draw a black bar."""
        self.grey[top:bottom, left:right] = 0

    def rendered(self) -> RenderedPage:
        """Return the page with its truth, as the training code takes it."""
        count = len(self.letters)
        box = boxes_of(self.owner, count)
        truth = Characters(
            text=tuple(letter for letter, *_ in self.letters),
            line=np.array([row[1] for row in self.letters], np.int32),
            word=np.array([row[2] for row in self.letters], np.int32),
            box=box,
            x_height=np.array([row[4] for row in self.letters], np.float32),
            baseline=np.array([row[3] for row in self.letters], np.float32),
            face=np.zeros(count, np.int32),
            visible=box[:, 2] > 0,
        )
        blocks = np.zeros(len(self.lines), np.int32)
        return RenderedPage(self.grey, self.owner, truth, tuple(self.lines), blocks)


def prose(lines: int, words: int = 6, seed: int = 0) -> list[str]:
    """Return lines of plain words."""
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, words)) for _ in range(lines)]


def page_of(lines: list[str], size: int = SIZE, width: int | None = None) -> Canvas:
    """Write lines on a page of their own size."""
    canvas = Canvas(
        width or round(max(map(len, lines), default=1) * 0.6 * size) + 160,
        round(1.6 * size * max(1, len(lines))) + 160,
    )
    canvas.column(80, 80 + size, lines, size)
    return canvas


def sheet_of(grey: NDArray[np.uint8]) -> Sheet:
    """Return an array as a decoded sheet."""
    return sheet_from_array(np.ascontiguousarray(grey))


def laid_out(grey: NDArray[np.uint8]) -> tuple[Prepared, Layout]:
    """Prepare and analyse a page."""
    ready = prepare(sheet_of(grey))
    return ready, analyse(ready.ink, ready.rules, ready.components, ready.x_height or 20.0)


def segmented(grey: NDArray[np.uint8]) -> tuple[Prepared, Layout, Segmented]:
    """Prepare, analyse and segment a page."""
    ready, layout = laid_out(grey)
    return ready, layout, segment(ready.grey, layout.components, layout.lines)


def turned(grey: NDArray[np.uint8], degrees: float) -> NDArray[np.uint8]:
    """Turn a page clockwise: its lines then run down to the right."""
    image = Image.fromarray(grey)
    return np.asarray(image.rotate(-degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=255))


class GlyphClassifier:
    """Compare crops with those of known letters; exact enough for pages in the same font."""

    backend = "glyphs"
    card = None
    batch = 1000

    def __init__(self, images: NDArray[np.uint8], label: NDArray[np.int64]) -> None:
        self._known = self._features(images)
        self._label = label
        self.calls: list[int] = []

    @staticmethod
    def _features(images: NDArray[np.uint8]) -> NDArray[np.float64]:
        small = images[..., 0].reshape(len(images), 14, 4, 14, 4).mean(axis=(2, 4))
        return small.reshape(len(images), -1) / 255

    def scores(
        self, images: NDArray[np.uint8], geometry: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        self.calls.append(len(images))
        found = self._features(images)
        # einsum, not a matrix product: a row's result must not depend on how many rows there are.
        distance = (found**2).sum(axis=1)[:, None] + (self._known**2).sum(axis=1)[None, :]
        distance -= 2 * np.einsum("ik,jk->ij", found, self._known, optimize=False)
        logits = np.full((len(images), len(CLASSES)), -12.0)
        for label in np.unique(self._label):
            logits[:, label] = -4.0 * distance[:, self._label == label].min(axis=1)
        logits -= logits.max(axis=1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return np.round(logits, 4).astype(np.float32)


@lru_cache(maxsize=1)
def glyph_models() -> Models:
    """Return models for Pillow's own font: templates, a tiny language, gaps by a threshold."""
    images, labels = [], []
    alphabet = "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789 .,;:!?=%-\"'()&"
    lines = [*prose(3, 7), "quick jinx zebra fox vex", *alphabet.split()]
    for size in (SIZE, 46):
        labelled = label_page(page_of(lines, size).rendered())
        images.append(labelled.images)
        labels.append(labelled.label)
    image, label = np.concatenate(images), np.concatenate(labels)
    keep = np.concatenate([np.flatnonzero(label == name)[:12] for name in np.unique(label)])
    weight = np.zeros((len(FEATURES), 1), np.float32)
    weight[FEATURES.index("gap")] = 20.0
    spaces = SpaceModel((weight,), (np.array([-11.0], np.float32),))
    return Models(GlyphClassifier(image[keep], label[keep]), tiny_language(), spaces)


@lru_cache(maxsize=1)
def tiny_language() -> LanguageModel:
    """Return a language model of a few lines of text."""
    return build_language_model([". ".join(prose(200, 8)) + " The 12 fine flat offices"], 400)


def ink_in(grey: NDArray[np.uint8], left: int, top: int, right: int, bottom: int) -> int:
    """Count dark pixels within a box."""
    return int(cv2.countNonZero((grey[top:bottom, left:right] < 128).astype(np.uint8)))
