"""Gather the crops of many processes into batches, while the device works on the one before."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocr_batch.recognition.remote import Layout, Segment

__all__ = ["Batch", "Batcher", "Client", "Part", "Request"]

#: So many batches exist: one that the device works on and one that is filled meanwhile.
_BATCHES = 2
#: Crops copied between two looks at whether the device waits.
_PIECE = 512


class Client:
    """A process that has its crops classified; `reply` tells it that they are."""

    def __init__(self, segment: Segment) -> None:
        self.segment = segment

    def reply(self, count: int) -> None:
        """Say that so many crops have their scores."""


@dataclass
class Request:
    """Crops of a process, of which some are in a batch and some have their scores already."""

    client: Client
    count: int
    since: float = field(default_factory=time.perf_counter)
    taken: int = 0
    done: int = 0


@dataclass(frozen=True)
class Part:
    """Crops of a request in a batch: where they begin here and there, and how many they are."""

    request: Request
    start: int
    place: int
    count: int


class Batch:
    """Crops of several requests. The arrays have a fixed size; `count` rows of them are filled."""

    def __init__(self, layout: Layout, size: int) -> None:
        self.images = np.zeros((size, layout.frame, layout.frame, layout.channels), np.uint8)
        self._geometry = np.zeros((size, layout.geometry), np.float32)
        self.parts: list[Part] = []
        self.count = 0

    @property
    def geometry(self) -> NDArray[Any] | None:
        """The vectors beside the images; None where the contract has none."""
        return self._geometry if self._geometry.shape[1] else None

    @property
    def since(self) -> float:
        """When the first of its crops arrived, by `time.perf_counter`."""
        return min(part.request.since for part in self.parts)

    def add(self, request: Request, start: int, count: int) -> None:
        """Copy crops of a request."""
        here, there = slice(self.count, self.count + count), slice(start, start + count)
        self.images[here] = request.client.segment.images[there]
        if self._geometry.shape[1]:
            self._geometry[here] = request.client.segment.geometry[there]
        self.parts.append(Part(request, start, self.count, count))
        self.count += count

    def clear(self) -> None:
        """Forget the crops."""
        self.parts, self.count = [], 0


class Batcher:
    """Takes requests from one thread and gives batches to another; a third one fills them.

    A batch goes to the device when it is full, or when the device waits and no more crops do.

    Parameters
    ----------
    layout : Layout
        Of the crops.
    size : int
        Crops of a batch.
    """

    def __init__(self, layout: Layout, size: int) -> None:
        self._size = size
        self._free = deque(Batch(layout, size) for _ in range(_BATCHES))
        self._ready: deque[Batch] = deque()
        self._requests: deque[Request] = deque()
        self._device_waits = False
        self._changed = threading.Condition()

    def put(self, request: Request) -> None:
        """Add crops to be classified."""
        with self._changed:
            self._requests.append(request)
            self._changed.notify_all()

    def drop(self, client: Client) -> None:
        """Forget the requests of a process that is gone."""
        with self._changed:
            kept = [request for request in self._requests if request.client is not client]
            self._requests = deque(kept)

    def take(self) -> Batch:
        """Wait for a batch; it is to be given back."""
        with self._changed:
            self._device_waits = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._ready)
            self._device_waits = False
            return self._ready.popleft()

    def give_back(self, batch: Batch) -> None:
        """Have a batch filled again; its arrays and parts are not to be used any more."""
        with self._changed:
            batch.clear()
            self._free.append(batch)
            self._changed.notify_all()

    def fill(self) -> None:
        """Fill batches for ever."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._free)
                batch = self._free.popleft()
            self._fill(batch)

    def _fill(self, batch: Batch) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: (
                        self._requests
                        or batch.count == self._size
                        or (batch.count and self._device_waits)
                    )
                )
                if batch.count == self._size or not self._requests:
                    self._ready.append(batch)
                    self._changed.notify_all()
                    return
                request, start, count = self._next(self._size - batch.count)
            # The lock is not held: new requests may come, and the device may take a batch.
            batch.add(request, start, count)

    def _next(self, room: int) -> tuple[Request, int, int]:
        """Take crops from the first request."""
        request = self._requests[0]
        start = request.taken
        count = min(room, request.count - start, _PIECE)
        request.taken += count
        if request.taken == request.count:
            self._requests.popleft()
        return request, start, count
