"""Make the sample pages: render, degrade and save small pages of many kinds with their truth.

Usage: ``python -m ocr_batch.rendering.samples OUT``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ocr_batch.rendering import sample_texts as texts
from ocr_batch.rendering.composition import Cell, Habits, words_of
from ocr_batch.rendering.degradation import Degradation
from ocr_batch.rendering.fonts import Face, find_faces
from ocr_batch.rendering.press import Press

__all__ = ["SAMPLES", "Sample", "make_samples"]

Grey = npt.NDArray[np.uint8]

#: The folder of the truth, beside the pages.
TRUTH = "truth"


@dataclass(frozen=True)
class Sample:
    """A sample: file name, resolution, its pages (grey, text), and whether it is 1-bit."""

    name: str
    dpi: int
    pages: tuple[tuple[Grey, str], ...]
    bilevel: bool = False


def _book_page(faces: Sequence[Face], seed: int) -> Sample:
    habits = Habits(ligatures=1.0, loose_points=0.08, sentence_space=1.5, jitter=0.01)
    press = Press(
        faces, "Old Standard TT, CMU Serif", width=4.6, dpi=300, points=11, seed=seed,
        habits=habits, weight=0.2,
    )  # fmt: skip
    small = press.pen(0.85)
    press.cells(
        Cell(words_of("12", small), press.left, press.measure, "left"),
        Cell(words_of("DOWN THE RABBIT-HOLE", small), press.left, press.measure, "centre"),
        drop=0.5,
    )
    press.block(0.7)
    for text in texts.ALICE:
        press.paragraph(text, align="justify", indent=1.5 * press.em)
    how = Degradation(bilevel=True, spread=0.01, roughness=0.25, grain=1.4, specks=1.5, turn=0.15)
    return Sample("book-page.png", 300, (press.scan(how),), bilevel=True)


def _typed_letter(faces: Sequence[Face], seed: int) -> Sample:
    habits = Habits(typed=True, wear=0.6, sentence_space=2.0)
    press = Press(
        faces, "Courier Prime, Nimbus Mono PS", width=8.0, dpi=200, points=11.5, seed=seed,
        margin=0.9, leading=1.15, habits=habits, weight=0.2,
    )  # fmt: skip
    for number, text in enumerate(texts.LETTER):
        if number:
            press.block(0.9)
        align = "centre" if number == 0 else "left"
        if "\n" in text or len(text) < 60:
            for line in text.split("\n"):
                press.line(line, align)
        else:
            press.paragraph(text)
    how = Degradation(
        paper=226, ink=52, texture=3, noise=2, light=18, fade=0.15, roughness=0.3, mottle=0.2,
        focus=0.8, turn=-0.3, jpeg=0,
    )  # fmt: skip
    return Sample("typed-letter.jpg", 200, (press.scan(how),))


def _two_columns(faces: Sequence[Face], seed: int) -> Sample:
    press = Press(
        faces, "Nimbus Roman, Liberation Serif", width=7.0, dpi=300, points=10, seed=seed,
        habits=Habits(ligatures=1.0), leading=1.2,
    )  # fmt: skip
    press.line("SECOND INAUGURAL ADDRESS", "centre", press.pen(1.4, bold=True), 0.6)
    press.line("March 4, 1865", "centre", press.pen(italic=True), 1.3)
    press.block(0.6)
    whole, gutter, top = press.measure, 0.3 * 300, press.y
    press.measure = (whole - gutter) / 2
    lines = [line for text in texts.INAUGURAL for line in press.filled(text, press.em)]
    half = (len(lines) + 1) // 2
    for number, cell in enumerate(lines):
        if number == half:
            press.block()
            press.left += press.measure + gutter
            press.y = top
        press.cells(replace(cell, x=press.left + cell.x))
    press.left = 0.7 * 300
    press.y = top + half * press.leading
    how = Degradation(bilevel=True, spread=0.015, roughness=0.15, specks=0.5)
    return Sample("two-columns.tif", 300, (press.scan(how),), bilevel=True)


def _table(faces: Sequence[Face], seed: int) -> Sample:
    press = Press(
        faces, "Nimbus Sans, Liberation Sans", width=6.2, dpi=300, points=10, seed=seed,
        leading=1.6,
    )  # fmt: skip
    title, head, rows, note = texts.TABLE
    bold = press.pen(bold=True)
    press.line(title, pen=bold, drop=0.5)
    press.block(0.5)
    edges = press.left + press.measure * np.array([0.0, 0.3, 0.48, 0.66, 0.84, 1.0])
    pad = 0.5 * press.em
    top = press.y + 0.35 * press.leading
    press.rule(thick=4)
    for row in (head, *rows):
        cells = []
        for number, text in enumerate(row):
            x, width = edges[number] + pad, edges[number + 1] - edges[number] - 2 * pad
            align = "left" if number < 2 or row is head else "right"
            cells.append(Cell(words_of(text, bold if row is head else press.body), x, width, align))
        press.cells(*cells)
        press.rule()
    bottom = press.y + 0.35 * press.leading
    for x in edges:
        press.setter.rules.append((float(x), top, float(x) + 2, bottom))
    press.block(0.3)
    press.line(note)
    how = Degradation(bilevel=True, spread=0.01, roughness=0.1, turn=0.1)
    return Sample("table.png", 300, (press.scan(how),), bilevel=True)


def _receipt(faces: Sequence[Face], seed: int) -> Sample:
    habits = Habits(typed=True)
    press = Press(
        faces, "Liberation Mono, DejaVu Sans Mono", width=2.9, dpi=203, points=10.5,
        seed=seed, margin=0.22, leading=1.2, habits=habits,
    )  # fmt: skip
    for number, block in enumerate(texts.RECEIPT):
        if number:
            press.block(0.6)
        for line in block.split("\n"):
            left, _, right = line.partition("|")
            if right:
                press.cells(
                    Cell(words_of(left, press.body), press.left, press.measure, "left"),
                    Cell(words_of(right, press.body), press.left, press.measure, "right"),
                )
            else:
                press.line(line, "centre")
    how = Degradation(
        paper=238, ink=95, light=25, fade=0.45, fade_length=6, texture=2, focus=0.7, curl=0.25,
        curl_length=2.0, coarse=0.8, roughness=0.2,
    )  # fmt: skip
    return Sample("receipt.webp", 203, (press.scan(how),))


def _skewed(faces: Sequence[Face], seed: int) -> Sample:
    press = Press(
        faces, "C059, TeX Gyre Schola", width=6.0, dpi=300, points=11, seed=seed,
        margin=0.8, habits=Habits(ligatures=1.0),
    )  # fmt: skip
    press.line("A SCANDAL IN BOHEMIA", "centre", drop=0.3)
    press.block(0.8)
    for text in texts.HOLMES:
        press.paragraph(text, align="justify", indent=1.5 * press.em)
    how = Degradation(
        bilevel=True, turn=2.2, spread=0.02, roughness=0.35, specks=14, holes=5, flips=0.08,
        grain=1.6, softness=0.05,
    )  # fmt: skip
    return Sample("skewed-noisy.png", 300, (press.scan(how),), bilevel=True)


def _low_resolution(faces: Sequence[Face], seed: int) -> Sample:
    press = Press(
        faces, "Liberation Serif, Nimbus Roman", width=6.4, dpi=300, points=12, seed=seed,
        habits=Habits(ligatures=0.0),
    )  # fmt: skip
    press.line("Economy", pen=press.pen(1.5, bold=True), drop=0.5)
    press.block(0.4)
    for number, text in enumerate(texts.WALDEN):
        if number:
            press.block(0.5)
        press.paragraph(text)
    how = Degradation(scale=1 / 3, paper=247, ink=25, focus=0.4, noise=1.5, texture=1.5)
    return Sample("low-resolution.png", 100, (press.scan(how),))


def _white_on_black(faces: Sequence[Face], seed: int) -> Sample:
    press = Press(
        faces, "Open Sans, Liberation Sans", width=6.5, dpi=150, points=17, seed=seed,
        leading=1.5,
    )  # fmt: skip
    title, lines, last = texts.NOTICE
    press.line(title, "centre", press.pen(1.4, bold=True), 0.6)
    press.block(0.5)
    for line in lines:
        press.line(line)
    press.block(0.4)
    press.line(last, "centre", press.pen(italic=True))
    grey, text = press.scan(Degradation(clean=True, paper=240, ink=18))
    return Sample("white-on-black.png", 150, ((255 - grey, text),))


def _pages(faces: Sequence[Face], seed: int) -> Sample:
    pages = []
    for number, (title, paragraphs) in enumerate(texts.CONSTITUTION):
        press = Press(
            faces, "TeX Gyre Pagella, P052", width=5.2, dpi=300, points=12,
            seed=seed + number, habits=Habits(ligatures=1.0),
        )  # fmt: skip
        press.line(title, "centre", press.pen(bold=True), 0.5)
        for text in paragraphs:
            press.block(0.6)
            press.paragraph(text)
        press.block(0.8)
        press.line(f"- {number + 1} -", "centre")
        turn = (0.2, -0.4, 0.0)[number]
        pages.append(press.scan(Degradation(bilevel=True, turn=turn, roughness=0.2, specks=1)))
    return Sample("constitution.tif", 300, tuple(pages), bilevel=True)


def _rules(faces: Sequence[Face], seed: int) -> Sample:
    press = Press(
        faces, "CMU Serif, Latin Modern Roman", width=6.0, dpi=300, points=11, seed=seed,
        habits=Habits(ligatures=1.0), weight=0.4,
    )  # fmt: skip
    title, items = texts.REGULATIONS
    press.line(title, pen=press.pen(1.2, bold=True), drop=0.5)
    hang = 2.0 * press.em
    width = press.measure - hang
    for number, text in enumerate(items):
        press.block(0.4)
        for place, line in enumerate(press.setter.break_lines(words_of(text, press.body), width)):
            cells = [Cell(line, press.left + hang, width, "left")]
            if place == 0:
                mark = words_of(f"{number + 1}.", press.body)
                cells.insert(0, Cell(mark, press.left, hang, "left"))
            press.cells(*cells)
    how = Degradation(bilevel=True, spread=0.012, roughness=0.15)
    return Sample("rules.pdf", 300, (press.scan(how),), bilevel=True)


#: How each sample is made.
SAMPLES: tuple[Callable[[Sequence[Face], int], Sample], ...] = (
    _book_page,
    _typed_letter,
    _two_columns,
    _table,
    _receipt,
    _skewed,
    _low_resolution,
    _white_on_black,
    _pages,
    _rules,
)


def make_samples(out: Path, seed: int = 1, faces: Sequence[Face] | None = None) -> list[Path]:
    """Make every sample page and its truth.

    The same seed, fonts and libraries give the same pages.

    Parameters
    ----------
    out : Path
        Gets the pages, and a folder ``truth`` with the text of ``NAME.EXT`` in ``NAME.txt``
        (of page n, when there are several, in ``NAME-000n.txt``).
    seed : int
    faces : sequence of Face, optional
        Default: those that are installed.

    Returns
    -------
    list of Path
        The files of the pages.

    Raises
    ------
    TrainingError
        If a font that is needed is not installed.

    """
    faces = find_faces() if faces is None else faces
    return [_save(make(faces, seed), out) for make in SAMPLES]


def _save(sample: Sample, out: Path) -> Path:
    from PIL import Image

    path = out / sample.name
    (out / TRUTH).mkdir(parents=True, exist_ok=True)
    images = [Image.fromarray(grey) for grey, _ in sample.pages]
    if sample.bilevel:
        images = [image.convert("1", dither=Image.Dither.NONE) for image in images]
    first, rest = images[0], images[1:]
    dpi = (sample.dpi, sample.dpi)
    if path.suffix == ".tif":
        first.save(path, compression="group4", dpi=dpi, save_all=True, append_images=rest)
    elif path.suffix == ".pdf":
        # Without dates the file is the same every time.
        first.save(
            path, resolution=sample.dpi, creationDate=None, modDate=None, producer=None, title=None
        )
    elif path.suffix == ".jpg":
        first.save(path, quality=55, dpi=dpi)
    elif path.suffix == ".webp":
        first.save(path, quality=70)
    else:
        first.save(path, optimize=True, dpi=dpi)
    for number, (_, text) in enumerate(sample.pages, start=1):
        end = f"-{number:04d}" if rest else ""
        (out / TRUTH / f"{path.stem}{end}.txt").write_text(text, encoding="utf-8")
    return path


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    make_samples(options.out, options.seed)


if __name__ == "__main__":
    main()
