"""``ocr-batch evaluate``: text that was read against the truth."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ocr_batch.commands.options import Commands, add_command, add_jobs, at_least, progress
from ocr_batch.errors import UsageError

if TYPE_CHECKING:
    from ocr_batch.evaluation.causes import PageBlame
    from ocr_batch.evaluation.report import Evaluation

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
    parser.add_argument(
        "--boxes",
        action="store_true",
        help="compare the characters' boxes too: the .csv files that `read --detail char` wrote "
        "with those that `render` wrote (needs other tables than --confidence)",
    )
    parser.add_argument(
        "--confidence",
        action="store_true",
        help="tell how far the words' confidences in the .csv files can be believed "
        "(those that `read` wrote without --detail char)",
    )
    parser.add_argument(
        "--against",
        metavar="OTHER",
        type=Path,
        help="another folder the pages were read into: tell by a paired bootstrap over pages "
        "whether it is better",
    )
    parser.add_argument(
        "--seed",
        metavar="N",
        type=at_least(0, int),
        help="with --against: of the bootstrap (default: 1)",
    )
    parser.add_argument(
        "--blame",
        metavar="IMAGES",
        help="folder or pattern of the pages' images: read them again and say which stage lost "
        "each wrong character",
    )
    parser.add_argument(
        "--pictures",
        metavar="FOLDER",
        type=Path,
        help="with --blame: write a picture of the worst cases of each cause there",
    )
    parser.add_argument(
        "--model",
        help="with --blame: name or folder of the model that OUT was read with (default: english)",
    )
    add_jobs(parser, "with --blame: reading processes")
    parser.add_argument("--json", action="store_true", help="print JSON for other programs")


def run(args: argparse.Namespace) -> int:
    """Print the comparison and return the exit code."""
    from ocr_batch.evaluation.report import evaluate_folders, format_evaluation, to_json

    _check(args)
    evaluation = evaluate_folders(Path(args.output), Path(args.truth), ignore_case=args.ignore_case)
    parts = [format_evaluation(evaluation, worst=args.worst, confusions=args.confusions)]
    more: dict[str, object] = {}
    if args.boxes:
        _add_boxes(args, parts, more)
    if args.confidence:
        _add_confidence(args, parts, more)
    if args.against is not None:
        _add_significance(args, evaluation, parts, more)
    if args.blame is not None:
        _add_blame(args, parts, more)
    text = to_json(evaluation, more) if args.json else "\n".join(parts)
    print(text.rstrip("\n"))
    return 0


def _add_boxes(args: argparse.Namespace, parts: list[str], more: dict[str, object]) -> None:
    from ocr_batch.evaluation.box_report import boxes_as_dict, evaluate_boxes, format_boxes

    found = evaluate_boxes(Path(args.output), Path(args.truth), ignore_case=args.ignore_case)
    parts.append(format_boxes(found, worst=args.worst))
    more["boxes"] = boxes_as_dict(found)


def _add_confidence(args: argparse.Namespace, parts: list[str], more: dict[str, object]) -> None:
    from ocr_batch.evaluation.confidence_report import (
        confidence_as_dict,
        evaluate_confidence,
        format_confidence,
    )

    found = evaluate_confidence(Path(args.output), Path(args.truth), ignore_case=args.ignore_case)
    parts.append(format_confidence(found))
    more["confidence"] = confidence_as_dict(found)


def _add_significance(
    args: argparse.Namespace, evaluation: Evaluation, parts: list[str], more: dict[str, object]
) -> None:
    from ocr_batch.evaluation.report import evaluate_folders
    from ocr_batch.evaluation.significance import (
        compare_scores,
        format_significance,
        significance_as_dict,
    )

    other = evaluate_folders(args.against, Path(args.truth), ignore_case=args.ignore_case)
    scores = ([page.score for page in one.pages] for one in (evaluation, other))
    result = compare_scores(*scores, seed=1 if args.seed is None else args.seed)
    names = args.output, str(args.against)
    parts.append(format_significance(result, *names, missing=other.missing))
    more["against"] = {**significance_as_dict(result), "missing": other.missing}


def _check(args: argparse.Namespace) -> None:
    """Refuse options that would do nothing, or that no folder can serve together."""
    given = {"--pictures": args.pictures, "--model": args.model, "--jobs": args.jobs}
    idle = [name for name, value in given.items() if value is not None]
    if idle and args.blame is None:
        raise UsageError(f"{idle[0]} does nothing without --blame IMAGES.")
    if args.seed is not None and args.against is None:
        raise UsageError("--seed does nothing without --against OTHER.")
    if args.boxes and args.confidence:
        raise UsageError(
            "--boxes needs tables of characters, --confidence tables of words. Read into two "
            "folders, one with --detail char, and evaluate each."
        )


def _add_blame(args: argparse.Namespace, parts: list[str], more: dict[str, object]) -> None:
    from ocr_batch.evaluation.blame_pictures import PICTURES, draw_blame
    from ocr_batch.evaluation.blame_report import blame_figures, format_blame
    from ocr_batch.evaluation.blaming import Blame, blame_pages, errors_of, find_tasks

    tasks, without = find_tasks([args.blame], Path(args.output), Path(args.truth))
    if args.pictures is not None:
        # Whether it can be written is known before anything is read.
        draw_blame((), args.pictures)
    with progress("page", quiet=args.json) as bar:

        def show(page: PageBlame, total: int) -> None:
            if page.failure:
                bar.tell(f"{page.name}: {page.failure}")
            bar.step(1, total)

        pages = blame_pages(
            tasks,
            args.model or "english",
            ignore_case=args.ignore_case,
            pictures=PICTURES if args.pictures is not None else 0,
            jobs=args.jobs,
            watch=show,
        )
    blame = Blame(pages, errors_of(without, ignore_case=args.ignore_case))
    parts.append(format_blame(blame))
    more["blame"] = blame_figures(blame)
    if args.pictures is not None:
        draw_blame(blame.cases, args.pictures)
