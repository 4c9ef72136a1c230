"""Make up the figures of tables and the entries of lists of literature."""

from __future__ import annotations

import numpy as np

from ocr_batch.rendering.corpus import synthetic_token

__all__ = ["number_like", "reference_line"]

_UPPER = "ABCDEFGHIJKLMNOPRSTVWZ"
_NAMES = (
    "Adams", "Baker", "Bell", "Carter", "Clark", "Dalton", "Davies", "Eaton", "Evans", "Fischer",
    "Fuller", "Gibbs", "Green", "Hall", "Harris", "Irving", "Jackson", "Johnson", "Keller", "King",
    "Lewis", "Long", "Marshall", "Miller", "Nelson", "Newton", "O'Brien", "Parker", "Price",
    "Quinn", "Reed", "Roberts", "Schmidt", "Smith", "Taylor", "Thomas", "Underwood", "Vance",
    "Walker", "Wright", "Young", "Zimmerman", "van Dyke", "McAllister", "De la Rue",
)  # fmt: skip
_JOURNALS = (
    "Am. J. Sci.", "Ann. Phys.", "Bull. Geol. Soc. Am.", "Econ. Geol.", "J. Chem. Soc.",
    "J. Geophys. Res.", "Nature", "Phil. Mag.", "Phys. Rev.", "Proc. Roy. Soc. (London)",
    "Science", "Trans. Am. Inst. Min. Engrs.", "U.S. Geol. Survey Prof. Paper",
    "Water Resour. Res.",
)  # fmt: skip
_PLACES = ("New York", "London", "Washington, D.C.", "Boston, Mass.", "Oxford", "Chicago, Ill.")
_MONTHS = ("Jan.", "Feb.", "March", "April", "May", "June", "July", "Aug.", "Sept.", "Oct.", "Nov.")


def _one(rng: np.random.Generator, options: tuple[str, ...] | str) -> str:
    return options[int(rng.integers(0, len(options)))]


def number_like(rng: np.random.Generator) -> str:
    """Draw a number as tables have it."""
    draw = rng.random()
    if draw < 0.4:
        return f"{int(10 ** rng.uniform(0, 6)):,}"
    if draw < 0.75:
        return f"{10 ** rng.uniform(-1, 4):.{int(rng.integers(1, 4))}f}"
    if draw < 0.82:
        return _one(rng, ("-", "--", "...", "N/A", "—", "0", "*", "<1", ">10"))
    if draw < 0.9:
        return f"{rng.uniform(0, 100):.1f}%"
    return synthetic_token(rng).split()[0]


def _author(rng: np.random.Generator, name_first: bool) -> str:
    gap = " " if rng.random() < 0.6 else ""
    initials = gap.join(f"{_one(rng, _UPPER)}." for _ in range(int(rng.integers(1, 4))))
    name = _one(rng, _NAMES)
    return f"{name}, {initials}" if name_first else f"{initials} {name}"


def reference_line(rng: np.random.Generator, title: str) -> str:
    """Make up an entry of a list of literature around a title."""
    first = bool(rng.random() < 0.6)
    authors = [_author(rng, first) for _ in range(int(rng.choice([1, 2, 3], p=[0.5, 0.35, 0.15])))]
    people = ", ".join(authors)
    if len(authors) > 1 and rng.random() < 0.7:
        people = f"{', '.join(authors[:-1])}{_one(rng, (' and ', ', and ', ' & '))}{authors[-1]}"
    elif rng.random() < 0.15:
        people += ", et al."
    year = int(rng.integers(1880, 2005))
    volume, issue = int(rng.integers(1, 180)), int(rng.integers(1, 13))
    page = int(rng.integers(1, 2400))
    last = page + int(rng.integers(1, 40))
    title = f"“{title},”" if rng.random() < 0.4 else f"{title},"
    forms = (
        f"{people}, {title} {_one(rng, _JOURNALS)}, vol. {volume}, no. {issue}, pp. {page}-{last},"
        f" {year}.",
        f"{people} ({year}), {title} {_one(rng, _JOURNALS)} {volume}({issue}), {page}–{last}.",
        f"{people}, {year}. {title} {_one(rng, _PLACES)}: {page % 600 + 20} p.",
        f"{people}; {title} {_one(rng, _JOURNALS)} {volume}, {page} ({year}).",
        f"{people}, {title} {int(rng.integers(1, 29))} {_one(rng, _MONTHS)} {year}, p. {page}.",
    )
    return forms[int(rng.integers(0, len(forms)))]
