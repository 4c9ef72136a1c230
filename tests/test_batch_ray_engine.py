"""The Ray engine on a cluster of nodes on this machine, with the local engine as the oracle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_tools import COMMAND, environment, run, save, text_image, tree, wait_for
from scripted_jobs import NamedJob, running, summary

from ocr_batch.batch.job import PageJob
from ocr_batch.batch.local import run_processes
from ocr_batch.batch.options import ReadOptions
from ocr_batch.batch.pipeline import Models, load_models, read_sheets
from ocr_batch.batch.ray_classify import Relay, open_posts
from ocr_batch.batch.ray_engine import run_ray
from ocr_batch.batch.ray_tasks import PART_PAGES, versions
from ocr_batch.batch.work import Finished, Opened
from ocr_batch.errors import BundleError, OcrBatchError, PageTimeoutError, UsageError
from ocr_batch.imaging.load import Sheet, load_page
from ocr_batch.recognition.remote import RemoteClassifier

ray_cluster = pytest.importorskip("ray.cluster_utils", reason="Ray is not installed")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals, and Ray's own limits")

#: A node keeps a core and a little memory; one that is lost is missed at once.
NODE = {"num_cpus": 1, "object_store_memory": 100 << 20}
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_failure_threshold": "3",
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Start a node; tests that need a second one add it."""
    path = os.pathsep.join([environment()["PYTHONPATH"], str(Path(__file__).parent)])
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**SETTINGS, "PYTHONPATH": path}.items():
            patch.setenv(name, value)
        started = ray_cluster.Cluster(
            initialize_head=True, head_node_args={**NODE, "include_dashboard": False}
        )
        try:
            yield started
        finally:
            started.shutdown()


SOURCES = ["a", "b*3", f"long*{2 * PART_PAGES + 8}:.tif", "c", "unopenable", *["d", "e*2"] * 4, "f"]
#: Seconds that a page may take where one hangs.
LIMIT = 4.0


def test_the_events_are_those_of_the_local_engine(cluster) -> None:
    bad = ["worse*2:crash@2", "bug:bug@1", "deadly:.tif", "stuck:hang@1"]
    sources = [*SOURCES, *bad, "longer*20:.pdf", "g", "h"]
    expected = summary(run_processes(sources, NamedJob(), jobs=2, timeout=LIMIT))
    pages: dict[int, int] = {}
    events = []
    for event in run_ray(
        sources, NamedJob(), address=cluster.address, in_order=True, jobs=1, timeout=LIMIT
    ):
        events.append(event)
        if isinstance(event, Opened):
            assert event.index not in pages, "a file was opened twice"
            pages[event.index] = event.pages
        else:
            assert event.number <= pages.get(event.index, 1)
    got = summary(events)
    assert {k: str(v) for k, v in got.items()} == {k: str(v) for k, v in expected.items()}
    assert {k: type(v) for k, v in got.items()} == {k: type(v) for k, v in expected.items()}
    assert sum(isinstance(error, PageTimeoutError) for error in got.values()) == 3
    assert list(got) == sorted(got)


def test_no_input_needs_no_cluster() -> None:
    assert list(run_ray([], NamedJob(), address="nowhere:1")) == []


def test_a_model_that_can_not_be_loaded_ends_the_run(cluster) -> None:
    with pytest.raises(BundleError, match="no such model"):
        list(run_ray(SOURCES, NamedJob(broken="bundle"), address=cluster.address))


def test_machines_with_other_versions_are_refused(cluster, monkeypatch) -> None:
    others = {**versions(), "numpy": "1.0"}
    monkeypatch.setattr("ocr_batch.batch.ray_tasks.versions", lambda model: others)
    with pytest.raises(OcrBatchError, match=rf"numpy {np.__version__} instead of 1\.0"):
        list(run_ray(["a"], NamedJob(), address=cluster.address))


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def workers(log: Path) -> set[int]:
    """Return the processes of Ray's whose reading processes have written a log."""
    pids = {int(line.split()[0]) for line in log.read_text().splitlines()}
    return {parent(pid) for pid in pids if running(pid)}


def interrupted(
    events: Generator[Any, None, None], deed: Callable[[], object], after: int
) -> dict[tuple[int, int], object]:
    """Do something to the cluster when so many pages are done; return all of them."""
    seen = []
    with closing(events):
        for event in events:
            seen.append(event)
            done = sum(isinstance(event, Finished) for event in seen)
            if isinstance(event, Finished) and done == after:
                deed()
    assert len(seen) > after
    return summary(seen)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_a_worker_process_that_is_killed_costs_a_second_try(cluster, tmp_path: Path) -> None:
    log = tmp_path / "log"
    sources = [*["a:slow@1"] * 12, "b*2:.tif"]
    killed: set[int] = set()

    def kill() -> None:
        assert len(log.read_text().splitlines()) < 11, "pages come at the end only"
        killed.update(workers(log))
        for pid in killed:
            os.kill(pid, signal.SIGKILL)

    events = run_ray(sources, NamedJob(str(log)), address=cluster.address)
    got = interrupted(events, kill, 2)
    assert killed
    assert {key: str(value).partition("#")[0] for key, value in got.items()} == {
        (index, number): source
        for index, source in enumerate(sources)
        for number in range(1, NamedJob().count_pages(source) + 1)
    }
    assert not any(running(pid) for pid in killed)


#: Pages of the letters that can be read.
PAGES = 138


def letters(folder: Path, count: int) -> Path:
    """Draw pages, two files broken, one of many pages."""
    for number in range(10):
        save(folder / f"page{number}.png", text_image(f"Page {number} of the letter", "Dear Sir,"))
    for number in range(10, count):
        (folder / f"page{number}.png").hardlink_to(folder / f"page{number % 10}.png")
    save(folder / "deep" / "many.tif", *(text_image(f"Sheet {n}", size=30) for n in range(18)))
    (folder / "broken.png").write_text("This is no image.\n" * 9)
    (folder / "empty.tif").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return letters(tmp_path_factory.mktemp("letters") / "scans", PAGES - 18)


@pytest.fixture(scope="module")
def expected(scans: Path) -> dict[str, bytes]:
    """Return what the local engine writes."""
    done = run("read", scans, "-o", scans.parent / "local")
    assert done.returncode == 5, done.stderr
    found = tree(scans.parent / "local")
    assert sum(name.endswith(".txt") for name in found) == PAGES
    return found


def with_paths(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return files as if they had been made of paths, not of URLs."""
    return {**files, "pages.csv": files["pages.csv"].replace(b"file://", b"")}


def test_a_machine_that_is_lost_costs_a_second_try(
    cluster, scans: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    pytest.importorskip("fsspec", reason="fsspec is not installed")
    second = cluster.add_node(**NODE)
    out = tmp_path / "text"
    command = ["read", scans.as_uri(), "-o", out.as_uri(), "--journal", tmp_path / "journal"]
    ray = ["--engine", "ray", "--ray-address", cluster.address]
    process = subprocess.Popen(
        [*COMMAND, *command, *ray],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert wait_for(lambda: len(list(out.rglob("*.txt"))) >= 6)
        written = len(list(out.rglob("*.txt")))
        cluster.remove_node(second, allow_graceful=False)
        stdout, stderr = process.communicate(timeout=240)
    finally:
        process.kill()
        process.communicate()
    assert written < PAGES, "the run was over before the machine was lost"
    assert process.returncode == 5, stderr
    assert with_paths(tree(out)) == expected
    # Ray's own news would break up the progress bar, and the text of `-o -`.
    assert stdout == ""
    lines = stderr.splitlines()
    assert len(lines) == 3
    assert {Path(line.partition(",")[0]).name for line in lines[:2]} == {"broken.png", "empty.tif"}
    # What is lost is read again, and nothing else; by either engine.
    for engine in (ray, []):
        (out / "deep" / "many-0017.txt").unlink()
        (out / "page3.csv").unlink()
        done = run(*command, *engine)
        assert done.returncode == 5, done.stderr
        assert f"{PAGES + 2} pages, {PAGES - 2} from an earlier run" in done.stderr
        assert with_paths(tree(out)) == expected


def test_actors_classify_for_their_machine_and_for_others(cluster, scans: Path) -> None:
    pytest.importorskip("keras")
    import ray

    sources = [str(scans / f"page{number}.png") for number in range(3)]
    second = cluster.add_node(**NODE)
    ray.init(cluster.address, log_to_driver=False, logging_level="ERROR")
    try:
        # The actors load the model while this process does.
        posts = open_posts(ray, "english", None)
        assert len(posts) == 2
        models = load_models("english", backend="keras")
        read = [load_page(source) for source in sources]
        crops = score_input(read[0], models)
        here = ray.get_runtime_context().get_node_id()
        near = [post for post in posts if post.node == here]
        far = [post for post in posts if post.node != here]
        card = models.classifier.card
        lines = {}
        for kind, those in (("near", near), ("far", far), ("all", posts)):
            relay = Relay(those)
            lines[kind] = RemoteClassifier(relay.address, card)
            assert np.array_equal(lines[kind].scores(*crops), models.classifier.scores(*crops))
        # Whoever loses its actor goes to another one.
        ray.kill(near[0].actor)
        assert np.array_equal(lines["all"].scores(*crops), models.classifier.scores(*crops))
        del posts, near, far, lines
        cluster.remove_node(second)

        job = PageJob("english", "keras", ReadOptions())
        got = summary(run_ray(sources, job, address=cluster.address))
        assert got == {(index, 1): page for index, page in enumerate(read_sheets(read, models))}
    finally:
        ray.shutdown()


def score_input(sheet: Sheet, models: Models) -> tuple[Any, Any]:
    """Return the crops of a page's atoms, and their geometry."""
    taken = []

    class Taking:
        card, backend, batch = models.classifier.card, "keras", 1024

        def scores(self, images, geometry=None):
            taken.append((images.copy(), geometry.copy()))
            return models.classifier.scores(images, geometry)

    read_sheets([sheet], replace(models, classifier=Taking()))
    return taken[0]


def test_the_journal_of_a_remote_folder_is_named(scans: Path, tmp_path: Path) -> None:
    done = run("read", scans, "-o", (tmp_path / "text").as_uri())
    assert done.returncode == 1
    assert "--journal" in done.stderr
    assert not (tmp_path / "text").exists()


def test_ray_is_started_for_the_run_where_no_address_is_given(scans: Path) -> None:
    pages = [scans / "page1.png", scans / "deep" / "many.tif"]
    local = run("read", *pages, "-o", "-")
    remote = run("read", *pages, "-o", "-", "--engine", "ray", "--jobs", 1)
    assert remote.returncode == 0, remote.stderr
    assert remote.stdout == local.stdout
    assert remote.stderr == local.stderr


def test_what_is_missing_is_said(scans: Path, tmp_path: Path) -> None:
    arguments = ["read", str(scans), "-o", str(tmp_path / "out"), "--engine", "ray"]
    code = (
        f"import sys; sys.modules['ray'] = None; from ocr_batch.cli import main; main({arguments})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=False
    )
    assert 'pip install "ocr-batch[ray]"' in done.stderr
    assert not (tmp_path / "out").exists()
    done = run("read", scans, "-o", tmp_path / "out", "--ray-address", "auto")
    assert done.returncode == 1
    assert "--engine ray" in done.stderr


def test_a_cluster_that_is_not_there() -> None:
    begin = time.monotonic()
    with pytest.raises(OcrBatchError, match=r"127\.0\.0\.1:1 can not be reached.*refused"):
        list(run_ray(["a"], NamedJob(), address="127.0.0.1:1"))
    with pytest.raises(UsageError, match="ray://"):
        list(run_ray(["a"], NamedJob(), address="ray://127.0.0.1:1"))
    assert time.monotonic() - begin < 60
