"""``ocr-batch watch``: read what arrives in a folder."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ocr_batch.commands.options import EXIT_CODES, Commands, add_command, at_least, say
from ocr_batch.commands.reading import (
    add_reading,
    output_formats,
    read_files,
    reading_job,
    reading_jobs,
    report,
)
from ocr_batch.errors import ImageError, InputError, UsageError

if TYPE_CHECKING:
    from ocr_batch.batch.arrivals import Arrivals
    from ocr_batch.batch.inputs import Found

__all__ = ["add", "run"]

#: At most this share of the time goes into looking for files, however many there are.
_LOOKING_SHARE = 0.1


def add(commands: Commands) -> None:
    """Add the parser of the command."""
    parser = add_command(
        commands,
        "watch",
        run,
        help="read what arrives in a folder, such as a scanner's",
        text="Wait for files to arrive in folders, and read them as read does, into the same tree\n"
        "and summary. A file is read when it has not changed for a while, and again when it\n"
        "changes later. Files that end in .part, .tmp or .crdownload and hidden files are left\n"
        "alone. Ctrl-C ends it; in the middle of a page, with exit code 130.",
        epilog=EXIT_CODES,
    )
    parser.add_argument(
        "folders",
        metavar="FOLDER",
        nargs="+",
        help="folder of this machine, watched with its subfolders",
    )
    parser.add_argument(
        "-o", "--output", metavar="OUT", required=True, help="output folder, or a URL"
    )
    watching = parser.add_argument_group("watching")
    watching.add_argument("--once", action="store_true", help="read what is complete now, and end")
    watching.add_argument(
        "--settle",
        metavar="SECONDS",
        type=at_least(0, float),
        default=3.0,
        help="a file is complete when its size and time have not changed for so long (default: 3)",
    )
    watching.add_argument(
        "--interval",
        metavar="SECONDS",
        type=at_least(0.1, float),
        default=2.0,
        help="time between two looks (default: 2)",
    )
    add_reading(parser)


def run(args: argparse.Namespace) -> int:
    """Watch until interrupted, or once; return the exit code."""
    from ocr_batch.batch.arrivals import Arrivals
    from ocr_batch.batch.folder import OutputFolder
    from ocr_batch.batch.settings import settings_of
    from ocr_batch.batch.storage import is_url

    output = args.output if is_url(args.output) else Path(args.output)
    if args.output == "-":
        raise UsageError("watch writes into a folder; give one with -o.")
    folders = [Path(folder) for folder in args.folders]
    for name, folder in zip(args.folders, folders, strict=True):
        if is_url(name):
            raise UsageError(f"{name} can not be watched: only folders of this machine can.")
        if not folder.is_dir():
            raise InputError(f"There is no folder {folder} to watch; check the name.")
    job = reading_job(args, output_formats(args))
    settings = settings_of(job)
    arrivals = Arrivals(folders, args.settle, exclude=output)
    failed, away = 0, arrivals.away
    with OutputFolder(output, args.journal) as writable:
        arrivals.look(time.monotonic())
        pause = args.settle if args.once else args.interval
        while (found := _look_after(pause, arrivals)) is not None:
            if found:
                sink = writable.sink(found, settings, jobs=reading_jobs(args))
                totals = read_files(args, [str(item.path) for item in found], job, sink)
                failed += totals.failed
                report(args, totals)
            if args.once:
                break
            if arrivals.away != away and not args.quiet:
                say(_whereabouts(arrivals.away))
            away = arrivals.away
            pause = max(args.interval, arrivals.cost / _LOOKING_SHARE)
    if args.once and arrivals.pending and not args.quiet:
        say(f"{arrivals.pending} files are still being written; they are left for the next time.")
    return ImageError.exit_code if failed else 0


def _whereabouts(away: list[Path]) -> str:
    """Say which of the watched folders are not there."""
    if not away:
        return "All watched folders are there again."
    return f"{', '.join(map(str, away))}: not there any more; waiting for it to come back."


def _look_after(seconds: float, arrivals: Arrivals) -> list[Found] | None:
    """Wait, then look; None when somebody wants to end it. No page is under way then."""
    try:
        time.sleep(seconds)
        return arrivals.look(time.monotonic())
    except KeyboardInterrupt:
        return None
