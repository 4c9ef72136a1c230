from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ocr_batch.training.assessment import (
    class_figures,
    confusion_counts,
    most_confused,
    probabilities,
    reliability,
    worst_pairs,
)
from ocr_batch.training.calibration import measure

LABEL = np.array([0, 0, 0, 0, 1, 1, 2])
READ = np.array([0, 0, 1, 1, 1, 0, 2])


def test_counts_have_the_truth_in_rows():
    assert confusion_counts(LABEL, READ, 4).tolist() == [
        [2, 2, 0, 0],
        [1, 1, 0, 0],
        [0, 0, 1, 0],
        [0, 0, 0, 0],
    ]


def test_class_figures():
    figures = class_figures(confusion_counts(LABEL, READ, 4))
    assert figures.support.tolist() == [4, 2, 1, 0]
    assert figures.precision[:3] == pytest.approx([2 / 3, 1 / 3, 1])
    assert figures.recall[:3] == pytest.approx([0.5, 0.5, 1])
    assert figures.f1[:3] == pytest.approx([4 / 7, 2 / 5, 1])
    assert np.isnan([figures.precision[3], figures.recall[3], figures.f1[3]]).all()
    assert figures.worst_first().tolist() == [1, 0, 2, 3]


def test_a_class_that_is_never_read_has_an_f1_of_zero():
    figures = class_figures(np.array([[0, 3], [0, 2]]))
    assert np.isnan(figures.precision[0])
    assert figures.f1[0] == 0
    assert figures.worst_first().tolist() == [0, 1]


def test_pairs_come_worst_first_with_the_surest_examples():
    confidence = np.array([0.9, 0.9, 0.4, 0.8, 0.9, 0.7, 0.9])
    pairs = worst_pairs(LABEL, READ, confidence, 4, limit=9, examples=2)
    assert [(pair.truth, pair.read, pair.count, pair.rows) for pair in pairs] == [
        (0, 1, 2, (3, 2)),
        (1, 0, 1, (5,)),
    ]
    assert len(worst_pairs(LABEL, READ, confidence, 4, limit=1, examples=1)) == 1
    assert worst_pairs(LABEL, LABEL, confidence, 4, limit=9, examples=2) == ()


def test_most_confused_classes_come_in_their_order():
    counts = np.diag([9] * 6)
    counts[5, 2], counts[0, 1] = 4, 2
    assert most_confused(counts, 2).tolist() == [2, 5]
    assert most_confused(counts, 3).tolist() == [0, 2, 5]
    # No others are confused at all.
    assert most_confused(counts, 5).tolist() == [0, 1, 2, 5]
    assert most_confused(counts, 6).tolist() == list(range(6))


@given(st.integers(1, 60), st.integers(2, 9), st.integers(0, 2**32 - 1), st.floats(0.3, 3))
def test_calibration_error_is_that_of_the_card(count, classes, seed, temperature):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(count, classes)).astype(np.float32) * 3
    label = rng.integers(0, classes, count)
    confidence = probabilities(logits, temperature).max(axis=1)
    found = reliability(confidence, logits.argmax(axis=1) == label)
    names = [str(number) for number in range(classes)]
    card = measure(logits, label, names, classes, temperature=temperature)
    assert found.error == pytest.approx(card["calibration_error"], abs=1e-5)
    assert found.count.sum() == count


@given(arrays(np.float32, (5, 4), elements=st.floats(-500, 500, width=32)))
def test_probabilities_sum_to_one(logits):
    assert probabilities(logits, 0.5).sum(axis=1) == pytest.approx(np.ones(5))
