"""Recognise how a source names the classes of its images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocr_batch.datasets.glyphs import fold_names, ordered_names
from ocr_batch.errors import TrainingError

__all__ = ["to_labels"]

#: More classes than this are hardly meant.
_MOST_CLASSES = 20_000


def to_labels(
    values: NDArray[Any],
    classes: Sequence[str] | None,
    source: str,
    *,
    fold_case: bool = False,
) -> tuple[NDArray[np.int64], tuple[str, ...], tuple[str, ...]]:
    """Turn labels of any known kind into indices and class names.

    Parameters
    ----------
    values : (N,), (N, 1) or one-hot (N, C) array
        Strings, which are class names themselves, or whole numbers, which count classes from 0.
    classes : sequence of str, optional
        Names: numbers index them, strings must be among them. Default: the strings in order, or
        the numbers written out.
    source : str
        What to call it in notes and errors.
    fold_case : bool
        Take small letters for capitals: classes that differ in case only become one, at the place
        of the first. Names in `classes` may be those before or after that; numbers index them as
        they are given.

    Returns
    -------
    label : (N,) int64
    classes : tuple of str
    notes : tuple of str

    Raises
    ------
    TrainingError
        If the labels are of another kind or shape, negative, not whole or finite, more than the
        names, or not among them.
    """
    values = np.asarray(values)
    notes: list[str] = []
    width = None
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    elif values.ndim == 2 and values.shape[1] > 1 and values.dtype.kind in "biuf":
        width = values.shape[1]
        values = _hot(values, source)
        notes.append(f"{source}: one-hot labels of {width} classes")
    if values.ndim != 1:
        raise TrainingError(
            f"{source}: its labels have shape {values.shape}; (N,), (N, 1) and one-hot "
            "(N, classes) are known"
        )
    if values.dtype == object:
        values = _from_objects(values, source)
    if values.dtype.kind == "S":
        values = _decoded(values, source)
    if values.dtype.kind == "U":
        label, names = _named(values, classes, source, fold_case=fold_case)
    else:
        label, names, said = _numbered(values, classes, width, source)
        notes += said
        if fold_case:
            label, names = _folded(label, names)
    return label, names, tuple(notes)


def _hot(values: NDArray[Any], source: str) -> NDArray[Any]:
    ones, zeros = values == 1, values == 0
    if not ((ones | zeros).all() and (ones.sum(axis=1) == 1).all()):
        raise TrainingError(
            f"{source}: its labels have shape {values.shape} but are not one-hot (one 1 in each "
            "row, else 0); give one label an image"
        )
    return np.asarray(ones.argmax(axis=1), np.int64)


def _from_objects(values: NDArray[Any], source: str) -> NDArray[Any]:
    kinds = {type(value) for value in values}
    if kinds <= {str} or kinds <= {bytes}:
        return np.array(values.tolist())
    if kinds <= {int, float, bool}:
        try:
            return np.array(values.tolist())
        except OverflowError:
            pass
    names = ", ".join(sorted(kind.__name__ for kind in kinds))
    raise TrainingError(
        f"{source}: its labels are {names}; give strings alone or whole numbers alone"
    )


def _decoded(values: NDArray[Any], source: str) -> NDArray[Any]:
    try:
        return np.char.decode(values, "utf-8")
    except UnicodeDecodeError:
        raise TrainingError(
            f"{source}: its labels are bytes that are not UTF-8; store them as strings"
        ) from None


def _folded(
    label: NDArray[np.int64], names: tuple[str, ...]
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Merge the classes that differ in case only."""
    capital = fold_names(names)
    merged = tuple(dict.fromkeys(capital.values()))
    place = {name: index for index, name in enumerate(merged)}
    lookup = np.array([place[capital[name]] for name in names], np.int64)
    return lookup[label], merged


def _named(
    values: NDArray[Any], classes: Sequence[str] | None, source: str, *, fold_case: bool
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    found, number = np.unique(values, return_inverse=True)
    names = [str(name) for name in found]
    if "" in names:
        raise TrainingError(f"{source}: an image has an empty label; name its class")
    if fold_case:
        names = list(map(fold_names(names).__getitem__, names))
        classes = None if classes is None else tuple(dict.fromkeys(fold_names(classes).values()))
    order = tuple(classes) if classes is not None else ordered_names(names)
    place = {name: index for index, name in enumerate(order)}
    unknown = [name for name in dict.fromkeys(names) if name not in place]
    if unknown:
        raise TrainingError(
            f"{source}: it holds classes that are not listed: {', '.join(unknown[:20])}; "
            "list them, or leave their images out"
        )
    lookup = np.array([place[name] for name in names], np.int64)
    return lookup[number.reshape(-1)], order


def _numbered(
    values: NDArray[Any], classes: Sequence[str] | None, width: int | None, source: str
) -> tuple[NDArray[np.int64], tuple[str, ...], list[str]]:
    if values.dtype.kind not in "biuf":
        raise TrainingError(
            f"{source}: its labels are {values.dtype}; give strings or whole numbers"
        )
    if values.dtype.kind == "f" and not (
        np.isfinite(values).all() and (values == np.rint(values)).all()
    ):
        raise TrainingError(
            f"{source}: its labels are not all whole numbers (or not finite); number the classes "
            "from 0, or name them"
        )
    low, high = (int(values.min()), int(values.max())) if len(values) else (0, 0)
    if low < 0:
        raise TrainingError(f"{source}: a label is {low}; number the classes from 0")
    if high >= _MOST_CLASSES:
        raise TrainingError(
            f"{source}: labels up to {high} are more classes than can be meant; number them from 0"
        )
    label = values.astype(np.int64)
    if classes is not None:
        return _indexed(label, low, high, tuple(classes), source)
    count = max(high + 1, width or 0)
    used = len(np.unique(label))
    if width is None and 2 * used < count and low > 0:
        raise TrainingError(
            f"{source}: its labels run from {low} to {high}, {used} different ones; number the "
            "classes from 0, or give their names as strings"
        )
    return label, tuple(str(number) for number in range(count)), []


def _indexed(
    label: NDArray[np.int64], low: int, high: int, names: tuple[str, ...], source: str
) -> tuple[NDArray[np.int64], tuple[str, ...], list[str]]:
    if low == 1 and high == len(names):
        return label - 1, names, [f"{source}: labels counted from 1"]
    if high >= len(names):
        raise TrainingError(
            f"{source}: its labels go up to {high}, but only {len(names)} classes are listed "
            f"(0 to {len(names) - 1}); list as many classes as the data has"
        )
    return label, names, []
