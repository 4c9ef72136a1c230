"""Read the confidences of a folder of results, and report how far they can be believed."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ocr_batch.errors import InputError
from ocr_batch.evaluation.confidence import (
    BINS,
    LEAST_SURE,
    Calibration,
    calibration,
    judge_words,
    of_units,
)
from ocr_batch.evaluation.report import pair_texts, read_text
from ocr_batch.output.table import CHARACTER_COLUMNS, WORD_COLUMNS, guard_formula

__all__ = ["confidence_as_dict", "evaluate_confidence", "format_confidence", "read_words"]


def read_words(path: Path) -> tuple[list[list[str]], NDArray[np.float64]]:
    """Read a table of words as `ocr-batch read` writes it.

    Parameters
    ----------
    path : Path

    Returns
    -------
    lines : list of list of str
        The words of each line.
    confidence : ndarray of float64, shape (N,)
        Of each word.

    Raises
    ------
    InputError
        If it is not there, damaged, or has a row a character.
    """
    try:
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            head, *rows = csv.reader(file)
    except OSError as error:
        raise InputError(
            f"Can not read {path}: {error.strerror or error}. Confidences are in the tables that "
            "`ocr-batch read` writes beside the texts; read with --format txt,csv."
        ) from error
    except (ValueError, csv.Error) as error:
        raise InputError(f"{path} is no table ({error}). Read the page again.") from error
    if tuple(head) == CHARACTER_COLUMNS:
        raise InputError(f"{path} has a row a character. Read again without --detail char.")
    if tuple(head) != WORD_COLUMNS or any(len(row) != len(head) for row in rows):
        raise InputError(f"{path} is not a table that ocr-batch read wrote. Read the page again.")
    place, value = WORD_COLUMNS.index("word"), WORD_COLUMNS.index("confidence")
    lines = [
        [_unguarded(row[-1]) for row in own]
        for _, own in groupby(rows, key=lambda row: tuple(row[:place]))
    ]
    try:
        confidence = np.array([float(row[value]) for row in rows], np.float64)
    except ValueError as error:
        raise InputError(f"{path} has a confidence that is no number. Read again.") from error
    if not ((confidence >= 0) & (confidence <= 1)).all():
        raise InputError(f"{path} has a confidence that is not from 0 to 1. Read again.")
    return lines, confidence


def _unguarded(text: str) -> str:
    """Take off the apostrophe that guards a spreadsheet from a formula."""
    bare = text.removeprefix("'")
    return bare if bare != text and guard_formula(bare) == text else text


def evaluate_confidence(out: Path, truth: Path, *, ignore_case: bool = False) -> Calibration:
    """Compare the confidences of a folder's words with what was right.

    Parameters
    ----------
    out, truth : Path
        As for `report.evaluate_folders`; a page of `out` has its table beside its text. Pages
        without output have no words and do not count.
    ignore_case : bool
        Whether words are compared in upper case.

    Returns
    -------
    Calibration
        Over the words of all pages.

    Raises
    ------
    InputError
        If a table is missing or no table of words.
    """
    sure: list[NDArray[np.float64]] = [np.zeros(0)]
    right: list[NDArray[np.bool_]] = [np.zeros(0, np.bool_)]
    for path, found in pair_texts(out, truth)[0].items():
        if found is None:
            continue
        lines, confidence = read_words(out / found.with_suffix(".csv"))
        text = read_text(truth / path)
        own, verdict = of_units(judge_words(lines, text, ignore_case=ignore_case), confidence)
        sure.append(own)
        right.append(verdict)
    return calibration(np.concatenate(sure), np.concatenate(right))


def confidence_as_dict(found: Calibration) -> dict[str, object]:
    """Return the figures for JSON: numbers, and `bins`, a list of objects."""
    figures = asdict(found)
    # JSON has no NaN.
    return {**figures, "caught": found.caught if found.wrong else None}


def format_confidence(found: Calibration) -> str:
    """Return the figures as plain text to be read by people, lines with a newline each."""
    if not found.words:
        return "Confidence of 0 words: there is nothing to judge\n"
    lines = [
        f"Confidence of {found.words:,} words, {found.wrong:,} of them wrong",
        f"ECE         {found.error:8.4f}  expected calibration error, {BINS} bins of equal width",
        f"ECE, mass   {found.error_equal_mass:8.4f}  the same, bins of equally many words",
    ]
    if found.wrong:
        lines.append(
            f"caught      {found.caught:8.4f}  share of the wrong words among the "
            f"{LEAST_SURE:.0%} least sure"
        )
    lines += ["", *_table(("words", "confidence", "right"), found)]
    return "\n".join(lines) + "\n"


def _table(head: Sequence[str], found: Calibration) -> list[str]:
    rows = [(f"{one.words:,}", f"{one.confidence:.4f}", f"{one.right:.4f}") for one in found.bins]
    lines = [tuple(head), *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return [
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    ]
