"""Read pages whose text is known, and keep what their confidence can be learnt from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ocr_batch.alignment.forced import ForcedPage, force_page
from ocr_batch.alignment.pairs import PagePair
from ocr_batch.batch.local import DEFAULT_TIMEOUT, available_cores, run_processes
from ocr_batch.batch.pipeline import Models, ReadTrace, load_models, trace_sheet
from ocr_batch.batch.work import Opened
from ocr_batch.errors import TrainingError
from ocr_batch.evaluation.confidence import WordVerdicts, judge_words
from ocr_batch.imaging.load import Sheet, count_pages, load_page
from ocr_batch.recognition.assembly import kept_steps
from ocr_batch.recognition.charset import CLASSES
from ocr_batch.recognition.word_features import first_of_word, word_features

__all__ = ["KnownPage", "describe_page", "document_of", "read_known"]

_PAGE_NUMBER = re.compile(r"(.*?)[ _-]*[0-9]+")


@dataclass(frozen=True)
class KnownPage:
    """Words and characters of a page whose text is known.

    Attributes
    ----------
    document : str
        Pages of one document are alike.
    features : ndarray of float32, shape (N, F)
        Of the words that are written out.
    product : ndarray of float64, shape (N,)
        Of the classifier's probabilities of each word's characters.
    verdicts : WordVerdicts
        Of these words.
    scores : ndarray of float32, shape (M, C)
        The classifier's, of the characters read on lines whose truth was found.
    label : ndarray of int64, shape (M,)
        What they were read as.
    right : ndarray of bool, shape (M,)
        Whether the truth has this character in this place.
    true_scores : ndarray of float32, shape (K, C)
        The classifier's, of the candidates that show the truth.
    true_label : ndarray of int64, shape (K,)
    trust : ndarray of float64, shape (K,)
        How likely that label is right.
    """

    document: str
    features: NDArray[np.float32]
    product: NDArray[np.float64]
    verdicts: WordVerdicts
    scores: NDArray[np.float32]
    label: NDArray[np.int64]
    right: NDArray[np.bool_]
    true_scores: NDArray[np.float32]
    true_label: NDArray[np.int64]
    trust: NDArray[np.float64]


def document_of(image: Path) -> str:
    """Guess a page's document from its name: what stands before the page's number.

    Examples
    --------
    >>> document_of(Path("office/report_12_003.3B.tif"))
    'office/report_12'
    """
    name = image.name.split(".")[0]
    match = _PAGE_NUMBER.fullmatch(name)
    return f"{image.parent.as_posix()}/{match[1] if match else name}"


def _spell(trace: ReadTrace) -> tuple[list[list[str]], NDArray[np.int64]]:
    """Return the words of each line that are written out, and their numbers on the page."""
    reading = trace.reading
    first = first_of_word(reading)
    start = np.flatnonzero(first)
    kept = kept_steps(trace.scored, reading)[start]
    bounds = np.r_[start, len(reading.label)].tolist()
    lines: dict[int, list[str]] = {}
    number = np.flatnonzero(kept)
    for index in number.tolist():
        own = reading.label[bounds[index] : bounds[index + 1]].tolist()
        text = "".join(CLASSES[label] for label in own)
        lines.setdefault(int(reading.line[start[index]]), []).append(text)
    return list(lines.values()), number


def _read_right(
    trace: ReadTrace, forced: ForcedPage
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return which characters read lie on lines whose truth was found, and which are right."""
    reading = trace.reading
    known = forced.known
    truth = np.full(len(forced.scored.edges), -1, np.int64)
    truth[forced.edge[known]] = forced.label[known]
    judged = np.flatnonzero(
        np.isin(reading.line, forced.line[known]) & kept_steps(trace.scored, reading)
    )
    return judged, truth[reading.edge[judged]] == reading.label[judged]


def describe_page(trace: ReadTrace, transcript: str, models: Models, document: str) -> KnownPage:
    """Judge a page as read by its transcript, and describe its words.

    Parameters
    ----------
    trace : ReadTrace
    transcript : str
    models : Models
        What it was read with.
    document : str

    Returns
    -------
    KnownPage
    """
    reading, scored = trace.reading, trace.scored
    lines, number = _spell(trace)
    start = np.flatnonzero(first_of_word(reading))
    likely = scored.log_probabilities[reading.edge, reading.label].astype(np.float64)
    product = np.exp(np.add.reduceat(likely, start)) if len(start) else np.zeros(0)
    forced = force_page(trace, transcript, models)
    judged, right = _read_right(trace, forced)
    known = forced.known
    return KnownPage(
        document,
        word_features(trace.page, scored, reading, models.language)[number],
        product[number],
        judge_words(lines, transcript),
        scored.log_probabilities[reading.edge[judged]],
        reading.label[judged],
        right,
        forced.scored.log_probabilities[forced.edge[known]],
        forced.label[known],
        forced.confidence[known],
    )


@dataclass
class _Job:
    """Describe pages in reading processes."""

    model: str
    truth: Mapping[tuple[str, int], Path]
    models: Models | None = field(default=None, repr=False)

    def prepare(self) -> None:
        import cv2

        cv2.setNumThreads(1)
        self.models = load_models(self.model)

    def digest(self, source: str) -> str:
        return ""

    def count_pages(self, source: str) -> int:
        return count_pages(source)

    def load_page(self, source: str, number: int) -> Sheet:
        return load_page(source, number)

    def read(self, sheets: Sequence[Sheet]) -> list[KnownPage | None]:
        return [self._describe(sheet) for sheet in sheets]

    def _describe(self, sheet: Sheet) -> KnownPage | None:
        if self.models is None:
            raise RuntimeError("the job was not prepared")
        path = self.truth.get((sheet.source, sheet.number))
        if path is None:
            return None
        text = path.read_text("utf-8", errors="replace")
        trace = trace_sheet(sheet, self.models)
        return describe_page(trace, text, self.models, document_of(Path(sheet.source)))


def read_known(
    pairs: Sequence[PagePair], model: str | Path, jobs: int | None = None
) -> list[KnownPage]:
    """Read pages in parallel and describe their words.

    Parameters
    ----------
    pairs : sequence of PagePair
        Pages with their transcripts.
    model : str or Path
        Name or folder of a bundle.
    jobs : int, optional
        Reading processes; default: one for each core.

    Returns
    -------
    list of KnownPage
        In the order of the pages.

    Raises
    ------
    TrainingError
        If a page can not be read.
    """
    truth = {(str(pair.image), pair.number): pair.truth for pair in pairs}
    sources = list(dict.fromkeys(source for source, _ in truth))
    events = run_processes(
        sources,
        _Job(str(model), truth),
        jobs=jobs or available_cores(),
        timeout=DEFAULT_TIMEOUT,
        in_order=True,
    )
    pages: list[KnownPage] = []
    with closing(events):
        for event in events:
            if isinstance(event, Opened):
                continue
            if event.error is not None:
                raise TrainingError(
                    f"{sources[event.index]} can not be read: {event.error} "
                    "Mend it or leave it out."
                )
            if event.value is not None:
                pages.append(event.value)
    return pages
