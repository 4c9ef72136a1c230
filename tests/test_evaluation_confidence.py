import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_batch.evaluation.confidence import LEAST_SURE, calibration, judge_words, of_units
from ocr_batch.training.assessment import reliability

words = st.lists(st.text("abcde", min_size=1, max_size=5), min_size=1, max_size=30)
few = settings(max_examples=60, deadline=None)


def _wrong(lines, truth, **options):
    lines = [line.split() for line in lines]
    verdicts = judge_words(lines, truth, **options)
    output = [word for line in lines for word in line]
    return [word for word, wrong in zip(output, verdicts.wrong, strict=True) if wrong]


@few
@given(words, st.randoms())
def test_words_in_any_order_are_right(text, random):
    shuffled = random.sample(text, len(text))
    verdicts = judge_words([shuffled], " ".join(text))
    assert verdicts.right.all() and not verdicts.wrong.any()
    assert verdicts.unit.tolist() == list(range(len(text)))


@few
@given(words, words)
def test_no_more_words_are_right_than_both_texts_have(output, truth):
    verdicts = judge_words([output], " ".join(truth))
    common = sum(min(output.count(word), truth.count(word)) for word in set(output))
    assert verdicts.right.sum() == common


def test_what_is_misread_is_wrong():
    assert _wrong(["the cat sat", "on thc mat"], "the cat sat on the mat") == ["thc"]
    assert _wrong(["The “cat”"], 'the "cat"') == ["The"]
    assert _wrong(["The “cat”"], 'the "cat"', ignore_case=True) == []


def test_a_word_that_the_truth_lacks_is_wrong():
    assert _wrong(["the the cat"], "the cat") == ["the"]
    assert _wrong(["stamp", "the cat"], "the cat") == ["stamp"]
    assert _wrong(["cat"], "") == ["cat"]


def test_a_wildcard_agrees_with_any_one_character():
    assert _wrong(["a cat sat"], "a c~t sat") == []
    assert _wrong(["a cart sat"], "a c~t sat") == ["cart"]
    # Elsewhere in the text, too, and only once.
    assert _wrong(["one two cat cot"], "c~t one two") == ["cot"]
    # One that was read is a character as any other.
    assert _wrong(["a c~t sat"], "a cat sat") == ["c~t"]


def test_a_word_broken_over_lines_is_judged_as_one():
    lines = [["an", "exam-"], ["ple", "here"]]
    verdicts = judge_words(lines, "an example here")
    assert verdicts.unit.tolist() == [0, 1, 1, 2]
    assert verdicts.right.all()
    confidence, right = of_units(verdicts, np.array([0.9, 0.8, 0.5, 0.7]))
    np.testing.assert_allclose(confidence, [0.9, 0.4, 0.7])
    assert right.tolist() == [True] * 3
    # The truth may have it whole or broken, too.
    assert judge_words(lines, "an exam-\nple here").right.all()


def test_the_part_that_holds_the_fault_is_blamed():
    truth = "an example here"
    assert _wrong(["an exam-", "plc here"], truth) == ["plc"]
    assert _wrong(["an cxam-", "ple here"], truth) == ["cxam-"]
    assert _wrong(["an exm-", "ple here"], truth) == ["exm-"]
    assert _wrong(["an cxam-", "plc here"], truth) == ["cxam-", "plc"]
    assert _wrong(["here an nothing-", "known"], truth) == ["nothing-", "known"]


def test_what_normalising_swallows_has_no_verdict():
    verdicts = judge_words([["a", ".", ".", ".", ".", ".", "7"]], "a ... 7")
    assert verdicts.right.tolist() == [True] * 3
    assert verdicts.unit[[0, -1]].tolist() == [0, 2]
    assert sorted(verdicts.unit[1:-1].tolist()) == [-1, -1, 1, 1, 1]
    assert not verdicts.wrong.any()


def test_an_empty_page():
    verdicts = judge_words([], "some text")
    assert len(verdicts.unit) == len(verdicts.right) == len(verdicts.wrong) == 0
    found = calibration(*of_units(verdicts, np.zeros(0)))
    assert (found.words, found.error, found.bins) == (0, 0.0, ())


def test_honest_confidences_have_no_error():
    rng = np.random.default_rng(1)
    confidence = rng.uniform(0, 1, 200_000)
    found = calibration(confidence, rng.random(200_000) < confidence)
    assert found.error < 0.01 and found.error_equal_mass < 0.01
    assert found.words == sum(one.words for one in found.bins) == 200_000
    found = calibration(np.full(1000, 0.9), np.arange(1000) < 600)
    assert found.error == pytest.approx(0.3) == found.error_equal_mass
    assert [(one.words, one.right) for one in found.bins] == [(1000, 0.6)]


@few
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60))
def test_the_error_is_that_of_the_training_report(pairs):
    confidence = np.array([value for value, _ in pairs])
    right = np.array([value for _, value in pairs])
    found = calibration(confidence, right)
    assert found.error == pytest.approx(reliability(confidence, right).error)
    assert 0 <= found.error_equal_mass <= 1
    assert found.wrong == 0 or 0 <= found.caught <= 1


def test_the_least_sure_are_looked_at():
    confidence = np.linspace(0, 1, 100)
    right = np.ones(100, np.bool_)
    right[[0, 1, 50, 60]] = False
    assert calibration(confidence, right).caught == pytest.approx(0.5)
    # Where all are alike, the share of a random choice.
    assert calibration(np.full(100, 0.5), right).caught == pytest.approx(LEAST_SURE)
    assert np.isnan(calibration(confidence, np.ones(100, np.bool_)).caught)
