from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from ocr_batch.errors import BundleError
from ocr_batch.training.compare import (
    accuracy,
    count_parameters,
    crops_per_second,
    discordant,
    error_reduction,
    mcnemar,
)


def test_accuracy_of_one_has_a_standard_error():
    found = accuracy(np.array([[True] * 90 + [False] * 10]))
    assert (found.mean, found.runs) == (0.9, 1)
    assert found.deviation == pytest.approx((0.9 * 0.1 / 100) ** 0.5)


def test_accuracy_of_several_has_the_spread_over_them():
    right = np.zeros((3, 10), np.bool_)
    right[0, :8], right[1, :9], right[2, :] = True, True, True
    found = accuracy(right)
    assert (found.mean, found.deviation, found.runs) == pytest.approx((0.9, 0.1, 3))


def test_error_reduction_is_that_of_the_reference():
    # 12.34 % of errors become 7.20 %.
    assert error_reduction(0.8766, 0.928) == pytest.approx(41.65, abs=0.01)
    assert error_reduction(0.9, 0.8) == pytest.approx(-100)
    assert error_reduction(1.0, 0.9) is None


def test_discordant_counts_of_one_each():
    first = np.array([[True, True, True, False, False]])
    second = np.array([[False, False, True, True, False]])
    assert discordant(first, second) == (2, 1)


@given(arrays(np.bool_, (3, 20)), arrays(np.bool_, (2, 20)))
def test_discordant_counts_of_several_are_means_of_all_pairs(first, second):
    pairs = [(one, other) for one in first for other in second]
    only_first = np.mean([(one & ~other).sum() for one, other in pairs])
    only_second = np.mean([(~one & other).sum() for one, other in pairs])
    assert discordant(first, second) == pytest.approx((only_first, only_second), abs=0.5 + 1e-9)


@given(arrays(np.bool_, (1, 30)), arrays(np.bool_, (1, 30)), st.integers(2, 4))
def test_copies_of_a_run_prove_nothing_more(first, second, times):
    copies = np.repeat(first, times, axis=0), np.repeat(second, times, axis=0)
    assert discordant(*copies) == discordant(first, second)


def test_mcnemar_is_exact_for_few_pairs():
    found = mcnemar(1, 9)
    assert found.exact
    assert found.p == pytest.approx(2 * stats.binom.cdf(1, 10, 0.5))
    assert mcnemar(0, 0).p == 1.0


def test_mcnemar_is_chi_square_for_many_pairs():
    found = mcnemar(59, 121)
    assert not found.exact
    # (|59 - 121| - 1)^2 / 180 = 20.67, of one degree of freedom.
    assert found.p == pytest.approx(5.45e-6, rel=0.01)
    assert mcnemar(100, 100).p == 1.0


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_does_not_care_for_the_order(one, other):
    found = mcnemar(one, other)
    assert found.p == pytest.approx(mcnemar(other, one).p)
    assert 0 <= found.p <= 1


def test_timing_takes_turns_and_the_median():
    now, calls = [0.0], []

    def work(name, seconds):
        left = iter(seconds)

        def one():
            calls.append(name)
            now[0] += next(left)

        return one

    # The first call warms up; one of the rounds is disturbed.
    slow = work("slow", [50.0, 2.0, 2.0, 90.0])
    quick = work("quick", [50.0, 1.0, 1.0, 1.0])
    speeds = crops_per_second([slow, quick], 100, rounds=3, clock=lambda: now[0])
    assert speeds == pytest.approx((50, 100))
    assert calls == ["slow", "quick"] * 4


def test_parameters_are_those_that_keras_counts(tmp_path):
    pytest.importorskip("tensorflow")
    import keras
    from keras import layers

    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, use_bias=False),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "model.keras")
    assert count_parameters(tmp_path / "model.keras") == model.count_params()


def test_what_is_no_model_is_refused(tmp_path):
    path = tmp_path / "model.keras"
    with pytest.raises(BundleError, match="can not be counted"):
        count_parameters(path)
    path.write_bytes(b"no zip file")
    with pytest.raises(BundleError, match="export the bundle again"):
        count_parameters(path)
