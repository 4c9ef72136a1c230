"""Parse the command line, call the library, print, and turn errors into exit codes."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TextIO

from ocr_batch import __version__
from ocr_batch.errors import OcrBatchError, OutputError, UsageError

if TYPE_CHECKING:
    from ocr_batch.batch.pipeline import ReadOptions
    from ocr_batch.batch.run import Step, Totals
    from ocr_batch.recognition.decoder import DecoderOptions

__all__ = ["build_parser", "main"]

_BUG = 15
_INTERRUPTED = 130
_EXIT_CODES = """\
exit codes: 0 all pages read; 1 wrong usage; 2 no readable input; 3 model missing or
incompatible; 4 output not writable; 5 some pages failed, the rest is written;
130 interrupted, what was read is written; 15 a bug."""


class _Parser(argparse.ArgumentParser):
    """A parser whose errors leave through `main` like all others."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}\n{self.format_usage().rstrip()}\nSee {self.prog} --help.")


def _formats(value: str) -> tuple[str, ...]:
    from ocr_batch.output.writers import WRITERS

    names = tuple(dict.fromkeys(name.strip().lower() for name in value.split(",")))
    for name in names:
        if name not in WRITERS:
            known = ", ".join(WRITERS)
            raise argparse.ArgumentTypeError(f"unknown format {name!r}; there are {known}")
    return names


def _at_least(least: int, kind: Callable[[str], float]) -> Callable[[str], float]:
    def number(value: str) -> float:
        try:
            result = kind(value)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{value!r} is not a number") from None
        if not least <= result < float("inf"):
            raise argparse.ArgumentTypeError(f"{value} is not {least} or more")
        return result

    return number


def _add_read(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "read",
        help="read scanned pages into text and CSV files",
        description="Read scanned pages. OUT gets a .txt and a .csv file for each page, in the\n"
        "same tree as the input, and pages.csv, which lists every page and what came of it.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=_read)
    parser.add_argument(
        "inputs",
        metavar="INPUT",
        nargs="+",
        help="image or PDF file, folder (searched with its subfolders), or glob; "
        "- takes a list from standard input, one path a line",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        required=True,
        help="output folder; - prints the text instead, in input order, UTF-8, "
        "with a form feed between pages",
    )
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
    running.add_argument(
        "--jobs",
        metavar="N",
        type=_at_least(1, int),
        help="reading processes, one core each (default: one for each core)",
    )
    running.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=_at_least(0, float),
        help="time limit for a page; 0 for none (default: 120)",
    )
    running.add_argument(
        "--backend",
        metavar="NAME",
        default="auto",
        help="what runs the classifier (default: auto, what the machine has)",
    )
    running.add_argument(
        "--quiet", action="store_true", help="print no progress, failures or summary line"
    )


def _add_evaluate(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "evaluate",
        help="compare text that was read with the truth",
        description="Compare the .txt files in OUT with those of the same names in TRUTH.",
    )
    parser.set_defaults(run=_evaluate)
    parser.add_argument("output", metavar="OUT", help="folder that pages were read into")
    parser.add_argument("truth", metavar="TRUTH", help="folder with the true text of each page")
    parser.add_argument(
        "--ignore-case", action="store_true", help="take upper and lower case as the same"
    )
    parser.add_argument(
        "--worst",
        metavar="N",
        type=_at_least(0, int),
        default=10,
        help="how many of the worst pages to list (default: 10)",
    )
    parser.add_argument(
        "--confusions",
        metavar="N",
        type=_at_least(0, int),
        default=20,
        help="how many confusions to list (default: 20)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON for other programs")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = _Parser(
        prog="ocr-batch",
        description="Batch OCR: a folder of scanned pages in, text and CSV per page out.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"ocr-batch {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    _add_read(commands)
    _add_evaluate(commands)
    return parser


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _decoder(settings: Sequence[str]) -> DecoderOptions:
    from ocr_batch.recognition.decoder import DecoderOptions

    options = DecoderOptions()
    known = {field.name: type(getattr(options, field.name)) for field in fields(options)}
    for setting in settings:
        name, _, number = setting.partition("=")
        if name not in known:
            raise UsageError(f"The decoder has no weight {name!r}; there are {', '.join(known)}.")
        try:
            options = replace(options, **{name: known[name](number)})
        except ValueError:
            kind = "whole number" if known[name] is int else "number"
            raise UsageError(f"--decoder {setting}: {number!r} is not a {kind}.") from None
    return options


def _options(args: argparse.Namespace) -> ReadOptions:
    from ocr_batch.batch.pipeline import ReadOptions

    return ReadOptions(deskew=args.deskew, orient=args.orient, decoder=_decoder(args.decoder))


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[Step], None]]:
    """Give a function that shows a step: failed pages always, a bar on a terminal."""
    if quiet:
        yield lambda step: None
        return

    def failure(step: Step) -> str | None:
        row = step.row
        if row is None or not row.error:
            return None
        return f"{row.source}, page {row.page}: {row.error}"

    if not sys.stderr.isatty():

        def report(step: Step) -> None:
            if text := failure(step):
                _say(text)

        yield report
        return

    from tqdm import tqdm

    with tqdm(unit="page", dynamic_ncols=True, smoothing=0.1, file=sys.stderr) as bar:

        def show(step: Step) -> None:
            bar.total = step.total
            if text := failure(step):
                tqdm.write(text, file=sys.stderr)
            bar.update(step.row is not None)

        yield show


def _closing_line(totals: Totals, output: str) -> str:
    pages = f"{totals.pages} page" + ("" if totals.pages == 1 else "s")
    parts = [f"{totals.read} read"]
    parts += [f"{totals.empty} without text"] if totals.empty else []
    parts += [f"{totals.failed} failed"] if totals.failed else []
    written = output != "-" and (totals.read or totals.empty)
    where = f". The text is in {output}" if written else ""
    if totals.failed and output != "-":
        where += f", the errors are in {Path(output) / 'pages.csv'}"
    return f"{pages}: {', '.join(parts)}{where}."


def _text_stream() -> TextIO:
    """Return standard output, as UTF-8 with its line ends left alone whatever the locale."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace", newline="")
    return sys.stdout


def _listing() -> Iterator[str]:
    """Return the lines of standard input as the file system would spell them."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        return (os.fsdecode(line) for line in sys.stdin.buffer)
    return iter(sys.stdin)


def _drop_stdout() -> None:
    """Let what is still to be printed go nowhere: nobody reads it any more."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _read(args: argparse.Namespace) -> int:
    from ocr_batch.batch.inputs import find_inputs
    from ocr_batch.batch.job import PageJob, RenderJob
    from ocr_batch.batch.local import DEFAULT_TIMEOUT, available_cores
    from ocr_batch.batch.run import read_all
    from ocr_batch.batch.sinks import FolderSink, Sink, StreamSink
    from ocr_batch.output.writers import Style
    from ocr_batch.recognition.bundle import find_bundle

    to_stream = args.output == "-"
    formats = args.format or (("txt",) if to_stream else ("txt", "csv"))
    if to_stream and formats != ("txt",):
        raise UsageError("-o - prints text only; give an output folder for other formats.")
    found = find_inputs(
        args.inputs,
        listing=_listing() if "-" in args.inputs else None,
        exclude=None if to_stream else Path(args.output),
    )
    sources = [str(item.path) for item in found]
    options = _options(args)
    # Before anything is written: a wrong name is no reason to make a folder.
    find_bundle(args.model)
    sink: Sink = (
        StreamSink(_text_stream(), sources)
        if to_stream
        else FolderSink.over(Path(args.output), found)
    )
    job = RenderJob(
        PageJob(args.model, args.backend, options),
        formats,
        Style(args.detail, args.formula_guard),
    )
    with _progress(args.quiet) as watch:
        totals = read_all(
            sources,
            job,
            sink,
            jobs=int(args.jobs or available_cores()),
            timeout=DEFAULT_TIMEOUT if args.timeout is None else args.timeout,
            watch=watch,
        )
    if not args.quiet:
        _say(_closing_line(totals, args.output))
    return totals.exit_code


def _evaluate(args: argparse.Namespace) -> int:
    from ocr_batch.evaluation.report import evaluate_folders, format_evaluation, to_json

    evaluation = evaluate_folders(Path(args.output), Path(args.truth), ignore_case=args.ignore_case)
    if args.json:
        text = to_json(evaluation)
    else:
        text = format_evaluation(evaluation, worst=args.worst, confusions=args.confusions)
    print(text.rstrip("\n"))
    return 0


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; those of the process when not given.

    Returns
    -------
    int
        The exit code.
    """
    # A batch system that ends the run is no worse than a person who does.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        args = build_parser().parse_args(argv)
        return int(args.run(args))
    except KeyboardInterrupt:
        _say("ocr-batch: interrupted; what was written so far is kept.")
        return _INTERRUPTED
    except OutputError as error:
        if isinstance(error.__cause__, BrokenPipeError):
            _drop_stdout()
        else:
            _say(f"ocr-batch: {error}")
        return error.exit_code
    except OcrBatchError as error:
        _say(f"ocr-batch: {error}")
        return error.exit_code
    except BrokenPipeError:
        _drop_stdout()
        return OutputError.exit_code
    except Exception:
        _say(traceback.format_exc())
        _say("ocr-batch: this is a bug; please report it with the lines above.")
        return _BUG
