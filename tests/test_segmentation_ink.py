import numpy as np
import pytest
from pages import page_of, prose, segmented, turned

from ocr_batch.imaging.load import sheet_from_array
from ocr_batch.layout.page import analyse
from ocr_batch.layout.prepare import prepare
from ocr_batch.recognition.assembly import stored_boxes
from ocr_batch.segmentation.ink import InkParts, edge_hulls, find_ink
from ocr_batch.segmentation.lattice import part_edges, whole_edges
from ocr_batch.segmentation.page import segment

IDENTITY = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def bilevel(canvas):
    grey = np.where(canvas.grey < 128, 0, 255).astype(np.uint8)
    letters = []
    for number in range(1, len(canvas.letters) + 1):
        rows, columns = np.nonzero((canvas.owner == number) & (grey == 0))
        letters.append((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))
    return grey, np.array(letters, np.float64)


def hulls(page, to_stored, edges, single=False):
    kind = np.full(len(edges), single)
    return edge_hulls(find_ink(page, to_stored), edges.start, edges.stop, kind)


def test_boxes_are_exact_on_a_page_in_black_and_white():
    grey, truth = bilevel(page_of(["some men ran", "on over us", "more come now"], 52))
    ready, _, page = segmented(grey)
    assert np.array_equal(ready.to_stored, IDENTITY)
    found = hulls(page, ready.to_stored, whole_edges(page.pieces))
    assert np.array_equal(found, truth)


def test_the_map_moves_and_scales():
    grey, truth = bilevel(page_of(["some men ran"], 52))
    _, _, page = segmented(grey)
    half = np.array([[0.5, 0.0, 99.75], [0.0, 0.5, -0.25]])
    found = hulls(page, half, whole_edges(page.pieces))
    assert found == pytest.approx(truth / 2 + [100, 0, 100, 0])


def test_a_turned_page_has_closer_boxes_than_turned_boxes():
    grey = turned(page_of(prose(8, 7)).grey, 3)
    ready = prepare(sheet_from_array(grey))
    layout = analyse(ready.ink, ready.rules, ready.components, ready.x_height)
    page = segment(ready.grey, layout.components, layout.lines)
    edges = whole_edges(page.pieces)
    found = np.round(hulls(page, ready.to_stored, edges)).astype(np.int64)
    line = page.pieces.line[edges.start]
    loose = stored_boxes(page, line, edges.box, ready.to_stored, grey.shape[::-1])
    assert (
        np.prod(found[:, 2:] - found[:, :2], axis=1).sum() < 0.93 * loose[:, 2:].prod(axis=1).sum()
    )
    covered = np.zeros(grey.shape, np.bool_)
    for left, top, right, bottom in found:
        covered[top:bottom, left:right] = True
    assert covered[grey < 100].mean() > 0.995


def test_the_parts_of_an_atom_share_its_ink():
    _, _, page = segmented(page_of(["mm mow wow mum"], 56).grey)
    parts = find_ink(page, IDENTITY)
    assert (np.diff(parts.piece) >= 0).all()
    whole = whole_edges(page.pieces)
    cuts = part_edges(page.pieces, np.ones(len(whole), np.bool_))
    assert len(page.pieces) > len(whole)
    ink = np.array(
        [parts.area[(parts.piece >= a) & (parts.piece < b)].sum()
         for a, b in zip(whole.start, whole.stop, strict=True)]
    )  # fmt: skip
    area = np.bincount(page.atoms.atom_of[page.atoms.atom_of >= 0], minlength=len(whole))
    assert (area > 0).all() and (ink > 0).all()
    outer = hulls(page, IDENTITY, whole)
    inner = hulls(page, IDENTITY, cuts)
    atom = page.pieces.atom[cuts.start]
    assert (inner[:, :2] >= outer[atom, :2]).all()
    assert (inner[:, 2:] <= outer[atom, 2:]).all()
    # First and last piece reach to the atom's edges.
    first = np.flatnonzero(page.pieces.first_of_atom)
    starts = np.isin(cuts.start, first)
    assert np.array_equal(inner[starts, 0], outer[atom[starts], 0])


def test_dirt_above_or_below_a_single_letter_is_left_out():
    hull = np.array(
        [[10, 20, 30, 50], [12, 8, 15, 11], [8, 30, 9, 33], [40, 20, 60, 50], [40, 5, 60, 12]],
        np.float64,
    )
    parts = InkParts(np.array([0, 0, 0, 1, 1]), hull, np.array([300, 9, 3, 300, 120]))
    start, stop = np.array([0, 1, 0, 2]), np.array([1, 2, 2, 3])
    found = edge_hulls(parts, start, stop, np.ones(4, np.bool_))
    # The speck above goes, the one beside stays; what is large is no dirt.
    assert found[:3].tolist() == [[8, 20, 30, 50], [40, 5, 60, 50], [8, 5, 60, 50]]
    assert not np.isfinite(found[3]).any()
    assert edge_hulls(parts, start, stop, np.zeros(4, np.bool_))[0].tolist() == [8, 8, 30, 50]


def test_an_empty_page_has_no_ink():
    _, _, page = segmented(np.full((200, 300), 255, np.uint8))
    assert len(find_ink(page, IDENTITY).piece) == 0
    none = np.zeros(0, np.int64)
    assert edge_hulls(find_ink(page, IDENTITY), none, none, none.astype(bool)).shape == (0, 4)
