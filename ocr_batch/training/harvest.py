"""Harvest labelled crops from real pages whose text is known.

Each page is read and aligned with its transcript (`alignment.forced`); the crops whose labels can
be trusted are kept, those that reading had wrong above all, and wrong cuts as garbage.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ocr_batch.alignment.forced import force_page
from ocr_batch.alignment.pairs import PagePair
from ocr_batch.batch.local import DEFAULT_TIMEOUT, available_cores, run_processes
from ocr_batch.batch.work import Opened
from ocr_batch.datasets.crops import CropSet, pack
from ocr_batch.datasets.harvested import HarvestedPage, HarvestWriter, read_harvest
from ocr_batch.errors import TrainingError, UsageError
from ocr_batch.recognition.bundle import CARD, find_bundle, load_card
from ocr_batch.training.contact import contact_path, draw_contact
from ocr_batch.training.real_crops import crop_page

if TYPE_CHECKING:
    from ocr_batch.batch.pipeline import Models
    from ocr_batch.imaging.load import Sheet

__all__ = [
    "HarvestJob",
    "HarvestOptions",
    "HarvestSummary",
    "harvest_pages",
]

# Crops of a page share a group; below come the groups of drawn pages, their font families.
_FIRST_GROUP = 10_000
_GROUPS = 22_000
#: Where fewer of a transcript's characters are found, it may be of another page.
_LEAST_FOUND = 0.2


@dataclass(frozen=True)
class HarvestOptions:
    """How pages are harvested.

    Attributes
    ----------
    model : str
        Name or folder of the bundle to read with.
    min_confidence : float
        Labels that are less likely right are dropped, 0..1. On drawn, degraded pages whose
        transcripts had defects, 0.7 kept nine in ten of the characters that were misread.
    hold_back : float
        Share of the pages that are kept out, for a check after training.
    seed : int
        Of the choice of pages held back and of easy crops left out.
    jobs : int
        Processes; 0: one a core.
    backend : str
        What runs the classifier.
    timeout : float
        Seconds a page may take; 0 for no limit.
    """

    model: str = "english"
    min_confidence: float = 0.7
    hold_back: float = 0.2
    seed: int = 0
    jobs: int = 0
    backend: str = "auto"
    timeout: float = DEFAULT_TIMEOUT


@dataclass(frozen=True)
class HarvestSummary:
    """What came of harvesting.

    Attributes
    ----------
    pages : tuple of HarvestedPage
    sheet : Path
        Contact sheet of the crops.
    """

    pages: tuple[HarvestedPage, ...]
    sheet: Path

    @property
    def held_back(self) -> int:
        """Pages kept out of the crops."""
        return sum(page.held_back for page in self.pages)

    @property
    def failed(self) -> tuple[HarvestedPage, ...]:
        """Pages that gave nothing, with their errors."""
        return tuple(page for page in self.pages if page.error)

    @property
    def characters(self) -> int:
        """Characters of the transcripts of all pages that were read."""
        return sum(page.characters for page in self.pages)

    @property
    def labelled(self) -> int:
        """Characters whose labels are trusted."""
        return sum(page.labelled for page in self.pages)

    @property
    def misread(self) -> int:
        """Of the characters labelled, those that reading had wrong."""
        return sum(page.misread for page in self.pages)

    @property
    def crops(self) -> int:
        """Crops written, easy ones thinned out, those of the garbage classes included."""
        return sum(page.crops for page in self.pages)


@dataclass(frozen=True)
class _Crops:
    """The crops of a page as they travel between processes."""

    packed: NDArray[np.uint8]
    geometry: NDArray[np.float16]
    label: NDArray[np.int64]
    confidence: NDArray[np.float64]
    read: NDArray[np.int64]
    characters: int
    labelled: int
    misread: int


@dataclass
class HarvestJob:
    """Harvest pages in reading processes.

    Attributes
    ----------
    options : HarvestOptions
    truth : mapping of (str, int) to (Path, int)
        Transcript and index of each page that is wanted, by its file and number.
    models : Models or None
        What `prepare` loads.
    """

    options: HarvestOptions
    truth: Mapping[tuple[str, int], tuple[Path, int]]
    models: Models | None = field(default=None, repr=False)

    def prepare(self) -> None:
        """Load the models, and keep OpenCV to the one core that a process has."""
        import cv2

        from ocr_batch.batch.pipeline import load_models

        cv2.setNumThreads(1)
        self.models = load_models(self.options.model, backend=self.options.backend)

    def digest(self, source: str) -> str:
        """Return "": pages are not compared with those of another day."""
        return ""

    def count_pages(self, source: str) -> int:
        """Return the number of pages of a file."""
        from ocr_batch.imaging.load import count_pages

        return count_pages(source)

    def load_page(self, source: str, number: int) -> Sheet:
        """Decode one page, counted from 1."""
        from ocr_batch.imaging.load import load_page

        return load_page(source, number)

    def read(self, sheets: Sequence[Sheet]) -> list[_Crops | None]:
        """Harvest pages; None for those that are not wanted."""
        return [self._harvest(sheet) for sheet in sheets]

    def _harvest(self, sheet: Sheet) -> _Crops | None:
        from ocr_batch.batch.pipeline import trace_sheet

        if self.models is None:
            raise RuntimeError("the job was not prepared")
        wanted = self.truth.get((sheet.source, sheet.number))
        if wanted is None:
            return None
        text, index = wanted
        trace = trace_sheet(sheet, self.models)
        forced = force_page(trace, text.read_text("utf-8", errors="replace"), self.models)
        rng = np.random.default_rng([self.options.seed, index])
        crops = crop_page(trace, forced, self.options.min_confidence, rng)
        return _Crops(
            pack(crops.images),
            crops.geometry.astype(np.float16),
            crops.label,
            crops.confidence,
            crops.read,
            forced.truth,
            crops.labelled,
            crops.misread,
        )


def harvest_pages(
    pairs: Sequence[PagePair],
    out: Path,
    options: HarvestOptions | None = None,
    watch: Callable[[int, int, HarvestedPage], None] = lambda done, total, page: None,
) -> HarvestSummary:
    """Harvest pages in parallel into a file or a folder of shards, with a contact sheet.

    Parameters
    ----------
    pairs : sequence of PagePair
        From `find_pairs`.
    out : Path
        One compressed file if it ends in ``.npz`` (the sheet is beside it, ``.contact.png``),
        else a folder of shards (the sheet is ``contact.png`` in it). An older harvest is
        replaced at the end only.
    options : HarvestOptions, optional
    watch : callable
        Told of each page: how many are done, of how many, and what came of it.

    Returns
    -------
    HarvestSummary
        A page that can not be read, or whose transcript can not, is named there.

    Raises
    ------
    BundleError
        If the bundle is missing, damaged, or reads isolated characters.
    OutputError
        If nothing can be written to `out`.
    TrainingError
        If there is no page, or none gave a crop.
    UsageError
        If what is to be written is one of the pages or transcripts.
    """
    options = options or HarvestOptions()
    if not pairs:
        raise TrainingError("There are no pages to harvest. Give images and their transcripts.")
    _check_output(pairs, out)
    bundle = find_bundle(options.model)
    load_card(bundle)
    checksum = hashlib.sha256((bundle / CARD).read_bytes()).hexdigest()
    pages = _plan(pairs, options)
    wanted = [k for k, page in enumerate(pages) if not (page.held_back or page.error)]
    done = 0
    for page in pages:
        if page.held_back or page.error:
            done += 1
            watch(done, len(pages), page)
    with HarvestWriter(out) as writer:
        for index, result in _results(pairs, wanted, options):
            pages[index] = _finish(pages[index], result)
            if isinstance(result, _Crops) and pages[index].crops:
                _write(writer, result, index)
            done += 1
            watch(done, len(pages), pages[index])
        if not any(page.crops for page in pages):
            why = next((f" {page.name}: {page.error}" for page in pages if page.error), "")
            raise TrainingError(
                f"No crop was harvested from {len(pages)} pages.{why} "
                "Look whether the transcripts belong to the pages."
            )
        writer.close(pages, bundle.name, checksum)
    sheet = contact_path(out)
    draw_contact(read_harvest(out), sheet)
    return HarvestSummary(tuple(pages), sheet)


def _check_output(pairs: Sequence[PagePair], out: Path) -> None:
    """Refuse to write over a page or a transcript."""
    given = {path.resolve() for pair in pairs for path in (pair.image, pair.truth)}
    for path in (out, contact_path(out)):
        if path.resolve() in given:
            raise UsageError(
                f"{path} is one of the pages or transcripts and would be written over. "
                "Choose another output."
            )


def _plan(pairs: Sequence[PagePair], options: HarvestOptions) -> list[HarvestedPage]:
    """Choose the pages to be held back, and name those whose transcript is of no use."""
    pages = [_page(pair) for pair in pairs]
    good = [k for k, page in enumerate(pages) if not page.error]
    if options.hold_back > 0 and len(good) > 1:
        count = min(len(good) - 1, max(1, round(options.hold_back * len(good))))
        rng = np.random.default_rng([options.seed, 1])
        for k in rng.choice(len(good), count, replace=False):
            pages[good[k]] = replace(pages[good[k]], held_back=True)
    return pages


def _page(pair: PagePair) -> HarvestedPage:
    page = HarvestedPage(pair.image.absolute(), pair.truth.absolute(), pair.number)
    try:
        text = pair.truth.read_text("utf-8", errors="replace")
    except OSError as error:
        return replace(page, error=f"Can not read {pair.truth}: {error.strerror or error}.")
    if not text.strip():
        return replace(page, error=f"Its transcript {pair.truth} is empty.")
    return page


def _results(
    pairs: Sequence[PagePair], wanted: Sequence[int], options: HarvestOptions
) -> Iterator[tuple[int, _Crops | str]]:
    """Yield the index of each wanted page, and its crops or what went wrong."""
    truth = {(str(pairs[k].image), pairs[k].number): (pairs[k].truth, k) for k in wanted}
    sources = list(dict.fromkeys(source for source, _ in truth))
    open_pages = {key: index for key, (_, index) in truth.items()}
    events = run_processes(
        sources,
        HarvestJob(options, truth),
        jobs=options.jobs or available_cores(),
        timeout=options.timeout,
        in_order=True,
    )
    with closing(events):
        for event in events:
            if isinstance(event, Opened):
                continue
            source = sources[event.index]
            if event.error is not None and (source, event.number) not in open_pages:
                # A file that can not be opened fails as its page 1.
                keys = [key for key in open_pages if key[0] == source and event.number == 1]
            else:
                keys = [(source, event.number)]
            for key in keys:
                index = open_pages.pop(key, None)
                if index is not None:
                    yield index, event.value if event.value is not None else str(event.error)
    for (_, number), index in open_pages.items():
        yield index, f"The file could not be opened or has no page {number}."


def _finish(page: HarvestedPage, result: _Crops | str) -> HarvestedPage:
    if isinstance(result, str):
        return replace(page, error=result)
    found = replace(
        page,
        characters=result.characters,
        labelled=result.labelled,
        misread=result.misread,
        crops=len(result.label),
    )
    if result.labelled < _LEAST_FOUND * result.characters:
        return replace(
            found,
            labelled=0,
            misread=0,
            crops=0,
            error=f"Only {result.labelled} of the {result.characters} characters of "
            f"{page.truth} were found on it; the text may be of another page.",
        )
    return found


def _write(writer: HarvestWriter, result: _Crops, index: int) -> None:
    count = len(result.label)
    group = np.full(count, _FIRST_GROUP + index % _GROUPS, np.int16)
    crops = CropSet(result.packed, result.geometry, result.label.astype(np.int16), group)
    writer.add(crops, result.confidence, np.full(count, index), result.read)
