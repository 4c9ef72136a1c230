from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from ocr_batch.batch.gathering import Batcher, Client, Request
from ocr_batch.recognition.remote import AVAILABLE, Layout, Segment

if not AVAILABLE:
    pytest.skip("no Unix sockets here", allow_module_level=True)

LAYOUT = Layout(frame=3, channels=1, geometry=2, classes=4, capacity=40)


def client(seed=0):
    segment = Segment(LAYOUT)
    rng = np.random.default_rng(seed)
    segment.images[:] = rng.integers(0, 256, segment.images.shape)
    segment.geometry[:] = rng.normal(size=segment.geometry.shape)
    return Client(segment)


@pytest.fixture
def batcher():
    batcher = Batcher(LAYOUT, 16)
    threading.Thread(target=batcher.fill, daemon=True).start()
    return batcher


def rows(batch):
    """Check a batch against the memory that it was copied from; return its parts."""
    for part in batch.parts:
        segment = part.request.client.segment
        here = slice(part.place, part.place + part.count)
        there = slice(part.start, part.start + part.count)
        np.testing.assert_array_equal(batch.images[here], segment.images[there])
        np.testing.assert_array_equal(batch.geometry[here], segment.geometry[there])
    assert sum(part.count for part in batch.parts) == batch.count <= 16
    assert [part.place for part in batch.parts] == [
        sum(part.count for part in batch.parts[:number]) for number in range(len(batch.parts))
    ]
    return [(part.request, part.start, part.count) for part in batch.parts]


def test_crops_of_several_processes_share_a_batch(batcher):
    requests = [Request(client(number), 5) for number in range(3)]
    for request in requests:
        batcher.put(request)
    time.sleep(0.05)
    batch = batcher.take()
    assert rows(batch) == [(request, 0, 5) for request in requests]
    assert batch.since == requests[0].since


def test_a_long_request_is_spread_over_batches_of_one_size(batcher):
    long, short = Request(client(1), 38), Request(client(2), 3)
    batcher.put(long)
    batcher.put(short)
    found = []
    for _ in range(3):
        batch = batcher.take()
        assert batch.images.shape == (16, 3, 3, 1)
        found += rows(batch)
        batcher.give_back(batch)
    assert found == [(long, 0, 16), (long, 16, 16), (long, 32, 6), (short, 0, 3)]


def test_the_device_does_not_wait_for_a_full_batch(batcher):
    taken = []
    waiting = threading.Thread(target=lambda: taken.append(batcher.take()), daemon=True)
    waiting.start()
    batcher.put(Request(client(), 1))
    waiting.join(60)
    assert taken[0].count == 1


def test_the_next_batch_is_filled_while_the_device_works(batcher):
    first = Request(client(1), 2)
    batcher.put(first)
    batch = batcher.take()
    others = [Request(client(number), 4) for number in range(2, 5)]
    for request in others:
        batcher.put(request)
        time.sleep(0.02)
    # What came one by one goes to the device together; the batch in work stays as it is.
    assert rows(batcher.take()) == [(request, 0, 4) for request in others]
    assert rows(batch) == [(first, 0, 2)]


def test_requests_of_a_process_that_is_gone_are_dropped(batcher):
    gone, here = client(1), client(2)
    for request in (Request(here, 16), Request(here, 16)):
        batcher.put(request)
    time.sleep(0.05)
    for request in (Request(gone, 10), Request(here, 3), Request(gone, 10)):
        batcher.put(request)
    batcher.drop(gone)
    counts = []
    for _ in range(3):
        batch = batcher.take()
        assert all(part.request.client is here for part in batch.parts)
        counts.append(batch.count)
        batcher.give_back(batch)
    assert counts == [16, 16, 3]
