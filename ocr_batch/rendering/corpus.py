"""Draw English text for training pages: real paragraphs by genre, and made-up rare content."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ocr_batch.errors import TrainingError
from ocr_batch.recognition.charset import CHARACTERS

__all__ = [
    "GENRE_WEIGHTS",
    "Corpus",
    "normalise",
    "rare_token",
    "synthetic_line",
    "synthetic_token",
]

#: How often a paragraph is drawn from a genre (the folder's name); others weigh 1.
GENRE_WEIGHTS: Mapping[str, float] = {
    "business": 2.5,
    "legal": 3.0,
    "technical": 2.5,
    "tables": 2.0,
    "fiction": 3.0,
    "nonfiction-old": 3.0,
    "news-web": 1.5,
    "speeches": 1.5,
    "textbook": 1.5,
    "reference": 0.7,
}

_KEPT = frozenset(CHARACTERS) | {" "}
_MAPPED = str.maketrans(
    {
        "‐": "-", "‑": "-", "‒": "–", "−": "–", "―": "—", "′": "'", "″": '"', "‚": ",",
        "„": "“", "‟": "“", "‛": "‘", "`": "`", "´": "'", "·": "•", "∙": "•", "●": "•",
        "⁄": "/", "∕": "/", "∗": "*", "™": "", "\t": " ", "\u00a0": " ", "\u2009": " ",
        "\u202f": " ", "\u2003": " ", "\u2002": " ", "\u200b": "", "\u00ad": "", "æ": "ae",
        "œ": "oe", "Æ": "Ae", "Œ": "Oe", "ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "ﬁ": "fi",
        "ﬂ": "fl", "ﬀ": "ff", "ﬃ": "ffi", "ﬄ": "ffl", "º": "°",
    }
)  # fmt: skip
_CHUNK = 1 << 14
#: So many bytes tell whether a file is text, and whether so many characters of it are damaged.
_HEAD = 1 << 12
_DAMAGED = 0.05
_SPACES = re.compile(r" +")


def normalise(text: str) -> str:
    """Return text in our charset: others are mapped to a look-alike, unaccented, or dropped."""
    text = unicodedata.normalize("NFC", text).translate(_MAPPED)
    if not _KEPT.issuperset(text):
        kept = []
        for character in text:
            if character in _KEPT:
                kept.append(character)
            elif character.isspace():
                kept.append(" ")
            else:
                plain = unicodedata.normalize("NFD", character)[0]
                kept.append(plain if plain in _KEPT else "")
        text = "".join(kept)
    return _SPACES.sub(" ", text).strip()


class Corpus:
    """Paragraphs of UTF-8 text files, in a folder ``GENRE/SOURCE.txt`` or ``SOURCE.txt``.

    Files are read a piece at a time at random places, so that a large corpus costs no memory.

    Parameters
    ----------
    source : path, or sequence of paths
        Folders that are searched for ``.txt`` files, and text files of any name.
    weights : mapping of str to float
        Genre (the folder's name) to weight; a genre that is not named weighs 1.

    Raises
    ------
    TrainingError
        If there is no text, or a file is not UTF-8 text.

    """

    def __init__(
        self,
        source: str | Path | Sequence[str | Path],
        weights: Mapping[str, float] = GENRE_WEIGHTS,
    ) -> None:
        sources = [source] if isinstance(source, (str, Path)) else source
        files = _text_files([Path(one) for one in sources])
        genres: dict[str, list[Path]] = {}
        for path in files:
            genres.setdefault(path.parent.name, []).append(path)
        self.genres = tuple(sorted(genres))
        self._files = [genres[name] for name in self.genres]
        # The square root, so that a small source is seen too without being known by heart.
        sizes = [np.array([path.stat().st_size for path in paths]) ** 0.5 for paths in self._files]
        self._shares = [size / size.sum() for size in sizes]
        odds = np.array([weights.get(name, 1.0) for name in self.genres])
        self._odds = odds / odds.sum()

    def paragraphs(self, rng: np.random.Generator, characters: int) -> list[str]:
        """Draw consecutive paragraphs of one source.

        Parameters
        ----------
        rng : numpy.random.Generator
            All chance comes from it.
        characters : int
            About how many characters are wanted, at most 12,000.

        Returns
        -------
        list of str
            In our charset, each not empty; they may hold fewer characters than wanted.

        """
        for _ in range(8):
            genre = int(rng.choice(len(self.genres), p=self._odds))
            number = int(rng.choice(len(self._files[genre]), p=self._shares[genre]))
            found = self._read(self._files[genre][number], rng, characters)
            if found:
                return found
        return [synthetic_line(rng)]

    def _read(self, path: Path, rng: np.random.Generator, characters: int) -> list[str]:
        size = path.stat().st_size
        want = min(_CHUNK, characters * 2 + 2000)
        start = int(rng.integers(0, max(1, size - want)))
        with path.open("rb") as file:
            file.seek(start)
            piece = file.read(want).decode("utf-8", errors="ignore")
        lines = piece.split("\n")
        if start > 0:
            # The first is cut; a very long one is entered at a sentence instead.
            head, rest = lines[0], lines[1:]
            stop = head.find(". ")
            lines = ([head[stop + 2 :]] if stop >= 0 and len(head) - stop > 400 else []) + rest
        found: list[str] = []
        total = 0
        for line in _unwrap(lines):
            text = normalise(line)
            if not text:
                continue
            found.append(text[: characters - total + 200])
            total += len(text)
            if total >= characters:
                break
        return found


def _text_files(sources: Sequence[Path]) -> list[Path]:
    """Return the text files of folders, and files that were named, once each."""
    found: dict[Path, None] = {}
    for source in sources:
        if source.is_dir():
            files = [path for path in sorted(source.rglob("*.txt")) if path.is_file()]
        elif source.is_file():
            files = [source]
        else:
            raise TrainingError(f"There is no text at {source}. Give text files or folders.")
        found.update(dict.fromkeys(path for path in files if path.stat().st_size > 0))
    # Every file is looked at: one that is no text would be found out hours later.
    readable = [bool(normalise(_beginning(path))) for path in found]
    if not any(readable):
        raise TrainingError(
            f"There is no text in {', '.join(map(str, sources))}. Give UTF-8 text in English, "
            "best a folder of .txt files with one sub-folder a genre."
        )
    return list(found)


def _beginning(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(_HEAD)
    text = head.decode("utf-8", errors="replace")
    if b"\0" in head or text.count("\ufffd") > 1 + _DAMAGED * len(text):
        raise TrainingError(f"{path} is not UTF-8 text. Convert it, or leave it out.")
    return text


def _unwrap(lines: list[str]) -> list[str]:
    """Join the lines of paragraphs that are wrapped at about 70 characters."""
    joined: list[str] = []
    before = ""
    for line in lines:
        if 52 <= len(before) <= 80 and line.strip() and not line.startswith((" ", "\t")):
            joined[-1] = f"{joined[-1].rstrip()} {line}"
        else:
            joined.append(line)
        before = line.rstrip()
    return joined


def _digits(rng: np.random.Generator, low: int, high: int) -> str:
    return "".join(map(str, rng.integers(0, 10, int(rng.integers(low, high + 1)))))


def _letters(rng: np.random.Generator, alphabet: str, low: int, high: int) -> str:
    picks = rng.integers(0, len(alphabet), int(rng.integers(low, high + 1)))
    return "".join(alphabet[i] for i in picks)


_UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LOWER = _UPPER.lower()
_RARE = "“”‘’–—…•£€§°©®¢½¼¾×¶†éèàöüç&@#*%+=<>[]{}|~^_\\/`\"'!?;:()"
_EVERY = "".join(CHARACTERS)
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_LIGATED = (
    "office", "affluent", "baffle", "shuffle", "waffle", "offline", "fluffy", "effluent",
    "muffler", "raffle", "scuffle", "snuffle", "fly", "flow", "floor", "influence", "flame",
    "reflect", "fluid", "conflict", "staff", "off", "sheriff", "different", "effort", "affair",
    "afford", "coffee", "traffic", "difficult", "affidavit", "efficient", "sufficient",
    "official", "fifty", "first", "field", "figure", "find", "final", "benefit", "define",
    "specific", "Pacific", "profit", "file",
)  # fmt: skip
_FOREIGN = (
    "café", "résumé", "naïve", "élite", "fiancée", "à", "façade", "über", "Köln", "Zürich",
    "Müller", "Français", "garçon", "voilà", "première", "Günther", "Señor", "crème", "déjà",
    "père", "mère", "Böhm", "Schröder", "Tübingen", "Orléans", "coöperate", "reëlect",
    "zoölogy", "Besançon", "Curaçao", "très", "Genève", "exposé", "protégé", "matériel",
    "Führer", "Löwe",
)  # fmt: skip
_ACCENTED = tuple(normalise(word) for word in _FOREIGN)


def _money(rng: np.random.Generator) -> str:
    value = float(10 ** rng.uniform(0, 7))
    sign = "$$$$$£€"[int(rng.integers(0, 7))]
    cents = "" if rng.random() < 0.3 else f".{int(rng.integers(0, 100)):02d}"
    text = f"{sign}{int(value):,}{cents}"
    return f"({text})" if rng.random() < 0.15 else text


def _date(rng: np.random.Generator) -> str:
    year, month = int(rng.integers(1850, 2010)), int(rng.integers(1, 13))
    day = int(rng.integers(1, 29))
    forms = (
        f"{month}/{day}/{year % 100:02d}",
        f"{day:02d}.{month:02d}.{year}",
        f"{year}-{month:02d}-{day:02d}",
        f"{_MONTHS[month - 1]} {day}, {year}",
        f"{_MONTHS[month - 1][:3]}. {day}",
        f"{day}-{_MONTHS[month - 1][:3].upper()}-{year % 100:02d}",
    )
    return forms[int(rng.integers(0, len(forms)))]


def _number(rng: np.random.Generator) -> str:
    kind = rng.random()
    if kind < 0.3:
        return f"{int(10 ** rng.uniform(0, 7)):,}"
    if kind < 0.6:
        return f"{rng.uniform(-1, 1) * 10 ** rng.uniform(-1, 4):.{int(rng.integers(0, 4))}f}"
    if kind < 0.7:
        return f"{rng.uniform(0, 100):.{int(rng.integers(0, 2))}f}%"
    if kind < 0.8:
        return f"{rng.uniform(1, 10):.2f}E{'+-'[int(rng.integers(0, 2))]}{_digits(rng, 2, 2)}"
    if kind < 0.87:
        return f"{_digits(rng, 1, 2)}{'½¼¾'[int(rng.integers(0, 3))]}"
    return _digits(rng, 1, 6)


def _code(rng: np.random.Generator) -> str:
    kind = int(rng.integers(0, 10))
    if kind == 0:
        return f"({_digits(rng, 3, 3)}) {_digits(rng, 3, 3)}-{_digits(rng, 4, 4)}"
    if kind == 1:
        return f"{_letters(rng, _UPPER, 2, 4)}-{_digits(rng, 2, 5)}"
    if kind == 2:
        return f"{_letters(rng, _UPPER + '0123456789', 4, 9)}"
    if kind == 3:
        return f"§ {_digits(rng, 2, 4)}.{_digits(rng, 1, 2)}({_letters(rng, _LOWER, 1, 1)})"
    if kind == 4:
        return f"{_letters(rng, _LOWER, 3, 8)}@{_letters(rng, _LOWER, 3, 8)}.com"
    if kind == 5:
        return f"#{_digits(rng, 2, 6)}"
    if kind == 6:
        return f"[{_digits(rng, 1, 2)}]"
    if kind == 7:
        return f"{_digits(rng, 1, 2)}:{_digits(rng, 2, 2)}"
    if kind == 8:
        return f"/{_letters(rng, _LOWER, 2, 6)}/{_letters(rng, _LOWER, 2, 6)}_{_digits(rng, 1, 2)}"
    return f"{_digits(rng, 1, 3)}°{'CF'[int(rng.integers(0, 2))]}"


def _symbols(rng: np.random.Generator) -> str:
    kind = rng.random()
    if kind < 0.35:
        return _RARE[int(rng.integers(0, len(_RARE)))]
    if kind < 0.6:
        left, right = ("()", "[]", "{}", "“”", "‘’", '""', "''", "<>")[int(rng.integers(0, 8))]
        return left + _letters(rng, _LOWER + _UPPER, 1, 7) + right
    if kind < 0.8:
        return (
            _letters(rng, _LOWER, 1, 5) + _letters(rng, _RARE, 1, 1) + _letters(rng, _LOWER, 1, 5)
        )
    return _letters(rng, _EVERY, 2, 7)


def rare_token(rng: np.random.Generator) -> str:
    """Draw a word with a character or ligature that text seldom has, in its usual place."""
    draw = rng.random()
    if draw < 0.12:
        return _LIGATED[int(rng.integers(0, len(_LIGATED)))]
    if draw < 0.2:
        return _ACCENTED[int(rng.integers(0, len(_ACCENTED)))]
    mark = _RARE[int(rng.integers(0, len(_RARE)))]
    word, number = _letters(rng, _LOWER, 1, 7), _digits(rng, 1, 4)
    if mark in "“‘{[(<":
        return mark + word + {"“": "”", "‘": "’", "{": "}", "[": "]", "(": ")", "<": ">"}[mark]
    if mark in "¢°%½¼¾":
        return number + mark
    if mark in "£€§#~<>=+":
        return mark + number
    if mark in "_\\/|@":
        return word + mark + _letters(rng, _LOWER + _UPPER, 1, 7)
    if mark in "×=+*^":
        return number + mark + _digits(rng, 1, 3)
    if mark in "&•–—¶" and draw < 0.8:
        return mark
    return (word if draw < 0.7 else word.upper()) + mark


def synthetic_token(rng: np.random.Generator) -> str:
    """Draw one piece of rare content: a number, a sum, a date, a code, symbols, accents."""
    kind = rng.random()
    if kind < 0.15:
        return _number(rng)
    if kind < 0.22:
        return _money(rng)
    if kind < 0.3:
        return _date(rng)
    if kind < 0.6:
        return rare_token(rng)
    if kind < 0.7:
        return _code(rng)
    if kind < 0.88:
        return _symbols(rng)
    if kind < 0.95:
        return _ACCENTED[int(rng.integers(0, len(_ACCENTED)))]
    return _letters(rng, _UPPER, 1, 8)


def synthetic_line(rng: np.random.Generator, words: int = 8) -> str:
    """Draw a line of about `words` pieces of rare content."""
    return " ".join(synthetic_token(rng) for _ in range(max(1, words)))
