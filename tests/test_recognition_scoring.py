from dataclasses import replace

import numpy as np
import pytest
from pages import glyph_models, page_of, prose, segmented

from ocr_batch.recognition.charset import CLASSES
from ocr_batch.recognition.scoring import (
    atom_quality,
    cut_unsure,
    line_quality,
    score_changed,
    score_parts,
    score_whole,
)
from ocr_batch.segmentation.lattice import whole_edges
from ocr_batch.segmentation.page import segment


class Fixed:
    """A classifier that gives every crop the same scores, and counts its calls."""

    batch = 64

    def __init__(self, name, probability):
        rest = (1 - probability) / (len(CLASSES) - 1)
        self._row = np.full(len(CLASSES), rest, np.float32)
        self._row[CLASSES.index(name)] = probability
        self.calls = []

    def scores(self, images, geometry):
        assert images.shape[1:] == (56, 56, 2) and geometry.shape == (len(images), 8)
        self.calls.append(len(images))
        return np.tile(np.log(self._row), (len(images), 1))


def _page(*lines, size=44):
    return segmented(page_of(list(lines), size).grey)[2]


PAGES = [_page(*prose(3, 6)), _page(*prose(2, 4, seed=1)), _page()]


def test_every_atom_is_scored_in_one_batch_over_all_pages():
    classifier = Fixed("a", 0.9)
    scored = score_whole(PAGES, classifier)
    assert classifier.calls == [sum(len(page.pieces.first_of_atom.nonzero()[0]) for page in PAGES)]
    for page, result in zip(PAGES, scored, strict=True):
        edges = whole_edges(page.pieces)
        assert np.array_equal(result.edges.start, edges.start)
        assert result.log_probabilities.shape == (len(edges), len(CLASSES))


def test_lines_that_changed_are_scored_anew_and_the_others_keep_their_scores():
    ready, layout, before = segmented(page_of(list(prose(3, 6)), 44).grey)
    changed = np.arange(len(layout.lines)) == 1
    lines = replace(layout.lines, x_height=layout.lines.x_height * np.where(changed, 1.3, 1.0))
    page = segment(ready.grey, layout.components, lines)
    classifier = glyph_models().classifier
    counting = Fixed("a", 0.9)
    score_changed(page, before, score_whole([before], classifier)[0], changed, counting)
    assert counting.calls == [int((page.pieces.line[whole_edges(page.pieces).start] == 1).sum())]
    found = score_changed(page, before, score_whole([before], classifier)[0], changed, classifier)
    expected = score_whole([page], classifier)[0]
    assert np.array_equal(found.edges.box, expected.edges.box)
    np.testing.assert_allclose(found.log_probabilities, expected.log_probabilities, atol=1e-5)


def test_pages_score_the_same_alone_and_together():
    classifier = glyph_models().classifier
    together = score_parts(PAGES, score_whole(PAGES, classifier), classifier)
    for page, result in zip(PAGES, together, strict=True):
        (alone,) = score_parts([page], score_whole([page], classifier), classifier)
        assert np.array_equal(alone.edges.start, result.edges.start)
        assert np.array_equal(alone.log_probabilities, result.log_probabilities)


def test_sure_atoms_are_not_questioned():
    classifier = Fixed("a", 0.999)
    whole = score_whole(PAGES, classifier)
    for before, after in zip(whole, score_parts(PAGES, whole, classifier), strict=True):
        assert len(after.edges) == len(before.edges)


def test_only_unsure_atoms_are_cut_and_these_as_if_all_were():
    classifier = glyph_models().classifier
    ready, layout, full = segmented(page_of(["rn m cl d vv w", "ab fi of li"], 26).grey)
    uncut = segment(ready.grey, layout.components, layout.lines, cut=False)
    whole = score_whole([uncut], classifier)
    (page,), scored = cut_unsure([uncut], whole)
    assert len(uncut.pieces) <= len(page.pieces) <= len(full.pieces)
    assert np.array_equal(scored[0].log_probabilities, whole[0].log_probabilities)
    (found,) = score_parts([page], scored, classifier)
    (expected,) = score_parts([full], score_whole([full], classifier), classifier)
    assert np.array_equal(found.edges.atoms, expected.edges.atoms)
    assert np.array_equal(found.edges.box, expected.edges.box)
    np.testing.assert_allclose(found.log_probabilities, expected.log_probabilities, atol=1e-5)
    everything, again = cut_unsure([uncut], score_whole([uncut], Fixed("<two>", 0.99)))
    assert np.array_equal(everything[0].pieces.box, full.pieces.box)
    assert np.array_equal(again[0].edges.start, whole_edges(full.pieces).start)


@pytest.mark.parametrize("name", ["<two>", "<left>", "<noise>"])
def test_cuts_and_joins_are_tried_where_atoms_are_garbage(name):
    classifier = Fixed(name, 0.99)
    whole = score_whole(PAGES, classifier)
    for before, after in zip(whole[:2], score_parts(PAGES, whole, classifier)[:2], strict=True):
        count = len(before.edges)
        assert np.array_equal(after.edges.start[:count], before.edges.start)
        assert (after.edges.atoms[:count] == 1).all()
        assert {0, 2} <= set(after.edges.atoms[count:].tolist())
        assert len(after.log_probabilities) == len(after.edges)


def test_halves_of_a_quotation_mark_are_joined_however_sure():
    classifier = Fixed("'", 0.999)
    whole = score_whole(PAGES, classifier)
    after = score_parts(PAGES, whole, classifier)[0]
    assert set(after.edges.atoms[len(whole[0].edges) :].tolist()) <= {2, 3}
    assert len(after.edges) > len(whole[0].edges)


def test_quality_is_the_likelihood_of_being_some_character():
    (clear, *_), (dirty, *_) = (
        score_whole(PAGES, Fixed("a", 0.9)), score_whole(PAGES, Fixed("<two>", 0.9)),
    )  # fmt: skip
    np.testing.assert_allclose(atom_quality(clear), 0.9, rtol=1e-5)
    assert atom_quality(dirty).max() < 0.01
    assert atom_quality(clear).shape == (len(clear.edges),)
    quality = line_quality(PAGES[0], clear, 3)
    np.testing.assert_allclose(quality, 0.9, rtol=1e-4)


def test_a_line_without_atoms_has_no_quality():
    scored = score_whole(PAGES, Fixed("a", 0.9))
    assert line_quality(PAGES[0], scored[0], 5).tolist()[3:] == [0.0, 0.0]
    assert line_quality(PAGES[2], scored[2], 2).tolist() == [0.0, 0.0]


def test_no_pages():
    assert score_whole([], Fixed("a", 0.9)) == []
    assert score_parts([], [], Fixed("a", 0.9)) == []
