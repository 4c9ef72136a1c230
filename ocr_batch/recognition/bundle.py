"""Find a model bundle, read its card, and refuse one that does not fit."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from ocr_batch.errors import BundleError

__all__ = [
    "CARD",
    "LINE_RELATIVE",
    "SCHEMA",
    "Card",
    "CropContract",
    "check_purpose",
    "checksum",
    "find_bundle",
    "load_card",
    "tight",
    "verify",
]

#: Name of the card within a bundle.
CARD = "card.json"
#: Version of the card that this code reads and writes.
SCHEMA = 1


@dataclass(frozen=True)
class CropContract:
    """How a crop is cut.

    Attributes
    ----------
    name : str
    frame : int
        Sides of the crop, in pixels.
    x_height, baseline : int
        Of its line, in pixels of the frame; 0 for isolated characters.
    channels : int
        Of the image.
    geometry : int
        Length of the vector beside it; 0 for none.
    extent : int
        Longest side, in pixels, of an isolated character's ink; 0 for characters of a line.
    """

    name: str
    frame: int
    x_height: int
    baseline: int
    channels: int
    geometry: int
    extent: int = 0


#: The crops that `segmentation.crops` cuts.
LINE_RELATIVE = CropContract("line-relative-1", 56, 20, 38, 2, 8)
_TIGHT = "tight-1"
_SMALLEST_FRAME, _LARGEST_FRAME = 8, 512


def tight(frame: int, extent: int) -> CropContract:
    """Return the contract of isolated characters, which `segmentation.tight` fits to the frame.

    Parameters
    ----------
    frame : int
        Sides of the crop, in pixels.
    extent : int
        Longest side of the ink, in pixels.
    """
    return CropContract(_TIGHT, frame, 0, 0, 1, 0, extent)


def _is_known(contract: CropContract) -> bool:
    """Tell whether this version cuts crops by a contract."""
    frame, extent = contract.frame, contract.extent
    if not all(isinstance(number, int) for number in (frame, extent)):
        return False
    sane = _SMALLEST_FRAME <= frame <= _LARGEST_FRAME and 1 <= extent <= frame
    return contract == LINE_RELATIVE or (sane and contract == tight(frame, extent))


@dataclass(frozen=True)
class Card:
    """What a bundle says about itself.

    Attributes
    ----------
    name : str
    network : str
        Name of the network's layout.
    classes : tuple of str
        In the order of the network's output; garbage classes last.
    n_characters : int
        Number of classes that are text.
    contract : CropContract
        How the crops it was trained on were cut.
    temperature : float
        By which logits are divided.
    recipe, metrics : mapping
        How it was trained, and how well it did.
    sources : tuple of mapping
        Data it was made from, with licences.
    files : mapping of str to str
        SHA-256, in hexadecimal, of each other file of the bundle.
    """

    name: str
    network: str
    classes: tuple[str, ...]
    n_characters: int
    contract: CropContract
    temperature: float
    recipe: Mapping[str, Any]
    metrics: Mapping[str, Any]
    sources: tuple[Mapping[str, str], ...]
    files: Mapping[str, str]

    def as_json(self) -> dict[str, Any]:
        """Return the card as it is written to ``card.json``."""
        return {"schema": SCHEMA, **asdict(self)}


def _shipped() -> Path:
    """Folder of the shipped bundles: of the installed package, else of the checkout."""
    try:
        return Path(str(resources.files("ocr_batch.models")))
    except ModuleNotFoundError:
        return Path(__file__).resolve().parents[2] / "models"


def find_bundle(name_or_path: str | os.PathLike[str]) -> Path:
    """Find a bundle by the name of a shipped one, or by the path of its folder.

    A bare name means the shipped bundle, if there is one of that name; write ``./english`` for a
    folder that is called the same.

    Returns
    -------
    Path
        Absolute, so that it means the same bundle wherever it is handed on.

    Raises
    ------
    BundleError
        If there is no such bundle; the message lists the shipped ones.
    """
    given = Path(name_or_path)
    shipped = _shipped()
    candidates = [given.expanduser()]
    if os.fspath(name_or_path) == given.name:
        candidates.insert(0, shipped / given.name)
    for folder in candidates:
        if (folder / CARD).is_file():
            return folder.absolute()
    names = sorted(path.parent.name for path in shipped.glob(f"*/{CARD}"))
    known = ", ".join(names) or "none"
    raise BundleError(
        f"no model bundle {os.fspath(name_or_path)!r}: neither a folder with a {CARD} nor a "
        f"shipped model (there is: {known}); give the folder of a bundle"
    )


def _damaged(folder: Path, why: str) -> BundleError:
    return BundleError(
        f"the model bundle {folder} can not be used: {why}; "
        "install or train it again, or choose another with --model"
    )


def load_card(folder: Path) -> Card:
    """Read the card of a bundle and check that this version can use it.

    Raises
    ------
    BundleError
        If the card can not be read, is of another schema, or was made for other crops.
    """
    path = folder / CARD
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise _damaged(folder, f"its {CARD} can not be read ({error})") from error
    schema = content.pop("schema", None) if isinstance(content, dict) else None
    if schema != SCHEMA:
        raise _damaged(folder, f"its card has schema {schema}, this version reads {SCHEMA}")
    try:
        content["contract"] = CropContract(**content["contract"])
        content["classes"] = tuple(content["classes"])
        content["sources"] = tuple(content["sources"])
        content["temperature"] = float(content["temperature"])
        card = Card(**content)
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(folder, f"its {CARD} is incomplete ({error})") from error
    if not _is_known(card.contract):
        raise _damaged(
            folder,
            f"it was trained on crops by {card.contract}, which this version does not cut",
        )
    if not 0 < card.n_characters <= len(card.classes):
        raise _damaged(folder, f"{card.n_characters} of {len(card.classes)} classes are text")
    if len(set(card.classes)) != len(card.classes) or not all(
        isinstance(name, str) and name for name in card.classes
    ):
        raise _damaged(folder, "its classes are not distinct, non-empty strings")
    if not (math.isfinite(card.temperature) and card.temperature > 0):
        raise _damaged(folder, f"its temperature is {card.temperature}")
    return card


def check_purpose(folder: Path, card: Card, *, pages: bool) -> None:
    """Refuse a reader of isolated characters for pages, and a reader of pages for those.

    Parameters
    ----------
    folder : Path
        Of the bundle, for the message.
    card : Card
    pages : bool
        True when pages are to be read, False when isolated characters are to be classified.

    Raises
    ------
    BundleError
        If the bundle was trained for the other purpose.
    """
    if pages and card.contract != LINE_RELATIVE:
        raise BundleError(
            f"the model bundle {folder} tells isolated characters apart and can not read pages; "
            "use it with ocr-batch classify, or read with another --model"
        )
    if not pages and card.contract == LINE_RELATIVE:
        raise BundleError(
            f"the model bundle {folder} reads pages, not isolated characters; "
            "use it with ocr-batch read, or classify with another --model"
        )


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def verify(folder: Path) -> Card:
    """Check every file of a bundle against its card, and return the card.

    Raises
    ------
    BundleError
        If a file is missing or differs, or if the card itself is refused by `load_card`.
    """
    card = load_card(folder)
    for name, expected in card.files.items():
        path = folder / name
        if Path(name).name != name:
            raise _damaged(folder, f"its card names a file outside it, {name!r}")
        if not path.is_file():
            raise _damaged(folder, f"{name} is missing")
        if checksum(path) != expected:
            raise _damaged(folder, f"{name} is not the file its card was written for")
    return card
