import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import Canvas, _glyph, page_of, prose, sheet_of, turned

from ocr_batch.imaging.load import Sheet
from ocr_batch.layout.prepare import prepare

PAGE = page_of(prose(10, 7, seed=5))


@pytest.mark.parametrize("size", [12, 20, 40, 120])
@pytest.mark.parametrize("angle", [0, 2.5])
@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_ink_maps_back_to_where_it_was_stored(size, angle, quarters):
    grey = turned(page_of(prose(5, 5), size).grey, angle)
    ready = prepare(sheet_of(grey), quarter_turns=quarters)
    assert ready.rotation == 90 * quarters
    assert ready.ink.shape == ready.grey.shape == ready.components.labels.shape
    x, y = ready.to_stored @ np.vstack([_centres(ready.ink), np.ones(len(ready.components))])
    stored = _centres(grey < 128)
    distance = np.hypot(x[:, None] - stored[0][None, :], y[:, None] - stored[1][None, :])
    nearest = distance.argmin(axis=1)
    # A pixel of the prepared page may be several of the stored one.
    unit = max(1.0, float(np.hypot(*ready.to_stored[0, :2])))
    assert np.median(distance.min(axis=1)) < 0.5 * unit
    assert abs(np.median(x - stored[0][nearest])) < 0.15 * unit
    assert abs(np.median(y - stored[1][nearest])) < 0.15 * unit


def _centres(ink):
    _, _, _, centres = cv2.connectedComponentsWithStats(ink.view(np.uint8), connectivity=8)
    return centres[1:].T


@pytest.mark.parametrize("size", [14, 20, 40, 64, 140])
def test_print_is_brought_to_a_workable_size(size):
    ready = prepare(sheet_of(page_of(prose(4, 4), size).grey))
    assert 14 <= ready.x_height <= 52
    scale = ready.to_stored[0, 0]
    assert ready.x_height * scale == pytest.approx(-_glyph("x", size)[2], rel=0.12)


def test_light_print_on_dark_ground_is_turned_over():
    dark, light = prepare(sheet_of(PAGE.grey)), prepare(sheet_of(255 - PAGE.grey))
    assert (dark.ink != light.ink).mean() < 0.01
    assert light.grey[0, 0] == 255


def test_one_bit_pages_are_taken_as_they_are():
    grey = np.where(PAGE.grey < 128, 0, 255).astype(np.uint8)
    ready = prepare(sheet_of(grey))
    assert np.array_equal(ready.ink, grey == 0)


def test_rules_are_listed_and_gone():
    canvas = Canvas(1400, 700)
    canvas.column(80, 100, prose(8, 4))
    canvas.column(760, 100, prose(8, 4))
    canvas.rule(700, 40, 703, 660)
    canvas.rule(80, 655, 1300, 658)
    ready = prepare(sheet_of(canvas.grey))
    assert ready.rules == pytest.approx(np.array([[700, 40, 703, 660]]), abs=6)
    assert ready.ink[:, 695:708].sum() + ready.ink[650:, :].sum() < 40


@pytest.mark.parametrize("value", [0, 128, 255])
@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (4, 4), (500, 400)])
def test_pages_without_text(shape, value):
    ready = prepare(sheet_of(np.full(shape, value, np.uint8)))
    assert ready.x_height == 0.0 and ready.skew == 0.0
    assert len(ready.components) <= 1


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 60), st.integers(1, 60), st.integers(0, 2**32 - 1), st.booleans(),
    st.integers(0, 3),
)  # fmt: skip
def test_any_pixels(height, width, seed, bilevel, quarters):
    rng = np.random.default_rng(seed)
    grey = rng.integers(0, 256, (height, width), dtype=np.uint8)
    if bilevel:
        grey = np.where(grey < 128, 0, 255).astype(np.uint8)
    sheet = Sheet(grey, stored_size=(width, height), bilevel=bilevel)
    ready = prepare(sheet, quarter_turns=quarters)
    assert np.array_equal(ready.components.labels > 0, ready.ink)
    assert np.isfinite(ready.to_stored).all()


def test_small_print_on_a_page_too_large_to_enlarge_is_left_as_it_is(monkeypatch):
    grey = page_of(prose(6, 6), 20).grey
    assert prepare(sheet_of(grey)).grey.size > 1.5 * grey.size
    monkeypatch.setattr("ocr_batch.layout.prepare._MOST_PIXELS", grey.size // 2)
    assert prepare(sheet_of(grey)).grey.shape == grey.shape
