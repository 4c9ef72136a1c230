"""Name what loses characters, stage by stage, and hold what was counted.

Each error of a page (an inserted, lost or changed character, as `score_page` counts them) is given
to one cause: the first stage of reading without whose fault it would not have come about.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import astuple, dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray

__all__ = ["Case", "Cause", "Ceilings", "PageBlame"]


class Cause(Enum):
    """What loses characters, in the order of reading; each value says what it means.

    A character of the truth that forced alignment finds in a line is judged by its candidate. One
    that it finds in no line is lost with the stretch of text around it, and judged with it. A
    character too many is judged by the character of the truth whose ink it holds.
    """

    CHARSET = "no class of the model stands for it"
    NO_INK = "nothing is printed where it should stand: a slip of the transcript"
    BINARISATION = "its ink was taken for paper"
    RULES = "taken out with a rule, or what is left of it"
    FIGURES = "taken out as a picture or a border"
    NOT_FOUND = "text in no line that was found"
    MERGED = "two lines were taken for one, and this one was lost"
    ASIDE = "its ink is in no line or in another one"
    ORDER = "read, but in another place: columns, order, a line broken or joined"
    UNREAD = (
        "in a line of which less than half was read right: wrong size or baseline, ruined print"
    )
    JUNK = "read, but its line or word was left out as junk"
    NO_CUT = "no candidate shows it: the cuts lack one at its side"
    NOT_ASKED = "no candidate shows it: its atom was too sure to be taken apart"
    REJECTED = "its candidate was taken for a wrong cut first"
    SURE = "its candidate is surely something else: the classifier or the transcript is wrong"
    TOP_FIVE = "its candidate is something else first, it among the next four"
    BEYOND = "its candidate is something else, it not among the first five"
    LANGUAGE = "the candidate was used and it came first, another character was chosen"
    PATH = "its candidate had it first, others were chosen"
    CASE = "the same letter, capital for small or small for capital"
    SPACE_LOST = "a space was lost"
    SPACE_ADDED = "a space was added within a word"
    SPACE_MARK = "a space was added beside a quotation mark, bracket, colon or the like"
    LINE_END = "at a line's end: a hyphen or dash there joins or parts what the truth does not"
    EXTRA_LINE = "a line where the truth has no text"
    EXTRA_MARK = "a character where the truth has none, within a line"
    OPEN = "none of these could be shown"
    FAILED = "the page could not be read again"


@dataclass(frozen=True)
class Case:
    """Errors side by side that have one cause.

    Attributes
    ----------
    cause : Cause
    count : int
        Errors.
    page : str
    truth, read : str
        The text there with some before and after it, the errors in brackets.
    picture : ndarray of uint8, shape (h, w, 3), or None
        The line around it, an x-height 20 pixels; None where there is none or none was wanted.
    """

    cause: Cause
    count: int
    page: str
    truth: str
    read: str
    picture: NDArray[np.uint8] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Ceilings:
    """How far each stage could get, in characters of the truth without spaces.

    Attributes
    ----------
    truth : int
        Characters of the truth.
    aligned : int
        Those that forced alignment finds a line for.
    offered : int
        Those shown by a candidate of the lattice as it was read.
    opened : int
        Those shown by a candidate after sure atoms were taken apart too.
    first, five : int
        Of `opened`, those whose candidate has them as the likeliest class of all, and among the
        five likeliest characters.
    right : int
        Of `opened`, those that were read right.
    right_first : int
        Of `first`, those that were read right.
    """

    truth: int = 0
    aligned: int = 0
    offered: int = 0
    opened: int = 0
    first: int = 0
    five: int = 0
    right: int = 0
    right_first: int = 0

    def __add__(self, other: Ceilings) -> Ceilings:
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Ceilings(*(mine + its for mine, its in pairs))


@dataclass(frozen=True)
class PageBlame:
    """The errors of a page by cause.

    Attributes
    ----------
    name : str
    counts : Counter of Cause
        Sums to the character errors of the text as read again.
    cases : tuple of Case
        In the order of the text.
    ceilings : Ceilings
    chars : int
        Length of the truth.
    errors : int
        Character errors of the text that was given.
    same : bool
        Whether the page read again gave the text that was given.
    failure : str
        Why the page could not be read again, or "".
    """

    name: str
    counts: Counter[Cause]
    cases: tuple[Case, ...]
    ceilings: Ceilings
    chars: int
    errors: int
    same: bool = True
    failure: str = ""
