"""Read files on the machines of a Ray cluster; the events are those of the local engine."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
import socket
import warnings
from collections.abc import Generator, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from ocr_batch.batch import ray_tasks
from ocr_batch.batch.local import DEFAULT_TIMEOUT, available_cores
from ocr_batch.batch.order import Sequencer, in_dealing_order
from ocr_batch.batch.ray_classify import Post, open_posts
from ocr_batch.batch.ray_tasks import Piece, Task
from ocr_batch.batch.work import (
    NOTHING_KNOWN,
    Event,
    Finished,
    Job,
    Known,
    Opened,
    Part,
    Unchanged,
)
from ocr_batch.errors import OcrBatchError, PageTimeoutError, UsageError
from ocr_batch.imaging.remote import is_url
from ocr_batch.recognition.bundle import find_bundle
from ocr_batch.recognition.remote import AVAILABLE

__all__ = ["require_ray", "run_ray"]

#: At most so many files make a unit ...
_UNIT_FILES = 32
#: ... and fewer where there are not so many units for each core: so all end together.
_UNITS_PER_CORE = 8
#: Files that one task opens to find out which are long.
_OPENED_TOGETHER = 64
#: A reading process on ordinary pages, in bytes: no machine gets more of them than it can hold.
_TASK_MEMORY = 300 << 20
#: Names of files that may be long; others are opened when they are read.
_MAY_BE_LONG = re.compile(r"\.(tiff?|pdf)$", re.IGNORECASE)
#: A cluster has to answer in so many seconds.
_KNOCK_SECONDS = 10.0
#: Without effect where the user has set them.
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # A page that takes all memory of a machine is not tried for ever.
    "RAY_task_oom_retries": "3",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    # Ray prints its news on standard output, where the text may go; this pattern drops them all.
    "RAY_DEDUP_LOGS": "1",
    "RAY_DEDUP_LOGS_SKIP_REGEX": "^",
}

T = TypeVar("T")


def require_ray() -> None:
    """Raise a `UsageError` unless Ray is installed."""
    if find_spec("ray") is None or find_spec("pyarrow") is None:
        raise UsageError('Ray is not installed: pip install "ocr-batch[ray]".')


def _import_ray() -> Any:
    """Return the module, told to be silent and to keep to itself."""
    require_ray()
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ray
        import ray.data
    # Its progress and its tracebacks would break up ours; they are in Ray's own log files.
    for name in ("ray", "ray.data"):
        logger = logging.getLogger(name)
        logger.propagate = False
        for handler in list(logger.handlers):
            if isinstance(handler, logging.StreamHandler) and not hasattr(handler, "baseFilename"):
                logger.removeHandler(handler)
    return ray


def _knock(address: str) -> None:
    """Raise an error where nobody answers: Ray itself would try for many minutes."""
    if address.startswith("ray://"):
        raise UsageError(
            "Addresses that begin with ray:// are for other clients. Run ocr-batch on a machine of "
            "the cluster, with --ray-address auto."
        )
    host, _, port = address.rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), _KNOCK_SECONDS).close()


@contextlib.contextmanager
def _connected(address: str | None, jobs: int) -> Iterator[Any]:
    """Give Ray, connected to a cluster or started on this machine."""
    ray = _import_ray()
    if ray.is_initialized():
        # The caller's own; it stays.
        yield ray
        return
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    try:
        if address is not None:
            _knock(address)
        if address is None:
            ray.init("local", num_cpus=jobs or available_cores(), include_dashboard=False, **quiet)
        else:
            ray.init(address, **quiet)
    except OcrBatchError:
        raise
    except Exception as error:
        where = "on this machine" if address is None else f"at {address}"
        raise OcrBatchError(
            f"Ray {where} can not be reached: {_first_line(error)} "
            "Check the address, and that `ray status` on that machine shows the cluster."
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _first_line(error: BaseException) -> str:
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return (text or type(error).__name__).rstrip(".") + "."


def _check_nodes(ray: Any, here: dict[str, str], model: str) -> None:
    """Refuse a cluster whose machines might read otherwise than this one."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    def compare(here: dict[str, str]) -> list[str]:
        from ocr_batch.batch.ray_tasks import differences

        return differences(here, model)

    check = ray.remote(num_cpus=0, max_retries=1)(compare)
    nodes = [node for node in ray.nodes() if node["Alive"]]
    answers = [
        check.options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        ).remote(here)
        for node in nodes
    ]
    for node, answer in zip(nodes, answers, strict=True):
        name = node["NodeManagerAddress"]
        try:
            others = ray.get(answer)
        except ray.exceptions.RayTaskError as error:
            raise OcrBatchError(
                f"Machine {name} of the cluster can not run ocr-batch: {_first_line(error.cause)} "
                "Install the same version there."
            ) from error
        except ray.exceptions.RayError:
            continue  # it has left the cluster meanwhile
        if others:
            raise ray_tasks.other_versions(name, others)


def _known_everywhere(model: str) -> str:
    """Return the name of a shipped bundle, or the absolute path of another."""
    folder = find_bundle(model)
    shipped = model == folder.name and folder.parent == find_bundle("english").parent
    return model if shipped else str(folder)


class _Books:
    """Which pages are still owed."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = {part.index: part for part in parts}
        #: By file: the pages not done, None where the file is not open yet.
        self._owed: dict[int, set[int] | None] = dict.fromkeys(self._parts)

    def note(self, event: Event[Any]) -> bool:
        """Tell whether the event is news."""
        if event.index not in self._owed:
            return False
        pages = self._owed[event.index]
        if isinstance(event, Opened):
            if pages is not None:
                return False
            known = self._parts[event.index].known
            unchanged = isinstance(event, Unchanged) and known is not None
            numbers = known.missing if unchanged and known else range(1, event.pages + 1)
            self._owed[event.index] = set(numbers)
            if not numbers:
                del self._owed[event.index]
            return True
        if pages is not None:
            if event.number not in pages:
                return False
            pages.discard(event.number)
        if not pages:
            del self._owed[event.index]
        return True

    def owed(self) -> list[Part]:
        """Return what is owed, page by page; files that were not opened as they are."""
        parts = []
        for index, pages in sorted(self._owed.items()):
            source = self._parts[index].source
            if pages is None:
                parts.append(self._parts[index])
            else:
                parts.extend(Part(index, source, (number, number)) for number in sorted(pages))
        return parts


def _may_be_long(part: Part) -> bool:
    return part.known is None and _MAY_BE_LONG.search(part.source) is not None


class _Run:
    """One run of the engine, on a cluster that is connected."""

    def __init__(self, ray: Any, task: Task, jobs: int, in_order: bool) -> None:
        self._ray = ray
        self._task = task
        self._jobs = jobs
        self._in_order = in_order

    def events(self, parts: Sequence[Part]) -> Iterator[Event[Any]]:
        """Read files; raises the error of a task that ends the run."""
        books = _Books(parts)
        pieces = [Piece(part) for part in parts]
        # What is lost although Ray has tried again is tried page by page, once.
        for alone in (False, True):
            for events in self._execute(self._dataset(pieces, alone)):
                yield from filter(books.note, events)
            pieces = [Piece(part) for part in books.owed()]
            if not pieces:
                return
        for piece in pieces:
            part = piece.part
            number = part.pages[0] if part.pages else 1
            yield Finished(
                part.index,
                number,
                error=PageTimeoutError(
                    "The machines that read the page were lost each time, perhaps for want of "
                    "memory. Try again with fewer --jobs."
                ),
            )

    def _dataset(self, pieces: Sequence[Piece], alone: bool) -> Any:
        """Return the stages as a dataset: files, their parts, their events."""
        data = self._ray.data
        resources = self._ray.cluster_resources()
        cores = max(1, int(resources.get("CPU", 1)))
        memory = int(min(_TASK_MEMORY, resources.get("memory", _TASK_MEMORY) / cores))
        cores = min(cores, self._jobs or cores)
        size = max(1, min(_UNIT_FILES, len(pieces) // (_UNITS_PER_CORE * cores)))
        if alone:
            size = 1
        opens = not alone and any(_may_be_long(piece.part) for piece in pieces)
        step = min(_OPENED_TOGETHER, max(1, len(pieces) // cores)) if opens else size
        tables = [
            ray_tasks.pack(pieces[first : first + step]) for first in range(0, len(pieces), step)
        ]
        dataset = data.from_arrow(tables)
        common = {"batch_size": None, "batch_format": "pyarrow", "fn_kwargs": {"task": self._task}}
        if opens:
            dataset = dataset.map_batches(ray_tasks.open_files, **common)
            dataset = dataset.repartition(target_num_rows_per_block=size)
        return dataset.map_batches(
            ray_tasks.read_parts,
            num_cpus=1,
            # Tasks that ask for other resources are not made one with those that open files.
            memory=memory,
            compute=data.TaskPoolStrategy(self._jobs) if self._jobs else None,
            **common,
        )

    def _execute(self, dataset: Any) -> Iterator[list[Event[Any]]]:
        """Run the dataset; yield the events of each unit as it is done."""
        context = dataset.context
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        context.execution_options.preserve_order = self._in_order
        # A unit that can not be read in the end is missing, and its pages are owed.
        context.max_errored_blocks = -1
        for table in dataset.iter_batches(
            batch_size=None, batch_format="pyarrow", prefetch_batches=0
        ):
            for row in ray_tasks.unpack(table):
                if isinstance(row, OcrBatchError):
                    raise row
                yield row


def run_ray(
    sources: Sequence[str],
    job: Job[T],
    *,
    jobs: int = 0,
    timeout: float = DEFAULT_TIMEOUT,
    in_order: bool = False,
    known: Mapping[int, Known] = NOTHING_KNOWN,
    address: str | None = None,
) -> Generator[Event[T], None, None]:
    """Read files with Ray Data, on this machine or on a cluster.

    Parameters
    ----------
    sources : sequence of str
        Paths that mean the same files on every machine; events name a file by its index here.
    job : Job
        Sent to each process.
    jobs : int
        Reading processes at a time; 0 for as many as the cluster has cores.
    timeout : float
        Seconds a page may take, 0 for no limit.
    in_order : bool
        Whether pages finish in input order. Otherwise they finish as they come.
    known : mapping of int to Known
        What is known of files, by index: what they still have in common with it is not read.
        Nothing when pages are to come in order.
    address : str, optional
        Of the cluster, as ``ray.init`` takes it. When not given, Ray is started on this machine,
        for this run.

    Yields
    ------
    Opened, Unchanged or Finished
        As `run_processes`. A process or a machine that is lost costs a second try.

    Raises
    ------
    UsageError
        When Ray is not installed.
    OcrBatchError
        When the cluster can not be reached, or its machines have other versions than this one;
        `BundleError` when the models can not be loaded.
    """
    if not sources:
        return
    places = [source if is_url(source) else str(Path(source).absolute()) for source in sources]
    if in_order:
        parts = [Part(index, place) for index, place in enumerate(places)]
    else:
        parts = in_dealing_order(places, known)
    with _connected(address, jobs) as ray:
        pages = ray_tasks.page_job(job)
        model = _known_everywhere(pages.model) if pages else ""
        here = ray_tasks.versions(model)
        _check_nodes(ray, here, model)
        posts: list[Post] = []
        if pages is not None:
            job = ray_tasks.with_model(job, model)
            if pages.backend == "keras" and AVAILABLE:
                posts = open_posts(ray, model, pages.batch)
        task = Task(secrets.token_hex(8), job, timeout, here, tuple(posts))
        sequencer = Sequencer[T]() if in_order else None
        try:
            for event in _Run(ray, task, jobs, in_order).events(parts):
                yield from (event,) if sequencer is None else sequencer.add(event)
        except ray.exceptions.RayError as error:
            raise OcrBatchError(
                f"The cluster was lost: {_first_line(error)} Look at it with `ray status`, and run "
                "the same command again: it goes on where this run has ended."
            ) from error
