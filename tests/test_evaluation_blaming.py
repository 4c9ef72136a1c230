"""The command that blames: pages, texts and truth in folders."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from cli_tools import run, save, text_image

from ocr_batch.errors import BundleError, InputError
from ocr_batch.evaluation.blaming import blame_pages, errors_of, find_tasks
from ocr_batch.evaluation.causes import Cause

FIRST = "The quick brown fox jumps over"
SECOND = "the lazy dog near the river bank"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pages that are read again, one that is broken, one whose image is missing."""
    path = tmp_path_factory.mktemp("blame")
    save(path / "images" / "a.png", text_image(FIRST, SECOND))
    save(path / "images" / "sub" / "b.png", text_image(SECOND, FIRST))
    (path / "images" / "broken.png").write_bytes(b"no image")
    pages = {
        "a": (f"{FIRST}\n{SECOND}\n", f"{FIRST}\n{SECOND.replace('lazy', 'lazly')}\n"),
        "sub/b": (f"{SECOND}\n{FIRST}x\n", f"{SECOND}\n{FIRST}\n"),
        "broken": ("read\n", "reed\n"),
        "gone": ("righ\n", "rights\n"),
    }
    for name, (output, truth) in pages.items():
        for kind, text in (("out", output), ("truth", truth)):
            (path / kind / name).parent.mkdir(parents=True, exist_ok=True)
            (path / kind / f"{name}.txt").write_text(text)
    return path


def test_pages_are_found_by_the_names_of_their_truth(folder: Path) -> None:
    tasks, without = find_tasks([str(folder / "images")], folder / "out", folder / "truth")
    assert [task.name for task in tasks] == ["a", "broken", "sub/b"]
    assert [task.name for task in without] == ["gone"]
    assert errors_of(without) == 2
    assert tasks[2].pair.image == folder / "images" / "sub" / "b.png"


def test_no_image_is_an_error(folder: Path, tmp_path: Path) -> None:
    save(tmp_path / "other.png", text_image(FIRST))
    with pytest.raises(InputError):
        find_tasks([str(tmp_path)], folder / "out", folder / "truth")


def test_an_unknown_model_is_named_before_any_process_starts() -> None:
    with pytest.raises(BundleError, match="nosuch"):
        blame_pages([], "nosuch")


def test_a_page_that_can_not_be_handled_does_not_end_the_others(folder: Path) -> None:
    tasks, _ = find_tasks([str(folder / "images")], folder / "out", folder / "truth")
    odd = replace(tasks[0], pair=replace(tasks[0].pair, number=None))  # type: ignore[arg-type]
    broken, page = blame_pages([odd, tasks[2]], jobs=1)
    assert "Unexpected TypeError" in broken.failure
    assert broken.counts == {Cause.FAILED: 1}
    assert not page.failure


def test_the_command_prints_and_draws(folder: Path, tmp_path: Path) -> None:
    done = run(
        "evaluate",
        folder / "out",
        folder / "truth",
        "--blame",
        folder / "images",
        "--pictures",
        tmp_path / "pictures",
        "--jobs",
        2,
    )
    assert done.returncode == 0, done.stderr
    assert "CER" in done.stdout
    # One letter of a, one that only the given text of sub/b has, and the pages without a cause.
    assert "the 5 wrong characters of 3 pages" in done.stdout
    assert "page failed" in done.stdout
    assert "pages without an image" in done.stdout
    assert "+1 " in done.stdout and "other text came of sub/b" in done.stdout
    assert "broken" in done.stderr
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 1


def test_the_command_gives_json(folder: Path) -> None:
    done = run(
        *("evaluate", folder / "out", folder / "truth", "--blame", folder / "images/a.png"),
        *("--jobs", 1, "--json"),
    )
    assert done.returncode == 0, done.stderr
    blame = json.loads(done.stdout)["blame"]
    assert sum(row["count"] for row in blame["causes"]) == 1
    assert blame["without_image"] == 4
    assert blame["ceilings"]["truth"] == blame["ceilings"]["aligned"]
    assert blame["ceilings"]["offered"] == blame["ceilings"]["truth"] - 1


def test_a_folder_for_pictures_is_tried_before_pages_are_read(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run(
        *("evaluate", folder / "out", folder / "truth", "--blame", folder / "images"),
        *("--pictures", tmp_path / "file"),
    )
    assert done.returncode == 4
    # No page was named as failed: none was read.
    assert "broken" not in done.stderr
    assert "another folder" in done.stderr


def test_options_that_would_do_nothing_are_refused(folder: Path) -> None:
    done = run("evaluate", folder / "out", folder / "truth", "--pictures", folder / "p")
    assert done.returncode == 1
    assert "--blame" in done.stderr
