"""Bring a sheet into reading condition: upright, level, clean, at a known scale."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ocr_batch.imaging.cells import dense_cells
from ocr_batch.imaging.clean import (
    binarise,
    is_reversed,
    level_background,
)
from ocr_batch.imaging.load import Sheet
from ocr_batch.imaging.rules import long_columns, remove_rules
from ocr_batch.imaging.runs import find_runs
from ocr_batch.imaging.skew import estimate_skew, rotate, turn
from ocr_batch.layout.components import Components, find_components, link_runs, typical_height
from ocr_batch.layout.page import letter_like

__all__ = ["Prepared", "prepare"]

# Pages are brought into a range of x-heights, in pixels; below the least there are no letters.
_LEAST_PRINT = 5.0
_SMALL_PRINT = 14.0
_LARGE_PRINT = 52.0
_GOOD_PRINT = 24.0
_MOST_ENLARGED = 3.0
# Skew below this is left to the baselines.
_LEVEL_DEGREES = 0.12
_SAUVOLA_WINDOW = 3.0
_MOST_PIXELS = 60_000_000
# Pages from this size on are measured at half size, unless their print is small there, in pixels;
# a pixel is ink there if so much of its square is.
_LARGE_PAGE = 1600
_LEAST_AT_HALF = 8.0
_HALF_INK = 0.43


@dataclass(frozen=True)
class Prepared:
    """A page ready for layout.

    Attributes
    ----------
    grey : ndarray of uint8, shape (H, W)
        Paper is 255.
    ink : ndarray of bool, shape (H, W)
        Without long rules.
    rules : ndarray of float64, shape (R, 4)
        left, top, right, bottom of vertical rules.
    components : Components
        Of `ink`.
    x_height : float
        Typical height of small letters in pixels; 0.0 when the page shows nothing letter-like.
    to_stored : ndarray of float64, shape (2, 3)
        Affine map from pixels of `grey` to pixels of the image as stored.
    rotation : int
        Degrees the sheet was turned clockwise.
    skew : float
        Degrees of skew taken out.
    """

    grey: NDArray[np.uint8]
    ink: NDArray[np.bool_]
    rules: NDArray[np.float64]
    components: Components
    x_height: float
    to_stored: NDArray[np.float64]
    rotation: int
    skew: float


def _compose(outer: NDArray[np.float64], inner: NDArray[np.float64]) -> NDArray[np.float64]:
    square = np.vstack([inner, [0.0, 0.0, 1.0]])
    return np.asarray(outer @ square, np.float64)


def _resize(
    grey: NDArray[np.uint8], factor: float
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    height, width = grey.shape
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    how = cv2.INTER_CUBIC if factor > 1 else cv2.INTER_AREA
    scaled = cv2.resize(grey, size, interpolation=how)
    fx, fy = width / size[0], height / size[1]
    back = np.array([[fx, 0, (fx - 1) / 2], [0, fy, (fy - 1) / 2]])
    return np.asarray(scaled, np.uint8), back


def _vertical_rules(rules: NDArray[np.bool_], x_height: float) -> NDArray[np.float64]:
    shortest = max(3, round(5 * x_height))
    # Only long runs, so that a rule across does not make one shape of both.
    found = link_runs(rules.shape[::-1], *long_columns(rules, shortest))
    # Found on a page that lies on its side: its columns are the page's rows.
    tall = (found.width > 5 * x_height) & (found.height < 1.5 * x_height)
    boxes = np.stack([found.top, found.left, found.bottom, found.right], axis=1)[tall]
    return np.asarray(boxes[np.lexsort((boxes[:, 0], boxes[:, 1]))], np.float64)


def _measure(
    ink: NDArray[np.bool_],
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Return the typical x-height and the feet (x, y) of letters; large pages at half size."""
    step = 2 if min(ink.shape) >= _LARGE_PAGE else 1
    while True:
        view = ink if step == 1 else dense_cells(ink, step, _HALF_INK)
        components = find_components(view)
        x_height = typical_height(components)
        if step == 1 or x_height >= _LEAST_AT_HALF:
            break
        step = 1
    body = letter_like(components, x_height or 1.0) & (components.height < 3 * x_height)
    body &= components.width < 3 * x_height
    x = (components.left + components.width / 2)[body] * float(step)
    y = components.bottom[body].astype(np.float64) * step
    return x_height * step, np.asarray(x, np.float64), y


def prepare(sheet: Sheet, *, deskew: bool = True, quarter_turns: int = 0) -> Prepared:
    """Prepare a sheet for layout.

    Parameters
    ----------
    sheet : Sheet
        A decoded page.
    deskew : bool
        Level the lines when the page shows a clear angle.
    quarter_turns : int
        Clockwise quarter turns to begin with.

    Returns
    -------
    Prepared
    """
    grey, matrix = sheet.grey, np.asarray(sheet.to_stored, np.float64)
    if quarter_turns % 4:
        grey, back = turn(grey, quarter_turns)
        matrix = _compose(matrix, back)
    if is_reversed(grey):
        grey = np.asarray(255 - grey, np.uint8)
    if not sheet.bilevel:
        grey = level_background(grey)

    def to_ink(page: NDArray[np.uint8], x_height: float) -> NDArray[np.bool_]:
        if sheet.bilevel:
            return np.asarray(page < 128, np.bool_)
        return binarise(page, round(_SAUVOLA_WINDOW * x_height))

    ink = to_ink(grey, max(12.0, max(grey.shape) / 160))
    x_height, feet_x, feet_y = _measure(ink)
    changed = False
    if _LEAST_PRINT <= x_height < _SMALL_PRINT or x_height > _LARGE_PRINT:
        factor = min(_GOOD_PRINT / x_height, _MOST_ENLARGED)
        if factor > 1:
            factor = max(1.0, min(factor, float(np.sqrt(_MOST_PIXELS / grey.size))))
        if factor > 1.05 or factor < 0.95:
            grey, back = _resize(grey, factor)
            matrix = _compose(matrix, back)
            changed = True
            x_height, feet_x, feet_y = x_height * factor, feet_x * factor, feet_y * factor
    skew = estimate_skew(feet_x, feet_y, x_height) if deskew and x_height else 0.0
    if abs(skew) >= _LEVEL_DEGREES:
        grey, back = rotate(grey, skew)
        matrix = _compose(matrix, back)
        changed = True
    else:
        skew = 0.0
    if x_height and (changed or not sheet.bilevel):
        ink = to_ink(grey, x_height)
    unit = x_height or 20.0
    runs = find_runs(ink)
    cleaned, removed = remove_rules(ink, unit, runs)
    rules = np.zeros((0, 4))
    if cleaned is not ink:
        rules, runs = _vertical_rules(removed, unit), find_runs(cleaned)
    components = link_runs(cleaned.shape, *runs)
    x_height = typical_height(components)
    return Prepared(
        grey,
        cleaned,
        rules,
        components,
        x_height,
        matrix,
        90 * (quarter_turns % 4),
        skew,
    )
