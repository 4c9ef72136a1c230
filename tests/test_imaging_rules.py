import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import SIZE, Canvas, page_of, prose

from ocr_batch.imaging.rules import long_columns, remove_rules
from ocr_batch.layout.components import find_components

X_HEIGHT = 22.0


def _with_rules(canvas, *rules):
    text = canvas.grey < 128
    for rule in rules:
        canvas.rule(*rule)
    return canvas.grey < 128, text


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.integers(0, 50), st.integers(0, 20))
def test_no_long_run_down_a_column_is_missed(length, before, after):
    ink = np.zeros((before + length + after, 5), np.bool_)
    ink[before : before + length, 2] = True
    found = [places.tolist() for places in long_columns(ink, length)]
    assert found == [[2], [before], [before + length]]
    assert not len(long_columns(ink, length + 1)[0])


@pytest.mark.parametrize("thickness", [1, 3, 5])
@pytest.mark.parametrize("below", [3, 6])
def test_underline_goes_and_letters_that_cross_it_stay(thickness, below):
    canvas = Canvas(1000, 200)
    left, _, right, _ = canvas.text(80, 100, "happy gypsy jumping quickly")
    rule = (left - 20, 100 + below, right + 20, 100 + below + thickness)
    ink, text = _with_rules(canvas, rule)
    cleaned, rules = remove_rules(ink, X_HEIGHT)
    assert np.array_equal(cleaned | rules, ink) and not (cleaned & rules).any()
    assert (cleaned & ~text).sum() <= 0.1 * (ink & ~text).sum()
    assert np.array_equal(cleaned[:101], text[:101]), "above the line nothing changes"
    # The curl of a tail that lies along the rule is lost, its stem is not.
    assert (cleaned & text).sum() >= 0.9 * text.sum()


def test_stems_through_an_underline_are_not_cut():
    canvas = Canvas(1000, 200)
    left, _, right, _ = canvas.text(80, 100, "pqpq qppq pp qq")
    ink, text = _with_rules(canvas, (left - 20, 103, right + 20, 105))
    cleaned, _ = remove_rules(ink, X_HEIGHT)
    assert len(find_components(cleaned)) <= len(find_components(text)) + 1
    assert (cleaned & text).sum() >= 0.98 * text.sum()


def test_boxes_of_a_form_go():
    canvas = Canvas(700, 400)
    canvas.text(80, 120, "Name of the firm")
    ink, text = _with_rules(
        canvas, (50, 60, 600, 63), (50, 260, 600, 263), (50, 60, 53, 263), (597, 60, 600, 263)
    )
    cleaned, rules = remove_rules(ink, X_HEIGHT)
    assert np.array_equal(cleaned, text)
    assert rules.sum() == (ink & ~text).sum()


def test_text_without_rules_is_left_alone():
    canvas = page_of(["HIll - == EFTL _ |", *prose(3), "The (1) [2] {3} / 100 %"])
    ink = canvas.grey < 128
    cleaned, rules = remove_rules(ink, X_HEIGHT)
    assert not rules.any()
    assert np.array_equal(cleaned, ink)


def test_a_thick_bar_is_not_a_rule():
    ink = np.zeros((200, 600), np.bool_)
    ink[80:110, 50:550] = True
    assert not remove_rules(ink, X_HEIGHT)[1].any()


def test_large_print_is_not_a_rule():
    canvas = page_of(["HEADLINE"], 3 * SIZE)
    cleaned, _ = remove_rules(canvas.grey < 128, 3 * X_HEIGHT)
    assert np.array_equal(cleaned, canvas.grey < 128)
