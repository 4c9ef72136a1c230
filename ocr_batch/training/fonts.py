"""List the typefaces that training pages are set in, and find those that are installed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ocr_batch.errors import TrainingError
from ocr_batch.recognition.charset import CHARACTERS

__all__ = [
    "FAMILIES",
    "PACKAGES",
    "Face",
    "Family",
    "find_faces",
    "install_command",
    "split_families",
]

#: Debian packages (release 12) that hold the families below, all in the free section.
PACKAGES: tuple[str, ...] = (
    "fonts-adf-accanthis", "fonts-adf-baskervald", "fonts-adf-berenis", "fonts-adf-gillius",
    "fonts-adf-ikarius", "fonts-adf-irianis", "fonts-adf-libris", "fonts-adf-mekanus",
    "fonts-adf-romande", "fonts-adf-switzera", "fonts-adf-tribun", "fonts-adf-universalis",
    "fonts-adf-verana", "fonts-anonymous-pro", "fonts-arapey", "fonts-arkpandora",
    "fonts-averia-sans-gwf", "fonts-averia-serif-gwf", "fonts-b612", "fonts-cabin",
    "fonts-cantarell", "fonts-cardo", "fonts-century-catalogue", "fonts-clear-sans",
    "fonts-cmu", "fonts-compagnon", "fonts-courier-prime", "fonts-croscore",
    "fonts-crosextra-caladea", "fonts-crosextra-carlito", "fonts-dejavu-core",
    "fonts-dejavu-extra", "fonts-dustin", "fonts-ebgaramond", "fonts-elstob",
    "fonts-essays1743", "fonts-fantasque-sans", "fonts-fanwood", "fonts-freefont-ttf",
    "fonts-georgewilliams", "fonts-gfs-artemisia", "fonts-gfs-didot", "fonts-gfs-neohellenic",
    "fonts-gnutypewriter", "fonts-go", "fonts-goudybookletter", "fonts-hack",
    "fonts-inconsolata", "fonts-inter", "fonts-jetbrains-mono", "fonts-johnsmith-induni",
    "fonts-junction", "fonts-junicode", "fonts-karla", "fonts-karmilla", "fonts-lato",
    "fonts-league-mono", "fonts-levien-museum", "fonts-liberation", "fonts-lindenhill",
    "fonts-linuxlibertine", "fonts-lmodern", "fonts-noto-core", "fonts-noto-mono",
    "fonts-ocr-b", "fonts-oldstandard", "fonts-open-sans", "fonts-oxygen", "fonts-paratype",
    "fonts-prociono", "fonts-quattrocento", "fonts-roboto-slab", "fonts-roboto-unhinted",
    "fonts-sil-andika", "fonts-sil-charis", "fonts-sil-doulos", "fonts-sil-galatia",
    "fonts-sil-gentium", "fonts-sil-gentium-basic", "fonts-sil-gentiumplus", "fonts-stix",
    "fonts-texgyre", "fonts-tiresias", "fonts-tlwg-kinnari-ttf", "fonts-tlwg-norasi-ttf",
    "fonts-tlwg-typewriter-ttf", "fonts-tlwg-typist-ttf", "fonts-tuffy", "fonts-urw-base35",
    "fonts-vollkorn", "fonts-yrsa-rasa", "xfonts-scalable",
)  # fmt: skip

#: Groups that scans are full of: training never does without them.
_ALWAYS_TRAINED = frozenset({"times", "helvetica", "courier"})

# group; category; weight; families. Families of a group are clones or near relatives, so that a
# split by group keeps a design on one side only. The weight is that of the whole group.
_TABLE = """
times; serif; 14; Liberation Serif, Tinos, Nimbus Roman, TeX Gyre Termes, FreeSerif, STIX, \
STIXGeneral, Doulos SIL, IndUni-T, Norasi
helvetica; sans; 9; Liberation Sans, Arimo, Nimbus Sans, TeX Gyre Heros, FreeSans, IndUni-H, \
Switzera ADF
helvetica; sans; 9; Liberation Sans Narrow, Nimbus Sans Narrow, TeX Gyre Heros Cn
courier; typewriter; 14; Nimbus Mono PS, TeX Gyre Cursor, FreeMono, IndUni-C, Tlwg Typewriter, \
Tlwg Typist
courier ten; typewriter; 5; Courier 10 Pitch
courier prime; typewriter; 4; Courier Prime, Courier Prime Code
letter gothic; typewriter; 2; Courier Prime Sans
gnu typewriter; typewriter; 5; GNUTypewriter
compagnon; typewriter; 3; Compagnon
cm typewriter; typewriter; 4; CMU Typewriter Text, Latin Modern Mono, Latin Modern Mono Light
cm typewriter; serif; 4; Latin Modern Mono Prop, CMU Typewriter Text Variable Width
ocr b; typewriter; .7; OCR B
liberation mono; mono; 2; Liberation Mono, Cousine
dejavu mono; mono; 1.5; DejaVu Sans Mono, Hack
noto mono; mono; .7; Noto Mono
go mono; mono; 1; Go Mono
anonymous; mono; .5; Anonymous Pro
inconsolata; mono; .6; Inconsolata
pt mono; mono; .8; PT Mono
oxygen mono; mono; .5; Oxygen Mono
b612 mono; mono; .5; B612 Mono
league mono; mono; .6; League Mono
fantasque; mono; .4; Fantasque Sans Mono
jetbrains; mono; .4; JetBrains Mono
libertine mono; typewriter; 1; Linux Libertine Mono O
century; serif; 6; C059, TeX Gyre Schola, IndUni-N
century catalogue; serif; 2; Century Catalogue
old standard; serif; 6; Old Standard TT
computer modern; serif; 5; CMU Serif, Latin Modern Roman, Latin Modern Roman Slanted, \
Latin Modern Roman Demi
concrete; serif; 1; CMU Concrete
didot; serif; 2.5; GFS Didot
artemisia; serif; 1.5; GFS Artemisia
palatino; serif; 3; P052, TeX Gyre Pagella, IndUni-P
bookman; serif; 3; URW Bookman, TeX Gyre Bonum
charter; serif; 2.5; Charis SIL, Bitstream Charter
garamond; serif; 3; EB Garamond
caslon; serif; 3; Caslon
goudy; serif; 2.5; Goudy Bookletter 1911
deepdene; serif; 1.5; Linden Hill
fairfield; serif; 1.5; Fanwood, Fanwood Text
baskerville; serif; 3; Baskervald ADF Std
berenis; serif; 2; Berenis ADF Pro
romande; serif; 1.5; Romande ADF Std, Romande ADF No2 Std
tribun; serif; 2; Tribun ADF Std
accanthis; serif; 1.5; Accanthis ADF Std, Accanthis ADF Std No2, Accanthis ADF Std No3
irianis; serif; .7; Irianis ADF Std
mekanus; serif; .4; Mekanus ADF Std
essays; serif; 1.5; Essays1743
bembo; serif; 1.5; Cardo
centaur; serif; 1; Museum Bible, Museum Foundry
junicode; serif; 1.5; Junicode Two Beta, ElstobD
prociono; serif; 1; Prociono
arapey; serif; .8; Arapey
libertine; serif; 2.5; Linux Libertine O, Linux Libertine Display O
gentium; serif; 2; Gentium, GentiumAlt, Gentium Basic, Gentium Book Basic, Gentium Plus, \
Gentium Book Plus
galatia; serif; 1; Galatia SIL
caladea; serif; 1.5; Caladea
dejavu serif; serif; 1.5; DejaVu Serif
verana; serif; .8; Verana
noto serif; serif; 1.5; Noto Serif
pt serif; serif; 1.2; PT Serif, PT Serif Caption
vollkorn; serif; 1; Vollkorn
rasa; serif; .8; Rasa, Yrsa
kinnari; serif; .8; Kinnari
quattrocento; serif; .7; Quattrocento
averia serif; serif; .8; Averia Serif GWF
dustismo roman; serif; .6; Dustismo Roman
roboto slab; serif; 1; Roboto Slab
avant garde; sans; 1; URW Gothic, TeX Gyre Adventor
cm sans; sans; 1; CMU Sans Serif, Latin Modern Sans
cm bright; sans; .6; CMU Bright
gill; sans; 1.5; Gillius ADF, Gillius ADF No2
univers; sans; 1; Universalis ADF Std
ikarius; sans; .6; Ikarius ADF Std, Ikarius ADF No2 Std
libris; sans; .5; Libris ADF Std
dejavu sans; sans; 1.5; DejaVu Sans, Verana Sans, Veranda
open sans; sans; 1.2; Open Sans, Noto Sans
lato; sans; 1.2; Lato, Carlito
roboto; sans; 1; Roboto, Roboto Condensed
inter; sans; .8; Inter
pt sans; sans; .8; PT Sans, PT Sans Caption, PT Sans Narrow
biolinum; sans; .8; Linux Biolinum O
neohellenic; sans; .5; GFS Neohellenic
cabin; sans; .6; Cabin
cantarell; sans; .4; Cantarell
clear; sans; .5; Clear Sans
go; sans; .6; Go
karla; sans; .5; Karla, Karmilla
junction; sans; .4; Junction
oxygen; sans; .5; Oxygen-Sans
tuffy; sans; .5; Tuffy
tiresias; sans; .5; Tiresias Infofont, Tiresias LPfont, Tiresias PCfont
b612; sans; .4; B612
andika; sans; .4; Andika
averia sans; sans; .4; Averia Sans GWF
dustismo; sans; .4; Dustismo
"""


@dataclass(frozen=True)
class Family:
    """A typeface family: its name, its group of clones, its category and the group's weight."""

    name: str
    group: str
    category: str
    weight: float


def _parse_table(table: str) -> dict[str, Family]:
    families: dict[str, Family] = {}
    for row in table.strip().splitlines():
        group, category, weight, names = (field.strip() for field in row.split(";"))
        for name in names.split(","):
            families[name.strip()] = Family(name.strip(), group, category, float(weight))
    return families


#: The families that are used, by name.
FAMILIES: dict[str, Family] = _parse_table(_TABLE)

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
    r"|initial|math|shadow|title|condensed thin|expanded|upright",
    re.IGNORECASE,
)
#: Letters that a face must have to be of use.
_NEEDED = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.,;:")
_LIGATURE_CODES = {"ff": "\ufb00", "fi": "\ufb01", "fl": "\ufb02", "ffi": "\ufb03", "ffl": "\ufb04"}
_PROBE_SIZE = 40


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


def install_command() -> list[str]:
    """Return the command (to be run as root on Debian or Ubuntu) that installs the fonts."""
    return ["apt-get", "install", "-y", "--no-install-recommends", *PACKAGES]


@lru_cache(maxsize=2)
def _find_faces(folders: tuple[str, ...]) -> tuple[Face, ...]:
    found: dict[tuple[str, str], Face] = {}
    for path in _font_files(folders):
        face = _probe(path)
        if face is not None:
            cut, font = face
            found.setdefault((font.family, cut), font)
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
        raise TrainingError(
            f"No usable font was found in {', '.join(names)}. Install the training fonts: "
            f"{' '.join(install_command()[:4])} ... (see ocr_batch.training.fonts.PACKAGES)."
        )
    return faces


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


def _probe(path: Path) -> tuple[str, Face] | None:
    """Return the cut's name and the face of a font file, or None if it is not one of ours."""
    from PIL import ImageFont

    try:
        font = ImageFont.truetype(str(path), _PROBE_SIZE, layout_engine=ImageFont.Layout.BASIC)
    except OSError:
        return None
    name, cut = font.getname()
    family = FAMILIES.get(name or "")
    cut = cut or "Regular"
    if family is None or _UNUSED_CUT.search(cut) or "[" in path.name:
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
    return cut, Face(
        path=str(path),
        index=0,
        family=family.name,
        group=family.group,
        category=family.category,
        weight=family.weight,
        bold=bool(_BOLD.search(cut)),
        italic=bool(_ITALIC.search(cut)),
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
