"""Open sources of labelled characters, and part them into training, validation and test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ocr_batch.datasets.batches import JoinedData, Subset, TrainingData
from ocr_batch.datasets.crops import CropSet, join_shards
from ocr_batch.datasets.fingerprint import fingerprint
from ocr_batch.datasets.glyphs import fit_set, thin_classes
from ocr_batch.datasets.harvested import read_harvest
from ocr_batch.datasets.sources import is_crops, official_test, read_glyphs
from ocr_batch.datasets.split import split
from ocr_batch.errors import TrainingError
from ocr_batch.recognition.bundle import LINE_RELATIVE, CropContract, tight
from ocr_batch.recognition.charset import CLASSES, N_CHARACTERS
from ocr_batch.segmentation.tight import ink_extent
from ocr_batch.training.recipe import Recipe

__all__ = ["Parts", "open_crops", "open_glyphs", "parse_source"]

#: Most characters that a report, an export and a comparison look at.
_TESTED = 20_000


@dataclass(frozen=True)
class Parts:
    """Data to train on, to watch the training by, and to judge it by.

    Attributes
    ----------
    train, validation, test : TrainingData
        The last two may be one.
    classes : tuple of str
        What the labels are indices into; those from `n_characters` on are garbage.
    n_characters : int
    contract : CropContract
        How the crops are cut.
    notes : tuple of str
        What was recognised in the data, and warnings.
    tested_on : str
        A phrase for the report.
    """

    train: TrainingData
    validation: TrainingData
    test: TrainingData
    classes: tuple[str, ...]
    n_characters: int
    contract: CropContract
    notes: tuple[str, ...]
    tested_on: str
    data: str
    tested: str
    rendered: tuple[CropSet, ...] = ()


def parse_source(text: str) -> tuple[str, int]:
    """Take ``PATH@2`` apart: a source, and how often its crops are drawn (once, without)."""
    path, at, times = text.rpartition("@")
    if at and times.isdecimal() and not Path(text).exists():
        if int(times) < 1:
            raise TrainingError(f"{text!r}: crops are drawn 1 time or more; write {path}@1")
        return path, int(times)
    return text, 1


def open_glyphs(
    data: Sequence[str],
    recipe: Recipe,
    contract: CropContract,
    *,
    test: Sequence[str] = (),
    classes: Sequence[str] | None = None,
    fold_case: bool = False,
    replay: Sequence[str] = (),
    keep: bool = False,
) -> Parts:
    """Open isolated characters.

    Parameters
    ----------
    data : sequence of str
        Sources as for `datasets.sources.read_glyphs`.
    recipe : Recipe
        Its shares and its seed of the split.
    contract : CropContract
        Of the network; the ink's extent is that of the data where the data has its frame.
    test : sequence of str
        Sources to test on. Default: the test files that belong to an idx set, else a share.
    classes : sequence of str, optional
        Names of the classes, in order.
    fold_case : bool
        Take small letters for capitals.
    replay : sequence of str
        Sources of old data, which are trained on only.
    keep : bool
        Leave the extent of the ink as the contract has it, for a network that knows it.

    Returns
    -------
    Parts

    Raises
    ------
    TrainingError
        If a source can not be read or used.
    """
    found = read_glyphs(data, classes, fold_case=fold_case)
    frame = contract.frame
    if not keep and all(image.shape == (frame, frame) for image in found.images):
        contract = tight(frame, ink_extent(np.asarray(found.images)))
    known = fit_set(found, contract)
    if not test and len(data) == 1 and (own := official_test(data[0])) is not None:
        test = [str(own)]
    notes = list(found.notes)
    stopped = "by which the training was also watched, stopped and calibrated"
    if test:
        apart = read_glyphs(test, classes or found.classes, fold_case=fold_case, least_classes=1)
        notes += [f"test data: {note}" for note in apart.notes]
        tested = fit_set(apart, contract)
        train, validation, _ = (
            known.select(rows)
            for rows in split(known.label, (recipe.validation, 0.0), recipe.split_seed)
        )
        phrase = "test data of its own, which nothing looked at before"
        if not recipe.validation:
            validation, phrase = tested, f"test data of its own, {stopped}"
    else:
        train, validation, tested = (
            known.select(rows)
            for rows in split(known.label, (recipe.validation, recipe.test), recipe.split_seed)
        )
        phrase = "a test part that nothing looked at before"
        if not recipe.validation:
            phrase = f"the test part, {stopped}"
        elif not recipe.test:
            tested, phrase = validation, f"the validation part, {stopped}"
    learnt: TrainingData = train
    if replay:
        old = read_glyphs(replay, classes or found.classes, fold_case=fold_case, least_classes=1)
        notes += [f"old data: {note}" for note in old.notes]
        learnt = JoinedData([train, fit_set(old, contract)])
    return Parts(
        learnt,
        validation,
        tested,
        found.classes,
        len(found.classes),
        contract,
        tuple(notes),
        phrase,
        fingerprint(found.label, found.classes, found.images),
        fingerprint(tested.label, found.classes, tested.images),
    )


def _apart(
    crops: CropSet, group: NDArray[np.integer], share: float, seed: int
) -> tuple[TrainingData, TrainingData]:
    """Keep a share of the groups (pages, font families) apart; of the crops, if there is one."""
    rng = np.random.default_rng([seed, 3])
    groups = np.unique(group)
    if len(groups) > 1:
        chosen = rng.permutation(groups)[: max(1, round(share * len(groups)))]
        kept = np.isin(group, chosen)
    else:
        kept = rng.random(len(crops)) < share
    return Subset(crops, np.flatnonzero(~kept)), Subset(crops, np.flatnonzero(kept))


def _line_crops(path: Path) -> tuple[CropSet, NDArray[np.integer], CropSet | None]:
    """Open crops of lines: all, or the training part; their groups; and a validation part."""
    if (path / "train").is_dir():
        apart = path / "validation"
        crops = join_shards(path / "train")
        return crops, crops.group, join_shards(apart) if apart.is_dir() else None
    if not path.exists():
        raise TrainingError(f"there is no {path}; check the path of the data")
    if not is_crops(path):
        raise TrainingError(
            f"{path} holds no crops of lines, which a page reader is trained on; make some by "
            "`ocr-batch render --crops` or `ocr-batch harvest`"
        )
    if path.is_file() or (path / "harvest.json").is_file():
        harvested = read_harvest(path)
        return harvested.crops, harvested.page, None
    crops = join_shards(path)
    return crops, crops.group, None


def open_crops(data: Sequence[str], recipe: Recipe) -> Parts:
    """Open crops of lines, as `render --crops` and `harvest` write them.

    Parameters
    ----------
    data : sequence of str
        Folders of shards, with ``train`` and ``validation`` in them or without, and harvested
        files. ``SOURCE@2`` draws its crops twice as often. Where nothing brings a validation
        part, a share of the groups (pages) of each source is kept apart.
    recipe : Recipe

    Returns
    -------
    Parts
        Tested on the validation part.

    Raises
    ------
    TrainingError
        If a source can not be read or used.
    """
    opened = [(text, *_line_crops(Path(parse_source(text)[0]))) for text in data]
    validation: list[TrainingData] = [apart for *_, apart in opened if apart is not None]
    share = recipe.validation or (0.0 if validation else recipe.test)
    train: list[TrainingData] = []
    notes: list[str] = []
    for text, crops, group, apart in opened:
        path, times = parse_source(text)
        part: TrainingData = crops
        if apart is None and share:
            part, kept = _apart(crops, group, share, recipe.split_seed)
            validation.append(kept)
        train += [part] * times
        often = "" if times == 1 else f", drawn {times} times an epoch"
        notes.append(f"{Path(path).name}: {len(part):,} crops to train on{often}")
    if not validation or not any(map(len, validation)):
        raise TrainingError(
            "no crops are left to watch the training by; set validation to a share above 0"
        )
    label = np.concatenate([crops.label for _, crops, *_ in opened])
    watched = JoinedData(validation).take(recipe.limit, recipe.split_seed)
    tested = watched.take(_TESTED, recipe.split_seed)
    return Parts(
        JoinedData(train),
        watched,
        tested,
        CLASSES,
        N_CHARACTERS,
        LINE_RELATIVE,
        (*notes, *thin_classes(label, CLASSES)),
        "the validation part, by which the training was also watched and calibrated",
        fingerprint(label, CLASSES, ()),
        fingerprint(np.asarray(tested.label), CLASSES, ()),
        tuple(crops for _, crops, _, apart in opened if apart is not None),
    )
