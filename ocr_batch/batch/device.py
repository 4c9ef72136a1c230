"""Own the GPU: a process that classifies the crops of all reading processes in large batches."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import queue
import selectors
import signal
import socket
import struct
import sys
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocr_batch.batch.device_report import HELLO_SECONDS, DeviceReport, Loaded, NotLoaded
from ocr_batch.batch.gathering import Batch, Batcher, Client, Part, Request
from ocr_batch.batch.work import as_failure
from ocr_batch.recognition.classifier import load_classifier
from ocr_batch.recognition.devices import make_repeatable, shows_gpu
from ocr_batch.recognition.keras_model import KerasClassifier
from ocr_batch.recognition.logits import log_softmax
from ocr_batch.recognition.remote import (
    COUNT,
    HELLO,
    Layout,
    Segment,
    pack_greeting,
    receive,
)

__all__ = ["serve"]

#: A batch that takes longer than this, or than so many first ones, will never be done.
_STEP_SECONDS, _STEP_TIMES = 120.0, 20
#: Batches that may wait for their scores to be handed out.
_AHEAD = 2


class _Connected(Client):
    """A reading process at the other end of a socket."""

    def __init__(self, connection: socket.socket, segment: Segment) -> None:
        super().__init__(segment)
        self.connection = connection

    def reply(self, count: int) -> None:
        # A process that is gone is noticed when it is listened to.
        with contextlib.suppress(OSError):
            self.connection.sendall(COUNT.pack(count))

    def close(self) -> None:
        self.connection.close()
        self.segment.close()


class _Device:
    """The threads that fill batches, classify them and hand the scores out."""

    def __init__(self, classifier: KerasClassifier, tell: Callable[[DeviceReport], None]) -> None:
        layout = Layout.of(classifier.card)
        blank = Batch(layout, classifier.batch)
        # Memory may run out here already; what comes later is as large.
        classifier.logits(blank.images, blank.geometry)
        start = time.perf_counter()
        classifier.logits(blank.images, blank.geometry)
        self._limit = max(_STEP_SECONDS, _STEP_TIMES * (time.perf_counter() - start))
        self._classifier = classifier
        self._tell = tell
        self.layout = layout
        self.batcher = Batcher(layout, classifier.batch)
        self._scored: queue.Queue[tuple[list[Part], NDArray[np.float32]]] = queue.Queue(_AHEAD)
        self._crops = self._batches = 0
        self._busy = self._late = 0.0
        self._first: float | None = None
        for task in (self.batcher.fill, self._classify, self._hand_out):
            threading.Thread(target=_or_die, args=(task,), daemon=True).start()

    def _classify(self) -> None:
        free = time.perf_counter()
        while True:
            batch = self.batcher.take()
            start, since = time.perf_counter(), batch.since
            self._first = since if self._first is None else self._first
            self._late += start - max(free, since)
            # This timer does not need the interpreter's lock.
            faulthandler.dump_traceback_later(self._limit, exit=True)
            logits = self._logits(batch)
            faulthandler.cancel_dump_traceback_later()
            self._crops += batch.count
            self._batches += 1
            free = time.perf_counter()
            self._busy += free - start
            parts = batch.parts
            self.batcher.give_back(batch)
            self._scored.put((parts, logits))

    def _logits(self, batch: Batch) -> NDArray[np.float32]:
        """Classify a batch, with whatever its other rows still hold: filling up copies nothing."""
        size = self._classifier.batch
        rows = slice(0, min(len(batch.images), -(-batch.count // size) * size))
        geometry = None if batch.geometry is None else batch.geometry[rows]
        return self._classifier.logits(batch.images[rows], geometry)

    def _hand_out(self) -> None:
        while True:
            parts, logits = self._scored.get()
            replies = []
            for part in parts:
                request, rows = part.request, slice(part.place, part.place + part.count)
                scores = request.client.segment.scores[part.start : part.start + part.count]
                log_softmax(logits[rows], scores)
                request.done += part.count
                if request.done == request.count:
                    replies.append(request)
            # Told first: whoever gets its scores may be the last.
            self._tell(self._report())
            for request in replies:
                request.client.reply(request.count)

    def _report(self) -> DeviceReport:
        wall = 0.0 if self._first is None else time.perf_counter() - self._first
        return DeviceReport(
            self._classifier.device,
            self._classifier.batch,
            self._crops,
            self._batches,
            self._busy,
            self._late,
            wall,
        )


def _or_die(task: Callable[[], None]) -> None:
    """Carry out what never ends; when it fails the process does: its successor may do better."""
    try:
        task()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    os._exit(1)


def _is_ours(connection: socket.socket) -> bool:
    """Tell whether a connection comes from a process of the same user, where that can be told."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    credentials = struct.Struct("3i")
    given = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, credentials.size)
    return bool(credentials.unpack(given)[1] == os.getuid())


class _Server:
    """Listens to the reading processes and to the one that started this."""

    def __init__(
        self, listener: socket.socket, pipe: Connection[Any, Any], device: _Device
    ) -> None:
        self._listener, self._device = listener, device
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ, self._accept)
        self._selector.register(pipe, selectors.EVENT_READ, self._end)

    def run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                key.data()

    @staticmethod
    def _end() -> None:
        """End: whoever started this process has closed its end of the pipe, or is dead."""
        os._exit(0)

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.settimeout(HELLO_SECONDS)
        handles: list[int] = []
        try:
            if not _is_ours(connection):
                raise OSError("another user's process")
            hello, handles, *_ = socket.recv_fds(connection, HELLO.size, 1)
            layout = Layout(*HELLO.unpack(hello))
            if layout != self._device.layout:
                raise OSError("another model")
            client = _Connected(connection, Segment(layout, handles.pop()))
        except (OSError, IndexError, struct.error):
            connection.close()
            for handle in handles:
                os.close(handle)
            return
        with contextlib.suppress(OSError):  # gone already, which is noticed below
            connection.sendall(pack_greeting())
        connection.settimeout(None)
        self._selector.register(
            connection, selectors.EVENT_READ, lambda: self._take_request(client)
        )

    def _take_request(self, client: _Connected) -> None:
        try:
            (count,) = COUNT.unpack(receive(client.connection, COUNT.size))
        except (OSError, EOFError):
            count = 0
        if 0 < count <= client.segment.layout.capacity:
            self._device.batcher.put(Request(client, count))
            return
        self._selector.unregister(client.connection)
        self._device.batcher.drop(client)
        client.close()


def serve(handle: int, listener: int) -> None:
    """Classify what comes until the pipe is closed.

    Parameters
    ----------
    handle : int
        The process's end of a pipe. It brings (folder of the bundle, crops at a time or None); what
        is sent back is `Loaded` or `NotLoaded`, then a `DeviceReport` for each batch.
    listener : int
        A listening socket that reading processes connect to.
    """
    # An interrupt from the keyboard is for the process that holds the other end to deal with.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pipe = Connection(handle)
    with contextlib.suppress(EOFError, OSError):
        folder, batch = pipe.recv()
        try:
            if shows_gpu():
                make_repeatable()
            classifier = load_classifier(Path(folder), "keras", batch=batch)
            assert isinstance(classifier, KerasClassifier)
            device = _Device(classifier, pipe.send)
        except Exception as error:
            pipe.send(NotLoaded(as_failure(error)))
            return
        pipe.send(Loaded(classifier.device, classifier.batch))
        _Server(socket.socket(fileno=listener), pipe, device).run()
