"""Turn classified isolated characters into rows of a CSV table."""

from __future__ import annotations

from collections.abc import Sequence

from ocr_batch.output.table import format_rows, guard_formula

__all__ = ["format_labels", "label_columns"]


def label_columns(top: int) -> tuple[str, ...]:
    """Return the table's header: the image, then label and confidence of the `top` best."""
    ranks = ("", *(str(rank) for rank in range(2, top + 1)))
    return ("image", *(f"{name}{rank}" for rank in ranks for name in ("label", "confidence")))


def format_labels(
    image: str,
    labels: Sequence[str],
    confidences: Sequence[float],
    top: int,
    *,
    formula_guard: bool = True,
) -> str:
    """Return the row of an image.

    Parameters
    ----------
    image : str
        Its name.
    labels, confidences : sequence
        What it may be, likeliest first; none for an image without a character.
    top : int
        Pairs of columns; those beyond the labels stay empty.
    formula_guard : bool
        Put an apostrophe before fields that a spreadsheet would run (see `guard_formula`).

    Returns
    -------
    str
        CSV with the columns `label_columns`, confidences with four decimals, a newline at the end.
    """
    guard = guard_formula if formula_guard else str
    row = [guard(image)]
    for label, confidence in list(zip(labels, confidences, strict=True))[:top]:
        row += [guard(label), f"{confidence:.4f}"]
    row += [""] * (1 + 2 * top - len(row))
    return format_rows([row])
