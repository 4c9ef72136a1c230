import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_batch.evaluation.boxes import OUTCOMES, BoxRule, box_overlap, match_boxes, outcomes


def boxes(*rows):
    return np.array(rows, np.int64).reshape(-1, 4)


def codes(text):
    return np.array([ord(letter) for letter in text], np.int64)


def named(truth, letters, read, found, rule=None):
    match = match_boxes(truth, codes(letters), read, codes(found), rule)
    return match, [OUTCOMES[code] for code in outcomes(match, codes(letters), codes(found))]


places = st.tuples(*[st.integers(0, 60)] * 2, *[st.integers(1, 30)] * 2)
pages = st.lists(st.tuples(places, st.sampled_from("abc")), max_size=25)


def split(rows):
    return boxes(*(place for place, _ in rows)), "".join(letter for _, letter in rows)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((0, 0, 10, 10), (0, 0, 10, 10), 1.0),
        ((0, 0, 10, 10), (5, 0, 10, 10), 1 / 3),
        ((0, 0, 10, 10), (10, 0, 10, 10), 0.0),
        ((0, 0, 10, 10), (20, 20, 1, 1), 0.0),
        ((0, 0, 10, 10), (2, 2, 5, 4), 0.2),
    ],
)
def test_overlap(one, other, expected):
    assert box_overlap(boxes(one), boxes(other)) == pytest.approx([expected])


def test_what_becomes_of_characters():
    truth = boxes((0, 0, 20, 30), (30, 0, 20, 30), (60, 0, 20, 30), (90, 0, 20, 30), (120, 0, 9, 9))
    read = boxes((1, 0, 20, 30), (30, 1, 20, 30), (60, 0, 20, 12), (90, 0, 20, 12), (200, 0, 20, 9))
    match, found = named(truth, "abcde", read, "axcyz")
    assert found == ["good", "wrong", "off", "both", "lost"]
    assert match.read.tolist() == [0, 1, 2, 3, -1]
    assert match.extra.tolist() == [False, False, False, False, True]
    assert match.overlap[2] == pytest.approx(0.4)
    assert np.isinf(match.offset[4]) and match.overlap[4] == 0


def test_a_box_at_the_limit_is_not_good():
    _, found = named(boxes((0, 0, 10, 10)), "a", boxes((0, 0, 10, 7)), "a")
    assert found == ["off"]
    _, found = named(boxes((0, 0, 10, 10)), "a", boxes((0, 0, 10, 7)), "a", BoxRule(overlap=0.69))
    assert found == ["good"]


@pytest.mark.parametrize(
    ("truth", "read", "expected"),
    [
        # A full stop of 4 pixels: an overlap of a quarter, centres 2 pixels apart.
        ((10, 10, 4, 4), (12, 10, 4, 4), "good"),
        ((10, 10, 4, 4), (12, 11, 4, 4), "off"),
        # No overlap at all, but near.
        ((10, 10, 2, 2), (12, 10, 2, 2), "good"),
        ((10, 10, 2, 2), (13, 10, 2, 2), "lost"),
        # The larger side decides.
        ((10, 10, 8, 3), (12, 10, 8, 3), "off"),
        ((10, 10, 7, 3), (12, 10, 7, 3), "good"),
    ],
)
def test_small_marks_go_by_their_centre(truth, read, expected):
    _, found = named(boxes(truth), ".", boxes(read), ".")
    assert found == [expected]


def test_the_letters_of_a_ligature_are_told_apart_by_the_character():
    place = (10, 10, 30, 40)
    match, found = named(boxes(place, place, place), "fil", boxes(place, place, place), "lif")
    assert found == ["good"] * 3
    assert match.read.tolist() == [2, 1, 0]


def test_the_better_box_wins_over_the_right_character():
    match, found = named(
        boxes((0, 0, 20, 20)), "a", boxes((0, 4, 20, 20), (0, 0, 20, 20)), "ab", BoxRule(0.5)
    )
    assert (match.read.tolist(), found) == ([1], ["wrong"])


def test_empty_pages():
    none = boxes()
    match, found = named(none, "", none, "")
    assert found == [] and len(match.extra) == 0
    _, found = named(boxes((0, 0, 9, 9)), "a", none, "")
    assert found == ["lost"]
    match, found = named(none, "", boxes((0, 0, 9, 9)), "a")
    assert found == [] and match.extra.tolist() == [True]


@given(pages, pages)
def test_matching_is_one_to_one(truth, read):
    true_box, letters = split(truth)
    read_box, found = split(read)
    match = match_boxes(true_box, codes(letters), read_box, codes(found))
    used = match.read[match.read >= 0]
    assert len(np.unique(used)) == len(used)
    assert np.array_equal(np.flatnonzero(~match.extra), np.sort(used))
    assert np.array_equal(np.isfinite(match.offset), match.read >= 0)
    taken = np.flatnonzero(match.read >= 0)
    expected = box_overlap(true_box[taken], read_box[match.read[taken]])
    assert match.overlap[taken] == pytest.approx(expected)


@given(pages, pages)
def test_no_pair_that_overlaps_is_left(truth, read):
    true_box, letters = split(truth)
    read_box, found = split(read)
    match = match_boxes(true_box, codes(letters), read_box, codes(found))
    left, free = np.flatnonzero(match.read < 0), np.flatnonzero(match.extra)
    one, other = np.repeat(left, len(free)), np.tile(free, len(left))
    assert not (box_overlap(true_box[one], read_box[other]) >= 0.1).any()


@given(pages)
def test_the_truth_matches_itself(rows):
    box, letters = split(rows)
    # In any order of what was read.
    match, found = named(box, letters, box[::-1].copy(), letters[::-1])
    assert found == ["good"] * len(rows)
    assert not match.extra.any()
    assert (match.overlap == 1).all() and (match.offset == 0).all()
