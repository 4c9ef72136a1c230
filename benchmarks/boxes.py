"""Measure the boxes of characters on rendered and degraded pages whose boxes are known.

usage: python benchmarks/boxes.py TEXT... [--pages 50] [--seed 77] [--least 0.97]

TEXT is what the pages say: text files, and folders of them. Pages, truth and what was read stay
in the work folder. A true character counts when it is read right and its box overlaps the true
one by more than .7 (IoU), or, for marks under 8 pixels, has its centre within 2 pixels. Leaders
(three or more dots, hyphens or underscores) are counted apart. The exit code is 1 when the share
of the other characters is below --least.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from common import ROOT, own_command, own_environment, read_with_ours

from ocr_batch.evaluation.box_report import evaluate_boxes, format_boxes


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("text", metavar="TEXT", nargs="+", type=Path)
    parser.add_argument("--pages", type=int, default=50)
    parser.add_argument("--seed", type=int, default=77)
    parser.add_argument("--degrade", default="scan", help="as of ocr-batch render (default: scan)")
    parser.add_argument("--least", type=float, default=0.97, help="share (default: 0.97)")
    parser.add_argument("--worst", type=int, default=15, help="pages and characters to list")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "boxes")
    parser.add_argument("--reuse", action="store_true", help="take the pages that are there")
    parser.add_argument("--command", help="how to run ocr-batch (default: this checkout)")
    return parser.parse_args(argv)


def render(args: argparse.Namespace, command: Sequence[str], out: Path) -> None:
    """Render the pages, from scratch."""
    shutil.rmtree(out, ignore_errors=True)
    line = [*command, "render", *map(str, args.text), "-o", str(out), "--quiet"]
    line += ["--pages", str(args.pages), "--seed", str(args.seed), "--degrade", args.degrade]
    done = subprocess.run(line, env=own_environment(), check=False)
    if done.returncode != 0:
        sys.exit(f"ocr-batch render left with exit code {done.returncode}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; 1 when the boxes are not good enough."""
    args = parse(argv)
    command = own_command(args.command)
    made, read = args.work / "made", args.work / "read"
    if not args.reuse:
        render(args, command, made)
    read_with_ours(command, [made / "pages"], read, ["--detail", "char"])
    evaluation = evaluate_boxes(read, made / "truth")
    print(format_boxes(evaluation, worst=args.worst), end="")
    return 0 if evaluation.text.share >= args.least else 1


if __name__ == "__main__":
    sys.exit(main())
