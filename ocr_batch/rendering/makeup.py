"""Make up a page of a kind: a running head, columns of blocks, a foot."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ocr_batch.errors import TrainingError
from ocr_batch.rendering.blocks import BLOCKS, heading, symbols
from ocr_batch.rendering.composition import Cell, Habits, Setter, words_of
from ocr_batch.rendering.corpus import Corpus
from ocr_batch.rendering.fonts import Face
from ocr_batch.rendering.galley import Galley, Measure
from ocr_batch.rendering.typography import Pens, choose_habits, choose_pens, pick

__all__ = ["KINDS", "compose_page"]

#: Kinds of page, with how often each is made.
KINDS: dict[str, float] = {
    "book": 0.23,
    "report": 0.25,
    "letter": 0.12,
    "columns": 0.13,
    "tables": 0.10,
    "contents": 0.03,
    "form": 0.04,
    "transcript": 0.04,
    "references": 0.02,
    "symbols": 0.04,
}
#: Odds of the blocks of a page, by kind, in the order of `BLOCKS`.
_ODDS: dict[str, tuple[float, ...]] = {
    "book": (0.95, 0.0, 0.01, 0.0, 0.02, 0.02, 0.0, 0.0),
    "report": (0.6, 0.14, 0.09, 0.03, 0.05, 0.06, 0.0, 0.03),
    "letter": (0.6, 0.05, 0.05, 0.0, 0.25, 0.05, 0.0, 0.0),
    "columns": (0.8, 0.06, 0.03, 0.0, 0.05, 0.04, 0.0, 0.02),
    "tables": (0.15, 0.05, 0.7, 0.0, 0.05, 0.05, 0.0, 0.0),
    "contents": (0.1, 0.0, 0.1, 0.7, 0.05, 0.05, 0.0, 0.0),
    "form": (0.1, 0.05, 0.2, 0.05, 0.5, 0.1, 0.0, 0.0),
    "transcript": (0.05, 0.0, 0.0, 0.0, 0.05, 0.0, 0.9, 0.0),
    "references": (0.1, 0.0, 0.0, 0.0, 0.0, 0.02, 0.0, 0.88),
    "symbols": (0.1, 0.1, 0.1, 0.05, 0.05, 0.6, 0.0, 0.0),
}


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
    pens = choose_pens(rng, faces, x_height)
    habits = choose_habits(rng, pens, kind)
    measure = _measure(rng, pens, habits, kind)
    galley = Galley(rng, pens, habits, corpus, measure, kind=kind, characters=characters)
    return _page(galley)


def _measure(rng: np.random.Generator, pens: Pens, habits: Habits, kind: str) -> Measure:
    em = pens.body.style.em
    per_letter = pens.body.advance("e") * 1.02 + habits.tracking * em
    letters = rng.uniform(28, 46) if kind == "columns" else rng.uniform(48, 78)
    lead = float(rng.uniform(1.08, 1.4))
    if habits.typed:
        lead = float(rng.choice([1.0, 1.5, 2.0], p=[0.5, 0.2, 0.3])) * rng.uniform(1.1, 1.25)
    justified = {"book": 0.9, "columns": 0.8}.get(kind, 0.45)
    return Measure(
        em=em,
        width=float(min(letters * per_letter, 2200 if kind != "columns" else 1000)),
        leading=em * lead,
        gap=em * lead * float(rng.choice([0.0, 0.5, 1.0], p=[0.4, 0.2, 0.4])),
        indent=em * float(rng.choice([0.0, 1.0, 2.0, 3.0], p=[0.35, 0.3, 0.25, 0.1])),
        align="justify" if rng.random() < justified else "left",
        # Text alone would show the network some characters once in a hundred pages.
        rare=float(rng.choice([0.02, 0.1, 0.25], p=[0.6, 0.3, 0.1])),
    )


def _page(galley: Galley) -> tuple[Setter, int, int]:
    """Stack blocks into columns until the characters are used up."""
    rng, setter, em, width = galley.rng, galley.setter, galley.measure.em, galley.measure.width
    first = galley.left = galley.y = em * float(rng.uniform(0.8, 2.5))
    _running_head(galley)
    columns = 2 if galley.kind == "columns" else 1
    if columns == 2 and rng.random() < 0.15:
        columns = 3
    lowest = min(1.35 * max(width * min(columns, 2), 40 * em), 3000.0)
    top, bottom = galley.y, 0.0
    gutter = em * float(rng.uniform(1.2, 3.0))
    for column in range(columns):
        galley.y = top
        galley.left = first + column * (width + gutter)
        if column and rng.random() < 0.15:
            x = galley.left - gutter / 2
            setter.rules.append((x, top, x + 2, bottom))
        budget = setter.count + (galley.characters - setter.count) / (columns - column)
        while setter.count < budget and galley.y < lowest:
            before = setter.count
            _block(galley)
            if setter.count == before:
                symbols(galley)
        bottom = max(bottom, galley.y)
    galley.y = bottom
    total = columns * width + (columns - 1) * gutter
    if rng.random() < 0.5:
        _foot(galley, first, total)
    return setter, int(galley.y + first), int(total + 2 * first)


def _block(galley: Galley) -> None:
    rng = galley.rng
    if rng.random() < {"book": 0.05, "report": 0.3, "transcript": 0.05}.get(galley.kind, 0.15):
        heading(galley)
    odds = np.array(_ODDS[galley.kind])
    names = list(BLOCKS)
    BLOCKS[names[int(rng.choice(len(names), p=odds / odds.sum()))]](galley)
    galley.y += galley.measure.gap
    galley.setter.block += 1


def _running_head(galley: Galley) -> None:
    rng, pens, width = galley.rng, galley.pens, galley.measure.width
    if rng.random() > (0.7 if galley.kind == "book" else 0.25):
        galley.skip(0.3)
        return
    title = " ".join(galley.text().split()[:4])
    title = title.upper() if rng.random() < 0.7 else title
    pen = pens.small if rng.random() < 0.5 else pens.body
    number = str(rng.integers(1, 999))
    cells = [
        Cell(words_of(title, pen), galley.left, width * 0.85, "centre"),
        Cell(words_of(number, pen), galley.left + width * 0.86, width * 0.14, "right"),
    ]
    galley.line(cells if rng.random() < 0.7 else cells[:1])
    if rng.random() < 0.2:
        galley.rule()
    galley.skip(1.0)
    galley.setter.block += 1


def _foot(galley: Galley, left: float, width: float) -> None:
    number = str(galley.rng.integers(1, 999))
    form = pick(galley.rng, ("{}", "- {} -", "– {} –", "[{}]", "Page {}", "A-{}", "{}"))
    galley.skip(1.0)
    galley.setter.block += 1
    words = words_of(form.format(number), galley.pens.body)
    galley.line([Cell(words, left, width, "centre")])
