"""Read the characters of a page, with their boxes, from the table that was written of it."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ocr_batch.errors import InputError

__all__ = ["CharacterTable", "read_character_table"]

_COLUMNS = ("left", "top", "width", "height", "confidence", "text")


@dataclass(frozen=True)
class CharacterTable:
    """The characters of a page.

    Attributes
    ----------
    text : tuple of str
    box : ndarray of int64, shape (N, 4)
        left, top, width, height in pixels.
    confidence : ndarray of float64, shape (N,)
        In a truth 0 for a character of which too little ink is left.
    """

    text: tuple[str, ...]
    box: NDArray[np.int64]
    confidence: NDArray[np.float64]


def read_character_table(path: Path) -> CharacterTable:
    """Read a table as ``ocr-batch read --detail char`` writes it.

    Parameters
    ----------
    path : Path
        A page's CSV.

    Returns
    -------
    CharacterTable

    Raises
    ------
    InputError
        If the file can not be read or its rows are no characters.
    """
    try:
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            rows = list(csv.reader(file))
    except OSError as error:
        raise InputError(
            f"Can not read {path}: {error.strerror or error}. Mend its permissions or remove it."
        ) from error
    except csv.Error as error:
        raise InputError(f"{path} is no table ({error}). Write it again.") from error
    head = rows[0] if rows else []
    if "char" not in head or not set(_COLUMNS) <= set(head):
        raise InputError(
            f"{path} is no table of characters. Write it with `ocr-batch read --detail char`."
        )
    places = [head.index(name) for name in _COLUMNS]
    try:
        fields = [[row[place] for place in places] for row in rows[1:]]
        numbers = np.array([row[:5] for row in fields], np.float64).reshape(-1, 5)
    except (IndexError, ValueError) as error:
        raise InputError(
            f"{path} has a row that is no character ({error}). Write the table again."
        ) from error
    text = tuple(row[5] for row in fields)
    return CharacterTable(text, numbers[:, :4].astype(np.int64), numbers[:, 4])
