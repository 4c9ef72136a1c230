"""Have crops classified by another process, which owns the GPU; they go there by shared memory."""

from __future__ import annotations

import contextlib
import mmap
import os
import socket
import struct
import sys
import tempfile
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocr_batch.errors import BundleError, OcrBatchError, UsageError
from ocr_batch.recognition.bundle import Card, CropContract
from ocr_batch.recognition.logits import checked, slices

__all__ = [
    "AVAILABLE",
    "COUNT",
    "HELLO",
    "Channel",
    "Layout",
    "RemoteClassifier",
    "Segment",
    "pack_greeting",
    "receive",
]

#: Whether this system has what the processes talk through.
AVAILABLE = hasattr(socket, "AF_UNIX") and hasattr(socket, "send_fds")
#: Crops that a process hands over at once.
CAPACITY = 2048
#: What a process introduces itself with, beside its memory: frame, channels, geometry, classes,
#: capacity.
HELLO = struct.Struct("<5I")
#: A number of crops: to be classified, or done.
COUNT = struct.Struct("<I")
#: What it is greeted with: an index of `_ERRORS` or `_READY`, and the length of a message.
_GREETING = struct.Struct("<2I")
_READY = 0xFFFF
_ERRORS: tuple[type[OcrBatchError], ...] = (OcrBatchError, BundleError, UsageError)
#: The same crops are sent to a second process when the first dies over them, not to a third.
_ATTEMPTS = 2


@dataclass(frozen=True)
class Layout:
    """Where crops and scores lie in shared memory: images, geometry and scores after one another.

    Attributes
    ----------
    frame, channels : int
        Of an image.
    geometry : int
        Numbers beside an image; 0 for none.
    classes : int
    capacity : int
        Crops.
    """

    frame: int
    channels: int
    geometry: int
    classes: int
    capacity: int = CAPACITY

    @classmethod
    def of(cls, card: Card) -> Layout:
        """Return the layout for a bundle's crops."""
        contract: CropContract = card.contract
        return cls(contract.frame, contract.channels, contract.geometry, len(card.classes))

    @property
    def _image_bytes(self) -> int:
        # A multiple of four, since floating-point numbers follow.
        return -(-self.capacity * self.frame**2 * self.channels // 4) * 4

    @property
    def size(self) -> int:
        """Bytes of all."""
        return self._image_bytes + 4 * self.capacity * (self.geometry + self.classes)

    def views(self, memory: mmap.mmap) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Return images (E, frame, frame, channels), geometry (E, G) and scores (E, C)."""
        shape = (self.capacity, self.frame, self.frame, self.channels)
        images = np.frombuffer(memory, np.uint8, int(np.prod(shape))).reshape(shape)
        count, at = self.capacity * self.geometry, self._image_bytes
        geometry = np.frombuffer(memory, np.float32, count, at).reshape(-1, self.geometry or 1)
        count, at = self.capacity * self.classes, at + 4 * count
        scores = np.frombuffer(memory, np.float32, count, at).reshape(-1, self.classes)
        return images, geometry, scores


class Segment:
    """Memory that two processes share, without a name: it goes when both are gone, however.

    Parameters
    ----------
    layout : Layout
    handle : int, optional
        File descriptor of memory that another process made; a new one when not given. It is closed
        with the segment.

    Raises
    ------
    OSError
        If there is no such memory.
    """

    def __init__(self, layout: Layout, handle: int | None = None) -> None:
        self.layout = layout
        if handle is None:
            handle = _anonymous_file()
            os.truncate(handle, layout.size)
        self.handle = handle
        try:
            # A segment that is too short would be a fault when it is read, not an error.
            if os.fstat(handle).st_size < layout.size:
                raise OSError("the shared memory is too small")
            self.images, self.geometry, self.scores = layout.views(mmap.mmap(handle, layout.size))
        except BaseException:
            os.close(handle)
            raise

    def close(self) -> None:
        """Close the file; the memory lasts as long as its arrays."""
        os.close(self.handle)


def _anonymous_file() -> int:
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            return os.memfd_create("ocr-batch-crops", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def receive(connection: socket.socket, count: int) -> bytes:
    """Return the next bytes of a connection.

    Raises
    ------
    EOFError
        If it ends before.
    """
    parts = []
    while count:
        part = connection.recv(count)
        if not part:
            raise EOFError
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def pack_greeting(error: OcrBatchError | None = None) -> bytes:
    """Return what a process is greeted with: that it may send crops, or why it may not."""
    if error is None:
        return _GREETING.pack(_READY, 0)
    kind = next((k for k, known in enumerate(_ERRORS) if type(error) is known), 0)
    text = str(error).encode()
    return _GREETING.pack(kind, len(text)) + text


class Channel:
    """A connection to the process that classifies, over all its lives.

    Waits for that process to be ready when it is made. When the process dies, its successor gets
    the crops that it owed.

    Parameters
    ----------
    address : str
        Of the process's socket.
    segment : Segment
        Where the crops lie; it is shared with that process.

    Raises
    ------
    BundleError, UsageError, OcrBatchError
        Whatever kept that process from its work.
    """

    def __init__(self, address: str, segment: Segment) -> None:
        self._address = address
        self._segment = segment
        self._connection: socket.socket | None = self._connect()

    def exchange(self, count: int) -> None:
        """Have so many crops in the segment classified.

        Raises
        ------
        OcrBatchError
            If the process dies over these crops, and its successor too.
        SystemExit
            If it has no successor any more: there is nothing that this process could still do.
        """
        for _ in range(_ATTEMPTS):
            try:
                if self._connection is None:
                    self._connection = self._connect()
            except OcrBatchError as error:
                raise SystemExit(str(error)) from error
            try:
                self._connection.sendall(COUNT.pack(count))
                receive(self._connection, COUNT.size)
                return
            except (OSError, EOFError):
                self.close()
        raise OcrBatchError(
            "The process that classifies characters died twice over this page. "
            "Look whether the GPU works, or choose another --backend."
        )

    def close(self) -> None:
        """End the connection; the segment stays."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _connect(self) -> socket.socket:
        """Introduce this process and wait until it is greeted."""
        layout = self._segment.layout
        hello = HELLO.pack(
            layout.frame, layout.channels, layout.geometry, layout.classes, layout.capacity
        )
        for _ in range(_ATTEMPTS):
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.connect(self._address)
                socket.send_fds(connection, [hello], [self._segment.handle])
                kind, length = _GREETING.unpack(receive(connection, _GREETING.size))
                message = receive(connection, length).decode()
            except (OSError, EOFError):
                # Nobody is there, or whoever was died before it could answer.
                connection.close()
                continue
            if kind != _READY:
                connection.close()
                raise _ERRORS[kind](message)
            return connection
        raise OcrBatchError(
            "The process that classifies characters is gone. Try again, "
            "or choose another --backend."
        )


class RemoteClassifier:
    """Sends crops to the process that classifies, and waits for their scores.

    Parameters
    ----------
    address : str
        Of the process's socket.
    card : Card
        Of the bundle that it has loaded.

    Raises
    ------
    BundleError, UsageError, OcrBatchError
        Whatever kept that process from its work.
    """

    def __init__(self, address: str, card: Card) -> None:
        self.backend, self.card, self.batch = "keras", card, CAPACITY
        self._segment = Segment(Layout.of(card))
        self._channel = Channel(address, self._segment)

    def scores(
        self, images: NDArray[np.uint8], geometry: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """See `Classifier.scores`; raises what `Channel.exchange` does."""
        inputs = checked(self.card, images, geometry)
        result = np.empty((len(images), len(self.card.classes)), np.float32)
        for rows in slices(len(images), CAPACITY):
            count = rows.stop - rows.start
            self._segment.images[:count] = inputs["image"][rows]
            if "geometry" in inputs:
                self._segment.geometry[:count] = inputs["geometry"][rows]
            self._channel.exchange(count)
            result[rows] = self._segment.scores[:count]
        return result
