"""Read sheets: segment them, classify their characters together, decode, assemble pages."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ocr_batch.batch.options import ReadOptions
from ocr_batch.batch.scales import better_x_heights
from ocr_batch.batch.turns import MANY, likely_turn, stands_upright
from ocr_batch.document import Page
from ocr_batch.imaging.load import Sheet
from ocr_batch.layout.page import Layout, analyse
from ocr_batch.layout.prepare import Prepared, prepare
from ocr_batch.recognition.assembly import assemble
from ocr_batch.recognition.bundle import check_purpose, find_bundle, load_card
from ocr_batch.recognition.charset import CLASSES
from ocr_batch.recognition.classifier import Classifier, connect_classifier, load_classifier
from ocr_batch.recognition.confidence import Confidence, ConfidenceModel
from ocr_batch.recognition.decoder import Reading
from ocr_batch.recognition.language import LanguageModel
from ocr_batch.recognition.reading import decode_pages
from ocr_batch.recognition.scoring import (
    Scored,
    cut_unsure,
    page_quality,
    score_changed,
    score_parts,
    score_whole,
)
from ocr_batch.recognition.spaces import SpaceModel
from ocr_batch.recognition.word_features import word_features
from ocr_batch.segmentation.page import Segmented, resegment, segment

__all__ = [
    "Models",
    "ReadTrace",
    "StageTimer",
    "load_models",
    "read_sheets",
    "trace_prepared",
    "trace_sheet",
]

# A page whose atoms look less like characters than this may stand on its side or head.
_DOUBTFUL_PAGE = 0.7
_CLEARLY_BETTER = 0.1


@dataclass(frozen=True)
class Models:
    """Everything that reading needs from a bundle.

    Attributes
    ----------
    classifier : Classifier
    language : LanguageModel
    spaces : SpaceModel
    confidence : ConfidenceModel or None
        None: a character's confidence is the classifier's, a word's the product of these.
    """

    classifier: Classifier
    language: LanguageModel
    spaces: SpaceModel
    confidence: ConfidenceModel | None = None


class StageTimer:
    """Collect seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time spent inside to a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - start
            self.seconds[name] = self.seconds.get(name, 0.0) + spent


@dataclass(frozen=True)
class _Draft:
    """A sheet segmented, its atoms scored."""

    prepared: Prepared
    layout: Layout
    page: Segmented
    scored: Scored


@dataclass(frozen=True)
class ReadTrace:
    """A page as read, with everything it was read from.

    Attributes
    ----------
    prepared : Prepared
    layout : Layout
    page : Segmented
    scored : Scored
        All edges of the lattice.
    reading : Reading
        The chosen path.
    confidence : Confidence or None
        How sure its words and characters are; None without a model of that.
    """

    prepared: Prepared
    layout: Layout
    page: Segmented
    scored: Scored
    reading: Reading
    confidence: Confidence | None = None


def load_models(
    model: str | Path = "english",
    *,
    backend: str = "auto",
    batch: int | None = None,
    address: str = "",
) -> Models:
    """Load a bundle.

    Parameters
    ----------
    model : str or Path
        Name of a shipped bundle, or a folder.
    backend : str
        "auto" or a name of `ocr_batch.recognition.classifier.BACKENDS`.
    batch : int, optional
        Crops to classify at a time; by default what suits the back end.
    address : str
        Of the process that classifies; "" when this one does.

    Returns
    -------
    Models

    Raises
    ------
    BundleError
        If the bundle is missing, damaged, made for another version, or for isolated characters.
    """
    folder = find_bundle(model)
    check_purpose(folder, load_card(folder), pages=True)
    classifier = (
        connect_classifier(folder, address, CLASSES)
        if address
        else load_classifier(folder, backend, CLASSES, batch=batch)
    )
    confidence = folder / "confidence.npz"
    return Models(
        classifier,
        LanguageModel.load(folder / "language.npz"),
        SpaceModel.load(folder / "spaces.npz"),
        ConfidenceModel.load(confidence) if confidence.exists() else None,
    )


def read_sheets(
    sheets: Sequence[Sheet],
    models: Models,
    options: ReadOptions | None = None,
    timer: StageTimer | None = None,
) -> list[Page]:
    """Read sheets; their crops are classified in common batches.

    Parameters
    ----------
    sheets : sequence of Sheet
        Decoded pages, of one file or of many.
    models : Models
        From `load_models`.
    options : ReadOptions, optional
        How to read; the defaults when not given.
    timer : StageTimer, optional
        Gets the seconds spent by stage.

    Returns
    -------
    list of Page
        In the order of the sheets.
    """
    if not sheets:
        return []
    options = options or ReadOptions()
    timer = timer or StageTimer()
    drafts, scored, readings = _read(sheets, models, options, timer)
    with timer.stage("assemble"):
        return [
            Page(
                assemble(
                    draft.page,
                    scores,
                    reading,
                    draft.layout.block,
                    draft.prepared.to_stored,
                    sheet.stored_size,
                    _confidence(draft.page, scores, reading, models),
                ),
                sheet.stored_size[0],
                sheet.stored_size[1],
                sheet.source,
                sheet.number,
                draft.prepared.rotation,
                draft.prepared.skew,
            )
            for sheet, draft, scores, reading in zip(sheets, drafts, scored, readings, strict=True)
        ]


def _confidence(
    page: Segmented, scored: Scored, reading: Reading, models: Models
) -> Confidence | None:
    """Return how sure the words and characters of a page are; None without a model of that."""
    if models.confidence is None:
        return None
    # Page by page: a sum over the rows of many pages might be taken in another order.
    return Confidence(
        models.confidence.words(word_features(page, scored, reading, models.language)),
        models.confidence.characters(scored.log_probabilities[reading.edge], reading.label),
    )


def trace_sheet(sheet: Sheet, models: Models, options: ReadOptions | None = None) -> ReadTrace:
    """Read one sheet and keep its lattice, for harvesting and for finding faults.

    Parameters
    ----------
    sheet : Sheet
        A decoded page.
    models : Models
        From `load_models`.
    options : ReadOptions, optional
        How to read; the defaults when not given.

    Returns
    -------
    ReadTrace
    """
    drafts, scored, readings = _read([sheet], models, options or ReadOptions(), StageTimer())
    return _trace(drafts[0], scored[0], readings[0], models)


def trace_prepared(
    prepared: Prepared,
    models: Models,
    options: ReadOptions | None = None,
    *,
    figures: bool = True,
) -> ReadTrace:
    """Read a page that is prepared already, for finding what its preparation or layout lost.

    Parameters
    ----------
    prepared : Prepared
        Upright; it is not turned.
    models : Models
        From `load_models`.
    options : ReadOptions, optional
        Only its decoder counts.
    figures : bool
        Whether pictures and borders are taken out, as in reading.

    Returns
    -------
    ReadTrace
    """
    timer = StageTimer()
    layout = analyse(
        prepared.ink,
        prepared.rules,
        prepared.components,
        prepared.x_height or 20.0,
        figures=figures,
    )
    page = segment(prepared.grey, layout.components, layout.lines, cut=False)
    draft = _Draft(prepared, layout, page, score_whole([page], models.classifier)[0])
    draft = _rescale(draft, models, timer)
    drafts, scored, readings = _decode([draft], models, options or ReadOptions(), timer)
    return _trace(drafts[0], scored[0], readings[0], models)


def _trace(draft: _Draft, scored: Scored, reading: Reading, models: Models) -> ReadTrace:
    confidence = _confidence(draft.page, scored, reading, models)
    return ReadTrace(draft.prepared, draft.layout, draft.page, scored, reading, confidence)


def _read(
    sheets: Sequence[Sheet], models: Models, options: ReadOptions, timer: StageTimer
) -> tuple[list[_Draft], list[Scored], list[Reading]]:
    drafts = _draft(sheets, [0] * len(sheets), models, options, timer)
    drafts = _orient(drafts, sheets, models, options, timer)
    return _decode([_rescale(draft, models, timer) for draft in drafts], models, options, timer)


def _decode(
    drafts: Sequence[_Draft], models: Models, options: ReadOptions, timer: StageTimer
) -> tuple[list[_Draft], list[Scored], list[Reading]]:
    """Cut where the first round was unsure, score what comes of it, and read the lines."""
    with timer.stage("segment"):
        pages, whole = cut_unsure([draft.page for draft in drafts], [d.scored for d in drafts])
    with timer.stage("classify"):
        scored = score_parts(pages, whole, models.classifier)
    with timer.stage("decode"):
        readings = decode_pages(pages, scored, models.spaces, models.language, options.decoder)
    cut = [replace(draft, page=page) for draft, page in zip(drafts, pages, strict=True)]
    return cut, scored, readings


def _draft(
    sheets: Sequence[Sheet],
    turns: Sequence[int],
    models: Models,
    options: ReadOptions,
    timer: StageTimer,
) -> list[_Draft]:
    prepared, layouts, pages = [], [], []
    for sheet, quarter_turns in zip(sheets, turns, strict=True):
        with timer.stage("prepare"):
            ready = prepare(sheet, deskew=options.deskew, quarter_turns=quarter_turns)
        with timer.stage("layout"):
            layout = analyse(ready.ink, ready.rules, ready.components, ready.x_height or 20.0)
        with timer.stage("segment"):
            pages.append(segment(ready.grey, layout.components, layout.lines, cut=False))
        prepared.append(ready)
        layouts.append(layout)
    with timer.stage("classify"):
        scored = score_whole(pages, models.classifier)
    return [_Draft(*parts) for parts in zip(prepared, layouts, pages, scored, strict=True)]


def _orient(
    drafts: list[_Draft],
    sheets: Sequence[Sheet],
    models: Models,
    options: ReadOptions,
    timer: StageTimer,
) -> list[_Draft]:
    """Turn pages that read badly and read better turned."""
    if not options.orient:
        return drafts
    result = list(drafts)
    for number, draft in enumerate(drafts):
        quality = page_quality(draft.scored)
        if quality >= _DOUBTFUL_PAGE or stands_upright(draft.page, draft.scored):
            continue
        turn = likely_turn(draft.prepared, quality, models.classifier, timer.stage)
        if not turn:
            continue
        (turned,) = _draft([sheets[number]], [turn], models, options, timer)
        better = page_quality(turned.scored) > quality + _CLEARLY_BETTER
        if better and len(turned.scored.edges) >= MANY:
            result[number] = turned
    return result


def _rescale(draft: _Draft, models: Models, timer: StageTimer) -> _Draft:
    """Give lines that read badly the x-height at which they read better."""
    layout, grey = draft.layout, draft.prepared.grey
    heights = better_x_heights(
        grey, layout, draft.page, draft.scored, models.classifier, timer.stage
    )
    if np.array_equal(heights, layout.lines.x_height):
        return draft
    lines = replace(layout.lines, x_height=heights)
    changed = heights != layout.lines.x_height
    with timer.stage("segment"):
        page = resegment(grey, layout.components, lines, draft.page, changed, cut=False)
    with timer.stage("classify"):
        scored = score_changed(page, draft.page, draft.scored, changed, models.classifier)
    return _Draft(draft.prepared, replace(layout, lines=lines), page, scored)
