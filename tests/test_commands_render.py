"""`ocr-batch render`: pages with their truth, and crops."""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import time
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from cli_tools import COMMAND, environment, rows, run, tree
from font_tools import write_font, write_text
from PIL import Image

from ocr_batch import cli
from ocr_batch.commands.render import page_options
from ocr_batch.output.table import CHARACTER_COLUMNS, WORD_COLUMNS
from ocr_batch.rendering.conditions import CONDITIONS
from ocr_batch.rendering.folder import FolderPlan, PageOptions
from ocr_batch.rendering.makeup import KINDS
from ocr_batch.training.generate import Plan

SMALL = ("--characters", 250, "--x-height", 22, "--quiet")


@pytest.fixture(scope="module")
def font(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_font(tmp_path_factory.mktemp("fonts") / "own.ttf")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_text(tmp_path_factory.mktemp("corpus") / "prose" / "a.txt").parents[1]


@pytest.fixture(scope="module")
def made(corpus: Path, font: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "out"
    how = ("--degrade", "none", "--kind", "book", "--distractors", 0, "--jobs", 1, "--pages", 2)
    done = run("render", corpus, "-o", out, "--fonts", font, *SMALL, *how)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return out


def test_a_page_has_a_text_and_a_table(made: Path):
    names = {f"page-000{number}" for number in (1, 2)}
    expected = {f"pages/{name}.png" for name in names}
    expected |= {f"truth/{name}{end}" for name in names for end in (".txt", ".csv")}
    assert set(tree(made)) == expected
    text = (made / "truth/page-0001.txt").read_text("utf-8")
    table = rows(made, "truth/page-0001.csv")
    assert tuple(table[0]) == CHARACTER_COLUMNS
    # The table spells the text, block by block, line by line, word by word.
    blocks: dict[str, dict[str, dict[str, str]]] = {}
    for row in table:
        words = blocks.setdefault(row["block"], {}).setdefault(row["line"], {})
        words[row["word"]] = words.get(row["word"], "") + row["text"]
    lines = ["\n".join(" ".join(words.values()) for words in b.values()) for b in blocks.values()]
    assert "\n\n".join(lines) + "\n" == text


def test_boxes_hold_the_ink(made: Path):
    grey = np.asarray(Image.open(made / "pages/page-0001.png").convert("L"))
    rest = np.array(grey)
    for row in rows(made, "truth/page-0001.csv"):
        left, top, width, height = (int(row[name]) for name in ("left", "top", "width", "height"))
        part = grey[top : top + height, left : left + width]
        assert part.shape == (height, width)
        assert part.min() < 128, row
        assert float(row["confidence"]) == 1
        # Tight, but for the rims of letters, which are lighter.
        rim = slice(max(0, top - 2), top + height + 2), slice(max(0, left - 2), left + width + 2)
        rest[rim] = 255
    assert rest.min() > 128


def test_what_was_rendered_can_be_read_and_evaluated(made: Path, tmp_path: Path):
    done = run("read", made / "pages", "-o", tmp_path, "--detail", "char", "--jobs", 1)
    assert done.returncode == 0, done.stderr
    assert set(rows(tmp_path, "page-0001.csv")[0]) == set(CHARACTER_COLUMNS)
    done = run("evaluate", tmp_path, made / "truth", "--boxes", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found["pages"]) == 2
    assert all(page["CER"] < 0.15 for page in found["pages"])
    assert found["boxes"]["totals"]["of"] == sum(
        len(rows(made, f"truth/page-000{number}.csv")) for number in (1, 2)
    )
    assert found["boxes"]["text"]["placed"] > 0.95


def test_the_same_seed_gives_the_same_files_for_any_jobs(corpus: Path, font: Path, tmp_path: Path):
    trees = []
    for name, seed, jobs, pages in (("a", 5, 1, 2), ("b", 5, 2, 2), ("c", 6, 1, 1)):
        out = tmp_path / name
        how = ("--fonts", font, "--pages", pages, "--seed", seed, "--jobs", jobs)
        how = (*how, "--detail", "word", "--characters", 150)
        done = run("render", corpus, "-o", out, *how, "--quiet")
        assert done.returncode == 0, done.stderr
        trees.append(tree(out))
    assert trees[0] == trees[1]
    assert trees[0]["pages/page-0001.png"] != trees[2]["pages/page-0001.png"]
    assert len(set(trees[0].values())) == 6
    table = rows(tmp_path / "a", "truth/page-0002.csv")
    assert tuple(table[0]) == WORD_COLUMNS
    words = (tmp_path / "a/truth/page-0002.txt").read_text("utf-8").split()
    assert [row["text"].lstrip("'") for row in table] == [word.lstrip("'") for word in words]


def test_it_says_where_the_pages_are(corpus: Path, font: Path, tmp_path: Path):
    how = ("--characters", 60, "--pages", 1)
    done = run("render", corpus, "-o", tmp_path / "out", "--fonts", font, *how)
    assert done.returncode == 0
    assert done.stderr.startswith("1 page in ")
    assert str(tmp_path / "out" / "truth") in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_soon_and_keeps_whole_files(
    number: int, corpus: Path, font: Path, tmp_path: Path
):
    out = tmp_path / "out"
    how = ["--fonts", font, "--pages", 300, "--jobs", 2, *SMALL]
    process = subprocess.Popen(
        [*COMMAND, "render", str(corpus), "-o", str(out), *map(str, how)],
        stderr=subprocess.PIPE,
        env=environment(),
        text=True,
    )
    end = time.monotonic() + 180
    while not list(out.glob("pages/*.png")) and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(number)
    start = time.monotonic()
    _, errors = process.communicate(timeout=60)
    assert time.monotonic() - start < 30
    assert process.returncode == 130
    assert "Traceback" not in errors
    pages = {path.stem for path in out.glob("pages/*")}
    texts = {path.stem for path in out.glob("truth/*.txt")}
    assert pages and pages <= texts
    assert not [name for name in tree(out) if name.endswith(".tmp")]


@pytest.mark.parametrize(
    "arguments",
    [
        ["a.txt"],
        ["-o", "out"],
        ["a.txt", "-o", "out", "--kind", "poster"],
        ["a.txt", "-o", "out", "--degrade", "badly"],
        ["a.txt", "-o", "out", "--detail", "line"],
        ["a.txt", "-o", "out", "--pages", "0"],
        ["a.txt", "-o", "out", "--x-height", "1"],
        ["a.txt", "-o", "out", "--distractors", "1.5"],
        ["a.txt", "-o", "out", "--validation-pages", "3"],
        [".", "-o", "out"],
    ],
)
def test_wrong_usage(arguments: list[str], tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_text(tmp_path / "a.txt")
    assert cli.main(["render", *arguments]) == 1
    message = capsys.readouterr().err
    assert message.startswith("ocr-batch: ")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("missing.txt", None),
        ("empty.txt", b""),
        ("blank.txt", b"  \n\n"),
        ("picture.txt", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
        ("utf16.txt", "The quick brown fox".encode("utf-16")),
        ("latin1.txt", "é".encode("latin-1") * 50),
    ],
)
def test_what_is_no_text_is_refused(
    name: str, content: bytes | None, font: Path, tmp_path: Path, capsys
):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    assert cli.main(["render", str(path), "-o", str(tmp_path / "out"), "--fonts", str(font)]) == 2
    assert name in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["missing.ttf", "broken.ttf", "folder"])
def test_what_is_no_font_is_refused(name: str, corpus: Path, tmp_path: Path, capsys):
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    (tmp_path / "folder").mkdir()
    out, path = str(tmp_path / "out"), str(tmp_path / name)
    assert cli.main(["render", str(corpus), "-o", out, "--fonts", path]) == 2
    assert name in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_crops_are_written_and_not_made_twice(corpus: Path, font: Path, tmp_path: Path):
    out = tmp_path / "out"
    how = ("--fonts", font, "--crops", "--pages", 2, "--validation-pages", 0, "--jobs", 1)
    done = run("render", corpus, "-o", out, *how, *SMALL[:-1])
    assert done.returncode == 0, done.stderr
    assert "2 and 0 pages" in done.stderr
    before = tree(out)
    assert "gaps-train/part0000.npz" in before
    assert any(name.startswith("train/part0000") for name in before)
    assert run("render", corpus, "-o", out, *how, *SMALL).returncode == 0
    assert tree(out) == before


def test_crops_need_a_design_for_validation(corpus: Path, font: Path, tmp_path: Path):
    done = run("render", corpus, "-o", tmp_path / "out", "--fonts", font, "--crops", *SMALL)
    assert done.returncode == 2
    assert "different designs" in done.stderr
    assert not (tmp_path / "out").exists()


def parser() -> argparse.ArgumentParser:
    (commands,) = (action for action in cli.build_parser()._actions if action.choices)
    return commands.choices["render"]


def test_every_option_of_rendering_can_be_set():
    names = {action.dest for action in parser()._actions}
    renamed = {"out": "output", "corpus": "text"}
    for plan in (PageOptions, FolderPlan, Plan):
        wanted = {renamed.get(field.name, field.name) for field in fields(plan)} - {"page"}
        assert wanted <= names
    base = ["a.txt", "-o", "out"]
    assert page_options(parser().parse_args(base)) == PageOptions()
    given = {
        "kind": "letter",
        "degrade": "heavy",
        "characters": 70,
        "x_height": 30.5,
        "distractors": 0.25,
    }
    assert set(given) == {field.name for field in fields(PageOptions)}
    flags = [
        text for name, value in given.items() for text in (f"--{name.replace('_', '-')}", value)
    ]
    assert page_options(parser().parse_args([*base, *map(str, flags)])) == PageOptions(**given)


def test_the_help_names_all_kinds_and_conditions():
    actions = {action.dest: action for action in parser()._actions}
    assert all(name in (actions["kind"].help or "") for name in KINDS)
    assert tuple(actions["degrade"].choices or ()) == tuple(CONDITIONS)
