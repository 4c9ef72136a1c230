"""Take long thin rules out of the ink: underlines, box sides, lines between columns."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from ocr_batch.imaging.runs import Places, find_runs, run_pixels

__all__ = ["long_columns", "remove_rows", "remove_rules"]

Grey = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Stretches = tuple[Places, Places, Places]

# In x-heights.
_LONG_ROW, _LONG_COLUMN = 4.0, 5.5
_THICK = 0.35


def _may_be_long(ink: Mask, length: int) -> Mask:
    """Tell in which columns there may be a run of ink of some length, (W,) bool."""
    # A run of 8 k + 7 pixels holds k whole blocks of eight pixels, wherever they begin.
    whole = (length - 7) // 8
    if whole < 1:
        return np.ones(ink.shape[1], np.bool_)
    rows = ink.shape[0] // 8
    full = np.asarray(ink[: 8 * rows].reshape(rows, 8, ink.shape[1]).all(axis=1), np.bool_)
    if not full.any():
        return np.zeros(ink.shape[1], np.bool_)
    # Only the run itself may make a block count, not what lies outside of the page.
    runs = cv2.erode(
        np.asarray(full.view(np.uint8)),
        cv2.getStructuringElement(cv2.MORPH_RECT, (1, whole)),
        borderType=cv2.BORDER_CONSTANT,
        borderValue=0.0,
    )
    return np.asarray(runs.any(axis=0), np.bool_)


def long_columns(ink: Mask, length: int) -> Stretches:
    """Find the runs of ink down the columns that have at least some length.

    Parameters
    ----------
    ink : ndarray of bool, shape (H, W)
        True is ink.
    length : int
        Pixels.

    Returns
    -------
    column, start, stop : ndarray of int64, shape (R,)
        First and past-the-last row of each run, column by column.
    """
    columns = np.flatnonzero(_may_be_long(ink, length))
    number, start, stop = find_runs(np.ascontiguousarray(ink[:, columns].T))
    return _of_length((columns[number], start, stop), length)


def _of_length(runs: Stretches, length: int) -> Stretches:
    row, start, stop = runs
    chosen = stop - start >= length
    return row[chosen], start[chosen], stop[chosen]


def remove_rules(ink: Mask, x_height: float, runs: Stretches | None = None) -> tuple[Mask, Mask]:
    """Take long thin rules, underlines and box sides out of the ink.

    Letters that a rule crosses or touches keep their strokes: a column of the rule goes only
    where no ink continues on either side of it, and keeps its ink where a stroke passes through.

    Parameters
    ----------
    ink : ndarray of bool, shape (H, W)
        True is ink.
    x_height : float
        The page's x-height in pixels.
    runs : tuple of ndarray, optional
        `find_runs` of the ink, where that is known.

    Returns
    -------
    cleaned : ndarray of bool, shape (H, W)
        The very array given when there are no rules.
    rules : ndarray of bool, shape (H, W)
        What was taken away.
    """
    thickness = max(3, round(_THICK * x_height))
    removed, cleaned = np.zeros(ink.shape, np.bool_), ink
    for across, times in ((False, _LONG_ROW), (True, _LONG_COLUMN)):
        length = max(12, round(times * x_height))
        # Columns are looked at as rows of the page laid on its side.
        page, taken = (ink.T, removed.T) if across else (ink, removed)
        long = long_columns(ink, length) if across else _of_length(runs or find_runs(ink), length)
        for part, rules in _rules_along(page, long, length, thickness):
            if not rules.any():
                continue
            if cleaned is ink:
                cleaned = ink.copy()
            taken[part] |= rules
            left = (cleaned.T if across else cleaned)[part]
            left &= ~rules
    return cleaned, removed


def remove_rows(ink: Mask, rows: Stretches, x_height: float) -> Mask:
    """Take chosen runs of ink out, as thin rules along the rows.

    Strokes that pass through them stay, and so do bars that are too thick for a rule.

    Parameters
    ----------
    ink : ndarray of bool, shape (H, W)
        True is ink.
    rows : tuple of ndarray of int64, shape (R,)
        Row, first and past-the-last column of each run, row by row.
    x_height : float
        Of the print beside them, in pixels.

    Returns
    -------
    ndarray of bool, shape (H, W)
    """
    cleaned = ink.copy()
    for part, rules in _rules_along(ink, rows, 1, max(3, round(_THICK * x_height))):
        left = cleaned[part]
        left &= ~rules
    return cleaned


def _rules_along(
    page: Mask, long: Stretches, length: int, thickness: int
) -> Iterator[tuple[tuple[slice, slice], Mask]]:
    """Find the pixels of rules that lie along the rows, in parts of the page."""
    row, start, stop = long
    if not len(row):
        return
    height, width = page.shape
    reach = 2 * thickness + 3
    # What bears on a rule is no further away than that.
    margin = reach + 2
    # An opening by an even number of pixels is shifted by one.
    shift = 1 - length % 2
    for group in np.split(np.arange(len(row)), np.flatnonzero(np.diff(row) > 2 * margin) + 1):
        top, bottom = max(0, int(row[group[0]]) - margin), int(row[group[-1]]) + margin + 1
        left, right = int(start[group].min()), min(width, int(stop[group].max()) + shift)
        part = slice(top, min(height, bottom)), slice(left, right)
        window = np.ascontiguousarray(page[part]).view(np.uint8)
        runs = np.zeros_like(window)
        first = start[group] + (shift - left)
        last = np.minimum(stop[group] + (shift - left), right - left)
        runs.ravel()[run_pixels(row[group] - top, first, last, right - left)] = 1
        yield part, _rules_of(window, runs, thickness, reach)


def _opened(ink: Grey, shape: tuple[int, int]) -> Grey:
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, shape)
    return np.asarray(cv2.morphologyEx(ink, cv2.MORPH_OPEN, kernel), np.uint8)


def _rules_of(page: Grey, runs: Grey, thickness: int, reach: int) -> Mask:
    """Tell which pixels of a part of a page are rules, given its long runs of ink."""
    # A thick bar is not a rule: what survives an opening across is given back.
    rule = cv2.subtract(runs, _opened(runs, (1, thickness + 1)))
    # The rule's rim: one pixel across, so that no fringe stays behind.
    grow = cv2.getStructuringElement(cv2.MORPH_RECT, (1, 3))
    rule = np.asarray(cv2.bitwise_and(cv2.dilate(rule, grow), page), np.uint8)
    rest = cv2.subtract(page, rule)
    # A stroke passes through where ink stands on both sides: closing across the rule.
    across = cv2.getStructuringElement(cv2.MORPH_RECT, (1, reach))
    joined = cv2.morphologyEx(rest, cv2.MORPH_CLOSE, across)
    return np.asarray(cv2.subtract(rule, joined), np.uint8).view(np.bool_)
