from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_batch.document import Block, Box, Character, Line, Page, Word
from ocr_batch.output.table import (
    CHARACTER_COLUMNS,
    WORD_COLUMNS,
    format_characters,
    format_rows,
    format_words,
    guard_formula,
)
from ocr_batch.output.text import format_text
from ocr_batch.output.writers import WRITERS, Style


def word(text: str, left: int = 10, confidence: float = 0.98765) -> Word:
    characters = tuple(
        Character(letter, Box(left + 8 * i, 20, 7, 12), 0.5 + 0.01 * i)
        for i, letter in enumerate(text)
    )
    return Word(characters, confidence)


def page(*blocks: list[str], number: int = 1) -> Page:
    return Page(
        tuple(Block(tuple(Line(tuple(map(word, line.split(" ")))) for line in b)) for b in blocks),
        600,
        800,
        "a.png",
        number,
    )


EMPTY = Page((), 10, 10)
TWO_BLOCKS = page(["Dear Sir,", "thank you"], ["Yours"], number=3)


def parse(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def test_text_has_a_blank_line_between_blocks_and_ends_with_a_newline() -> None:
    assert format_text(TWO_BLOCKS) == "Dear Sir,\nthank you\n\nYours\n"
    assert format_text(EMPTY) == ""


def test_a_row_a_word() -> None:
    assert format_words(TWO_BLOCKS).splitlines() == [
        "page,block,line,word,left,top,width,height,confidence,text",
        "3,1,1,1,10,20,31,12,0.9877,Dear",
        '3,1,1,2,10,20,31,12,0.9877,"Sir,"',
        "3,1,2,1,10,20,39,12,0.9877,thank",
        "3,1,2,2,10,20,23,12,0.9877,you",
        "3,2,1,1,10,20,39,12,0.9877,Yours",
    ]


def test_a_row_a_character() -> None:
    assert format_characters(page(["ab c"])).splitlines() == [
        "page,block,line,word,char,left,top,width,height,confidence,text",
        "1,1,1,1,1,10,20,7,12,0.5000,a",
        "1,1,1,1,2,18,20,7,12,0.5100,b",
        "1,1,1,2,1,10,20,7,12,0.5000,c",
    ]


def test_letters_of_a_ligature_share_its_box() -> None:
    box = Box(1, 2, 3, 4)
    letters = Word((Character("f", box, 0.9), Character("i", box, 0.9)), 0.9)
    rows = parse(format_characters(Page((Block((Line((letters,)),)),), 9, 9)))[1:]
    assert [row[-1] for row in rows] == ["f", "i"]
    assert rows[0][5:9] == rows[1][5:9] == ["1", "2", "3", "4"]


def test_an_empty_page_has_a_header() -> None:
    assert parse(format_words(EMPTY)) == [list(WORD_COLUMNS)]
    assert parse(format_characters(EMPTY)) == [list(CHARACTER_COLUMNS)]


@pytest.mark.parametrize(
    "text",
    ["=1+2", "=SUM(A1:A9)", "+cmd|'/C", "-2+3", "-A1", "@SUM(1)", "\t=1", "\r=1", "--A1", "-5x",
     "+1-2", "-$5+A1", "=", "-5=", "@home"],
)  # fmt: skip
def test_formulas_are_guarded(text: str) -> None:
    assert guard_formula(text) == ("'" + text if text != "=" else text)


@pytest.mark.parametrize(
    "text",
    ["-5", "+3.2", "-$5", "-1,250.00", "-.5", "+7%", "-5.", "-£3.50", "-", "--", "word", "5-3",
     "a=b", "'quoted'", "1=1", "", "(-5)"],
)  # fmt: skip
def test_the_rest_is_left_alone(text: str) -> None:
    assert guard_formula(text) == text


def test_the_guard_is_for_words_and_can_be_switched_off() -> None:
    formula = page(["=1+2 -5"])
    words = WRITERS["csv"].format
    assert [row[-1] for row in parse(words(formula, Style()))[1:]] == ["'=1+2", "-5"]
    assert [row[-1] for row in parse(words(formula, Style(formula_guard=False)))[1:]] == [
        "=1+2",
        "-5",
    ]
    characters = parse(words(formula, Style(detail="char")))[1:]
    assert [row[-1] for row in characters] == list("=1+2-5")


def test_every_writer_writes_an_empty_page() -> None:
    for writer in WRITERS.values():
        assert writer.suffix.startswith(".")
        assert isinstance(writer.format(EMPTY, Style()), str)
    assert list(WRITERS) == ["txt", "csv"]


FIELDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@given(st.lists(st.lists(FIELDS, min_size=2, max_size=4), max_size=4))
def test_rows_come_back_from_any_reader_of_csv(rows: list[list[str]]) -> None:
    assert parse(format_rows(rows)) == rows


@given(st.lists(st.lists(st.text("ab=+-@,\"'5é—\t", min_size=1), min_size=1), max_size=3))
def test_words_come_back_and_none_can_run(blocks: list[list[str]]) -> None:
    # One word a line: `word` may hold anything but the space that would split it.
    document = Page(
        tuple(Block(tuple(Line((word(text),)) for text in block)) for block in blocks), 9, 9
    )
    texts = [text for block in blocks for text in block]
    raw = [row[-1] for row in parse(format_words(document, formula_guard=False))[1:]]
    guarded = [row[-1] for row in parse(format_words(document))[1:]]
    assert raw == texts
    for before, after in zip(texts, guarded, strict=True):
        assert after in {before, "'" + before}
        if before[0] in "=+-@\t" and any(c in "abé" for c in before):
            assert after[0] == "'"
