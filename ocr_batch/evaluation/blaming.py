"""Blame the pages of a folder in several processes, and sum what was found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ocr_batch.alignment.pairs import PagePair, find_pairs
from ocr_batch.batch.local import available_cores
from ocr_batch.batch.pipeline import Models, load_models
from ocr_batch.batch.pool import run_tasks
from ocr_batch.batch.work import as_failure
from ocr_batch.evaluation.blame import blame_page
from ocr_batch.evaluation.causes import Case, Cause, Ceilings, PageBlame
from ocr_batch.evaluation.metrics import score_page
from ocr_batch.evaluation.report import page_name, pair_texts, read_text
from ocr_batch.imaging.load import load_page
from ocr_batch.recognition.bundle import check_purpose, find_bundle, load_card

__all__ = ["Blame", "BlameTask", "blame_pages", "errors_of", "find_tasks"]


@dataclass(frozen=True)
class BlameTask:
    """A page to be blamed.

    Attributes
    ----------
    name : str
    pair : PagePair
        Its image and truth.
    output : Path or None
        What was read from it; None for nothing.
    """

    name: str
    pair: PagePair
    output: Path | None


@dataclass(frozen=True)
class Blame:
    """The errors of many pages by cause.

    Attributes
    ----------
    pages : tuple of PageBlame
    without_image : int
        Errors of the pages of the truth whose images were not given; they have no cause.
    """

    pages: tuple[PageBlame, ...]
    without_image: int = 0

    @property
    def counts(self) -> Counter[Cause]:
        """Errors by cause, over all pages as read again."""
        return sum((page.counts for page in self.pages), Counter[Cause]())

    @property
    def chars(self) -> int:
        """Length of the truth of all pages."""
        return sum(page.chars for page in self.pages)

    @property
    def ceilings(self) -> Ceilings:
        """Sums over the pages."""
        return sum((page.ceilings for page in self.pages), Ceilings())

    @property
    def cases(self) -> tuple[Case, ...]:
        """All cases, those with the most errors first."""
        cases = (case for page in self.pages for case in page.cases)
        return tuple(sorted(cases, key=lambda case: (-case.count, case.page)))

    @property
    def different(self) -> tuple[PageBlame, ...]:
        """Pages whose text as read again is not the one that was given."""
        return tuple(page for page in self.pages if not page.same)

    @property
    def drift(self) -> int:
        """Errors of the texts that were given, less those of the pages read again."""
        return sum(page.errors - page.counts.total() for page in self.pages)


def find_tasks(
    images: Sequence[str], out: Path, truth: Path
) -> tuple[list[BlameTask], list[BlameTask]]:
    """Find the image of each page of the truth, and what was read from it.

    Parameters
    ----------
    images : sequence of str
        Files, folders and patterns, as for reading.
    out, truth : Path
        Folders, as for `evaluate_folders`.

    Returns
    -------
    tasks : list of BlameTask
    without : list of BlameTask
        Pages of the truth that no image belongs to; their `pair.image` is the truth itself.

    Raises
    ------
    InputError
        If no page of the truth has an image.
    """
    texts, _ = pair_texts(out, truth)
    pairs = {pair.truth.resolve(): pair for pair in find_pairs(images, truth)[0]}
    tasks: list[BlameTask] = []
    without: list[BlameTask] = []
    for path, output in texts.items():
        pair = pairs.get((truth / path).resolve())
        where = tasks if pair is not None else without
        where.append(
            BlameTask(
                page_name(path),
                pair or PagePair(truth / path, truth / path),
                None if output is None else out / output,
            )
        )
    return tasks, without


def blame_pages(
    tasks: Sequence[BlameTask],
    model: str = "english",
    *,
    ignore_case: bool = False,
    pictures: int = 0,
    jobs: int | None = None,
    watch: Callable[[PageBlame, int], None] = lambda page, total: None,
) -> tuple[PageBlame, ...]:
    """Read pages again and say which stage lost each character.

    Parameters
    ----------
    tasks : sequence of BlameTask
    model : str
        Name or folder of the bundle that they were read with.
    ignore_case : bool
        Whether upper and lower case are the same.
    pictures : int
        Of how many cases of each cause a page keeps a picture.
    jobs : int, optional
        Processes; default: one for each core.
    watch : callable
        Told of each page, and how many there are.

    Returns
    -------
    tuple of PageBlame
        In the order of the tasks.

    Raises
    ------
    BundleError
        If the bundle is missing, damaged, or reads isolated characters.
    """
    # Before any process is started: a wrong name is said once.
    bundle = find_bundle(model)
    check_purpose(bundle, load_card(bundle), pages=True)
    found = []
    job = _Job(str(bundle), ignore_case, pictures)
    for page in run_tasks(job, tasks, jobs or available_cores()):
        found.append(page)
        watch(page, len(tasks))
    return tuple(found)


def errors_of(tasks: Sequence[BlameTask], *, ignore_case: bool = False) -> int:
    """Count the character errors of texts without looking at their pages.

    Parameters
    ----------
    tasks : sequence of BlameTask
    ignore_case : bool
        Whether upper and lower case are the same.

    Returns
    -------
    int
    """
    return sum(
        score_page(truth, text, ignore_case=ignore_case).char_errors
        for truth, text in map(_texts, tasks)
    )


def _texts(task: BlameTask) -> tuple[str, str]:
    """Read the truth of a page and what was read from it."""
    truth = read_text(task.pair.truth)
    return truth, "" if task.output is None else read_text(task.output)


@dataclass
class _Job:
    """Blames one page after the other; the models are loaded with the first."""

    model: str
    ignore_case: bool
    pictures: int
    models: Models | None = field(default=None, repr=False)

    def __call__(self, task: BlameTask) -> PageBlame:
        if self.models is None:
            self.models = load_models(self.model)
        text = truth = ""
        try:
            truth, text = _texts(task)
            return blame_page(
                load_page(str(task.pair.image), task.pair.number),
                truth,
                self.models,
                name=task.name,
                text=text,
                ignore_case=self.ignore_case,
                pictures=self.pictures,
            )
        except Exception as error:
            # One page never ends a run, whatever is wrong with it.
            score = score_page(truth, text, ignore_case=self.ignore_case)
            counts = Counter({Cause.FAILED: score.char_errors} if score.char_errors else {})
            return PageBlame(
                task.name,
                counts,
                (),
                Ceilings(),
                score.chars,
                score.char_errors,
                failure=str(as_failure(error)),
            )
