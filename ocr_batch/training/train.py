"""Train a classifier from sources of labelled characters to a bundle with a report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from ocr_batch.errors import BundleError, TrainingError
from ocr_batch.recognition.bundle import CARD, LINE_RELATIVE, Card, find_bundle, load_card
from ocr_batch.recognition.classifier import KERAS_FILE
from ocr_batch.recognition.keras_model import load_keras
from ocr_batch.training.delivery import deliver, judge
from ocr_batch.training.fit import Watch, fit
from ocr_batch.training.networks import build_network, contract_of
from ocr_batch.training.parts import Parts, open_crops, open_glyphs
from ocr_batch.training.recipe import Recipe
from ocr_batch.training.replay import choose_replay, write_replay
from ocr_batch.training.workshop import open_workshop

__all__ = ["Sources", "Trained", "train"]

#: Models of a page reader that are not trained here, and go into its bundle from another.
_LANGUAGE_FILES = frozenset({"language.npz", "spaces.npz"})


@dataclass(frozen=True)
class Sources:
    """Data to train on.

    Attributes
    ----------
    data, test : tuple of str
        Sources; see `parts.open_glyphs` and `parts.open_crops`.
    classes : tuple of str, optional
        Names of the classes, in order; default: those of the data.
    fold_case : bool
        Take small letters for capitals.
    language : str
        Bundle whose language and space models a page reader gets, when its folder has none.
    licences : tuple of (str, str)
        Name and licence of each source, for the card.
    """

    data: tuple[str, ...]
    test: tuple[str, ...] = ()
    classes: tuple[str, ...] | None = None
    fold_case: bool = False
    language: str = "english"
    licences: tuple[tuple[str, str], ...] = ()

    def named(self) -> list[dict[str, str]]:
        """Name the data for the card: by what the user said of it, else by file."""
        if self.licences:
            return [{"name": name, "licence": licence} for name, licence in self.licences]
        return [{"name": Path(text).name, "licence": "not stated"} for text in self.data]


@dataclass(frozen=True)
class Trained:
    """What a training gave.

    Attributes
    ----------
    bundle : Path
        Where it lies.
    accepted : bool
        False when a better one was there, which stays.
    report : Path
    card : Card
    loss, accuracy : float
        Of the test part, in nats and as a share.
    before : float or None
        Accuracy of the bundle that was there (in fine-tuning: of the base), on the same part.
    """

    bundle: Path
    accepted: bool
    report: Path
    card: Card
    loss: float
    accuracy: float
    before: float | None


def open_parts(sources: Sources, recipe: Recipe) -> Parts:
    """Open the data for the recipe's network.

    Raises
    ------
    TrainingError
        If the network is not known, or the data can not be used.
    """
    import keras

    # A network of two classes tells what all of its kind take.
    contract = contract_of(build_network(recipe.network, 2))
    keras.backend.clear_session()
    if contract == LINE_RELATIVE:
        refuse_glyph_options(sources)
        return open_crops(sources.data, recipe)
    return open_glyphs(
        sources.data,
        recipe,
        contract,
        test=sources.test,
        classes=sources.classes,
        fold_case=sources.fold_case,
    )


def refuse_glyph_options(sources: Sources) -> None:
    """Refuse what makes no sense for a page reader, rather than overlook it."""
    if sources.test or sources.classes or sources.fold_case:
        raise TrainingError(
            "a page reader is tested on crops of its own shards and has classes of its own; "
            "leave --test-data, --classes and --fold-case out"
        )


def _rival(out: Path, parts: Parts) -> float | None:
    """Return the accuracy of the bundle that is there; None if there is none.

    Raises
    ------
    TrainingError
        If it can not be compared with one trained on this data.
    """
    if not (out / CARD).is_file():
        return None
    advice = "choose another folder, or replace it with --force"
    try:
        card = load_card(out)
        if card.classes != parts.classes or card.contract.frame != parts.contract.frame:
            raise TrainingError(f"the bundle in {out} tells other characters apart; {advice}")
        if card.metrics.get("test", {}).get("data") != parts.tested:
            raise TrainingError(
                f"the bundle in {out} was tested on other data, so that the two can not be "
                f"compared fairly; {advice}"
            )
        return judge(load_keras(out / KERAS_FILE), parts).accuracy
    except BundleError:
        return None  # damaged: nothing is lost


def train(
    sources: Sources,
    recipe: Recipe,
    out: Path,
    *,
    resume: bool = False,
    fresh: bool = False,
    force: bool = False,
    h5: bool = False,
    tell: Callable[[str], None] | None = None,
    watch: Watch | None = None,
) -> Trained:
    """Train a network and write its bundle and its report.

    Parameters
    ----------
    sources : Sources
    recipe : Recipe
    out : Path
        The bundle's folder. The report goes to ``out/report``; checkpoints lie in
        ``<out>.run`` beside it until the end.
    resume, fresh : bool
        Continue an interrupted run to the same result, or throw it away.
    force : bool
        Replace a bundle that is in `out` in any case. Otherwise one that does better on the same
        test part stays, and the new one goes to ``<out>.rejected``.
    h5 : bool
        Also write ``prediction_model.h5``.
    tell : callable, optional
        Is told what was recognised in the data, before training begins.
    watch : Watch, optional

    Returns
    -------
    Trained

    Raises
    ------
    TrainingError
        If the data or the recipe can not be used, or a bundle of another kind is in `out`; before
        any training begins.
    OutputError
        If `out` holds other things, or can not be written.
    """
    recipe.check()
    workshop = open_workshop(out, resume=resume, fresh=fresh)
    parts = open_parts(sources, recipe)
    before = None if force else _rival(workshop.out, parts)
    if tell is not None:
        for note in parts.notes:
            tell(note)
    model, history = fit(
        parts.train,
        parts.validation,
        recipe,
        workshop.run,
        lambda: build_network(recipe.network, len(parts.classes)),
        classes=parts.classes,
        n_characters=parts.n_characters,
        data=parts.data,
        watch=watch,
    )
    bundle = workshop.begin_bundle()
    if parts.rendered:
        write_replay(bundle, choose_replay(parts.rendered))
        workshop.take_over(workshop.out, _LANGUAGE_FILES | {"recipe.ini"})
    else:
        workshop.take_over(workshop.out)
    if parts.contract == LINE_RELATIVE:
        workshop.take_over(find_bundle(sources.language), _LANGUAGE_FILES)
    settings = {**asdict(recipe), "fold_case": sources.fold_case}
    judged = judge(model, parts)
    report = deliver(model, settings, parts, history, judged, sources.named(), bundle, h5=h5)
    accepted = before is None or judged.accuracy >= before
    placed = workshop.put(accepted)
    return Trained(
        placed,
        accepted,
        placed / report.relative_to(bundle),
        load_card(placed),
        judged.loss,
        judged.accuracy,
        before,
    )
