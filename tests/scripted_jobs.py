"""Jobs whose files are instructions, for tests of those who supervise reading processes.

A reading process imports this module: it is to be quick.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ocr_batch.batch.work import Finished, Opened
from ocr_batch.errors import BundleError, ImageError
from ocr_batch.imaging.load import Sheet


@dataclass
class ScriptedJob:
    """A source is NAME, NAME*PAGES or NAME*PAGES:DEED@PAGE."""

    log: str = ""
    broken: str = ""

    def prepare(self) -> None:
        if self.broken == "bundle":
            raise BundleError("no such model")
        if self.broken == "bug":
            raise KeyError("x")
        if self.broken == "death":
            sys.stderr.write("out of luck\n")
            sys.stderr.flush()
            os.kill(os.getpid(), signal.SIGKILL)

    def digest(self, source: str) -> str:
        return f"digest of {source}"

    def count_pages(self, source: str) -> int:
        head = source.partition(":")[0]
        if head == "unopenable":
            raise ImageError("not an image")
        if head == "deadly":
            os.kill(os.getpid(), signal.SIGKILL)
        return int(head.partition("*")[2] or 1)

    def load_page(self, source: str, number: int) -> Sheet:
        if source.endswith(f":unloadable@{number}"):
            raise ImageError("broken page")
        side = 6000 if ":big" in source else 4
        return Sheet(np.zeros((side, side), np.uint8), source, number)

    def read(self, sheets: Sequence[Sheet]) -> list[str]:
        if self.log:
            with Path(self.log).open("a") as stream:
                stream.write(f"{os.getpid()} {len(sheets)}\n")
        for sheet in sheets:
            deed, _, page = sheet.source.partition(":")[2].partition("@")
            if page and int(page) != sheet.number:
                continue
            if deed.endswith("-once"):
                flag = Path(f"{self.log}.{sheet.source.partition(':')[0]}.{sheet.number}")
                if flag.exists():
                    continue
                flag.touch()
                deed = deed.removesuffix("-once")
            if deed == "crash":
                os.kill(os.getpid(), signal.SIGSEGV)
            elif deed == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            elif deed == "exit":
                os._exit(3)
            elif deed == "hang":
                time.sleep(1000)
            elif deed == "slow":
                time.sleep(0.7)
            elif deed == "bug":
                raise IndexError("far off")
            elif deed == "memory":
                raise MemoryError
        return [f"{sheet.source}#{sheet.number}" for sheet in sheets]


@dataclass
class NamedJob(ScriptedJob):
    """The instructions are a file's name: the engine makes paths absolute."""

    def count_pages(self, source: str) -> int:
        return super().count_pages(Path(source).name)

    def load_page(self, source: str, number: int) -> Any:
        return super().load_page(Path(source).name, number)


class TimedJob(ScriptedJob):
    def read(self, sheets: Sequence[Sheet]) -> list[str]:
        bad = any(sheet.source.startswith("bad") for sheet in sheets)
        self._note("bad" if bad else "begin")
        if bad and len(sheets) == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.3)
        self._note("end")
        return [f"{sheet.source}#{sheet.number}" for sheet in sheets]

    def _note(self, what: str) -> None:
        with Path(self.log).open("a") as stream:
            stream.write(f"{what} {os.getpid()} {time.time()}\n")


class SlowTogetherJob(ScriptedJob):
    def read(self, sheets: Sequence[Sheet]) -> list[str]:
        time.sleep(60 if len(sheets) > 1 else 0)
        return super().read(sheets)


@dataclass
class StarvingJob(ScriptedJob):
    """The second and the third start of a process fail for want of memory."""

    how: str = ""

    def prepare(self) -> None:
        if self.count_start() in (2, 3):
            if self.how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise MemoryError

    def count_start(self) -> int:
        """Take the next free number: no two processes that start at once get the same one."""
        for number in itertools.count(1):
            try:
                Path(f"{self.log}.start-{number}").touch(exist_ok=False)
            except FileExistsError:
                continue
            return number
        raise AssertionError("numbers do not end")


class ThreadJob(ScriptedJob):
    def count_pages(self, source: str) -> int:
        return 1

    def read(self, sheets: Sequence[Sheet]) -> list[str]:
        return [" ".join(os.environ[k] for k in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"))]


def results(events) -> list[Finished[str]]:
    return [event for event in events if not isinstance(event, Opened)]


def summary(events) -> dict[tuple[int, int], object]:
    found = {}
    for event in results(events):
        assert (event.index, event.number) not in found, "a page came twice"
        found[event.index, event.number] = event.error or event.value
    return found


def running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"
