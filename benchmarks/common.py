"""Run ocr-batch and other engines over pages: what the benchmarks share."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The benchmarks measure the checkout that they lie in, installed or not.
sys.path.insert(0, str(ROOT))

#: Exit codes of a run that wrote what could be read: all pages, or all but some.
FINISHED = (0, 5)
_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".jp2"})


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def find_pages(paths: Iterable[Path], limit: int | None = None) -> list[Path]:
    """Return files as given and the images below folders, sorted; at most `limit`, spread out."""
    pages: list[Path] = []
    for path in paths:
        if path.is_dir():
            found = (page for page in path.rglob("*") if page.suffix.lower() in _SUFFIXES)
            pages += sorted(page for page in found if page.is_file())
        elif path.is_file():
            pages.append(path)
        else:
            sys.exit(f"there is no {path}")
    if not pages:
        sys.exit("no images in " + " ".join(map(str, paths)))
    if limit is None or limit >= len(pages):
        return pages
    return [pages[number * len(pages) // limit] for number in range(limit)]


def own_command(given: str | None) -> list[str]:
    """Return the command line of ocr-batch: as given, else that of this checkout."""
    return shlex.split(given) if given else [sys.executable, "-m", "ocr_batch"]


def own_environment() -> dict[str, str]:
    """Return an environment in which `python -m ocr_batch` runs this checkout."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def read_with_ours(
    command: Sequence[str], inputs: Sequence[Path], out: Path, options: Sequence[str] = ()
) -> None:
    """Run ``ocr-batch read``, from scratch; ends the benchmark when the run does not finish."""
    shutil.rmtree(out, ignore_errors=True)
    line = [*command, "read", *map(str, inputs), "-o", str(out), "--quiet", *options]
    done = subprocess.run(line, env=own_environment(), check=False)
    if done.returncode not in FINISHED:
        sys.exit(f"ocr-batch left with exit code {done.returncode}: {shlex.join(line)}")


@dataclass(frozen=True)
class Engine:
    """An engine that is run once a page.

    Attributes
    ----------
    name : str
        Its program.
    arguments : tuple of str
        With ``{page}`` and ``{out}``, the output's path without suffix.
    to_stdout : bool
        Whether it prints the text.
    needs_pnm : bool
        Whether it reads PNM images only.
    """

    name: str
    arguments: tuple[str, ...]
    to_stdout: bool = False
    needs_pnm: bool = False

    @property
    def installed(self) -> bool:
        """Whether its program is on the path."""
        return shutil.which(self.name) is not None


OTHERS: Mapping[str, Engine] = {
    "tesseract": Engine("tesseract", ("{page}", "{out}", "-l", "eng")),
    "ocrad": Engine("ocrad", ("-F", "utf8", "{page}"), to_stdout=True, needs_pnm=True),
    "gocr": Engine("gocr", ("-f", "UTF8", "-i", "{page}"), to_stdout=True, needs_pnm=True),
}


def _run_page(engine: Engine, page: Path, out: Path) -> bool:
    """Read one page to `out`.txt; tell whether that worked."""
    # Under another name first: what is cached is whole.
    draft = out.with_name(f"{out.name}.part")
    written = draft.with_name(f"{draft.name}.txt")
    line = [engine.name, *(part.format(page=page, out=draft) for part in engine.arguments)]
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    done = subprocess.run(line, env=environment, capture_output=True, check=False)
    if done.returncode == 0 and engine.to_stdout:
        written.write_bytes(done.stdout)
    if done.returncode != 0 or not written.exists():
        written.unlink(missing_ok=True)
        return False
    written.replace(out.with_name(f"{out.name}.txt"))
    return True


def read_with_other(engine: Engine, pages: Sequence[Path], out: Path, jobs: int) -> list[Path]:
    """Read pages into a folder, `jobs` processes of one thread each; return those that failed."""
    out.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(jobs) as pool:
        worked = list(pool.map(lambda page: _run_page(engine, page, out / page.stem), pages))
    return [page for page, fine in zip(pages, worked, strict=True) if not fine]


def format_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table with its first column to the left, the others to the right."""
    lines = [tuple(head), *map(tuple, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
