from __future__ import annotations

import stat
from pathlib import Path

import pytest

from ocr_batch.errors import OutputError
from ocr_batch.output.files import (
    make_folder,
    open_atomic,
    remove_drafts,
    remove_file,
    write_atomic,
)


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_text_is_utf_8_with_its_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "é.txt"
    write_atomic(path, "naïve\nfi\r\n")
    assert path.read_bytes() == "naïve\nfi\r\n".encode()


def test_an_older_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_atomic(path, b"long before")
    write_atomic(path, b"now", sync=True)
    assert path.read_bytes() == b"now"
    assert names(tmp_path) == ["a"]


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    write_atomic(tmp_path / "ours", "")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "ours")}
    assert len(modes) == 1


def test_the_longest_name_works(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 251 + ".txt")
    write_atomic(path, "x")
    assert path.read_text() == "x"


def test_what_can_not_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    with pytest.raises(OutputError, match=r"Can not write .*folder"):
        write_atomic(tmp_path / "folder", "x")
    assert names(tmp_path) == ["folder"]


def test_a_file_in_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(OutputError):
        make_folder(tmp_path / "out")
    with pytest.raises(OutputError):
        write_atomic(tmp_path / "out" / "a.txt", "x")


def test_a_full_disk_leaves_the_older_file(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "a"
    write_atomic(path, "before")

    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OutputError, match="No space left"):
        write_atomic(path, "after")
    assert names(tmp_path) == ["a"]
    assert path.read_text() == "before"


def test_an_interrupt_leaves_no_draft(tmp_path: Path, monkeypatch) -> None:
    def interrupted(self: Path, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "a", "x")
    assert names(tmp_path) == []


def test_a_file_written_bit_by_bit_is_there_in_the_end(tmp_path: Path) -> None:
    path = tmp_path / "new" / "rows.csv"
    with open_atomic(path) as write:
        write("a\r\n")
        write(b"b\n")
        assert not path.exists()
    assert path.read_bytes() == b"a\r\nb\n"
    assert [entry.name for entry in path.parent.iterdir()] == ["rows.csv"]


def test_a_file_broken_off_leaves_the_older_one(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    write_atomic(path, "older")
    with pytest.raises(KeyboardInterrupt), open_atomic(path) as write:
        write("half")
        raise KeyboardInterrupt
    assert path.read_text() == "older"
    assert [entry.name for entry in tmp_path.iterdir()] == ["rows.csv"]


def test_drafts_and_only_those_are_removed_at_any_depth(tmp_path: Path) -> None:
    drafts = []
    with pytest.raises(KeyboardInterrupt), open_atomic(tmp_path / "a" / "b.txt") as write:
        write("half")
        drafts = [path.name for path in (tmp_path / "a").iterdir()]
        raise KeyboardInterrupt
    kept = {"b.txt", ".ocr-batch.sqlite", ".ocr-batch-notes", "mine.tmp"}
    for name in {*kept, *drafts}:
        (tmp_path / "a" / name).write_text("x")
    remove_drafts(tmp_path)
    assert len(drafts) == 1
    assert set(names(tmp_path / "a")) == kept


def test_a_file_is_removed_if_it_is_there(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    remove_file(tmp_path / "a")
    remove_file(tmp_path / "a")
    assert names(tmp_path) == []
    with pytest.raises(OutputError, match="Can not remove"):
        remove_file(tmp_path)
