"""Time whole runs over a list of pages: ocr-batch against other engines, alternately.

usage: python benchmarks/speed.py PAGE_OR_FOLDER... [--limit 40] [--rounds 5]
           [--engines ours,tesseract,ocrad,gocr] [--stages]

Each round runs every engine once over all pages, in turn forwards and backwards, so that what else
the machine does falls on all of them. ocr-batch is one command for all pages; the others are one
process a page, as many at a time as there are cores, with OMP_THREAD_LIMIT=1. Images for engines
that read PNM only are converted before, outside of the timing. Ratios are of the same round.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median

from common import (
    OTHERS,
    available_cores,
    find_pages,
    format_table,
    own_command,
    read_with_other,
    read_with_ours,
)

_OURS = "ours"


@dataclass
class Timing:
    """What an engine took, a number a round, and the text that came of it."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    characters: int = 0


def convert_to_pnm(pages: Sequence[Path], folder: Path) -> list[Path]:
    """Write the pages as PBM or PGM, a file for each page of a TIFF."""
    from PIL import Image, ImageSequence

    folder.mkdir()
    converted = []
    for number, page in enumerate(pages):
        with Image.open(page) as image:
            for frame, picture in enumerate(ImageSequence.Iterator(image)):
                one_bit = picture.mode == "1"
                suffix = "pbm" if one_bit else "pgm"
                path = folder / f"{number:05d}-{frame:03d}.{suffix}"
                (picture if one_bit else picture.convert("L")).save(path)
                converted.append(path)
    return converted


def give_each_a_name(pages: Sequence[Path], folder: Path) -> list[Path]:
    """Link the pages under names that can not meet in one folder of outputs."""
    folder.mkdir()
    linked = []
    for number, page in enumerate(pages):
        link = folder / f"{number:05d}{page.suffix}"
        link.symlink_to(page.resolve())
        linked.append(link)
    return linked


def count_characters(folder: Path) -> int:
    """Return how many characters the texts of a folder have, white space left out."""
    texts = (path.read_text("utf-8", errors="replace") for path in folder.rglob("*.txt"))
    return sum(len("".join(text.split())) for text in texts)


def cpu_seconds() -> float:
    """Return the processor time of all processes that this one has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def time_rounds(
    runs: dict[str, Callable[[Path], object]], rounds: int, work: Path
) -> dict[str, Timing]:
    """Run each engine once a round."""
    timings = {name: Timing() for name in runs}
    for number in range(rounds):
        for name in list(runs)[:: -1 if number % 2 else 1]:
            out = work / f"out-{name}"
            shutil.rmtree(out, ignore_errors=True)
            cpu, start = cpu_seconds(), time.perf_counter()
            runs[name](out)
            timings[name].wall.append(time.perf_counter() - start)
            timings[name].cpu.append(cpu_seconds() - cpu)
            timings[name].characters = count_characters(out)
            print(
                f"round {number + 1} of {rounds}: {name} {timings[name].wall[-1]:.2f} s",
                file=sys.stderr,
            )
    return timings


def report(timings: dict[str, Timing], pages: int) -> str:
    """Return the tables: medians of each engine, and ratios to the first."""
    rows = []
    for name, timing in timings.items():
        wall = median(timing.wall)
        rows.append(
            [
                name,
                f"{wall:.2f}",
                f"{min(timing.wall):.2f} .. {max(timing.wall):.2f}",
                f"{median(timing.cpu):.2f}",
                f"{pages / wall:.2f}",
                f"{timing.characters / wall:,.0f}",
                f"{timing.characters:,}",
            ]
        )
    head = ["engine", "seconds", "range", "CPU s", "pages/s", "chars/s", "chars"]
    lines = [format_table(head, rows)]
    first, *others = timings
    ratios = []
    for name in others:
        pairs = zip(timings[first].wall, timings[name].wall, strict=True)
        each = [ours / theirs for ours, theirs in pairs]
        ratios.append(
            [f"{first} / {name}", f"{median(each):.3f}", " ".join(f"{one:.3f}" for one in each)]
        )
    if ratios:
        lines += ["", format_table(["time", "median", "each round"], ratios)]
    return "\n".join(lines)


def time_stages(pages: Sequence[Path], model: str, group: int) -> str:
    """Read the pages in this process, one core, and return the seconds of each stage."""
    import cv2

    from ocr_batch.batch.pipeline import StageTimer, load_models, read_sheets
    from ocr_batch.imaging.load import BadPage, Sheet, load_sheets
    from ocr_batch.output.writers import WRITERS, Style

    cv2.setNumThreads(1)
    timer = StageTimer()
    start = time.perf_counter()
    with timer.stage("load models"):
        models = load_models(model)
    sheets: list[Sheet] = []
    count = 0

    def read() -> None:
        read_pages = read_sheets(sheets, models, timer=timer)
        with timer.stage("format"):
            for page in read_pages:
                for writer in WRITERS.values():
                    writer.format(page, Style())
        sheets.clear()

    for path in pages:
        with timer.stage("load image"):
            loaded = list(load_sheets(path))
        for sheet in loaded:
            if isinstance(sheet, BadPage):
                print(f"{sheet.source}, page {sheet.number}: {sheet.error}", file=sys.stderr)
                continue
            sheets.append(sheet)
            count += 1
            if len(sheets) == group:
                read()
    if sheets:
        read()
    total = time.perf_counter() - start
    seconds = {**timer.seconds}
    seconds["other"] = total - sum(seconds.values())
    seconds["all"] = total
    rows = [
        [name, f"{spent:.2f}", f"{1000 * spent / max(1, count):.1f}", f"{spent / total:.1%}"]
        for name, spent in seconds.items()
    ]
    head = [f"stage, {count} pages on one core", "seconds", "ms a page", "share"]
    return format_table(head, rows)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pages", metavar="PAGE_OR_FOLDER", nargs="+", type=Path)
    parser.add_argument("--limit", type=int, metavar="N", help="N pages, spread over all")
    parser.add_argument("--rounds", type=int, default=3, help="default: 3; 0 for --stages alone")
    parser.add_argument("--engines", default="ours,tesseract", help="default: ours,tesseract")
    parser.add_argument("--jobs", type=int, default=available_cores(), help="processes at a time")
    parser.add_argument("--command", help="how to run ocr-batch (default: this checkout)")
    parser.add_argument("--stages", action="store_true", help="time the stages of ocr-batch too")
    parser.add_argument("--model", default="english", help="of ocr-batch")
    parser.add_argument("--group", type=int, default=4, help="pages read together for --stages")
    args = parser.parse_args(argv)
    args.engines = args.engines.split(",")
    for name in args.engines:
        if name != _OURS and name not in OTHERS:
            parser.error(f"--engines: {name} is none of {_OURS}, {', '.join(OTHERS)}")
        if name != _OURS and not OTHERS[name].installed:
            parser.error(f"--engines: {name} is not installed")
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    args = parse(argv)
    found = find_pages(args.pages, args.limit)
    with tempfile.TemporaryDirectory(prefix="ocr-batch-speed-") as folder:
        work = Path(folder)
        pages = give_each_a_name(found, work / "pages")
        pnm: list[Path] = []
        runs: dict[str, Callable[[Path], object]] = {}
        for name in args.engines:
            if name == _OURS:
                options = ["--jobs", str(args.jobs), "--model", args.model]
                command = own_command(args.command)
                runs[name] = partial(_run_ours, command, pages, options)
                continue
            if OTHERS[name].needs_pnm and not pnm:
                pnm = convert_to_pnm(pages, work / "pnm")
            images = pnm if OTHERS[name].needs_pnm else pages
            runs[name] = partial(_run_other, name, images, args.jobs)
        if args.rounds:
            timings = time_rounds(runs, args.rounds, work)
            print(f"{len(pages)} files, {args.jobs} processes, {args.rounds} rounds\n")
            print(report(timings, len(pages)))
        if args.stages:
            print(("\n" if args.rounds else "") + time_stages(pages, args.model, args.group))
    return 0


def _run_ours(
    command: Sequence[str], pages: Sequence[Path], options: Sequence[str], out: Path
) -> None:
    read_with_ours(command, pages, out, options)


def _run_other(name: str, pages: Sequence[Path], jobs: int, out: Path) -> None:
    for page in read_with_other(OTHERS[name], pages, out, jobs):
        print(f"{name} can not read {page}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
