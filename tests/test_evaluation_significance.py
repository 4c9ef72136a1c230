import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_batch.evaluation.metrics import PageScore, summarise
from ocr_batch.evaluation.significance import (
    compare_scores,
    format_significance,
    significance_as_dict,
)


@st.composite
def readings(draw):
    """Two readings of the same pages."""
    pages = draw(
        st.lists(st.tuples(st.integers(0, 500), *[st.integers(0, 40)] * 4), min_size=1, max_size=12)
    )
    return tuple(
        [
            PageScore(chars, row[side], chars // 5, row[2 + side], 0, 0)
            for chars, *row in pages
        ]
        for side in (0, 1)
    )  # fmt: skip


few = settings(max_examples=40, deadline=None)


@few
@given(readings(), st.integers(0, 2**32 - 1))
def test_swapping_the_readings_flips_the_signs(pair, seed):
    first, second = pair
    one = compare_scores(first, second, resamples=60, seed=seed)
    other = compare_scores(second, first, resamples=60, seed=seed)
    for there, back in zip(one.changes, other.changes, strict=True):
        assert (there.first, there.second) == (back.second, back.first)
        assert there.difference == -back.difference
        assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
        assert there.better + back.better <= 1 + 1e-12


@few
@given(readings(), st.integers(0, 100))
def test_equal_readings_do_not_differ(pair, seed):
    result = compare_scores(pair[0], pair[0], resamples=30, seed=seed)
    assert all((one.low, one.high, one.better) == (0, 0, 0) for one in result.changes)
    assert all(one.difference == 0 for one in result.changes)


@few
@given(readings())
def test_the_figures_are_those_of_the_summary(pair):
    result = compare_scores(*pair, resamples=1)
    for side, scores in zip(("first", "second"), pair, strict=True):
        totals = summarise(scores)
        found = [getattr(one, side) for one in result.changes]
        assert found == pytest.approx([totals.cer, totals.median_cer, totals.wer])


@few
@given(readings())
def test_a_reading_that_is_better_on_every_page_is_always_better(pair):
    first, _ = pair
    worse = [
        dataclasses.replace(one, char_errors=one.char_errors + 1, word_errors=one.word_errors + 1)
        for one in first
    ]
    result = compare_scores(worse, first, resamples=50)
    assert all(one.better == 1 and one.high < 0 for one in result.changes)


def test_resamples_are_summed_page_by_page():
    first = [PageScore(100, 5, 20, 3, 0, 0), PageScore(50, 1, 10, 1, 0, 0)]
    second = [PageScore(100, 2, 20, 1, 0, 0), PageScore(50, 4, 10, 2, 0, 0)]
    result = compare_scores(first, second, resamples=4000, seed=3)
    cer, median, wer = result.changes
    # Two pages are drawn: the first twice, one of each, the second twice.
    assert (cer.low, cer.high) == pytest.approx((-0.03, 0.06))
    assert (median.low, median.high) == pytest.approx((-0.03, 0.06))
    # The worse page of two counts: .05 against .08 when both are drawn.
    assert median.better == pytest.approx(0.25, abs=0.03)
    # -.03 and 0 and +.06: level is not better.
    assert cer.better == pytest.approx(0.25, abs=0.03)
    assert wer.better == pytest.approx(0.75, abs=0.03)


def test_the_seed_decides():
    rng = np.random.default_rng(0)
    first, second = (
        [PageScore(400, int(errors), 80, int(errors), 0, 0) for errors in rng.integers(0, 30, 20)]
        for _ in range(2)
    )
    one = compare_scores(first, second, resamples=500, seed=1)
    assert one == compare_scores(first, second, resamples=500, seed=1)
    assert one != compare_scores(first, second, resamples=500, seed=2)
    assert one.changes[0].low < one.changes[0].difference < one.changes[0].high


def test_many_pages_are_drawn_in_parts(monkeypatch):
    scores = [PageScore(100, k % 7, 20, k % 3, 0, 0) for k in range(30)]
    other = [PageScore(100, k % 5, 20, k % 4, 0, 0) for k in range(30)]
    whole = compare_scores(scores, other, resamples=100)
    monkeypatch.setattr("ocr_batch.evaluation.significance._AT_ONCE", 90)
    assert compare_scores(scores, other, resamples=100) == whole


def test_pages_must_be_the_same():
    with pytest.raises(ValueError, match="0 and 0 pages"):
        compare_scores([], [])
    with pytest.raises(ValueError, match="1 and 2 pages"):
        compare_scores([PageScore(1, 0, 1, 0, 1, 1)], [PageScore(1, 0, 1, 0, 1, 1)] * 2)


def test_what_is_printed():
    first = [PageScore(100, 5, 20, 4, 0, 0)]
    result = compare_scores(first, [PageScore(100, 2, 20, 1, 0, 0)], resamples=10, seed=7)
    assert format_significance(result, "old", "new") == (
        "new (B) against old (A): 1 page resampled 10 times, seed 7\n"
        "\n"
        "                   A       B    B - A  95 % interval       B better in\n"
        "CER           0.0500  0.0200  -0.0300  -0.0300 to -0.0300       100.0%\n"
        "CER, median   0.0500  0.0200  -0.0300  -0.0300 to -0.0300       100.0%\n"
        "WER           0.2000  0.0500  -0.1500  -0.1500 to -0.1500       100.0%\n"
    )
    found = significance_as_dict(result)
    assert (found["pages"], found["resamples"], found["seed"]) == (1, 10, 7)
    assert found["changes"][2]["figure"] == "WER"
    assert found["changes"][2]["difference"] == pytest.approx(-0.15)
