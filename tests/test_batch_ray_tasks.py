"""What the processes of a cluster do, done in this process, and actors that are busy."""

from __future__ import annotations

import socket
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cli_tools import environment, wait_for
from scripted_jobs import ScriptedJob, results, summary

from ocr_batch.batch.local import Supervisor
from ocr_batch.batch.ray_classify import Relay, open_posts
from ocr_batch.batch.ray_tasks import Piece, Task, pack, read_parts, unpack, versions
from ocr_batch.batch.work import CHUNK_PAGES, Part, Unit
from ocr_batch.errors import OcrBatchError, PageTimeoutError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals, and Unix sockets")


@pytest.mark.parametrize("deed", ["none", "crash-once", "crash"])
def test_no_page_of_a_long_file_is_lost_with_a_reading_process(deed: str, tmp_path: Path) -> None:
    # As the Ray engine deals it: parts of one file beside one another, among whole files.
    source = f"long*40:{deed}@22"
    parts = [
        Part(9, "warm"),
        *(Part(0, source, (first, first + 7)) for first in range(1, 41, 8)),
        *(Part(index, "z") for index in range(10, 30)),
    ]
    with closing(Supervisor(ScriptedJob(str(tmp_path / "log")), 1, 0.0)) as supervisor:
        done = results(supervisor.read(parts))
    seen = Counter((event.index, event.number) for event in done)
    owed = {(0, number) for number in range(1, 41)} | {(index, 1) for index in [9, *range(10, 30)]}
    assert seen == Counter(owed)
    failed = [(event.index, event.number, type(event.error)) for event in done if event.error]
    assert failed == ([(0, 22, PageTimeoutError)] if deed == "crash" else [])


def test_the_pages_of_a_unit_are_counted_by_its_parts() -> None:
    parts = (Part(0, "a", (1, 16)), Part(1, "b"), Part(2, "c", (7, 7)))
    assert Unit(parts).most_pages == 16 + CHUNK_PAGES + 1


def test_a_machine_that_joins_later_is_compared_too() -> None:
    pytest.importorskip("pyarrow", reason="Ray is not installed")
    table = pack([Piece(Part(0, "a")), Piece(Part(1, "b"))])
    (events,) = unpack(read_parts(table, Task("one run", ScriptedJob(), 0.0, versions())))
    assert summary(events) == {(0, 1): "a#1", (1, 1): "b#1"}
    for name in ("numpy", "pillow", "pypdfium2"):
        others = {**versions(), name: "1.0"}
        # A process stays for the next run, whose driver may be another.
        (error,) = unpack(read_parts(table, Task(f"a run of {name}", ScriptedJob(), 0.0, others)))
        assert isinstance(error, OcrBatchError)
        assert f"{name} {versions()[name]} instead of 1.0" in str(error)


def test_a_relay_that_is_closed_leaves_nothing() -> None:
    before = set(threading.enumerate())
    relay = Relay([])
    (waiting,) = set(threading.enumerate()) - before
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(relay.address)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""
    assert wait_for(lambda: set(threading.enumerate()) - before == {waiting}, 60)
    relay.close()
    assert wait_for(lambda: set(threading.enumerate()) <= before, 60)
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection,
        pytest.raises(OSError, match=r"refused|No such file"),
    ):
        connection.connect(relay.address)


@pytest.fixture
def connected() -> Iterator[Any]:
    """Start Ray on this machine."""
    ray = pytest.importorskip("ray", reason="Ray is not installed")
    pytest.importorskip("keras")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
        ray.init(
            "local",
            num_cpus=1,
            include_dashboard=False,
            object_store_memory=100 << 20,
            log_to_driver=False,
            logging_level="ERROR",
        )
        try:
            yield ray
        finally:
            ray.shutdown()


def test_an_actor_says_where_it_is_while_others_wait_for_its_model(connected: Any) -> None:
    (post,) = open_posts(connected, "english", None)
    waiting = [post.actor.ready.remote() for _ in range(20)]
    node, address = connected.get(post.place(), timeout=180)
    done, _ = connected.wait(waiting, num_returns=1, timeout=0)
    assert not done, "the model was loaded before anybody had to wait"
    assert node == connected.get_runtime_context().get_node_id()
    assert address
    connected.get(waiting, timeout=120)
