"""Paint a training page whose every character is known to the pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ocr_batch.errors import TrainingError
from ocr_batch.rendering.composition import Letter, Setter
from ocr_batch.rendering.corpus import Corpus
from ocr_batch.rendering.distractors import add_distractors
from ocr_batch.rendering.fonts import Face
from ocr_batch.rendering.makeup import compose_page

__all__ = ["Characters", "RenderedPage", "boxes_of", "paint_page", "render_page"]

#: Coverage (of 255) from which a pixel belongs to a character.
_OWNED = 90


@dataclass(frozen=True)
class Characters:
    """The characters of a page in reading order, as arrays of the same length N.

    Attributes
    ----------
    text : tuple of str
        What each stands for; a ligature is one entry of several letters.
    line : (N,) int32
        Index into the page's lines.
    word : (N,) int32
        Number of the word on the page, from 0; characters of a word follow each other.
    box : (N, 4) int32
        Left, top, width, height in pixels, of the ink; zeros where nothing can be seen.
    x_height, baseline : (N,) float32
        Of the character's font, pixels; the row of the baseline at the character.
    face : (N,) int32
        Index into the faces that the page was rendered with.
    visible : (N,) bool
        False for a character whose ink was wiped out or merged beyond reading.

    """

    text: tuple[str, ...]
    line: npt.NDArray[np.int32]
    word: npt.NDArray[np.int32]
    box: npt.NDArray[np.int32]
    x_height: npt.NDArray[np.float32]
    baseline: npt.NDArray[np.float32]
    face: npt.NDArray[np.int32]
    visible: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.text)


@dataclass(frozen=True)
class RenderedPage:
    """A page and its truth.

    Attributes
    ----------
    grey : (H, W) uint8
        Ink dark on light paper.
    owner : (H, W) int32
        0 for paper, dirt and rules; k + 1 for the ink of character k.
    characters : Characters
    lines : tuple of str
        The text, in reading order; a row of a table is a line.
    blocks : (len(lines),) int32
        The block that each line belongs to.

    """

    grey: npt.NDArray[np.uint8]
    owner: npt.NDArray[np.int32]
    characters: Characters
    lines: tuple[str, ...]
    blocks: npt.NDArray[np.int32]


def boxes_of(owner: npt.NDArray[np.int32], count: int) -> npt.NDArray[np.int32]:
    """Return the boxes (count, 4) of labels 1 to count: left, top, width, height; zeros if none."""
    boxes = np.zeros((count, 4), np.int32)
    for number, found in enumerate(ndimage.find_objects(owner, max_label=count)):
        if found is not None:
            rows, columns = found
            boxes[number] = (
                columns.start,
                rows.start,
                columns.stop - columns.start,
                rows.stop - rows.start,
            )
    return boxes


def render_page(
    rng: np.random.Generator,
    faces: Sequence[Face],
    corpus: Corpus,
    *,
    characters: int | None = None,
    x_height: float | None = None,
    kind: str | None = None,
    distractors: float = 0.1,
) -> RenderedPage:
    """Render a page of text in random faces and layout.

    Parameters
    ----------
    rng : numpy.random.Generator
        All chance comes from it: the same state gives the same page.
    faces : sequence of Face
        At least one with upright letters.
    corpus : Corpus
        What the page says.
    characters : int, optional
        About how many characters, spaces counted. Default: 1000 to 2500.
    x_height : float, optional
        Of the body text, pixels. Default: mostly 16 to 34, as print scanned at 300 dpi.
    kind : str, optional
        One of `ocr_batch.rendering.makeup.KINDS`. Default: by chance, typewritten or printed as
        the face.
    distractors : float
        Probability that something is on the page that is no text: a picture, a signature, a
        stamp, dirt, the border of the scan. It belongs to no character.

    Returns
    -------
    RenderedPage

    Raises
    ------
    TrainingError
        If no face is given.

    """
    if not faces:
        raise TrainingError("No faces were given. Install the training fonts, see typefaces.py.")
    if characters is None:
        characters = int(rng.integers(1000, 2500))
    if x_height is None:
        x_height = float(np.clip(np.exp(rng.normal(np.log(22.5), 0.23)), 14, 40))
    setter, height, width = compose_page(
        rng, faces, corpus, characters, x_height=x_height, kind=kind
    )
    return paint_page(setter, height, width, rng, distractors=distractors)


def paint_page(
    setter: Setter,
    height: int,
    width: int,
    rng: np.random.Generator,
    *,
    distractors: float = 0.0,
) -> RenderedPage:
    """Paint a page that has been set.

    Parameters
    ----------
    setter : Setter
        Its letters, rules and lines.
    height, width : int
        Size of the page, pixels. What lies outside is cut off.
    rng : numpy.random.Generator
    distractors : float
        Probability that something is on the page that is no text; it makes the page larger.

    Returns
    -------
    RenderedPage

    """
    letters = setter.letters
    ink, owner = _paint(letters, height, width)
    _rule(ink, setter.rules, rng)
    down = 0
    if letters and rng.random() < distractors:
        unit = float(np.median([letter.pen.x_height for letter in letters]))
        ink, owner, down = add_distractors(ink, owner, unit, rng)
    box = boxes_of(owner, len(letters))
    truth = Characters(
        text=tuple(letter.text for letter in letters),
        line=_array(letters, "line", np.int32),
        word=_array(letters, "word", np.int32),
        box=box,
        x_height=np.array([letter.pen.x_height for letter in letters], np.float32),
        baseline=_array(letters, "y", np.float32) + np.float32(down),
        face=np.array([letter.pen.number for letter in letters], np.int32),
        visible=box[:, 2] > 0,
    )
    return RenderedPage(
        grey=255 - ink,
        owner=owner,
        characters=truth,
        lines=tuple(setter.lines),
        blocks=np.array(setter.blocks, np.int32),
    )


def _array(letters: Sequence[Letter], name: str, dtype: Any) -> Any:
    return np.array([getattr(letter, name) for letter in letters], dtype)


def _paint(
    letters: Sequence[Letter], height: int, width: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
    """Return coverage (H, W) u8 and owners (H, W) i32."""
    ink = np.zeros((height, width), np.uint8)
    owner = np.zeros((height, width), np.int32)
    for number, letter in enumerate(letters):
        column, row = int(np.floor(letter.x)), round(letter.y)
        glyph = letter.pen.glyph(letter.text, letter.x - column, letter.variant)
        drawn = glyph.ink
        left, top = column + glyph.left, row + glyph.top
        y0, x0 = max(0, -top), max(0, -left)
        y1, x1 = min(drawn.shape[0], height - top), min(drawn.shape[1], width - left)
        if y0 >= y1 or x0 >= x1:
            continue
        drawn = drawn[y0:y1, x0:x1]
        place = (slice(top + y0, top + y1), slice(left + x0, left + x1))
        below = ink[place]
        np.copyto(owner[place], number + 1, where=(drawn >= _OWNED) & (drawn >= below))
        if letter.strength < 1.0:
            drawn = (drawn * letter.strength).astype(np.uint8)
        np.maximum(below, drawn, out=below)
    return ink, owner


def _rule(
    ink: npt.NDArray[np.uint8],
    rules: Sequence[tuple[float, float, float, float]],
    rng: np.random.Generator,
) -> None:
    """Draw rules (left, top, right, bottom) into the coverage."""
    for left, top, right, bottom in rules:
        x0, y0 = max(0, round(left)), max(0, round(top))
        x1, y1 = max(x0 + 1, round(right)), max(y0 + 1, round(bottom))
        strength = int(rng.integers(200, 256))
        part = ink[y0:y1, x0:x1]
        np.maximum(part, strength, out=part)
