"""Time two versions of ocr-batch against each other, alternately, stage by stage.

    python benchmarks/versions.py OLD NEW PAGE_OR_FOLDER... [--limit 12] [--rounds 3] [--group 4]

OLD and NEW are folders that hold `ocr_batch` and `models` (a checkout, a copy), or commits of this
repository. Each version is one process of one thread; both read the same few pages in turn, so that
what else the machine does falls on both. Times are of the processor, not of the clock. Pages whose
text or whose characters' boxes and confidences differ are counted, so that a change that is meant
to alter nothing is known to do so.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import unified_diff
from io import BytesIO
from pathlib import Path
from typing import Any

from common import ROOT, find_pages, format_table

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass
class Version:
    """A process that reads with one version, and what it took.

    Attributes
    ----------
    process : subprocess.Popen
    rounds : list of dict
        Processor seconds by stage, a dictionary a round.
    texts : dict
        By page: its text, and its characters with boxes and confidences.
    """

    process: subprocess.Popen[str]
    rounds: list[dict[str, float]] = field(default_factory=list)
    texts: dict[str, list[str]] = field(default_factory=dict)

    def ask(self, pages: Sequence[Path]) -> dict[str, Any]:
        """Have pages read together; return the seconds by stage and the texts."""
        assert self.process.stdin and self.process.stdout
        print(json.dumps([str(page) for page in pages]), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            sys.exit("a version ended early; its message is above")
        return dict(json.loads(line))


@contextmanager
def source_of(name: str) -> Iterator[Path]:
    """Give the folder of a version: the folder itself, or a commit laid out in a temporary one."""
    if (Path(name) / "ocr_batch").is_dir():
        yield Path(name).resolve()
        return
    done = subprocess.run(
        ["git", "-C", str(ROOT), "archive", name, "ocr_batch", "models"],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{name} is neither a folder with ocr_batch nor a commit")
    with tempfile.TemporaryDirectory(prefix="ocr-batch-version-") as folder:
        with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
            archive.extractall(folder, filter="data")
        yield Path(folder)


@contextmanager
def serving(folder: Path, model: str) -> Iterator[Version]:
    """Start the process of a version."""
    environment = {**os.environ, **dict.fromkeys(_ONE_THREAD, "1")}
    environment.pop("PYTHONPATH", None)
    process = subprocess.Popen(
        [sys.executable, __file__, "--serve", str(folder), model],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Version(process)
    finally:
        process.kill()
        process.wait()


def serve(folder: str, model: str) -> None:
    """Read what is asked for, until the end of the input."""
    sys.path.insert(0, folder)
    import cv2

    from ocr_batch.batch.pipeline import StageTimer, load_models, read_sheets
    from ocr_batch.imaging.load import load_page
    from ocr_batch.output.writers import WRITERS, Style

    class CpuTimer(StageTimer):
        @contextmanager
        def stage(self, name: str) -> Iterator[None]:
            start = time.process_time()
            yield
            spent = time.process_time() - start
            self.seconds[name] = self.seconds.get(name, 0.0) + spent

    cv2.setNumThreads(1)
    models = load_models(str(Path(folder) / "models" / model))
    for line in sys.stdin:
        timer = CpuTimer()
        start = time.process_time()
        with timer.stage("load image"):
            sheets = [load_page(path) for path in json.loads(line)]
        pages = read_sheets(sheets, models, timer=timer)
        with timer.stage("format"):
            # What a run writes; the characters are for the comparison only.
            texts = [
                [writer.format(page, Style()) for writer in WRITERS.values()] for page in pages
            ]
        spent = time.process_time() - start
        timer.seconds["other"] = spent - sum(timer.seconds.values())
        timer.seconds["all"] = spent
        characters = [WRITERS["csv"].format(page, Style("char")) for page in pages]
        kept = [[text[0], detail] for text, detail in zip(texts, characters, strict=True)]
        print(json.dumps({"seconds": timer.seconds, "texts": kept}), flush=True)


def compare(old: Version, new: Version, pages: Sequence[Path], group: int, rounds: int) -> None:
    """Read all pages with both, `group` at a time; the first group warms both up."""
    groups = [pages[first : first + group] for first in range(0, len(pages), group)]
    for version in (old, new):
        version.ask(groups[0])
    for number in range(rounds):
        for version in (old, new):
            version.rounds.append({})
        for place, together in enumerate(groups):
            for version in (old, new) if (number + place) % 2 else (new, old):
                answer = version.ask(together)
                total = version.rounds[-1]
                for stage, spent in answer["seconds"].items():
                    total[stage] = total.get(stage, 0.0) + spent
                version.texts.update(
                    (str(page), text) for page, text in zip(together, answer["texts"], strict=True)
                )


def report(old: Version, new: Version, pages: int) -> str:
    """Return the table of stages: the quickest round of each, in milliseconds a page."""
    rows = []
    stages = [*new.rounds[0], *(stage for stage in old.rounds[0] if stage not in new.rounds[0])]
    for stage in sorted(stages, key=lambda name: name == "all"):
        before, after = (
            1000 * min(one.get(stage, 0.0) for one in version.rounds) / pages
            for version in (old, new)
        )
        ratio = f"{after / before:.2f}" if before > 0 else ""
        rows.append([stage, f"{before:.1f}", f"{after:.1f}", ratio])
    table = format_table([f"CPU ms a page, {pages} pages", "old", "new", "new / old"], rows)
    texts = [page for page in old.texts if old.texts[page][0] != new.texts[page][0]]
    details = [page for page in old.texts if old.texts[page] != new.texts[page]]
    return (
        f"{table}\n\ntext differs on {len(texts)} pages, "
        f"text, boxes or confidences on {len(details)}"
    )


def differences(old: Version, new: Version) -> Iterator[str]:
    """Yield the lines that differ, page by page."""
    for page, before in old.texts.items():
        lines = before[0].splitlines(), new.texts[page][0].splitlines()
        yield from unified_diff(*lines, page, page, n=0, lineterm="")


def main() -> int:
    """Run the benchmark."""
    if sys.argv[1:2] == ["--serve"]:
        serve(*sys.argv[2:])
        return 0
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("old", metavar="OLD", help="folder or commit")
    parser.add_argument("new", metavar="NEW", help="folder or commit")
    parser.add_argument("pages", metavar="PAGE_OR_FOLDER", nargs="+", type=Path)
    parser.add_argument("--limit", type=int, metavar="N", help="N pages, spread over all")
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    parser.add_argument("--group", type=int, default=4, help="pages read together (default: 4)")
    parser.add_argument("--model", default="english", help="a folder of models/ (default: english)")
    parser.add_argument("--diff", action="store_true", help="print the lines that differ")
    args = parser.parse_args()
    pages = find_pages(args.pages, args.limit)
    with (
        source_of(args.old) as before,
        source_of(args.new) as after,
        serving(before, args.model) as old,
        serving(after, args.model) as new,
    ):
        compare(old, new, pages, args.group, max(1, args.rounds))
        print(report(old, new, len(pages)))
        if args.diff:
            print("\n".join(differences(old, new)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
