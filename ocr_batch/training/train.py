"""Train a classifier from sources of labelled characters to a bundle with a report."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocr_batch.errors import BundleError, TrainingError
from ocr_batch.recognition.bundle import CARD, LINE_RELATIVE, Card, find_bundle, load_card
from ocr_batch.recognition.classifier import KERAS_FILE
from ocr_batch.recognition.keras_model import load_keras
from ocr_batch.training.calibration import negative_log_likelihood
from ocr_batch.training.export import export_bundle, seal
from ocr_batch.training.fit import History, fit
from ocr_batch.training.networks import build_network, contract_of
from ocr_batch.training.parts import Parts, open_crops, open_glyphs
from ocr_batch.training.recipe import Recipe
from ocr_batch.training.replay import REPLAY_FILE, choose_replay, write_replay
from ocr_batch.training.report import ReportData, write_report
from ocr_batch.training.run import predict_logits

__all__ = ["Judged", "Sources", "Trained", "deliver", "judge", "open_parts", "train"]

#: Samples shown in the report.
_SHOWN = 96
#: Models of a page reader that are not trained here, and go into its bundle from another.
_LANGUAGE_FILES = ("language.npz", "spaces.npz")


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


@dataclass(frozen=True)
class Judged:
    """What a network made of the test part: logits (N, C), label (N,), mean loss and accuracy."""

    logits: NDArray[np.float32]
    label: NDArray[np.integer]
    loss: float
    accuracy: float


@dataclass(frozen=True)
class Trained:
    """What a training gave.

    Attributes
    ----------
    bundle : Path
        Where it lies.
    replaced : bool
        False when a better one was there, which stays; the new one then lies in `bundle`.
    report : Path
    card : Card
    loss, accuracy : float
        Of the test part, in nats and as a share.
    before : float or None
        Accuracy of the bundle that was there, on the same part.
    notes : tuple of str
    """

    bundle: Path
    replaced: bool
    report: Path
    card: Card
    loss: float
    accuracy: float
    before: float | None
    notes: tuple[str, ...]


def _summary(model: Any) -> str:
    text = io.StringIO()
    model.summary(line_length=78, print_fn=lambda line: text.write(f"{line}\n"))
    return text.getvalue()


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
        if sources.test or sources.classes:
            raise TrainingError(
                "a page reader is tested on crops of its own shards and has classes of its own; "
                "leave --test and --classes out"
            )
        return open_crops(sources.data, recipe)
    return open_glyphs(sources.data, recipe, contract, test=sources.test, classes=sources.classes)


def _report(
    folder: Path,
    model: Any,
    recipe: Recipe,
    parts: Parts,
    history: History,
    logits: NDArray[np.float32],
) -> Path:
    """Write the report of a run."""
    rng = np.random.default_rng([recipe.seed, 4])
    shown = np.sort(rng.choice(len(parts.train), min(_SHOWN, len(parts.train)), replace=False))
    counts = np.bincount(parts.train.label, minlength=len(parts.classes))
    return write_report(
        folder,
        ReportData(
            title=f"{recipe.network}, {len(parts.classes)} classes",
            summary=_summary(model),
            recipe=asdict(recipe),
            notes=parts.notes,
            epochs=history.epochs,
            classes=parts.classes,
            samples=_pictures(parts, parts.train, shown),
            sample_label=parts.train.label[shown],
            images=_pictures(parts, parts.test, np.arange(len(parts.test))),
            label=np.asarray(parts.test.label),
            logits=logits,
            temperature=history.temperature,
            counts=dict(zip(parts.classes, counts.tolist(), strict=True)),
            tested_on=parts.tested_on,
        ),
    )


def _pictures(parts: Parts, data: Any, rows: NDArray[np.intp]) -> NDArray[np.uint8]:
    """Return the images (n, f, f) that a person would look at: the candidate alone."""
    image: NDArray[np.uint8] = data.inputs(rows)["image"]
    return image[..., 0]


def _accuracy_before(out: Path, parts: Parts) -> float | None:
    """Return the accuracy of the bundle that is there, if it tells the same classes apart."""
    if not (out / CARD).is_file():
        return None
    try:
        card = load_card(out)
        if (card.classes, card.contract) != (parts.classes, parts.contract):
            return None
        return judge(load_keras(out / KERAS_FILE), parts).accuracy
    except BundleError:
        return None  # damaged: nothing to compare with


def train(
    sources: Sources,
    recipe: Recipe,
    out: Path,
    *,
    resume: bool = False,
    force: bool = False,
    h5: bool = False,
    tell: Callable[[str], None] | None = None,
) -> Trained:
    """Train a network and write its bundle and its report.

    Parameters
    ----------
    sources : Sources
    recipe : Recipe
    out : Path
        The bundle's folder. The report goes to ``out/report``; checkpoints lie in
        ``<out>.run`` beside it until the end.
    resume : bool
        Continue an interrupted run, to the same result.
    force : bool
        Replace a bundle of the same classes in `out` even by a worse one. Otherwise the worse one
        goes to ``<out>.rejected``.
    h5 : bool
        Also write ``prediction_model.h5``.
    tell : callable, optional
        Is told what was recognised in the data, before training begins.

    Returns
    -------
    Trained

    Raises
    ------
    TrainingError
        If the data or the recipe can not be used; before any training begins.
    """
    recipe.check()
    parts = open_parts(sources, recipe)
    if tell is not None:
        for note in parts.notes:
            tell(note)
    run = out.with_name(f"{out.name}.run")
    if not resume:
        shutil.rmtree(run, ignore_errors=True)
    model, history = fit(
        parts.train,
        parts.validation,
        recipe,
        run,
        lambda: build_network(recipe.network, len(parts.classes)),
        classes=parts.classes,
        n_characters=parts.n_characters,
    )
    judged = judge(model, parts)
    before = _accuracy_before(out, parts)
    worse = before is not None and judged.accuracy < before and not force
    target = out.with_name(f"{out.name}.rejected") if worse else out
    card, report = deliver(model, recipe, parts, history, judged, sources, target, h5=h5)
    shutil.rmtree(run, ignore_errors=True)
    return Trained(
        target, not worse, report, card, judged.loss, judged.accuracy, before, parts.notes
    )


def judge(model: Any, parts: Parts) -> Judged:
    """Measure a trained network on the test part."""
    logits, label = predict_logits(model, parts.test), np.asarray(parts.test.label)
    loss = negative_log_likelihood(logits, label)
    return Judged(logits, label, loss, float((logits.argmax(axis=1) == label).mean()))


def deliver(
    model: Any,
    recipe: Recipe,
    parts: Parts,
    history: History,
    judged: Judged,
    sources: Sources,
    target: Path,
    *,
    h5: bool = False,
) -> tuple[Card, Path]:
    """Write the bundle and the report of a trained network; returns the card and the report."""
    export_bundle(
        model,
        target,
        contract=parts.contract,
        classes=parts.classes,
        n_characters=parts.n_characters,
        temperature=history.temperature,
        recipe={
            **asdict(recipe),
            "steps_done": history.steps,
            "shares": [recipe.validation, recipe.test],
        },
        metrics={
            **history.metrics,
            "test": {
                "on": parts.tested_on,
                "crops": len(judged.label),
                "loss": round(judged.loss, 5),
                "accuracy": round(judged.accuracy, 5),
            },
        },
        sources=_licences(sources),
        validation=parts.validation,
        seed=recipe.seed,
        h5=h5,
    )
    if parts.contract == LINE_RELATIVE:
        _complete_reader(target, parts, sources.language)
    return load_card(target), _report(
        target / "report", model, recipe, parts, history, judged.logits
    )


def _licences(sources: Sources) -> list[dict[str, str]]:
    """Name the data in the card: by what the user said of it, else by file."""
    if sources.licences:
        return [{"name": name, "licence": licence} for name, licence in sources.licences]
    return [{"name": Path(text).name, "licence": "not stated"} for text in sources.data]


def _complete_reader(bundle: Path, parts: Parts, language: str) -> None:
    """Give a page reader what is not trained here, and some old crops for fine-tuning."""
    for name in _LANGUAGE_FILES:
        if not (bundle / name).exists():
            shutil.copyfile(find_bundle(language) / name, bundle / name)
    if parts.rendered and not (bundle / REPLAY_FILE).exists():
        write_replay(bundle, choose_replay(parts.rendered))
    seal(bundle)
