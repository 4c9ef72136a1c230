"""Hold isolated labelled characters, fit them to a contract, and give them to training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocr_batch.datasets.augmentation import Augmentation, augment_glyphs
from ocr_batch.errors import TrainingError
from ocr_batch.recognition.bundle import CropContract
from ocr_batch.segmentation.tight import fit_glyphs

__all__ = [
    "GlyphSet",
    "Glyphs",
    "fit_set",
    "fold_names",
    "join_glyphs",
    "ordered_names",
    "thin_classes",
]

#: Names that a warning lists.
_NAMED = 40


@dataclass(frozen=True)
class Glyphs:
    """Isolated characters as a source holds them, of any size.

    Attributes
    ----------
    images : (N, h, w) uint8, or sequence of (h, w) uint8
        Ink 255 on 0.
    label : (N,) int64
        Index into `classes`.
    classes : tuple of str
    notes : tuple of str
        What was recognised in the source; warnings start with ``warning: ``.
    """

    images: Sequence[NDArray[np.uint8]] | NDArray[np.uint8]
    label: NDArray[np.int64]
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.label)


@dataclass(frozen=True)
class GlyphSet:
    """Isolated characters fitted to a frame: images (N, f, f) uint8, label (N,) int64."""

    images: NDArray[np.uint8]
    label: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.label)

    def inputs(self, rows: NDArray[np.intp] | slice) -> dict[str, NDArray[Any]]:
        """Return ``image`` (n, f, f, 1) uint8 of these rows."""
        return {"image": self.images[rows][..., None]}

    def varied(
        self, rows: NDArray[np.intp], options: Augmentation, rng: np.random.Generator
    ) -> dict[str, NDArray[Any]]:
        """Return the inputs of these rows, varied at random."""
        return {"image": augment_glyphs(self.images[rows], options, rng)[..., None]}

    def take(self, limit: int, seed: int = 0) -> GlyphSet:
        """Return at most `limit` characters, drawn at random and kept in order."""
        if len(self) <= limit:
            return self
        rows = np.random.default_rng(seed).choice(len(self), limit, replace=False)
        return self.select(np.sort(rows))

    def select(self, rows: NDArray[np.intp]) -> GlyphSet:
        """Return these rows as a set of their own."""
        return GlyphSet(self.images[rows], self.label[rows])


def fit_set(glyphs: Glyphs, contract: CropContract) -> GlyphSet:
    """Fit isolated characters to the frame of a tight contract.

    Raises
    ------
    TrainingError
        If the contract is that of a page reader, whose crops are cut from lines.
    """
    if contract.channels != 1 or contract.geometry or not contract.extent:
        raise TrainingError(
            f"isolated characters can not be fitted to the contract {contract.name}, which wants "
            "crops cut from lines; render or harvest pages for it"
        )
    return GlyphSet(fit_glyphs(glyphs.images, contract.frame, contract.extent), glyphs.label)


def ordered_names(names: Iterable[str]) -> tuple[str, ...]:
    """Return distinct class names in order: as numbers if all are, else by code points."""
    distinct = set(names)
    if all(name.isascii() and name.isdigit() for name in distinct):
        return tuple(sorted(distinct, key=lambda name: (int(name), name)))
    return tuple(sorted(distinct))


def fold_names(names: Iterable[str]) -> dict[str, str]:
    """Return the capital that stands for each class name; in the order given.

    A letter whose capital is not one letter (``ß``) stays as it is.
    """
    return {name: name.upper() if len(name.upper()) == len(name) else name for name in names}


def thin_classes(label: NDArray[np.integer], classes: Sequence[str]) -> list[str]:
    """Return a warning that names the classes without a sample, and one for those with one.

    Parameters
    ----------
    label : (N,) integer array
        Indices into `classes`.
    classes : sequence of str

    Returns
    -------
    list of str
        None, one or two, starting with ``warning: ``.
    """
    counts = np.bincount(label, minlength=len(classes))
    warnings = []
    for number, what in ((0, "no sample"), (1, "a single sample")):
        names = [repr(classes[index]) for index in np.flatnonzero(counts == number).tolist()]
        if names:
            more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
            kinds = "class" if len(names) == 1 else "classes"
            warnings.append(f"warning: {what} of the {kinds} {', '.join(names[:_NAMED])}{more}")
    return warnings


def _is_numbered(classes: Sequence[str]) -> bool:
    """Tell class names that are mere numbers from digits that are characters."""
    return len(classes) > 10 and list(classes) == [str(number) for number in range(len(classes))]


def _common_classes(parts: Sequence[Glyphs]) -> tuple[str, ...]:
    kinds = {part.classes for part in parts}
    if len(kinds) == 1:
        return kinds.pop()
    numbered = [_is_numbered(names) for names in kinds]
    if any(numbered) and not all(numbered):
        raise TrainingError(
            "some of the sources number their classes and others name them, so that they can not "
            "be joined; name the classes in the order of their numbers with --classes"
        )
    return ordered_names(name for names in kinds for name in names)


def join_glyphs(parts: Sequence[Glyphs], classes: Sequence[str] | None = None) -> Glyphs:
    """Join sources into one, matching their classes by name.

    Parameters
    ----------
    parts : sequence of Glyphs
        At least one.
    classes : sequence of str, optional
        The classes of the result, in order. Default: those of the parts.

    Raises
    ------
    TrainingError
        If there is no part, a part has a class that `classes` lacks, or some number their classes
        while others name them.
    """
    if not parts:
        raise TrainingError("there is no data to train on; give at least one source")
    names = tuple(classes) if classes is not None else _common_classes(parts)
    place = {name: number for number, name in enumerate(names)}
    labels = []
    for part in parts:
        unknown = [name for name in part.classes if name not in place]
        if unknown:
            raise TrainingError(
                f"the data holds classes that are not listed: {', '.join(unknown[:20])}; "
                "list them, or leave their images out"
            )
        lookup = np.array([place[name] for name in part.classes], np.int64)
        labels.append(lookup[part.label])
    notes = tuple(note for part in parts for note in part.notes)
    return Glyphs(_join_images(parts), np.concatenate(labels), names, notes)


def _join_images(parts: Sequence[Glyphs]) -> Sequence[NDArray[np.uint8]] | NDArray[np.uint8]:
    if len(parts) == 1:
        return parts[0].images
    arrays = [part.images for part in parts if isinstance(part.images, np.ndarray)]
    if len(arrays) == len(parts) and len({array.shape[1:] for array in arrays}) == 1:
        return np.concatenate(arrays)
    return [image for part in parts for image in part.images]
