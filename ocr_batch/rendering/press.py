"""Set a single page by hand, in inches and points, and scan it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ocr_batch.errors import TrainingError
from ocr_batch.rendering.composition import Cell, Habits, Setter, words_of
from ocr_batch.rendering.degradation import Degradation, degrade
from ocr_batch.rendering.fonts import Face
from ocr_batch.rendering.glyphs import Pen, PenStyle
from ocr_batch.rendering.page import paint_page

__all__ = ["Press"]


class Press:
    """Set a page downward from its head, within margins.

    Parameters
    ----------
    faces : sequence of Face
    families : str
        Names of families, the wanted one first, separated by commas.
    width : float
        Of the paper, inches; it is as high as it has to be.
    dpi, points : float
        Resolution, and size of the type.
    seed : int
    margin : float
        Inches.
    leading : float
        Distance of baselines, in sizes of the type.
    habits : Habits
    weight : float
        Added to every edge, pixels.

    """

    def __init__(
        self,
        faces: Sequence[Face],
        families: str,
        *,
        width: float,
        dpi: int,
        points: float,
        seed: int,
        margin: float = 0.7,
        leading: float = 1.25,
        habits: Habits | None = None,
        weight: float = 0.0,
    ) -> None:
        self.rng = np.random.default_rng(seed)
        self.width = round(width * dpi)
        self.em = points / 72 * dpi
        self.leading = leading * self.em
        self.left = margin * dpi
        self.y = 0.8 * self.left
        self.measure = self.width - 2 * self.left
        self.setter = Setter(self.rng, habits or Habits())
        self._faces, self._families, self._weight = faces, families, weight
        self.body = self.pen()

    def pen(self, scale: float = 1.0, *, bold: bool = False, italic: bool = False) -> Pen:
        """Return a pen of the page's family; its size is a multiple of the body's."""
        number = _face_of(self._faces, self._families, bold, italic)
        style = PenStyle(self.em * scale, weight=self._weight)
        return Pen(self._faces[number], number, style)

    def cells(self, *cells: Cell, drop: float = 1.0, underline: bool = False) -> None:
        """Set a line of cells, so many leadings below the last."""
        self.y += drop * self.leading
        self.setter.set_line(cells, round(self.y), underline)

    def line(
        self, text: str, align: str = "left", pen: Pen | None = None, drop: float = 1.0
    ) -> None:
        """Set a line of text over the measure."""
        words = words_of(text, pen or self.body)
        self.cells(Cell(words, self.left, self.measure, align), drop=drop)

    def filled(self, text: str, indent: float = 0.0, align: str = "justify") -> list[Cell]:
        """Return the lines of a paragraph, placed from the left of its column."""
        lines = self.setter.break_lines(words_of(text, self.body), self.measure, indent)
        cells = []
        for number, line in enumerate(lines):
            start = indent if number == 0 else 0.0
            how = "left" if number + 1 == len(lines) else align
            cells.append(Cell(line, start, self.measure - start, how))
        return cells

    def paragraph(self, text: str, *, align: str = "left", indent: float = 0.0) -> None:
        """Set a paragraph over the measure."""
        for cell in self.filled(text, indent, align):
            self.cells(replace(cell, x=self.left + cell.x))

    def block(self, gap: float = 0.0) -> None:
        """End a block; the text has an empty line here."""
        self.setter.block += 1
        self.y += gap * self.leading

    def rule(self, below: float = 0.35, thick: float = 2.0) -> None:
        """Rule a line over the measure, so many leadings below the last baseline."""
        y = round(self.y + below * self.leading)
        self.setter.rules.append((self.left, y, self.left + self.measure, y + thick))

    def text(self) -> str:
        """Return the lines set so far, with an empty line between blocks."""
        parts: list[str] = []
        before = None
        for line, block in zip(self.setter.lines, self.setter.blocks, strict=True):
            if before is not None and block != before:
                parts.append("")
            parts.append(line)
            before = block
        return "\n".join(parts) + "\n"

    def scan(self, how: Degradation) -> tuple[npt.NDArray[np.uint8], str]:
        """Paint the page, degrade it, and return it (grey) with its text."""
        height = round(self.y + 1.2 * self.left)
        page = paint_page(self.setter, height, self.width, self.rng)
        return degrade(page, how, self.rng).grey, self.text()


def _face_of(faces: Sequence[Face], families: str, bold: bool, italic: bool) -> int:
    for family in families.split(", "):
        fitting = [
            number
            for number, face in enumerate(faces)
            if (face.family, face.bold, face.italic) == (family, bold, italic)
        ]
        if fitting:
            return min(fitting, key=lambda number: _plainness(faces[number]))
    raise TrainingError(
        f"None of the fonts {families} is installed (bold: {bold}, italic: {italic}). "
        "Install the training fonts, see ocr_batch.rendering.typefaces.install_command."
    )


def _plainness(face: Face) -> tuple[bool, int, str]:
    """Return a key that puts the plainest of several cuts first."""
    odd = re.search("light|cond|narrow|medium|semi", Path(face.path).stem, re.IGNORECASE)
    return odd is not None, len(face.path), face.path
