import json

import numpy as np
import pytest

from ocr_batch.cli import main
from ocr_batch.document import Block, Box, Character, Line, Page, Word
from ocr_batch.errors import InputError
from ocr_batch.evaluation.confidence_report import evaluate_confidence, read_words
from ocr_batch.output.table import format_characters, format_words


def _page(lines, confidence=0.9):
    box = Box(0, 0, 5, 5)
    return Page(
        (
            Block(
                tuple(
                    Line(
                        tuple(
                            Word(tuple(Character(one, box, 0.99) for one in word), confidence)
                            for word in line.split()
                        )
                    )
                    for line in lines
                )
            ),
        ),
        100,
        100,
    )


def _write(folder, name, lines, confidence=0.9, table=format_words):
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.txt").write_text("\n".join(lines) + "\n", "utf-8")
    (folder / f"{name}.csv").write_text(table(_page(lines, confidence)), "utf-8")


def test_a_table_is_read_as_it_was_written(tmp_path):
    lines = ["=1+2 'quoted' \"a,b\"", "-7 -item @home +x", "'tis"]
    _write(tmp_path, "a", lines, 0.25)
    found, confidence = read_words(tmp_path / "a.csv")
    assert found == [line.split() for line in lines]
    np.testing.assert_array_equal(confidence, np.full(8, 0.25))


@pytest.fixture
def folders(tmp_path):
    out, truth = tmp_path / "out", tmp_path / "truth"
    _write(out, "a", ["the cat sat"], 0.95)
    _write(out, "b", ["thc cat"], 0.5)
    truth.mkdir()
    (truth / "a.txt").write_text("the cat sat", "utf-8")
    (truth / "b.gt.txt").write_text("the cat", "utf-8")
    (truth / "unread.txt").write_text("the cat", "utf-8")
    return out, truth


def test_pages_are_pooled(folders):
    found = evaluate_confidence(*folders)
    assert (found.words, found.wrong) == (5, 1)
    assert found.confidence == pytest.approx((3 * 0.95 + 2 * 0.5) / 5)
    assert found.error == pytest.approx(3 / 5 * 0.05)
    assert found.caught == pytest.approx(0.05 * 5 / 2)


def test_the_command_prints_it(folders, capsys):
    out, truth = map(str, folders)
    assert main(["evaluate", out, truth, "--confidence"]) == 0
    text = capsys.readouterr().out
    assert "Confidence of 5 words, 1 of them wrong" in text and "ECE" in text
    assert main(["evaluate", out, truth, "--confidence", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)["confidence"]
    assert (figures["words"], figures["wrong"], len(figures["bins"])) == (5, 1, 2)
    assert figures["error"] == pytest.approx(0.03)


def test_nothing_wrong_is_no_number(folders, capsys):
    out, truth = folders
    (out / "b.txt").unlink()
    assert main(["evaluate", str(out), str(truth), "--confidence", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["confidence"]["caught"] is None


def test_no_words_are_not_said_to_be_calibrated(folders, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert main(["evaluate", str(tmp_path / "empty"), str(folders[1]), "--confidence"]) == 0
    text = capsys.readouterr().out
    assert "nothing to judge" in text and "ECE" not in text


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.unlink(), "--format txt,csv"),
        (lambda path: path.write_text(format_characters(_page(["a b"]))), "--detail char"),
        (lambda path: path.write_text("a,b\n1,2\n"), "Read the page again"),
        (lambda path: path.write_text(""), "no table"),
        (
            lambda path: path.write_text(format_words(_page(["a"])).replace("0.9000", "much")),
            "no number",
        ),
        *(
            (
                lambda path, value=value: path.write_text(
                    format_words(_page(["a"])).replace("0.9000", value)
                ),
                "not from 0 to 1",
            )
            for value in ("nan", "1.5", "-0.1")
        ),
    ],
)
def test_a_table_that_can_not_be_used(folders, spoil, words):
    spoil(folders[0] / "a.csv")
    with pytest.raises(InputError, match=words):
        evaluate_confidence(*folders)
