"""``ocr-batch compare``: several models on the same labelled characters."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ocr_batch.commands.options import Commands, add_command, say

if TYPE_CHECKING:
    from ocr_batch.training.comparison import Comparison, Row

__all__ = ["add", "run"]

_TEXT = """\
Compare models on the same labelled characters: accuracy, error reduction against the first,
McNemar's test, parameters, and crops per second.

A model is a bundle, or a folder of bundles that were trained alike with different seeds; then
the mean and the spread over them are given. Classes are matched by name, and the characters
are fitted to each model's own frame. SOURCE is what `ocr-batch train --data` takes; of
SOURCE@2 each crop is counted once."""
_EPILOG = """\
columns: +/- is the standard error of one bundle's accuracy, or the standard deviation over
the bundles of a folder. McNemar's p is that of the images only one of the two models reads
right, exact up to 50 of them; of folders all pairs of bundles are counted and averaged. Speed
is the median of five rounds in turns, after one to warm up, of the first bundle of a folder.

exit codes: 0 done; 1 wrong usage; 2 data can not be used; 3 model missing or not fitting."""


def add(commands: Commands) -> None:
    """Add the parser of the command."""
    parser = add_command(
        commands,
        "compare",
        run,
        help="compare models on the same labelled characters",
        text=_TEXT,
        epilog=_EPILOG,
    )
    parser.add_argument("first", metavar="A", help="name or folder of the model to compare with")
    parser.add_argument("others", metavar="B", nargs="+", help="models to compare")
    parser.add_argument(
        "--data",
        metavar="SOURCE",
        nargs="+",
        action="extend",
        required=True,
        help="labelled characters, as for train",
    )
    parser.add_argument(
        "--part",
        choices=("all", "test"),
        default="all",
        help="compare on all of the data, or on the part that training kept for the test, as the "
        "models' cards record it; --data has to name the same sources in the same order "
        "(default: all)",
    )
    parser.add_argument(
        "--only", metavar="CLASSES", help="count these true classes only: A-Z, a,b,c, or a file"
    )
    parser.add_argument(
        "--classes",
        metavar="NAMES",
        help="names of the classes in order, for data that numbers them: 0-9A-Z, a,b,c, or a file "
        "with one a line (default: the classes of A)",
    )
    parser.add_argument(
        "--fold-case",
        action="store_true",
        help="take small letters for capitals (with --part test: as in training)",
    )
    parser.add_argument(
        "--backend",
        metavar="NAME",
        default="auto",
        help="what runs the models (default: auto, what the machine has)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON for other programs")


def run(args: argparse.Namespace) -> int:
    """Print the comparison and return the exit code."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from ocr_batch.datasets.sources import parse_classes
    from ocr_batch.training.comparison import compare, open_contestant

    found = compare(
        [open_contestant(name, args.backend) for name in (args.first, *args.others)],
        args.data,
        part=args.part,
        only=parse_classes(args.only) if args.only else None,
        classes=parse_classes(args.classes) if args.classes else None,
        fold_case=args.fold_case,
    )
    if args.json:
        print(_to_json(found))
        return 0
    for note in found.notes:
        say(note)
    print(f"{found.images:,} images of {found.classes} classes ({found.part})\n")
    print("\n".join(_table(found.rows)))
    return 0


def _significance(p: float) -> str:
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def _cells(row: Row) -> tuple[str, ...]:
    test = row.test
    return (
        row.name,
        row.network,
        f"{row.accuracy.runs}",
        f"{100 * row.accuracy.mean:.2f}",
        f"{100 * row.accuracy.deviation:.2f}",
        f"{row.errors:,.1f}".removesuffix(".0"),
        "-" if row.reduction is None else f"{row.reduction:.1f}",
        "-" if test is None else f"{test.only_first:,}/{test.only_second:,}",
        "-" if test is None else _significance(test.p),
        f"{row.parameters:,}",
        f"{row.speed:,.0f}",
        row.backend,
    )


def _table(rows: Sequence[Row]) -> list[str]:
    """Return aligned lines: names to the left, numbers to the right."""
    head = (
        "model", "network", "runs", "accuracy %", "+/-", "errors", "fewer errors %",
        "right only A/this", "McNemar p", "parameters", "crops/s", "back end",
    )  # fmt: skip
    lines = [head, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    left = ("model", "network", "back end")
    return [
        "  ".join(
            cell.ljust(width) if title in left else cell.rjust(width)
            for title, cell, width in zip(head, line, widths, strict=True)
        ).rstrip()
        for line in lines
    ]


def _to_json(found: Comparison) -> str:
    from dataclasses import asdict

    return json.dumps(asdict(found), ensure_ascii=False, indent=2)
