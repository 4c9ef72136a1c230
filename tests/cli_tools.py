"""Render pages and run the command, for the tests of the whole program."""

from __future__ import annotations

import csv
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

import ocr_batch

PACKAGE = Path(ocr_batch.__file__).parents[1]
COMMAND = (sys.executable, "-m", "ocr_batch")


def text_image(*lines: str, size: int = 40) -> NDArray[np.uint8]:
    """Return a white page with black lines of text, as from a scan of 300 dpi."""
    image = Image.new("L", (1000, 120 + 2 * size * max(1, len(lines))), 255)
    font = ImageFont.load_default(size)
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        draw.text((60, 60 + 2 * size * number), line, fill=0, font=font)
    return np.asarray(image)


def save(path: Path, *pages: NDArray[np.uint8]) -> Path:
    """Write an image file, of several pages if there are more than one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    first, *rest = (Image.fromarray(page) for page in pages)
    if rest:
        first.save(path, save_all=True, append_images=rest)
    else:
        first.save(path)
    return path


def many(folder: Path, count: int) -> Path:
    """Fill a folder with so many pages of the same content, for runs that are not to end soon."""
    first = save(folder / "0.png", text_image(*["jumps over the lazy dog"] * 8))
    for number in range(1, count):
        (folder / f"{number}.png").hardlink_to(first)
    return folder


def wait_for(condition: Callable[[], object], seconds: float = 180.0) -> bool:
    """Wait until something is true; tell whether it became so in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def environment() -> dict[str, str]:
    path = os.pathsep.join([str(PACKAGE), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path}


def start(*arguments: object) -> subprocess.Popen[str]:
    """Start the command line; what it says comes through a pipe, and it hears interrupts."""

    # What a shell runs in the background is deaf to interrupts, and so are its children.
    def hear() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stderr=subprocess.PIPE,
        env=environment(),
        text=True,
        preexec_fn=hear,  # noqa: PLW1509 - no threads of ours hold a lock
    )


def run(
    *arguments: object, cwd: Path | None = None, stdin: str | bytes = b""
) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own; its output is decoded as UTF-8."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd,
        env=environment(),
        input=stdin.encode() if isinstance(stdin, str) else stdin,
        capture_output=True,
        timeout=300,
        check=False,
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


def rows(out: Path, name: str = "pages.csv") -> list[dict[str, str]]:
    """Return the rows of a table in the output folder."""
    return list(csv.DictReader(io.StringIO((out / name).read_bytes().decode(), newline="")))


def tree(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder by its relative path, but for the journal."""
    found: Sequence[Path] = sorted(path for path in folder.rglob("*") if path.is_file())
    files = (path for path in found if not path.name.startswith(".ocr-batch."))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
