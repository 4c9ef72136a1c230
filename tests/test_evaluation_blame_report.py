import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ocr_batch.errors import OutputError
from ocr_batch.evaluation.blame_pictures import blame_sheet, draw_blame
from ocr_batch.evaluation.blame_report import blame_figures, format_blame
from ocr_batch.evaluation.blaming import Blame
from ocr_batch.evaluation.causes import Case, Cause, Ceilings, PageBlame

GREY = np.full((40, 300, 3), 200, np.uint8)
FIRST = PageBlame(
    "a",
    Counter({Cause.JUNK: 6, Cause.SPACE_LOST: 1}),
    (
        Case(Cause.JUNK, 6, "a", "the [number] of", "the [] of", GREY),
        Case(Cause.SPACE_LOST, 1, "a", "of[ ]it", "of[]it"),
    ),
    Ceilings(100, 90, 80, 85, 70, 84, 75, 69),
    120,
    7,
)
SECOND = PageBlame(
    "b",
    Counter({Cause.JUNK: 2}),
    (Case(Cause.JUNK, 2, "b", "[ab]", "[]", GREY),),
    Ceilings(10, 10, 10, 10, 10, 10, 10, 10),
    80,
    3,
    same=False,
)
FAILED = PageBlame(
    "c", Counter({Cause.FAILED: 5}), (), Ceilings(), 10, 5, failure="It is no image."
)


def test_the_table_sums_to_the_errors_of_the_texts() -> None:
    blame = Blame((FIRST, SECOND, FAILED), without_image=4)
    assert blame.counts == {Cause.JUNK: 8, Cause.FAILED: 5, Cause.SPACE_LOST: 1}
    assert blame.drift == 1
    text = format_blame(blame)
    given = FIRST.errors + SECOND.errors + FAILED.errors + 4
    assert f"the {given} wrong characters" in text
    numbers = [int(line[:7]) for line in text.splitlines() if line[:7].strip(" +-").isdigit()]
    assert sum(numbers) == given
    assert f"{8 / 210:7.3%}  dropped as junk" in text
    assert "c: It is no image." in text
    assert "other text came of b" in text


def test_examples_come_from_different_pages_first() -> None:
    twin = PageBlame("a", FIRST.counts, FIRST.cases * 2, Ceilings(), 120, 14)
    shown = [
        line.split(":")[0].strip() for line in format_blame(Blame((twin, SECOND))).splitlines()
    ]
    assert shown.count("b") == 1


def test_nothing_wrong_makes_a_short_table() -> None:
    text = format_blame(
        Blame((PageBlame("a", Counter(), (), Ceilings(5, 5, 5, 5, 5, 5, 5, 5), 6, 0),))
    )
    assert "the 0 wrong characters of 1 page\n" in text
    assert "100.000%" in text


def test_figures_are_json() -> None:
    figures = json.loads(json.dumps(blame_figures(Blame((FIRST, SECOND), 4))))
    assert [row["cause"] for row in figures["causes"]] == ["junk", "space_lost"]
    assert figures["causes"][0]["count"] == 8
    assert figures["causes"][0]["cases"][0] == {
        "page": "a",
        "count": 6,
        "truth": "the [number] of",
        "read": "the [] of",
    }
    assert figures["ceilings"]["aligned"] == 100
    assert (figures["without_image"], figures["drift"], figures["different"]) == (4, 1, ["b"])


def test_a_sheet_for_each_cause_that_has_pictures(tmp_path: Path) -> None:
    written = draw_blame(Blame((FIRST, SECOND)).cases, tmp_path / "pictures")
    assert [path.name for path in written] == ["junk.png"]
    with Image.open(written[0]) as sheet:
        one = blame_sheet(Cause.JUNK, FIRST.cases[:1])
        assert sheet.width == one.width
        assert sheet.height > one.height > GREY.shape[0]
        assert (np.asarray(sheet) == 200).sum() >= 2 * GREY.size * 0.9


def test_a_wide_picture_and_strange_letters_fit() -> None:
    wide = Case(Cause.JUNK, 1, "strange/Ω", "[ß→]", "[“]", np.zeros((30, 3000, 3), np.uint8))
    sheet = blame_sheet(Cause.JUNK, [wide])
    assert sheet.width < 1500


def test_a_folder_that_can_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        draw_blame(FIRST.cases, tmp_path / "file")
