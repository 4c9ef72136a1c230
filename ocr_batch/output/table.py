"""Turn a page into a CSV table, a row a word or a row a character."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ocr_batch.document import Box, Page

__all__ = [
    "CHARACTER_COLUMNS",
    "WORD_COLUMNS",
    "format_characters",
    "format_rows",
    "format_words",
    "guard_formula",
]

WORD_COLUMNS = (
    "page",
    "block",
    "line",
    "word",
    "left",
    "top",
    "width",
    "height",
    "confidence",
    "text",
)
CHARACTER_COLUMNS = (*WORD_COLUMNS[:4], "char", *WORD_COLUMNS[4:])

_NEEDS_QUOTES = re.compile(r'[,"\r\n]')
#: What a spreadsheet takes for the start of a formula.
_STARTS_FORMULA = re.compile(r"[=+\-@\t\r\n]")
#: A signed number or amount: -5, +3.2, -1,250.00, -$5, -.5, +7%, -5.
_NUMBER = re.compile(r"[+-][$€£]?(?:\d+(?:[.,]\d+)*|[.,]\d+)%?[.,;:]?")
#: Signs alone, such as a dash between two words: there is nothing to run.
_SIGNS = re.compile(r"[=+\-@]+")


def guard_formula(text: str) -> str:
    """Put an apostrophe before a text that a spreadsheet would run as a formula.

    Parameters
    ----------
    text : str
        A field of a table.

    Returns
    -------
    str
        The text itself unless it begins with ``=``, ``+``, ``-``, ``@``, a tab or a line end.
        Signed numbers and amounts (``-5``, ``+3.2``, ``-$5``) and signs alone (``-``, ``--``)
        are returned as they are.

    Examples
    --------
    >>> guard_formula("=SUM(A1)"), guard_formula("-5"), guard_formula("word")
    ("'=SUM(A1)", '-5', 'word')
    """
    if not _STARTS_FORMULA.match(text) or _NUMBER.fullmatch(text) or _SIGNS.fullmatch(text):
        return text
    return "'" + text


def _quote(field: str) -> str:
    if _NEEDS_QUOTES.search(field):
        return '"' + field.replace('"', '""') + '"'
    return field


def format_rows(rows: Iterable[Sequence[object]]) -> str:
    """Return rows as CSV: comma, double quotes where needed, one newline after each row.

    Unlike `csv.writer` it quotes a lone carriage return in every version of Python.
    """
    return "".join(",".join(_quote(str(field)) for field in row) + "\n" for row in rows)


def _place(box: Box, confidence: float) -> tuple[object, ...]:
    return box.left, box.top, box.width, box.height, f"{confidence:.4f}"


def format_words(page: Page, *, formula_guard: bool = True) -> str:
    """Return a table with a row a word.

    Parameters
    ----------
    page : Page
        What was read.
    formula_guard : bool
        Put an apostrophe before words that a spreadsheet would run (see `guard_formula`).

    Returns
    -------
    str
        CSV with the header `WORD_COLUMNS`. Blocks count from 1 within the page, lines within
        their block, words within their line. Boxes are pixels of the image as stored.
    """
    guard = guard_formula if formula_guard else str
    rows: list[Sequence[object]] = [WORD_COLUMNS]
    for block_number, block in enumerate(page.blocks, 1):
        for line_number, line in enumerate(block.lines, 1):
            for word_number, word in enumerate(line.words, 1):
                where = (page.number, block_number, line_number, word_number)
                rows.append((*where, *_place(word.box, word.confidence), guard(word.text)))
    return format_rows(rows)


def format_characters(page: Page) -> str:
    """Return a table with a row a character.

    Parameters
    ----------
    page : Page
        What was read.

    Returns
    -------
    str
        CSV with the header `CHARACTER_COLUMNS`; as `format_words`, with the character's number
        within its word from 1. Spaces have no row, the letters of a ligature share a box, and
        no character is guarded.
    """
    rows: list[Sequence[object]] = [CHARACTER_COLUMNS]
    for block_number, block in enumerate(page.blocks, 1):
        for line_number, line in enumerate(block.lines, 1):
            for word_number, word in enumerate(line.words, 1):
                where = (page.number, block_number, line_number, word_number)
                rows.extend(
                    (*where, number, *_place(char.box, char.confidence), char.text)
                    for number, char in enumerate(word.characters, 1)
                )
    return format_rows(rows)
