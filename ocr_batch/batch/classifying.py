"""Start the process that classifies for a run, start it again when it dies, and end it."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import secrets
import select
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ocr_batch.batch.device_report import HELLO_SECONDS, DeviceReport, Loaded, NotLoaded
from ocr_batch.errors import OcrBatchError

__all__ = ["ClassifyingProcess", "classifying"]

#: Processes that may wait for the one that classifies.
_BACKLOG = 1024
#: It is not started again when it dies so often in succession without having classified anything.
_LIVES = 3
#: How often to look whether the run is over, in seconds, when there is nothing else to wait for.
_LOOK_SECONDS = 0.2
_BOOT = (
    "import sys; sys.path[:] = {path!r}; "
    "from ocr_batch.batch.device import serve; serve({handle}, {listener})"
)


class ClassifyingProcess:
    """The process that classifies for a run, over all its lives; a context manager.

    Parameters
    ----------
    folder : Path
        Of the bundle.
    batch : int, optional
        Crops to classify at a time.

    Attributes
    ----------
    address : str
        Where `RemoteClassifier` finds it, from the start and as long as the context lasts; whoever
        comes before the model is loaded waits.
    """

    def __init__(self, folder: Path, batch: int | None = None) -> None:
        self._order = (str(folder), batch)
        self._before = DeviceReport()
        self._now = DeviceReport()
        self._child: subprocess.Popen[bytes] | None = None
        self._over = False
        #: Of what is changed by both threads.
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._supervise, daemon=True)
        self._stack = contextlib.ExitStack()
        self._listener = self._stack.enter_context(
            socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        )
        self.address = self._bind()

    def _bind(self) -> str:
        # This socket outlives the processes that answer it, so that whoever connects while there
        # is none waits for the next. On Linux its name is in no folder, and can not be left behind.
        if sys.platform == "linux":
            address = f"\0ocr-batch-{secrets.token_hex(16)}"
        else:
            folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="ocr-batch-"))
            address = str(Path(folder) / "crops")
        self._listener.bind(address)
        self._listener.listen(_BACKLOG)
        return address

    def __enter__(self) -> ClassifyingProcess:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._over = True
            if self._child is not None:
                self._child.kill()
        self._thread.join()
        self._stack.close()

    def report(self) -> DeviceReport:
        """Return what the process has done so far."""
        with self._lock:
            return self._before + self._now

    @property
    def pid(self) -> int | None:
        """Number of the process; None while there is none."""
        with self._lock:
            return self._child.pid if self._child is not None else None

    def _supervise(self) -> None:
        lives = _LIVES
        while True:
            with tempfile.TemporaryFile() as chatter:
                error = self._live(chatter)
                with self._lock:
                    if self._over:
                        return
                    lives = _LIVES if self._now.batches else lives - 1
                    self._before += replace(self._now, deaths=1)
                    self._now = DeviceReport()
                if error is None and not lives:
                    words = _last_words(chatter)
                    error = OcrBatchError(
                        "The process that classifies characters died again and again"
                        + (f": {words}" if words else ".")
                        + " Look whether the GPU works, or choose another --backend."
                    )
            if error is not None:
                self._refuse(error)
                return

    def _live(self, chatter: Any) -> OcrBatchError | None:
        """Start a process and listen until it is dead; return why another one makes no sense."""
        ours, theirs = multiprocessing.Pipe()
        with ours:
            with theirs, self._lock:
                if self._over:
                    return None
                try:
                    self._child = self._start(theirs, chatter)
                except OSError as error:
                    return OcrBatchError(
                        f"The process that classifies characters can not be started ({error}). "
                        "Free some memory, or choose another --backend."
                    )
            try:
                ours.send(self._order)
                while True:
                    message = ours.recv()
                    if isinstance(message, NotLoaded):
                        return message.error
                    if isinstance(message, Loaded):
                        message = DeviceReport(message.device, message.batch)
                    with self._lock:
                        self._now = message
            except (OSError, EOFError):
                return None
            finally:
                # An end of the pipe that is closed may be all that is left of it, or nearly.
                self._child.kill()
                self._child.wait()
                with self._lock:
                    self._child = None

    def _start(self, pipe: Connection[Any, Any], chatter: Any) -> subprocess.Popen[bytes]:
        handles = (pipe.fileno(), self._listener.fileno())
        boot = _BOOT.format(path=sys.path, handle=handles[0], listener=handles[1])
        return subprocess.Popen(
            [sys.executable, "-c", boot],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=chatter,
            pass_fds=handles,
            start_new_session=True,
        )

    def _refuse(self, error: OcrBatchError) -> None:
        """Tell whoever connects that nobody will classify."""
        from ocr_batch.recognition.remote import HELLO, pack_greeting

        greeting = pack_greeting(error)
        while not self._over:
            if select.select([self._listener], [], [], _LOOK_SECONDS)[0]:
                connection, _ = self._listener.accept()
                with connection, contextlib.suppress(OSError):
                    connection.settimeout(HELLO_SECONDS)
                    # What was not read when a connection is closed would be an error there.
                    connection.recv(HELLO.size)
                    connection.sendall(greeting)


def _last_words(chatter: Any) -> str:
    """Return the last line that a process wrote to its standard error, or ""."""
    chatter.seek(0, os.SEEK_END)
    chatter.seek(max(0, chatter.tell() - 4000))
    lines = chatter.read().decode("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


@contextmanager
def classifying(
    folder: Path, backend: str, batch: int | None = None
) -> Iterator[ClassifyingProcess | None]:
    """Give the process that classifies for a run, while it lasts, if the back end needs one.

    Parameters
    ----------
    folder : Path
        Of the bundle.
    backend : str
        As `choose_backend` gives it.
    batch : int, optional
        Crops to classify at a time.

    Yields
    ------
    ClassifyingProcess or None
        None with LiteRT, and on systems without Unix sockets: every process classifies for itself.
    """
    if backend != "keras":
        yield None
        return
    # Brings NumPy, which a run with LiteRT does not need in this process.
    from ocr_batch.recognition.remote import AVAILABLE

    if not AVAILABLE:
        yield None
        return
    with ClassifyingProcess(folder, batch) as process:
        yield process
