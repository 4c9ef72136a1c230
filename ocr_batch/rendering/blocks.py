"""Set the blocks of a page: headings, paragraphs, lists, tables, contents, forms, transcripts."""

from __future__ import annotations

from collections.abc import Callable

from ocr_batch.rendering.composition import Cell, Piece, words_of
from ocr_batch.rendering.corpus import rare_token, synthetic_line, synthetic_token
from ocr_batch.rendering.galley import Galley
from ocr_batch.rendering.invention import number_like, reference_line
from ocr_batch.rendering.typography import pick

__all__ = ["BLOCKS", "heading", "symbols"]


def heading(galley: Galley) -> None:
    """Set a heading: larger, bold, in capitals, numbered, centred, underlined, or none of it."""
    rng, pen = galley.rng, galley.pens.heading
    text = " ".join(galley.text().split()[: int(rng.integers(2, 8))])
    if rng.random() < 0.45:
        text = text.upper()
    if rng.random() < 0.4:
        text = f"{'.'.join(map(str, rng.integers(1, 12, int(rng.integers(1, 4)))))} {text}"
    align = "centre" if rng.random() < 0.45 else "left"
    galley.skip(float(rng.uniform(0.2, 0.8)))
    underline = rng.random() < (0.35 if galley.habits.typed else 0.1)
    for line in galley.setter.break_lines(words_of(text, pen), galley.measure.width):
        galley.line([Cell(line, galley.left, galley.measure.width, align)], pen, underline)
    galley.skip(float(rng.uniform(0.1, 0.7)))
    galley.setter.block += 1


def _styled(galley: Galley, text: str) -> list[tuple[Piece, ...]]:
    """Return the words of a paragraph, some in italics, bold, or with a note's number."""
    rng, pens = galley.rng, galley.pens
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
        if 0.985 < draw < 0.99 and not galley.habits.typed:
            note = str(rng.integers(1, 60))
            word = (*word, Piece(note, pens.small, 0.3 * galley.measure.em))
        elif 0.98 - galley.measure.rare < draw <= 0.98:
            word = (Piece(rare_token(rng), pen),)
        elif 0.98 < draw <= 0.985:
            word = (Piece(synthetic_token(rng).split()[0], pen),)
        words.append(word)
    return words


def _paragraph(galley: Galley) -> None:
    rng, measure = galley.rng, galley.measure
    # Warnings, captions and typed notices are all in capitals.
    shouted = rng.random() < 0.07
    text = galley.text(limit=300 if shouted else 900)
    words = _styled(galley, text.upper() if shouted else text)
    indent = measure.indent
    left, width = galley.left, measure.width
    if rng.random() < 0.06:
        left, width = left + 2 * measure.em, width - 4 * measure.em
    align = "centre" if rng.random() < 0.03 else measure.align
    lines = galley.setter.break_lines(words, width, indent)
    marked = rng.random() < 0.06
    for number, line in enumerate(lines):
        start = indent if number == 0 and align != "centre" else 0.0
        last = number + 1 == len(lines)
        how = "left" if last and align == "justify" else align
        galley.line(
            [Cell(line, left + start, width - start, how)],
            underline=marked and rng.random() < 0.3,
        )


def _list(galley: Galley) -> None:
    rng, body = galley.rng, galley.pens.body
    style = int(rng.integers(0, 6))
    hang = galley.measure.em * float(rng.uniform(1.5, 3.0))
    width = galley.measure.width - hang
    for number in range(int(rng.integers(2, 6))):
        mark = ("•", "-", f"{number + 1}.", f"({chr(97 + number)})", "*", "–")[style]
        lines = galley.setter.break_lines(words_of(galley.text(limit=260), body), width)
        for place, line in enumerate(lines):
            cells = [Cell(line, galley.left + hang, width, "left")]
            if place == 0:
                cells.insert(0, Cell(words_of(mark, body), galley.left, hang, "left"))
            galley.line(cells)
        galley.y += galley.measure.gap * 0.5


def _table(galley: Galley) -> None:
    rng, pens, em, setter = galley.rng, galley.pens, galley.measure.em, galley.setter
    pen = pens.small if rng.random() < 0.4 else pens.body
    columns = int(rng.integers(2, 7))
    # Tables of nothing but figures have no names of rows.
    bare = rng.random() < 0.25
    label = 0.0 if bare else galley.measure.width * float(rng.uniform(0.2, 0.45))
    step = (galley.measure.width - label) / columns
    fits = step - em * 0.8
    ruled, barred = rng.random() < 0.3, rng.random() < 0.2
    numeric = bare or rng.random() < 0.75
    align = "right" if rng.random() < 0.7 else "left"
    top = galley.y + galley.measure.leading * 0.35
    for row in range(int(rng.integers(3, 16 if bare else 12))):
        cells = []
        if not bare:
            name = words_of(galley.text(limit=50), pen)
            lines = setter.break_lines(name, label - em * 0.8)[:1]
            cells = [Cell(line, galley.left + em * 0.3, label, "left") for line in lines]
        for column in range(columns):
            made = number_like(rng) if numeric else synthetic_token(rng)
            text = galley.text(limit=12).split()[0] if row == 0 else made
            words = words_of(text, pens.bold if row == 0 else pen)
            line = setter.break_lines(words, fits)[:1]
            if line and setter.width(words[0]) <= fits:
                x = galley.left + label + column * step + em * 0.4
                cells.append(Cell(line[0], x, fits, align))
        galley.line(cells)
        if ruled or (row == 0 and rng.random() < 0.4):
            galley.rule()
    if barred:
        bottom = galley.y + galley.measure.leading * 0.35
        for column in range(columns + 2):
            x = galley.left + (label + (column - 1) * step if column else 0.0)
            setter.rules.append((x, top, x + 2, bottom))


def _contents(galley: Galley) -> None:
    rng, pen, setter, width = galley.rng, galley.pens.body, galley.setter, galley.measure.width
    dot = pen.advance(".")
    spaced = rng.random() < 0.5
    for number in range(int(rng.integers(4, 12))):
        text = galley.text(limit=int(rng.integers(15, 45)))
        if rng.random() < 0.6:
            text = f"{number // 3 + 1}.{number % 3 + 1} {text}"
        words = setter.break_lines(words_of(text, pen), width * 0.7)[0]
        page = str(rng.integers(1, 400))
        used = sum(setter.width(word) for word in words)
        used += setter.space(pen) * len(words)
        room = width - used - setter.space(pen) * 2 - pen.advance("0") * 4
        if spaced:
            dots = int(room / (dot + setter.space(pen))) * " ."
        else:
            track = max(0.0, galley.habits.tracking) * galley.measure.em
            dots = "." * int(room / (dot + track))
        line = [*words, *words_of(dots, pen)]
        start = width - pen.advance("0") * 4
        galley.line(
            [
                Cell(line, galley.left, start, "left"),
                Cell(words_of(page, pen), galley.left + start, width - start, "right"),
            ]
        )


def _short_lines(galley: Galley) -> None:
    rng, pens, width = galley.rng, galley.pens, galley.measure.width
    boxed = galley.kind == "form" and rng.random() < 0.5
    loud = 0.3 if rng.random() < 0.7 else 1.0
    left = galley.left + (width * 0.5 if rng.random() < 0.15 else 0.0)
    for _ in range(int(rng.integers(2, 7))):
        if galley.kind == "form" or rng.random() < 0.2:
            label = " ".join(galley.text(limit=30).split()[:3])
            label = f"{label.upper() if rng.random() < 0.4 else label}:"
            value = synthetic_line(rng, int(rng.integers(1, 3)))
            words = [
                *words_of(label, pens.bold if rng.random() < 0.5 else pens.body),
                *words_of(value, pens.body),
            ]
        else:
            text = galley.text(limit=44)
            words = words_of(text.upper() if rng.random() < loud else text, pens.body)
        for line in galley.setter.break_lines(words, galley.left + width - left)[:1]:
            galley.line([Cell(line, left, width, "left")])
        if boxed:
            y = galley.y + galley.measure.leading * 0.3
            galley.setter.rules.append((left, y, galley.left + width, y + 2))


def symbols(galley: Galley) -> None:
    """Set lines of rare characters, of capitals, or of numbers."""
    rng, pens = galley.rng, galley.pens
    pen = pick(rng, (pens.body, pens.body, pens.body, pens.italic, pens.bold))
    kind = rng.random()
    lines = int(rng.integers(1, 4))
    if kind < 0.7:
        text = synthetic_line(rng, 7 * lines)
    elif kind < 0.85:
        text = galley.text(limit=60 * lines).upper()
    else:
        text = " ".join(str(rng.integers(0, 10**6)) for _ in range(6 * lines))
    galley.words(text, pen)


def _transcript(galley: Galley) -> None:
    """Set questions and answers as court reporters do, often with a number to each line."""
    rng, body, em = galley.rng, galley.pens.body, galley.measure.em
    numbered = rng.random() < 0.7
    margin = 3.0 * em if numbered else 0.0
    hang = margin + float(rng.uniform(1.6, 3.0)) * em
    form = pick(rng, ("{}.", "{}.", "{}", "{}:"))
    count = 0
    for number in range(int(rng.integers(3, 9))):
        mark = form.format("QA"[number % 2])
        first = 0.0 if rng.random() < 0.5 else 2.0 * em
        text = galley.text(limit=int(rng.choice([30, 120, 300])))
        width = galley.measure.width - hang
        lines = galley.setter.break_lines(words_of(text, body), width, first)
        for place, line in enumerate(lines):
            count += 1
            start = hang + (first if place == 0 else 0.0)
            cells = [Cell(line, galley.left + start, galley.measure.width - start, "left")]
            if place == 0:
                cells.insert(0, Cell(words_of(mark, body), galley.left + margin, em * 2, "left"))
            if numbered:
                cells.insert(0, Cell(words_of(str(count), body), galley.left, em * 1.5, "right"))
            galley.line(cells)


def _references(galley: Galley) -> None:
    """Set a list of literature: initials, years, volumes, pages."""
    rng = galley.rng
    hang = float(rng.choice([0.0, 1.5])) * galley.measure.em
    number = int(rng.integers(1, 60))
    form = pick(rng, ("", "[{}] ", "{}. ", "({}) "))
    for _ in range(int(rng.integers(3, 8))):
        title = " ".join(galley.text(limit=70).split()[:9]).rstrip(" .,;:")
        text = form.format(number) + reference_line(rng, title)
        galley.words(text, galley.pens.body, hang)
        galley.y += 0.3 * galley.measure.gap
        number += 1


#: How the blocks of `ocr_batch.rendering.makeup` are set, by name.
BLOCKS: dict[str, Callable[[Galley], None]] = {
    "paragraph": _paragraph,
    "list": _list,
    "table": _table,
    "contents": _contents,
    "short lines": _short_lines,
    "symbols": symbols,
    "transcript": _transcript,
    "references": _references,
}
