"""The lock of an output folder, with real processes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cli_tools import PACKAGE

from ocr_batch.batch.lock import FolderLock
from ocr_batch.errors import OutputError

HOLDER = """
import sys, time
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from ocr_batch.batch.lock import FolderLock
lock = FolderLock(Path(sys.argv[1]), "text")
print("locked", flush=True)
time.sleep(100)
"""


def hold(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path), str(PACKAGE)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "locked\n"
    return process


def test_another_process_is_refused_and_named_until_the_holder_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with hold(path) as process:
        try:
            before = path.read_bytes()
            match = rf"process {process.pid}\) is writing into text"
            with pytest.raises(OutputError, match=match):
                FolderLock(path, "text")
            assert path.read_bytes() == before
        finally:
            process.kill()
    FolderLock(path, "text").release()
    assert list(tmp_path.iterdir()) == []


def test_the_same_process_is_refused_too(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path / "lock", "text")
    with pytest.raises(OutputError, match="Another run"):
        FolderLock(tmp_path / "lock", "text")
    lock.release()
    FolderLock(tmp_path / "lock", "text").release()


def test_a_folder_that_is_gone_or_another_is_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    lock = FolderLock(folder / "lock", "out")
    lock.check()
    shutil.rmtree(folder)
    with pytest.raises(OutputError, match="gone"):
        lock.check()
    folder.mkdir()
    with pytest.raises(OutputError, match="gone"):
        lock.check()
    # The lock of another, in the same place, is not taken away.
    other = FolderLock(folder / "lock", "out")
    lock.release()
    other.check()
    other.release()


def test_a_place_that_can_not_be_locked(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="Can not write"):
        FolderLock(tmp_path / "nowhere" / "lock", "out")
