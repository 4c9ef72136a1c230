"""Serve as a reading process: take units of work from a pipe, send back what came of them."""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from ocr_batch.batch.work import Unit, as_failure, perform

if TYPE_CHECKING:
    from ocr_batch.errors import OcrBatchError

__all__ = ["NotReady", "Ready", "serve"]

#: How often the process looks whether the one that started it is still there.
_WATCH_SECONDS = 1.0
#: A process that hangs while nobody watches it ends by itself, so many time limits late.
_LAST_RESORT = 3
#: But not before so many seconds: it is for whoever watches to say that a page took too long.
_LEAST_SECONDS = 60.0


@dataclass(frozen=True)
class Ready:
    """The models are loaded."""


@dataclass(frozen=True)
class NotReady:
    """The models can not be loaded."""

    error: OcrBatchError


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_WATCH_SECONDS)
    os._exit(1)


def _open(handle: int) -> Connection[Any, Any]:
    if sys.platform == "win32":
        from multiprocessing.connection import PipeConnection

        return PipeConnection(handle)
    return Connection(handle)


def serve(handle: int, parent: int, warm: Sequence[str] = ()) -> None:
    """Read pages until the pipe is closed.

    Parameters
    ----------
    handle : int
        The process's end of the pipe. It brings (job, time limit in seconds) first, then units.
    parent : int
        The process that holds the other end. When it dies this one does too.
    warm : sequence of str
        Modules that the job will want, imported while it is not there yet.
    """
    # An interrupt from the keyboard is for the process that holds the other end to deal with.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    pipe = _open(handle)
    for module in warm:
        # What is wrong with it is reported when the job imports it.
        with contextlib.suppress(Exception):
            importlib.import_module(module)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        job, limit = pipe.recv()
        try:
            job.prepare()
        except Exception as error:
            pipe.send(NotReady(as_failure(error)))
            return
        pipe.send(Ready())
        while True:
            unit: Unit = pipe.recv()
            if limit:
                # The watching thread needs the interpreter's lock, this timer does not.
                seconds = (_LAST_RESORT + unit.most_pages) * limit
                faulthandler.dump_traceback_later(max(_LEAST_SECONDS, seconds), exit=True)
            for event in perform(unit, job):
                pipe.send(event)
            faulthandler.cancel_dump_traceback_later()
