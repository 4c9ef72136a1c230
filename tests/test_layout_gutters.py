import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ocr_batch.layout.gutters import find_gutters
from ocr_batch.layout.phrases import Phrases

X_HEIGHT = 20.0
NO_RULES = np.zeros((0, 4))


def _column(left, right, top=100, lines=20, step=50):
    return [[left, top + k * step, right, top + k * step + 20] for k in range(lines)]


def _find(*boxes, rules=NO_RULES):
    boxes = np.array([box for column in boxes for box in column], np.float64)
    return find_gutters(_phrases(boxes), rules)


def _phrases(boxes, x_height=X_HEIGHT):
    return Phrases(boxes, boxes[:, 3], _letters(boxes), x_height)


def _letters(boxes):
    return np.round((boxes[:, 2] - boxes[:, 0]) / (1.2 * X_HEIGHT)).astype(np.int64)


def test_two_columns_have_one_gutter_between_them():
    (gutter,) = _find(_column(100, 700), _column(760, 1360))
    assert 700 <= gutter[0] < gutter[2] <= 760
    assert gutter[1] <= 120 and gutter[3] >= 1050


def test_three_columns_have_two():
    gutters = _find(_column(100, 600), _column(660, 1160), _column(1220, 1720))
    assert sorted(g[0] // 100 for g in gutters) == [6, 11]


def test_one_column_has_none():
    assert len(_find(_column(100, 700))) == 0
    assert len(find_gutters(_phrases(np.zeros((0, 4))), NO_RULES)) == 0


def test_a_heading_ends_the_gutter():
    (gutter,) = _find([[100, 20, 1360, 60]], _column(100, 700), _column(760, 1360))
    assert gutter[1] >= 60


def test_a_table_has_none():
    cells = [_column(left, left + 120) for left in (100, 400, 700, 1000)]
    assert len(_find(*cells)) == 0


def test_a_rule_parts_columns_that_stand_close():
    left, right = _column(100, 700), _column(709, 1300)
    assert len(_find(left, right)) == 0
    rule = np.array([[702.0, 90, 706, 1100]])
    (gutter,) = _find(left, right, rules=rule)
    assert 695 <= gutter[0] < gutter[2] <= 714


def test_a_rule_in_a_table_parts_nothing():
    rule = np.array([[300.0, 90, 303, 1100]])
    assert len(_find(_column(100, 220), _column(400, 520), rules=rule)) == 0


def test_a_picture_between_columns_parts_them():
    (gutter,) = _find(_column(100, 600), _column(1100, 1600), [[840, 600, 850, 610]])
    assert 600 <= gutter[0] < gutter[2] <= 1100
    assert gutter[1] <= 120 and gutter[3] >= 1050


def test_a_caption_beside_prose_is_a_column_though_its_lines_are_short():
    caption = _column(760, 960, top=118, lines=9, step=41)
    (gutter,) = _find(_column(100, 700, lines=10), caption)
    assert 700 <= gutter[0] < gutter[2] <= 760
    assert gutter[1] <= 140 and gutter[3] >= 440


def test_short_lines_level_with_prose_are_cells_of_a_table():
    assert len(_find(_column(100, 700, lines=10), _column(760, 960, lines=10))) == 0


def test_short_lines_that_stand_far_apart_are_entries_of_a_form():
    entries = _column(760, 960, top=118, lines=8, step=137)
    assert len(_find(_column(100, 700), entries)) == 0


@pytest.mark.parametrize("lower", [0, 4, 8, 12])
def test_cells_that_all_stand_a_little_lower_than_their_labels_are_a_tables(lower):
    labels = _column(100, 700, lines=16)
    assert len(_find(labels, _column(760, 960, top=100 + lower, lines=16))) == 0


def test_wrapped_cells_are_a_tables():
    labels, cells = [], []
    for row in range(8):
        labels += _column(100, 600, top=125 + 220 * row, lines=2)
        cells += _column(700, 860, top=100 + 220 * row, lines=3)
    assert len(_find(labels, cells)) == 0


def test_two_columns_of_four_lines():
    left, right = _column(100, 700, lines=4, step=90), _column(760, 1360, lines=4, step=90)
    assert len(_find(left, right)) == 1


def test_a_caption_between_two_columns_has_a_gutter_on_either_side():
    wide = [_column(left, left + 600, top, 9) for left in (100, 1000) for top in (100, 1000)]
    narrow = [_column(100, 480, 550, 9), _column(1220, 1600, 550, 9)]
    caption = _column(730, 970, top=568, lines=9, step=41)
    gutters = _find(*wide, *narrow, caption)
    beside = gutters[(gutters[:, 1] < 700) & (gutters[:, 3] > 800)]
    middles = (beside[:, 0] + beside[:, 2]) / 2
    assert ((middles > 480) & (middles < 730)).any()
    assert ((middles > 970) & (middles < 1220)).any()


@settings(max_examples=100, deadline=None)
@given(
    hnp.arrays(np.float64, st.tuples(st.integers(0, 30), st.just(4)), elements=st.floats(0, 900)),
    st.floats(5, 60),
)
def test_any_boxes(numbers, x_height):
    boxes = np.concatenate([numbers[:, :2], numbers[:, :2] + 1 + numbers[:, 2:]], axis=1)
    gutters = find_gutters(_phrases(boxes, x_height), NO_RULES)
    assert gutters.shape[1] == 4
    assert (gutters[:, 0] < gutters[:, 2]).all() and (gutters[:, 1] < gutters[:, 3]).all()
