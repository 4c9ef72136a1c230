"""`ocr-batch evaluate` with boxes and against another reading."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ocr_batch import cli

HEAD = "page,block,line,word,char,left,top,width,height,confidence,text\n"


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    texts = {"truth": "two words\n", "out": "two word5\n", "other": "two words\n"}
    for name, text in texts.items():
        (tmp_path / name).mkdir()
        for page in ("a", "b"):
            (tmp_path / name / f"{page}.txt").write_text(text, "utf-8")
    place = "1,1,1,1,{},{},10,20,30,1.0000,{}\n"
    for name, letters in (("truth", "tw."), ("out", "tv.")):
        table = HEAD + "".join(place.format(k + 1, 30 * k, one) for k, one in enumerate(letters))
        for page in ("a", "b"):
            (tmp_path / name / f"{page}.csv").write_text(table, "utf-8")
    return tmp_path


def evaluate(folders: Path, *more: object) -> int:
    return cli.main(["evaluate", str(folders / "out"), str(folders / "truth"), *map(str, more)])


def test_boxes(folders: Path, capsys: pytest.CaptureFixture[str]):
    assert evaluate(folders, "--boxes", "--worst", 3) == 0
    shown = capsys.readouterr().out
    assert "Boxes of 6 true characters on 2 pages" in shown
    assert "  0.6667         4  right character, good box" in shown
    assert shown.index("CER") < shown.index("Boxes")
    assert evaluate(folders, "--boxes", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["boxes"]["totals"]["wrong"] == 2
    assert found["totals"]["pages"] == 2


def test_boxes_need_tables_of_characters(folders: Path, capsys: pytest.CaptureFixture[str]):
    (folders / "out" / "b.csv").write_text("page,text\n")
    assert evaluate(folders, "--boxes") == 2
    assert "--detail char" in capsys.readouterr().err


def test_against(folders: Path, capsys: pytest.CaptureFixture[str]):
    assert evaluate(folders, "--against", folders / "other", "--seed", 5) == 0
    shown = capsys.readouterr().out
    assert "2 pages resampled 10,000 times, seed 5" in shown
    assert "other (B) against" in shown
    assert "100.0%" in shown
    assert evaluate(folders, "--against", folders / "other", "--json") == 0
    cer, _, _ = json.loads(capsys.readouterr().out)["against"]["changes"]
    assert cer["difference"] == pytest.approx(-1 / 9)
    assert (cer["low"], cer["high"]) == pytest.approx((-1 / 9, -1 / 9))


def test_what_the_other_reading_lacks_is_said(folders: Path, capsys: pytest.CaptureFixture[str]):
    (folders / "other" / "b.txt").unlink()
    assert evaluate(folders, "--against", folders / "other") == 0
    assert "1 page without output in B, counted as read empty" in capsys.readouterr().out
    assert evaluate(folders, "--against", folders / "other", "--json") == 0
    assert json.loads(capsys.readouterr().out)["against"]["missing"] == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [(("--seed", 3), "--against"), (("--boxes", "--confidence"), "--detail char")],
)
def test_options_that_do_not_go_together(
    folders: Path, capsys: pytest.CaptureFixture[str], options: tuple[object, ...], words: str
):
    assert evaluate(folders, *options) == 1
    assert words in capsys.readouterr().err


def test_a_case_is_no_fault_of_a_box_when_it_is_ignored(
    folders: Path, capsys: pytest.CaptureFixture[str]
):
    for page in ("a", "b"):
        path = folders / "out" / f"{page}.csv"
        path.write_text(path.read_text("utf-8").replace(",t\n", ",T\n"), "utf-8")
    for options, wrong in (((), 4), (("--ignore-case",), 2)):
        assert evaluate(folders, "--boxes", "--json", *options) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["boxes"]["totals"]["wrong"] == wrong


def test_neither_is_shown_unasked(folders: Path, capsys: pytest.CaptureFixture[str]):
    assert evaluate(folders) == 0
    shown = capsys.readouterr().out
    assert "Boxes" not in shown and "resampled" not in shown
    assert evaluate(folders, "--against", folders / "nowhere") == 2
