"""Write down which stage lost how many characters, for people and for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ocr_batch.evaluation.blaming import Blame
from ocr_batch.evaluation.causes import Case, Cause, Ceilings

__all__ = ["blame_figures", "format_blame"]

_NAMES = {
    Cause.CHARSET: "beyond the charset",
    Cause.NO_INK: "nothing printed",
    Cause.BINARISATION: "binarisation",
    Cause.RULES: "rule removal",
    Cause.FIGURES: "figure removal",
    Cause.NOT_FOUND: "no line found",
    Cause.MERGED: "lines taken as one",
    Cause.ASIDE: "left out of its line",
    Cause.ORDER: "reading order",
    Cause.UNREAD: "line misread",
    Cause.JUNK: "dropped as junk",
    Cause.NO_CUT: "no cut",
    Cause.NOT_ASKED: "cut not questioned",
    Cause.REJECTED: "classifier: rejected",
    Cause.SURE: "classifier: sure",
    Cause.TOP_FIVE: "classifier: top five",
    Cause.BEYOND: "classifier: beyond",
    Cause.CASE: "case",
    Cause.LANGUAGE: "decoder: character",
    Cause.PATH: "decoder: path",
    Cause.SPACE_LOST: "space lost",
    Cause.SPACE_ADDED: "space in a word",
    Cause.SPACE_MARK: "space at a mark",
    Cause.LINE_END: "line end",
    Cause.EXTRA_LINE: "extra line",
    Cause.EXTRA_MARK: "extra mark",
    Cause.OPEN: "open",
    Cause.FAILED: "page failed",
}


def format_blame(blame: Blame, *, examples: int = 2) -> str:
    """Return the table of causes as plain text.

    Parameters
    ----------
    blame : Blame
    examples : int
        How many cases of each cause to show.

    Returns
    -------
    str
        Lines with a newline each; the counts sum to the character errors of the evaluation.
    """
    total = blame.counts.total() + blame.drift + blame.without_image
    pages = len(blame.pages)
    lines = [
        f"Which stage lost the {total:,} wrong characters of {pages} page" + "s" * (pages != 1),
        "",
        "  count   share     CER",
        *_cause_lines(blame, total, examples),
        *_other_lines(blame, total),
        *(f"{page.name}: {page.failure}" for page in blame.pages if page.failure),
    ]
    return "\n".join([*lines, "", *_ceiling_lines(blame.ceilings)]) + "\n"


def _cause_lines(blame: Blame, total: int, examples: int) -> list[str]:
    wide = max(map(len, _NAMES.values()))
    cases = blame.cases
    lines = []
    for cause, count in _ranked(blame):
        rate = f"{count / max(1, total):7.1%} {count / max(1, blame.chars):7.3%}"
        lines.append(f"{count:>7,} {rate}  {_NAMES[cause]:<{wide}}  {cause.value}")
        for case in _examples(cases, cause, examples):
            lines.append(f"{'':>25}{case.page}: {case.truth} | {case.read}")
    return lines


def _other_lines(blame: Blame, total: int) -> list[str]:
    """Name the errors that have no cause."""
    lines = []
    if blame.without_image:
        count = blame.without_image
        lines.append(f"{count:>7,} {count / total:7.1%} {'':>7}  pages without an image")
    if blame.different:
        names = [page.name for page in blame.different]
        shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
        lines.append(
            f"{blame.drift:>+7,} {'':>15}  errors more in the texts that were given; read again, "
            f"other text came of {shown}"
        )
    return lines


def _ranked(blame: Blame) -> list[tuple[Cause, int]]:
    order = {cause: number for number, cause in enumerate(Cause)}
    return sorted(blame.counts.items(), key=lambda item: (-item[1], order[item[0]]))


def _examples(cases: Sequence[Case], cause: Cause, most: int) -> list[Case]:
    """Return the longest cases of a cause, one a page as far as there are pages."""
    own = [case for case in cases if case.cause is cause]
    seen = Counter[str]()
    turn = []
    for case in own:
        turn.append(seen[case.page])
        seen[case.page] += 1
    order = sorted(range(len(own)), key=turn.__getitem__)
    return [own[number] for number in order[:most]]


def _ceiling_lines(ceilings: Ceilings) -> list[str]:
    rows = (
        (
            ceilings.aligned,
            ceilings.truth,
            "of the truth's characters are in a line that was found",
        ),
        (ceilings.offered, ceilings.aligned, "of these are shown by a candidate of the lattice"),
        (ceilings.opened, ceilings.aligned, "when sure atoms are taken apart as well"),
        (ceilings.first, ceilings.opened, "of the candidates are classified right"),
        (ceilings.five, ceilings.opened, "have the truth among the first five"),
        (ceilings.right, ceilings.opened, "of the candidates are read right in the end"),
        (ceilings.right_first, ceilings.first, "of those that are classified right"),
    )
    return [
        "Ceilings",
        *(f"{own / max(1, of):8.3%}  {own:,} of {of:,}  {what}" for own, of, what in rows),
    ]


def blame_figures(blame: Blame) -> dict[str, object]:
    """Return the table as an object for JSON.

    Parameters
    ----------
    blame : Blame

    Returns
    -------
    dict
        `causes` (a list: `cause`, `name`, `meaning`, `count`, `cases`), `ceilings`,
        `without_image`, `drift`, `different` and `failed` (page names).
    """
    ceilings, cases = blame.ceilings, blame.cases
    return {
        "causes": [
            {
                "cause": cause.name.lower(),
                "name": _NAMES[cause],
                "meaning": cause.value,
                "count": count,
                "cases": [
                    {
                        "page": case.page,
                        "count": case.count,
                        "truth": case.truth,
                        "read": case.read,
                    }
                    for case in cases
                    if case.cause is cause
                ],
            }
            for cause, count in _ranked(blame)
        ],
        "ceilings": {name: getattr(ceilings, name) for name in ceilings.__dataclass_fields__},
        "without_image": blame.without_image,
        "drift": blame.drift,
        "different": [page.name for page in blame.different],
        "failed": {page.name: page.failure for page in blame.pages if page.failure},
    }
