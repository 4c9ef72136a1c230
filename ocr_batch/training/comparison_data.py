"""Open the labelled data that bundles are compared on, and choose the images that count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ocr_batch.datasets.batches import JoinedData, TrainingData
from ocr_batch.datasets.crops import join_shards
from ocr_batch.datasets.fingerprint import fingerprint
from ocr_batch.datasets.glyphs import Glyphs, fit_set, fold_names
from ocr_batch.datasets.harvested import read_harvest
from ocr_batch.datasets.sources import is_crops, official_test, read_glyphs
from ocr_batch.datasets.split import split
from ocr_batch.errors import BundleError, TrainingError
from ocr_batch.recognition.bundle import LINE_RELATIVE, Card, CropContract
from ocr_batch.training.parts import parse_source

__all__ = ["Field", "name_indices", "open_field"]

#: How cards begin to say that the test part was no share of the data; see `parts.open_glyphs`.
_APART = "test data of its own"


@dataclass(frozen=True)
class _Crops:
    """Crops of lines; their labels are indices into the classes of a page reader."""

    data: TrainingData
    label: NDArray[np.int64]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Field:
    """Labelled data, as each contract wants it.

    Attributes
    ----------
    names : tuple of str
        Names of the classes that the labels are indices into.
    label : (N,) int64
    rows : (n,) intp
        The images that count.
    part : str
        Which they are, for a sentence.
    notes : tuple of str
        What was recognised in the data.
    """

    names: tuple[str, ...]
    label: NDArray[np.int64]
    rows: NDArray[np.intp]
    part: str
    notes: tuple[str, ...]
    _found: Glyphs | _Crops
    _fitted: dict[CropContract, TrainingData] = field(default_factory=dict)

    def fitted(self, contract: CropContract) -> TrainingData:
        """Return all the data as a contract wants it; fitted once, then kept."""
        if isinstance(self._found, _Crops):
            return self._found.data
        if contract not in self._fitted:
            self._fitted[contract] = fit_set(self._found, contract)
        return self._fitted[contract]


def _open_crops(sources: Sequence[str]) -> _Crops:
    parts: list[TrainingData] = []
    for text in sources:
        path = Path(parse_source(text)[0])
        if path.is_file():
            parts.append(read_harvest(path).crops)
        else:
            inner = path / "validation"
            parts.append(join_shards(inner if inner.is_dir() else path))
    data = JoinedData(parts)
    notes = (f"{len(data):,} crops of lines",)
    return _Crops(data, np.asarray(data.label).astype(np.int64), notes)


def _holds_crops(source: str) -> bool:
    path = Path(parse_source(source)[0])
    inner = path / "validation"
    return is_crops(path) or (inner.is_dir() and is_crops(inner))


def _open_glyphs(
    sources: Sequence[str],
    cards: Sequence[Card],
    classes: Sequence[str] | None,
    fold_case: bool,
) -> Glyphs:
    """Read isolated characters; mere numbers are taken for those of the first card's classes."""
    found = read_glyphs(sources, classes, fold_case=fold_case, least_classes=1)
    names = cards[0].classes
    is_numbered = found.classes == tuple(map(str, range(len(found.classes))))
    unnamed = classes is None and is_numbered and not set(found.classes) <= set(names)
    # One more: numbers from 1.
    if unnamed and len(found.classes) in (len(names), len(names) + 1):
        found = read_glyphs(sources, names, fold_case=fold_case, least_classes=1)
        note = f"classes are numbered, and take the names of {cards[0].name}'s"
        return replace(found, notes=(*found.notes, note))
    return found


def name_indices(names: Sequence[str], classes: Sequence[str]) -> NDArray[np.int64]:
    """Return the place of each name in `classes`; -1 where it is not there."""
    place = {name: index for index, name in enumerate(classes)}
    return np.array([place.get(name, -1) for name in names], np.int64)


@dataclass(frozen=True)
class _Recorded:
    """What cards say about the data that they were trained on, and how the test part was kept."""

    classes: tuple[str, ...]
    fold_case: bool
    seed: int
    shares: tuple[float, float]


def _recorded(cards: Sequence[Card]) -> _Recorded:
    """Return what all the cards say alike; refuse those that do not tell a test part."""
    found = {
        (
            card.classes,
            bool(card.recipe.get("fold_case", False)),
            card.recipe.get("split_seed"),
            tuple(card.recipe.get("shares") or ()),
        )
        for card in cards
    }
    if len(found) > 1:
        raise BundleError(
            "the cards of the bundles record different splits or classes, so that the test part "
            "of one was the training part of another; train them with the same split seed, shares, "
            "classes and case, or compare them on data that none was trained on"
        )
    classes, fold_case, seed, shares = found.pop()
    for card in cards:
        if str(card.metrics.get("test", {}).get("on", "")).startswith(_APART):
            raise BundleError(
                f"the bundle {card.name} was tested on data of its own, not on a part of what it "
                "was trained on; give that as --data, without --part test"
            )
    silent = [card.name for card in cards if not card.recipe.get("data")]
    if silent or not isinstance(seed, int) or len(shares) != 2:
        raise BundleError(
            f"the card of {(silent or [cards[0].name])[0]} does not record what data the test part "
            "was chosen from, or how; train it again, or compare without --part test on data that "
            "it was not trained on"
        )
    return _Recorded(classes, fold_case, seed, (float(shares[0]), float(shares[1])))


def _test_rows(
    found: Glyphs, cards: Sequence[Card], recorded: _Recorded
) -> tuple[NDArray[np.intp], str]:
    """Return the rows that training kept for the test, and how it did."""
    # The split and the fingerprint depend on the order of the classes: in training, the card's.
    ordered = name_indices(found.classes, recorded.classes)[found.label]
    given = fingerprint(ordered, recorded.classes, found.images)
    for card in cards:
        if card.recipe["data"] != given:
            raise BundleError(
                f"this is not the data that {card.name} was trained on, so that its test part can "
                "not be told: give the same sources in the same order, with the same --classes as "
                "in training, or leave --part test out"
            )
    _, validation, tested = split(ordered, recorded.shares, recorded.seed)
    rows = tested if len(tested) else validation
    for card in cards:
        count = card.metrics.get("test", {}).get("crops", len(rows))
        if count != len(rows):
            raise BundleError(
                f"the test part of this data would be {len(rows):,} images, the card of "
                f"{card.name} records {count:,}: it was tested on other data; give that, or leave "
                "--part test out"
            )
    one, other = recorded.shares
    return rows, f"test part, split seed {recorded.seed}, shares {one:g} and {other:g}"


def _refuse_unknown(label: NDArray[np.int64], names: Sequence[str], cards: Sequence[Card]) -> None:
    held = [names[index] for index in np.unique(label)]
    for card in cards:
        unknown = [name for name in held if name not in set(card.classes)]
        if unknown:
            listed = ", ".join(unknown[:20]) + (" …" if len(unknown) > 20 else "")
            raise TrainingError(
                f"the data holds classes that the bundle {card.name} does not know: {listed}; "
                "name the classes of numbered data with --classes, or leave classes out with --only"
            )


def _check_readers(cards: Sequence[Card]) -> tuple[str, ...]:
    """Return the classes that all the page readers have; refuse anything else."""
    for card in cards:
        if card.contract != LINE_RELATIVE:
            raise BundleError(
                f"the bundle {card.name} tells isolated characters apart and can not read crops "
                "of lines; give data of isolated characters"
            )
        if card.classes != cards[0].classes:
            raise BundleError(
                f"the bundles {cards[0].name} and {card.name} have different classes, but crops of "
                "lines number theirs; train one of them again"
            )
    return cards[0].classes


def open_field(
    sources: Sequence[str],
    cards: Sequence[Card],
    *,
    part: str,
    only: Sequence[str] | None,
    classes: Sequence[str] | None,
    fold_case: bool = False,
) -> Field:
    """Open data and check that every bundle can read it; parameters as of `comparison.compare`.

    Raises
    ------
    TrainingError
        If the data can not be read, holds classes that a bundle does not know, or nothing is left.
    BundleError
        If bundles and data do not go together.
    """
    lines = [_holds_crops(source) for source in sources]
    # Page readers read crops of lines; to the others these are isolated characters like any.
    if any(lines) and cards[0].contract == LINE_RELATIVE:
        if not all(lines):
            raise TrainingError("crops of lines and isolated characters can not be mixed")
        names = _check_readers(cards)
        if part == "test":
            raise TrainingError(
                "crops of lines are split by page, not by the card; give the validation shards as "
                "--data instead of --part test"
            )
        crops = _open_crops(sources)
        return _chosen(names, crops, np.arange(len(crops.label)), "all images", cards, only)
    recorded: _Recorded | None = None
    if part == "test":
        own = official_test(sources[0]) if len(sources) == 1 else None
        if own is not None:
            raise TrainingError(
                f"{sources[0]} has test files of its own, which training tests on; "
                f"compare on them: --data {own}"
            )
        recorded = _recorded(cards)
        fold_case, classes = recorded.fold_case, classes or recorded.classes
    found = _open_glyphs(sources, cards, classes, fold_case)
    rows, what = np.arange(len(found)), "all images"
    if recorded is not None:
        _refuse_unknown(found.label, found.classes, cards)
        rows, what = _test_rows(found, cards, recorded)
    if only is not None and fold_case:
        only = tuple(dict.fromkeys(fold_names(only).values()))
    return _chosen(found.classes, found, rows, what, cards, only)


def _chosen(
    names: tuple[str, ...],
    found: Glyphs | _Crops,
    rows: NDArray[np.intp],
    what: str,
    cards: Sequence[Card],
    only: Sequence[str] | None,
) -> Field:
    """Keep the classes wanted, and check that every bundle knows them."""
    label = np.asarray(found.label).astype(np.int64)
    if only is not None:
        absent = [name for name in only if name not in names]
        if absent:
            raise TrainingError(
                f"the data has no classes {', '.join(absent[:20])}; --only names classes of the "
                "data"
            )
        rows = rows[np.isin(label[rows], name_indices(only, names))]
        what += f", {len(only)} of the classes only"
    if not len(rows):
        raise TrainingError("no image is left to compare on; give other data or classes")
    _refuse_unknown(label[rows], names, cards)
    return Field(names, label, rows, what, found.notes, found)
