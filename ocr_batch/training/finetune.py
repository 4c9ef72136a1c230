"""Fine-tune a bundle on one's own characters, and keep it only if it reads better."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ocr_batch.datasets.batches import JoinedData, TrainingData
from ocr_batch.datasets.crops import CropSet, join_shards
from ocr_batch.datasets.harvested import read_harvest
from ocr_batch.evaluation.check import PageCheck, TruePage, check_pages
from ocr_batch.recognition.bundle import CARD, LINE_RELATIVE, Card, find_bundle, load_card, verify
from ocr_batch.recognition.classifier import KERAS_FILE
from ocr_batch.recognition.keras_model import load_keras
from ocr_batch.training.calibration import fit_temperature
from ocr_batch.training.delivery import deliver, judge
from ocr_batch.training.export import write_card
from ocr_batch.training.fit import History, Watch, fit
from ocr_batch.training.networks import NETWORKS, build_network
from ocr_batch.training.parts import Parts, open_crops, open_glyphs, parse_source
from ocr_batch.training.recipe import Recipe, default_recipe, read_recipe
from ocr_batch.training.replay import read_replay
from ocr_batch.training.run import predict_logits
from ocr_batch.training.train import Sources, Trained, refuse_glyph_options
from ocr_batch.training.workshop import open_workshop

__all__ = ["FineTuned", "finetune", "read_finetuning_recipe"]

#: Most often that old crops are drawn for one pass over the new ones.
_MOST_REPEATS = 8


@dataclass(frozen=True)
class FineTuned:
    """What fine-tuning gave.

    Attributes
    ----------
    trained : Trained
        `accepted` tells whether the new bundle does at least as well as the base, and as the
        bundle that was there.
    pages : PageCheck or None
        The held-back pages, before and after; None when the data names none.
    old_before, old_after : float or None
        Accuracy on old crops that were kept apart; None without.
    """

    trained: Trained
    pages: PageCheck | None
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


def _start(base: Path, card: Card) -> Any:
    """Build the base's network and give it the base's weights.

    A name in a card is never taken for the path of code: a user's own network is used as stored.
    """
    trained = load_keras(base / KERAS_FILE)
    if card.network not in NETWORKS:
        return trained
    fresh = build_network(card.network, len(card.classes))
    fresh.set_weights(trained.get_weights())
    return fresh


def _old_crops(base: Path, replay: Sequence[str], most: int, seed: int) -> list[CropSet]:
    """Return old crops: those kept in the bundle, and about as many from shards as are new."""
    kept = read_replay(base)
    old = [kept] if kept is not None else []
    for text in replay:
        path = Path(text)
        shards = join_shards(path / "train" if (path / "train").is_dir() else path)
        old.append(shards.take(max(1, most // len(replay)), seed))
    return old


def _mix(parts: Parts, old: Sequence[CropSet], seed: int) -> tuple[Parts, TrainingData]:
    """Mix old crops with new ones; a tenth of the old ones is kept apart."""
    rng = np.random.default_rng([seed, 5])
    used: list[TrainingData] = []
    kept: list[TrainingData] = []
    for crops in old:
        order, tenth = rng.permutation(len(crops)), len(crops) // 10
        kept.append(crops.select(np.sort(order[:tenth])))
        used.append(crops.select(np.sort(order[tenth:])))
    count = sum(map(len, used))
    times = int(np.clip(round(len(parts.train) / max(1, count)), 1, _MOST_REPEATS))
    apart = JoinedData(kept)
    mixed = replace(
        parts,
        train=JoinedData([parts.train, *used * times]),
        validation=JoinedData([parts.validation, apart]),
        notes=(*parts.notes, f"{count:,} old crops mixed in, drawn {times} times an epoch"),
    )
    return mixed, apart


def _held_back(data: Sequence[str]) -> list[TruePage]:
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
    fresh: bool = False,
    force: bool = False,
    h5: bool = False,
    jobs: int | None = None,
    tell: Callable[[str], None] | None = None,
    watch: Watch | None = None,
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
        The new bundle's folder; may be that of a bundle, which is replaced only if the new one
        does at least as well.
    replay : sequence of str
        Further old data: shards as `render --crops` writes them, for isolated characters sources
        of those. The crops kept in a page reader's bundle are always used.
    resume, fresh : bool
        Continue an interrupted run to the same result, or throw it away.
    force : bool
        Keep the new bundle even if it does worse.
    h5 : bool
        Also write ``prediction_model.h5``.
    jobs : int, optional
        Processes that read the held-back pages.
    tell : callable, optional
        Is told what was recognised in the data, before training begins.
    watch : Watch, optional

    Returns
    -------
    FineTuned

    Raises
    ------
    TrainingError
        If the data does not fit the bundle.
    BundleError
        If there is no such bundle, or it is damaged.
    OutputError
        If `out` holds other things, or can not be written.
    """
    folder = find_bundle(base)
    card = verify(folder)
    recipe = replace(recipe, network=card.network)
    recipe.check()
    workshop = open_workshop(out, resume=resume, fresh=fresh)
    apart: TrainingData | None = None
    if card.contract == LINE_RELATIVE:
        refuse_glyph_options(sources)
        parts = open_crops(sources.data, recipe)
        old = _old_crops(folder, replay, len(parts.train), recipe.seed)
        if old:
            parts, apart = _mix(parts, old, recipe.seed)
    else:
        parts = open_glyphs(
            sources.data,
            recipe,
            card.contract,
            test=sources.test,
            classes=card.classes,
            fold_case=sources.fold_case or bool(card.recipe.get("fold_case")),
            replay=replay,
            keep=True,
        )
    pages = _held_back(sources.data) if card.contract == LINE_RELATIVE else []
    if tell is not None:
        for note in parts.notes:
            tell(note)
        if card.contract == LINE_RELATIVE and not pages:
            tell("warning: no pages were held back; crops alone will judge the result")
    model, history = fit(
        parts.train,
        parts.validation,
        recipe,
        workshop.run,
        lambda: _start(folder, card),
        classes=parts.classes,
        n_characters=parts.n_characters,
        data=parts.data,
        watch=watch,
    )
    first = _start(folder, card)
    if card.contract == LINE_RELATIVE:
        history = replace(history, temperature=_temperature(first, card, parts, recipe, history))
    before, judged = judge(first, parts), judge(model, parts)
    memory: tuple[float | None, float | None] = (None, None)
    if apart is not None:
        past = replace(parts, test=apart)
        memory = judge(first, past).accuracy, judge(model, past).accuracy
    bundle = workshop.begin_bundle()
    workshop.take_over(folder)
    (bundle / "recipe.ini").unlink(missing_ok=True)  # it tells how the base was made
    settings = {
        **asdict(recipe),
        "base": card.name,
        "fold_case": bool(card.recipe.get("fold_case")),
    }
    told = [*(dict(source) for source in card.sources), *sources.named()]
    report = deliver(model, settings, parts, history, judged, told, bundle, h5=h5)
    check = check_pages(pages, folder, bundle, jobs) if pages else None
    if check is not None:
        _record(bundle, check)
    accepted = force or (
        _is_no_worse(check, before.accuracy, judged.accuracy)
        and _beats_rival(workshop.out, folder, parts, pages, bundle, judged.accuracy, jobs)
    )
    placed = workshop.put(accepted)
    trained = Trained(
        placed,
        accepted,
        placed / report.relative_to(bundle),
        load_card(placed),
        judged.loss,
        judged.accuracy,
        before.accuracy,
    )
    return FineTuned(trained, check, *memory)


def _temperature(first: Any, card: Card, parts: Parts, recipe: Recipe, history: History) -> float:
    """Return the temperature that stands to the base's as those fitted on the same crops do.

    A page reader's temperature also weighs shapes against language. What fits isolated crops
    makes it too sure on pages, so the base's may be another.
    """
    held_out = parts.validation.take(recipe.limit, recipe.seed)
    fitted = fit_temperature(predict_logits(first, held_out), held_out.label)
    return card.temperature * history.temperature / fitted


def _record(bundle: Path, check: PageCheck) -> None:
    """Write the check into the card."""
    card = load_card(bundle)
    figures = {
        "pages": check.before.pages,
        "cer_before": round(check.before.cer, 5),
        "cer_after": round(check.after.cer, 5),
    }
    write_card(bundle, replace(card, metrics={**card.metrics, "held_back": figures}))


def _is_no_worse(check: PageCheck | None, before: float, after: float) -> bool:
    """Tell whether the new bundle does at least as well: pages decide, without any the crops."""
    if check is not None:
        return check.after.char_errors <= check.before.char_errors
    return after >= before


def _beats_rival(
    out: Path,
    base: Path,
    parts: Parts,
    pages: Sequence[TruePage],
    bundle: Path,
    accuracy: float,
    jobs: int | None,
) -> bool:
    """Tell whether the new bundle does at least as well as one that lies in its place."""
    if not (out / CARD).is_file() or out.resolve() == base.resolve():
        return True
    rival = verify(out)
    if (rival.classes, rival.contract) != (parts.classes, parts.contract):
        return False
    check = check_pages(pages, out, bundle, jobs) if pages else None
    return _is_no_worse(check, judge(load_keras(out / KERAS_FILE), parts).accuracy, accuracy)
