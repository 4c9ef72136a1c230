"""Draw a contact sheet for each cause: where on the pages its worst errors are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from ocr_batch.errors import OutputError
from ocr_batch.evaluation.causes import Case, Cause

__all__ = ["PICTURES", "blame_sheet", "draw_blame"]

#: Cases shown of each cause.
PICTURES = 24

_WIDTH = 1100
_MARGIN = 14
_HEAD = 52
_LINE = 20
_RED, _GREY, _BLACK = (190, 30, 30), (110, 110, 110), (0, 0, 0)
# Pillow's own font has the letters of Latin-1.
_LATIN = 0xFF


def draw_blame(cases: Sequence[Case], folder: Path) -> list[Path]:
    """Write a PNG for each cause that has a picture, named as the cause.

    Parameters
    ----------
    cases : sequence of Case
        Those with the most errors first.
    folder : Path
        Made when it is not there.

    Returns
    -------
    list of Path
        The files written, in the order of reading's stages.

    Raises
    ------
    OutputError
        If they can not be written.
    """
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for cause in Cause:
            own = [case for case in cases if case.cause is cause and case.picture is not None]
            path = folder / f"{cause.name.lower().replace('_', '-')}.png"
            # Sheets of an earlier run that this one does not replace would be taken for its own.
            path.unlink(missing_ok=True)
            if own:
                blame_sheet(cause, own[:PICTURES]).save(path, "PNG")
                written.append(path)
    except OSError as error:
        raise OutputError(
            f"Can not write to {folder}: {error.strerror or error}. Free some space, mend the "
            "permissions, or name another folder."
        ) from error
    return written


def blame_sheet(cause: Cause, cases: Sequence[Case]) -> Image.Image:
    """Draw the cases of one cause below one another.

    Parameters
    ----------
    cause : Cause
    cases : sequence of Case
        With pictures.

    Returns
    -------
    PIL.Image.Image
        RGB. Each picture has what is wrong framed; below it stand the page, how many errors
        there are, what the truth says and what was read.
    """
    pictures = [_fitted(case) for case in cases]
    height = _HEAD + sum(picture.height + 3 * _LINE + _MARGIN for picture in pictures)
    sheet = Image.new("RGB", (_WIDTH, height), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(15)
    title = f"{cause.name.lower().replace('_', ' ')}: {cause.value}"
    draw.text((_MARGIN, _MARGIN), title, fill=_BLACK, font=ImageFont.load_default(20))
    top = _HEAD
    for case, picture in zip(cases, pictures, strict=True):
        sheet.paste(picture, (_MARGIN, top))
        draw.rectangle(
            (_MARGIN - 1, top - 1, _MARGIN + picture.width, top + picture.height),
            outline=(215, 215, 215),
        )
        top += picture.height + 2
        name = _printable(case.page)
        rows = (
            (f"{name}, {case.count} wrong", _GREY),
            (f"truth  {_printable(case.truth)}", _BLACK),
            (f"read   {_printable(case.read)}", _RED),
        )
        for text, colour in rows:
            draw.text((_MARGIN, top), text, fill=colour, font=font)
            top += _LINE
        top += _MARGIN - 2
    return sheet


def _fitted(case: Case) -> Image.Image:
    assert case.picture is not None
    picture = Image.fromarray(case.picture)
    most = _WIDTH - 2 * _MARGIN
    if picture.width > most:
        height = max(1, round(picture.height * most / picture.width))
        picture = picture.resize((most, height), Image.Resampling.LANCZOS)
    return picture


def _printable(text: str) -> str:
    """Return a text with codes for letters that the font does not have."""
    return "".join(letter if ord(letter) <= _LATIN else f"<{ord(letter):04X}>" for letter in text)
