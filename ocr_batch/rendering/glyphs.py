"""Draw single characters of a face at any size, width, slant and sub-pixel place."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from PIL import ImageFont

from ocr_batch.rendering.fonts import Face

__all__ = ["Glyph", "Pen", "PenStyle"]

#: Pixels an em of the masters, from which every other size is made.
_MASTER = 128
_PHASES = 3
_MARGIN = 2


class Glyph(NamedTuple):
    """Coverage (h, w) u8 (255 = ink) and where its corner lies from the origin on the baseline."""

    ink: npt.NDArray[np.uint8]
    left: int
    top: int


class _Master:
    """The glyphs of a face at `_MASTER` pixels an em, drawn when first asked for."""

    def __init__(self, path: str, index: int) -> None:
        self.font = ImageFont.truetype(
            path, _MASTER, index=index, layout_engine=ImageFont.Layout.BASIC
        )
        self.glyphs: dict[str, Glyph] = {}
        self.advances: dict[str, float] = {}
        self.kerns: dict[str, float] = {}
        self.x_height = -self.glyph("x").top / _MASTER
        self.cap_height = -self.glyph("H").top / _MASTER
        self.stem = self._stem()
        self.hair = self._hair()
        self.fixed = self.advance("i") == self.advance("M")

    def glyph(self, code: str) -> Glyph:
        found = self.glyphs.get(code)
        if found is None:
            mask, (left, top) = self.font.getmask2(code, mode="L", anchor="ls")
            width, height = mask.size
            ink = np.frombuffer(bytes(mask), np.uint8).reshape(height, width)
            found = self.glyphs[code] = Glyph(ink, int(left), int(top))
        return found

    def _stem(self) -> float:
        ink, _, top = self.glyph("l")
        rows = ink[-top - round(0.6 * self.x_height * _MASTER) :][: _MASTER // 20]
        return float(np.median(rows.sum(axis=1, dtype=np.float64)) / (255.0 * _MASTER))

    def _hair(self) -> float:
        # The bar of an H is as thin as the thin strokes of a face.
        ink = self.glyph("H").ink
        middle = ink.shape[1] // 2
        bar = ink[:, middle - 2 : middle + 3].sum(axis=0, dtype=np.float64)
        return float(np.median(bar) / (255.0 * _MASTER))

    def advance(self, code: str) -> float:
        found = self.advances.get(code)
        if found is None:
            found = self.advances[code] = self.font.getlength(code) / _MASTER
        return found

    def kern(self, pair: str) -> float:
        found = self.kerns.get(pair)
        if found is None:
            whole = self.font.getlength(pair) / _MASTER
            found = whole - self.advance(pair[0]) - self.advance(pair[1])
            self.kerns[pair] = found
        return found


@lru_cache(maxsize=40)
def _master(path: str, index: int) -> _Master:
    return _Master(path, index)


@dataclass(frozen=True)
class PenStyle:
    """How a face is drawn.

    Attributes
    ----------
    em : float
        Pixels an em.
    stretch : float
        Width of the letters, 1 = as designed.
    slant : float
        Tangent of an added slant.
    weight : float
        Pixels added to every edge (negative: taken away).
    clog : float
        0 to 1: how much narrow counters are filled with ink, as by dirty type.

    """

    em: float
    stretch: float = 1.0
    slant: float = 0.0
    weight: float = 0.0
    clog: float = 0.0


class Pen:
    """A face at one size and style; its glyphs are drawn once and kept.

    Parameters
    ----------
    face : Face
    number : int
        The number that the face goes by in the page's truth.
    style : PenStyle

    """

    def __init__(self, face: Face, number: int, style: PenStyle) -> None:
        self.face = face
        self.number = number
        self.style = style
        self._master = _master(face.path, face.index)
        self._ligatures = dict(face.ligatures)
        self._drawn: dict[tuple[str, int, int], Glyph] = {}
        self.x_height = self._master.x_height * style.em
        self.cap_height = self._master.cap_height * style.em
        self.stem = self._master.stem * style.em
        self.hair = self._master.hair * style.em
        self.fixed = self._master.fixed
        self.space = self.advance(" ")

    def code(self, text: str) -> str:
        """Return the code point that draws a character or ligature."""
        return text if len(text) == 1 else self._ligatures[text]

    def has(self, text: str) -> bool:
        """Tell whether the face has this character or ligature."""
        return text in self.face.characters if len(text) == 1 else text in self._ligatures

    @property
    def ligatures(self) -> tuple[str, ...]:
        """The ligatures that the face has, written out, longest first."""
        return tuple(sorted(self._ligatures, key=len, reverse=True))

    def advance(self, text: str) -> float:
        """Return the distance to the next origin, pixels."""
        return self._master.advance(self.code(text)) * self.style.em * self.style.stretch

    def kern(self, first: str, second: str) -> float:
        """Return the correction of the distance between two neighbours, pixels."""
        if self.fixed:
            return 0.0
        pair = self.code(first)[-1] + self.code(second)[0]
        return self._master.kern(pair) * self.style.em * self.style.stretch

    def glyph(self, text: str, fraction: float, variant: int = 0) -> Glyph:
        """Draw a character.

        Parameters
        ----------
        text : str
            A character or a ligature written out.
        fraction : float
            Sub-pixel part of the origin's x, 0 to 1.
        variant : int
            A lighter (negative) or heavier (positive) strike, quarters of a pixel of weight.

        Returns
        -------
        Glyph

        """
        phase = int(fraction * _PHASES)
        key = (text, phase, variant)
        found = self._drawn.get(key)
        if found is None:
            found = self._drawn[key] = self._draw(text, phase / _PHASES, variant)
        return found

    def _draw(self, text: str, fraction: float, variant: int) -> Glyph:
        ink, left, top = self._master.glyph(self.code(text))
        style = self.style
        down = style.em / _MASTER
        across = down * style.stretch
        ink = _reweigh(ink, (style.weight + 0.25 * variant) / down, style.clog)
        grown = (ink.shape[0] - self._master.glyph(self.code(text)).ink.shape[0]) // 2
        left, top = left - grown, top - grown
        # Linear sampling would skip pixels when it shrinks: average over the step first.
        blur = (max(1, round(1 / across)), max(1, round(1 / down)))
        if max(blur) > 1:
            pad = max(blur) // 2 + 1
            ink = np.pad(ink, pad)
            left, top = left - pad, top - pad
            # An even box moves the picture by half a pixel.
            ink = np.asarray(cv2.blur(ink, blur), np.uint8)
            left_shift = 0.5 if blur[0] % 2 == 0 else 0.0
            top_shift = 0.5 if blur[1] % 2 == 0 else 0.0
        else:
            left_shift = top_shift = 0.0
        height, width = ink.shape
        # Page place of a master pixel (u, v): x = across*(left+u) - slant*y, y = down*(top+v).
        shear = -style.slant * down
        rows = down * (np.array([top, top + height]) + top_shift)
        columns = across * (np.array([left, left + width]) + left_shift) + fraction
        lean = -style.slant * rows
        x0 = int(np.floor(columns[0] + lean.min())) - _MARGIN
        x1 = int(np.ceil(columns[1] + lean.max())) + _MARGIN
        y0, y1 = int(np.floor(rows[0])) - _MARGIN, int(np.ceil(rows[1])) + _MARGIN
        matrix = np.array(
            [
                [across, shear, columns[0] - style.slant * rows[0] - x0],
                [0.0, down, rows[0] - y0],
            ]
        )
        # Pixel centres: master (u + .5) is drawn at page (x + .5).
        matrix[:, 2] += matrix[:, :2] @ np.array([0.5, 0.5]) - 0.5
        drawn = cv2.warpAffine(ink, matrix, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR)
        return Glyph(np.asarray(drawn, np.uint8), x0, y0)


def _reweigh(ink: npt.NDArray[np.uint8], pixels: float, clog: float) -> npt.NDArray[np.uint8]:
    """Move every edge outward by so many master pixels, and fill narrow counters."""
    if abs(pixels) < 0.5 and clog <= 0:
        return ink
    pad = int(abs(pixels)) + 2
    ink = np.asarray(
        cv2.copyMakeBorder(ink, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0), np.uint8
    )
    if clog > 0:
        element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_MASTER // 5, _MASTER // 5))
        closed = cv2.morphologyEx(ink, cv2.MORPH_CLOSE, element)
        ink = np.maximum(ink, (closed * clog).astype(np.uint8))
    size = 2 * round(abs(pixels)) + 1
    if size > 1:
        element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
        ink = np.asarray((cv2.dilate if pixels > 0 else cv2.erode)(ink, element), np.uint8)
    return ink
