import numpy as np
import pytest
from pages import Canvas, page_of, prose, segmented

from ocr_batch.segmentation.lattice import join_edges, part_edges, whole_edges


def _segmented(canvas):
    return segmented(canvas.grey)[2]


PAGE = _segmented(page_of(prose(5, 8), size=44))


def _touching(pair, overlap):
    """A line with two letters pasted together in the middle; the column where they meet."""
    canvas = Canvas(1000, 300)
    _, _, right, _ = canvas.text(80, 150, "common sense ")
    first = canvas.text(right + 30, 150, pair[0])
    canvas.grey[:, first[2] - overlap :] = 255
    second = Canvas(1000, 300)
    box = second.text(400, 150, pair[1])
    shift = first[2] - overlap - box[0]
    glyph = second.grey[:, box[0] - 2 : box[2] + 2]
    place = canvas.grey[:, box[0] - 2 + shift : box[2] + 2 + shift]
    np.minimum(place, glyph, out=place)
    end = box[2] + shift
    canvas.text(end + 30, 150, "rose above")
    return canvas, first[0], first[2] - overlap, end


@pytest.mark.parametrize("pair", ["rn", "ri", "co", "ee", "tt", "st", "ct", "vv", "yo"])
@pytest.mark.parametrize("overlap", [0, 1])
def test_letters_pasted_together_can_be_cut_where_they_meet(pair, overlap):
    canvas, left, join, right = _touching(pair, overlap)
    page = _segmented(canvas)
    every = np.ones(int(page.pieces.atom.max()) + 1, np.bool_)
    edges = part_edges(page.pieces, every)
    edges += whole_edges(page.pieces)
    line = page.pieces.line[edges.start]
    x0, _ = page.strips.to_page(line, edges.box[:, 0], edges.box[:, 3])
    x1, _ = page.strips.to_page(line, edges.box[:, 2], edges.box[:, 3])
    # The arm of an r may be cut anywhere along its length.
    near = 7.0 if "r" in pair else 3.5
    first = (np.abs(x0 - left) < 2.5) & (np.abs(x1 - join) < near)
    second = (np.abs(x0 - join) < near) & (np.abs(x1 - right) < 2.5)
    assert first.any(), "no candidate is the first letter"
    assert second.any(), "no candidate is the second letter"
    assert np.isin(edges.stop[first], edges.start[second]).any(), "they do not follow each other"


def test_pieces_are_in_reading_order_and_cover_the_ink():
    pieces, strips = PAGE.pieces, PAGE.strips
    assert (np.diff(pieces.line) >= 0).all() and (np.diff(pieces.atom) >= 0).all()
    assert np.array_equal(pieces.label > 0, strips.label > 0)
    number, area = np.unique(pieces.label[pieces.label > 0], return_counts=True)
    assert np.array_equal(number, np.arange(len(pieces)) + 1)
    assert np.array_equal(area, pieces.area)


def test_boxes_are_those_of_the_pixels():
    pieces = PAGE.pieces
    for number in range(0, len(pieces), 17):
        row, column = np.nonzero(pieces.label == number + 1)
        hull = (column.min(), row.min(), column.max() + 1, row.max() + 1)
        assert tuple(pieces.box[number]) == hull


def test_one_whole_edge_for_each_atom():
    pieces = PAGE.pieces
    edges = whole_edges(pieces)
    assert np.array_equal(pieces.atom[edges.start], np.arange(pieces.atom.max() + 1))
    assert edges.start[0] == 0 and edges.stop[-1] == len(pieces)
    assert np.array_equal(edges.stop[:-1], edges.start[1:])
    assert (edges.atoms == 1).all()


def _hull(pieces, start, stop):
    box = pieces.box[start:stop]
    return [*box[:, :2].min(axis=0), *box[:, 2:].max(axis=0)]


def test_parts_lie_within_their_atom():
    pieces = PAGE.pieces
    atoms = int(pieces.atom.max()) + 1
    chosen = np.arange(atoms) % 2 == 0
    edges = part_edges(pieces, chosen)
    assert len(edges) and (edges.atoms == 0).all() and (edges.start < edges.stop).all()
    atom = pieces.atom[edges.start]
    assert np.array_equal(atom, pieces.atom[edges.stop - 1])
    assert chosen[atom].all()
    whole = whole_edges(pieces)
    assert ((edges.start > whole.start[atom]) | (edges.stop < whole.stop[atom])).all()
    pairs = list(zip(edges.start.tolist(), edges.stop.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs)
    for number in range(0, len(edges), 13):
        expected = _hull(pieces, edges.start[number], edges.stop[number])
        assert edges.box[number].tolist() == expected


def test_joins_are_of_neighbours_in_one_line():
    pieces = PAGE.pieces
    atoms = int(pieces.atom.max()) + 1
    chosen = np.arange(atoms) % 5 == 0
    edges = join_edges(pieces, chosen)
    whole = whole_edges(pieces)
    assert len(edges) and (edges.atoms >= 2).all()
    for start, stop, count in zip(edges.start, edges.stop, edges.atoms, strict=True):
        first, last = pieces.atom[start], pieces.atom[stop - 1]
        assert last - first + 1 == count
        assert start == whole.start[first] and stop == whole.stop[last]
        assert pieces.line[start] == pieces.line[stop - 1]
        assert chosen[first : last + 1].any()


def test_nothing_chosen_nothing_offered():
    nothing = np.zeros(int(PAGE.pieces.atom.max()) + 1, np.bool_)
    assert len(part_edges(PAGE.pieces, nothing)) == len(join_edges(PAGE.pieces, nothing)) == 0


def test_a_broken_letter_can_be_joined():
    canvas = Canvas(900, 300)
    canvas.text(80, 150, "common ")
    left, top, right, bottom = canvas.text(330, 150, "m")
    middle = (left + right) // 2 + 4
    canvas.grey[top:bottom, middle : middle + 3] = 255
    canvas.text(420, 150, "sense")
    page = _segmented(canvas)
    edges = join_edges(page.pieces, np.ones(int(page.pieces.atom.max()) + 1, np.bool_))
    line = page.pieces.line[edges.start]
    x0, _ = page.strips.to_page(line, edges.box[:, 0], edges.box[:, 3])
    x1, _ = page.strips.to_page(line, edges.box[:, 2], edges.box[:, 3])
    assert ((np.abs(x0 - left) < 2) & (np.abs(x1 - right) < 2)).any()


def test_the_halves_of_a_wide_letter_can_be_joined():
    canvas = Canvas(900, 300)
    canvas.text(80, 150, "now ")
    # Old faces have a W that is much wider than its small letters are high.
    left, top, right, bottom = canvas.text(260, 150, "W", 60)
    middle = (left + right) // 2
    canvas.grey[top:bottom, middle - 1 : middle + 2] = 255
    canvas.text(right + 10, 150, "ith some")
    page = _segmented(canvas)
    assert right - left > 2.2 * 21
    edges = join_edges(page.pieces, np.ones(int(page.pieces.atom.max()) + 1, np.bool_))
    line = page.pieces.line[edges.start]
    x0, _ = page.strips.to_page(line, edges.box[:, 0], edges.box[:, 3])
    x1, _ = page.strips.to_page(line, edges.box[:, 2], edges.box[:, 3])
    assert ((np.abs(x0 - left) < 2) & (np.abs(x1 - right) < 2)).any()


def test_parts_that_stand_side_by_side_can_be_joined():
    canvas = Canvas(900, 300)
    canvas.text(80, 150, "some ")
    left, _, right, _ = canvas.text(260, 150, "%")
    canvas.text(330, 150, "more")
    page = _segmented(canvas)
    edges = join_edges(page.pieces, np.ones(int(page.pieces.atom.max()) + 1, np.bool_))
    line = page.pieces.line[edges.start]
    x0, _ = page.strips.to_page(line, edges.box[:, 0], edges.box[:, 3])
    x1, _ = page.strips.to_page(line, edges.box[:, 2], edges.box[:, 3])
    assert ((np.abs(x0 - left) < 2) & (np.abs(x1 - right) < 2)).any()


def test_an_empty_page():
    page = _segmented(Canvas(300, 200))
    none = np.zeros(0, np.bool_)
    assert len(page.pieces) == 0
    for edges in (
        whole_edges(page.pieces), part_edges(page.pieces, none), join_edges(page.pieces, none)
    ):  # fmt: skip
        assert len(edges) == 0 and edges.box.shape == (0, 4)
