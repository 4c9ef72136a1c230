"""Segment a page: its lines become strips, pieces and the crops of any edges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ocr_batch.layout.components import Components
from ocr_batch.layout.lines import Lines
from ocr_batch.segmentation.atoms import Atoms, find_atoms
from ocr_batch.segmentation.crops import make_crops, spread_labels
from ocr_batch.segmentation.lattice import Edges, Pieces, find_pieces
from ocr_batch.segmentation.pitch import Pitch, cell_odds, find_pitch
from ocr_batch.segmentation.strips import Owners, Strips, make_strips

__all__ = ["Segmented", "segment"]


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


def segment(grey: NDArray[np.uint8], components: Components, lines: Lines) -> Segmented:
    """Cut a page's lines into pieces.

    Parameters
    ----------
    grey : ndarray of uint8, shape (H, W)
        The prepared page, 255 is paper.
    components : Components
        As laid out.
    lines : Lines
        In reading order.

    Returns
    -------
    Segmented
    """
    atoms = find_atoms(components, lines)
    strips = make_strips(grey, components, lines, atoms)
    pitch = find_pitch(atoms, lines)
    pieces = find_pieces(strips, atoms, pitch)
    return Segmented(strips, pieces, spread_labels(pieces.label), grey, components, atoms, pitch)
