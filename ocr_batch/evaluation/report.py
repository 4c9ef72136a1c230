"""Compare a folder of texts with its truth, and say what is wrong most."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ocr_batch.errors import InputError
from ocr_batch.evaluation.metrics import (
    Confusion,
    PageScore,
    Totals,
    confusions,
    score_page,
    summarise,
)

__all__ = [
    "EvaluatedPage",
    "Evaluation",
    "evaluate_folders",
    "format_evaluation",
    "page_name",
    "pair_texts",
    "read_text",
    "to_json",
]

_SUFFIX = ".txt"
#: Truth is often called PAGE.gt.txt, to lie beside the output.
_TRUTH_MARK = ".gt"


@dataclass(frozen=True)
class EvaluatedPage:
    """One page of the truth.

    Attributes
    ----------
    name : str
        Path of the truth within its folder, without suffix, with forward slashes.
    score : PageScore
        Against an empty text when there is no output.
    missing : bool
        Whether there is no output.
    """

    name: str
    score: PageScore
    missing: bool = False


@dataclass(frozen=True)
class Evaluation:
    """How far a folder of texts is from its truth.

    Attributes
    ----------
    totals : Totals
        Over all pages of the truth.
    pages : tuple of EvaluatedPage
        In the order of their names.
    confusions : tuple of (Confusion, int)
        What was read for what and how often, most frequent first.
    without_truth : int
        Texts in the output folder that no truth belongs to; they do not count.
    ignore_case : bool
        Whether all was compared in upper case.
    """

    totals: Totals
    pages: tuple[EvaluatedPage, ...]
    confusions: tuple[tuple[Confusion, int], ...]
    without_truth: int = 0
    ignore_case: bool = False

    @property
    def missing(self) -> int:
        """Number of pages without output."""
        return sum(page.missing for page in self.pages)

    @property
    def confused(self) -> int:
        """Character errors that are in `confusions`; the others are lost or misplaced text."""
        return sum(confusion.errors * count for confusion, count in self.confusions)


def _texts(folder: Path, what: str) -> list[Path]:
    """Return the text files of a folder and its subfolders, relative to it, sorted."""
    if not folder.exists():
        raise InputError(f"There is no folder {folder}. Give the folder that holds {what}.")
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder. Give the folder that holds {what}.")
    return sorted(
        path.relative_to(folder) for path in folder.rglob(f"*{_SUFFIX}") if path.is_file()
    )


def read_text(path: Path) -> str:
    """Read a text or a truth; bytes that are no UTF-8 become replacement characters.

    Raises
    ------
    InputError
        If the file can not be read.
    """
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(
            f"Can not read {path}: {error.strerror or error}. Mend its permissions or remove it."
        ) from error


def _stem(path: Path) -> Path:
    # Not `with_suffix("")`: it refuses a file that is called ".txt" only.
    return path.with_name(path.name[: -len(_SUFFIX)] or path.name)


def _unmarked(path: Path) -> Path:
    """Return `a/b.txt` for `a/b.gt.txt`, other paths as they are."""
    name = path.name[: -len(_SUFFIX)]
    shorter = name.removesuffix(_TRUTH_MARK)
    return path.with_name(shorter + _SUFFIX) if shorter else path


def _pair(truths: Iterable[Path], outputs: set[Path]) -> dict[Path, Path | None]:
    """Return the output of each truth: that of its own name, or of its name without the mark."""
    return {
        truth: next((path for path in (truth, _unmarked(truth)) if path in outputs), None)
        for truth in truths
    }


def pair_texts(out: Path, truth: Path) -> tuple[dict[Path, Path | None], int]:
    """Find the texts of a folder that belong to the truth.

    Parameters
    ----------
    out, truth : Path
        As for `evaluate_folders`.

    Returns
    -------
    pairs : dict of Path to Path or None
        The output of each truth, both relative to their folders, sorted.
    without_truth : int
        Outputs that no truth belongs to.

    Raises
    ------
    InputError
        When a folder is not there, or there is no truth.
    """
    truths = _texts(truth, "the truth, one .txt file a page")
    if not truths:
        raise InputError(
            f"There is no truth in {truth}. Put a .txt file there for each page, "
            "named as the page's image."
        )
    outputs = set(_texts(out, "the texts, as ocr-batch read wrote them"))
    pairs = _pair(truths, outputs)
    return pairs, len(outputs.difference(pairs.values()))


def evaluate_folders(
    out: Path,
    truth: Path,
    *,
    ignore_case: bool = False,
    watch: Callable[[int, int], None] = lambda done, total: None,
) -> Evaluation:
    """Compare the texts of a folder with the truth.

    Parameters
    ----------
    out : Path
        Folder that was read into: `PAGE.txt`, in the same tree as the truth.
    truth : Path
        Folder of `PAGE.txt` or `PAGE.gt.txt`, UTF-8, searched with its subfolders. A page that
        has no output counts as read empty.
    ignore_case : bool
        Whether texts are compared in upper case.
    watch : callable
        Told how many pages are done, and of how many.

    Returns
    -------
    Evaluation
        The figures.

    Raises
    ------
    InputError
        When a folder is not there, there is no truth, or a file can not be read.
    """
    pairs, without_truth = pair_texts(out, truth)
    pages: list[EvaluatedPage] = []
    counts: Counter[Confusion] = Counter()
    for done, (path, found) in enumerate(pairs.items(), start=1):
        right = read_text(truth / path)
        text = "" if found is None else read_text(out / found)
        score = score_page(right, text, ignore_case=ignore_case)
        pages.append(EvaluatedPage(page_name(path), score, missing=found is None))
        if score.char_errors:
            counts += confusions(right, text, ignore_case=ignore_case)
        watch(done, len(pairs))
    return Evaluation(
        totals=summarise([page.score for page in pages]),
        pages=tuple(pages),
        confusions=tuple(sorted(counts.items(), key=_weight)),
        without_truth=without_truth,
        ignore_case=ignore_case,
    )


def page_name(path: Path) -> str:
    """Return a page's name as it is printed: its path without suffix.

    Parameters
    ----------
    path : Path
        Of its truth, relative to the folder.

    Returns
    -------
    str
    """
    # Bytes of a name that are no UTF-8 could not be printed.
    return _stem(path).as_posix().encode("utf-8", "backslashreplace").decode("utf-8")


def _weight(item: tuple[Confusion, int]) -> tuple[int, int, Confusion]:
    """Sort key: most frequent first, then those that cost more characters, then by letter."""
    confusion, count = item
    return -count, -confusion.errors, confusion


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], left: Sequence[str]) -> list[str]:
    """Return lines with columns aligned: numbers right, the columns named in `left` left."""
    lines = [tuple(head), *(tuple(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return [
        "  ".join(
            cell.ljust(width) if name in left else cell.rjust(width)
            for name, cell, width in zip(head, line, widths, strict=True)
        ).rstrip()
        for line in lines
    ]


def _plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _quoted(piece: str) -> str:
    """Return a piece so that spaces are seen, and an empty one too."""
    return repr(piece) if piece else "nothing"


def _summary_lines(evaluation: Evaluation) -> list[str]:
    totals = evaluation.totals
    lines = [
        f"{_plural(totals.pages, 'page')}, {_plural(totals.chars, 'character')}, "
        f"{_plural(totals.words, 'word')} of truth"
        + (", upper and lower case taken as the same" if evaluation.ignore_case else "")
    ]
    if evaluation.missing:
        count = _plural(evaluation.missing, "page")
        lines.append(f"{count} without output, counted as read empty")
    if evaluation.without_truth:
        lines.append(f"{_plural(evaluation.without_truth, 'text')} without truth, not counted")
    figures = (
        ("CER", totals.cer, "character errors, all pages together"),
        ("CER, median", totals.median_cer, "of the pages"),
        ("CER, p90", totals.p90_cer, "nine of ten pages are no worse"),
        ("WER", totals.wer, "word errors, all pages together"),
        ("bag F1", totals.bag_f1, "agreement of the words, in whatever order"),
    )
    return [*lines, "", *(f"{name:<12}{value:8.4f}  {what}" for name, value, what in figures)]


def _page_table(pages: Iterable[EvaluatedPage]) -> list[str]:
    rows = (
        (
            f"{page.score.cer:.4f}",
            f"{page.score.wer:.4f}",
            f"{page.score.char_errors:,}",
            f"{page.score.chars:,}",
            page.name + (" (no output)" if page.missing else ""),
        )
        for page in pages
    )
    return _table(("CER", "WER", "errors", "characters", "page"), rows, left=("page",))


def _confusion_table(counted: Iterable[tuple[Confusion, int]]) -> list[str]:
    rows = ((f"{count:,}", _quoted(one.truth), _quoted(one.output)) for one, count in counted)
    return _table(("times", "truth", "read as"), rows, left=("truth", "read as"))


def format_evaluation(evaluation: Evaluation, *, worst: int = 10, confusions: int = 20) -> str:
    """Return an evaluation as plain text to be read by people.

    Parameters
    ----------
    evaluation : Evaluation
        The figures.
    worst : int
        How many pages to list, those with the most character errors for their length first.
        Pages without errors are never listed.
    confusions : int
        How many confusions to list, most frequent first.

    Returns
    -------
    str
        Lines with a newline each.
    """
    lines = _summary_lines(evaluation)
    bad = sorted(
        (page for page in evaluation.pages if page.score.char_errors),
        key=lambda page: (-page.score.cer, page.name),
    )[: max(0, worst)]
    if bad:
        lines += ["", "Worst pages", *_page_table(bad)]
    listed = evaluation.confusions[: max(0, confusions)]
    if listed:
        lines += ["", "Most frequent confusions", *_confusion_table(listed)]
    errors = evaluation.totals.char_errors
    if errors:
        rest = errors - evaluation.confused
        lines += [
            "",
            f"{rest:,} of {_plural(errors, 'character error')} ({rest / errors:.0%}) "
            "in text lost, added or out of place.",
        ]
    return "\n".join(lines) + "\n"


def _figures(score: PageScore) -> dict[str, float]:
    return {
        "chars": score.chars,
        "char_errors": score.char_errors,
        "words": score.words,
        "word_errors": score.word_errors,
        "common": score.common,
        "out_words": score.out_words,
        "CER": score.cer,
        "WER": score.wer,
        "bagF1": score.bag_f1,
    }


def to_json(evaluation: Evaluation, more: Mapping[str, object] | None = None) -> str:
    """Return an evaluation as JSON for other programs.

    Parameters
    ----------
    evaluation : Evaluation
        The figures.
    more : mapping, optional
        What else was compared, by name.

    Returns
    -------
    str
        An object with `totals` (the counts and rates, `medianCER`, `p90CER`, `pages`),
        `ignore_case`, `missing`, `without_truth`, `pages` (a list: `page`, `missing`, counts and
        rates) and `confusions` (a list: `truth`, `output`, `count`), and `more`.
    """
    totals = evaluation.totals
    content = {
        "totals": {
            "pages": totals.pages,
            **_figures(totals),
            "medianCER": totals.median_cer,
            "p90CER": totals.p90_cer,
        },
        "ignore_case": evaluation.ignore_case,
        "missing": evaluation.missing,
        "without_truth": evaluation.without_truth,
        "pages": [
            {"page": page.name, "missing": page.missing, **_figures(page.score)}
            for page in evaluation.pages
        ],
        "confusions": [
            {"truth": pair.truth, "output": pair.output, "count": count}
            for pair, count in evaluation.confusions
        ],
        **(more or {}),
    }
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"
