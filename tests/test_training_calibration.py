from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_batch.training.calibration import fit_temperature, measure, negative_log_likelihood


@settings(deadline=None, max_examples=10)
@given(st.floats(0.4, 3.0), st.integers(0, 1000))
def test_temperature_is_recovered(temperature, seed):
    rng = np.random.default_rng(seed)
    honest = rng.normal(size=(20_000, 6)) * 2
    label = (honest + rng.gumbel(size=honest.shape)).argmax(axis=1)
    assert fit_temperature(honest * temperature, label) == pytest.approx(temperature, rel=0.06)


def test_temperature_lowers_the_likelihood_loss():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(500, 4)) * 20
    label = rng.integers(0, 4, 500)
    best = fit_temperature(logits, label)
    assert negative_log_likelihood(logits, label, best) < negative_log_likelihood(logits, label)


def test_measure_counts_by_hand():
    classes = ("a", "b", "<left>", "<noise>")
    read = np.array([0, 0, 1, 2, 3, 2, 0])
    label = np.array([0, 1, 1, 0, 2, 2, 3])
    figures = measure(np.eye(4)[read] * 50, label, classes, 2)
    assert figures["crops"] == 7
    assert figures["top1"] == pytest.approx(3 / 7, abs=1e-5)
    assert figures["characters_top1"] == 0.5
    assert figures["characters_rejected"] == 0.25
    assert figures["garbage_rejected"] == pytest.approx(2 / 3, abs=1e-5)
    assert figures["garbage"] == {"<left>": 1.0, "<noise>": 0.0}
    assert sorted(figures["confusions"]) == [
        ["<left>", "<noise>", 1],
        ["<noise>", "a", 1],
        ["a", "<left>", 1],
        ["b", "a", 1],
    ]
    assert figures["calibration_error"] == pytest.approx(4 / 7, abs=1e-4)
