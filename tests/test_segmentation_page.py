import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import Canvas, page_of, prose, segmented

from ocr_batch.segmentation.lattice import join_edges, part_edges, whole_edges


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
