"""Tasks in several processes."""

from __future__ import annotations

import multiprocessing
import os
import time
from dataclasses import dataclass

import pytest

from ocr_batch.batch.pool import run_tasks
from ocr_batch.errors import InputError, TrainingError


@dataclass(frozen=True)
class Job:
    factor: int

    def __call__(self, number: int) -> tuple[int, str | None]:
        if number == -1:
            raise InputError("minus one")
        if number == -2:
            os._exit(3)
        # The first tasks take longest, so that their results would come last.
        time.sleep(0.2 / (1 + number))
        return self.factor * number, os.environ.get("OMP_NUM_THREADS")


def test_results_are_in_order_and_processes_have_one_thread():
    numbers = list(range(8))
    assert [value for value, _ in run_tasks(Job(3), numbers, 1)] == [3 * n for n in numbers]
    found = list(run_tasks(Job(3), numbers, 2))
    assert found == [(3 * number, "1") for number in numbers]
    assert list(run_tasks(Job(3), [], 2)) == []


def _all_end(others: set[object]) -> bool:
    """Wait for a dead process to be known as dead: another thread may be about to note it."""
    late = time.monotonic() + 10
    while not (gone := set(multiprocessing.active_children()) <= others):
        if time.monotonic() > late:
            break
        time.sleep(0.01)
    return gone


def test_an_error_is_passed_on_and_ends_the_processes():
    others = set(multiprocessing.active_children())
    with pytest.raises(InputError, match="minus one"):
        list(run_tasks(Job(1), [0, -1, 1, 2], 2))
    assert _all_end(others)


def test_a_process_that_dies_is_an_error():
    with pytest.raises(TrainingError, match="memory"):
        list(run_tasks(Job(1), [0, -2, 1], 2))


def test_stopping_early_ends_the_processes():
    # Those of earlier tests may still be ending.
    others = set(multiprocessing.active_children())
    results = run_tasks(Job(1), list(range(50)), 2)
    assert next(results)[0] == 0
    results.close()
    assert _all_end(others)
