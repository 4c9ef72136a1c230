"""Read a list of files into a sink, and count what came of the pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from ocr_batch.batch.job import Rendered
from ocr_batch.batch.local import DEFAULT_TIMEOUT, run_processes
from ocr_batch.batch.sinks import Sink
from ocr_batch.batch.summary import PageRow
from ocr_batch.batch.work import Event, Job, Known, Opened
from ocr_batch.errors import ImageError, InputError

if TYPE_CHECKING:
    from ocr_batch.batch.device_report import DeviceReport

__all__ = ["Engine", "Step", "Totals", "read_all"]


class Engine(Protocol):
    """Reads files, as `run_processes` does."""

    def __call__(
        self,
        sources: Sequence[str],
        job: Job[Rendered],
        *,
        jobs: int,
        timeout: float,
        in_order: bool,
        known: Mapping[int, Known],
    ) -> Generator[Event[Rendered], None, None]:
        """Yield what comes of the files."""
        ...


@dataclass(frozen=True)
class Step:
    """How far the run is.

    Attributes
    ----------
    total : int
        Pages of all files; a file that is not open yet counts as one page.
    done : int
        Pages that were finished, or found finished by an earlier run.
    row : PageRow or None
        The page that was finished.
    """

    total: int
    done: int
    row: PageRow | None = None


@dataclass(frozen=True)
class Totals:
    """What came of the pages of a run.

    Attributes
    ----------
    read, empty, failed : int
        Pages with text, without text, and not read.
    undecodable : int
        Those of the failed pages that are no images, or damaged ones.
    seconds : mapping of str to float
        Time by stage, summed over all processes; that of pages that failed is left out.
    device : DeviceReport or None
        What the process that classifies did, if there was one.
    earlier : int
        Those of the pages with and without text that were read in an earlier run.
    """

    read: int
    empty: int
    failed: int
    undecodable: int
    seconds: Mapping[str, float] = field(default_factory=dict)
    device: DeviceReport | None = None
    earlier: int = 0

    @property
    def pages(self) -> int:
        """All pages."""
        return self.read + self.empty + self.failed

    @property
    def exit_code(self) -> int:
        """0 when no page failed, 2 when nothing given is an image at all, else 5."""
        if not self.failed:
            return 0
        if self.undecodable == self.pages:
            return InputError.exit_code
        return ImageError.exit_code


def read_all(
    sources: Sequence[str],
    job: Job[Rendered],
    sink: Sink,
    *,
    jobs: int,
    timeout: float = DEFAULT_TIMEOUT,
    watch: Callable[[Step], None] = lambda step: None,
    engine: Engine = run_processes,
) -> Totals:
    """Read files, a page that fails does not stop the others.

    Parameters
    ----------
    sources : sequence of str
        Paths.
    job : Job
        Reads and renders pages.
    sink : Sink
        Takes them.
    jobs : int
        Number of processes.
    timeout : float
        Seconds a page may take, 0 for no limit.
    watch : callable
        Told of each step.
    engine : Engine
        Reads the files: on this machine, or elsewhere.

    Returns
    -------
    Totals
        The counts.

    Raises
    ------
    OutputError
        When the sink can not write; the run ends.
    BundleError
        When the models can not be loaded.
    """
    counts: Counter[str] = Counter()
    seconds: dict[str, float] = {}
    undecodable = earlier = 0
    total = len(sources)
    events = engine(
        sources, job, jobs=jobs, timeout=timeout, in_order=sink.in_order, known=sink.known
    )
    with closing(events), sink:
        for event in events:
            if isinstance(event, Opened):
                total += event.pages - 1
                rows = sink.opened(event)
                counts.update(row.status for row in rows)
                earlier += len(rows)
                watch(Step(total, len(rows)))
                continue
            row = sink.finished(event)
            for stage, spent in (event.value.seconds if event.value else {}).items():
                seconds[stage] = seconds.get(stage, 0.0) + spent
            counts[row.status] += 1
            undecodable += isinstance(event.error, ImageError | InputError)
            watch(Step(total, 1, row))
    return Totals(
        counts["read"], counts["empty"], counts["failed"], undecodable, seconds, earlier=earlier
    )
