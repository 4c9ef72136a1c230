"""``ocr-batch render``: text and fonts into pages whose every character is known."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ocr_batch.commands.options import (
    Commands,
    add_command,
    add_jobs,
    at_least,
    progress,
    say,
    share,
)
from ocr_batch.errors import UsageError

if TYPE_CHECKING:
    from ocr_batch.rendering.folder import PageOptions

__all__ = ["add", "page_options", "run"]

_TEXT = """\
Render pages of text as scans would show them. OUT gets pages/NAME.png, truth/NAME.txt
with the text as it is laid out, and truth/NAME.csv with a box for every character, in
the form of `ocr-batch read --detail char`. What TEXT says is set in many layouts, with
headings, page numbers and figures made up. A row whose confidence is 0 stands for a
character of which too little ink is left to read it.

  ocr-batch render books/ -o synthetic --pages 50 --degrade light
  ocr-batch read synthetic/pages -o read
  ocr-batch evaluate read synthetic/truth"""


def _kind(value: str) -> str:
    from ocr_batch.rendering.makeup import KINDS

    if value not in KINDS:
        known = ", ".join(KINDS)
        raise argparse.ArgumentTypeError(f"unknown kind of page {value!r}; there are {known}")
    return value


def add(commands: Commands) -> None:
    """Add the parser of the command."""
    parser = add_command(
        commands,
        "render",
        run,
        help="render text in fonts into pages with the boxes of characters",
        text=_TEXT,
    )
    parser.add_argument(
        "text",
        metavar="TEXT",
        nargs="+",
        type=Path,
        help="UTF-8 text file, or folder that is searched for .txt files, best a sub-folder a "
        "genre; several pages' worth of text at least",
    )
    parser.add_argument("-o", "--output", metavar="OUT", required=True, type=Path, help="folder")
    parser.add_argument(
        "--pages",
        metavar="N",
        type=at_least(1, int),
        help="how many (default: 20; with --crops 700)",
    )
    parser.add_argument(
        "--seed",
        metavar="N",
        type=at_least(0, int),
        default=1,
        help="the same seed, text, fonts and options give the same files (default: 1)",
    )
    parser.add_argument(
        "--fonts",
        metavar="PATH",
        nargs="+",
        action="extend",
        default=[],
        help="font files, or folders of them, instead of the installed fonts; after TEXT",
    )
    parser.add_argument(
        "--detail",
        choices=("char", "word"),
        default="char",
        help="a row of the CSV is a character or a word (default: char)",
    )
    looks = parser.add_argument_group("how pages look")
    looks.add_argument(
        "--degrade",
        choices=("none", "light", "scan", "heavy"),
        default="scan",
        help="none: as rendered; light: clean scans; scan: good and poor ones as they come; "
        "heavy: poor ones (default: scan)",
    )
    looks.add_argument(
        "--kind",
        metavar="NAME",
        type=_kind,
        help="book, report, letter, columns, tables, contents, form, transcript, references or "
        "symbols (default: by chance)",
    )
    looks.add_argument(
        "--x-height",
        metavar="PIXELS",
        type=at_least(6, float),
        help="height of a small x before the page is degraded, which may scale it down "
        "(default: by chance, mostly 16 to 34, as print at 300 dpi)",
    )
    looks.add_argument(
        "--characters",
        metavar="N",
        type=at_least(1, int),
        help="about how many are on a page (default: by chance, 1000 to 2500)",
    )
    looks.add_argument(
        "--distractors",
        metavar="SHARE",
        type=share,
        default=0.1,
        help="share of pages with a picture, a stamp, dirt or the like (default: 0.1)",
    )
    crops = parser.add_argument_group("training data for the page reader")
    crops.add_argument(
        "--crops",
        action="store_true",
        help="write labelled crops of characters and of wrong cuts for `ocr-batch train`, "
        "instead of pages; the same command again goes on where it was interrupted, and adds "
        "pages when there are to be more",
    )
    crops.add_argument(
        "--validation-pages",
        metavar="N",
        type=at_least(0, int),
        help="pages in fonts of other designs, for validation (default: 40)",
    )
    add_jobs(parser, "rendering processes")
    parser.add_argument("--quiet", action="store_true", help="print no progress or closing line")


def page_options(args: argparse.Namespace) -> PageOptions:
    """Return how pages are to be rendered."""
    from ocr_batch.rendering.folder import PageOptions

    return PageOptions(
        kind=args.kind,
        degrade=args.degrade,
        characters=args.characters,
        x_height=args.x_height,
        distractors=args.distractors,
    )


def run(args: argparse.Namespace) -> int:
    """Render the pages and return the exit code."""
    if args.validation_pages is not None and not args.crops:
        raise UsageError("--validation-pages goes with --crops only.")
    out = args.output.resolve()
    for text in args.text:
        if text.resolve() in (out, *out.parents):
            raise UsageError(
                f"{args.output} lies in {text}: its own truth would be rendered in the next run. "
                "Choose another output folder."
            )
    return _crops(args) if args.crops else _pages(args)


def _jobs(args: argparse.Namespace) -> int:
    from ocr_batch.batch.local import available_cores

    return int(args.jobs or available_cores())


def _pages(args: argparse.Namespace) -> int:
    from ocr_batch.rendering.folder import PAGES, TRUTH, FolderPlan, render_folder

    plan = FolderPlan(
        text=args.text,
        out=args.output,
        pages=FolderPlan.pages if args.pages is None else args.pages,
        seed=args.seed,
        fonts=args.fonts,
        detail=args.detail,
        page=page_options(args),
    )
    with progress("page", quiet=args.quiet) as bar:
        render_folder(plan, _jobs(args), lambda done: bar.step(done, plan.pages))
    if not args.quiet:
        count = f"{plan.pages} page" + ("" if plan.pages == 1 else "s")
        say(f"{count} in {plan.out / PAGES}, the truth in {plan.out / TRUTH}.")
    return 0


def _crops(args: argparse.Namespace) -> int:
    from ocr_batch.training.generate import Plan, generate

    plan = Plan(
        corpus=args.text,
        out=args.output,
        pages=Plan.pages if args.pages is None else args.pages,
        validation_pages=(
            Plan.validation_pages if args.validation_pages is None else args.validation_pages
        ),
        seed=args.seed,
        fonts=args.fonts,
        page=page_options(args),
    )
    with progress("page", quiet=args.quiet) as bar:
        generate(plan, _jobs(args), bar.step)
    if not args.quiet:
        say(f"The crops of {plan.pages} and {plan.validation_pages} pages are in {plan.out}.")
    return 0
