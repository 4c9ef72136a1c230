import dataclasses

import numpy as np
import pytest
from pages import Canvas, glyph_models, page_of, prose, sheet_of, turned

from ocr_batch.batch.options import ReadOptions
from ocr_batch.batch.pipeline import StageTimer, load_models, read_sheets
from ocr_batch.errors import BundleError
from ocr_batch.imaging.load import Sheet

LINES = ["the old house by the river", "was empty when we came back", "from town in 1874."]


def _page(*lines, size=44):
    canvas = Canvas(1000, 160 + 80 * len(lines))
    for number, line in enumerate(lines):
        canvas.text(80, 120 + 80 * number, line, size, tracking=2)
    return canvas.grey


TEXT = _page(*LINES)
COLUMNS = Canvas(1500, 1300)
_left = COLUMNS.column(60, 120, prose(16, 5))
COLUMNS.column(max(box[2] for box in _left) + 70, 120, prose(16, 5, seed=1))


def _noise(height=500, width=600, share=0.5):
    ink = np.random.default_rng(0).random((height, width)) < share
    return np.where(ink, 0, 255).astype(np.uint8)


HARD = {
    "one pixel": np.full((1, 1), 255, np.uint8),
    "one black pixel": np.zeros((1, 1), np.uint8),
    "one row": np.zeros((1, 900), np.uint8),
    "white": np.full((900, 700), 255, np.uint8),
    "black": np.zeros((900, 700), np.uint8),
    "grey": np.full((900, 700), 128, np.uint8),
    "dense noise": _noise(),
    "sparse noise": _noise(share=0.02),
    "paper's grain": np.random.default_rng(1).normal(240, 4, (900, 700)).astype(np.uint8),
    "a black bar": np.pad(np.zeros((300, 500), np.uint8), 100, constant_values=255),
}
EMPTY = ["one pixel", "one black pixel", "one row", "white", "black", "grey", "paper's grain"]


def _read(*pages, models=None, options=None):
    sheets = [
        dataclasses.replace(sheet_of(grey), source=f"{number}.png", number=number + 1)
        for number, grey in enumerate(pages)
    ]
    return read_sheets(sheets, models or glyph_models(), options)


def _boxes(page):
    for word in page.words:
        yield from (character.box for character in word.characters)


def _lie_on_ink(page, grey, dark=True):
    height, width = grey.shape
    assert (page.width, page.height) == (width, height)
    for box in _boxes(page):
        assert 0 <= box.left < box.right <= width and 0 <= box.top < box.bottom <= height
        part = grey[box.top : box.bottom, box.left : box.right]
        assert (part.min() < 128) if dark else (part.max() >= 128)
        assert box.width < 120 and box.height < 120


def test_text_is_read():
    (page,) = _read(TEXT)
    assert page.text == "\n".join(LINES)
    assert (page.source, page.number, page.rotation, page.skew) == ("0.png", 1, 0, 0.0)
    _lie_on_ink(page, TEXT)
    assert all(0 < c.confidence <= 1 for word in page.words for c in word.characters)


def test_columns_are_read_one_after_the_other():
    (page,) = _read(COLUMNS.grey)
    found, expected = page.text.split(), " ".join(COLUMNS.lines).split()
    assert sum(a == b for a, b in zip(found, expected, strict=False)) > 0.85 * len(expected)
    assert len(page.blocks) == 2


@pytest.mark.parametrize("name", EMPTY)
def test_pages_without_text_are_empty(name):
    (page,) = _read(HARD[name])
    assert page.blocks == () and page.text == "" and page.confidence == 0.0
    assert (page.height, page.width) == HARD[name].shape


def test_no_pages():
    assert _read() == []


def test_a_page_reads_the_same_alone_or_in_a_group():
    pages = [TEXT, HARD["white"], 255 - TEXT, HARD["sparse noise"], turned(TEXT, 2), COLUMNS.grey]
    together = _read(*pages)
    for number, (grey, page) in enumerate(zip(pages, together, strict=True)):
        (alone,) = _read(grey)
        assert dataclasses.replace(alone, source=page.source, number=page.number) == page
        assert page.number == number + 1
    again = _read(*reversed(pages))
    assert [page.blocks for page in again] == [page.blocks for page in reversed(together)]


def test_atoms_of_all_pages_are_classified_together():
    models = glyph_models()
    models.classifier.calls.clear()
    _read(TEXT, TEXT, models=models)
    two = list(models.classifier.calls)
    models.classifier.calls.clear()
    _read(TEXT, models=models)
    assert two[0] == 2 * models.classifier.calls[0]


@pytest.mark.parametrize("angle", [-3.0, 1.2])
def test_skewed_pages_are_levelled_unless_told_not_to(angle):
    # A page of many lines, so that the angle is clear.
    grey = turned(_page(*LINES, *LINES, *LINES), angle)
    (page,) = _read(grey)
    assert page.skew == pytest.approx(angle, abs=0.15)
    assert page.text.split() == " ".join(LINES * 3).split()
    _lie_on_ink(page, grey)
    (left,) = _read(grey, options=ReadOptions(deskew=False))
    assert left.skew == 0.0


def test_boxes_are_those_of_the_image_before_exif_orientation():
    grey = np.rot90(TEXT, 1)  # stored lying on its side
    height, width = grey.shape
    sheet = Sheet(
        np.ascontiguousarray(np.rot90(grey, -1)),
        stored_size=(width, height),
        to_stored=np.array([[0.0, 1, 0], [-1, 0, height - 1]]),
    )
    (page,) = read_sheets([sheet], glyph_models())
    assert page.text == "\n".join(LINES)
    _lie_on_ink(page, grey)


def test_stages_are_timed():
    timer = StageTimer()
    read_sheets([sheet_of(TEXT)], glyph_models(), timer=timer)
    assert {"prepare", "layout", "segment", "classify", "decode", "assemble"} <= set(timer.seconds)
    assert all(seconds >= 0 for seconds in timer.seconds.values())


def test_no_such_model():
    with pytest.raises(BundleError, match="klingon"):
        load_models("klingon")


# From here on with the shipped model.


@pytest.fixture(scope="module")
def models():
    return load_models("english")


def test_shipped_model_reads_clean_text(models):
    (page,) = _read(TEXT, models=models)
    assert page.text == "\n".join(LINES)
    assert page.confidence > 0.8
    _lie_on_ink(page, TEXT)


@pytest.mark.parametrize("name", EMPTY)
def test_shipped_model_finds_no_text_where_there_is_none(models, name):
    (page,) = _read(HARD[name], models=models)
    assert page.blocks == ()


@pytest.mark.parametrize("name", sorted(set(HARD) - set(EMPTY)))
def test_shipped_model_survives_noise_and_pictures(models, name):
    (page,) = _read(HARD[name], models=models)
    assert len(page.text) < 40


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_pages_on_their_side_are_turned_upright(models, quarters):
    grey = np.ascontiguousarray(np.rot90(_page(*LINES, *LINES), quarters))
    (page,) = _read(grey, models=models)
    assert page.rotation == 90 * quarters
    assert page.text.split() == " ".join(LINES * 2).split()
    _lie_on_ink(page, grey)
    if quarters:
        (left,) = _read(grey, models=models, options=ReadOptions(orient=False))
        assert left.rotation == 0


def test_light_on_dark_is_read(models):
    grey = (40 + 0.7 * (255 - TEXT.astype(float))).astype(np.uint8)
    (page,) = _read(grey, models=models)
    assert page.text == "\n".join(LINES)
    _lie_on_ink(page, grey, dark=False)


@pytest.mark.parametrize("size", [18, 26, 70])
def test_print_of_many_sizes_is_read(models, size):
    grey = page_of(LINES, size).grey
    (page,) = _read(grey, models=models)
    found = page.text.split()
    expected = " ".join(LINES).split()
    assert sum(word in found for word in expected) >= len(expected) - (2 if size > 20 else 4)


def test_shipped_model_reads_a_page_the_same_alone_or_in_a_group(models):
    pages = [TEXT, HARD["white"], np.rot90(TEXT, 2).copy(), COLUMNS.grey]
    together = _read(*pages, models=models)
    for grey, page in zip(pages, together, strict=True):
        (alone,) = _read(grey, models=models)
        assert dataclasses.replace(alone, source=page.source, number=page.number) == page
