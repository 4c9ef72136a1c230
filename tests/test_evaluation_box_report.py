import json

import numpy as np
import pytest

from ocr_batch.document import Block, Box, Character, Line, Page, Word
from ocr_batch.errors import InputError
from ocr_batch.evaluation.box_report import (
    BoxCounts,
    boxes_as_dict,
    evaluate_boxes,
    format_boxes,
)
from ocr_batch.evaluation.character_table import read_character_table
from ocr_batch.output.table import format_characters, format_words


def page(*letters):
    """A page of one word; letters are (text, left, top, width, height) and may have more."""
    characters = tuple(
        Character(text, Box(*place), confidence[0] if confidence else 1.0)
        for text, *place, confidence in ((*one[:5], one[5:]) for one in letters)
    )
    return Page((Block((Line((Word(characters, 1.0),)),)),) if letters else (), 500, 100)


def row(text, width=20, height=30, top=10):
    """Letters side by side, 40 pixels apart."""
    return [(letter, 40 * k, top, width, height) for k, letter in enumerate(text)]


@pytest.fixture
def folders(tmp_path):
    def fill(out, truth):
        for name, pages in (("out", out), ("truth", truth)):
            for path, one in pages.items():
                file = tmp_path / name / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(format_characters(one), encoding="utf-8")
            (tmp_path / name).mkdir(exist_ok=True)
        return tmp_path / "out", tmp_path / "truth"

    return fill


def test_a_table_is_read_as_it_was_written(tmp_path):
    letters = [('"', 1, 2, 3, 4, 0.5), (",", 5, 6, 7, 8, 0.25), ("=", 9, 10, 11, 12, 0.0)]
    file = tmp_path / "a.csv"
    file.write_text(format_characters(page(*letters)), encoding="utf-8")
    table = read_character_table(file)
    assert table.text == ('"', ",", "=")
    assert table.box.tolist() == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]]
    assert table.confidence.tolist() == [0.5, 0.25, 0.0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no table of characters"),
        (format_words(page(*row("ab"))), "--detail char"),
        (format_characters(page(*row("ab"))) + "1,1,1,1,3,9\n", "a row that is no character"),
        (format_characters(page(*row("ab"))).replace("40", "x"), "a row that is no character"),
        (format_characters(page(*row("ab"))) + 200_000 * "1", "is no table"),
    ],
)
def test_other_files_are_refused(tmp_path, content, message):
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(InputError, match=message):
        read_character_table(tmp_path / "a.csv")
    with pytest.raises(InputError, match="Can not read"):
        read_character_table(tmp_path / "none.csv")


def test_counts(folders):
    read = row("abx4")
    read[1] = ("b", 40, 10, 20, 14)
    out, truth = folders(
        {"a.csv": page(*read), "b/c.csv": page(*row("no")), "pages.csv": page()},
        {"a.csv": page(*row("abc4;")), "b/c.csv": page(*row("no"))},
    )
    found = evaluate_boxes(out, truth)
    assert found.totals == BoxCounts(good=4, wrong=1, off=1, both=0, lost=1)
    assert found.totals.share == pytest.approx(4 / 7)
    assert found.totals.placed == pytest.approx(4 / 5)
    assert [name for name, _ in found.pages] == ["a", "b/c"]
    assert dict(found.classes)["digits"] == BoxCounts(good=1)
    assert dict(found.classes)["punctuation"] == BoxCounts(lost=1)
    assert dict(found.characters)["b"] == BoxCounts(off=1)
    assert (found.extra, found.unseen, found.missing) == (0, 0, 0)
    assert np.sort(found.overlap) == pytest.approx([14 / 30, 1, 1, 1, 1])
    text = format_boxes(found, worst=1)
    assert "Boxes of 7 true characters on 2 pages" in text
    assert "  0.5714         4  right character, good box" in text
    assert "Worst pages" in text
    assert "Worst" not in format_boxes(found, worst=0)


def test_leaders_are_counted_apart(folders):
    out, truth = folders(
        {"a.csv": page(*row("ab.."))}, {"a.csv": page(*row("ab......"))}
    )  # fmt: skip
    found = evaluate_boxes(out, truth)
    assert found.totals == BoxCounts(good=4, lost=4)
    assert dict(found.classes)["leaders"] == BoxCounts(good=2, lost=4)
    assert found.text == BoxCounts(good=2)
    assert [text for text, _ in found.characters] == ["a", "b"]
    assert "       2  right and good of 2 without leaders" in format_boxes(found)


def test_what_can_not_be_seen_does_not_count(folders):
    truth = [*row("abc"), ("d", 200, 10, 20, 30, 0.0), ("e", 300, 10, 20, 30, 0.0)]
    read = [*row("abc"), ("d", 200, 10, 20, 30), ("x", 400, 10, 20, 30)]
    found = evaluate_boxes(*folders({"a.csv": page(*read)}, {"a.csv": page(*truth)}))
    assert found.totals == BoxCounts(good=3)
    # What was read in the place of d is not extra.
    assert (found.extra, found.unseen) == (1, 2)


def test_a_page_without_a_table_counts_as_empty(folders):
    out, truth = folders({}, {"a.csv": page(*row("ab")), "b.csv": page()})
    found = evaluate_boxes(out, truth)
    assert found.totals == BoxCounts(lost=2)
    assert found.missing == 2
    assert "2 pages without a table" in format_boxes(found)


def test_lookalikes_are_the_same_character(folders):
    found = evaluate_boxes(
        *folders({"a.csv": page(*row("'-x"))}, {"a.csv": page(*row("\u2019\u2014x"))})
    )
    assert found.totals == BoxCounts(good=3)


def test_case_counts_unless_it_is_ignored(folders):
    out, truth = folders({"a.csv": page(*row("aBc"))}, {"a.csv": page(*row("Abc"))})
    assert evaluate_boxes(out, truth).totals == BoxCounts(good=1, wrong=2)
    assert evaluate_boxes(out, truth, ignore_case=True).totals == BoxCounts(good=3)


def test_faults(folders, tmp_path):
    out, truth = folders({"a.csv": page()}, {})
    with pytest.raises(InputError, match="no tables"):
        evaluate_boxes(out, truth)
    with pytest.raises(InputError, match="no folder"):
        evaluate_boxes(tmp_path / "nowhere", out)


def test_json(folders):
    out, truth = folders({"a.csv": page(*row("ab"))}, {"a.csv": page(*row("abc"))})
    found = json.loads(json.dumps(boxes_as_dict(evaluate_boxes(out, truth))))
    assert found["totals"] == {
        "share": 2 / 3, "placed": 1, "of": 3, "good": 2, "wrong": 0, "off": 0, "both": 0, "lost": 1
    }  # fmt: skip
    assert found["characters"][0]["character"] == "c"
    assert found["pages"][0]["page"] == "a"
    assert sum(part["count"] for part in found["overlap"]) == 2
    assert set(found["classes"]) == {"letters", "digits", "punctuation", "leaders"}
