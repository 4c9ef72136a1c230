"""Hold what all pictures of a report share: colours, names, and how they become a PNG."""

from __future__ import annotations

import io
import unicodedata
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["DARK", "LIGHT", "Theme", "new_figure", "short_name", "shown", "to_png"]

#: Dots an inch of the curves and diagrams, which are shown at half that on most screens.
_DPI = 160
#: Characters of a class name that a picture has room for.
_NAME = 9


@dataclass(frozen=True)
class Theme:
    """Colours of a picture: two series told apart without red and green, and a scale of counts.

    Attributes
    ----------
    ground, paper : str
        Behind everything; behind a glyph or an empty cell.
    ink, faint, line : str
        Text, secondary text, grid lines.
    first, second : str
        The two series.
    scale : tuple of str
        From few to many.
    right : str
        Cells of the diagonal.
    """

    ground: str
    paper: str
    ink: str
    faint: str
    line: str
    first: str
    second: str
    scale: tuple[str, ...]
    right: str


LIGHT = Theme(
    ground="#ffffff",
    paper="#f3f3f0",
    ink="#1c1c1a",
    faint="#5f5e58",
    line="#deddd6",
    first="#1f6fc4",
    second="#c2570c",
    scale=("#f9d9bd", "#ee9a55", "#c2570c", "#5e2503"),
    right="#cfd8e3",
)
DARK = Theme(
    ground="#1b1c1e",
    paper="#27292c",
    ink="#eceae4",
    faint="#a9a79f",
    line="#3b3d41",
    first="#6ab0f3",
    second="#f0994f",
    scale=("#54351c", "#a8601f", "#f0994f", "#ffe3c4"),
    right="#3c4957",
)


def shown(name: str) -> str:
    """Return a class name so that it can be seen: spaces and control characters spelt out."""
    if name.isprintable() and name.strip():
        return name
    names = (
        unicodedata.name(letter, f"U+{ord(letter):04X}").lower() if not letter.strip() else letter
        for letter in name
    )
    return " ".join(name if name.isprintable() else repr(name)[1:-1] for name in names)


def short_name(name: str) -> str:
    """Return a class name as `shown`, cut to what a picture has room for."""
    name = shown(name)
    return name if len(name) <= _NAME else name[: _NAME - 1] + "…"


def to_png(figure: Figure, dpi: float = _DPI, *, trim: bool = False) -> bytes:
    """Return a figure as PNG; `trim` fits the picture to what is drawn."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    file = io.BytesIO()
    with warnings.catch_warnings():
        # A class name in a script that the font lacks gets a box; the page has the name itself.
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        figure.savefig(
            file,
            format="png",
            dpi=dpi,
            facecolor=figure.get_facecolor(),
            bbox_inches="tight" if trim else None,
        )
    return file.getvalue()


def new_figure(width: float, height: float, theme: Theme, *, constrained: bool = True) -> Figure:
    """Return an empty figure, sizes in inches; constrained ones make room for their labels."""
    from matplotlib.figure import Figure

    return Figure(
        figsize=(width, height),
        facecolor=theme.ground,
        layout="constrained" if constrained else None,
    )
