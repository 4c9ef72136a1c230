"""Find the pitch of typewritten lines, whose characters stand in cells of one width."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ocr_batch.layout.lines import Lines
from ocr_batch.segmentation.atoms import Atoms

__all__ = ["Pitch", "cell_borders", "cell_odds", "empty_cells", "find_pitch"]

# The step from cell to cell, in x-heights: from condensed printers to wide typewriters. It is
# searched by factors of about 1 + these.
_NARROWEST, _WIDEST = 0.7, 2.2
_COARSE, _FINE = 0.006, 0.0003
# Atoms wider than this many x-heights are several characters: their middles say nothing.
_SINGLE = 1.5
# Distances are taken to so many atoms ahead, and up to so many x-heights.
_NEAR, _NEAR_LONGEST = 3, 6.0
_FAR, _FAR_LONGEST = 14, 24.0
_MOST_PAIRS = 4000
# Mean cosine of the distances as angles. Typewriting is above .5, proportional print below .35.
_AGREEMENT = 0.45
_FEWEST_PAIRS = 40
# A line's own atoms have to agree on where its cells lie: length of their mean vector.
_LINE_AGREEMENT = 0.55
_FEWEST_ATOMS = 5
# In cells: how far characters stray from their cells' middles, and from what width on ink is
# taken for several characters. On 28 typewritten pages of ISRI 98 % of the characters lie within
# .15 of a cell and are narrower than 1.05, while three in five wrong cuts stray by over .3.
_SPREAD = 0.08
_ASTRAY = 0.05
_WIDE = 1.3
_WIDE_ODDS = -4.0
# A border is searched for a cut if so much of the ink lies on either side of it.
_BESIDE = 0.15
# Ink of a wide character reaches so far into the next cell.
_OVERHANG = 0.12


@dataclass(frozen=True)
class Pitch:
    """The cells of each line.

    Attributes
    ----------
    step : ndarray of float64, shape (L,)
        Width of a cell in page pixels; 0 for lines without a fixed pitch.
    middle : ndarray of float64, shape (L,)
        Page column of the middle of one of the cells.
    """

    step: NDArray[np.float64]
    middle: NDArray[np.float64]


def find_pitch(atoms: Atoms, lines: Lines) -> Pitch:
    """Find the width of a page's cells, and which of its lines keep to them.

    Parameters
    ----------
    atoms : Atoms
        Of one page.
    lines : Lines
        The lines they stand on.

    Returns
    -------
    Pitch
        One step for all lines: a page is written on one machine, and what is not has no pitch.
    """
    count = len(lines)
    none = Pitch(np.zeros(count), np.zeros(count))
    line = atoms.line
    if len(line) < _FEWEST_ATOMS:
        return none
    centre = (atoms.box[:, 0] + atoms.box[:, 2]) / 2
    x_height = float(np.median(lines.x_height[line]))
    single = atoms.box[:, 2] - atoms.box[:, 0] < _SINGLE * x_height
    distance = _distances(centre, line, single, _NEAR, _NEAR_LONGEST * x_height)
    if len(distance) < _FEWEST_PAIRS:
        return none
    steps = x_height * np.exp(np.arange(np.log(_NARROWEST), np.log(_WIDEST), _COARSE))
    agreement = _agreement(distance, steps)
    best = int(agreement.argmax())
    if agreement[best] < _AGREEMENT:
        return none
    # Over longer distances a small fault of the step adds up and shows.
    distance = _distances(centre, line, single, _FAR, _FAR_LONGEST * x_height)
    steps = steps[best] * np.exp(np.arange(-1.5 * _COARSE, 1.5 * _COARSE, _FINE))
    step = float(steps[_agreement(distance, steps).argmax()])
    angle = (2 * np.pi / step) * centre
    number = np.bincount(line, single, minlength=count)
    east = np.bincount(line, single * np.cos(angle), minlength=count)
    north = np.bincount(line, single * np.sin(angle), minlength=count)
    fixed = (number >= _FEWEST_ATOMS) & (np.hypot(east, north) >= _LINE_AGREEMENT * number)
    middle = np.arctan2(north, east) * (step / (2 * np.pi))
    return Pitch(np.where(fixed, step, 0.0), np.where(fixed, middle, 0.0))


def _distances(
    centre: NDArray[np.float64],
    line: NDArray[np.int64],
    single: NDArray[np.bool_],
    ahead: int,
    longest: float,
) -> NDArray[np.float64]:
    """Return distances between atoms of a line that are single characters."""
    found = []
    for reach in range(1, ahead + 1):
        distance = centre[reach:] - centre[:-reach]
        chosen = (line[reach:] == line[:-reach]) & single[reach:] & single[:-reach]
        chosen &= (distance > 0) & (distance < longest)
        found.append(distance[chosen])
    together = np.concatenate(found)
    return together[:: max(1, len(together) // _MOST_PAIRS)]


def _agreement(distance: NDArray[np.float64], steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Tell how far distances are multiples of each step: 1 for all, 0 for chance."""
    # Middles of boxes are whole or half pixels: few distances differ.
    halves = np.round(2 * distance).astype(np.int64)
    times = np.bincount(halves)
    seen = np.flatnonzero(times)
    angles = np.cos(np.pi * seen[:, None] / steps)
    return np.asarray(times[seen] @ angles / len(distance), np.float64)


def cell_borders(pitch: Pitch, atoms: Atoms) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return where cells meet inside atoms that are wider than a character.

    Parameters
    ----------
    pitch : Pitch
    atoms : Atoms

    Returns
    -------
    atom : ndarray of int64, shape (B,)
    column : ndarray of float64, shape (B,)
        Page column of each border.
    """
    step = pitch.step[atoms.line]
    left, right = atoms.box[:, 0], atoms.box[:, 2]
    wide = np.flatnonzero((step > 0) & (right - left > _WIDE * step))
    step = step[wide]
    border = pitch.middle[atoms.line[wide]] + 0.5 * step
    first = np.ceil((left[wide] - border) / step + _BESIDE)
    last = np.floor((right[wide] - border) / step - _BESIDE)
    count = np.maximum(0, last - first + 1).astype(np.int64)
    place = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    column = np.repeat(border + first * step, count) + place * np.repeat(step, count)
    return np.repeat(wide, count), column


def cell_odds(
    pitch: Pitch,
    line: NDArray[np.int64],
    left: NDArray[np.float64],
    right: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Judge by its place whether something is one character.

    Parameters
    ----------
    pitch : Pitch
    line : ndarray of int64, shape (E,)
    left, right : ndarray of float64, shape (E,)
        Page columns.

    Returns
    -------
    ndarray of float32, shape (E,)
        Log-odds of a character against ink cut anywhere; 0 on lines without a fixed pitch.
    """
    fixed = pitch.step[line] > 0
    step = np.where(fixed, pitch.step[line], 1.0)
    at = ((left + right) / 2 - pitch.middle[line]) / step
    off = (at - np.round(at)) / _SPREAD
    density = np.exp(-0.5 * off * off) / (_SPREAD * np.sqrt(2 * np.pi))
    odds = np.log((1 - _ASTRAY) * density + _ASTRAY)
    odds += np.where(right - left > _WIDE * step, _WIDE_ODDS, 0.0)
    return np.where(fixed, odds, 0.0).astype(np.float32)


def empty_cells(pitch: Pitch, atoms: Atoms) -> NDArray[np.bool_]:
    """Tell before which atoms a cell of their line stays empty.

    Parameters
    ----------
    pitch : Pitch
    atoms : Atoms

    Returns
    -------
    ndarray of bool, shape (A,)
        False for the first atom of a line, and on lines without a fixed pitch.
    """
    line = atoms.line
    inner = np.r_[False, line[1:] == line[:-1]][: len(line)]
    fixed = pitch.step[line] > 0
    step = np.where(fixed, pitch.step[line], 1.0)
    left, right = ((atoms.box[:, side] - pitch.middle[line]) / step for side in (0, 2))
    first, last = np.round(left + _OVERHANG), np.round(right - _OVERHANG)
    cells = first - np.r_[0.0, last[:-1]][: len(line)]
    return np.asarray(inner & fixed & (cells >= 2), np.bool_)
