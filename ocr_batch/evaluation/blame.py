"""Say for each wrong character of a page which stage lost it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from ocr_batch.batch.pipeline import Models, ReadTrace, trace_sheet
from ocr_batch.evaluation.causes import Case, Cause, Ceilings, PageBlame
from ocr_batch.evaluation.judge import find_causes
from ocr_batch.evaluation.laid import Laid, lay_out
from ocr_batch.evaluation.metrics import Edit, score_page
from ocr_batch.evaluation.missing import PageInk
from ocr_batch.evaluation.scenes import scene
from ocr_batch.evaluation.spelling import spell
from ocr_batch.imaging.load import Sheet

__all__ = ["blame_page", "blame_trace"]

_CONTEXT = 14
_LONGEST_SHOWN = 60


def blame_page(
    sheet: Sheet,
    truth: str,
    models: Models,
    *,
    name: str = "",
    text: str | None = None,
    ignore_case: bool = False,
    pictures: int = 0,
) -> PageBlame:
    """Read a page and say which stage lost each character.

    Parameters
    ----------
    sheet : Sheet
        A decoded page.
    truth : str
        Its text.
    models : Models
        What to read it with.
    name : str
        Of the page, for the cases.
    text : str, optional
        What had been read from it, to be compared with what is read now.
    ignore_case : bool
        Whether upper and lower case are the same.
    pictures : int
        Of how many cases of each cause a picture is kept, the worst ones.

    Returns
    -------
    PageBlame
    """
    trace = trace_sheet(sheet, models)
    blame = blame_trace(
        trace,
        truth,
        models,
        bilevel=sheet.bilevel,
        name=name,
        ignore_case=ignore_case,
        pictures=pictures,
    )
    if text is None:
        return blame
    errors = score_page(truth, text, ignore_case=ignore_case).char_errors
    same = spell(trace).raw.strip() == text.strip()
    return replace(blame, errors=errors, same=same)


def blame_trace(
    trace: ReadTrace,
    truth: str,
    models: Models,
    *,
    bilevel: bool = False,
    name: str = "",
    ignore_case: bool = False,
    pictures: int = 0,
) -> PageBlame:
    """Say which stage lost each character of a page that was read.

    Parameters
    ----------
    trace : ReadTrace
        The page as read.
    truth, models, name, ignore_case, pictures
        See `blame_page`.
    bilevel : bool
        Whether its sheet has black and white only.

    Returns
    -------
    PageBlame
        Its `errors` are those of the trace.
    """
    laid = lay_out(trace, truth, models, ignore_case=ignore_case)
    causes = find_causes(laid, PageInk(laid, bilevel=bilevel), models)
    cases = _cases(laid, causes, name)
    counts = Counter(causes)
    if pictures:
        cases = _pictured(laid, cases, pictures)
    return PageBlame(
        name,
        counts,
        tuple(case for case, _ in cases),
        _ceilings(laid),
        len(laid.truth),
        len(laid.edits),
    )


def _cases(laid: Laid, causes: list[Cause], name: str) -> list[tuple[Case, list[Edit]]]:
    """Join errors that touch and have one cause."""
    groups: list[tuple[Cause, list[Edit]]] = []
    for edit, cause in zip(laid.edits, causes, strict=True):
        if groups and groups[-1][0] is cause:
            last = groups[-1][1][-1]
            gap = max(edit.truth[0] - last.truth[1], edit.output[0] - last.output[1])
            if gap <= 1:
                groups[-1][1].append(edit)
                continue
        groups.append((cause, [edit]))
    return [
        (
            Case(
                cause,
                len(group),
                name,
                _snippet(laid.truth, group[0].truth[0], group[-1].truth[1]),
                _snippet(laid.spelled.text, group[0].output[0], group[-1].output[1]),
            ),
            group,
        )
        for cause, group in groups
    ]


def _snippet(text: str, start: int, stop: int) -> str:
    middle = text[start:stop]
    if len(middle) > _LONGEST_SHOWN:
        half = _LONGEST_SHOWN // 2
        middle = f"{middle[:half]} … {middle[-half:]}"
    return f"{text[max(0, start - _CONTEXT) : start]}[{middle}]{text[stop : stop + _CONTEXT]}"


def _pictured(
    laid: Laid, cases: list[tuple[Case, list[Edit]]], most: int
) -> list[tuple[Case, list[Edit]]]:
    """Give the worst cases of each cause a picture."""
    result = list(cases)
    taken = Counter[Cause]()
    for number in sorted(range(len(cases)), key=lambda k: -cases[k][0].count):
        case, group = cases[number]
        if taken[case.cause] < most:
            taken[case.cause] += 1
            result[number] = (replace(case, picture=scene(laid, group)), group)
    return result


def _ceilings(laid: Laid) -> Ceilings:
    letters = np.array([letter != " " for letter in laid.truth], np.bool_) & laid.known
    step = laid.step[letters]
    step = step[step >= 0]
    shown, forced = laid.shown, laid.forced
    there = step[(forced.edge[step] >= 0) & (shown.rank[step] >= 0)]
    return Ceilings(
        truth=int(letters.sum()),
        aligned=len(step),
        offered=int(shown.offered[there].sum()),
        opened=len(there),
        first=int(shown.first[there].sum()),
        five=int(shown.among_five[there].sum()),
        right=int((shown.right & shown.kept)[there].sum()),
        right_first=int((shown.right & shown.kept & shown.first)[there].sum()),
    )
