"""Set text into lines: letters at exact places, with the words and lines they belong to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ocr_batch.rendering.glyphs import Pen

__all__ = ["Cell", "Habits", "Letter", "Piece", "Setter", "Slug", "words_of"]

_STAND_INS = {
    "“": '"', "”": '"', "‘": "'", "’": "'", "–": "-", "—": "-", "•": "*", "é": "e", "è": "e",
    "à": "a", "ö": "o", "ü": "u", "ç": "c", "½": "", "×": "x",
}  # fmt: skip


@dataclass(frozen=True)
class Piece:
    """Part of a word in one pen, lifted by `rise` pixels (superscripts)."""

    text: str
    pen: Pen
    rise: float = 0.0


#: A word is pieces without a space between them.
Word = tuple[Piece, ...]


@dataclass(frozen=True)
class Slug:
    """How one typewriter letter lies: offset in pixels, weight in quarter pixels."""

    across: float
    down: float
    variant: int


@dataclass(frozen=True)
class Habits:
    """How a page is set.

    Attributes
    ----------
    tracking : float
        Space added between letters, ems.
    word_space : float
        Width of a space, in spaces of the face.
    ligatures : float
        Probability that a possible ligature is used.
    loose_points : float
        Space before ``; : ! ?`` and inside quotes, ems, as in old books.
    sentence_space : float
        Spaces after a sentence.
    typed : bool
        Set on a typewriter's grid: no kerning, straight quotes, whole spaces.
    wear : float
        How unevenly a typewriter strikes, 0 to 1.
    jitter : float
        How far letters lie above or below the line at most, ems, as in type set by hand.

    """

    tracking: float = 0.0
    word_space: float = 1.0
    ligatures: float = 0.5
    loose_points: float = 0.0
    sentence_space: float = 1.0
    typed: bool = False
    wear: float = 0.0
    jitter: float = 0.0


@dataclass(frozen=True)
class Letter:
    """A character to be painted: its pen, origin in pixels, line, word and strike."""

    text: str
    pen: Pen
    x: float
    y: float
    line: int
    word: int
    variant: int
    strength: float


@dataclass(frozen=True)
class Cell:
    """Words of one line, to be set from `x` over `width` pixels: left, right, centre or justify."""

    words: Sequence[Word]
    x: float
    width: float
    align: str = "left"


def words_of(text: str, pen: Pen) -> list[Word]:
    """Split text at spaces into words in one pen."""
    return [(Piece(part, pen),) for part in text.split()]


@dataclass
class Setter:
    """Collect the letters, rules and line texts of a page.

    Parameters
    ----------
    rng : numpy.random.Generator
    habits : Habits

    """

    rng: np.random.Generator
    habits: Habits
    letters: list[Letter] = field(default_factory=list)
    rules: list[tuple[float, float, float, float]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    blocks: list[int] = field(default_factory=list)
    block: int = 0
    count: int = 0
    _words: int = 0
    _slugs: dict[str, Slug] = field(default_factory=dict)

    def width(self, word: Word) -> float:
        """Return the width of a word, pixels."""
        return sum(step for piece in word for _, step in self._steps(piece, ligatures=False))

    def space(self, pen: Pen) -> float:
        """Return the width of a space, pixels."""
        if self.habits.typed:
            return pen.space
        return pen.space * self.habits.word_space + self.habits.tracking * pen.style.em

    def break_lines(
        self, words: Sequence[Word], width: float, indent: float = 0.0
    ) -> list[list[Word]]:
        """Fill lines of `width` pixels, the first shorter by `indent`; long words are cut."""
        lines: list[list[Word]] = []
        line: list[Word] = []
        used = indent
        for word in (part for whole in words for part in self._parts(whole, width - indent)):
            wide = self.width(word)
            gap = self.space(word[0].pen) if line else 0.0
            if line and used + gap + wide > width:
                lines.append(line)
                line, used, gap = [], 0.0, 0.0
            line.append(word)
            used += gap + wide
        if line:
            lines.append(line)
        return lines

    def _parts(self, word: Word, width: float) -> list[Word]:
        """Cut a word that is wider than a line, as addresses of the web are."""
        if self.width(word) <= width:
            return [word]
        parts: list[list[Piece]] = [[]]
        used = 0.0
        for piece in word:
            steps = self._steps(piece, ligatures=False)
            text, start = "".join(letter for letter, _ in steps), 0
            for place, (_, step) in enumerate(steps):
                if used and used + step > width:
                    if place > start:
                        parts[-1].append(replace(piece, text=text[start:place]))
                    parts.append([])
                    start, used = place, 0.0
                used += step
            parts[-1].append(replace(piece, text=text[start:]))
        return [tuple(part) for part in parts]

    def set_line(self, cells: Sequence[Cell], baseline: float, underline: bool = False) -> None:
        """Set the cells of one line, from left to right, on a baseline (pixels from the top)."""
        texts: list[str] = []
        for cell in cells:
            words = [word for word in cell.words if any(self._letters(piece) for piece in word)]
            if not words:
                continue
            widths = [self.width(word) for word in words]
            gaps = [self._gap(words[i], words[i + 1]) for i in range(len(words) - 1)]
            free = cell.width - sum(widths) - sum(gaps)
            if cell.align == "justify" and gaps and not self.habits.typed:
                share = free / len(gaps)
                if -0.3 * gaps[0] < share < 2.5 * gaps[0]:
                    gaps = [gap + share for gap in gaps]
            x = cell.x + {"right": free, "centre": free / 2}.get(cell.align, 0.0)
            start = x
            for number, word in enumerate(words):
                # The painted word may be narrower than measured, when ligatures are used.
                texts.append(self._set_word(word, x, baseline))
                x += widths[number] + (gaps[number] if number < len(gaps) else 0.0)
            if underline:
                self.underline(words[0][0].pen, start, x, baseline)
        if texts:
            self.lines.append(" ".join(texts))
            self.blocks.append(self.block)

    def underline(self, pen: Pen, start: float, stop: float, baseline: float) -> None:
        """Rule a line below the words between two places."""
        em = pen.style.em
        top = baseline + em * (0.1 + 0.05 * self.rng.random())
        self.rules.append((start, top, stop, top + max(1.0, 0.05 * em)))

    def _letters(self, piece: Piece) -> str:
        """Return what of a piece the pen can draw, in the typewriter's characters if typed."""
        kept = []
        for character in piece.text:
            found = character
            if self.habits.typed and character in "“”‘’–—…":
                found = {"…": "...", "—": "--"}.get(character, _STAND_INS.get(character, ""))
            elif not piece.pen.has(character):
                found = _STAND_INS.get(character, "")
            kept.append("".join(c for c in found if piece.pen.has(c)))
        return "".join(kept)

    def _steps(self, piece: Piece, ligatures: bool) -> list[tuple[str, float]]:
        """Return the characters and ligatures of a piece, each with its step to the next."""
        text, pen, habits = self._letters(piece), piece.pen, self.habits
        glyphs: list[str] = []
        place = 0
        while place < len(text):
            taken = text[place]
            if ligatures and taken == "f" and not habits.typed:
                for ligature in pen.ligatures:
                    if text.startswith(ligature, place) and self.rng.random() < habits.ligatures:
                        taken = ligature
                        break
            glyphs.append(taken)
            place += len(taken)
        em = pen.style.em
        track = habits.tracking * em * (0.0 if habits.typed else 1.0)
        steps = []
        for number, taken in enumerate(glyphs):
            step = pen.advance(taken) + track
            if number + 1 < len(glyphs):
                after = glyphs[number + 1]
                step += pen.kern(taken, after)
                if after in ";:!?”’" or taken in "“‘":
                    step += habits.loose_points * em
            steps.append((taken, step))
        return steps

    def _gap(self, word: Word, after: Word) -> float:
        pen = word[-1].pen
        gap = self.space(pen)
        if word[-1].text[-1:] in ".?!" and after[0].text[:1].isupper():
            spaces = self.habits.sentence_space
            gap *= round(spaces) if self.habits.typed else spaces
        return gap

    def _set_word(self, word: Word, x: float, baseline: float) -> str:
        texts: list[str] = []
        line = len(self.lines)
        for piece in word:
            for text, step in self._steps(piece, ligatures=True):
                across, down, variant, strength = self._strike(text, piece.pen)
                self.letters.append(
                    Letter(
                        text, piece.pen, x + across, baseline - piece.rise + down,
                        line, self._words, variant, strength,
                    )
                )  # fmt: skip
                texts.append(text)
                x += step
        self._words += 1
        written = "".join(texts)
        self.count += len(written) + 1
        return written

    def _strike(self, text: str, pen: Pen) -> tuple[float, float, int, float]:
        """Return offset across and down, weight and darkness of one strike of a letter."""
        wear = self.habits.wear
        rng, em = self.rng, pen.style.em
        if wear <= 0:
            jitter = self.habits.jitter
            down = float(rng.uniform(-jitter, jitter)) * em if jitter > 0 else 0.0
            return 0.0, down, 0, 1.0
        slug = self._slugs.get(text)
        if slug is None:
            lie = rng.normal(0.0, 0.018 * wear * em, 2)
            slug = Slug(float(lie[0]), float(lie[1]), int(rng.normal(0.0, 1.2 * wear)))
            self._slugs[text] = slug
        shake = rng.normal(0.0, 1.0, 4)
        # A shift key that does not reach its stop lifts or lowers capitals now and then.
        if text.isupper() and shake[3] > 1.8:
            shake[1] += 3.0
        return (
            slug.across + float(shake[0]) * 0.008 * wear * em,
            slug.down + float(shake[1]) * 0.008 * wear * em,
            int(np.clip(slug.variant + round(shake[2] * wear), -2, 4)),
            float(np.clip(1.0 - 0.18 * wear * abs(shake[3]), 0.62, 1.0)),
        )
