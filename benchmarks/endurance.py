"""Measure the memory of a long run: how much at most, and whether it grows.

usage: python benchmarks/endurance.py PAGE_OR_FOLDER... [--pages 2000] [--jobs N] [--limit 2000]
           [--stream]

Gives the pages other names again and again until there are enough of them, reads them all in one
run, and looks at the memory of all its processes every quarter of a second. Proportional set size
(PSS) counts memory shared by processes once. Prints its peak and mean for each quarter of the time.
In a folder large files are read first, so the quarters have other pages; with --stream the text
goes to standard output, and the quarters have the same pages. Linux only. Exits with 1 when the
peak is over the limit, when the mean of the last quarter is over 1.05 times that of the second, or
when a page is not read.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from common import available_cores, find_pages, format_table, own_command, own_environment
from processes import family, kilobytes

_INTERVAL = 0.25
_MEGA = 1024 / 1e6
_GROWTH = 1.05


def name_again(pages: Sequence[Path], count: int, folder: Path) -> None:
    """Link pages under so many names, in the same order again and again."""
    folder.mkdir()
    for number, page in enumerate(itertools.islice(itertools.cycle(pages), count)):
        (folder / f"{number:06d}{page.suffix}").symlink_to(page.resolve())


def watch(line: Sequence[str], output: Path) -> tuple[list[float], float, int]:
    """Run a command; return its processes' PSS in MB by looks, the seconds, and its exit code."""
    start = time.perf_counter()
    looks: list[float] = []
    with (
        output.open("wb") as stream,
        subprocess.Popen(line, env=own_environment(), stdout=stream) as process,
    ):
        while process.poll() is None:
            looks.append(sum(kilobytes(pid)[0] for pid in family(process.pid)) * _MEGA)
            time.sleep(_INTERVAL)
    return looks, time.perf_counter() - start, process.returncode


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("inputs", metavar="PAGE_OR_FOLDER", nargs="+", type=Path)
    parser.add_argument("--pages", type=int, default=2000, help="default: 2000")
    parser.add_argument("--jobs", type=int, default=available_cores(), help="reading processes")
    parser.add_argument("--limit", type=float, default=2000.0, help="MB (default: 2000)")
    parser.add_argument("--stream", action="store_true", help="read in the order of the names")
    parser.add_argument("--command", help="how to run ocr-batch (default: this checkout)")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; 1 when memory is too much or grows, or a page is not read."""
    args = parse(argv)
    with tempfile.TemporaryDirectory(prefix="ocr-batch-endurance-") as temporary:
        folder = Path(temporary)
        name_again(find_pages(args.inputs), args.pages, folder / "pages")
        out = "-" if args.stream else str(folder / "out")
        options = ["-o", out, "--jobs", str(args.jobs), "--quiet"]
        line = [*own_command(args.command), "read", str(folder / "pages"), *options]
        looks, seconds, code = watch(line, folder / "stream")
    quarter = max(1, len(looks) // 4)
    rows, means = [], []
    for number in range(4):
        part = looks[number * quarter : (number + 1) * quarter] or [0.0]
        means.append(sum(part) / len(part))
        rows.append([f"quarter {number + 1}", f"{max(part):.0f}", f"{means[-1]:.0f}"])
    print(f"{args.pages} pages, {args.jobs} processes, {seconds:.0f} seconds, exit code {code}\n")
    print(format_table(["PSS in MB", "peak", "mean"], rows))
    peak, growth = max(looks, default=0.0), means[3] / max(1.0, means[1])
    fine = code == 0 and peak <= args.limit and growth <= _GROWTH
    print(
        f"\npeak {peak:.0f} MB (limit {args.limit:.0f}), last quarter / second quarter "
        f"{growth:.3f}: {'ok' if fine else 'FAILED'}"
    )
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
