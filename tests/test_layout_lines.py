import numpy as np
import pytest
from pages import SIZE, Canvas, _glyph, laid_out, page_of, prose, turned

from ocr_batch.layout.components import find_components, find_neighbours, typical_height
from ocr_batch.layout.lines import find_lines
from ocr_batch.layout.links import link_neighbours
from ocr_batch.layout.page import letter_like

X_HEIGHT = 21.0
NO_GUTTERS = np.zeros((0, 4))


def _parts(grey):
    components = find_components(grey < 128)
    body = letter_like(components, X_HEIGHT)
    return components, body, find_neighbours(components, body)


def _lines(grey, gutters=NO_GUTTERS):
    components, body, neighbours = _parts(grey)
    nothing = np.zeros(len(components), np.bool_)
    x_height = typical_height(components) or X_HEIGHT
    return components, find_lines(components, body, neighbours, gutters, x_height, nothing)


def _foot(lines, line, x):
    local = x - lines.origin[line]
    return lines.baseline[line] @ np.array([1.0, local, local * local])


def test_every_mark_joins_the_line_it_was_written_in():
    canvas = page_of([*prose(3, 8), "i; j: ij? fine, “no” - yes. 'tis = 5 % off!"])
    components, lines = _lines(canvas.grey)
    order = np.argsort(lines.box[:, 1])
    assert len(lines) == 4
    baseline = np.array([80 + SIZE + k * round(1.6 * SIZE) for k in range(4)])
    place = np.empty(4, int)
    place[order] = range(4)
    centre = components.top + components.height / 2
    expected = np.abs(centre[:, None] - (baseline - 12)[None, :]).argmin(axis=1)
    assert np.array_equal(place[lines.line_of], expected)


@pytest.mark.parametrize(
    "text", ["common sense rose", "The Quick Brown Fox", "jumping over a hedge"]
)
@pytest.mark.parametrize("size", [32, 40, 56])
def test_baseline_and_x_height(text, size):
    canvas = Canvas(1400, 300)
    left, _, right, _ = canvas.text(80, 150, text, size)
    _, lines = _lines(canvas.grey)
    assert len(lines) == 1
    truth = -_glyph("x", size)[2]
    assert lines.x_height[0] == pytest.approx(truth, rel=0.1)
    for x in (left, (left + right) / 2, right):
        assert _foot(lines, 0, x) == pytest.approx(150, abs=1.5)


@pytest.mark.parametrize("degrees", [-0.8, 0.5])
def test_a_slanted_baseline_is_followed(degrees):
    canvas = page_of(prose(1, 12))
    _, lines = _lines(turned(canvas.grey, degrees))
    assert len(lines) == 1
    slope = lines.baseline[0, 1] + lines.baseline[0, 2] * (lines.box[0, 2] - lines.box[0, 0])
    assert np.degrees(np.arctan(slope)) == pytest.approx(degrees, abs=0.15)


def test_capitals_and_figures_take_their_x_height_from_the_page():
    canvas = page_of([*prose(6, 7), "CHAPTER HUNDRED", "1234 5678"])
    _, lines = _lines(canvas.grey)
    assert lines.x_height.max() / lines.x_height.min() < 1.15


def test_mixed_sizes_keep_their_own_x_height():
    canvas = Canvas(1200, 500)
    canvas.text(80, 120, "Heading in large", 70)
    canvas.column(80, 220, prose(3, 6))
    _, lines = _lines(canvas.grey)
    tall = lines.x_height[lines.box[:, 1].argmin()]
    assert tall == pytest.approx(70 / 40 * np.median(lines.x_height), rel=0.1)


def test_a_gutter_parts_lines():
    canvas = Canvas(1200, 300)
    canvas.text(80, 120, "left part of it")
    second = canvas.text(420, 120, "right part of it")
    assert len(_lines(canvas.grey)[1]) == 1
    gutter = np.array([[second[0] - 12.0, 0, second[0] - 8.0, 300]])
    _, lines = _lines(canvas.grey, gutter)
    assert sorted(lines.box[:, 0] // 100) == [0, 4]


def test_cells_of_a_table_row_are_one_line():
    canvas = Canvas(1400, 400)
    for row in range(3):
        for column, word in enumerate(("Total", "1200", "35.5")):
            canvas.text(80 + 400 * column, 100 + 80 * row, word)
    assert len(_lines(canvas.grey)[1]) == 3


@pytest.mark.parametrize(("lower", "lines"), [(0, 1), (4, 1), (22, 2)])
def test_words_across_a_wide_gap_are_one_line_where_they_stand_level(lower, lines):
    canvas = Canvas(1600, 300)
    canvas.text(80, 120, "NEVADA OFFICE")
    canvas.text(900, 120 + lower, "Access Long Distance")
    assert len(_lines(canvas.grey)[1]) == lines


def test_small_print_in_blocks_side_by_side_stays_apart():
    canvas = Canvas(1600, 600)
    for line in range(4):
        canvas.text(80, 100 + 64 * line, "a line of print of the usual size", 40)
    for line in range(3):
        canvas.text(80, 420 + 32 * line, "Nevada office", 22)
        canvas.text(700, 432 + 32 * line, "long distance", 22)
    assert len(_lines(canvas.grey)[1]) == 10


def test_quotation_marks_belong_to_the_line_of_the_word_between_them():
    canvas = Canvas(1200, 300)
    canvas.text(80, 120, 'as a "summer moon" was seen')
    components, lines = _lines(canvas.grey)
    assert len(lines) == 1
    assert (lines.line_of == 0).sum() == len(components)


def test_links_are_level():
    canvas = Canvas(600, 200)
    canvas.text(80, 100, "ab")
    canvas.text(200, 112, "c")
    components, _, neighbours = _parts(canvas.grey)
    level, gap = link_neighbours(components, neighbours, X_HEIGHT)
    assert len(level) == 2 and (gap > 0).all()
    right = components.left[neighbours.second]
    assert level[right < 190].all() and not level[right > 190].any()


@pytest.mark.parametrize("value", [255, 0])
def test_pages_without_letters_have_no_lines(value):
    _, lines = _lines(np.full((300, 400), value, np.uint8))
    assert len(lines) == 0 and (lines.line_of == -1).all()


def test_lines_of_a_layout_hold_their_components():
    _, layout = laid_out(page_of(prose(4)).grey)
    lines, components = layout.lines, layout.components
    for number in range(len(lines)):
        own = lines.line_of == number
        assert own.any()
        hull = (
            components.left[own].min(), components.top[own].min(),
            components.right[own].max(), components.bottom[own].max(),
        )  # fmt: skip
        assert tuple(lines.box[number]) == hull


def test_close_lines_that_hang_together_are_parted():
    canvas = Canvas(1200, 300)
    for foot in (120, 150):
        # Across the gap, the upper line's end is level with both beginnings.
        end = canvas.text(60, foot, "no one ran near us and all")[2]
        canvas.text(end + 40, foot - 16, "had none or more summer man")
    _, layout = laid_out(canvas.grey)
    np.testing.assert_allclose(np.sort(layout.lines.baseline[:, 0]), [104, 120, 134, 150], atol=3)
