"""The hypotheses of the beam search."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ocr_batch.recognition.beam import Front, Pool, merge

ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(-20, 0)), min_size=1)


def front(rows: list[tuple[int, int, int]], first: int = 0) -> Front:
    line, state, score = (np.array(column) for column in zip(*rows, strict=True))
    number: NDArray[np.int64] = np.arange(first, first + len(rows))
    return Front(line.astype(np.int64), state.astype(np.int32), score.astype(np.float32), number)


@settings(deadline=None)
@given(ROWS, st.integers(1, 12), st.integers(1, 4))
def test_merging_keeps_the_best_of_each_state_within_the_beam(rows, beam, width):
    half = len(rows) // 2
    parts = [front(part, first) for part, first in ((rows[:half], 0), (rows[half:], half)) if part]
    merged = merge(parts, float(beam), width)
    expected = []
    for line in range(4):
        best: dict[int, int] = {}
        for other, state, score in rows:
            if other == line:
                best[state] = max(score, best.get(state, score))
        scores = sorted(best.values(), reverse=True)
        expected += [(line, score) for score in scores[:width] if score >= scores[0] - beam]
    assert list(zip(merged.line.tolist(), merged.score.tolist(), strict=True)) == expected
    # The rest of a row comes along.
    for line, state, score, number in zip(
        merged.line, merged.state, merged.score, merged.number, strict=True
    ):
        assert rows[number] == (line, state, score)


def test_a_pool_numbers_what_it_gets():
    pool = Pool()
    none = np.full(2, -1)
    assert pool.add(none, none, np.zeros(2, np.bool_)).tolist() == [0, 1]
    assert pool.add(np.array([1]), np.array([7]), np.ones(1, np.bool_)).tolist() == [2]
    assert pool.size == 3
    assert np.concatenate(pool.parent).tolist() == [-1, -1, 1]
