"""Deal work to reading processes on this machine, and survive what pages do to them."""

from __future__ import annotations

import heapq
import itertools
import os
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from multiprocessing.connection import wait
from typing import Any, Generic, TypeVar

from ocr_batch.batch.order import Sequencer, in_dealing_order
from ocr_batch.batch.process import Process, start_early
from ocr_batch.batch.work import (
    NOTHING_KNOWN,
    Checked,
    Event,
    Finished,
    Job,
    Known,
    NoMemoryError,
    Opened,
    Part,
    Unchanged,
    Unit,
    missing_of_file,
    perform,
    rest_of_file,
)
from ocr_batch.batch.worker import NotReady, Ready
from ocr_batch.errors import OcrBatchError, PageTimeoutError

__all__ = [
    "DEFAULT_TIMEOUT",
    "Supervisor",
    "available_cores",
    "run_here",
    "run_processes",
    "start_early",
]

#: Seconds a page may take.
DEFAULT_TIMEOUT = 120.0
#: So many files are dealt together, so that their characters are classified together.
GROUP_FILES = 4
#: So many files are dealt together when they are only compared with what is known of them.
_CHECK_FILES = 64
#: Under a time limit this short (seconds) files are dealt one by one: a group is not late then.
_SHORT_LIMIT = 20.0
#: A process is replaced after so many pages: a leak in a decoder does not add up.
PAGES_PER_PROCESS = 1000
#: When no process can be started any more, it is tried so often again, ...
_FALSE_STARTS = 7
#: ... after twice so many seconds, and each time after twice as many.
_REST_SECONDS = 1.0
#: With fewer processes than wanted, so long (seconds) after one could not start one more is tried.
_RECOVER_SECONDS = 60.0
#: Pages that may wait for an earlier one when results are wanted in order, per process.
_AHEAD = 32

T = TypeVar("T")


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Supervisor(Generic[T]):
    """Keeps reading processes, and deals parts to them.

    Parameters
    ----------
    job : Job
        Sent to each process.
    jobs : int
        Processes, at least 1.
    limit : float
        Seconds a page may take, 0 for no limit.
    in_order : bool
        Whether pages finish in input order; then `read` is called once, with whole files.
    staff : sequence of Process
        Processes that were started already, without a job.
    """

    def __init__(
        self,
        job: Job[T],
        jobs: int,
        limit: float,
        in_order: bool = False,
        staff: Sequence[Process] = (),
    ) -> None:
        self._files: deque[Part] = deque()
        self._job = job
        #: Processes that are wanted, and as many of them as there is room for.
        self._wanted = self._jobs = jobs
        self._more_from = 0.0
        self._limit = limit
        self._sequencer = Sequencer[T]() if in_order else None
        self._processes = list(staff)
        #: Rests of long files and pages to be tried alone: earliest first, before new files.
        self._queue: list[tuple[tuple[int, int], int, Unit]] = []
        #: What lacked memory, to be tried while no other process works.
        self._starved: deque[Unit] = deque()
        #: The process that works while no other does.
        self._lone: Process | None = None
        #: What a process died of, or may have died of, by file and page (0: on opening it).
        self._suspects: set[tuple[int, int]] = set()
        #: Whether a process could start; how many after it could not, in a row; when to try again.
        self._has_started = False
        self._false_starts = 0
        self._rest_until = 0.0
        self._ticket = itertools.count()
        for process in staff:
            process.employ(job, limit)

    def read(self, parts: Iterable[Part]) -> Generator[Event[T], None, None]:
        """Read files or parts of files; events and errors as those of `run_processes`.

        The processes stay for the next call. Unless all events are taken, `close` comes next.
        """
        self._files.extend(parts)
        while self._waiting or any(p.busy for p in self._processes):
            self._staff()
            self._deal()
            for event in self._listen():
                yield from (event,) if self._sequencer is None else self._sequencer.add(event)

    def close(self) -> None:
        """End the processes."""
        for process in self._processes:
            process.end()
        self._processes.clear()

    @property
    def _waiting(self) -> int:
        return len(self._files) + len(self._queue) + len(self._starved)

    def _put(self, unit: Unit) -> None:
        heapq.heappush(self._queue, (unit.start, next(self._ticket), unit))

    def _staff(self) -> None:
        """Start as many processes as there is work for."""
        for process in list(self._processes):
            if process.idle and process.pages_done >= PAGES_PER_PROCESS:
                self._processes.remove(process)
                process.end()
        short = self._jobs < self._wanted and len(self._processes) >= self._jobs
        # One at a time: the next when this one is ready.
        if short and time.monotonic() >= self._more_from and all(p.ready for p in self._processes):
            self._jobs += 1
        owing = sum(process.busy for process in self._processes)
        wanted = min(self._jobs, owing + self._waiting)
        if not self._processes and time.monotonic() < self._rest_until:
            return
        while len(self._processes) < wanted:
            try:
                self._processes.append(Process(self._job, self._limit))
            except OSError as error:
                text = (
                    f"A reading process can not be started: {error.strerror or error}. Free "
                    "memory and space for temporary files, or try fewer --jobs."
                )
                self._make_do(OcrBatchError(text))
                return

    def _deal(self) -> None:
        if self._lone is not None and self._lone.busy:
            return
        self._lone = None
        if self._starved and any(p.busy for p in self._processes):
            return
        for process in self._processes:
            if not process.idle:
                continue
            if self._starved:
                self._lone = process
                process.give(self._starved.popleft())
                return
            # The page that others wait for is in the hands of a process, or first in the queue.
            full = self._sequencer is not None and len(self._sequencer) > _AHEAD * self._jobs
            if full and any(p.busy for p in self._processes):
                return
            if self._queue:
                process.give(heapq.heappop(self._queue)[-1])
            elif self._files:
                # The first page of a process comes soon.
                process.give(self._group(1 if not process.pages_done else GROUP_FILES))

    def _group(self, most: int) -> Unit:
        """Take the next files: a group, smaller towards the end so that all end together."""
        share = len(self._files) // (2 * self._jobs)
        check = self._files[0].known is not None
        largest = _CHECK_FILES if check else most
        size = 1 if 0 < self._limit < _SHORT_LIMIT else max(1, min(largest, share))
        group = [self._files.popleft()]
        while len(group) < size:
            part = self._files[0]
            # A process keeps its books by file, so a unit holds one part of each.
            if part.pages is not None or part.index in {other.index for other in group}:
                break
            if (part.known is not None) != check:
                break
            group.append(self._files.popleft())
        return Unit(tuple(group))

    def _listen(self) -> Iterator[Event[T]]:
        deadlines = [p.deadline for p in self._processes if p.deadline is not None]
        deadlines += [] if self._processes else [self._rest_until]
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
            process.ready = self._has_started = True
            self._false_starts = 0
        elif isinstance(message, NotReady):
            if not isinstance(message.error, NoMemoryError):
                raise message.error
            self._processes.remove(process)
            process.end()
            self._make_do(message.error)
        else:
            part = process.note(message)
            if isinstance(message, Checked):
                yield from self._compared(part, message.same)
                return
            if isinstance(message, Opened):
                for rest in rest_of_file(part, message.pages):
                    self._put(Unit((rest,)))
            elif isinstance(message.error, NoMemoryError) and self._may_retry(part):
                self._starved.append(Unit((part,)))
                return
            yield message

    def _compared(self, part: Part, same: bool) -> Iterator[Event[T]]:
        assert part.known is not None
        if same:
            # Before pages that it misses can be finished.
            yield Unchanged(part.index, part.known.pages, part.known.digest)
        for again in missing_of_file(part) if same else [replace(part, known=None)]:
            self._put(Unit((again,)))

    def _may_retry(self, part: Part) -> bool:
        """Tell whether a page was in no accident before, and remember that it was in one now."""
        key = part.index, part.pages[0] if part.pages else 0
        if key in self._suspects:
            return False
        self._suspects.add(key)
        return True

    def _bury(self, process: Process, *, late: bool) -> Iterator[Finished[T]]:
        """Remove a dead or late process; try what it owed again, each page alone and once."""
        self._processes.remove(process)
        if process is self._lone:
            self._lone = None
        if not process.ready:
            fate = "did not start in time" if late else process.epitaph()
            words = process.last_words()
            process.end()
            self._make_do(
                OcrBatchError(
                    f"The reading process {fate} while it was starting"
                    + (f": {words}" if words else ".")
                    + " Check the installation and the free memory."
                )
            )
            return
        fate = "" if late else process.epitaph()
        owed = list(process.owed())
        starved = not late and process.was_killed
        process.end()
        lone = len(owed) == 1
        for part in owed:
            if self._may_retry(part) or not lone:
                if starved:
                    self._starved.append(Unit((part,)))
                else:
                    self._put(Unit((part,)))
            else:
                yield self._give_up(part, fate)

    def _make_do(self, error: OcrBatchError) -> None:
        """Go on with the processes there are after one could not start, or wait for better times.

        A process that could start before finds the memory short, which passes.
        """
        self._more_from = time.monotonic() + _RECOVER_SECONDS
        if self._processes:
            self._jobs = len(self._processes)
            return
        self._false_starts += 1
        if not self._has_started or self._false_starts > _FALSE_STARTS:
            raise error
        self._jobs = 1
        self._rest_until = time.monotonic() + _REST_SECONDS * 2**self._false_starts

    def _give_up(self, part: Part, fate: str) -> Finished[T]:
        if not fate:
            text = (
                f"The page was not read within {self._limit:g} seconds, tried twice. "
                "Give it more time with --timeout, or look whether it is a page of text."
            )
        else:
            text = (
                f"The process that read the page {fate}, twice, perhaps for want of memory. "
                "Try again with --jobs 1."
            )
        number = part.pages[0] if part.pages else 1
        return Finished(part.index, number, error=PageTimeoutError(text))


def run_processes(
    sources: Sequence[str],
    job: Job[T],
    *,
    jobs: int,
    timeout: float = DEFAULT_TIMEOUT,
    in_order: bool = False,
    known: Mapping[int, Known] = NOTHING_KNOWN,
    staff: Sequence[Process] = (),
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
        does not survive, is tried once more, alone, and then fails with `PageTimeoutError`; pages
        that were dealt together with it are read again without it.
    in_order : bool
        Whether pages finish in input order. Otherwise they finish as they come, large files first.
    known : mapping of int to Known
        What is known of files, by index: what they still have in common with it is not read.
        Nothing when pages are to come in order.
    staff : sequence of Process
        Processes that were started already, without a job. They are ended with the others.

    Yields
    ------
    Opened, Unchanged or Finished
        Work goes on only while events are asked for. Closing the iterator ends the processes.

    Raises
    ------
    OcrBatchError
        When no process can be started; `BundleError` when the models can not be loaded.
    """
    if in_order:
        files = [Part(index, source) for index, source in enumerate(sources)]
    else:
        files = in_dealing_order(sources, known)
    with closing(Supervisor(job, max(1, jobs), timeout, in_order, staff)) as supervisor:
        yield from supervisor.read(files)


def run_here(sources: Sequence[str], job: Job[T]) -> Generator[Event[T], None, None]:
    """Read files in this process, in input order; parameters and events as `run_processes`.

    The job is prepared already. There is no time limit, and no help when a decoder crashes.
    """
    for index, source in enumerate(sources):
        queue = deque([Part(index, source)])
        while queue:
            part = queue.popleft()
            for event in perform(Unit((part,)), job):
                if isinstance(event, Checked):
                    continue
                if isinstance(event, Opened):
                    queue.extend(rest_of_file(part, event.pages))
                yield event
