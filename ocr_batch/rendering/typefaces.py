"""List the typefaces that training pages are set in, and the packages that hold them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FAMILIES", "PACKAGES", "Family", "install_command"]

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
    "fonts-league-mono", "fonts-liberation", "fonts-lindenhill",
    "fonts-linuxlibertine", "fonts-lmodern", "fonts-noto-core", "fonts-noto-mono",
    "fonts-ocr-b", "fonts-oldstandard", "fonts-open-sans", "fonts-oxygen", "fonts-paratype",
    "fonts-prociono", "fonts-quattrocento", "fonts-roboto-slab", "fonts-roboto-unhinted",
    "fonts-sil-andika", "fonts-sil-charis", "fonts-sil-doulos", "fonts-sil-galatia",
    "fonts-sil-gentium", "fonts-sil-gentium-basic", "fonts-sil-gentiumplus", "fonts-stix",
    "fonts-texgyre", "fonts-tiresias", "fonts-tlwg-kinnari-ttf", "fonts-tlwg-norasi-ttf",
    "fonts-tlwg-typewriter-ttf", "fonts-tlwg-typist-ttf", "fonts-tuffy", "fonts-urw-base35",
    "fonts-vollkorn", "fonts-yrsa-rasa", "xfonts-scalable",
)  # fmt: skip

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


def install_command() -> list[str]:
    """Return the command (to be run as root on Debian or Ubuntu) that installs the fonts."""
    return ["apt-get", "install", "-y", "--no-install-recommends", *PACKAGES]
