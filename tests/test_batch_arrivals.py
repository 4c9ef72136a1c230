"""What counts as arrived."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ocr_batch.batch.arrivals import Arrivals


def names(found) -> list[str]:
    return [item.name for item in found]


def test_a_file_is_handed_out_once_when_it_has_stayed_the_same(tmp_path: Path) -> None:
    arrivals = Arrivals([tmp_path], 3.0)
    assert arrivals.look(0.0) == []
    (tmp_path / "a.png").write_text("begin")
    assert (arrivals.look(1.0), arrivals.pending) == ([], 1)
    (tmp_path / "a.png").write_text("begin and")
    assert arrivals.look(3.0) == []
    assert arrivals.look(5.9) == []
    assert names(arrivals.look(6.0)) == ["a.png"]
    assert arrivals.pending == 0
    assert arrivals.look(100.0) == []


def test_a_file_that_changes_later_is_handed_out_again(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_text("one")
    arrivals = Arrivals([tmp_path], 1.0)
    arrivals.look(0.0)
    assert names(arrivals.look(1.0)) == ["a.png"]
    was = path.stat()
    # As many bytes, another time.
    path.write_text("two")
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns + 1))
    assert arrivals.look(2.0) == []
    assert names(arrivals.look(3.0)) == ["a.png"]
    path.unlink()
    assert arrivals.look(4.0) == []
    path.write_text("two")
    assert arrivals.look(5.0) == []
    assert names(arrivals.look(6.0)) == ["a.png"]


def test_a_folder_that_comes_back_brings_nothing_new(tmp_path: Path) -> None:
    share = tmp_path / "share"
    share.mkdir()
    (share / "a.png").write_text("one")
    arrivals = Arrivals([share], 1.0)
    arrivals.look(0.0)
    assert names(arrivals.look(1.0)) == ["a.png"]
    share.rename(tmp_path / "elsewhere")
    assert (arrivals.look(2.0), arrivals.away) == ([], [share])
    (tmp_path / "elsewhere").rename(share)
    (share / "b.png").write_text("two")
    assert (arrivals.look(3.0), arrivals.away) == ([], [])
    assert names(arrivals.look(4.0)) == ["b.png"]


@pytest.mark.parametrize(
    "name", [".a.png", "a.png.part", "a.png.tmp", "a.png.crdownload", "a.txt", ".hidden/a.png"]
)
def test_unfinished_names_and_other_files_are_left_alone(name: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("x")
    (tmp_path / "b.png").mkdir()
    (tmp_path / "c.png").symlink_to(tmp_path / "nowhere")
    arrivals = Arrivals([tmp_path], 1.0)
    arrivals.look(0.0)
    assert arrivals.look(10.0) == []
    assert arrivals.pending == 0


def test_folders_with_subfolders_without_the_output(tmp_path: Path) -> None:
    for name in ("one/a.png", "one/deep/b.png", "two/c.png", "one/out/d.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    folders = [tmp_path / "one", tmp_path / "two"]
    arrivals = Arrivals(folders, 1.0, exclude=tmp_path / "one" / "out")
    arrivals.look(0.0)
    assert names(arrivals.look(1.0)) == ["a.png", "deep/b.png", "c.png"]
