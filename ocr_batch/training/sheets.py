"""Draw glyphs in rows with their labels: the sample grid, and the worst-confused pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ocr_batch.training.assessment import Pair
from ocr_batch.training.theme import Theme, new_figure, short_name, to_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["pair_sheet", "sample_grid"]

#: Dots an inch; the sizes below are pixels.
_DPI = 100
#: Side of a glyph, the height of a line of text, the space between.
_CELL, _TEXT, _GAP = 112, 26, 16
#: Width of a letter in the list of pairs, about.
_LETTER = 15


def _sheet(width: int, height: int, theme: Theme) -> tuple[Figure, Axes]:
    """Make a figure whose axes count its pixels, from the upper left."""
    figure = new_figure(width / _DPI, height / _DPI, theme, constrained=False)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.axis("off")
    return figure, axes


def _place(axes: Axes, image: NDArray[np.uint8], left: float, top: float, theme: Theme) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    axes.imshow(
        image,
        cmap=LinearSegmentedColormap.from_list("ink", [theme.paper, theme.ink]),
        vmin=0,
        vmax=255,
        extent=(left, left + _CELL, top + _CELL, top),
        interpolation="nearest" if _CELL % len(image) == 0 else "antialiased",
        aspect="auto",
    )


def sample_grid(
    images: NDArray[np.uint8], names: Sequence[str], theme: Theme, *, columns: int = 12
) -> bytes:
    """Draw images (n, f, f), ink 255 on 0, in rows, each under its class name; return a PNG."""
    columns = max(1, min(columns, len(images)))
    rows = -(-len(images) // columns)
    wide, high = _CELL + _GAP, _CELL + _GAP + _TEXT
    figure, axes = _sheet(columns * wide + _GAP, max(1, rows) * high + _GAP // 2, theme)
    style: dict[str, Any] = {"ha": "center", "va": "center", "parse_math": False}
    for index, image in enumerate(images):
        left, top = _GAP + index % columns * wide, index // columns * high + _TEXT + _GAP // 2
        _place(axes, image, left, top, theme)
        name = short_name(names[index])
        axes.text(left + _CELL / 2, top - _TEXT / 2, name, color=theme.ink, fontsize=15, **style)
    axes.set_xlim(0, columns * wide + _GAP)
    axes.set_ylim(max(1, rows) * high + _GAP // 2, 0)
    return to_png(figure, _DPI)


def pair_sheet(
    pairs: Sequence[Pair], names: Sequence[str], images: NDArray[np.uint8], theme: Theme
) -> bytes:
    """Draw the worst-confused pairs, a row each: what was read as what, how often, and examples.

    Parameters
    ----------
    pairs : sequence of Pair
        Their rows are indices of `images`.
    names : sequence of str
        Of the classes.
    images : (N, f, f) uint8
        Ink is 255.
    theme : Theme

    Returns
    -------
    bytes
        PNG.
    """
    wide, high = _CELL + _GAP, _CELL + _GAP
    said = [
        f"{short_name(names[pair.truth])}  read as  {short_name(names[pair.read])}"
        for pair in pairs
    ]
    text = 2 * _GAP + _LETTER * max(map(len, said), default=0)
    columns = max((len(pair.rows) for pair in pairs), default=0)
    width, height = text + columns * wide + _GAP, max(1, len(pairs)) * high + _GAP
    figure, axes = _sheet(width, height, theme)
    style: dict[str, Any] = {"va": "center", "parse_math": False}
    for number, pair in enumerate(pairs):
        top = _GAP + number * high
        axes.text(_GAP, top + 40, said[number], color=theme.ink, fontsize=18, **style)
        times = "once" if pair.count == 1 else f"{pair.count:,} times"
        axes.text(_GAP, top + 80, times, color=theme.faint, fontsize=13, **style)
        for column, row in enumerate(pair.rows):
            _place(axes, images[row], text + column * wide, top, theme)
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    return to_png(figure, _DPI)
