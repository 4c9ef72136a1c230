import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import Canvas, page_of, prose
from skimage.filters import threshold_sauvola

from ocr_batch.imaging.clean import (
    binarise,
    is_reversed,
    level_background,
    remove_borders,
    sauvola_threshold,
)
from ocr_batch.layout.components import find_components

X_HEIGHT = 22.0
PAGE = page_of(prose(5))


def _boxes(ink):
    found = find_components(ink)
    return found, np.stack([found.left, found.top, found.width, found.height], axis=1)


def test_polarity_of_text_pages():
    assert not is_reversed(PAGE.grey)
    assert is_reversed(255 - PAGE.grey)
    assert is_reversed((60 + (255 - PAGE.grey) * 0.6).astype(np.uint8))


@pytest.mark.parametrize("value", [0, 127, 255])
@pytest.mark.parametrize("shape", [(1, 1), (1, 200), (300, 200)])
def test_even_pages_are_not_reversed(value, shape):
    assert not is_reversed(np.full(shape, value, np.uint8))


def test_dark_margins_do_not_reverse_a_page():
    grey = PAGE.grey.copy()
    margin = grey.shape[1] // 21
    grey[:, :margin] = grey[:, -margin:] = 0
    assert not is_reversed(grey)


def test_levelling_takes_uneven_light_away():
    light = np.linspace(0.45, 1.0, PAGE.grey.shape[1])[None, :] * np.ones(PAGE.grey.shape)
    shaded = (PAGE.grey * light).astype(np.uint8)
    levelled = level_background(shaded)
    paper, ink = PAGE.grey == 255, PAGE.grey < 60
    assert np.quantile(levelled[paper], 0.02) > 235
    assert np.quantile(levelled[ink], 0.95) < 100
    assert np.array_equal(shaded, (PAGE.grey * light).astype(np.uint8)), "the input was changed"


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 2**32 - 1))
def test_any_page_can_be_levelled_and_binarised(height, width, seed):
    grey = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    levelled = level_background(grey)
    assert levelled.shape == grey.shape and levelled.dtype == np.uint8
    ink = binarise(levelled, 15)
    assert ink.shape == grey.shape and ink.dtype == np.bool_


@pytest.mark.parametrize("window", [30, 62])
@pytest.mark.parametrize("k", [0.1, 0.28])
def test_sauvola_agrees_with_scikit_image(window, k):
    # Every pixel doubled, half resolution loses nothing.
    small = cv2.GaussianBlur(PAGE.grey[: PAGE.grey.shape[0] // 2, :400], (0, 0), 1.5)
    grey = np.kron(small, np.ones((2, 2), np.uint8))
    expected = threshold_sauvola(small, window // 2 | 1, k=k, r=128)
    found = sauvola_threshold(grey, window, k)[::2, ::2]
    edge = window // 4 + 1  # borders are extended in another way
    inner = (slice(edge, -edge), slice(edge, -edge))
    # Between two rows of the half-size surface there is interpolation, hence the quantile.
    difference = np.abs(found.astype(float) - np.clip(expected, 0, 224))[inner]
    assert np.quantile(difference, 0.99) < 4
    assert difference.mean() < 1.5


def test_ink_agrees_with_scikit_image_at_full_resolution():
    grey = cv2.GaussianBlur(PAGE.grey, (0, 0), 0.8)
    expected = grey <= np.clip(threshold_sauvola(grey, 67, k=0.28, r=128), 0, 224)
    found = binarise(grey, 66)
    assert (found != expected).mean() < 0.005
    assert (found & expected).sum() > 0.95 * expected.sum()


def test_blank_paper_has_no_ink():
    noise = np.random.default_rng(0).normal(245, 3, (400, 300)).clip(0, 255).astype(np.uint8)
    assert not binarise(noise, 60).any()


def test_borders_are_large_and_touch_the_edge():
    canvas = Canvas(600, 400)
    canvas.text(100, 200, "inside text")
    canvas.rule(0, 0, 600, 30)
    canvas.rule(590, 0, 600, 400)
    canvas.rule(200, 250, 400, 380)
    canvas.rule(0, 200, 5, 220)
    found, boxes = _boxes(canvas.grey < 128)
    border = remove_borders(found.shape, boxes, X_HEIGHT)
    assert set(np.flatnonzero(border)) == {found.labels[10, 300] - 1}
    assert not border[found.labels[300, 300] - 1], "a picture inside the page is not a border"
    assert not border[found.labels[210, 2] - 1], "a letter-sized mark at the edge stays"
