from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_batch.datasets.split import split
from ocr_batch.errors import TrainingError


@settings(deadline=None, max_examples=80)
@given(
    st.lists(st.integers(0, 6), min_size=40, max_size=300),
    st.sampled_from([(0.1, 0.2), (0.2, 0.0), (0.15, 0.15), (0.3, 0.5)]),
    st.integers(0, 1000),
)
def test_parts_are_disjoint_whole_and_shared_out_by_class(label, shares, seed):
    label = np.array(label)
    train, validation, test = split(label, shares, seed)
    everything = np.concatenate([train, validation, test])
    np.testing.assert_array_equal(np.sort(everything), np.arange(len(label)))
    assert set(label[train]) == set(label)
    for value in set(label):
        count = (label == value).sum()
        for rows, share in ((validation, shares[0]), (test, shares[1])):
            assert abs((label[rows] == value).sum() - count * share) <= 2
    for rows in (train, validation, test):
        assert (np.diff(rows) > 0).all()


def test_the_same_seed_gives_the_same_split_and_another_does_not():
    label = np.arange(1000) % 7
    first, again, other = (split(label, (0.1, 0.2), seed) for seed in (3, 3, 4))
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, two)
    assert not np.array_equal(first[2], other[2])


def test_without_a_validation_share_the_test_part_validates():
    label = np.random.default_rng(0).integers(0, 36, 30_134)
    train, validation, test = split(label, (0.0, 0.2), 0)
    np.testing.assert_array_equal(validation, test)
    assert (len(train), len(test)) == (24_107, 6_027)


def test_a_single_sample_is_trained_on():
    label = np.array([0] * 50 + [1])
    assert 50 in split(label, (0.4, 0.4), 0)[0]


def test_without_shares_all_is_trained_on():
    train, validation, test = split(np.array([0, 1, 1]), (0.0, 0.0), 0)
    assert (len(train), len(validation), len(test)) == (3, 0, 0)


@pytest.mark.parametrize("shares", [(0.5, 0.5), (-0.1, 0.2), (0.0, 1.0), (float("nan"), 0.1)])
def test_shares_that_leave_nothing_are_refused(shares):
    with pytest.raises(TrainingError, match="shares"):
        split(np.arange(10) % 2, shares, 0)


def test_too_few_for_a_part_is_said():
    with pytest.raises(TrainingError, match="too few"):
        split(np.array([0, 1]), (0.0, 0.2), 0)
    with pytest.raises(TrainingError, match="empty"):
        split(np.array([], int), (0.0, 0.2), 0)
