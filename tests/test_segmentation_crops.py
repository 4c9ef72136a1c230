import numpy as np
import pytest
from pages import Canvas, page_of, prose, segmented

from ocr_batch.recognition.bundle import LINE_RELATIVE
from ocr_batch.segmentation.crops import GEOMETRY, spread_labels
from ocr_batch.segmentation.lattice import Edges, join_edges, whole_edges
from ocr_batch.segmentation.strips import BASELINE, FRAME, X_HEIGHT


def _whole(canvas):
    _, _, page = segmented(canvas.grey)
    edges = whole_edges(page.pieces)
    return page, edges, *page.crops(edges)


def _of_text(text, size=40, tracking=2.0):
    canvas = Canvas(1400, 300)
    canvas.text(80, 150, text, size, tracking)
    return _whole(canvas)


def _column(geometry, name):
    return geometry[:, GEOMETRY.index(name)]


def test_the_contract_is_the_one_of_the_bundle():
    assert (
        LINE_RELATIVE.frame, LINE_RELATIVE.x_height, LINE_RELATIVE.baseline,
    ) == (FRAME, X_HEIGHT, BASELINE)  # fmt: skip
    assert len(GEOMETRY) == LINE_RELATIVE.geometry
    _, edges, images, geometry = _of_text("some words here")
    assert images.dtype == np.uint8 and geometry.dtype == np.float32
    assert images.shape == (len(edges), FRAME, FRAME, LINE_RELATIVE.channels)
    assert geometry.shape == (len(edges), LINE_RELATIVE.geometry)


@pytest.mark.parametrize("size", [22, 40, 60])
def test_small_letters_fill_rows_18_to_38_and_are_centred(size):
    _, _, images, _ = _of_text("xzvxnzrxv", size)
    for image in images[..., 0]:
        rows = np.flatnonzero((image > 128).any(axis=1))
        columns = np.flatnonzero((image > 128).any(axis=0))
        assert rows[0] == pytest.approx(18, abs=1.5)
        assert rows[-1] + 1 == pytest.approx(38, abs=1.5)
        assert (columns[0] + columns[-1] + 1) / 2 == pytest.approx(28, abs=1.5)


def test_size_and_place_on_the_line_stay_visible():
    text = "xgXx,x'x-x_"
    _, _, _, geometry = _of_text(text, tracking=4)
    top, bottom = _column(geometry, "top"), _column(geometry, "bottom")
    assert len(text) == len(top)
    at = {letter: number for number, letter in enumerate(text)}
    assert top[at["x"]] == pytest.approx(1, abs=0.1)
    assert bottom[at["x"]] == pytest.approx(0, abs=0.1)
    assert bottom[at["g"]] < -0.2
    assert top[at["X"]] > 1.2
    assert top[at[","]] < 0.4 and bottom[at["'"]] > 0.7
    assert 0.3 < top[at["-"]] < 0.8 and top[at["_"]] < 0.05


def test_neighbours_are_masked_in_one_channel_and_seen_in_the_other():
    _, edges, images, _ = _of_text("nnnnnn")
    middle = len(edges) // 2
    alone, together = images[middle, :, :, 0], images[middle, :, :, 1]
    assert not alone[:, :12].any() and not alone[:, -12:].any()
    assert together[:, :12].any() and together[:, -12:].any()
    assert (alone <= together).all()
    shown = alone > 0
    assert np.array_equal(alone[shown], together[shown])


def test_a_frame_shows_no_other_line():
    _, _, images, _ = _whole(page_of(["x", "x", "x"] * 2 + prose(2)))
    for image in images[:6]:
        assert np.array_equal(image[20:36, :, 0] > 100, image[20:36, :, 1] > 100)


def test_what_is_wider_than_the_frame_is_squeezed_and_that_is_recorded():
    _, edges, images, geometry = _of_text("some mmmmmm words", tracking=-5)
    width = edges.box[:, 2] - edges.box[:, 0]
    wide = width > FRAME
    assert wide.any() and not wide.all()
    squeeze = _column(geometry, "squeeze")
    assert (squeeze[width <= FRAME - 4] == 0).all()
    np.testing.assert_allclose(squeeze[wide] + 1, width[wide] / (FRAME - 4), rtol=1e-5)
    for image in images[wide, :, :, 0]:
        columns = np.flatnonzero((image > 128).any(axis=0))
        assert 0 < columns[0] <= 5 and FRAME - 6 <= columns[-1] < FRAME - 1


def test_gaps_are_those_to_the_neighbours():
    _, edges, _, geometry = _of_text("no me")
    before, after = _column(geometry, "gap before"), _column(geometry, "gap after")
    assert before[0] == after[-1] == 1.5
    np.testing.assert_allclose(before[1:], after[:-1], atol=1e-6)
    gap = (edges.box[1:, 0] - edges.box[:-1, 2]) / X_HEIGHT
    np.testing.assert_allclose(before[1:], np.clip(gap, -0.5, 1.5), atol=1e-6)
    assert before[2] > 2 * before[1]


def test_stroke_width_grows_with_the_weight():
    canvas = Canvas(900, 300)
    canvas.text(80, 150, "nominal one")
    thin = _whole(canvas)[3]
    ink = canvas.grey.copy()
    for shift in (1, 2):
        ink[:, shift:] = np.minimum(ink[:, shift:], canvas.grey[:, :-shift])
    canvas.grey[:] = ink
    thick = _whole(canvas)[3]
    assert np.median(_column(thick, "stroke")) > 1.3 * np.median(_column(thin, "stroke"))


def test_a_crop_does_not_depend_on_the_others():
    page, _, _, _ = _of_text("each alone")
    every = np.ones(int(page.pieces.atom.max()) + 1, np.bool_)
    edges = whole_edges(page.pieces) + join_edges(page.pieces, every)
    images, geometry = page.crops(edges)
    for number in range(0, len(edges), 3):
        image, vector = page.crops(edges.take(np.array([number])))
        assert np.array_equal(image[0], images[number])
        assert np.array_equal(vector[0], geometry[number])


def test_no_edges():
    page, *_ = _of_text("word")
    none = np.zeros(0, np.int64)
    images, geometry = page.crops(Edges(none, none, none, np.zeros((0, 4))))
    assert images.shape == (0, 56, 56, 2) and geometry.shape == (0, 8)


def test_labels_spread_over_the_rim_only():
    label = np.zeros((56, 60), np.int32)
    label[20:30, 10:15], label[20:30, 20:25] = 1, 2**20
    grown = spread_labels(label, 2)
    assert np.array_equal(grown[label > 0], label[label > 0])
    assert set(np.unique(grown)) == {0, 1, 2**20}
    assert (grown[18:32, 8:17] == 1).all() and not grown[:, 17].any()
    assert not grown[:17].any() and not grown[33:].any()
