"""Measure the peak memory of reading an A3 page at 400 dpi, grey, colour and 1-bit.

usage: python benchmarks/memory.py [--tile IMAGE] [--limit 1500] [--kinds grey,rgb,1-bit]

Makes the page (small print all over, or IMAGE repeated to fill it), runs ocr-batch read --jobs 1
on it, and looks at the memory of all its processes again and again while it runs. Proportional set
size (PSS) counts memory shared by processes once; it is what the limit is for. Linux only. Exits
with 1 when a page takes more than the limit or is not read.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from common import format_table, own_command, own_environment
from PIL import Image, ImageDraw, ImageFont
from processes import family, kilobytes

# 297 x 420 mm at 400 dpi.
_DPI = 400
_A3 = (4677, 6614)
_MARGIN = 200
# 9 points.
_TEXT_SIZE = 50
_TEXT = (
    "the quick brown fox jumps over a lazy dog while seven wizards mix strange liquids in old "
    "jars and count 1234567890 boxes of paper by lamp light before dawn breaks again"
)


def dense_text() -> Image.Image:
    """Return an A3 page in grey with lines of small print from edge to edge."""
    page = Image.new("L", _A3, 255)
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(size=_TEXT_SIZE)
    words = itertools.cycle(_TEXT.split())
    for top in range(_MARGIN, _A3[1] - _MARGIN, round(1.25 * _TEXT_SIZE)):
        line = ""
        while draw.textlength(line, font) < _A3[0] - 2 * _MARGIN - 6 * _TEXT_SIZE:
            line += f"{next(words)} "
        draw.text((_MARGIN, top), line, fill=20, font=font)
    return page


def tiled(path: Path) -> Image.Image:
    """Return an A3 page in grey filled with copies of an image."""
    page = Image.new("L", _A3, 255)
    with Image.open(path) as image:
        tile = image.convert("L")
    for top in range(0, _A3[1], tile.height):
        for left in range(0, _A3[0], tile.width):
            page.paste(tile, (left, top))
    return page


def save(page: Image.Image, kind: str, folder: Path) -> Path:
    """Write the page as one of the kinds."""
    path = folder / f"a3-{kind}.{'tif' if kind == '1-bit' else 'png'}"
    dpi = (_DPI, _DPI)
    if kind == "1-bit":
        one_bit = page.point(lambda value: 255 * (value > 128), "1")
        one_bit.save(path, compression="group4", dpi=dpi)
    else:
        page.convert("RGB" if kind == "rgb" else "L").save(path, dpi=dpi, compress_level=1)
    return path


@dataclass(frozen=True)
class Peak:
    """The most memory at one time, in MB of 10^6 bytes, and how it was found."""

    pss: float
    rss: float
    processes: int
    samples: int
    seconds: float
    exit_code: int


def watch(line: Sequence[str], interval: float) -> Peak:
    """Run a command and look at its processes every `interval` seconds."""
    start = time.perf_counter()
    pss = rss = processes = samples = 0
    with subprocess.Popen(line, env=own_environment()) as process:
        while process.poll() is None:
            pids = family(process.pid)
            sizes = [kilobytes(pid) for pid in pids]
            pss = max(pss, sum(size[0] for size in sizes))
            rss = max(rss, sum(size[1] for size in sizes))
            processes = max(processes, len(pids))
            samples += 1
            time.sleep(interval)
    seconds = time.perf_counter() - start
    mega = 1024 / 1e6
    return Peak(pss * mega, rss * mega, processes, samples, seconds, process.returncode)


def characters_read(out: Path) -> int:
    """Return how many characters pages.csv says were read."""
    try:
        with (out / "pages.csv").open(encoding="utf-8", newline="") as file:
            return sum(int(row["characters"] or 0) for row in csv.DictReader(file))
    except FileNotFoundError:
        return 0


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tile", type=Path, metavar="IMAGE", help="fill the page with an image")
    parser.add_argument("--kinds", default="grey,rgb,1-bit", help="default: grey,rgb,1-bit")
    parser.add_argument("--limit", type=float, default=1500.0, help="MB (default: 1500)")
    parser.add_argument("--interval", type=float, default=0.01, help="seconds between looks")
    parser.add_argument("--command", help="how to run ocr-batch (default: this checkout)")
    args = parser.parse_args(argv)
    args.kinds = args.kinds.split(",")
    for kind in args.kinds:
        if kind not in ("grey", "rgb", "1-bit"):
            parser.error(f"--kinds: {kind} is none of grey, rgb, 1-bit")
    if not Path(f"/proc/{os.getpid()}/smaps_rollup").exists():
        parser.error("this system does not tell the memory of processes in /proc/PID/smaps_rollup")
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; 1 when a page takes too much memory or is not read."""
    args = parse(argv)
    page = tiled(args.tile) if args.tile else dense_text()
    rows, failed = [], False
    with tempfile.TemporaryDirectory(prefix="ocr-batch-memory-") as folder:
        for kind in args.kinds:
            path, out = save(page, kind, Path(folder)), Path(folder) / f"out-{kind}"
            options = ["-o", str(out), "--jobs", "1", "--quiet"]
            peak = watch([*own_command(args.command), "read", str(path), *options], args.interval)
            characters = characters_read(out)
            fine = peak.pss <= args.limit and peak.exit_code == 0 and characters > 0
            failed |= not fine
            rows.append(
                [
                    kind,
                    f"{peak.pss:.0f}",
                    f"{peak.rss:.0f}",
                    str(peak.processes),
                    f"{peak.seconds:.1f}",
                    str(peak.samples),
                    f"{characters:,}",
                    str(peak.exit_code),
                    "ok" if fine else "FAILED",
                ]
            )
    print(f"A3 at {_DPI} dpi, {_A3[0]} x {_A3[1]} pixels; limit {args.limit:.0f} MB\n")
    head = ["page", "peak PSS MB", "RSS MB", "processes", "seconds", "looks", "characters"]
    print(format_table([*head, "exit code", ""], rows))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
