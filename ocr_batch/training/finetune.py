"""Fine-tune a bundle on one's own characters, and keep it only if it reads better."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ocr_batch.datasets.batches import JoinedData
from ocr_batch.datasets.crops import CropSet
from ocr_batch.datasets.harvested import read_harvest
from ocr_batch.errors import TrainingError
from ocr_batch.evaluation.check import PageCheck, TruePage, check_pages
from ocr_batch.recognition.bundle import CARD, LINE_RELATIVE, find_bundle, load_card
from ocr_batch.recognition.keras_model import load_keras
from ocr_batch.training.export import seal
from ocr_batch.training.fit import fit
from ocr_batch.training.networks import build_network
from ocr_batch.training.parts import Parts, open_crops, open_glyphs, parse_source
from ocr_batch.training.recipe import Recipe, default_recipe, read_recipe
from ocr_batch.training.replay import REPLAY_FILE, read_replay
from ocr_batch.training.train import Judged, Sources, Trained, deliver, judge

__all__ = ["FineTuned", "finetune", "read_finetuning_recipe"]

#: Files of a page reader's bundle that fine-tuning leaves as they are.
_KEPT = ("language.npz", "spaces.npz", REPLAY_FILE)
#: Most often that old crops are drawn for one pass over the new ones.
_MOST_REPEATS = 8


@dataclass(frozen=True)
class FineTuned:
    """What fine-tuning gave.

    Attributes
    ----------
    trained : Trained
        `replaced` tells whether the new bundle was accepted.
    check : PageCheck or None
        The held-back pages, before and after; None when the data names none.
    old_before, old_after : float or None
        Accuracy on kept crops of the old data; None without.
    """

    trained: Trained
    check: PageCheck | None
    old_before: float | None
    old_after: float | None


def read_finetuning_recipe(
    base: str | Path, path: Path | None = None, settings: Sequence[str] = ()
) -> Recipe:
    """Read a recipe for fine-tuning a bundle; see `recipe.read_recipe`.

    The default has few passes at a low rate, averaged; isolated characters are augmented as for
    `glyph-reader`.
    """
    card = load_card(find_bundle(base))

    def default(network: str) -> Recipe:
        kind = network if card.contract == LINE_RELATIVE else "glyph-reader"
        gentle = replace(default_recipe(kind), network=network, rate=3e-4, warmup=50)
        return replace(gentle, epochs=3, minutes=0.0, validation=0.1)

    return read_recipe(path, settings, card.network, default)


def _start(base: Path, network: str, classes: int) -> Any:
    """Build the base's network and give it the base's weights."""
    trained = load_keras(base / "model.keras")
    try:
        fresh = build_network(network, classes)
    except TrainingError:
        return trained  # a user's own network, whose code is elsewhere
    fresh.set_weights(trained.get_weights())
    return fresh


def _mix(parts: Parts, old: CropSet, seed: int) -> tuple[Parts, CropSet]:
    """Mix old crops with new ones, about half and half; a tenth of the old ones is kept apart."""
    rng = np.random.default_rng([seed, 5])
    order = rng.permutation(len(old))
    kept = old.select(np.sort(order[: len(old) // 10]))
    used = old.select(np.sort(order[len(old) // 10 :]))
    times = int(np.clip(round(len(parts.train) / max(1, len(used))), 1, _MOST_REPEATS))
    mixed = replace(
        parts,
        train=JoinedData([parts.train, *[used] * times]),
        validation=JoinedData([parts.validation, kept]),
        notes=(*parts.notes, f"{len(used):,} old crops mixed in, drawn {times} times an epoch"),
    )
    return mixed, kept


def _pages(data: Sequence[str]) -> list[TruePage]:
    """List the pages that harvesting held back, for a check."""
    pages: list[TruePage] = []
    for text in data:
        path = Path(parse_source(text)[0])
        if path.is_file() or (path / "harvest.json").is_file():
            pages += [
                TruePage(page.image, page.number, page.truth)
                for page in read_harvest(path).pages
                if page.held_back and page.image.is_file() and page.truth.is_file()
            ]
    return pages


def finetune(
    base: str | Path,
    sources: Sources,
    recipe: Recipe,
    out: Path,
    *,
    replay: Sequence[str] = (),
    resume: bool = False,
    force: bool = False,
    h5: bool = False,
    jobs: int | None = None,
    tell: Callable[[str], None] | None = None,
) -> FineTuned:
    """Train a bundle further, with part of the old data mixed in against forgetting.

    Parameters
    ----------
    base : str or Path
        Name or folder of the bundle to start from.
    sources : Sources
        For a page reader harvested crops; else isolated characters of the base's classes.
    recipe : Recipe
        Its network is the base's.
    out : Path
        The new bundle's folder; may be that of a bundle, which is replaced only by a better one.
    replay : sequence of str
        Further old data: shards as `render --crops` writes them. The bundle's own `REPLAY_FILE`
        is always used.
    resume : bool
        Continue an interrupted run.
    force : bool
        Keep the new bundle even if it reads the held-back pages worse.
    h5 : bool
        Also write ``prediction_model.h5``.
    jobs : int, optional
        Processes that read the held-back pages.
    tell : callable, optional
        Is told what was recognised in the data, before training begins.

    Returns
    -------
    FineTuned

    Raises
    ------
    TrainingError
        If the data does not fit the bundle.
    BundleError
        If there is no such bundle.
    """
    folder = find_bundle(base)
    card = load_card(folder)
    if out.is_dir() and any(out.iterdir()) and not (out / CARD).is_file():
        raise TrainingError(f"{out} holds other files than a bundle; choose a new folder")
    recipe = replace(recipe, network=card.network)
    recipe.check()
    kept: CropSet | None = None
    if card.contract == LINE_RELATIVE:
        parts = open_crops([*sources.data, *replay], recipe)
        old = read_replay(folder)
        if old is not None:
            parts, kept = _mix(parts, old, recipe.seed)
    else:
        parts = open_glyphs(
            sources.data,
            recipe,
            card.contract,
            test=sources.test,
            classes=card.classes,
            fold_case=sources.fold_case,
        )
    if tell is not None:
        for note in parts.notes:
            tell(note)
    new = out.with_name(f"{out.name}.new")
    run = out.with_name(f"{out.name}.run")
    if not resume:
        shutil.rmtree(run, ignore_errors=True)
    before = judge(_start(folder, card.network, len(card.classes)), parts)
    model, history = fit(
        parts.train,
        parts.validation,
        recipe,
        run,
        lambda: _start(folder, card.network, len(card.classes)),
        classes=parts.classes,
        n_characters=parts.n_characters,
    )
    judged = judge(model, parts)
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    for name in _KEPT:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, new / name)
    licences = [dict(source) for source in card.sources]
    made, report = deliver(model, recipe, parts, history, judged, sources, new, h5=h5)
    seal(new, licences)
    pages = _pages(sources.data) if card.contract == LINE_RELATIVE else []
    check = check_pages(pages, folder, new, jobs) if pages else None
    then, now = _old_accuracies(folder, model, kept, parts) if kept is not None else (None, None)
    worse = _is_worse(check, before, judged) and not force
    target = out.with_name(f"{out.name}.rejected") if worse else out
    shutil.rmtree(target, ignore_errors=True)
    new.rename(target)
    shutil.rmtree(run, ignore_errors=True)
    trained = Trained(
        target,
        not worse,
        target / report.relative_to(new),
        made,
        judged.loss,
        judged.accuracy,
        before.accuracy,
        parts.notes,
    )
    return FineTuned(trained, check, then, now)


def _is_worse(check: PageCheck | None, before: Judged, after: Judged) -> bool:
    """Tell whether the new bundle reads worse: pages decide, without any the crops do."""
    if check is not None:
        return check.after.char_errors > check.before.char_errors
    return after.accuracy < before.accuracy


def _old_accuracies(folder: Path, model: Any, kept: CropSet, parts: Parts) -> tuple[float, float]:
    """Return the accuracy on old crops that were kept apart, before and after."""
    old = replace(parts, test=kept)
    base = load_keras(folder / "model.keras")
    return judge(base, old).accuracy, judge(model, old).accuracy
