"""Start, feed and end one reading process."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Any

from ocr_batch.batch.work import CHUNK_PAGES, Checked, Finished, Job, Opened, Part, Unit

__all__ = ["ONE_THREAD", "Process", "start_early"]

#: One process uses one core: each of these would start a thread per core by itself.
ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)
#: What takes a while to import and every job that reads pages wants.
_WARM = ("ocr_batch.batch.job", "ocr_batch.batch.pipeline")
#: Loading the models may take so long, in seconds.
_START_SECONDS = 300.0
#: A process that closed its pipe, or was killed, has so long to leave its exit code, in seconds.
_GRACE_SECONDS = 2.0

# A plain child, not one of `multiprocessing`: those import the caller's main module again,
# which would run a script that reads pages without an `if __name__ == "__main__"` once more.
_BOOT = (
    "import sys; sys.path[:] = {path!r}; "
    "from ocr_batch.batch.worker import serve; serve({handle}, {parent}, {warm!r})"
)


class Process:
    """A reading process, and what it still owes of the unit it was given last.

    Parameters
    ----------
    job : Job or None
        Sent to the process; None when it is to be started before its job is known (see `employ`).
    limit : float
        Seconds a page may take; 0 for no limit.
    warm : sequence of str
        Modules that it imports while it waits for its job.
    """

    def __init__(self, job: Job[Any] | None, limit: float, warm: Sequence[str] = ()) -> None:
        self._limit = limit
        self._unit: Unit | None = None
        #: By file: the pages not done, None where the file is not even open.
        self._owed: dict[int, set[int] | None] = {}
        self.ready = False
        self.pages_done = 0
        with contextlib.ExitStack() as stack:
            self._chatter = stack.enter_context(tempfile.TemporaryFile())
            ours, theirs = multiprocessing.Pipe()
            self.pipe: Connection[Any, Any] = stack.enter_context(ours)
            with theirs:
                self._child = self._start(theirs, warm)
            self._open_files = stack.pop_all()
        self._since = time.monotonic()
        if job is not None:
            self.employ(job, limit)

    def employ(self, job: Job[Any], limit: float) -> None:
        """Send the job, and the time limit, to a process that was started without."""
        self._limit = limit
        self._since = time.monotonic()
        self._send((job, limit))

    def _start(self, theirs: Connection[Any, Any], warm: Sequence[str]) -> subprocess.Popen[bytes]:
        handle = theirs.fileno()
        boot = _BOOT.format(path=sys.path, handle=handle, parent=os.getpid(), warm=tuple(warm))
        environment = {**os.environ, **dict.fromkeys(ONE_THREAD, "1")}
        command = [sys.executable, "-c", boot]
        if sys.platform == "win32":
            os.set_handle_inheritable(handle, True)
            return subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._chatter,
                close_fds=False,
                creationflags=subprocess.CREATE_NEW_PROCESS_GROUP,
            )
        # Image libraries write warnings about every odd file; they would break up the progress
        # bar. A session of its own keeps the keyboard's interrupt away.
        return subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._chatter,
            pass_fds=(handle,),
            start_new_session=True,
        )

    def _send(self, message: object) -> None:
        # A process that is dead already is noticed when it is listened to.
        with contextlib.suppress(OSError):
            self.pipe.send(message)

    @property
    def idle(self) -> bool:
        """Whether a unit can be given."""
        return self.ready and not self._owed

    @property
    def busy(self) -> bool:
        """Whether pages are owed."""
        return bool(self._owed)

    @property
    def deadline(self) -> float | None:
        """Time on the monotonic clock when the process is late; None while it owes nothing."""
        if not self.ready:
            return self._since + _START_SECONDS
        if self._owed and self._limit:
            return self._since + self._limit
        return None

    def give(self, unit: Unit) -> None:
        """Send a unit of work."""
        self._unit = unit
        self._owed = {
            part.index: set(range(part.pages[0], part.pages[1] + 1)) if part.pages else None
            for part in unit.parts
        }
        self._since = time.monotonic()
        self._send(unit)

    def note(self, event: Opened | Checked | Finished[Any]) -> Part:
        """Keep the books: what is still owed after this event.

        Returns
        -------
        Part
            The file that was opened or checked; of a page that is finished, the part that would
            read it again.
        """
        self._since = time.monotonic()
        assert self._unit is not None
        part = next(part for part in self._unit.parts if part.index == event.index)
        if isinstance(event, Opened):
            self._owed[event.index] = set(range(1, min(event.pages, CHUNK_PAGES) + 1))
            return part
        pages = self._owed.get(event.index)
        if isinstance(event, Finished):
            self.pages_done += 1
            if pages is not None:
                pages.discard(event.number)
                part = Part(part.index, part.source, (event.number, event.number))
        if not pages:
            self._owed.pop(event.index, None)
        return part

    def owed(self) -> Iterator[Part]:
        """Yield what is still owed, page by page, files not yet open as they are."""
        for part in self._unit.parts if self._unit else ():
            if part.index not in self._owed:
                continue
            pages = self._owed[part.index]
            if pages is None:
                yield part
            else:
                for number in sorted(pages):
                    yield Part(part.index, part.source, (number, number))

    def end(self) -> None:
        """End the process at once: it has nothing of its own to save. May be called again."""
        self._child.kill()
        # One that waits for a disk or a share that is away dies when that is back.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(_GRACE_SECONDS)
        self._open_files.close()

    def epitaph(self) -> str:
        """Say how the process died, for a message: "was killed (SIGKILL)"."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(_GRACE_SECONDS)
        code = self._child.poll()
        if code is None:
            return "stopped answering"
        if code < 0:
            try:
                name = signal.Signals(-code).name
            except ValueError:
                name = f"signal {-code}"
            return f"was killed ({name})"
        return f"ended (exit code {code})"

    @property
    def was_killed(self) -> bool:
        """Whether somebody killed the process, as a system without memory does; ask when dead."""
        return sys.platform != "win32" and self._child.poll() == -signal.SIGKILL

    def last_words(self) -> str:
        """Return the last line that the process wrote to its standard error, or ""."""
        self._chatter.seek(0, os.SEEK_END)
        self._chatter.seek(max(0, self._chatter.tell() - 4000))
        lines = self._chatter.read().decode("utf-8", "replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")


def start_early(count: int) -> list[Process]:
    """Start reading processes that get their job later, and load what it needs meanwhile.

    To be handed to `run_processes`, or ended. Fewer where the system gives no more.
    """
    staff: list[Process] = []
    # Whether that is too few is found out when there is work for them.
    with contextlib.suppress(OSError):
        while len(staff) < count:
            staff.append(Process(None, 0.0, _WARM))
    return staff
