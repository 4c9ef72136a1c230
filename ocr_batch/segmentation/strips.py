"""Straighten and scale each line to one common frame: the strip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ocr_batch.imaging.runs import run_pixels
from ocr_batch.layout.components import Components
from ocr_batch.layout.lines import Lines, baseline_at
from ocr_batch.segmentation.atoms import Atoms

__all__ = ["BASELINE", "FRAME", "PAD", "X_HEIGHT", "Owners", "Strips", "make_strips"]

#: Side of a crop and height of a strip, in strip pixels.
FRAME = 56
#: An x-height in strip pixels.
X_HEIGHT = 20.0
#: The row on which letters stand.
BASELINE = 38.0
#: White columns before and after each line: between two lines more than a frame is wide.
PAD = 64
#: Labels of pixels: 0 is paper, number n has n + 1. uint16 where that holds all.
Owners = NDArray[np.uint16] | NDArray[np.int32]
_LONGEST = 30_000
# Widest image that OpenCV is asked to map at once, be it the page's or the strip's; its limit is
# 2**15 - 2.
_WIDEST = 32_000


@dataclass(frozen=True)
class Strips:
    """All lines of a page, levelled, scaled to one x-height and laid end to end.

    Attributes
    ----------
    grey : ndarray of uint8, shape (56, W)
        255 is ink, 0 is paper.
    label : ndarray of uint16 or int32, shape (56, W)
        0 is paper; atom a of the page has label a + 1. Only the line's own atoms.
    start, stop : ndarray of int64, shape (L,)
        First and past-the-last column of each line, its padding included.
    origin : ndarray of float64, shape (L,)
        Page column that falls on the strip column ``start + PAD``.
    scale : ndarray of float64, shape (L,)
        Page pixels per strip pixel.
    lines : Lines
        The lines as laid out on the page.
    """

    grey: NDArray[np.uint8]
    label: Owners
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    origin: NDArray[np.float64]
    scale: NDArray[np.float64]
    lines: Lines

    def page_x(self, line: NDArray[np.int64], column: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the page columns of strip columns; both (N,) float64, edges of pixels."""
        return self.origin[line] + (column - self.start[line] - PAD) * self.scale[line]

    def to_page(
        self, line: NDArray[np.int64], column: NDArray[np.float64], row: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Map strip coordinates to page coordinates.

        Parameters
        ----------
        line : ndarray of int64, shape (N,)
            Line of each point.
        column, row : ndarray of float64, shape (N,)
            Edges of pixels in the strip.

        Returns
        -------
        x, y : ndarray of float64, shape (N,)
        """
        scale = self.scale[line]
        x = self.page_x(line, column)
        y = baseline_at(self.lines, line, x) + (row - BASELINE) * scale
        return x, y

    def column(self, line: NDArray[np.int64], x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the strip columns of page columns; both (N,) float64, edges of pixels."""
        return (x - self.origin[line]) / self.scale[line] + self.start[line] + PAD

    def to_strip(
        self, line: NDArray[np.int64], x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Map page coordinates to strip coordinates; the inverse of `to_page`."""
        column = self.column(line, x)
        row = (y - baseline_at(self.lines, line, x)) / self.scale[line] + BASELINE
        return column, row


def make_strips(
    grey: NDArray[np.uint8],
    components: Components,
    lines: Lines,
    atoms: Atoms,
    kept: tuple[Strips, Atoms, NDArray[np.bool_]] | None = None,
) -> Strips:
    """Cut each line out of the page, straighten it along its baseline and scale it.

    Parameters
    ----------
    grey : ndarray of uint8, shape (H, W)
        The levelled page, 255 is paper.
    components : Components
        Of the whole page.
    lines : Lines
        Which components stand where.
    atoms : Atoms
        What those were grouped into.
    kept : tuple of Strips, Atoms and ndarray of bool, shape (L,), optional
        The same page's strips and atoms as they were, and which lines are still the same.

    Returns
    -------
    Strips
    """
    count = len(lines)
    anew = np.ones(count, np.bool_) if kept is None else ~kept[2]
    scale = np.maximum(lines.x_height, 2.0) / X_HEIGHT
    # A long smear taken for tiny print must not become a strip wider than OpenCV can handle.
    scale = np.maximum(scale, (lines.box[:, 2] - lines.box[:, 0]) / _LONGEST)
    span = np.ceil((lines.box[:, 2] - lines.box[:, 0]) / scale).astype(np.int64) + 1
    stop = np.cumsum(span + 2 * PAD)
    start = stop - span - 2 * PAD
    width = int(stop[-1]) if count else 0
    page = _atom_labels(components, atoms, anew)
    strip = np.zeros((FRAME, width), np.uint8)
    label = np.zeros((FRAME, width), page.dtype)
    # Atoms are in the order of lines.
    bounds = np.searchsorted(atoms.line, np.arange(count + 1))
    if kept is not None:
        _copy_lines(kept, start, bounds, strip, label)
    for line in np.flatnonzero(anew).tolist():
        block = max(1, int(_WIDEST / max(1.0, scale[line])))
        for first in range(int(start[line]), int(stop[line]), block):
            columns = slice(first, min(first + block, int(stop[line])))
            _fill(
                grey,
                page,
                (int(bounds[line]) + 1, int(bounds[line + 1])),
                lines,
                line,
                float(lines.box[line, 0] + (first - start[line] - PAD) * scale[line]),
                float(scale[line]),
                strip[:, columns],
                label[:, columns],
            )
    return Strips(strip, label, start, stop, lines.box[:, 0].copy(), scale, lines)


def _copy_lines(
    kept: tuple[Strips, Atoms, NDArray[np.bool_]],
    start: NDArray[np.int64],
    bounds: NDArray[np.int64],
    strip: NDArray[np.uint8],
    label: Owners,
) -> None:
    """Copy lines that have not changed to where they begin now; their atoms may count otherwise."""
    strips, atoms, same = kept
    shift = bounds - np.searchsorted(atoms.line, np.arange(len(bounds)))
    for line in np.flatnonzero(same).tolist():
        source = slice(int(strips.start[line]), int(strips.stop[line]))
        target = slice(int(start[line]), int(start[line]) + source.stop - source.start)
        strip[:, target] = strips.grey[:, source]
        label[:, target] = strips.label[:, source]
        if shift[line]:
            own = label[:, target]
            # What is taken off an unsigned number is added to it going round.
            own[own > 0] += np.array(shift[line]).astype(label.dtype)


def _atom_labels(components: Components, atoms: Atoms, wanted: NDArray[np.bool_]) -> Owners:
    """Paint the atoms of the wanted lines on the page, (H, W): 0 is what belongs to none."""
    kind = np.uint16 if len(atoms.line) < 2**16 - 1 else np.int32
    page: NDArray[Any] = np.zeros(components.shape, kind)
    runs = components.runs
    chosen = atoms.atom_of >= 0
    chosen[chosen] = wanted[atoms.line[atoms.atom_of[chosen]]]
    runs = runs.take(chosen[runs.component])
    owner = (atoms.atom_of[runs.component] + 1).astype(kind)
    place = run_pixels(runs.row, runs.start, runs.stop, page.shape[1])
    page.ravel()[place] = np.repeat(owner, runs.stop - runs.start)
    return page


def _fill(
    grey: NDArray[np.uint8],
    page: Owners,
    own: tuple[int, int],
    lines: Lines,
    line: int,
    x0: float,
    scale: float,
    strip: NDArray[np.uint8],
    label: Owners,
) -> None:
    """Write the part of a line's strip and labels that begins at a page column into its place.

    Of the page's labels those from the first to the last of `own` are the line's.
    """
    height, width = grey.shape
    columns = strip.shape[1]
    # Pixel centres of the strip on the page.
    xs = (np.arange(columns, dtype=np.float64) + 0.5) * scale + x0
    ys = (np.arange(FRAME, dtype=np.float64) + 0.5 - BASELINE) * scale
    ends = np.array([0.0, columns / 2, columns]) * scale + x0
    feet = _foot(lines, line, ends)
    margin = 2
    left = int(np.floor(x0)) - margin
    right = int(np.ceil(ends[2])) + margin
    top = int(np.floor(feet.min() - BASELINE * scale)) - margin
    bottom = int(np.ceil(feet.max() + (FRAME - BASELINE) * scale)) + margin
    # The part of the page that the strip shows; what lies outside the page is paper.
    inner = (
        slice(max(0, top), max(0, min(height, bottom))),
        slice(max(0, left), max(0, min(width, right))),
    )
    pads = (
        inner[0].start - top,
        bottom - max(inner[0].stop, inner[0].start),
        inner[1].start - left,
        right - max(inner[1].stop, inner[1].start),
    )
    if inner[0].stop <= inner[0].start or inner[1].stop <= inner[1].start:
        return
    ink: NDArray[Any] = cv2.bitwise_not(grey[inner])
    owner: NDArray[Any] = page[inner]
    if any(pads):
        ink = cv2.copyMakeBorder(ink, *pads, cv2.BORDER_CONSTANT)
        owner = cv2.copyMakeBorder(owner, *pads, cv2.BORDER_CONSTANT)
    # Integer coordinates are pixel centres.
    map_x = np.empty((FRAME, columns), np.float32)
    map_x[:] = xs - 0.5 - left
    map_y = np.empty((FRAME, columns), np.float32)
    np.add(ys[:, None], _foot(lines, line, xs) - 0.5 - top, out=map_y, casting="same_kind")
    if scale > 1.15:
        # Average over the area that becomes one pixel, then sample.
        ink = cv2.GaussianBlur(ink, (0, 0), 0.38 * scale)
    strip[:] = cv2.remap(ink, map_x, map_y, cv2.INTER_LINEAR)
    label[:] = _between(cv2.remap(owner, map_x, map_y, cv2.INTER_NEAREST), *own)


def _between(labels: NDArray[Any], first: int, last: int) -> NDArray[Any]:
    """Return labels with those left out that are not from `first` to `last`, from 1."""
    if labels.dtype != np.uint16:
        return np.where((labels >= first) & (labels <= last), labels, labels.dtype.type(0))
    _, labels = cv2.threshold(labels, first - 1, 0, cv2.THRESH_TOZERO)
    return cv2.threshold(labels, last, 0, cv2.THRESH_TOZERO_INV)[1]


def _foot(lines: Lines, line: int, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rows on which one line's letters stand at columns of the page."""
    c = lines.baseline[line]
    local = x - lines.origin[line]
    return np.asarray(c[0] + c[1] * local + c[2] * local * local, np.float64)
