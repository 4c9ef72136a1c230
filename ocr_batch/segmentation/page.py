"""Segment a page: its lines become strips, pieces and the crops of any edges."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ocr_batch.layout.components import Components
from ocr_batch.layout.lines import Lines
from ocr_batch.segmentation.atoms import Atoms, find_atoms
from ocr_batch.segmentation.crops import make_crops, spread_labels
from ocr_batch.segmentation.lattice import Edges, Pieces, find_pieces
from ocr_batch.segmentation.pitch import Pitch, cell_odds, find_pitch
from ocr_batch.segmentation.strips import Owners, Strips, make_strips

__all__ = ["Segmented", "cut_atoms", "resegment", "segment"]


@dataclass(frozen=True)
class Segmented:
    """A page cut into pieces.

    Attributes
    ----------
    strips : Strips
    pieces : Pieces
    spread : ndarray of uint16 or int32, shape (56, W)
        The pieces' labels grown over their grey rim.
    grey : ndarray of uint8, shape (H, W)
        The prepared page, 255 is paper.
    components : Components
        Of the prepared page.
    atoms : Atoms
        What the components were grouped into.
    pitch : Pitch
        The cells of typewritten lines.
    """

    strips: Strips
    pieces: Pieces
    spread: Owners
    grey: NDArray[np.uint8]
    components: Components
    atoms: Atoms
    pitch: Pitch

    def cell_odds(self, edges: Edges) -> NDArray[np.float32]:
        """Judge edges by their places in the cells of typewriting, see `pitch.cell_odds`."""
        line = self.pieces.line[edges.start]
        left, right = (self.strips.page_x(line, edges.box[:, side]) for side in (0, 2))
        return cell_odds(self.pitch, line, left, right)

    def crops(self, edges: Edges) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Return images (E, 56, 56, 2) uint8 and geometry (E, 8) float32 of edges."""
        return make_crops(self.strips, self.pieces, edges, self.spread)


def segment(
    grey: NDArray[np.uint8], components: Components, lines: Lines, *, cut: bool = True
) -> Segmented:
    """Lay out a page's lines as strips, and cut them into pieces.

    Parameters
    ----------
    grey : ndarray of uint8, shape (H, W)
        The prepared page, 255 is paper.
    components : Components
        As laid out.
    lines : Lines
        In reading order.
    cut : bool
        Without, each atom is one piece; `cut_atoms` cuts those that need it.

    Returns
    -------
    Segmented
    """
    atoms = find_atoms(components, lines)
    strips = make_strips(grey, components, lines, atoms)
    return _in_pieces(grey, components, lines, atoms, strips, cut)


def resegment(
    grey: NDArray[np.uint8],
    components: Components,
    lines: Lines,
    before: Segmented,
    changed: NDArray[np.bool_],
    *,
    cut: bool = True,
) -> Segmented:
    """Segment a page again of which some lines have other x-heights; the same as `segment`.

    Parameters
    ----------
    grey : ndarray of uint8, shape (H, W)
        The prepared page, 255 is paper.
    components : Components
        As laid out.
    lines : Lines
        In reading order.
    before : Segmented
        The page as it was, of the same components.
    changed : ndarray of bool, shape (L,)
        Which lines differ from those of `before`.
    cut : bool
        As for `segment`.

    Returns
    -------
    Segmented
    """
    atoms = find_atoms(components, lines)
    strips = make_strips(grey, components, lines, atoms, (before.strips, before.atoms, ~changed))
    return _in_pieces(grey, components, lines, atoms, strips, cut)


def _in_pieces(
    grey: NDArray[np.uint8],
    components: Components,
    lines: Lines,
    atoms: Atoms,
    strips: Strips,
    cut: bool,
) -> Segmented:
    pitch = find_pitch(atoms, lines)
    pieces = find_pieces(strips, atoms, pitch, None if cut else np.zeros(len(atoms.line), np.bool_))
    return Segmented(strips, pieces, spread_labels(pieces.label), grey, components, atoms, pitch)


def cut_atoms(page: Segmented, chosen: NDArray[np.bool_]) -> Segmented:
    """Cut some of a page's atoms wherever a character might end; the others are one piece each.

    Parameters
    ----------
    page : Segmented
    chosen : ndarray of bool, shape (A,)
        Which atoms to cut.

    Returns
    -------
    Segmented
    """
    pieces = find_pieces(page.strips, page.atoms, page.pitch, chosen)
    return replace(page, pieces=pieces, spread=spread_labels(pieces.label))
