"""Name the output formats: one writer each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ocr_batch.document import Page
from ocr_batch.output.table import format_characters, format_words
from ocr_batch.output.text import format_text

__all__ = ["WRITERS", "Detail", "Style", "Writer"]

Detail = Literal["word", "char"]


@dataclass(frozen=True)
class Style:
    """How pages are written.

    Attributes
    ----------
    detail : {"word", "char"}
        What a row of a table stands for.
    formula_guard : bool
        Whether words that a spreadsheet would run get an apostrophe (rows of words only).
    """

    detail: Detail = "word"
    formula_guard: bool = True


class Writer(NamedTuple):
    """A format: the suffix of its files, and the function that makes a file's text."""

    suffix: str
    format: Callable[[Page, Style], str]


def _text(page: Page, style: Style) -> str:
    return format_text(page)


def _table(page: Page, style: Style) -> str:
    if style.detail == "char":
        return format_characters(page)
    return format_words(page, formula_guard=style.formula_guard)


#: Every format by name. A new one is a function and a line here.
WRITERS: Mapping[str, Writer] = {
    "txt": Writer(".txt", _text),
    "csv": Writer(".csv", _table),
}
