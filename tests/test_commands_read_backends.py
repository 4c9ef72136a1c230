"""Whatever classifies, and however many characters at a time: ``read`` gives the same text."""

from __future__ import annotations

import pytest

pytest.importorskip("ai_edge_litert")

from cli_tools import rows, run, save, text_image, tree

LINES = (
    "The quick brown fox jumps",
    "over the lazy dog, and then",
    "it sleeps until 10 o'clock.",
)


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scans")
    for number in range(4):
        save(folder / f"{number}.png", text_image(*LINES[number % 2 :], f"Page {number}", size=36))
    save(folder / "two.tif", text_image(*LINES), text_image(*LINES[::-1]))
    return folder


def read(scans, out, *options):
    done = run("read", scans, "-o", out, "--quiet", *options)
    assert done.returncode == 0, done.stderr
    assert "brown fox" in (out / "0.txt").read_text("utf-8")
    return tree(out)


@pytest.mark.parametrize("backend", ["litert-int8", "litert-float"])
def test_the_batch_size_makes_no_difference_to_litert(scans, tmp_path, backend):
    given = ("--backend", backend, "--detail", "char")
    usual = read(scans, tmp_path / "usual", *given, "--jobs", 2)
    for size in (1, 4096):
        assert read(scans, tmp_path / str(size), *given, "--batch-size", size) == usual


def test_float_and_int8_read_the_same_text(scans, tmp_path):
    texts = []
    for backend in ("auto", "litert-float"):
        read(scans, tmp_path / backend, "--backend", backend)
        texts.append({path.name: path.read_bytes() for path in (tmp_path / backend).glob("*.txt")})
        assert {row["status"] for row in rows(tmp_path / backend)} == {"read"}
    assert texts[0] == texts[1]


@pytest.mark.parametrize("size", ["0", "-1", "65537", "many", "1.5"])
def test_a_batch_that_makes_no_sense_is_refused(scans, tmp_path, size):
    done = run("read", scans, "-o", tmp_path / "out", f"--batch-size={size}")
    assert done.returncode == 1
    assert "--batch-size" in done.stderr
    assert not (tmp_path / "out").exists()


def test_an_unknown_back_end_is_refused_before_anything_is_written(scans, tmp_path):
    done = run("read", scans, "-o", tmp_path / "out", "--backend", "abacus")
    assert done.returncode == 1
    assert "abacus" in done.stderr and "litert-int8" in done.stderr
    assert not (tmp_path / "out").exists()
