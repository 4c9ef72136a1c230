"""Render a folder of pages with the text and the boxes of what is on them."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ocr_batch.batch.pool import run_tasks
from ocr_batch.output.files import make_folder, write_atomic
from ocr_batch.output.writers import WRITERS, Detail, Style
from ocr_batch.rendering.conditions import sample_condition
from ocr_batch.rendering.corpus import Corpus
from ocr_batch.rendering.degradation import degrade
from ocr_batch.rendering.fonts import Face, choose_faces
from ocr_batch.rendering.page import RenderedPage, render_page
from ocr_batch.rendering.truth import true_page

__all__ = ["PAGES", "TRUTH", "FolderPlan", "PageOptions", "make_page", "render_folder"]

#: The folders of the pages, and of their texts and tables.
PAGES, TRUTH = "pages", "truth"


@dataclass(frozen=True)
class PageOptions:
    """How pages are rendered.

    Attributes
    ----------
    kind : str or None
        One of `ocr_batch.rendering.makeup.KINDS`; None: by chance.
    degrade : str
        One of `ocr_batch.rendering.conditions.CONDITIONS`.
    characters : int or None
        About how many are on a page, spaces counted; None: 1000 to 2500.
    x_height : float or None
        Of the body text as rendered, pixels; degrading may scale the page down. None: mostly 16
        to 34.
    distractors : float
        Probability that something is on a page that is no text.
    """

    kind: str | None = None
    degrade: str = "scan"
    characters: int | None = None
    x_height: float | None = None
    distractors: float = 0.1


@dataclass(frozen=True)
class FolderPlan:
    """What to render, and where.

    Attributes
    ----------
    text : sequence of path
        What the pages say: text files, and folders of them.
    out : Path
        Gets the folders ``pages`` and ``truth``.
    pages : int
    seed : int
        Page k depends on the seed and k, the text, the fonts and the options only.
    fonts : sequence of path
        Font files and folders of them; default: those that are installed.
    detail : {"char", "word"}
        What a row of a table stands for.
    page : PageOptions
    """

    text: Sequence[str | Path]
    out: Path
    pages: int = 20
    seed: int = 1
    fonts: Sequence[str | Path] = ()
    detail: Detail = "char"
    page: PageOptions = field(default_factory=PageOptions)


class _Files(NamedTuple):
    """The files of a page."""

    image: bytes
    text: str
    table: str


@dataclass(frozen=True)
class _Job:
    """Make the files of the page of a number."""

    faces: Sequence[Face]
    corpus: Corpus
    seed: int
    style: Style
    page: PageOptions

    def __call__(self, number: int) -> _Files:
        rng = np.random.default_rng([self.seed, number])
        scanned, printed = make_page(rng, self.faces, self.corpus, self.page)
        truth = true_page(scanned, printed)
        return _Files(
            _png(scanned.grey),
            WRITERS["txt"].format(truth, self.style),
            WRITERS["csv"].format(truth, self.style),
        )


def make_page(
    rng: np.random.Generator,
    faces: Sequence[Face],
    corpus: Corpus,
    options: PageOptions | None = None,
) -> tuple[RenderedPage, RenderedPage]:
    """Render and degrade a page.

    Parameters
    ----------
    rng : numpy.random.Generator
        All chance comes from it.
    faces : sequence of Face
    corpus : Corpus
        What the page says.
    options : PageOptions, optional

    Returns
    -------
    scanned : RenderedPage
        As a scanner saw it.
    printed : RenderedPage
        As it was set.

    Raises
    ------
    TrainingError
        If no face is given, or the kind of page is not known.
    """
    how = options or PageOptions()
    printed = render_page(
        rng,
        faces,
        corpus,
        characters=how.characters,
        x_height=how.x_height,
        kind=how.kind,
        distractors=how.distractors,
    )
    return degrade(printed, sample_condition(rng, how.degrade), rng), printed


def render_folder(
    plan: FolderPlan, jobs: int = 1, watch: Callable[[int], object] | None = None
) -> None:
    """Render pages in parallel into ``pages/NAME.png``, ``truth/NAME.txt`` and ``truth/NAME.csv``.

    Parameters
    ----------
    plan : FolderPlan
    jobs : int
        Processes; the files do not depend on their number.
    watch : function of int, optional
        Called with the number of pages that were written since the last call.

    Raises
    ------
    TrainingError
        If there is no text, or a font can not be used; nothing is written then.
    OutputError
        If a file can not be written.
    """
    style = Style(plan.detail)
    job = _Job(choose_faces(plan.fonts), Corpus(plan.text), plan.seed, style, plan.page)
    make_folder(plan.out / PAGES)
    make_folder(plan.out / TRUTH)
    with closing(run_tasks(job, range(1, plan.pages + 1), jobs)) as made:
        for number, files in enumerate(made, 1):
            name = f"page-{number:04d}"
            write_atomic(plan.out / TRUTH / f"{name}.txt", files.text)
            write_atomic(plan.out / TRUTH / f"{name}.csv", files.table)
            write_atomic(plan.out / PAGES / f"{name}.png", files.image)
            if watch is not None:
                watch(1)


def _png(grey: npt.NDArray[np.uint8]) -> bytes:
    from PIL import Image

    image = Image.fromarray(grey)
    if not np.any((grey > 0) & (grey < 255)):
        image = image.convert("1", dither=Image.Dither.NONE)
    packed = io.BytesIO()
    image.save(packed, "PNG")
    return packed.getvalue()
