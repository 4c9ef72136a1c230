"""``ocr-batch harvest``: pages and their transcripts to labelled crops for training."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ocr_batch.commands.options import (
    Commands,
    Progress,
    add_command,
    add_jobs,
    at_least,
    progress,
    say,
    share,
)

if TYPE_CHECKING:
    from ocr_batch.datasets.harvested import HarvestedPage
    from ocr_batch.training.harvest import HarvestSummary

__all__ = ["add", "run"]

_TEXT = """\
Read pages whose text is known, align each with its transcript, and write its characters as
labelled crops, for `ocr-batch train --base MODEL --data DATA`. Labels that are doubtful are
dropped; a picture shows crops of every class, those first that were misread: mine.contact.png
beside mine.npz, contact.png in a folder.

TRUTH is a folder of .txt files named as `ocr-batch read` names its output (a/b.png has
a/b.txt, page 3 of b.tif has b-0003.txt), or the text of a single page. Line ends need not be
those of the page, and words broken there may be joined."""
_EPILOG = """\
exit codes: 0 done; 1 wrong usage; 2 nothing to harvest; 3 model missing or incompatible;
4 output not writable; 5 some pages failed, the rest is written; 130 interrupted; 15 a bug."""
_SOME_FAILED = 5


def _hold_back(value: str) -> float:
    number = share(value)
    if number == 1:
        raise argparse.ArgumentTypeError(f"{value} leaves no page to harvest")
    return number


def add(commands: Commands) -> None:
    """Add the parser of the command."""
    parser = add_command(
        commands,
        "harvest",
        run,
        help="turn pages and their transcripts into labelled crops for training",
        text=_TEXT,
        epilog=_EPILOG,
    )
    parser.add_argument(
        "pages", metavar="PAGES", nargs="+", help="image or PDF files, folders, or globs"
    )
    parser.add_argument("truth", metavar="TRUTH", type=Path, help="their transcripts")
    parser.add_argument(
        "-o",
        "--output",
        metavar="DATA",
        required=True,
        type=Path,
        help="one compressed file if it ends in .npz, else a folder",
    )
    parser.add_argument(
        "--model",
        default="english",
        help="name or folder of the model to read with (default: english)",
    )
    parser.add_argument(
        "--min-confidence",
        metavar="SHARE",
        type=share,
        default=0.7,
        help="drop labels that are less likely right than this (default: 0.7)",
    )
    parser.add_argument(
        "--hold-back",
        metavar="SHARE",
        type=_hold_back,
        default=0.2,
        help="share of the pages to keep out, for the check after fine-tuning (default: 0.2)",
    )
    parser.add_argument(
        "--seed",
        metavar="N",
        type=at_least(0, int),
        default=0,
        help="chooses the pages held back and the easy crops left out (default: 0)",
    )
    add_jobs(parser, "reading processes")
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=at_least(0, float),
        help="time limit for a page; 0 for none (default: 120)",
    )
    parser.add_argument(
        "--backend",
        metavar="NAME",
        default="auto",
        help="what runs the classifier (default: auto, what the machine has)",
    )
    parser.add_argument(
        "--quiet", action="store_true", help="print no progress, failures or summary"
    )


def _show(bar: Progress, page: HarvestedPage, total: int) -> None:
    """Name a page that failed, and count it."""
    if page.error:
        bar.tell(f"{page.name}: {page.error}")
    bar.step(1, total)


def _closing_lines(summary: HarvestSummary, without: int, output: Path) -> list[str]:
    harvested = sum(page.crops > 0 for page in summary.pages)
    parts = [f"{harvested} harvested", f"{summary.held_back} held back"]
    parts += [f"{len(summary.failed)} failed"] if summary.failed else []
    parts += [f"{without} without a transcript"] if without else []
    share = summary.labelled / max(1, summary.characters)
    return [
        f"Pages: {', '.join(parts)}.",
        f"{summary.labelled:,} of {summary.characters:,} characters were labelled ({share:.1%}), "
        f"{summary.misread:,} of them misread.",
        f"{summary.crops:,} crops are in {output}; look at {summary.sheet}.",
    ]


def run(args: argparse.Namespace) -> int:
    """Harvest and return the exit code."""
    from ocr_batch.alignment.pairs import find_pairs
    from ocr_batch.batch.local import DEFAULT_TIMEOUT
    from ocr_batch.training.harvest import HarvestOptions, harvest_pages

    pairs, without = find_pairs(args.pages, args.truth)
    options = HarvestOptions(
        model=args.model,
        min_confidence=args.min_confidence,
        hold_back=args.hold_back,
        seed=args.seed,
        jobs=args.jobs or 0,
        backend=args.backend,
        timeout=DEFAULT_TIMEOUT if args.timeout is None else args.timeout,
    )
    if not args.quiet:
        for name in without:
            say(f"{name}: no transcript in {args.truth}")
    with progress("page", quiet=args.quiet) as bar:
        summary = harvest_pages(
            pairs, args.output, options, lambda done, total, page: _show(bar, page, total)
        )
    if not args.quiet:
        for line in _closing_lines(summary, len(without), args.output):
            say(line)
    return _SOME_FAILED if summary.failed else 0
