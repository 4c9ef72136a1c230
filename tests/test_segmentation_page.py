from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import Canvas, page_of, prose, segmented

from ocr_batch.segmentation.lattice import join_edges, part_edges, whole_edges
from ocr_batch.segmentation.page import cut_atoms, resegment, segment


def test_a_clean_page_has_an_atom_for_each_letter():
    canvas = page_of(prose(6, 7), 44)
    _, _, page = segmented(canvas.grey)
    # A few letters of this font touch.
    assert len(whole_edges(page.pieces)) == pytest.approx(len(canvas.letters), rel=0.03)
    assert page.spread.shape == page.pieces.label.shape


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 90), st.integers(1, 120), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_any_page_can_be_cut_and_cropped(height, width, share, seed):
    ink = np.random.default_rng(seed).random((height, width)) < share
    _, _, page = segmented(np.where(ink, 0, 255).astype(np.uint8))
    every = np.ones(int(page.pieces.atom.max(initial=-1)) + 1, np.bool_)
    edges = whole_edges(page.pieces) + part_edges(page.pieces, every)
    edges += join_edges(page.pieces, every)
    assert np.isfinite(edges.box).all() and (edges.box[:, 2:] > edges.box[:, :2]).all()
    images, geometry = page.crops(edges)
    assert len(images) == len(geometry) == len(edges)
    assert np.isfinite(geometry).all()


def test_a_long_smear_is_bounded():
    canvas = Canvas(6000, 60)
    canvas.grey[28:31, ::7] = 0
    _, layout, page = segmented(canvas.grey)
    assert page.strips.grey.shape[1] < 40_000 * max(1, len(layout.lines))


def _same(one, other):
    if is_dataclass(one):
        return all(
            _same(getattr(one, field.name), getattr(other, field.name)) for field in fields(one)
        )
    return np.array_equal(one, other)


def _smaller(lines, changed):
    return replace(lines, x_height=np.where(changed, 0.7 * lines.x_height, lines.x_height))


@pytest.mark.parametrize("cut", [True, False])
@pytest.mark.parametrize("chosen", [[], [0], [1, 4], [0, 1, 2, 3, 4]])
def test_segmenting_changed_lines_gives_what_segmenting_all_gives(cut, chosen):
    ready, layout, _ = segmented(page_of(prose(5, 7), 44).grey)
    before = segment(ready.grey, layout.components, layout.lines, cut=cut)
    changed = np.isin(np.arange(len(layout.lines)), chosen)
    lines = _smaller(layout.lines, changed)
    found = resegment(ready.grey, layout.components, lines, before, changed, cut=cut)
    assert _same(found, segment(ready.grey, layout.components, lines, cut=cut))


def test_atoms_that_fall_apart_at_another_scale_move_those_behind_them():
    canvas = page_of(["kind ills if i did", *prose(3, 7)], 44)
    ready, layout, before = segmented(canvas.grey)
    changed = np.arange(len(layout.lines)) == 0
    # So small a scale that dots are too far from their stems.
    lines = replace(layout.lines, x_height=np.where(changed, 7.0, layout.lines.x_height))
    found = resegment(ready.grey, layout.components, lines, before, changed)
    assert len(found.atoms.line) > len(before.atoms.line)
    assert _same(found, segment(ready.grey, layout.components, lines))


def test_cutting_atoms_later_gives_the_same_pieces():
    ready, layout, page = segmented(page_of(prose(5, 7), 44).grey)
    uncut = segment(ready.grey, layout.components, layout.lines, cut=False)
    assert len(uncut.pieces) == len(uncut.atoms.line) < len(page.pieces)
    assert _same(cut_atoms(uncut, np.ones(len(uncut.pieces), np.bool_)), page)
    chosen = np.arange(len(uncut.pieces)) % 5 == 0
    some = cut_atoms(uncut, chosen)
    assert not np.isin(some.pieces.atom[~some.pieces.first_of_atom], np.flatnonzero(~chosen)).any()
    parts, all_parts = (part_edges(one.pieces, chosen) for one in (some, page))
    assert np.array_equal(parts.box, all_parts.box)
    assert np.array_equal(some.crops(parts)[0], page.crops(all_parts)[0])
