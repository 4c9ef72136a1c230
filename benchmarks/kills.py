"""Kill ocr-batch at random moments, let it go on each time, and compare with an undisturbed run.

usage: python benchmarks/kills.py PAGE_OR_FOLDER... --work DIR [--kills 25] [--seed N] [--limit N]

Reads the pages once without a disturbance. Then reads them into another folder, and kills the run
and all its processes with SIGKILL at random moments: while it starts, reads or ends. Each time it
is called again and has to go on. Where it ends before its moment has come, the folder is compared
and the rest of the kills goes to a new one. Every file must be the same, byte for byte, but the
hidden journal. Prints a line for each kill; exits with 1 on any difference.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from common import FINISHED, find_pages, own_command, own_environment
from processes import family

_JOURNAL = ".ocr-batch."
_PROC = Path("/proc")


def tree(folder: Path) -> dict[str, bytes]:
    """Return all files of a folder but the journal."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in found
        if not path.name.startswith(_JOURNAL)
    }


def start(line: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """Start a run; what it says goes to a file."""
    with log.open("ab") as stream:
        return subprocess.Popen(
            line, env=own_environment(), stdout=stream, stderr=stream, start_new_session=True
        )


def kill_after(line: Sequence[str], seconds: float, log: Path) -> bool:
    """Start a run and kill it with all its processes after so long; False when it ended before."""
    process = start(line, log)
    with suppress(subprocess.TimeoutExpired):
        code = process.wait(seconds)
        if code not in FINISHED:
            sys.exit(f"a resumed run left with exit code {code}:\n{log.read_text()}")
        return False
    for pid in family(process.pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()
    return True


def finish(line: Sequence[str], out: Path, log: Path) -> tuple[float, float]:
    """Run to the end; return the seconds to the first file and to the end."""
    begin = time.perf_counter()
    process = start([*line, "-o", str(out)], log)
    first = 0.0
    while process.poll() is None:
        if not first and any(out.rglob("*.txt")):
            first = time.perf_counter() - begin
        time.sleep(0.02)
    if process.returncode not in FINISHED:
        sys.exit(f"a run left with exit code {process.returncode}:\n{log.read_text()}")
    return first, time.perf_counter() - begin


def differences(one: dict[str, bytes], other: dict[str, bytes]) -> list[str]:
    """Return the names of files that only one has, or that differ."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pages", metavar="PAGE_OR_FOLDER", nargs="+", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="new folder for the outputs")
    parser.add_argument("--kills", type=int, default=25, metavar="N", help="default: 25")
    parser.add_argument("--seed", type=int, default=1, help="of the moments (default: 1)")
    parser.add_argument("--limit", type=int, metavar="N", help="N pages, spread over all")
    parser.add_argument("--options", default="", help="options for read, such as '--jobs 2'")
    parser.add_argument("--command", help="how to run ocr-batch (default: this checkout)")
    args = parser.parse_args(argv)
    if args.work.exists():
        parser.error(f"--work: {args.work} exists already")
    if not _PROC.exists():
        parser.error("this system does not list its processes in /proc")
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run the comparison; 1 when a file differs."""
    args = parse(argv)
    pages = find_pages(args.pages, args.limit)
    args.work.mkdir(parents=True)
    log = args.work / "log.txt"
    # Files one by one: all of the same folder, in one order, however they were found.
    line = [*own_command(args.command), "read", *map(str, pages), *args.options.split()]
    first, seconds = finish(line, args.work / "whole", log)
    whole = tree(args.work / "whole")
    print(f"{len(pages)} files, {len(whole)} outputs; undisturbed {seconds:.1f} s", flush=True)
    # Moments are uniform from 0 on, and such that the kills leave time for the pages about once:
    # on average a run reads for a share of the whole before it is killed.
    share = (seconds - first) / max(1, args.kills)
    longest = first + share + math.sqrt(share * (share + 2 * first))
    moments = random.Random(args.seed)
    bad = False
    kills = folders = 0
    while kills < args.kills:
        folders += 1
        out = args.work / f"killed-{folders}"
        ended = False
        while kills < args.kills and not ended:
            moment = moments.uniform(0, longest)
            ended = not kill_after([*line, "-o", str(out)], moment, log)
            kills += not ended
            done = len(tree(out)) if out.exists() else 0
            event = f"ended before {moment:.2f} s" if ended else f"kill {kills} at {moment:.2f} s"
            print(f"{event}: {done} of {len(whole)} files are there", flush=True)
        finish(line, out, log)
        wrong = differences(whole, tree(out))
        bad |= bool(wrong)
        print(f"{out.name}: " + (f"DIFFERS: {', '.join(wrong[:10])}" if wrong else "the same"))
    print(f"{kills} kills, {folders} folders: " + ("FAILED" if bad else "all files are the same"))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
