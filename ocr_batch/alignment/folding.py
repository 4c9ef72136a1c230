"""Fold texts to what counts: the differences that are no errors of reading are taken out."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["WILDCARD", "normalise"]

#: In the truth: a character that could not be typed. It agrees with any one character, or none.
WILDCARD = "~"

_LOOKALIKES = {
    # Single quotation marks, grave and acute accent, prime.
    "'": "\u2018\u2019\u201a\u201b\u0060\u00b4\u2032",
    # Double quotation marks, double prime.
    '"': "\u201c\u201d\u201e\u201f\u2033",
    # Dashes from hyphen to horizontal bar, minus.
    "-": "\u2010\u2011\u2012\u2013\u2014\u2015\u2212",
    # Bullets and middle dot.
    "*": "\u2022\u00b7\u2219\u25cf",
    # Long s.
    "s": "\u017f",
    # Soft hyphen, byte order mark.
    "": "\u00ad\ufeff",
}
_PLAIN = {ord(mark): plain for plain, marks in _LOOKALIKES.items() for mark in marks}
_BROKEN_WORD = re.compile(r"(?P<head>\w)-[ \t]*\r?\n\s*(?P<tail>\w)")
_LEADERS = re.compile(r"(?P<mark>[._-])(?:\s?(?P=mark)){2,}")


def normalise(text: str) -> str:
    r"""Return a text without the differences that are no errors of reading.

    Curly quotes, dashes and bullets become plain; compatibility forms (ligatures, fractions, wide
    letters) become what they stand for; a word broken over two lines is joined; three or more
    dots, hyphens or underscores, with or without single spaces between, become three; white space
    becomes single spaces.

    Parameters
    ----------
    text : str
        With its line ends, which tell a broken word from a compound.

    Returns
    -------
    str
        One line without spaces at its ends.

    Examples
    --------
    >>> normalise("the \ufb01rst exam-\nple . . . . . 7")
    'the first example ... 7'
    """
    # Plain both before and after: NFKC takes an acute accent apart, and makes new dashes.
    text = unicodedata.normalize("NFKC", text.translate(_PLAIN)).translate(_PLAIN)
    text = _BROKEN_WORD.sub(r"\g<head>\g<tail>", text)
    text = _LEADERS.sub(lambda found: 3 * found["mark"], text)
    return " ".join(text.split())
