"""What every command that reads pages shares: its options, and what they make of a run."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ocr_batch.commands.options import Parser, Progress, add_jobs, at_least, progress, say
from ocr_batch.errors import UsageError

if TYPE_CHECKING:
    from ocr_batch.batch.device_report import DeviceReport
    from ocr_batch.batch.job import RenderJob
    from ocr_batch.batch.options import ReadOptions
    from ocr_batch.batch.process import Process
    from ocr_batch.batch.run import Engine, Step, Totals
    from ocr_batch.batch.sinks import Sink
    from ocr_batch.recognition.options import DecoderOptions

__all__ = [
    "add_reading",
    "output_formats",
    "read_files",
    "read_options",
    "reading_job",
    "reading_jobs",
    "report",
]

#: Weights of the decoder that leave nothing to read below a number.
_LEAST = {"margin": 0, "beam": 0, "width": 1}


def _formats(value: str) -> tuple[str, ...]:
    from ocr_batch.output.writers import WRITERS

    names = tuple(dict.fromkeys(name.strip().lower() for name in value.split(",")))
    for name in names:
        if name not in WRITERS:
            known = ", ".join(WRITERS)
            raise argparse.ArgumentTypeError(f"unknown format {name!r}; there are {known}")
    return names


def _batch(value: str) -> int:
    from ocr_batch.recognition.classifier import LARGEST_BATCH

    number = int(at_least(1, int)(value))
    if number > LARGEST_BATCH:
        raise argparse.ArgumentTypeError(f"{value} is not {LARGEST_BATCH} or less")
    return number


def add_reading(parser: Parser) -> argparse._ArgumentGroup:
    """Add the options of everything that reads pages; return the group on running."""
    files = parser.add_argument_group("output")
    files.add_argument(
        "--format",
        metavar="NAMES",
        type=_formats,
        help="files for each page, separated by commas: txt, csv (default: txt,csv)",
    )
    files.add_argument(
        "--detail",
        choices=("word", "char"),
        default="word",
        help="a row of the CSV is a word or a character (default: word)",
    )
    files.add_argument(
        "--no-formula-guard",
        dest="formula_guard",
        action="store_false",
        help="leave words in the CSV that a spreadsheet would run as a formula as they are; "
        "otherwise they get an apostrophe",
    )
    reading = parser.add_argument_group("reading")
    reading.add_argument(
        "--model",
        default="english",
        help="name of a model, or path of a model's folder (default: english)",
    )
    reading.add_argument(
        "--no-deskew", dest="deskew", action="store_false", help="leave slanted pages as they are"
    )
    reading.add_argument(
        "--no-orient",
        dest="orient",
        action="store_false",
        help="leave pages that stand sideways or upside down as they are",
    )
    reading.add_argument(
        "--decoder",
        metavar="NAME=NUMBER",
        action="append",
        default=[],
        help="set a weight of the decoder, for experiments (language=0.3); may be repeated",
    )
    running = parser.add_argument_group("running")
    add_jobs(running, "reading processes")
    running.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=at_least(0, float),
        help="time limit for a page; 0 for none (default: 120)",
    )
    running.add_argument(
        "--backend",
        metavar="NAME",
        default="auto",
        help="what runs the classifier (default: auto, what the machine has)",
    )
    running.add_argument(
        "--batch-size",
        metavar="N",
        type=_batch,
        help="characters classified at a time, 1 to 65536 (default: what suits the back end)",
    )
    running.add_argument(
        "--journal",
        metavar="PATH",
        type=Path,
        help="file that keeps what is done, for the next run (default: hidden in OUT)",
    )
    running.add_argument(
        "--profile",
        action="store_true",
        help="print at the end the seconds that each stage took, by the clock, summed over all "
        "processes; pages that failed are not in it",
    )
    running.add_argument(
        "--quiet", action="store_true", help="print no progress, failures or summary line"
    )
    return running


def _decoder(settings: Sequence[str]) -> DecoderOptions:
    from ocr_batch.recognition.options import DecoderOptions

    options = DecoderOptions()
    known = {field.name: type(getattr(options, field.name)) for field in fields(options)}
    for setting in settings:
        name, _, number = setting.partition("=")
        if name not in known:
            raise UsageError(f"The decoder has no weight {name!r}; there are {', '.join(known)}.")
        try:
            weight = known[name](number)
        except ValueError:
            kind = "whole number" if known[name] is int else "number"
            raise UsageError(f"--decoder {setting}: {number!r} is not a {kind}.") from None
        # Any other finite number is an experiment; these would lose every line without a word.
        if not math.isfinite(weight) or weight < _LEAST.get(name, -math.inf):
            raise UsageError(f"--decoder {setting}: no line could be read with {name} {number}.")
        options = replace(options, **{name: weight})
    return options


def read_options(args: argparse.Namespace) -> ReadOptions:
    """Return the options of reading that were given.

    Raises
    ------
    UsageError
        If a weight of the decoder is unknown or not a number.
    """
    from ocr_batch.batch.options import ReadOptions

    return ReadOptions(deskew=args.deskew, orient=args.orient, decoder=_decoder(args.decoder))


def output_formats(args: argparse.Namespace) -> tuple[str, ...]:
    """Return the formats to write.

    Raises
    ------
    UsageError
        If what is asked for can not be written to standard output.
    """
    if args.output != "-":
        return args.format or ("txt", "csv")
    if args.format not in (None, ("txt",)):
        raise UsageError("-o - prints text only; give an output folder for other formats.")
    if args.journal:
        raise UsageError("-o - keeps no journal; give an output folder with --journal.")
    return ("txt",)


def reading_job(args: argparse.Namespace, formats: tuple[str, ...]) -> RenderJob:
    """Return what reads and writes pages as the options of the command say.

    Raises
    ------
    UsageError
        If an option makes no sense, or the back end can not run the bundle.
    BundleError
        If there is no such bundle.
    """
    from ocr_batch.batch.job import PageJob, RenderJob
    from ocr_batch.output.writers import Style
    from ocr_batch.recognition.bundle import find_bundle
    from ocr_batch.recognition.classifier import choose_backend

    options = read_options(args)
    backend = choose_backend(find_bundle(args.model), args.backend)
    style = Style(args.detail, args.formula_guard)
    return RenderJob(PageJob(args.model, backend, options, args.batch_size), formats, style)


def reading_jobs(args: argparse.Namespace) -> int:
    """Return how many processes read; 0 for as many as a cluster has cores."""
    from ocr_batch.batch.local import available_cores

    if args.jobs or getattr(args, "ray_address", None):
        return int(args.jobs or 0)
    return available_cores()


def read_files(
    args: argparse.Namespace,
    sources: Sequence[str],
    job: RenderJob,
    sink: Sink,
    staff: Sequence[Process] = (),
    engine: Engine | None = None,
) -> Totals:
    """Read files into a sink, as the options say, and show how it goes on.

    Parameters
    ----------
    args : argparse.Namespace
        Of a parser with the options of `add_reading`.
    sources : sequence of str
    job : RenderJob
        From `reading_job`.
    sink : Sink
    staff : sequence of Process
        Processes of this machine that were started early.
    engine : Engine, optional
        What reads the files and classifies; by default processes of this machine.
    """
    from ocr_batch.batch.classifying import classifying
    from ocr_batch.batch.local import DEFAULT_TIMEOUT, run_processes
    from ocr_batch.batch.run import read_all
    from ocr_batch.recognition.bundle import find_bundle

    pages, jobs = job.pages, reading_jobs(args)
    with (
        nullcontext()
        if engine
        else classifying(find_bundle(pages.model), pages.backend, pages.batch) as process,
        progress("page", quiet=args.quiet) as bar,
    ):
        if process is not None:
            job = replace(job, pages=replace(pages, address=process.address))
            # While one waits for its characters another one can work.
            jobs += not args.jobs
        totals = read_all(
            sources,
            job,
            sink,
            jobs=jobs,
            timeout=DEFAULT_TIMEOUT if args.timeout is None else args.timeout,
            watch=lambda step: _show(bar, step),
            engine=engine or partial(run_processes, staff=staff),
        )
        return totals if process is None else replace(totals, device=process.report())


def _show(bar: Progress, step: Step) -> None:
    """Name a page that failed, and count those that are done."""
    row = step.row
    if row is not None and row.error:
        bar.tell(f"{row.source}, page {row.page}: {row.error}")
    bar.step(step.done, step.total)


def report(args: argparse.Namespace, totals: Totals) -> None:
    """Say what came of the pages, and where the time went if that is wanted."""
    if not args.quiet:
        say(_closing_line(totals, args.output))
    if args.profile:
        say(_profile(totals))
        if totals.device:
            say(_device_line(totals.device))


def _closing_line(totals: Totals, output: str) -> str:
    pages = f"{totals.pages} page" + ("" if totals.pages == 1 else "s")
    parts = [f"{totals.read} read"]
    parts += [f"{totals.empty} without text"] if totals.empty else []
    parts += [f"{totals.failed} failed"] if totals.failed else []
    written = output != "-" and (totals.read or totals.empty)
    where = f". The text is in {output}" if written else ""
    if totals.failed and output != "-":
        place = f"{output.rstrip('/')}/pages.csv" if "://" in output else Path(output, "pages.csv")
        where += f", the errors are in {place}"
    before = f", {totals.earlier} from an earlier run" if totals.earlier else ""
    return f"{pages}{before}: {', '.join(parts)}{where}."


def _profile(totals: Totals) -> str:
    """Return the table of stages."""
    total = sum(totals.seconds.values())
    pages = max(1, totals.read + totals.empty - totals.earlier)
    lines = [f"{'stage':<10}{'seconds':>10}{'ms a page':>11}{'share':>8}"]
    for stage, spent in [*totals.seconds.items(), ("all", total)]:
        share = spent / total if total else 0.0
        lines.append(f"{stage:<10}{spent:>10.2f}{1000 * spent / pages:>11.1f}{share:>8.1%}")
    return "\n".join(lines)


def _device_line(report: DeviceReport) -> str:
    wall = report.wall or 1.0
    full = report.crops / (report.batches * report.batch) if report.batches else 0.0
    deaths = f", died {report.deaths} times" if report.deaths else ""
    return (
        f"classified by Keras on {report.device or 'the CPU'}: {report.crops} characters, "
        f"{report.crops / wall:.0f} a second, in {report.batches} batches of {report.batch}, "
        f"{full:.0%} full; busy {report.busy / wall:.1%} of {report.wall:.1f} seconds, "
        f"idle while characters waited {report.late / wall:.1%}{deaths}"
    )
