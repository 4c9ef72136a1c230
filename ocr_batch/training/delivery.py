"""Measure a trained network on the test part, and write its bundle and its report."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocr_batch.training.calibration import negative_log_likelihood
from ocr_batch.training.export import export_bundle
from ocr_batch.training.fit import History
from ocr_batch.training.parts import Parts
from ocr_batch.training.report import ReportData, write_report
from ocr_batch.training.run import predict_logits

__all__ = ["Judged", "deliver", "judge"]

#: Samples shown in the report.
_SHOWN = 96


@dataclass(frozen=True)
class Judged:
    """What a network made of the test part: logits (N, C), label (N,), mean loss and accuracy."""

    logits: NDArray[np.float32]
    label: NDArray[np.integer]
    loss: float
    accuracy: float


def judge(model: Any, parts: Parts) -> Judged:
    """Measure a trained network on the test part."""
    logits, label = predict_logits(model, parts.test), np.asarray(parts.test.label)
    loss = negative_log_likelihood(logits, label)
    return Judged(logits, label, loss, float((logits.argmax(axis=1) == label).mean()))


def deliver(
    model: Any,
    settings: Mapping[str, Any],
    parts: Parts,
    history: History,
    judged: Judged,
    sources: Sequence[Mapping[str, str]],
    target: Path,
    *,
    metrics: Mapping[str, Any] | None = None,
    h5: bool = False,
) -> Path:
    """Write the bundle and the report of a trained network.

    Parameters
    ----------
    model : keras.Model
    settings : mapping
        The recipe, for the card and the report.
    parts : Parts
    history : History
    judged : Judged
    sources : sequence of mapping
        What the card says of the data.
    target : Path
        The bundle's folder, named as the bundle.
    metrics : mapping, optional
        More figures for the card.
    h5 : bool
        Also write ``prediction_model.h5``.

    Returns
    -------
    Path
        The report.
    """
    settings = {
        **settings,
        "steps_done": history.steps,
        "shares": [settings["validation"], settings["test"]],
        "data": parts.data,
    }
    export_bundle(
        model,
        target,
        contract=parts.contract,
        classes=parts.classes,
        n_characters=parts.n_characters,
        temperature=history.temperature,
        recipe=settings,
        metrics={
            **history.metrics,
            "test": {
                "on": parts.tested_on,
                "data": parts.tested,
                "crops": len(judged.label),
                "loss": round(judged.loss, 5),
                "accuracy": round(judged.accuracy, 5),
            },
            **(metrics or {}),
        },
        sources=sources,
        representative=parts.train,
        validation=parts.validation,
        seed=int(settings["seed"]),
        h5=h5,
    )
    return _report(target / "report", model, settings, parts, history, judged)


def _report(
    folder: Path,
    model: Any,
    settings: Mapping[str, Any],
    parts: Parts,
    history: History,
    judged: Judged,
) -> Path:
    rng = np.random.default_rng([int(settings["seed"]), 4])
    shown = np.sort(rng.choice(len(parts.train), min(_SHOWN, len(parts.train)), replace=False))
    counts = np.bincount(parts.train.label, minlength=len(parts.classes))
    return write_report(
        folder,
        ReportData(
            title=f"{settings['network']}, {len(parts.classes)} classes",
            summary=_summary(model),
            recipe=settings,
            notes=parts.notes,
            epochs=history.epochs,
            classes=parts.classes,
            samples=_pictures(parts.train, shown),
            sample_label=parts.train.label[shown],
            images=_pictures(parts.test, np.arange(len(parts.test))),
            label=judged.label,
            logits=judged.logits,
            temperature=history.temperature,
            counts=dict(zip(parts.classes, counts.tolist(), strict=True)),
            tested_on=parts.tested_on,
        ),
    )


def _summary(model: Any) -> str:
    text = io.StringIO()
    model.summary(line_length=78, print_fn=lambda line: text.write(f"{line}\n"))
    return text.getvalue()


def _pictures(data: Any, rows: NDArray[np.intp]) -> NDArray[np.uint8]:
    """Return the images (n, f, f) that a person would look at: the candidate alone."""
    image: NDArray[np.uint8] = data.inputs(rows)["image"]
    return image[..., 0]
