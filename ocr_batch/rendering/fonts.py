"""Find the installed typefaces that training pages are set in."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ocr_batch.errors import TrainingError
from ocr_batch.recognition.charset import CHARACTERS
from ocr_batch.rendering.typefaces import FAMILIES, PACKAGES, Family, install_command

__all__ = [
    "FAMILIES",
    "PACKAGES",
    "Face",
    "Family",
    "choose_faces",
    "find_faces",
    "install_command",
    "split_families",
]

#: Groups that scans are full of: training never does without them.
_ALWAYS_TRAINED = frozenset({"times", "helvetica", "courier"})

_FOLDERS = (
    "/usr/share/fonts",
    "/usr/share/texmf/fonts/opentype",
    "~/.local/share/fonts",
    "~/.fonts",
)
_SUFFIXES = (".otf", ".ttf", ".pfb", ".t1", ".ttc")  # the earlier wins among equals
_BOLD = re.compile(r"bold|demi|heavy|semibold", re.IGNORECASE)
_ITALIC = re.compile(r"ital|obli|slant|inclined", re.IGNORECASE)
# Cuts that no ordinary page is set in, or whose lower case is not one.
_UNUSED_CUT = re.compile(
    r"thin|hair|extra ?light|ultra ?light|black|heavy|fett|caps|^sc$|outline|script|swash|unsl"
    r"|initial|math|shadow|title|condensed thin|expanded|extended|wide|inverted|upright",
    re.IGNORECASE,
)
#: Letters that a face must have to be of use.
_NEEDED = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.,;:")
_LIGATURE_CODES = {"ff": "\ufb00", "fi": "\ufb01", "fl": "\ufb02", "ffi": "\ufb03", "ffl": "\ufb04"}
_PROBE_SIZE = 40
#: Fewer designs than this make poor pages.
_FEWEST = 8
_INSTALL = (
    f"Install the training fonts: `{' '.join(install_command()[:4])} ...`, which "
    "`python -m ocr_batch.rendering.fonts` prints in full (Debian, Ubuntu; run it as root)."
)


@dataclass(frozen=True)
class Face:
    """One cut of a family in a font file.

    Attributes
    ----------
    path, index : str, int
        The font file and the number of the face in it.
    family, group, category : str
        Its name, its group of clones, and ``serif``, ``sans``, ``mono`` or ``typewriter``.
    weight : float
        How often the group is wanted, relative to others.
    bold, italic : bool
        Its style.
    characters : frozenset of str
        The characters of our charset that it has.
    ligatures : tuple of (str, str)
        Letters written out, and the code point that draws them as one glyph.

    """

    path: str
    index: int
    family: str
    group: str
    category: str
    weight: float
    bold: bool
    italic: bool
    characters: frozenset[str]
    ligatures: tuple[tuple[str, str], ...]


@lru_cache(maxsize=2)
def _find_faces(folders: tuple[str, ...]) -> tuple[Face, ...]:
    found: dict[tuple[str, str, bool, bool], Face] = {}
    for path in _font_files(folders):
        face = _probe(path)
        if face is not None:
            cut, font = face
            found.setdefault((font.family, cut, font.bold, font.italic), font)
    return tuple(found[key] for key in sorted(found))


def find_faces(folders: Iterable[str | Path] | None = None) -> list[Face]:
    """Find the installed faces of the families in `FAMILIES`.

    Parameters
    ----------
    folders : iterable of path, optional
        Where to look, recursively. Default: the system's and the user's font folders.

    Returns
    -------
    list of Face
        Sorted by family and cut; a cut that is installed in several formats comes once.

    Raises
    ------
    TrainingError
        If there is none.

    """
    names = tuple(str(Path(folder).expanduser()) for folder in (folders or _FOLDERS))
    faces = list(_find_faces(names))
    if not faces:
        raise TrainingError(f"No usable font was found in {', '.join(names)}. {_INSTALL}")
    return faces


def choose_faces(fonts: Sequence[str | Path] = ()) -> list[Face]:
    """Find the faces to render with: those that are named, or else the installed ones.

    Parameters
    ----------
    fonts : sequence of path
        Font files, and folders that are searched for them. Any family will do that has the
        letters; of a folder, thin, black, decorated and the like cuts are left out.

    Returns
    -------
    list of Face

    Raises
    ------
    TrainingError
        If a font can not be used, or none is named and fewer than `_FEWEST` designs are
        installed: pages that look alike teach little.

    """
    if not fonts:
        faces = find_faces()
        designs = len({face.group for face in faces})
        if designs < _FEWEST:
            raise TrainingError(
                f"Only {designs} of {len({one.group for one in FAMILIES.values()})} typefaces "
                f"are installed: pages would look alike. {_INSTALL} Or name fonts of your own."
            )
        return faces
    found: dict[tuple[str, str, bool, bool], Face] = {}
    for path in (Path(font).expanduser() for font in fonts):
        if not path.exists():
            raise TrainingError(f"There is no font at {path}.")
        probes = [_probe(file, any_family=True) for file in _font_files([str(path)])]
        if path.is_file():
            probes = [_probe(path, any_family=True, any_cut=True)]
        usable = [probe for probe in probes if probe is not None]
        if not usable:
            raise TrainingError(
                f"There is no usable font in {path}: it takes one with the letters a to z and "
                "A to Z. Thin, black and decorated cuts are used when their files are named."
            )
        for cut, face in usable:
            found.setdefault((face.family, cut, face.bold, face.italic), face)
    return [found[key] for key in sorted(found)]


def split_families(
    faces: Sequence[Face], seed: int, validation: float = 0.1
) -> tuple[list[Face], list[Face]]:
    """Split faces into training and validation so that no design is on both sides.

    Parameters
    ----------
    faces : sequence of Face
        What `find_faces` found.
    seed : int
        The same seed gives the same split.
    validation : float
        Share of the groups of each category that goes to validation. The few groups that
        most scans are set in are always trained on.

    Returns
    -------
    train, validation : list of Face

    """
    rng = np.random.default_rng(seed)
    by_category: dict[str, set[str]] = {}
    for face in faces:
        by_category.setdefault(face.category, set()).add(face.group)
    held: set[str] = set()
    for category in sorted(by_category):
        groups = sorted(by_category[category] - _ALWAYS_TRAINED - held)
        count = max(1, round(validation * len(groups))) if validation > 0 and groups else 0
        held.update(str(name) for name in rng.permutation(groups)[:count])
    train = [face for face in faces if face.group not in held]
    return train, [face for face in faces if face.group in held]


def _font_files(folders: Iterable[str]) -> list[Path]:
    files = (
        path
        for folder in folders
        for path in Path(folder).rglob("*")
        if path.suffix.lower() in _SUFFIXES
    )
    return sorted(files, key=lambda path: (_SUFFIXES.index(path.suffix.lower()), str(path)))


def _probe(
    path: Path, *, any_family: bool = False, any_cut: bool = False
) -> tuple[str, Face] | None:
    """Return the cut's name and the face of a font file, or None if it is of no use."""
    from PIL import ImageFont

    try:
        font = ImageFont.truetype(str(path), _PROBE_SIZE, layout_engine=ImageFont.Layout.BASIC)
    except OSError:
        return None
    name, cut = font.getname()
    family = FAMILIES.get(name or "")
    cut = cut or "Regular"
    if family is None and any_family:
        name = name or path.stem
        fixed = font.getlength("i") == font.getlength("M")
        family = Family(name, name.lower(), "mono" if fixed else "sans", 1.0)
    if family is None or (not any_cut and (_UNUSED_CUT.search(cut) or "[" in path.name)):
        return None
    missing = {_drawing(font, code) for code in ("\uffff", "\u0378", "\ue7ff")} | {None}
    characters = frozenset(c for c in CHARACTERS if _drawing(font, c) not in missing)
    if not characters >= _NEEDED:
        return None
    ligatures = tuple(
        (text, code)
        for text, code in _LIGATURE_CODES.items()
        if _drawing(font, code) not in missing
    )
    if family.category in {"mono", "typewriter"}:
        ligatures = ()
    # A few families have one name for all their cuts, and tell them apart by file names only.
    style = f"{cut} {path.stem}"
    return cut, Face(
        path=str(path),
        index=0,
        family=family.name,
        group=family.group,
        category=family.category,
        weight=family.weight,
        bold=bool(_BOLD.search(style)),
        italic=bool(_ITALIC.search(style)),
        characters=characters,
        ligatures=ligatures,
    )


def _drawing(font: object, text: str) -> tuple[tuple[int, int], bytes] | None:
    """Return what a font draws for one character, as something to compare; None for nothing."""
    from PIL import ImageFont

    assert isinstance(font, ImageFont.FreeTypeFont)
    try:
        mask = font.getmask(text, mode="L")
    except (OSError, ValueError):
        return None
    pixels = bytes(mask)
    return (mask.size, pixels) if any(pixels) else None


def main() -> None:
    """Print the command that installs the fonts."""
    sys.stdout.write(" ".join(install_command()) + "\n")


if __name__ == "__main__":
    main()
