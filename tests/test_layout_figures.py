import numpy as np
import pytest
from pages import Canvas, page_of, prose

from ocr_batch.layout.components import find_components
from ocr_batch.layout.figures import coarse_area, find_figures, inside

X_HEIGHT = 22.0


def _picture(kind, height=300, width=400):
    ys, xs = np.mgrid[:height, :width]
    if kind == "solid":
        return np.ones((height, width), np.bool_)
    if kind == "half-tone":
        return (np.hypot(ys % 8 - 4, xs % 8 - 4) < 3.4) & (ys < height)
    rng = np.random.default_rng(0)
    return rng.random((height, width)) < 0.5


def _split(ink):
    components = find_components(ink)
    return components, inside(components, find_figures(ink, X_HEIGHT), ink.shape)


@pytest.mark.parametrize("kind", ["solid", "half-tone", "noise"])
def test_pictures_are_found_and_the_text_beside_them_is_kept(kind):
    canvas = Canvas(1200, 600)
    canvas.column(80, 100, prose(6, 4))
    ink = canvas.grey < 128
    text = ink.copy()
    picture = _picture(kind)
    ink[150:450, 700:1100] = picture
    components, figure = _split(ink)
    of_text = components.right < 690
    assert not figure[of_text].any()
    assert components.area[~of_text & figure].sum() > 0.95 * picture.sum()
    assert text.sum() == components.area[of_text].sum()


@pytest.mark.parametrize("size", [24, 40, 60])
def test_text_is_no_figure(size):
    ink = page_of([*prose(8, 8), "WWWMMMEEE HHH ###", "%%% @@@ &&&"], size).grey < 128
    x_height = 0.53 * size
    components = find_components(ink)
    assert not inside(components, find_figures(ink, x_height), ink.shape).any()


def test_a_headline_is_no_figure():
    canvas = Canvas(1200, 500)
    canvas.text(80, 150, "Headline", 100)
    canvas.column(80, 250, prose(3, 8))
    _, figure = _split(canvas.grey < 128)
    assert not figure.any()


@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (500, 3)])
def test_tiny_and_empty_pages(shape):
    for value in (False, True):
        ink = np.full(shape, value)
        grid = find_figures(ink, X_HEIGHT)
        assert inside(find_components(ink), grid, shape).shape == (int(value),)


def test_coarse_area_covers_the_ink():
    ink = np.zeros((400, 300), np.bool_)
    ink[100:200, 50:60] = True
    shape = find_figures(ink, X_HEIGHT).shape
    grid = coarse_area(ink, X_HEIGHT)
    assert grid.shape == shape
    components = find_components(ink)
    assert inside(components, grid, ink.shape).all()
    assert 0 < grid.mean() < 0.5
