"""Make up a page of blocks: headings, paragraphs, lists, tables, contents, letters, forms."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from ocr_batch.errors import TrainingError
from ocr_batch.training.composition import Cell, Habits, Piece, Setter, words_of
from ocr_batch.training.corpus import Corpus, rare_token, synthetic_line, synthetic_token
from ocr_batch.training.fonts import Face
from ocr_batch.training.glyphs import Pen, PenStyle

__all__ = ["KINDS", "compose_page"]

#: Kinds of page, with how often each is made.
KINDS: dict[str, float] = {
    "book": 0.24,
    "report": 0.26,
    "letter": 0.12,
    "columns": 0.14,
    "tables": 0.10,
    "contents": 0.04,
    "form": 0.05,
    "symbols": 0.05,
}
#: Odds of the blocks of a page, by kind: paragraph, list, table, contents, short lines, symbols.
_BLOCKS: dict[str, tuple[float, ...]] = {
    "book": (0.95, 0.0, 0.01, 0.0, 0.02, 0.02),
    "report": (0.6, 0.15, 0.09, 0.03, 0.05, 0.08),
    "letter": (0.6, 0.05, 0.05, 0.0, 0.25, 0.05),
    "columns": (0.8, 0.06, 0.03, 0.0, 0.05, 0.06),
    "tables": (0.15, 0.05, 0.7, 0.0, 0.05, 0.05),
    "contents": (0.1, 0.0, 0.1, 0.7, 0.05, 0.05),
    "form": (0.1, 0.05, 0.2, 0.05, 0.5, 0.1),
    "symbols": (0.1, 0.1, 0.1, 0.05, 0.05, 0.6),
}


_Option = TypeVar("_Option")


@dataclass(frozen=True)
class _Pens:
    body: Pen
    italic: Pen
    bold: Pen
    heading: Pen
    small: Pen


def compose_page(
    rng: np.random.Generator,
    faces: Sequence[Face],
    corpus: Corpus,
    characters: int,
    *,
    x_height: float,
    kind: str | None = None,
) -> tuple[Setter, int, int]:
    """Choose faces and habits, and set a page.

    Parameters
    ----------
    rng : numpy.random.Generator
        All chance comes from it.
    faces : sequence of Face
        What may be chosen from.
    corpus : Corpus
        What the page says.
    characters : int
        About how many, spaces counted.
    x_height : float
        Of the body text, pixels.
    kind : str, optional
        One of `KINDS`.

    Returns
    -------
    setter : Setter
        With every letter, rule and line of the page.
    height, width : int
        Size of the page, pixels.

    Raises
    ------
    TrainingError
        If the kind is not known.

    """
    if kind is None:
        odds = np.array(list(KINDS.values()))
        kind = str(rng.choice(list(KINDS), p=odds / odds.sum()))
    elif kind not in KINDS:
        raise TrainingError(f"There is no kind of page {kind!r}. Take one of {', '.join(KINDS)}.")
    pens = _choose_pens(rng, faces, x_height)
    maker = _Maker(
        rng, pens, _choose_habits(rng, pens, kind), corpus, kind=kind, characters=characters
    )
    return maker.page()


def _choose_pens(rng: np.random.Generator, faces: Sequence[Face], x_height: float) -> _Pens:
    groups: dict[str, list[int]] = {}
    for number, face in enumerate(faces):
        groups.setdefault(face.group, []).append(number)
    names = sorted(groups)
    odds = np.array([max(faces[number].weight for number in groups[name]) for name in names])
    group = groups[names[int(rng.choice(len(names), p=odds / odds.sum()))]]
    family = _pick(rng, sorted({faces[number].family for number in group}))
    members = [number for number in group if faces[number].family == family]

    def cut(bold: bool, italic: bool) -> int:
        def misfit(number: int) -> tuple[bool, bool]:
            return (faces[number].italic != italic, faces[number].bold != bold)

        best = min(misfit(number) for number in members)
        return _pick(rng, [number for number in members if misfit(number) == best])

    # Some pages are wholly in bold or italics.
    chance = rng.random()
    body = cut(bold=chance < 0.06, italic=0.06 < chance < 0.12)
    probe = Pen(faces[body], body, PenStyle(100.0))
    em = x_height / max(probe.x_height / 100.0, 0.2)
    stretch = float(np.clip(rng.normal(1.0, 0.05), 0.85, 1.18)) if rng.random() < 0.7 else 1.0
    typed = faces[body].category in {"typewriter", "mono"}
    # Fonts for screens and laser printers are drawn thinner than ribbons and presses print.
    stem = probe.stem / probe.x_height
    aim = float(rng.normal(0.2, 0.035)) if typed else float(rng.normal(0.19, 0.03))
    change = float(np.clip(aim - stem, -0.012, 0.14 if typed else 0.06)) if stem < 0.26 else 0.0
    weight = 0.5 * x_height * (change if typed else 0.7 * change)
    clog = float(rng.uniform(0.2, 0.7)) if typed and rng.random() < 0.25 else 0.0

    def pen(number: int, scale: float = 1.0) -> Pen:
        return Pen(faces[number], number, PenStyle(em * scale, stretch, 0.0, weight, clog))

    heading = cut(bold=rng.random() < 0.6, italic=False)
    if not typed and rng.random() < 0.25:
        heading = int(rng.integers(0, len(faces)))
    large = 1.0 if typed and rng.random() < 0.8 else float(rng.uniform(1.0, 1.7))
    return _Pens(
        body=pen(body),
        italic=pen(body if typed and rng.random() < 0.7 else cut(bold=False, italic=True)),
        bold=pen(cut(bold=True, italic=False)),
        heading=pen(heading, large),
        small=pen(body, 1.0 if typed else float(rng.uniform(0.7, 0.9))),
    )


def _choose_habits(rng: np.random.Generator, pens: _Pens, kind: str) -> Habits:
    face = pens.body.face
    if face.category in {"typewriter", "mono"}:
        worn = rng.random() < (0.6 if face.category == "typewriter" else 0.1)
        return Habits(
            tracking=0.0,
            ligatures=0.0,
            sentence_space=float(rng.integers(1, 3)),
            typed=pens.body.fixed,
            wear=float(rng.uniform(0.2, 1.1)) if worn else 0.0,
        )
    draw = rng.random()
    if draw < 0.55:
        tracking = float(rng.normal(0.0, 0.008))
    elif draw < 0.85:
        tracking = float(rng.uniform(-0.045, -0.005))
    else:
        tracking = float(rng.uniform(0.01, 0.06))
    return Habits(
        tracking=tracking,
        word_space=float(np.clip(rng.normal(1.0, 0.15), 0.75, 1.6)),
        ligatures=float(rng.choice([0.0, 0.9, 1.0], p=[0.35, 0.25, 0.4])),
        loose_points=float(rng.uniform(0.05, 0.25)) if kind == "book" and rng.random() < 0.4 else 0,
        sentence_space=float(rng.choice([1.0, 1.6, 2.0], p=[0.6, 0.2, 0.2])),
    )


def _pick(rng: np.random.Generator, options: Sequence[_Option]) -> _Option:
    return options[int(rng.integers(0, len(options)))]


class _Maker:
    """Stack blocks into columns until the characters are used up."""

    def __init__(
        self,
        rng: np.random.Generator,
        pens: _Pens,
        habits: Habits,
        corpus: Corpus,
        *,
        kind: str,
        characters: int,
    ) -> None:
        self.rng, self.pens, self.habits, self.kind = rng, pens, habits, kind
        self.corpus, self.characters = corpus, characters
        self.setter = Setter(rng, habits)
        em = pens.body.style.em
        self.em = em
        per_letter = pens.body.advance("e") * 1.02 + habits.tracking * em
        letters = rng.uniform(28, 46) if kind == "columns" else rng.uniform(48, 78)
        self.width = float(min(letters * per_letter, 2200 if kind != "columns" else 1000))
        lead = rng.uniform(1.08, 1.4)
        if habits.typed:
            lead = float(rng.choice([1.0, 1.5, 2.0], p=[0.5, 0.2, 0.3])) * rng.uniform(1.1, 1.25)
        self.leading = em * float(lead)
        self.gap = self.leading * float(rng.choice([0.0, 0.5, 1.0], p=[0.4, 0.2, 0.4]))
        self.indent = em * float(rng.choice([0.0, 1.0, 2.0, 3.0], p=[0.35, 0.3, 0.25, 0.1]))
        justified = {"book": 0.9, "columns": 0.8}.get(kind, 0.45)
        self.align = "justify" if rng.random() < justified else "left"
        self.left = em * float(rng.uniform(0.8, 2.5))
        self.y = self.left
        self.bottom = min(1.35 * max(self.width * (2 if kind == "columns" else 1), 40 * em), 3000.0)
        # Text alone would show the network some characters once in a hundred pages.
        self.rare = float(rng.choice([0.02, 0.1, 0.25], p=[0.6, 0.3, 0.1]))
        self._text = self._paragraphs()

    def page(self) -> tuple[Setter, int, int]:
        setter, rng = self.setter, self.rng
        self._running_head()
        columns = 2 if self.kind == "columns" else 1
        if columns == 2 and rng.random() < 0.15:
            columns = 3
        top, bottom = self.y, 0.0
        gutter = self.em * float(rng.uniform(1.2, 3.0))
        first = self.left
        for column in range(columns):
            self.y = top
            self.left = first + column * (self.width + gutter)
            if column and rng.random() < 0.15:
                x = self.left - gutter / 2
                setter.rules.append((x, top, x + 2, bottom))
            budget = setter.count + (self.characters - setter.count) / (columns - column)
            while setter.count < budget and self.y < self.bottom:
                before = setter.count
                self._block()
                if setter.count == before:
                    self._symbols()
            bottom = max(bottom, self.y)
        self.y = bottom
        total = columns * self.width + (columns - 1) * gutter
        if rng.random() < 0.5:
            self._foot(first, total)
        height = int(self.y + first)
        return setter, height, int(total + 2 * first)

    def _paragraphs(self) -> Iterator[str]:
        while True:
            yield from self.corpus.paragraphs(self.rng, self.characters)

    def _next_text(self, low: int = 3, limit: int = 900) -> str:
        for _ in range(20):
            text = next(self._text)
            if len(text) >= low:
                break
        if len(text) > limit:
            text = text[: text.rfind(" ", 0, limit)] if " " in text[:limit] else text[:limit]
        return text

    def _line(self, cells: Sequence[Cell], pen: Pen | None = None, underline: bool = False) -> None:
        extra = (pen.style.em - self.em) * 1.15 if pen is not None else 0.0
        self.y += self.leading + max(0.0, extra)
        self.setter.set_line(cells, round(self.y), underline)

    def _running_head(self) -> None:
        rng, pens = self.rng, self.pens
        if rng.random() > (0.7 if self.kind == "book" else 0.25):
            self.y += self.leading * 0.3
            return
        words = self._next_text().split()[:4]
        title = " ".join(words).upper() if rng.random() < 0.7 else " ".join(words)
        pen = pens.small if rng.random() < 0.5 else pens.body
        number = str(rng.integers(1, 999))
        cells = [
            Cell(words_of(title, pen), self.left, self.width * 0.85, "centre"),
            Cell(words_of(number, pen), self.left + self.width * 0.86, self.width * 0.14, "right"),
        ]
        self._line(cells if rng.random() < 0.7 else cells[:1])
        if rng.random() < 0.2:
            y = self.y + self.em * 0.5
            self.setter.rules.append((self.left, y, self.left + self.width, y + 2))
        self.y += self.leading
        self.setter.block += 1

    def _foot(self, left: float, width: float) -> None:
        number = str(self.rng.integers(1, 999))
        form = _pick(self.rng, ("{}", "- {} -", "– {} –", "[{}]", "Page {}", "A-{}", "{}"))
        self.y += self.leading
        self.setter.block += 1
        self._line(
            [Cell(words_of(str(form).format(number), self.pens.body), left, width, "centre")]
        )

    def _block(self) -> None:
        rng = self.rng
        makers: tuple[Callable[[], None], ...] = (
            self._paragraph, self._list, self._table, self._contents, self._short_lines,
            self._symbols,
        )  # fmt: skip
        if rng.random() < {"book": 0.05, "report": 0.3}.get(self.kind, 0.15):
            self._heading()
        odds = np.array(_BLOCKS[self.kind])
        makers[int(rng.choice(len(makers), p=odds / odds.sum()))]()
        self.y += self.gap
        self.setter.block += 1

    def _heading(self) -> None:
        rng, pen = self.rng, self.pens.heading
        words = self._next_text().split()[: int(rng.integers(2, 8))]
        text = " ".join(words)
        if rng.random() < 0.45:
            text = text.upper()
        if rng.random() < 0.4:
            text = f"{'.'.join(map(str, rng.integers(1, 12, int(rng.integers(1, 4)))))} {text}"
        align = "centre" if rng.random() < 0.45 else "left"
        self.y += self.leading * float(rng.uniform(0.2, 0.8))
        underline = rng.random() < (0.35 if self.habits.typed else 0.1)
        for line in self.setter.break_lines(words_of(text, pen), self.width):
            self._line([Cell(line, self.left, self.width, align)], pen, underline)
        self.y += self.leading * float(rng.uniform(0.1, 0.7))
        self.setter.block += 1

    def _styled(self, text: str) -> list[tuple[Piece, ...]]:
        """Return the words of a paragraph, some in italics, bold, or with a note's number."""
        rng, pens = self.rng, self.pens
        words: list[tuple[Piece, ...]] = []
        pen, left = pens.body, 0
        shift = rng.random(len(text) + 1)
        for number, part in enumerate(text.split()):
            draw = shift[number]
            if left > 0:
                left -= 1
            else:
                pen = pens.body
                if draw < 0.02:
                    pen = pens.italic if draw < 0.013 else pens.bold
                    left = int(rng.integers(0, 5))
            if draw > 0.995:
                pen = pens.body
            word: tuple[Piece, ...] = (Piece(part.upper() if draw > 0.995 else part, pen),)
            if 0.985 < draw < 0.99 and not self.habits.typed:
                note = str(rng.integers(1, 60))
                word = (*word, Piece(note, pens.small, 0.3 * self.em))
            elif 0.98 - self.rare < draw <= 0.98:
                word = (Piece(rare_token(rng), pen),)
            elif 0.98 < draw <= 0.985:
                word = (Piece(synthetic_token(rng).split()[0], pen),)
            words.append(word)
        return words

    def _paragraph(self) -> None:
        rng = self.rng
        words = self._styled(self._next_text())
        indent = self.indent
        left, width = self.left, self.width
        if rng.random() < 0.06:
            left, width = left + 2 * self.em, width - 4 * self.em
        align = "centre" if rng.random() < 0.03 else self.align
        lines = self.setter.break_lines(words, width, indent)
        marked = rng.random() < 0.06
        for number, line in enumerate(lines):
            start = indent if number == 0 and align != "centre" else 0.0
            last = number + 1 == len(lines)
            how = "left" if last and align == "justify" else align
            self._line(
                [Cell(line, left + start, width - start, how)],
                underline=marked and rng.random() < 0.3,
            )

    def _list(self) -> None:
        rng, pens = self.rng, self.pens
        style = int(rng.integers(0, 6))
        hang = self.em * float(rng.uniform(1.5, 3.0))
        for number in range(int(rng.integers(2, 6))):
            mark = ("•", "-", f"{number + 1}.", f"({chr(97 + number)})", "*", "–")[style]
            text = self._next_text(limit=260)
            lines = self.setter.break_lines(words_of(text, pens.body), self.width - hang)
            for place, line in enumerate(lines):
                cells = [Cell(line, self.left + hang, self.width - hang, "left")]
                if place == 0:
                    cells.insert(0, Cell(words_of(mark, pens.body), self.left, hang, "left"))
                self._line(cells)
            self.y += self.gap * 0.5

    def _table(self) -> None:
        rng, pens, em = self.rng, self.pens, self.em
        pen = pens.small if rng.random() < 0.4 else pens.body
        columns = int(rng.integers(2, 7))
        label = self.width * float(rng.uniform(0.2, 0.45))
        step = (self.width - label) / columns
        fits = step - em * 0.8
        ruled, barred = rng.random() < 0.3, rng.random() < 0.2
        numeric = rng.random() < 0.75
        align = "right" if rng.random() < 0.7 else "left"
        top = self.y + self.leading * 0.35
        for row in range(int(rng.integers(3, 12))):
            name = self.setter.break_lines(
                words_of(self._next_text(limit=50), pen), label - em * 0.8
            )[:1]
            cells = [Cell(line, self.left + em * 0.3, label, "left") for line in name]
            for column in range(columns):
                made = _number_like(rng) if numeric else synthetic_token(rng)
                text = self._next_text(limit=12).split()[0] if row == 0 else made
                words = words_of(text, pens.bold if row == 0 else pen)
                line = self.setter.break_lines(words, fits)[:1]
                if line and self.setter.width(line[0][0]) <= fits:
                    x = self.left + label + column * step + em * 0.4
                    cells.append(Cell(line[0], x, fits, align))
            self._line(cells)
            if ruled or (row == 0 and rng.random() < 0.4):
                y = self.y + self.leading * 0.35
                self.setter.rules.append((self.left, y, self.left + self.width, y + 2))
        if barred:
            bottom = self.y + self.leading * 0.35
            for column in range(columns + 2):
                x = self.left + (label + (column - 1) * step if column else 0.0)
                self.setter.rules.append((x, top, x + 2, bottom))

    def _contents(self) -> None:
        rng, pen = self.rng, self.pens.body
        dot = pen.advance(".")
        spaced = rng.random() < 0.5
        for number in range(int(rng.integers(4, 12))):
            text = self._next_text(limit=int(rng.integers(15, 45)))
            if rng.random() < 0.6:
                text = f"{number // 3 + 1}.{number % 3 + 1} {text}"
            words = self.setter.break_lines(words_of(text, pen), self.width * 0.7)[0]
            page = str(rng.integers(1, 400))
            used = sum(self.setter.width(word) for word in words)
            used += self.setter.space(pen) * len(words)
            room = self.width - used - self.setter.space(pen) * 2 - pen.advance("0") * 4
            if spaced:
                dots = int(room / (dot + self.setter.space(pen))) * " ."
            else:
                dots = "." * int(room / (dot + max(0.0, self.habits.tracking) * self.em))
            line = [*words, *words_of(dots, pen)]
            start = self.width - pen.advance("0") * 4
            self._line(
                [
                    Cell(line, self.left, start, "left"),
                    Cell(words_of(page, pen), self.left + start, self.width - start, "right"),
                ]
            )

    def _short_lines(self) -> None:
        rng, pens = self.rng, self.pens
        boxed = self.kind == "form" and rng.random() < 0.5
        left = self.left + (self.width * 0.5 if rng.random() < 0.15 else 0.0)
        for _ in range(int(rng.integers(2, 7))):
            if self.kind == "form" or rng.random() < 0.2:
                label = " ".join(self._next_text(limit=30).split()[:3])
                label = f"{label.upper() if rng.random() < 0.4 else label}:"
                value = synthetic_line(rng, int(rng.integers(1, 3)))
                words = [
                    *words_of(label, pens.bold if rng.random() < 0.5 else pens.body),
                    *words_of(value, pens.body),
                ]
            else:
                words = words_of(self._next_text(limit=44), pens.body)
            for line in self.setter.break_lines(words, self.left + self.width - left)[:1]:
                self._line([Cell(line, left, self.width, "left")])
            if boxed:
                y = self.y + self.leading * 0.3
                self.setter.rules.append((left, y, self.left + self.width, y + 2))

    def _symbols(self) -> None:
        rng, pens = self.rng, self.pens
        pen = _pick(rng, (pens.body, pens.body, pens.body, pens.italic, pens.bold))
        kind = rng.random()
        lines = int(rng.integers(1, 4))
        if kind < 0.7:
            text = synthetic_line(rng, 7 * lines)
        elif kind < 0.85:
            text = self._next_text(limit=60 * lines).upper()
        else:
            text = " ".join(str(rng.integers(0, 10**6)) for _ in range(6 * lines))
        for line in self.setter.break_lines(words_of(text, pen), self.width):
            self._line([Cell(line, self.left, self.width, "left")])


def _number_like(rng: np.random.Generator) -> str:
    """Return a number as tables have it."""
    draw = rng.random()
    if draw < 0.4:
        return f"{int(10 ** rng.uniform(0, 6)):,}"
    if draw < 0.75:
        return f"{10 ** rng.uniform(-1, 4):.{int(rng.integers(1, 4))}f}"
    if draw < 0.82:
        return str(_pick(rng, ("-", "--", "...", "N/A", "—", "0", "*", "<1", ">10")))
    if draw < 0.9:
        return f"{rng.uniform(0, 100):.1f}%"
    return synthetic_token(rng).split()[0]
