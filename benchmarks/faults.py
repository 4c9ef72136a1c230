"""Read good pages with faulty files among them, and check what ocr-batch makes of each.

usage: python benchmarks/faults.py PAGE_OR_FOLDER... [--limit N] [--copy] [--work DIR]

Links (or copies) the pages given into a folder, plants the faults beside them, runs ocr-batch read
on it, and checks that the run ends by itself with exit code 5, that every good page was read, that
pages.csv names each fault with the right status, and that nothing half-written is left. Prints a
row for each check; exits with 1 when one fails.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from common import find_pages, own_command, own_environment
from PIL import Image, ImageFilter, TiffImagePlugin

_SOME_FAILED = 5
_FAULTS = "faults"


@dataclass(frozen=True)
class Planted:
    """A planted file, and the statuses that are right for each of its pages."""

    what: str
    path: Path
    pages: tuple[tuple[str, ...], ...]


_READ, _EMPTY, _FAILED = ("read",), ("empty",), ("failed",)


def write_text_as_png(path: Path) -> None:
    """Write a text that is called an image."""
    path.write_text("These are words, not pixels.\n" * 40, "utf-8")


def write_truncated_jpeg(path: Path, page: Image.Image) -> None:
    """Write a JPEG and cut its second half off."""
    whole = io.BytesIO()
    page.convert("L").save(whole, "JPEG", quality=85)
    path.write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])


def write_broken_tiff(path: Path, page: Image.Image) -> None:
    """Write a TIFF of three pages and overwrite the pixels of the second."""
    grey = page.convert("L")
    grey.save(path, save_all=True, append_images=[grey, grey], compression="tiff_adobe_deflate")
    with TiffImagePlugin.TiffImageFile(path) as image:
        image.seek(1)
        offsets, lengths = (image.tag_v2[tag] for tag in (273, 279))
    content = bytearray(path.read_bytes())
    for offset, length in zip(offsets, lengths, strict=True):
        content[offset : offset + length] = b"\xa5" * length
    path.write_bytes(content)


def make_picture(height: int, width: int, seed: int) -> Image.Image:
    """Return something like a photograph: soft shapes, shades and grain, no text."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    shade = 90 + 90 * x + 40 * np.sin(5 * y + 3 * x)
    for _ in range(25):
        centre_y, centre_x, size = random.uniform(0, 1, 3)
        distance = np.hypot(y - centre_y, (x - centre_x) * random.uniform(0.5, 2))
        shade += random.uniform(-60, 60) / (1 + np.exp((distance - 0.3 * size) * 60))
    shade += random.normal(0, 8, shade.shape)
    image = Image.fromarray(np.clip(shade, 0, 255).astype(np.uint8))
    return image.filter(ImageFilter.GaussianBlur(1))


def write_huge_header(path: Path, side: int = 60_000) -> None:
    """Write a PNG of a few bytes that claims `side` x `side` pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


def plant(folder: Path, donor: Path) -> list[Planted]:
    """Write every fault into a folder; `donor` is a good page to make them from."""
    folder.mkdir()
    with Image.open(donor) as image:
        image.load()
        page = image.convert("L")
    planted = []

    def add(what: str, name: str, *pages: tuple[str, ...]) -> Path:
        planted.append(Planted(what, folder / name, pages))
        return folder / name

    add("zero-byte file", "zero.png", _FAILED).touch()
    write_truncated_jpeg(add("truncated JPEG", "truncated.jpg", _FAILED), page)
    write_text_as_png(add("text file named .png", "text.png", _FAILED))
    name = "broken.tif"
    write_broken_tiff(add("TIFF, page 2 of 3 broken", name, _READ, _FAILED, _READ), page)
    Image.new("L", page.size, 255).save(add("blank page", "blank.png", _EMPTY))
    picture = make_picture(1400, 1000, seed=1)
    picture.save(add("picture without text", "picture.png", _EMPTY))
    # Too small to be anything: without text, or refused; either is an answer.
    Image.new("L", (1, 1), 0).save(add("1-pixel image", "pixel.png", _EMPTY + _FAILED))
    write_huge_header(add("header claims 60,000 x 60,000", "huge.png", _FAILED))
    add("dangling symlink", "dangling.png", _FAILED).symlink_to(folder / "nowhere.png")
    page.save(add("same name, other extension: .png", "twin.png", _READ))
    page.save(add("same name, other extension: .jpg", "twin.jpg", _READ), quality=90)
    page.save(add("non-ASCII name", "d\u00e9j\u00e0 vu \u2014 \u65e5\u672c.png", _READ))
    return planted


def link_pages(pages: Sequence[Path], folder: Path, copy: bool) -> list[Path]:
    """Put the good pages into a folder, under numbered names that can not meet."""
    folder.mkdir()
    made = []
    for number, page in enumerate(pages):
        path = folder / f"{number:05d}-{page.name}"
        if copy:
            shutil.copyfile(page, path)
        else:
            path.symlink_to(page.resolve())
        made.append(path)
    return made


@dataclass(frozen=True)
class Check:
    """One thing that has to be so."""

    what: str
    fine: bool
    note: str


def read_summary(out: Path) -> list[dict[str, str]]:
    """Return the rows of pages.csv, none when it is not there."""
    try:
        with (out / "pages.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        return []


def check_files(row: Mapping[str, str], out: Path) -> str:
    """Return what is wrong with the files of a page, given its row in pages.csv."""
    texts = [Path(f"{out / row['output']}{suffix}") for suffix in (".txt", ".csv")]
    if row["status"] == "failed":
        return "" if row["error"].strip() else "no error is given"
    missing = [path.name for path in texts if not path.is_file()]
    if missing:
        return f"no {' and '.join(missing)}"
    if row["status"] == "read" and not texts[0].read_text("utf-8").strip():
        return f"{texts[0].name} is empty"
    return ""


def check_pages(
    rows: Sequence[Mapping[str, str]], path: Path, expected: Sequence[Sequence[str]], out: Path
) -> tuple[bool, str]:
    """Tell whether a file has the right rows and the files that go with them."""
    own = sorted((row for row in rows if row["source"] == str(path)), key=lambda r: int(r["page"]))
    numbers = [int(row["page"]) for row in own]
    if numbers != list(range(1, len(expected) + 1)):
        return False, f"has rows for pages {numbers or 'none'} in pages.csv"
    statuses = ", ".join(row["status"] for row in own)
    wrong = any(row["status"] not in fine for row, fine in zip(own, expected, strict=True))
    faults = [fault for fault in (check_files(row, out) for row in own) if fault]
    errors = [row["error"] for row in own if row["error"]]
    return not wrong and not faults, "; ".join([statuses, *faults, *errors])


def check(
    rows: Sequence[Mapping[str, str]], good: Sequence[Path], planted: Sequence[Planted], out: Path
) -> list[Check]:
    """Check what the run wrote."""
    checks = []
    for item in planted:
        fine, note = check_pages(rows, item.path, item.pages, out)
        checks.append(Check(item.what, fine, note))
    unread = []
    for path in good:
        fine, note = check_pages(rows, path, [_READ], out)
        unread += [] if fine else [f"{path.name} ({note})"]
    note = f"{len(good) - len(unread)} of {len(good)}"
    checks.append(Check("good pages read", not unread, "; ".join([note, *unread[:3]])))
    written = [row["output"] for row in rows if row["status"] != "failed"]
    twice = [name for name, count in Counter(written).items() if count > 1]
    checks.append(
        Check("an output for each page", not twice, f"{len(written)} {twice[:3] or ''}".strip())
    )
    known = {str(path) for path in good} | {str(item.path) for item in planted}
    stray = sorted({row["source"] for row in rows} - known)
    checks.append(
        Check("no other rows in pages.csv", not stray, f"{len(rows)} {stray[:3] or ''}".strip())
    )
    drafts = [path.name for path in out.rglob("*.tmp")]
    checks.append(Check("nothing half-written left", not drafts, " ".join(drafts[:3])))
    return checks


def run(command: Sequence[str], source: Path, out: Path, limit: float) -> tuple[list[Check], str]:
    """Read the folder; return the checks of the run itself, and what it said."""
    start = time.perf_counter()
    line = [*command, "read", str(source), "-o", str(out)]
    # A session of its own: when the time is up, its reading processes end with it.
    with subprocess.Popen(
        line,
        env=own_environment(),
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            said = process.communicate(timeout=limit)[1]
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            return [Check("ends by itself", False, f"not within {limit:g} s")], ""
    seconds = time.perf_counter() - start
    return [
        Check("ends by itself", True, f"{seconds:.1f} s"),
        Check("exit code 5", process.returncode == _SOME_FAILED, str(process.returncode)),
        Check("no traceback", "Traceback" not in said, ""),
    ], said


def single_page(page: Path) -> bool:
    """Tell whether a file is an image of one page."""
    with Image.open(page) as image:
        return getattr(image, "n_frames", 1) == 1


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pages", metavar="PAGE_OR_FOLDER", nargs="+", type=Path)
    parser.add_argument("--limit", type=int, metavar="N", help="N good pages, spread over all")
    parser.add_argument("--donor", type=Path, help="page to make faults from (default: the first)")
    parser.add_argument("--copy", action="store_true", help="copy the pages (default: link them)")
    parser.add_argument("--work", type=Path, help="new folder to work in, kept (default: none)")
    parser.add_argument("--time-limit", type=float, default=3600.0, help="of the run, in seconds")
    parser.add_argument("--command", help="how to run ocr-batch (default: this checkout)")
    args = parser.parse_args(argv)
    if args.work and args.work.exists():
        parser.error(f"--work: {args.work} exists already")
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run the checks; 1 when one of them fails."""
    args = parse(argv)
    pages = [page for page in find_pages(args.pages, args.limit) if single_page(page)]
    with tempfile.TemporaryDirectory(prefix="ocr-batch-faults-") as scratch:
        work = args.work.resolve() if args.work else Path(scratch)
        source, out = work / "in", work / "out"
        source.mkdir(parents=True)
        good = link_pages(pages, source / "good", args.copy)
        planted = plant(source / _FAULTS, args.donor or pages[0])
        checks, said = run(own_command(args.command), source, out, args.time_limit)
        checks += check(read_summary(out), good, planted, out)
    width = max(len(one.what) for one in checks)
    for one in checks:
        print(f"{'ok' if one.fine else 'FAILED':<6}  {one.what:<{width}}  {one.note}".rstrip())
    failed = sum(not one.fine for one in checks)
    if failed:
        print(f"\n{failed} of {len(checks)} checks failed. The run said:\n{said}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
