from __future__ import annotations

import csv
import io
import os

import numpy as np
import pytest

pytest.importorskip("tensorflow")
pytest.importorskip("ai_edge_litert")

from bundles import LETTERS, crops, letter, letter_bundle, letters
from cli_tools import run, save

HEADER = ["image", "label", "confidence", "label2", "confidence2", "label3", "confidence3"]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return letter_bundle(tmp_path_factory.mktemp("models") / "letters")


@pytest.fixture
def scans(tmp_path):
    for number, image in enumerate(letters(60)):
        save(tmp_path / "scans" / f"{number}.png", image)
    return tmp_path / "scans"


def table(text):
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    return header, rows


def test_a_table_of_the_three_best(bundle, scans, tmp_path):
    out = tmp_path / "new" / "labels.csv"
    done = run("classify", scans, "--model", bundle, "-o", out)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert done.stderr == f"8 images: 8 classified. The result is in {out}.\n"
    header, rows = table(out.read_text("utf-8"))
    assert header == HEADER
    assert [row[1] for row in rows] == list(LETTERS)
    assert [row[0] for row in rows] == [str(scans / f"{n}.png") for n in range(8)]
    for row in rows:
        values = [float(value) for value in row[2::2]]
        assert values == sorted(values, reverse=True) and len(row[2]) == len("0.1234")
        assert len({*row[1::2]}) == 3
    assert [path.name for path in out.parent.iterdir()] == ["labels.csv"]


def test_a_text_of_labels_and_the_table_on_standard_output(bundle, scans, tmp_path):
    out = tmp_path / "labels.txt"
    listed = "".join(f"{scans / f'{n}.png'}\n" for n in (2, 0, 1))
    assert run("classify", "-", "--model", bundle, "-o", out, stdin=listed).returncode == 0
    assert out.read_text("utf-8") == "C\nA\nB\n"
    done = run("classify", scans / "[01].png", "--model", bundle, "--top", 1, "--quiet")
    header, rows = table(done.stdout)
    assert header == HEADER[:3] and [row[1] for row in rows] == ["A", "B"]
    assert done.stderr == ""


def test_a_bad_image_is_named_and_the_rest_is_written(bundle, tmp_path):
    save(tmp_path / "=1.png", letter("A"))
    (tmp_path / "b.png").write_bytes(b"no image")
    save(tmp_path / "c.tif", letter("C"), np.full((50, 50), 255, np.uint8))
    arguments = ["classify", "=1.png", "b.png", "c.tif", "--model", bundle]
    done = run(*arguments, "-o", "labels.csv", cwd=tmp_path)
    assert done.returncode == 5
    assert "b.png: " in done.stderr
    assert "4 images: 2 classified, 1 blank, 1 failed" in done.stderr
    _, rows = table((tmp_path / "labels.csv").read_text("utf-8"))
    assert [row[:2] for row in rows] == [
        ["'=1.png", "A"], ["b.png", ""], ["c.tif#1", "C"], ["c.tif#2", ""],
    ]  # fmt: skip
    assert all(len(row) == 7 for row in rows)
    done = run(*arguments, "-o", "labels.txt", "--no-formula-guard", cwd=tmp_path)
    assert (tmp_path / "labels.txt").read_text("utf-8") == "A\n\nC\n\n"
    assert run("classify", tmp_path / "b.png", "--model", bundle).returncode == 2


def test_training_data_is_classified_too(bundle, tmp_path):
    path = tmp_path / "letters.npz"
    np.savez(path, X=crops()[..., 0], y=np.arange(len(LETTERS)))
    done = run("classify", path, "--model", bundle)
    assert done.returncode == 0, done.stderr
    _, rows = table(done.stdout)
    assert [row[1] for row in rows] == list(LETTERS)
    assert [row[0] for row in rows] == [f"{path}#{number}" for number in range(1, 9)]
    path.write_bytes(path.read_bytes()[:100])
    done = run("classify", path, tmp_path / "letters.npz", "--model", bundle)
    assert done.returncode == 2 and "letters.npz: " in done.stderr


def test_labels_of_training_data_are_not_looked_at(bundle, tmp_path):
    images = crops()[..., 0]
    for name, arrays in {
        "one-class.npz": {"X": images, "y": np.full(len(LETTERS), "A")},
        "wrong.npz": {"X": images, "y": np.arange(3)},
        "none.npz": {"X": images},
    }.items():
        np.savez(tmp_path / name, **arrays)
        done = run("classify", tmp_path / name, "--model", bundle)
        assert done.returncode == 0, done.stderr
        assert [row[1] for row in table(done.stdout)[1]] == list(LETTERS)


def test_mistakes_leave_nothing_behind(bundle, scans, tmp_path):
    out = tmp_path / "out"
    for code, arguments in {
        1: ["-o", out / "labels.json", "--model", bundle],
        3: ["-o", out / "labels.csv", "--model", "english"],
    }.items():
        done = run("classify", scans, *arguments)
        assert done.returncode == code and done.stderr.startswith("ocr-batch: ")
        assert not out.exists()
    assert run("classify", tmp_path / "out", "--model", bundle).returncode == 2
    assert run("classify", scans, "--model", bundle, "--backend", "abacus").returncode == 1
    done = run("read", scans, "--model", bundle, "-o", out)
    assert done.returncode == 3 and "ocr-batch classify" in done.stderr


@pytest.mark.skipif(os.geteuid() == 0 if hasattr(os, "geteuid") else True, reason="root may write")
def test_an_output_that_can_not_be_written(bundle, scans, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    done = run("classify", scans, "--model", bundle, "-o", tmp_path / "locked" / "labels.csv")
    assert done.returncode == 4
