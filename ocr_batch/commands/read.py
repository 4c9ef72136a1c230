"""``ocr-batch read``: scanned pages into text and CSV files."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ocr_batch.commands.options import EXIT_CODES, Commands, add_command, listing, text_stream
from ocr_batch.commands.reading import (
    add_reading,
    output_formats,
    read_files,
    reading_job,
    reading_jobs,
    report,
)
from ocr_batch.errors import UsageError

if TYPE_CHECKING:
    from ocr_batch.batch.process import Process
    from ocr_batch.batch.run import Engine
    from ocr_batch.batch.sinks import Sink

__all__ = ["add", "run"]


def add(commands: Commands) -> None:
    """Add the parser of the command."""
    parser = add_command(
        commands,
        "read",
        run,
        help="read scanned pages into text and CSV files",
        text="Read scanned pages. OUT gets a .txt and a .csv file for each page, in the\n"
        "same tree as the input, and pages.csv, which lists every page and what came of it.",
        epilog=EXIT_CODES,
    )
    parser.add_argument(
        "inputs",
        metavar="INPUT",
        nargs="+",
        help="image or PDF file, folder (searched with its subfolders), or glob, also as a URL "
        "such as s3://bucket/scans; "
        "- takes a list from standard input, one path a line",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        required=True,
        help="output folder, or its URL; - prints the text instead, in input order, UTF-8, "
        "with a form feed between pages",
    )
    running = add_reading(parser)
    running.add_argument(
        "--fresh",
        action="store_true",
        help="read all pages again, also those that an earlier run into OUT has read; otherwise "
        "only what is new, changed, failed or to be read with other settings is read",
    )
    running.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="what runs the reading processes: local, or ray for Ray Data on this machine or a "
        'cluster, which needs pip install "ocr-batch[ray]" (default: local)',
    )
    running.add_argument(
        "--ray-address",
        metavar="ADDRESS",
        help="cluster to read on, such as HOST:6379, or auto for the one that this machine "
        "belongs to (default: Ray is started on this machine for this run)",
    )


def _start_early(args: argparse.Namespace, jobs: int) -> list[Process]:
    """Start reading processes for as many files as there are for sure, up to `jobs`."""
    from ocr_batch.batch.local import start_early

    few = len(args.inputs) < jobs and all(Path(path).is_file() for path in args.inputs)
    return start_early(len(args.inputs) if few else jobs)


def _engine(args: argparse.Namespace) -> Engine | None:
    """Return what reads the files; None for processes of this machine.

    Raises
    ------
    UsageError
        If it is not installed, or an option makes no sense with it.
    """
    if args.engine == "local":
        if args.ray_address is not None:
            raise UsageError("--ray-address is for --engine ray; give both or neither.")
        return None
    from ocr_batch.batch.ray_engine import require_ray, run_ray

    require_ray()
    return partial(run_ray, address=args.ray_address)


def run(args: argparse.Namespace) -> int:
    """Read the pages and return the exit code."""
    formats = output_formats(args)
    engine = _engine(args)
    with ExitStack() as stack:
        staff = _start_early(args, reading_jobs(args)) if engine is None else []
        for process in staff:
            stack.callback(process.end)
        # The processes load their libraries while this one does the same.
        from ocr_batch.batch.inputs import find_inputs
        from ocr_batch.batch.storage import is_url

        to_stream = args.output == "-"
        output = args.output if is_url(args.output) else Path(args.output)
        found = find_inputs(
            args.inputs,
            listing=listing() if "-" in args.inputs else None,
            exclude=None if to_stream else output,
        )
        sources = [str(item.path) for item in found]
        job = reading_job(args, formats)
        sink: Sink
        if to_stream:
            from ocr_batch.batch.sinks import StreamSink

            sink = StreamSink(text_stream(), sources)
        else:
            from ocr_batch.batch.folder import OutputFolder
            from ocr_batch.batch.settings import settings_of

            # Before anything is written: a wrong name is no reason to make a folder.
            settings = settings_of(job)
            folder = stack.enter_context(OutputFolder(output, args.journal))
            sink = folder.sink(found, settings, jobs=reading_jobs(args), fresh=args.fresh)
        totals = read_files(args, sources, job, sink, staff, engine)
    report(args, totals)
    return totals.exit_code
