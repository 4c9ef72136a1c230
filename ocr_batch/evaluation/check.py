"""Read pages of known text with two bundles, and compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ocr_batch.batch.reader import Reader
from ocr_batch.errors import InputError
from ocr_batch.evaluation.metrics import PageScore, Totals, score_page, summarise

__all__ = ["PageCheck", "TruePage", "check_pages", "score_pages"]


@dataclass(frozen=True)
class TruePage:
    """A page whose text is known.

    Attributes
    ----------
    image : Path
    number : int
        Page of the file, from 1.
    truth : Path
        Its text, UTF-8.
    """

    image: Path
    number: int
    truth: Path


@dataclass(frozen=True)
class PageCheck:
    """How two bundles read the same pages.

    Attributes
    ----------
    before, after : Totals
    better, worse : int
        Pages with fewer, and with more, wrong characters after than before.
    """

    before: Totals
    after: Totals
    better: int
    worse: int


def score_pages(
    pages: Sequence[TruePage], model: str | Path, jobs: int | None = None
) -> list[PageScore]:
    """Read pages and score each; a page that can not be read counts as empty.

    Parameters
    ----------
    pages : sequence of TruePage
    model : str or Path
        Name or folder of a bundle.
    jobs : int, optional
        Reading processes; default: one for each core.

    Returns
    -------
    list of PageScore
        In the order of `pages`.

    Raises
    ------
    InputError
        If a truth can not be read, or no image is there any more.
    """
    try:
        truths = [page.truth.read_text("utf-8", errors="replace") for page in pages]
    except OSError as error:
        raise InputError(f"the truth of a page can not be read: {error}") from error
    files = list(dict.fromkeys(str(page.image) for page in pages))
    found: dict[tuple[Path, int], str] = {}
    for result in Reader(str(model)).read(files, jobs=jobs):
        text = result.page.text if result.page is not None else ""
        found[Path(result.source).resolve(), result.number] = text
    return [
        score_page(truth, found.get((page.image.resolve(), page.number), ""))
        for page, truth in zip(pages, truths, strict=True)
    ]


def check_pages(
    pages: Sequence[TruePage],
    before: str | Path,
    after: str | Path,
    jobs: int | None = None,
) -> PageCheck:
    """Read pages with two bundles.

    Parameters
    ----------
    pages : sequence of TruePage
        At least one.
    before, after : str or Path
        Names or folders of bundles.
    jobs : int, optional

    Returns
    -------
    PageCheck
    """
    first, second = (score_pages(pages, model, jobs) for model in (before, after))
    pairs = list(zip(first, second, strict=True))
    return PageCheck(
        summarise(first),
        summarise(second),
        sum(new.char_errors < old.char_errors for old, new in pairs),
        sum(new.char_errors > old.char_errors for old, new in pairs),
    )
