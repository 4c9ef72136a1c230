"""Hold a page while it is being made up: where the next line goes and what it is set with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ocr_batch.rendering.composition import Cell, Habits, Setter, words_of
from ocr_batch.rendering.corpus import Corpus
from ocr_batch.rendering.glyphs import Pen
from ocr_batch.rendering.typography import Pens

__all__ = ["Galley", "Measure"]


@dataclass(frozen=True)
class Measure:
    """How a column is laid out, in pixels; `rare` is the share of words with rare characters."""

    em: float
    width: float
    leading: float
    gap: float
    indent: float
    align: str
    rare: float


class Galley:
    """A page under work: lines are set from `left` over the measure's width, downward from `y`.

    Parameters
    ----------
    rng : numpy.random.Generator
    pens : Pens
    habits : Habits
    corpus : Corpus
    measure : Measure
    kind : str
        The kind of page.
    characters : int
        How many the page shall have.

    """

    def __init__(
        self,
        rng: np.random.Generator,
        pens: Pens,
        habits: Habits,
        corpus: Corpus,
        measure: Measure,
        *,
        kind: str,
        characters: int,
    ) -> None:
        self.rng, self.pens, self.habits, self.measure = rng, pens, habits, measure
        self.corpus, self.kind, self.characters = corpus, kind, characters
        self.setter = Setter(rng, habits)
        self.left = self.y = 0.0
        self._text = self._paragraphs()

    def _paragraphs(self) -> Iterator[str]:
        while True:
            yield from self.corpus.paragraphs(self.rng, self.characters)

    def text(self, low: int = 3, limit: int = 900) -> str:
        """Return the next paragraph, cut at a word if it is longer than `limit`."""
        for _ in range(20):
            text = next(self._text)
            if len(text) >= low:
                break
        if len(text) > limit:
            text = text[: text.rfind(" ", 0, limit)] if " " in text[:limit] else text[:limit]
        return text

    def line(self, cells: Sequence[Cell], pen: Pen | None = None, underline: bool = False) -> None:
        """Set a line below the last, lower by what a larger pen needs."""
        extra = (pen.style.em - self.measure.em) * 1.15 if pen is not None else 0.0
        self.y += self.measure.leading + max(0.0, extra)
        self.setter.set_line(cells, round(self.y), underline)

    def words(self, text: str, pen: Pen, indent: float = 0.0, align: str = "left") -> None:
        """Set text in one pen over as many lines as it takes."""
        width = self.measure.width - indent
        for line in self.setter.break_lines(words_of(text, pen), width):
            self.line([Cell(line, self.left + indent, width, align)], pen)

    def skip(self, leadings: float) -> None:
        """Leave so many lines free."""
        self.y += self.measure.leading * leadings

    def rule(self, below: float = 0.35) -> None:
        """Rule a line over the measure, so many lines below the last baseline."""
        y = self.y + self.measure.leading * below
        self.setter.rules.append((self.left, y, self.left + self.measure.width, y + 2))
