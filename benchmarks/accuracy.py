"""Compare what ocr-batch reads with the truth, and with what Tesseract reads.

usage: python benchmarks/accuracy.py SET... [--tesseract] [--bootstrap] [--referee score.py]
       python benchmarks/accuracy.py SET... --compare OUT_A OUT_B

Each SET is a folder with images/ and gt/ (PAGE.png and PAGE.txt). The outputs stay in the work
folder, as WORK/LABEL/SET for ours and WORK/tesseract/SET: Tesseract's are made once, ours each
time (--reuse takes those that are there). Two runs under different labels can be compared:

    python benchmarks/accuracy.py bench/dev/* --label before
    python benchmarks/accuracy.py bench/dev/* --label after
    python benchmarks/accuracy.py bench/dev/* --compare WORK/before WORK/after
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from common import (
    OTHERS,
    ROOT,
    available_cores,
    find_pages,
    format_table,
    own_command,
    read_with_other,
    read_with_ours,
)

from ocr_batch.evaluation.metrics import Totals
from ocr_batch.evaluation.report import Evaluation, evaluate_folders
from ocr_batch.evaluation.significance import RESAMPLES, compare_scores

_FIGURES = ("CER", "median", "WER", "bagF1")


@dataclass(frozen=True)
class PageSet:
    """A folder of pages with their truth; `key` tells sets of the same name apart."""

    name: str
    key: str
    folder: Path
    ignore_case: bool

    @property
    def images(self) -> Path:
        """Folder of the pages."""
        return self.folder / "images"

    @property
    def truth(self) -> Path:
        """Folder of their texts."""
        return self.folder / "gt"


def find_sets(folders: Sequence[Path], ignore_case: Sequence[str]) -> list[PageSet]:
    """Return the sets, each with a short name that no other has."""
    sets = []
    for folder in (path.resolve() for path in folders):
        if not (folder / "images").is_dir() or not (folder / "gt").is_dir():
            sys.exit(f"{folder} is no page set: it needs the folders images/ and gt/")
        alone = sum(other.resolve().name == folder.name for other in folders) == 1
        name = folder.name if alone else f"{folder.parent.name}/{folder.name}"
        digest = hashlib.sha256(str(folder).encode("utf-8", "surrogateescape")).hexdigest()[:6]
        folded = any(fnmatch(folder.name, pattern) for pattern in ignore_case)
        sets.append(PageSet(name, f"{folder.name}-{digest}", folder, folded))
    return sets


def run_tesseract(pages: PageSet, out: Path, jobs: int) -> None:
    """Read the pages that have not been read yet, or have changed since."""
    images = find_pages([pages.images])

    def is_fresh(image: Path) -> bool:
        text = out / f"{image.stem}.txt"
        return text.exists() and text.stat().st_mtime >= image.stat().st_mtime

    missing = [image for image in images if not is_fresh(image)]
    for image in read_with_other(OTHERS["tesseract"], missing, out, jobs):
        print(f"tesseract can not read {image}; it counts as empty", file=sys.stderr)


def ask_referee(script: Path, pages: PageSet, out: Path) -> dict[str, float]:
    """Return the figures of a scoring script that prints them as JSON."""
    line = [sys.executable, str(script), str(pages.truth), str(out), "--json"]
    line += ["--ignore-case"] if pages.ignore_case else []
    answer = subprocess.run(line, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        sys.exit(f"{script} failed: {answer.stderr.strip()}")
    figures: dict[str, float] = json.loads(answer.stdout)
    return figures


def differences(totals: Totals, referee: dict[str, float]) -> list[str]:
    """Return the figures in which the referee does not agree with us."""
    ours = {
        "pages": totals.pages,
        "chars": totals.chars,
        "CER": totals.cer,
        "WER": totals.wer,
        "bagF1": totals.bag_f1,
        "medianCER": totals.median_cer,
        "p90CER": totals.p90_cer,
    }
    return [
        f"{name}: ours {ours.get(name)}, referee {value}"
        for name, value in referee.items()
        if name not in ours or not math.isclose(ours[name], value, rel_tol=1e-12, abs_tol=1e-15)
    ]


def bootstrap(one: Evaluation, other: Evaluation, resamples: int, seed: int) -> list[str]:
    """Return the cells of a row: each figure of one minus other over resampled pages.

    After it come its 95 % interval and the share of the resamples in which it is below zero.
    """
    scores = [[page.score for page in done.pages] for done in (other, one)]
    cells = []
    for change in compare_scores(*scores, resamples=resamples, seed=seed).changes:
        interval = f"{change.low:+.4f} .. {change.high:+.4f}"
        cells += [f"{change.difference:+.4f}", interval, f"{change.better:.3f}"]
    return cells


def figures(evaluation: Evaluation) -> list[str]:
    """Return the cells of an engine's columns."""
    totals = evaluation.totals
    return [f"{value:.4f}" for value in (totals.cer, totals.median_cer, totals.wer, totals.bag_f1)]


def output_folder(given: Path, pages: PageSet, alone: bool) -> Path:
    """Return where the outputs for a set are in a folder of outputs."""
    for folder in (given / pages.key, given / pages.folder.name):
        if folder.is_dir():
            return folder
    if alone and given.is_dir():
        return given
    sys.exit(f"no outputs for {pages.name} in {given}")


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sets", metavar="SET", nargs="+", type=Path)
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "accuracy")
    parser.add_argument("--label", default="ours", help="name of our outputs (default: ours)")
    parser.add_argument("--reuse", action="store_true", help="take our outputs as they are")
    parser.add_argument("--command", help="how to run ocr-batch (default: this checkout)")
    parser.add_argument(
        "--option",
        dest="options",
        action="append",
        default=[],
        metavar="ARG",
        help="argument for ocr-batch read, again for more, as in --option=--jobs --option=2",
    )
    parser.add_argument("--tesseract", action="store_true", help="run Tesseract as well")
    parser.add_argument("--jobs", type=int, default=available_cores(), help="of Tesseract")
    parser.add_argument(
        "--compare", nargs=2, type=Path, metavar=("OUT_A", "OUT_B"), help="read nothing"
    )
    parser.add_argument(
        "--ignore-case", action="append", default=[], metavar="NAME", help="sets, as a pattern"
    )
    parser.add_argument("--bootstrap", action="store_true", help="of the difference, over pages")
    parser.add_argument("--resamples", type=int, default=RESAMPLES)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--referee", type=Path, help="script whose figures ours must equal")
    args = parser.parse_args(argv)
    if args.label == "tesseract":
        parser.error("--label tesseract is taken")
    if args.tesseract and not OTHERS["tesseract"].installed:
        parser.error("--tesseract: it is not installed")
    return args


def make_outputs(args: argparse.Namespace, sets: Sequence[PageSet]) -> list[dict[str, Path]]:
    """Read the sets, or find what was read; return for each set the folder of each column."""
    if args.compare:
        a, b = args.compare
        names = (a.name, b.name) if a.name != b.name else (str(a), str(b))
        return [
            {
                name: output_folder(given, pages, alone=len(sets) == 1)
                for name, given in zip(names, (a, b), strict=True)
            }
            for pages in sets
        ]
    outputs = []
    for pages in sets:
        folders = {args.label: args.work / args.label / pages.key}
        if not args.reuse:
            command = own_command(args.command)
            read_with_ours(command, [pages.images], folders[args.label], args.options)
        if args.tesseract:
            folders["tesseract"] = args.work / "tesseract" / pages.key
            run_tesseract(pages, folders["tesseract"], args.jobs)
        outputs.append(folders)
    return outputs


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; 1 when the referee does not agree."""
    args = parse(argv)
    sets = find_sets(args.sets, args.ignore_case)
    outputs = make_outputs(args, sets)
    rows, changes, quarrels = [], [], []
    for pages, folders in zip(sets, outputs, strict=True):
        done = {
            name: evaluate_folders(folder, pages.truth, ignore_case=pages.ignore_case)
            for name, folder in folders.items()
        }
        cells = [cell for evaluation in done.values() for cell in figures(evaluation)]
        first = next(iter(done.values()))
        rows.append([pages.name, str(first.totals.pages), *cells])
        if args.bootstrap and len(done) == 2:
            one, other = done.values()
            changes.append([pages.name, *bootstrap(one, other, args.resamples, args.seed)])
        if args.referee:
            quarrels += [
                f"{pages.name}, {name}: {text}"
                for name, folder in folders.items()
                for text in differences(done[name].totals, ask_referee(args.referee, pages, folder))
            ]
    engines = list(outputs[0])
    head = [f"{engine} {figure}" for engine in engines for figure in _FIGURES]
    print(format_table(["set", "pages", *head], rows))
    if changes:
        print(f"\n{engines[0]} minus {engines[1]}, {args.resamples} resamples of pages")
        head = ["set"]
        for name in ("CER", "median", "WER"):
            head += [name, "95 %", "share < 0"]
        print(format_table(head, changes))
    elif args.bootstrap:
        print("\n--bootstrap needs two columns: add --tesseract, or --compare OUT_A OUT_B")
    if args.referee:
        print("\n" + ("\n".join(quarrels) or f"Our figures equal those of {args.referee}."))
    return 1 if quarrels else 0


if __name__ == "__main__":
    sys.exit(main())
