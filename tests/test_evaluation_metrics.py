import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_batch.alignment.folding import WILDCARD, normalise
from ocr_batch.evaluation.metrics import (
    LONGEST_RUN,
    Confusion,
    PageScore,
    confusions,
    score_page,
    summarise,
)

# Few letters, so that texts agree in part, and what normalisation looks at.
texts = st.text(alphabet="abrnm .-_~\n\t\r’“—•ſ´ﬁ½\u00ad\ufeffAE", max_size=40)
plain = st.text(alphabet="abrnm ", max_size=40)


@pytest.mark.parametrize(
    ("truth", "output", "expected"),
    [
        # chars, char_errors, words, word_errors, common, out_words
        ("", "", (0, 0, 0, 0, 0, 0)),
        ("ab cd", "ab cd", (5, 0, 2, 0, 2, 2)),
        ("ab cd", "", (5, 5, 2, 2, 0, 0)),
        ("", "ab cd", (0, 5, 0, 2, 0, 2)),
        # One substitution, one deletion, one insertion.
        ("kitten", "sitten", (6, 1, 1, 1, 0, 1)),
        ("kitten", "kiten", (6, 1, 1, 1, 0, 1)),
        ("kitten", "kittens", (6, 1, 1, 1, 0, 1)),
        ("kitten", "sitting", (6, 3, 1, 1, 0, 1)),
        # A lost space: one character, but two words become one.
        ("in the house", "inthe house", (12, 1, 3, 2, 1, 2)),
        # The order is wrong, the words are all there.
        ("one two", "two one", (7, 6, 2, 2, 2, 2)),
        # Words count as often as they are in both.
        ("the the cat", "the cat cat", (11, 3, 3, 1, 2, 3)),
        # What normalisation takes away is no error.
        ("“It’s” exam-\nple", '"It\'s" example', (14, 0, 2, 0, 2, 2)),
    ],
)
def test_score_page(truth, output, expected):
    assert score_page(truth, output) == PageScore(*expected)


@pytest.mark.parametrize(
    ("truth", "output", "errors"),
    [
        ("a~c", "abc", 0),
        ("a~c", "ac", 0),
        ("a~c", "a~c", 0),
        # One character or none, so the second is too many.
        ("a~c", "abbc", 1),
        ("a~~c", "abbc", 0),
        ("~~~", "", 0),
        ("a~c x", "abc y", 1),
        # Only in the truth.
        ("abc", "a~c", 1),
    ],
)
def test_a_wildcard_agrees_with_any_one_character_or_none(truth, output, errors):
    assert score_page(truth, output).char_errors == errors


def test_a_wildcard_is_a_letter_like_others_where_words_are_counted():
    score = score_page("a~c d", "abc d")
    assert (score.char_errors, score.word_errors, score.common) == (0, 1, 1)


def test_ignore_case():
    assert score_page("Total DUE", "TOTAL due").char_errors == 7
    assert score_page("Total DUE", "TOTAL due", ignore_case=True).char_errors == 0
    # Upper case is longer here: the truth's length is that of what is compared.
    assert score_page("Maß", "MASS", ignore_case=True) == PageScore(4, 0, 1, 0, 1, 1)


def test_rates():
    score = PageScore(chars=200, char_errors=5, words=40, word_errors=4, common=38, out_words=36)
    assert score.cer == 0.025
    assert score.wer == 0.1
    assert score.bag_f1 == 1.0
    nothing = PageScore(0, 3, 0, 1, 0, 1)
    assert (nothing.cer, nothing.wer, nothing.bag_f1) == (3.0, 1.0, 0.0)


def test_summarise():
    scores = [
        PageScore(100, 1, 20, 1, 19, 20),
        PageScore(300, 30, 50, 10, 40, 45),
        PageScore(100, 0, 20, 0, 20, 20),
        PageScore(0, 0, 0, 0, 0, 5),
    ]
    totals = summarise(scores)
    assert totals.pages == 4
    assert (totals.chars, totals.char_errors) == (500, 31)
    assert totals.cer == pytest.approx(0.062)
    assert totals.wer == pytest.approx(11 / 90)
    assert totals.bag_f1 == pytest.approx(2 * 79 / 180)
    # Rates in order: 0, 0, .01, .1; the worse of the two in the middle, and index 3.
    assert totals.median_cer == 0.01
    assert totals.p90_cer == 0.1


@pytest.mark.parametrize(("pages", "median", "p90"), [(1, 0, 0), (10, 5, 9), (11, 5, 9)])
def test_summarise_takes_the_rates_of_real_pages(pages, median, p90):
    totals = summarise([PageScore(100, n, 1, 0, 1, 1) for n in reversed(range(pages))])
    assert (totals.median_cer, totals.p90_cer) == (median / 100, p90 / 100)


def test_summarise_needs_a_page():
    with pytest.raises(ValueError, match="no scores"):
        summarise([])


@pytest.mark.parametrize(
    ("truth", "output", "expected"),
    [
        ("abc", "abc", {}),
        ("a modern corner", "a modem comer", {("rn", "m"): 2}),
        ("clear", "dear", {("cl", "d"): 1}),
        ("a1b", "alb", {("1", "l"): 1}),
        ("in the", "inthe", {(" ", ""): 1}),
        ("word", "wo rd", {("", " "): 1}),
        ("it's", "its", {("'", ""): 1}),
        # Two errors with a right letter between them are two confusions.
        ("abcde", "xbxde", {("a", "x"): 1, ("c", "x"): 1}),
        ("a~c b", "abc d", {("b", "d"): 1}),
        # A wildcard between two errors keeps them apart.
        ("xa~bx", "x1?2x", {("a", "1"): 1, ("b", "2"): 1}),
    ],
)
def test_confusions(truth, output, expected):
    assert confusions(truth, output) == Counter(
        {Confusion(*pair): count for pair, count in expected.items()}
    )


def test_confusions_leave_out_lost_and_added_text():
    lost = "z" * (LONGEST_RUN + 1)
    assert confusions(f"a {lost} b", "a  b") == Counter()
    assert confusions("a b", f"a {lost}b") == Counter()
    assert confusions(f"a {lost}b", "a b", longest=None) == {Confusion(lost, ""): 1}
    assert confusions(f"a {lost[1:]}b", "a b") == {Confusion(lost[1:], ""): 1}


def test_confusions_in_upper_case():
    assert confusions("Cat", "cot", ignore_case=True) == {Confusion("A", "O"): 1}


@given(texts)
def test_a_text_agrees_with_itself(text):
    score = score_page(text, text)
    assert score.char_errors == score.word_errors == 0
    assert score.common == score.words == score.out_words
    assert confusions(text, text) == Counter()


@given(plain, plain)
def test_errors_are_a_distance(one, other):
    there, back = score_page(one, other), score_page(other, one)
    assert there.char_errors == back.char_errors
    assert there.word_errors == back.word_errors
    assert there.bag_f1 == back.bag_f1
    assert abs(there.chars - back.chars) <= there.char_errors <= max(there.chars, back.chars)


@given(texts, texts, st.booleans())
def test_counts_have_bounds(truth, output, ignore_case):
    score = score_page(truth, output, ignore_case=ignore_case)
    assert 0 <= score.common <= min(score.words, score.out_words)
    assert score.word_errors >= max(score.words, score.out_words) - score.common
    assert 0.0 <= score.bag_f1 <= 1.0


@given(plain, plain, st.data())
def test_a_wildcard_in_place_of_a_letter_never_adds_errors(truth, output, data):
    truth, output = normalise(truth), normalise(output)
    if not truth:
        return
    place = data.draw(st.integers(0, len(truth) - 1))
    wild = truth[:place] + WILDCARD + truth[place + 1 :]
    if normalise(wild) != wild:
        return
    # It costs one error more at most, and that one is forgiven.
    before = score_page(truth, output).char_errors
    assert score_page(wild, output).char_errors <= before


@given(texts, texts)
def test_confusions_account_for_every_error(truth, output):
    found = confusions(truth, output, longest=None)
    total = sum(confusion.errors * count for confusion, count in found.items())
    assert total == score_page(truth, output).char_errors
    assert all(confusion.truth != confusion.output for confusion in found)
    assert confusions(truth, output) <= found


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=8), st.randoms())
def test_totals_do_not_depend_on_the_order(pairs, random):
    scores = [score_page(truth, output) for truth, output in pairs]
    totals = summarise(scores)
    random.shuffle(scores)
    assert summarise(scores) == totals
    rates = [score.cer for score in scores]
    assert min(rates) <= totals.median_cer <= totals.p90_cer <= max(rates)
    assert math.isclose(totals.cer * max(1, totals.chars), totals.char_errors)
