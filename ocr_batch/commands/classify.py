"""``ocr-batch classify``: images of isolated characters into a table or a text."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from ocr_batch.commands.options import (
    Commands,
    add_command,
    at_least,
    listing,
    say,
    text_stream,
)
from ocr_batch.errors import ImageError, InputError, OutputError, TrainingError, UsageError

if TYPE_CHECKING:
    from ocr_batch.batch.classify import Classified, Scan
    from ocr_batch.batch.inputs import Found

__all__ = ["add", "run"]

#: Files of many images, as for training; the labels, if they have any, are not looked at.
_DATA_SUFFIXES = frozenset({".npz", ".pkl", ".pickle"})
_IDX = "-ubyte"


def add(commands: Commands) -> None:
    """Add the parser of the command."""
    parser = add_command(
        commands,
        "classify",
        run,
        help="tell what isolated characters are",
        text="Classify images that show one character each, dark on light or light on dark.\n"
        "The result is a table with a row an image, or a text with a line an image.",
    )
    parser.add_argument(
        "inputs",
        metavar="IMAGE",
        nargs="+",
        help="image file (each page is an image), folder (searched with its subfolders), or glob; "
        "- takes a list from standard input, one path a line; "
        "training data too (.npz, .pkl, idx)",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        default="-",
        help="FILE.csv gets a table, FILE.txt the labels alone; - prints the table (default: -)",
    )
    parser.add_argument(
        "--model",
        default="alphanumeric",
        help="name of a model for isolated characters, or path of a model's folder "
        "(default: alphanumeric)",
    )
    parser.add_argument(
        "--top",
        metavar="N",
        type=at_least(1, int),
        default=3,
        help="labels an image, likeliest first (default: 3)",
    )
    parser.add_argument(
        "--batch",
        metavar="N",
        type=at_least(1, int),
        default=1024,
        help="images that are classified together (default: 1024)",
    )
    parser.add_argument(
        "--backend",
        metavar="NAME",
        default="auto",
        help="what runs the classifier: litert-int8, litert-float or keras "
        "(default: auto, what the machine has)",
    )
    parser.add_argument(
        "--no-formula-guard",
        dest="formula_guard",
        action="store_false",
        help="leave fields that a spreadsheet would run as a formula as they are; "
        "otherwise they get an apostrophe",
    )
    parser.add_argument(
        "--quiet", action="store_true", help="print no progress, failures or summary line"
    )


@contextmanager
def _writing(output: str) -> Iterator[Callable[[str], None]]:
    """Give a function that writes to a file, which is there in the end or not at all."""
    from ocr_batch.output.files import open_atomic

    if output != "-":
        with open_atomic(Path(output)) as write_on:
            yield write_on
        return
    stream = text_stream()

    def write(text: str) -> None:
        try:
            stream.write(text)
            stream.flush()
        except OSError as error:
            raise OutputError(
                f"Can not write the result: {error.strerror or error}. "
                "Whatever reads the output has closed it, or there is no space left."
            ) from error

    yield write


@contextmanager
def _progress(quiet: bool, total: int) -> Iterator[Callable[[Classified], None]]:
    """Give a function that shows an image: failed ones always, a bar on a terminal."""
    if quiet:
        yield lambda result: None
        return
    from tqdm import tqdm

    on_terminal = sys.stderr.isatty()
    with tqdm(total=total, unit="image", dynamic_ncols=True, disable=not on_terminal) as bar:

        def show(result: Classified) -> None:
            if result.error is not None:
                text = f"{result.name}: {result.error}"
                if on_terminal:
                    tqdm.write(text, file=sys.stderr)
                else:
                    say(text)
            if not result.single and result.number > 1:
                bar.total = (bar.total or 0) + 1
            bar.update()

        yield show


def _is_data(path: Path) -> bool:
    name = path.name.lower().removesuffix(".gz")
    return path.is_file() and (Path(name).suffix in _DATA_SUFFIXES or name.endswith(_IDX))


def _data(path: Path) -> Iterator[Scan]:
    from ocr_batch.batch.classify import Scan
    from ocr_batch.datasets.unlabelled import read_images

    try:
        images = read_images(path)
    except TrainingError as error:
        yield Scan(str(path), 1, True, None, error)
        return
    for number, image in enumerate(images, 1):
        yield Scan(str(path), number, False, image, is_ink=True)


def _scans(found: Iterable[Found]) -> Iterator[Scan]:
    from ocr_batch.batch.classify import scan_files

    return chain.from_iterable(
        _data(item.local) if _is_data(item.local) else scan_files([str(item.local)])
        for item in found
    )


def _closing_line(counts: Counter[str], output: str) -> str:
    images = counts.total()
    parts = [f"{counts['classified']} classified"]
    parts += [f"{counts['blank']} blank"] if counts["blank"] else []
    parts += [f"{counts['failed']} failed"] if counts["failed"] else []
    where = "" if output == "-" else f". The result is in {output}"
    return f"{images} image{'' if images == 1 else 's'}: {', '.join(parts)}{where}."


def run(args: argparse.Namespace) -> int:
    """Classify the images and return the exit code."""
    kind = "csv" if args.output == "-" else Path(args.output).suffix.lower().lstrip(".")
    if kind not in ("csv", "txt"):
        raise UsageError(
            f"-o {args.output}: the name ends neither in .csv nor in .txt; give it one of them."
        )
    from ocr_batch.batch.classify import classify_scans, load_glyph_classifier
    from ocr_batch.batch.inputs import find_inputs
    from ocr_batch.output.labels import format_labels, label_columns
    from ocr_batch.output.table import format_rows

    found = find_inputs(args.inputs, listing=listing() if "-" in args.inputs else None)
    classifier = load_glyph_classifier(args.model, args.backend)
    top = min(args.top, len(classifier.card.classes))
    results = classify_scans(_scans(found), classifier, top=top, batch=args.batch)
    counts: Counter[str] = Counter()
    with _progress(args.quiet, len(found)) as show, _writing(args.output) as write:
        if kind == "csv":
            write(format_rows([label_columns(top)]))
        for result in results:
            if kind == "csv":
                row = format_labels(
                    result.name,
                    result.labels,
                    result.confidences,
                    top,
                    formula_guard=args.formula_guard,
                )
            else:
                row = f"{result.label}\n"
            write(row)
            state = "classified" if result.labels else "failed" if result.error else "blank"
            counts[state] += 1
            show(result)
    if not args.quiet:
        say(_closing_line(counts, args.output))
    if not counts["failed"]:
        return 0
    return ImageError.exit_code if counts["failed"] < counts.total() else InputError.exit_code
