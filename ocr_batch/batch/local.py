"""Deal work to reading processes on this machine, and survive what pages do to them."""

from __future__ import annotations

import heapq
import itertools
import os
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from multiprocessing.connection import wait
from typing import Any, Generic, TypeVar

from ocr_batch.batch.process import Process
from ocr_batch.batch.work import Event, Finished, Job, Opened, Part, Unit, perform, rest_of_file
from ocr_batch.batch.worker import NotReady, Ready
from ocr_batch.errors import OcrBatchError, PageTimeoutError

__all__ = ["DEFAULT_TIMEOUT", "available_cores", "run_here", "run_processes"]

#: Seconds a page may take.
DEFAULT_TIMEOUT = 120.0
#: So many files are dealt together, so that their characters are classified together.
GROUP_FILES = 4
#: Under a time limit this short (seconds) files are dealt one by one: a group is not late then.
_SHORT_LIMIT = 20.0
#: A process is replaced after so many pages: a leak in a decoder does not add up.
PAGES_PER_PROCESS = 1000
#: Pages that may wait for an earlier one when results are wanted in order, per process.
_AHEAD = 32

T = TypeVar("T")


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Sequencer(Generic[T]):
    """Put finished pages into input order."""

    def __init__(self) -> None:
        self._next = (0, 1)
        self._pages: dict[int, int] = {}
        self._waiting: dict[tuple[int, int], Finished[T]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, event: Event[T]) -> Iterator[Event[T]]:
        """Yield the event, or what it was that others waited for."""
        if isinstance(event, Opened):
            self._pages[event.index] = event.pages
            yield event
            return
        self._waiting[event.index, event.number] = event
        while (found := self._waiting.pop(self._next, None)) is not None:
            index, number = self._next
            # A file that could not be opened has its one failure, as page 1.
            if number < self._pages.get(index, 1):
                self._next = (index, number + 1)
            else:
                self._pages.pop(index, None)
                self._next = (index + 1, 1)
            yield found


class _Supervisor(Generic[T]):
    def __init__(
        self, sources: Sequence[str], job: Job[T], jobs: int, limit: float, in_order: bool
    ) -> None:
        self._files = deque(Part(index, source) for index, source in enumerate(sources))
        self._job = job
        self._jobs = jobs
        self._limit = limit
        self._sequencer = _Sequencer[T]() if in_order else None
        self._processes: list[Process] = []
        #: Rests of long files and pages to be tried alone: earliest first, before new files.
        self._queue: list[tuple[tuple[int, int], int, Unit]] = []
        self._ticket = itertools.count()

    def run(self) -> Generator[Event[T], None, None]:
        try:
            while self._files or self._queue or any(p.busy for p in self._processes):
                self._staff()
                self._deal()
                for event in self._listen():
                    yield from (event,) if self._sequencer is None else self._sequencer.add(event)
        finally:
            for process in self._processes:
                process.end()

    def _put(self, unit: Unit) -> None:
        heapq.heappush(self._queue, (unit.start, next(self._ticket), unit))

    def _staff(self) -> None:
        """Start as many processes as there is work for."""
        for process in list(self._processes):
            if process.idle and process.pages_done >= PAGES_PER_PROCESS:
                self._processes.remove(process)
                process.end()
        owing = sum(process.busy for process in self._processes)
        wanted = min(self._jobs, owing + len(self._queue) + len(self._files))
        while len(self._processes) < wanted:
            self._processes.append(Process(self._job, self._limit))

    def _deal(self) -> None:
        for process in self._processes:
            if not process.idle:
                continue
            # The page that others wait for is in the hands of a process, or first in the queue.
            full = self._sequencer is not None and len(self._sequencer) > _AHEAD * self._jobs
            if full and any(p.busy for p in self._processes):
                return
            if self._queue:
                process.give(heapq.heappop(self._queue)[-1])
            elif self._files:
                process.give(self._group())

    def _group(self) -> Unit:
        """Take the next files: a group, smaller towards the end so that all end together."""
        share = len(self._files) // (2 * self._jobs)
        size = 1 if 0 < self._limit < _SHORT_LIMIT else max(1, min(GROUP_FILES, share))
        return Unit(tuple(self._files.popleft() for _ in range(size)))

    def _listen(self) -> Iterator[Event[T]]:
        deadlines = [p.deadline for p in self._processes if p.deadline is not None]
        patience = max(0.0, min(deadlines) - time.monotonic()) if deadlines else None
        heard = wait([process.pipe for process in self._processes], patience)
        for process in [p for p in self._processes if p.pipe in heard]:
            try:
                message = process.pipe.recv()
            except Exception:  # the end of the pipe, or half a message from a dying process
                yield from self._bury(process, late=False)
                continue
            yield from self._take(process, message)
        now = time.monotonic()
        for process in [p for p in self._processes if p.pipe not in heard]:
            # Whoever calls may have paused: what was sent meanwhile counts.
            if process.deadline is not None and now >= process.deadline and not process.pipe.poll():
                yield from self._bury(process, late=True)

    def _take(self, process: Process, message: Any) -> Iterator[Event[T]]:
        if isinstance(message, Ready):
            process.ready = True
        elif isinstance(message, NotReady):
            raise message.error
        else:
            opened = process.note(message)
            if opened is not None:
                for part in rest_of_file(opened, message.pages):
                    self._put(Unit((part,)))
            yield message

    def _bury(self, process: Process, *, late: bool) -> Iterator[Finished[T]]:
        """Remove a dead or late process; try again what it owed, or give up a lone page."""
        self._processes.remove(process)
        if not process.ready:
            self._jobs = len(self._processes)
            fate = "did not start in time" if late else process.epitaph()
            words = process.last_words()
            process.end()
            if not self._processes:
                raise OcrBatchError(
                    f"The reading process {fate} while it was starting"
                    + (f": {words}" if words else ".")
                    + " Check the installation and the free memory."
                )
            return
        fate = "" if late else process.epitaph()
        process.end()
        owed = list(process.owed())
        if len(owed) != 1:
            for part in owed:
                self._put(Unit((part,)))
            return
        part = owed[0]
        if late:
            text = (
                f"The page was not read within {self._limit:g} seconds. "
                "Give it more time with --timeout, or look whether it is a page of text."
            )
        else:
            text = (
                f"The process that read the page {fate}, perhaps for want of memory. "
                "Try again with --jobs 1."
            )
        number = part.pages[0] if part.pages else 1
        yield Finished(part.index, number, error=PageTimeoutError(text))


def run_processes(
    sources: Sequence[str],
    job: Job[T],
    *,
    jobs: int,
    timeout: float = DEFAULT_TIMEOUT,
    in_order: bool = False,
) -> Generator[Event[T], None, None]:
    """Read files with several processes.

    Parameters
    ----------
    sources : sequence of str
        Paths; events name a file by its index here.
    job : Job
        Sent to each process.
    jobs : int
        Processes, at least 1.
    timeout : float
        Seconds a page may take, 0 for no limit. A page that takes longer, or that its process
        does not survive, fails with `PageTimeoutError`; pages that were dealt together with it
        are read again without it.
    in_order : bool
        Whether pages finish in input order. Otherwise they finish as they come.

    Yields
    ------
    Opened or Finished
        Work goes on only while events are asked for. Closing the iterator ends the processes.

    Raises
    ------
    OcrBatchError
        When no process can be started; `BundleError` when the models can not be loaded.
    """
    return _Supervisor(sources, job, max(1, jobs), timeout, in_order).run()


def run_here(sources: Sequence[str], job: Job[T]) -> Generator[Event[T], None, None]:
    """Read files in this process, in input order; parameters and events as `run_processes`.

    The job is prepared already. There is no time limit, and no help when a decoder crashes.
    """
    for index, source in enumerate(sources):
        queue = deque([Part(index, source)])
        while queue:
            part = queue.popleft()
            for event in perform(Unit((part,)), job):
                if isinstance(event, Opened):
                    queue.extend(rest_of_file(part, event.pages))
                yield event
