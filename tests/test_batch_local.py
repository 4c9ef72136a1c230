"""The supervisor of reading processes, with a job whose files are instructions."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from cli_tools import wait_for
from hypothesis import given
from hypothesis import strategies as st
from scripted_jobs import (
    ScriptedJob,
    SlowTogetherJob,
    StarvingJob,
    ThreadJob,
    TimedJob,
    results,
    running,
    summary,
)

from ocr_batch.batch import local
from ocr_batch.batch.local import run_here, run_processes, start_early
from ocr_batch.batch.order import in_dealing_order
from ocr_batch.batch.work import (
    CHUNK_PAGES,
    Finished,
    Known,
    Opened,
    Part,
    Unchanged,
    missing_of_file,
)
from ocr_batch.errors import BundleError, ImageError, OcrBatchError, PageTimeoutError

SOURCES = ["a", "b*3", "c*11", "d", "e", "f*2", "g", "h", "i", "j"]


def expected(sources: Sequence[str]) -> dict[tuple[int, int], object]:
    return {
        (index, number): f"{source}#{number}"
        for index, source in enumerate(sources)
        for number in range(1, ScriptedJob().count_pages(source) + 1)
    }


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_every_page_is_read_once_whatever_the_number_of_processes(jobs: int) -> None:
    assert summary(run_processes(SOURCES, ScriptedJob(), jobs=jobs)) == expected(SOURCES)


def test_in_process_gives_the_same_in_order() -> None:
    got = summary(run_here(SOURCES, ScriptedJob()))
    assert got == expected(SOURCES)
    assert list(got) == sorted(got)


def test_in_order_is_in_order_though_early_pages_are_slow() -> None:
    sources = ["a:slow@1", "b*9:slow@2", "unopenable", *SOURCES]
    got = summary(run_processes(sources, ScriptedJob(), jobs=3, in_order=True))
    assert list(got) == sorted(got)
    assert len(got) == len(expected(SOURCES)) + 11


def test_no_input_needs_no_process() -> None:
    assert list(run_processes([], ScriptedJob(), jobs=2)) == []


def test_files_are_opened_before_their_pages_come() -> None:
    pages: dict[int, int] = {}
    for event in run_processes(SOURCES, ScriptedJob(), jobs=2):
        if isinstance(event, Opened):
            pages[event.index] = event.pages
        else:
            assert event.number <= pages[event.index]
    assert pages[2] == 11


def test_pages_of_several_files_are_read_together(tmp_path: Path) -> None:
    log = tmp_path / "log"
    list(run_processes(["a"] * 40, ScriptedJob(str(log)), jobs=1))
    sizes = [int(line.split()[1]) for line in log.read_text().splitlines()]
    assert sum(sizes) == 40
    assert max(sizes) == CHUNK_PAGES
    assert sizes[-1] == 1


def test_large_pages_are_read_alone(tmp_path: Path) -> None:
    log = tmp_path / "log"
    list(run_processes(["a:big"] * 12, ScriptedJob(str(log)), jobs=1))
    assert {line.split()[1] for line in log.read_text().splitlines()} == {"1"}


@pytest.mark.parametrize("deed", ["crash", "exit", "bug", "memory", "unloadable"])
@pytest.mark.parametrize("in_order", [False, True])
def test_a_bad_page_costs_only_itself(deed: str, in_order: bool) -> None:
    sources = [*SOURCES, f"bad*6:{deed}@5", *SOURCES, f"worse:{deed}@1", *SOURCES]
    got = summary(run_processes(sources, ScriptedJob(), jobs=2, in_order=in_order))
    bad = {(len(SOURCES), 5), (2 * len(SOURCES) + 1, 1)}
    assert {key for key, value in got.items() if isinstance(value, OcrBatchError)} == bad
    assert {k: v for k, v in got.items() if k not in bad} == {
        k: v for k, v in expected(sources).items() if k not in bad
    }
    kinds = {"crash": PageTimeoutError, "exit": PageTimeoutError, "unloadable": ImageError}
    for key in bad:
        assert isinstance(got[key], kinds.get(deed, OcrBatchError))


@pytest.mark.parametrize("deed", ["crash", "kill", "exit", "memory", "hang"])
def test_a_page_gets_a_second_try_alone(deed: str, tmp_path: Path) -> None:
    sources = [f"a:{deed}-once@1", f"b*6:{deed}-once@5", "c", f"d*2:{deed}-once@2", "e", "f"]
    job = ScriptedJob(str(tmp_path / "log"))
    # Only what hangs needs a limit that is soon over.
    limit = 4.0 if deed == "hang" else local.DEFAULT_TIMEOUT
    got = summary(run_processes(sources, job, jobs=2, timeout=limit))
    assert got == expected(sources)


@pytest.mark.parametrize("deed", ["crash", "kill", "memory"])
def test_a_page_gets_no_third_try(deed: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    got = summary(run_processes([f"a:{deed}@1"], ScriptedJob(str(log)), jobs=2))
    assert isinstance(got[0, 1], OcrBatchError)
    assert len(log.read_text().splitlines()) == 2


def test_what_lacked_memory_is_tried_while_nothing_else_is_read(tmp_path: Path) -> None:
    log = tmp_path / "log"
    sources = [*["x:slow"] * 3, "bad:kill@1", *["y:slow"] * 6]
    job = TimedJob(str(log))
    got = summary(run_processes(sources, job, jobs=3))
    assert isinstance(got[3, 1], PageTimeoutError)
    assert len(got) == len(sources)
    spans = [line.split() for line in log.read_text().splitlines()]
    times = {
        name: [float(at) for kind, _, at in spans if kind == name]
        for name in ("begin", "end", "bad")
    }
    # No page is under way when the bad one is tried for the second time.
    second = times["bad"][1]
    before = [at for at in times["begin"] if at < second]
    assert len([at for at in times["end"] if at < second]) == len(before)


def known_of(source: str, *missing: int) -> Known:
    return Known(f"digest of {source}", ScriptedJob().count_pages(source), missing)


def test_what_is_known_is_read_only_where_it_misses_pages(tmp_path: Path) -> None:
    sources = ["a", "b*9", "c*3", "d", "unopenable"]
    known = {
        0: known_of("a"),
        1: known_of("b*9", 1, 2, 3, 5, 6, 7, 8, 9),
        2: Known("digest of something else", 3, ()),
        4: Known("digest of something else", 1, ()),
    }
    events = list(run_processes(sources, ScriptedJob(), jobs=2, known=known))
    got = summary(events)
    everything = expected(sources[:4])
    assert isinstance(got.pop((4, 1)), ImageError)
    assert got == {key: everything[key] for key in everything if key not in {(0, 1), (1, 4)}}
    unchanged = [event for event in events if isinstance(event, Unchanged)]
    assert {(e.index, e.pages, e.digest) for e in unchanged} == {
        (0, 1, "digest of a"),
        (1, 9, "digest of b*9"),
    }
    for event in unchanged:
        later = events[events.index(event) + 1 :]
        assert [e for e in later if e.index == event.index] == [
            e for e in results(events) if e.index == event.index
        ]


@given(st.sets(st.integers(1, 30), min_size=1))
def test_missing_pages_are_dealt_in_short_runs(missing: set[int]) -> None:
    part = Part(3, "a", known=Known("d", 30, tuple(sorted(missing))))
    spans = [(found.index, *found.pages) for found in missing_of_file(part)]
    assert all(index == 3 and first <= last < first + CHUNK_PAGES for index, first, last in spans)
    dealt = [page for _, first, last in spans for page in range(first, last + 1)]
    assert dealt == sorted(missing)


def test_large_files_are_dealt_first_and_known_ones_before_them(tmp_path: Path) -> None:
    sources = []
    for name, size in (("a", 10), ("b", 3000), ("c", 200), ("d", 3000)):
        (tmp_path / name).write_bytes(bytes(size))
        sources.append(str(tmp_path / name))
    sources.append(str(tmp_path / "missing"))
    parts = in_dealing_order(sources, {2: Known("d", 1)})
    assert [part.index for part in parts] == [2, 1, 3, 0, 4]


def test_processes_that_were_started_early_read_and_are_ended(tmp_path: Path) -> None:
    log = tmp_path / "log"
    staff = start_early(2)
    events = run_processes(SOURCES, ScriptedJob(str(log)), jobs=2, staff=staff)
    assert summary(events) == expected(SOURCES)
    pids = {int(line.split()[0]) for line in log.read_text().splitlines()}
    assert 1 <= len(pids) <= 2
    assert not any(running(pid) for pid in pids)
    assert all(process.pipe.closed for process in staff)


def test_failures_say_what_happened() -> None:
    sources = ["a:crash", "b:exit", "c:bug", "d:memory", "deadly", "unopenable"]
    got = summary(run_processes(sources, ScriptedJob(), jobs=2))
    texts = [str(got[index, 1]) for index in range(6)]
    assert "SIGSEGV" in texts[0]
    assert "exit code 3" in texts[1]
    assert "IndexError (scripted_jobs.py:" in texts[2]
    assert "memory" in texts[3]
    assert "SIGKILL" in texts[4]
    assert texts[5] == "not an image"


def test_a_page_that_hangs_is_given_up() -> None:
    sources = ["a", "b", "c:hang", "d", "e*6:hang@6", *SOURCES]
    begin = time.monotonic()
    got = summary(run_processes(sources, ScriptedJob(), jobs=2, timeout=4))
    assert time.monotonic() - begin < 120
    assert {k for k, v in got.items() if isinstance(v, PageTimeoutError)} == {(2, 1), (4, 6)}
    assert "within 4 seconds" in str(got[2, 1])
    assert len(got) == len(expected(sources))


def test_a_group_that_is_late_together_is_read_page_by_page(monkeypatch) -> None:
    monkeypatch.setattr(local, "_SHORT_LIMIT", 0.0)
    sources = ["a*2", "b", "c"]
    got = summary(run_processes(sources, SlowTogetherJob(), jobs=1, timeout=3))
    assert got == expected(sources)


def test_a_caller_that_pauses_does_not_make_pages_late(tmp_path: Path) -> None:
    log = tmp_path / "log"

    def pids() -> set[str]:
        return {line.split()[0] for line in log.read_text().splitlines()}

    events = run_processes(["a:slow"] * 200, ScriptedJob(str(log)), jobs=2, timeout=4)
    with closing(events):
        # Until both processes are at work: the one that is not heard now has a page in hand.
        for event in events:
            if isinstance(event, Finished) and len(pids()) == 2:
                break
        time.sleep(5)
        after = [event for event, _ in zip(events, range(12), strict=False)]
    assert {event.value for event in results(after)} == {"a:slow#1"}
    # A process with a late page would have been replaced.
    assert len(pids()) == 2


def test_processes_are_replaced_after_a_while(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(local, "PAGES_PER_PROCESS", 5)
    log = tmp_path / "log"
    sources = ["a"] * 30
    assert summary(run_processes(sources, ScriptedJob(str(log)), jobs=1)) == expected(sources)
    assert len({line.split()[0] for line in log.read_text().splitlines()}) >= 3


def test_a_model_that_can_not_be_loaded_ends_the_run() -> None:
    with pytest.raises(BundleError, match="no such model"):
        list(run_processes(SOURCES, ScriptedJob(broken="bundle"), jobs=2))
    with pytest.raises(OcrBatchError, match="KeyError"):
        list(run_processes(SOURCES, ScriptedJob(broken="bug"), jobs=2))


def test_processes_that_can_not_start_end_the_run_with_their_last_words() -> None:
    with pytest.raises(OcrBatchError, match=r"SIGKILL.*out of luck"):
        list(run_processes(SOURCES, ScriptedJob(broken="death"), jobs=2))


@pytest.mark.parametrize("how", ["kill", "error"])
def test_a_process_that_can_not_be_replaced_at_once_is_replaced_later(
    how: str, monkeypatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(local, "_REST_SECONDS", 0.05)
    sources = ["a", "b:crash-once@1", "c", "d*7"]
    job = StarvingJob(str(tmp_path / "log"), how=how)
    assert summary(run_processes(sources, job, jobs=1)) == expected(sources)


def test_closing_the_iterator_ends_the_processes(tmp_path: Path) -> None:
    log = tmp_path / "log"
    events = run_processes(["a", *["b:slow"] * 50], ScriptedJob(str(log)), jobs=2)
    assert next(event.value for event in events if isinstance(event, Finished))
    events.close()
    pids = {int(line.split()[0]) for line in log.read_text().splitlines()}
    assert pids
    assert not any(running(pid) for pid in pids)


# A script without `if __name__ == "__main__"`, as people write them.
SCRIPT = """
import sys
sys.path[:0] = {path!r}
from ocr_batch.batch.local import run_processes
from scripted_jobs import ScriptedJob
print("begin", flush=True)
for event in run_processes({sources!r}, ScriptedJob({log!r}), jobs=2, timeout=60):
    pass
print("end", flush=True)
"""


def script(tmp_path: Path, sources: list[str]) -> subprocess.Popen[str]:
    path = [str(Path(__file__).parent), str(Path(local.__file__).parents[2])]
    code = SCRIPT.format(path=path, sources=sources, log=str(tmp_path / "log"))
    (tmp_path / "script.py").write_text(code)
    return subprocess.Popen(
        [sys.executable, str(tmp_path / "script.py")], stdout=subprocess.PIPE, text=True
    )


def test_a_script_without_a_main_guard_runs_once(tmp_path: Path) -> None:
    process = script(tmp_path, ["a", "b", "c"])
    output, _ = process.communicate(timeout=60)
    assert output == "begin\nend\n"


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_no_process_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    process = script(tmp_path, ["a", *["b:hang"] * 8])
    log = tmp_path / "log"
    try:
        assert wait_for(lambda: log.exists() and len(log.read_text().splitlines()) >= 2)
        pids = {int(line.split()[0]) for line in log.read_text().splitlines()}
    finally:
        process.kill()
        process.communicate()
    assert wait_for(lambda: not any(running(pid) for pid in pids), 60)


def test_processes_use_one_thread(tmp_path: Path) -> None:
    sources = [str(tmp_path / "threads")]
    (event,) = results(run_processes(sources, ThreadJob(), jobs=1))
    assert event.value == "1 1"
