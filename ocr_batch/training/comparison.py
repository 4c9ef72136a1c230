"""Let bundles read the same labelled data, and put the figures side by side."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocr_batch.datasets.batches import TrainingData
from ocr_batch.errors import BundleError
from ocr_batch.recognition.bundle import CARD, Card, find_bundle
from ocr_batch.recognition.classifier import KERAS_FILE, Classifier, load_classifier
from ocr_batch.training.compare import (
    Accuracy,
    McNemar,
    accuracy,
    count_parameters,
    crops_per_second,
    discordant,
    error_reduction,
    mcnemar,
)
from ocr_batch.training.comparison_data import Field, name_indices, open_field

__all__ = ["Comparison", "Contestant", "Row", "compare", "open_contestant"]

#: Crops a classifier is given at once, and crops that it is timed on.
_CHUNK, _TIMED = 8192, 4096


@dataclass(frozen=True)
class Contestant:
    """A bundle, or several that were trained alike with different seeds.

    Attributes
    ----------
    name : str
    classifiers : tuple of Classifier
    parameters : int
        Of the first.
    """

    name: str
    classifiers: tuple[Classifier, ...]
    parameters: int

    @property
    def cards(self) -> tuple[Card, ...]:
        """Cards of the bundles."""
        return tuple(classifier.card for classifier in self.classifiers)


@dataclass(frozen=True)
class Row:
    """Figures of a contestant.

    Attributes
    ----------
    name, network, backend : str
    accuracy : Accuracy
    errors : float
        Images misread, the mean over the bundles.
    reduction : float or None
        Of the error, in per cent of the first contestant's; None for the first.
    test : McNemar or None
        Against the first contestant.
    parameters : int
    speed : float
        Crops per second.
    """

    name: str
    network: str
    backend: str
    accuracy: Accuracy
    errors: float
    reduction: float | None
    test: McNemar | None
    parameters: int
    speed: float


@dataclass(frozen=True)
class Comparison:
    """What `compare` found: a row a contestant, and what they were compared on."""

    rows: tuple[Row, ...]
    images: int
    classes: int
    part: str
    notes: tuple[str, ...]


def open_contestant(name: str, backend: str = "auto") -> Contestant:
    """Load a bundle by name or path, or all the bundles that lie in a folder.

    Raises
    ------
    BundleError
        If there is none, one does not fit, or those of a folder are of different networks.
    UsageError
        If the back end can not be had.
    """
    folder = Path(name).expanduser()
    several = sorted(path.parent for path in folder.glob(f"*/{CARD}"))
    if (folder / CARD).is_file() or not several:
        several = [find_bundle(name)]
    classifiers = tuple(load_classifier(path, backend) for path in several)
    networks = sorted({classifier.card.network for classifier in classifiers})
    if len(networks) > 1:
        raise BundleError(
            f"the bundles in {name} are of different networks ({', '.join(networks)}), not seeds "
            "of one; give them one by one"
        )
    return Contestant(
        name.rstrip(os.sep) or name, classifiers, count_parameters(several[0] / KERAS_FILE)
    )


def _scores(classifier: Classifier, data: TrainingData, rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the class index that a classifier reads each row as."""
    read = np.empty(len(rows), np.intp)
    for start in range(0, len(rows), _CHUNK):
        part = slice(start, start + _CHUNK)
        inputs = data.inputs(rows[part])
        scores = classifier.scores(inputs["image"], inputs.get("geometry"))
        read[part] = scores.argmax(axis=1)
    return read


def compare(
    contestants: Sequence[Contestant],
    sources: Sequence[str],
    *,
    part: str = "all",
    only: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    fold_case: bool = False,
) -> Comparison:
    """Let bundles read the same labelled data.

    Parameters
    ----------
    contestants : sequence of Contestant
        The others are compared with the first. Classes are matched by name; contracts may differ.
    sources : sequence of str
        Isolated characters as for `datasets.sources.read_glyphs`, or, for page readers, crops of
        lines (of a folder with a ``validation`` part, that part).
    part : str
        "all", or "test": the images that training kept for the test, by what the cards record.
        The sources have to be those of the training.
    only : sequence of str, optional
        Count only images of these classes.
    classes : sequence of str, optional
        Names of the classes of data that numbers them. Default: the first bundle's.
    fold_case : bool
        Take small letters of the data for capitals. Of the test part what the cards record holds.

    Returns
    -------
    Comparison

    Raises
    ------
    TrainingError
        If the data can not be read, holds classes that a bundle does not know, or nothing is left.
    BundleError
        If bundles and data do not go together.
    """
    cards = [card for one in contestants for card in one.cards]
    field = open_field(sources, cards, part=part, only=only, classes=classes, fold_case=fold_case)
    rights = _all_right(contestants, field)
    speeds = _speeds(contestants, field)
    table = tuple(
        _row(one, rights[0], right, speed, is_first=number == 0)
        for number, (one, right, speed) in enumerate(zip(contestants, rights, speeds, strict=True))
    )
    label = field.label[field.rows]
    return Comparison(table, len(label), len(np.unique(label)), field.part, field.notes)


def _all_right(contestants: Sequence[Contestant], field: Field) -> list[NDArray[np.bool_]]:
    """Return which rows each bundle read right, (bundles, rows) for each contestant."""
    results, rows = [], field.rows
    for one in contestants:
        right = np.empty((len(one.classifiers), len(rows)), np.bool_)
        for number, classifier in enumerate(one.classifiers):
            true = name_indices(field.names, classifier.card.classes)[field.label[rows]]
            data = field.fitted(classifier.card.contract)
            right[number] = _scores(classifier, data, rows) == true
        results.append(right)
    return results


def _speeds(contestants: Sequence[Contestant], field: Field) -> tuple[float, ...]:
    """Time the first bundle of each contestant on the same crops."""
    timed = field.rows[:_TIMED]

    def timing(classifier: Classifier) -> Any:
        inputs = field.fitted(classifier.card.contract).inputs(timed)
        return lambda: classifier.scores(inputs["image"], inputs.get("geometry"))

    return crops_per_second([timing(one.classifiers[0]) for one in contestants], len(timed))


def _row(
    one: Contestant,
    first: NDArray[np.bool_],
    right: NDArray[np.bool_],
    speed: float,
    *,
    is_first: bool,
) -> Row:
    share, reference = accuracy(right), accuracy(first)
    return Row(
        name=one.name,
        network=one.cards[0].network,
        backend=one.classifiers[0].backend,
        accuracy=share,
        errors=float((~right).sum() / len(right)),
        reduction=None if is_first else error_reduction(reference.mean, share.mean),
        test=None if is_first else mcnemar(*discordant(first, right)),
        parameters=one.parameters,
        speed=speed,
    )
