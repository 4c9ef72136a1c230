"""Compare the character tables of a folder with the true ones, and say which boxes are wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ocr_batch.alignment.folding import normalise
from ocr_batch.errors import InputError
from ocr_batch.evaluation.boxes import OUTCOMES, BoxRule, match_boxes, outcomes
from ocr_batch.evaluation.character_table import CharacterTable, read_character_table

__all__ = [
    "BoxCounts",
    "BoxEvaluation",
    "boxes_as_dict",
    "evaluate_boxes",
    "format_boxes",
]

_SUFFIX = ".csv"
#: Bounds of the classes of overlap that are counted.
_BINS = (0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_CLASSES = ("letters", "digits", "punctuation", "leaders")
_LETTERS, _DIGITS, _PUNCTUATION, _LEADERS = range(len(_CLASSES))
# Three or more in a row are no text but a line; where their dots touch no box is theirs.
_LEADER = re.compile(r"([._-])\1{2,}")
_MEANING = {
    "good": "right character, good box",
    "wrong": "good box, wrong character",
    "off": "right character, bad box",
    "both": "a box overlaps, neither is right",
    "lost": "not found",
}


@dataclass(frozen=True)
class BoxCounts:
    """What became of some true characters.

    Attributes
    ----------
    good, wrong, off, both, lost : int
        See `ocr_batch.evaluation.boxes.OUTCOMES`.
    """

    good: int = 0
    wrong: int = 0
    off: int = 0
    both: int = 0
    lost: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.good + self.wrong + self.off + self.both + self.lost

    @property
    def share(self) -> float:
        """Those that were read right and with a good box, of all; 1 when there are none."""
        return self.good / self.total if self.total else 1.0

    @property
    def placed(self) -> float:
        """Those with a good box, of all that were read right; 1 when there are none."""
        right = self.good + self.off
        return self.good / right if right else 1.0


@dataclass(frozen=True)
class BoxEvaluation:
    """How far the boxes of a folder are from the true ones.

    Attributes
    ----------
    totals : BoxCounts
        Over all characters that can be seen.
    pages : tuple of (str, BoxCounts)
        In the order of their names.
    classes : tuple of (str, BoxCounts)
        Letters, digits, punctuation, and leaders: three or more dots, hyphens or underscores in
        a row, which the scores of the text fold into three.
    characters : tuple of (str, BoxCounts)
        By true character, most that are not good first; without leaders.
    extra : int
        Boxes that were read where no character is left to be read.
    unseen : int
        True characters with too little ink left to be seen; they do not count.
    missing : int
        Pages without a table, counted as read empty.
    overlap : ndarray of float64, shape (K,)
        Intersection over union of each right character that does not go by its centre.
    """

    totals: BoxCounts
    pages: tuple[tuple[str, BoxCounts], ...]
    classes: tuple[tuple[str, BoxCounts], ...]
    characters: tuple[tuple[str, BoxCounts], ...]
    extra: int
    unseen: int
    missing: int
    overlap: NDArray[np.float64]

    @property
    def text(self) -> BoxCounts:
        """The counts of all but leaders."""
        return _sum(counts for name, counts in self.classes if name != _CLASSES[_LEADERS])


def _class_of(text: Sequence[str]) -> NDArray[np.int64]:
    """Return the class of each of a page's characters, in reading order."""
    kinds = [
        _LETTERS if one.isalpha() else _DIGITS if one.isdigit() else _PUNCTUATION for one in text
    ]
    found = np.array(kinds, np.int64)
    line = "".join(one if len(one) == 1 else " " for one in text)
    for leader in _LEADER.finditer(line):
        found[leader.start() : leader.end()] = _LEADERS
    return found


def _sum(parts: Iterable[BoxCounts]) -> BoxCounts:
    table = np.array([[getattr(part, name) for name in OUTCOMES] for part in parts], np.int64)
    return BoxCounts(*(int(value) for value in table.reshape(-1, len(OUTCOMES)).sum(axis=0)))


def _count(codes: NDArray[np.int64]) -> BoxCounts:
    return BoxCounts(*(int(value) for value in np.bincount(codes, minlength=len(OUTCOMES))))


def _tables(folder: Path, what: str) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}. Give the folder that holds {what}.")
    return sorted(
        path.relative_to(folder) for path in folder.rglob(f"*{_SUFFIX}") if path.is_file()
    )


def evaluate_boxes(
    out: Path, truth: Path, rule: BoxRule | None = None, *, ignore_case: bool = False
) -> BoxEvaluation:
    """Compare the character tables of a folder with the true ones.

    Parameters
    ----------
    out : Path
        What ``ocr-batch read --detail char`` wrote: `PAGE.csv`, in the same tree as the truth.
    truth : Path
        `PAGE.csv` as ``ocr-batch render`` writes it. A page that has no output counts as read
        empty.
    rule : BoxRule, optional
        When a box is good.
    ignore_case : bool
        Whether upper and lower case are the same.

    Returns
    -------
    BoxEvaluation
        Typographic quotes and dashes count as plain ones, as everywhere in the evaluation.

    Raises
    ------
    InputError
        When a folder is not there, there is no truth, or a table can not be read.
    """
    truths = _tables(truth, "the true boxes, one .csv file a page")
    if not truths:
        raise InputError(
            f"There are no tables in {truth}. Put a .csv file there for each page, "
            "as ocr-batch render writes them."
        )
    found = set(_tables(out, "the tables, as ocr-batch read --detail char wrote them"))
    names: list[str] = []
    known: dict[str, int] = {}
    pages, texts, kinds, codes, overlaps = [], [], [], [], []
    extra = unseen = 0
    for path in truths:
        right = read_character_table(truth / path)
        none = CharacterTable((), np.zeros((0, 4), np.int64), np.zeros(0))
        read = read_character_table(out / path) if path in found else none
        code, other = (_codes(one.text, known, ignore_case) for one in (right, read))
        seen = right.confidence > 0
        match = match_boxes(right.box[seen], code[seen], read.box, other, rule)
        result = outcomes(match, code[seen], other)
        # What stands where a character can hardly be seen is neither right nor wrong.
        rest = match.extra
        hidden = match_boxes(right.box[~seen], code[~seen], read.box[rest], other[rest], rule)
        extra += int(hidden.extra.sum())
        unseen += int((~seen).sum())
        same = np.isin(result, (OUTCOMES.index("good"), OUTCOMES.index("off"))) & ~match.small
        overlaps.append(match.overlap[same])
        names.append(path.with_suffix("").as_posix().encode("utf-8", "backslashreplace").decode())
        pages.append(_count(result))
        texts.append(code[seen])
        kinds.append(_class_of([one for one, there in zip(right.text, seen, strict=True) if there]))
        codes.append(result)
    text, kind, outcome = (np.concatenate(parts) for parts in (texts, kinds, codes))
    plain = kind != _LEADERS
    return BoxEvaluation(
        totals=_sum(pages),
        pages=tuple(zip(names, pages, strict=True)),
        classes=tuple(
            (name, _count(outcome[kind == number])) for number, name in enumerate(_CLASSES)
        ),
        characters=_by_character(text[plain], outcome[plain], list(known)),
        extra=extra,
        unseen=unseen,
        missing=len(set(truths) - found),
        overlap=np.concatenate(overlaps),
    )


def _codes(text: Sequence[str], known: dict[str, int], ignore_case: bool) -> NDArray[np.int64]:
    """Number characters so that those that are no errors for each other get the same number."""
    plain = {one: normalise(one.upper() if ignore_case else one) for one in set(text)}
    for letter in sorted(set(plain.values())):
        known.setdefault(letter, len(known))
    return np.array([known[plain[letter]] for letter in text], np.int64)


def _by_character(
    code: NDArray[np.int64], outcome: NDArray[np.int64], names: Sequence[str]
) -> tuple[tuple[str, BoxCounts], ...]:
    table = np.zeros((len(names), len(OUTCOMES)), np.int64)
    np.add.at(table, (code, outcome), 1)
    counted = [
        (names[number], BoxCounts(*(int(value) for value in table[number])))
        for number in np.flatnonzero(table.sum(axis=1)).tolist()
    ]
    return tuple(sorted(counted, key=lambda item: (item[1].good - item[1].total, item[0])))


def _histogram(overlap: NDArray[np.float64]) -> list[tuple[float, float, int]]:
    """Return (low, high, count); a class holds its upper bound, as the rule says "above"."""
    place = np.searchsorted(_BINS, overlap, side="left")
    counts = np.bincount(np.maximum(place, 1), minlength=len(_BINS))
    return [
        (low, high, int(count))
        for low, high, count in zip(_BINS[:-1], _BINS[1:], counts[1:], strict=True)
    ]


def format_boxes(evaluation: BoxEvaluation, *, worst: int = 10) -> str:
    """Return the comparison as plain text to be read by people.

    Parameters
    ----------
    evaluation : BoxEvaluation
    worst : int
        How many of the worst pages, and of the worst characters, to list.

    Returns
    -------
    str
        Lines with a newline each.
    """
    totals = evaluation.totals
    whole = max(1, totals.total)
    lines = [f"Boxes of {totals.total:,} true characters on {len(evaluation.pages):,} pages"]
    if evaluation.unseen:
        lines.append(f"{evaluation.unseen:,} more have too little ink left, not counted")
    if evaluation.missing:
        lines.append(f"{evaluation.missing:,} pages without a table, counted as read empty")
    lines.append("")
    for name in OUTCOMES:
        count = getattr(totals, name)
        lines.append(f"{count / whole:8.4f} {count:9,}  {_MEANING[name]}")
    lines += [f"{'':8} {evaluation.extra:9,}  boxes that stand for no character", ""]
    text = evaluation.text
    lines += [
        f"{text.share:8.4f} {text.good:9,}  right and good of {text.total:,} without leaders",
        f"{text.placed:8.4f} {'':9}  have a good box of those that were read right",
    ]
    lines += ["", *_counts_table("class", evaluation.classes)]
    lines += ["", "Overlap (IoU) of right characters, marks under 8 px left out"]
    number = max(1, len(evaluation.overlap))
    for low, high, count in _histogram(evaluation.overlap):
        lines.append(f"{low:4.1f} to {high:3.1f} {count / number:8.4f} {count:9,}")
    listed = [item for item in evaluation.characters if item[1].share < 1][: max(0, worst)]
    if listed:
        lines += ["", "Worst characters", *_counts_table("character", listed)]
    bad = sorted(
        (item for item in evaluation.pages if item[1].share < 1),
        key=lambda item: (item[1].share, item[0]),
    )
    if bad and worst > 0:
        lines += ["", "Worst pages", *_counts_table("page", bad[:worst])]
    return "\n".join(lines) + "\n"


def _counts_table(what: str, items: Sequence[tuple[str, BoxCounts]]) -> list[str]:
    head = ("share good", *OUTCOMES[1:], "of")
    lines = ["  ".join(f"{cell:>10}" for cell in head) + f"  {what}"]
    for name, counts in items:
        cells = [f"{counts.share:.4f}", *(f"{getattr(counts, one):,}" for one in OUTCOMES[1:])]
        cells.append(f"{counts.total:,}")
        lines.append("  ".join(f"{cell:>10}" for cell in cells) + f"  {name}")
    return lines


def _figures(counts: BoxCounts) -> dict[str, float]:
    return {"share": counts.share, "placed": counts.placed, "of": counts.total} | {
        name: getattr(counts, name) for name in OUTCOMES
    }


def boxes_as_dict(evaluation: BoxEvaluation) -> dict[str, object]:
    """Return the comparison for JSON.

    Parameters
    ----------
    evaluation : BoxEvaluation

    Returns
    -------
    dict
        `totals`, `text` (without leaders), `classes` (by name), `characters` and `pages` (lists),
        each with `share`, `placed`, `of` and the counts `good`, `wrong`, `off`, `both`, `lost`;
        `extra`, `unseen`, `missing`; `overlap` (a list: `low`, `high`, `count`).
    """
    return {
        "totals": _figures(evaluation.totals),
        "text": _figures(evaluation.text),
        "extra": evaluation.extra,
        "unseen": evaluation.unseen,
        "missing": evaluation.missing,
        "classes": {name: _figures(one) for name, one in evaluation.classes},
        "overlap": [
            {"low": low, "high": high, "count": count}
            for low, high, count in _histogram(evaluation.overlap)
        ],
        "characters": [
            {"character": text} | _figures(counts) for text, counts in evaluation.characters
        ],
        "pages": [{"page": name} | _figures(counts) for name, counts in evaluation.pages],
    }
