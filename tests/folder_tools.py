"""A job whose files are texts, for tests of everything around the reading itself."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ocr_batch.batch.folder import OutputFolder
from ocr_batch.batch.inputs import find_inputs
from ocr_batch.batch.job import Rendered
from ocr_batch.batch.journal import Settings
from ocr_batch.batch.run import Step, Totals, read_all
from ocr_batch.batch.work import file_digest
from ocr_batch.errors import ImageError
from ocr_batch.imaging.load import Sheet

SETTINGS = Settings.of({"model": 1}, {})


@dataclass(frozen=True)
class TextJob:
    """Each line of a file is a page; "fail" fails, and "empty" is without text.

    `formats` are the suffixes of the files of a page, and `mark` is what their texts begin with.
    """

    log: str
    formats: tuple[str, ...] = (".txt",)
    mark: str = ""

    def prepare(self) -> None:
        pass

    def digest(self, source: str) -> str:
        return file_digest(source)

    def count_pages(self, source: str) -> int:
        try:
            lines = Path(source).read_text().splitlines()
        except OSError as error:
            raise ImageError("no such file") from error
        if lines == ["broken"]:
            raise ImageError("not an image")
        return len(lines)

    def load_page(self, source: str, number: int) -> Sheet:
        return Sheet(np.zeros((4, 4), np.uint8), source, number)

    def read(self, sheets: Sequence[Sheet]) -> list[Rendered]:
        return [self._read(sheet.source, sheet.number) for sheet in sheets]

    def _read(self, source: str, number: int) -> Rendered:
        line = Path(source).read_text().splitlines()[number - 1]
        with Path(self.log).open("a") as log:
            log.write(f"{Path(source).name} {number}\n")
        if line == "fail":
            raise ImageError("this page fails")
        if line == "crash":
            os._exit(3)
        text = "" if line == "empty" else self.mark + line
        files = tuple((suffix, text) for suffix in self.formats)
        return Rendered(files, len(text), int(bool(text)), 0.5, {"load": 0.25})


class Place:
    """Files to read, an output folder, and runs from one to the other."""

    def __init__(self, root: Path) -> None:
        self.scans, self.log = root / "scans", root / "log"
        self.out: Path | str = root / "out"
        self.scans.mkdir(parents=True)

    def put(self, **files: str) -> None:
        """Write files, a page a line."""
        for name, lines in files.items():
            (self.scans / f"{name}.png").write_text(lines)

    def run(
        self,
        *inputs: str,
        settings: Settings = SETTINGS,
        fresh: bool = False,
        journal: Path | None = None,
        watch=lambda step: None,
        formats: tuple[str, ...] = (".txt",),
        mark: str = "",
    ) -> Totals:
        """Read all files, or those named."""
        self.log.write_text("")
        chosen = [str(self.scans / f"{name}.png") for name in inputs] or [str(self.scans)]
        found = find_inputs(chosen)
        with OutputFolder(self.out, journal) as folder:
            sink = folder.sink(found, settings, jobs=1, fresh=fresh)
            sources = [str(item.path) for item in found]
            job = TextJob(str(self.log), formats, mark)
            return read_all(sources, job, sink, jobs=1, watch=watch)

    def read(self) -> list[str]:
        """Return the pages that the last run read."""
        return sorted(self.log.read_text().splitlines())


def stop_after(count: int):
    """Return a watcher that interrupts the run when so many pages are done."""
    seen: list[Step] = []

    def watch(step: Step) -> None:
        seen.extend([step] * (step.row is not None))
        if len(seen) == count:
            raise KeyboardInterrupt

    return watch
