"""Share independent tasks among processes; the results come in the order of the tasks."""

from __future__ import annotations

import os
import pickle
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.connection import wait
from typing import Any, TypeVar

from ocr_batch.batch.process import ONE_THREAD
from ocr_batch.errors import TrainingError

__all__ = ["run_tasks"]

Task = TypeVar("Task")
Result = TypeVar("Result")

#: Tasks handed out for each process, so that none waits for work.
_AHEAD = 3
#: Seconds that a process gets to end.
_PATIENCE = 5.0
_job: Callable[[Any], Any] | None = None


def run_tasks(
    job: Callable[[Task], Result], tasks: Sequence[Task], jobs: int
) -> Generator[Result, None, None]:
    """Do a job on each task.

    Parameters
    ----------
    job : function of a task
        Sent to each process once. It must be possible to pickle it, its tasks and its results.
    tasks : sequence
    jobs : int
        Processes, of one thread each; with 1 the calling process does the work itself.

    Yields
    ------
    object
        The result of each task, in order. When the caller stops early, or an error is raised,
        the processes are ended at once.

    Raises
    ------
    TrainingError
        If a process ended without a result.
    """
    jobs = min(jobs, len(tasks))
    if jobs <= 1:
        yield from map(job, tasks)
        return
    others = set(active_children())
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), _begin, (pickle.dumps(job),))
    done = False
    try:
        waiting: deque[Future[Any]] = deque()
        for task in tasks:
            waiting.append(pool.submit(_do, task))
            if len(waiting) >= _AHEAD * jobs:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
        done = True
    except BrokenProcessPool as error:
        raise TrainingError(
            "A process was ended from outside, perhaps for want of memory. Try fewer --jobs."
        ) from error
    finally:
        if not done:
            ended = set(active_children()) - others
            for child in ended:
                child.terminate()
            for child in ended:
                child.join(_PATIENCE)
                if child.is_alive():
                    child.kill()
                    child.join(_PATIENCE)
        # The pool itself may wait for ever for processes that were just ended.
        pool.shutdown(wait=done, cancel_futures=True)


def _begin(packed: bytes) -> None:
    global _job  # noqa: PLW0603 - a process has one job for life
    # Whoever interrupts the run interrupts its children too; they have nothing to say about it.
    signal.signal(signal.SIGINT, lambda number, frame: os._exit(130))
    threading.Thread(target=_follow_parent, daemon=True).start()
    # Before the job brings the libraries that read it.
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    _job = pickle.loads(packed)
    import cv2

    cv2.setNumThreads(1)


def _follow_parent() -> None:
    """End with the parent, even when it is killed."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _do(task: Any) -> Any:
    assert _job is not None
    return _job(task)
