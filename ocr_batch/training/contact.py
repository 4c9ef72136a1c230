"""Draw a contact sheet of harvested crops: class by class, doubtful, sure and misread ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ocr_batch.datasets.harvested import Harvested
from ocr_batch.errors import OutputError

__all__ = ["contact_path", "contact_sheet", "draw_contact"]

_CROP = 56
_CELL = _CROP + 8
_ROW = _CROP + 22
_NAME = 110
_MARGIN = 12
_HEAD = 44
# Crops of each kind in a row.
_SURE, _DOUBTFUL, _MISREAD = 4, 6, 8
_RED, _GREY, _BLACK = (200, 30, 30), (120, 120, 120), (0, 0, 0)
# Pillow's own font has the letters of Latin-1.
_LATIN = 0xFF
_TINT = np.array([150, 185, 225], np.float64)


def contact_path(out: Path) -> Path:
    """Return where the contact sheet of a harvest is, by a name that no scan is likely to have.

    ``DATA.contact.png`` beside ``DATA.npz``; ``contact.png`` in a folder.

    Parameters
    ----------
    out : Path
        The harvest's file or folder.
    """
    return out.with_name(f"{out.stem}.contact.png") if out.suffix == ".npz" else out / "contact.png"


def draw_contact(harvested: Harvested, path: Path) -> None:
    """Write the contact sheet as a PNG file.

    Raises
    ------
    OutputError
        If it can not be written.
    """
    try:
        contact_sheet(harvested).save(path, "PNG")
    except OSError as error:
        raise OutputError(
            f"Can not write {path}: {error.strerror or error}. Free some space or mend the "
            "permissions."
        ) from error


def contact_sheet(harvested: Harvested) -> Image.Image:
    """Draw a row for each class that occurs.

    A row shows, from left to right, the crops of the class that reading took for something else
    (framed, with what it took them for), the most doubtful and the surest ones; below each stands
    its confidence. Neighbours are tinted.

    Parameters
    ----------
    harvested : Harvested

    Returns
    -------
    PIL.Image.Image
        RGB.
    """
    label = np.asarray(harvested.crops.label)
    present = np.unique(label)
    columns = _MISREAD + _DOUBTFUL + _SURE
    width = 2 * _MARGIN + _NAME + columns * _CELL + 2 * _MARGIN
    sheet = Image.new("RGB", (width, _HEAD + _ROW * len(present) + _MARGIN), "white")
    draw = ImageDraw.Draw(sheet)
    name_font, font = ImageFont.load_default(26), ImageFont.load_default(12)
    starts = np.cumsum([_MARGIN + _NAME, _MISREAD * _CELL + _MARGIN, _DOUBTFUL * _CELL + _MARGIN])
    for start, title in zip(starts, ("misread", "most doubtful", "surest"), strict=True):
        draw.text((int(start), _MARGIN), title, fill=_BLACK, font=name_font)
    misread = harvested.misread
    for row, number in enumerate(present):
        top = _HEAD + row * _ROW
        own = np.flatnonzero(label == number)
        draw.text((_MARGIN, top + 4), _name(harvested, int(number)), fill=_BLACK, font=name_font)
        draw.text((_MARGIN, top + 40), f"{len(own):,}", fill=_GREY, font=font)
        chosen = _choose(own, misread, np.asarray(harvested.confidence, np.float64))
        for start, rows in zip(starts, chosen, strict=True):
            for place, crop in enumerate(rows):
                left = int(start) + place * _CELL
                sheet.paste(Image.fromarray(_picture(harvested, int(crop))), (left, top))
                wrong = bool(misread[crop])
                frame = _RED if wrong else (215, 215, 215)
                draw.rectangle((left - 1, top - 1, left + _CROP, top + _CROP), outline=frame)
                text = f"{float(harvested.confidence[crop]):.3f}"
                if wrong:
                    read = int(harvested.read[crop])
                    text = f"{_name(harvested, read) if read >= 0 else 'cut'} {text}"
                draw.text((left, top + _CROP + 2), text, fill=_RED if wrong else _GREY, font=font)
    return sheet


def _name(harvested: Harvested, number: int) -> str:
    """Return a class's name, as a code where the font has no such letter."""
    name = harvested.classes[number]
    return f"U+{ord(name):04X}" if len(name) == 1 and ord(name) > _LATIN else name


def _choose(
    own: NDArray[np.intp], misread: NDArray[np.bool_], confidence: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Return which crops of a class to show: misread, doubtful, sure; none of them twice."""
    order = own[np.argsort(confidence[own], kind="stable")]
    wrong = order[misread[order]][:_MISREAD]
    rest = order[~np.isin(order, wrong)]
    doubtful = rest[:_DOUBTFUL]
    return wrong, doubtful, rest[len(doubtful) :][::-1][:_SURE]


def _picture(harvested: Harvested, row: int) -> NDArray[np.uint8]:
    """Return a crop (56, 56, 3) uint8, dark on white, its neighbours tinted."""
    images = harvested.crops.images(np.array([row]))[0].astype(np.float64) / 255
    own, every = images[..., 0, None], images[..., 1, None]
    paper = 255 * (1 - every) + every * _TINT
    return np.asarray(np.round(np.where(own > 0, 255 * (1 - own), paper)), np.uint8)
