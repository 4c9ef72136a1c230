"""``ocr-batch evaluate``: text that was read against the truth."""

from __future__ import annotations

import argparse
from pathlib import Path

from ocr_batch.commands.options import Commands, add_command, at_least

__all__ = ["add", "run"]


def add(commands: Commands) -> None:
    """Add the parser of the command."""
    parser = add_command(
        commands,
        "evaluate",
        run,
        help="compare text that was read with the truth",
        text="Compare the .txt files in OUT with those of the same names in TRUTH.",
    )
    parser.add_argument("output", metavar="OUT", help="folder that pages were read into")
    parser.add_argument("truth", metavar="TRUTH", help="folder with the true text of each page")
    parser.add_argument(
        "--ignore-case", action="store_true", help="take upper and lower case as the same"
    )
    parser.add_argument(
        "--worst",
        metavar="N",
        type=at_least(0, int),
        default=10,
        help="how many of the worst pages to list (default: 10)",
    )
    parser.add_argument(
        "--confusions",
        metavar="N",
        type=at_least(0, int),
        default=20,
        help="how many confusions to list (default: 20)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON for other programs")


def run(args: argparse.Namespace) -> int:
    """Print the comparison and return the exit code."""
    from ocr_batch.evaluation.report import evaluate_folders, format_evaluation, to_json

    evaluation = evaluate_folders(Path(args.output), Path(args.truth), ignore_case=args.ignore_case)
    if args.json:
        text = to_json(evaluation)
    else:
        text = format_evaluation(evaluation, worst=args.worst, confusions=args.confusions)
    print(text.rstrip("\n"))
    return 0
