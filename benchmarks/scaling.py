"""Time runs with one reading process, two and so on, and single pages by what is on them.

usage: python benchmarks/scaling.py PAGE_OR_FOLDER... [--limit N] [--jobs 1,2] [--rounds 3]

Each round reads all pages once with each number of processes, in turn forwards and backwards. The
efficiency is the pages a second of each process, relative to those of one alone in the same round.
Then every page is read by itself in this process, one thread, and the seconds are given by the
number of characters that were found: an equal share of the pages in each row.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from common import available_cores, find_pages, format_table, own_command, read_with_ours

_ROWS = 4


def time_runs(
    command: Sequence[str], pages: Sequence[Path], jobs: Sequence[int], rounds: int
) -> dict[int, list[float]]:
    """Return the seconds of whole runs, by the number of processes."""
    seconds: dict[int, list[float]] = {number: [] for number in jobs}
    with tempfile.TemporaryDirectory(prefix="ocr-batch-scaling-") as folder:
        for turn in range(rounds):
            for number in list(jobs)[:: -1 if turn % 2 else 1]:
                start = time.perf_counter()
                read_with_ours(command, pages, Path(folder) / "out", ["--jobs", str(number)])
                seconds[number].append(time.perf_counter() - start)
                print(
                    f"round {turn + 1} of {rounds}: {number} processes {seconds[number][-1]:.2f} s",
                    file=sys.stderr,
                )
    return seconds


def report_runs(seconds: dict[int, list[float]], pages: int) -> str:
    """Return the table of runs."""
    least = min(seconds)
    rows = []
    for number, taken in seconds.items():
        each = [
            least * one / (number * own) for one, own in zip(seconds[least], taken, strict=True)
        ]
        rows.append(
            [
                str(number),
                f"{median(taken):.2f}",
                f"{pages / median(taken):.2f}",
                f"{median(each):.2f}",
            ]
        )
    return format_table(["processes", "seconds", "pages/s", "efficiency"], rows)


def time_pages(pages: Sequence[Path], model: str) -> list[tuple[int, float, float]]:
    """Return characters, megapixels and seconds of each page, read by itself."""
    import cv2

    from ocr_batch.batch.pipeline import load_models, read_sheets
    from ocr_batch.imaging.load import BadPage, load_sheets

    cv2.setNumThreads(1)
    models = load_models(model)
    found = []
    for path in pages:
        for sheet in load_sheets(path):
            if isinstance(sheet, BadPage):
                continue
            start = time.perf_counter()
            (page,) = read_sheets([sheet], models)
            seconds = time.perf_counter() - start
            characters = sum(len(word.text) for word in page.words)
            found.append((characters, sheet.grey.size / 1e6, seconds))
    # The first one also builds what is kept.
    return sorted(found[1:])


def report_pages(found: Sequence[tuple[int, float, float]]) -> str:
    """Return the table of pages, an equal share of them in each row."""
    rows = []
    for number in range(_ROWS):
        part = found[number * len(found) // _ROWS : (number + 1) * len(found) // _ROWS]
        if not part:
            continue
        characters, pixels, seconds = zip(*part, strict=True)
        rows.append(
            [
                f"{characters[0]:,} to {characters[-1]:,}",
                str(len(part)),
                f"{median(pixels):.1f}",
                f"{1000 * median(seconds):.0f}",
                f"{1000 * max(seconds):.0f}",
                f"{1e6 * sum(seconds) / max(1, sum(characters)):.0f}",
            ]
        )
    head = ["characters", "pages", "megapixels", "ms, median", "ms, most", "µs a character"]
    return format_table(head, rows)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pages", metavar="PAGE_OR_FOLDER", nargs="+", type=Path)
    parser.add_argument("--limit", type=int, metavar="N", help="N pages, spread over all")
    parser.add_argument(
        "--jobs", metavar="N,N", help="processes (default: 1 to all cores, doubled)"
    )
    parser.add_argument(
        "--rounds", type=int, default=3, help="default: 3; 0 for single pages alone"
    )
    parser.add_argument("--model", default="english")
    parser.add_argument("--command", help="how to run ocr-batch (default: this checkout)")
    args = parser.parse_args(argv)
    cores = available_cores()
    doubled = sorted({min(2**power, cores) for power in range(cores.bit_length() + 1)})
    args.jobs = [int(number) for number in args.jobs.split(",")] if args.jobs else doubled
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    # Before NumPy is there: single pages are timed on one thread.
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))
    args = parse(argv)
    pages = find_pages(args.pages, args.limit)
    print(f"{len(pages)} files, {args.rounds} rounds\n")
    if args.rounds:
        seconds = time_runs(own_command(args.command), pages, args.jobs, args.rounds)
        print(report_runs(seconds, len(pages)) + "\n")
    print(report_pages(time_pages(pages, args.model)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
