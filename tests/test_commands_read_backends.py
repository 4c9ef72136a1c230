"""Whatever classifies, and however many characters at a time: ``read`` gives the same text."""

from __future__ import annotations

import pytest

pytest.importorskip("ai_edge_litert")

import shutil

from cli_tools import rows, run, save, text_image, tree

import ocr_batch
from ocr_batch.batch.pipeline import load_models, read_sheets
from ocr_batch.imaging.load import load_sheets
from ocr_batch.output.writers import WRITERS, Style
from ocr_batch.recognition.bundle import find_bundle
from ocr_batch.training.export import seal

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


@pytest.fixture(scope="module")
def by_keras(scans, tmp_path_factory):
    """What two reading processes and one that classifies make of the pages, and what they say."""
    pytest.importorskip("keras")
    out = tmp_path_factory.mktemp("keras") / "out"
    done = run(
        *("read", scans, "-o", out, "--backend", "keras", "--jobs", 2),
        *("--detail", "char", "--profile"),
    )
    assert done.returncode == 0, done.stderr
    return tree(out), done.stderr


def test_keras_reads_the_same_in_one_process_and_in_several(scans, by_keras):
    models = load_models(backend="keras")
    files = {}
    for path in sorted(scans.iterdir()):
        sheets = list(load_sheets(path))
        for sheet, page in zip(sheets, read_sheets(sheets, models), strict=True):
            name = path.stem + (f"-{sheet.number:04}" if len(sheets) > 1 else "")
            for writer in (WRITERS["txt"], WRITERS["csv"]):
                files[name + writer.suffix] = writer.format(page, Style("char")).encode()
    found = {name: content for name, content in by_keras[0].items() if name in files}
    assert found == files


def test_keras_reads_the_same_text_as_litert(scans, by_keras, tmp_path):
    expected = read(scans, tmp_path / "float", "--backend", "litert-float", "--detail", "char")
    texts = {name: content for name, content in by_keras[0].items() if name.endswith(".txt")}
    assert texts == {name: expected[name] for name in texts} and len(texts) == 6


def test_the_library_reads_the_same_with_keras(scans, by_keras):
    results = list(ocr_batch.Reader(backend="keras").read(scans, jobs=2))
    assert [result.page.text for result in results[:4]] == [
        by_keras[0][f"{number}.txt"].decode().rstrip("\n") for number in range(4)
    ]


def test_a_profile_tells_how_busy_the_device_was(by_keras):
    line = by_keras[1].splitlines()[-1]
    assert line.startswith("classified by Keras on ")
    count = int(line.split(": ")[1].split()[0])
    assert count > sum(len(content) for name, content in by_keras[0].items() if "txt" in name) / 2
    for words in (" a second, in ", " batches of ", "; busy ", "idle while characters waited"):
        assert words in line


def test_a_model_that_keras_can_not_load_ends_the_run(scans, tmp_path):
    pytest.importorskip("keras")
    bundle = tmp_path / "reader"
    shutil.copytree(find_bundle("english"), bundle)
    (bundle / "model.keras").write_bytes(b"not a model")
    seal(bundle)
    done = run(
        *("read", scans, "-o", tmp_path / "out", "--backend", "keras", "--model", bundle),
        *("--jobs", 2),
    )
    assert done.returncode == 3
    assert "is not a Keras model" in done.stderr
