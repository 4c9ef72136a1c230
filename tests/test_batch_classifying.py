"""The process that classifies for a run, with the shipped model of digits: it is quick to load."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras")

from cli_tools import PACKAGE, environment, wait_for
from scripted_jobs import running

from ocr_batch.batch import classifying as module
from ocr_batch.batch.classifying import ClassifyingProcess, classifying
from ocr_batch.errors import BundleError, OcrBatchError
from ocr_batch.recognition.bundle import find_bundle, load_card
from ocr_batch.recognition.classifier import connect_classifier, load_classifier
from ocr_batch.recognition.remote import AVAILABLE, COUNT, HELLO, Layout, Segment
from ocr_batch.training.export import seal

if not AVAILABLE:
    pytest.skip("no Unix sockets here", allow_module_level=True)

DIGITS = find_bundle("digits")
BATCH = 64


def crops(count, seed=0):
    contract = load_card(DIGITS).contract
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, contract.frame, contract.frame, 1), dtype=np.uint8)


@pytest.fixture(scope="module")
def process():
    with ClassifyingProcess(DIGITS, BATCH) as process:
        yield process


@pytest.fixture(scope="module")
def here():
    return load_classifier(DIGITS, "keras", batch=BATCH)


def test_several_processes_get_what_they_would_have_got_alone(process, here):
    before = process.report()
    counts = [1, 300, 64, 0, 2100]
    wrong = []

    def ask(number):
        classifier = connect_classifier(DIGITS, process.address)
        for count in counts[number:] + counts[:number]:
            images = crops(count, 100 * number + count)
            if not np.array_equal(classifier.scores(images), here.scores(images)):
                wrong.append((number, count))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    # What the process has told may still be under way.
    assert wait_for(lambda: process.report().crops - before.crops >= 3 * sum(counts))
    report = process.report()
    assert report.batch == BATCH
    assert report.crops - before.crops == 3 * sum(counts)
    assert report.batches - before.batches < report.crops / BATCH + 3 * len(counts)
    assert 0 < report.busy <= report.wall
    assert 0 <= report.late < report.wall


def open_files(pid):
    folder = Path(f"/proc/{pid}/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


def test_a_process_that_leaves_in_the_middle_is_forgotten(process, here):
    card = load_card(DIGITS)
    classifier = connect_classifier(DIGITS, process.address)
    classifier.scores(crops(1))
    pid = process.pid
    before = open_files(pid)
    layout = Layout.of(card)
    numbers = layout.frame, layout.channels, layout.geometry, layout.classes, layout.capacity
    for hello in (HELLO.pack(*numbers), HELLO.pack(5, *numbers[1:]), b"hello?"):
        for request in (COUNT.pack(2000), COUNT.pack(2001)[:2], COUNT.pack(10**9), b""):
            segment = Segment(layout)
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.connect(process.address)
                socket.send_fds(connection, [hello], [segment.handle])
                try:
                    connection.sendall(request)
                except OSError:
                    assert hello != HELLO.pack(*numbers)
            segment.close()
    expected = here.scores(crops(9))
    np.testing.assert_array_equal(classifier.scores(crops(9)), expected)
    assert wait_for(lambda: open_files(pid) <= before, 60), "files of processes that are gone"
    np.testing.assert_array_equal(classifier.scores(crops(9)), expected)
    assert process.pid == pid


def test_a_process_that_dies_is_started_again(process, here):
    classifiers = [connect_classifier(DIGITS, process.address) for _ in range(2)]
    images = crops(2500)
    expected = here.scores(images)
    deaths = process.report().deaths
    found = [None] * len(classifiers)

    def ask(number):
        found[number] = classifiers[number].scores(images)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(len(classifiers))]
    for thread in threads:
        thread.start()
    os.kill(process.pid, signal.SIGKILL)
    for thread in threads:
        thread.join()
    for scores in found:
        np.testing.assert_array_equal(scores, expected)
    # Also when it was done before it died, and nobody was waiting for the next.
    np.testing.assert_array_equal(classifiers[0].scores(images), expected)
    assert wait_for(lambda: process.report().crops >= 2500 * len(classifiers))
    assert process.report().deaths == deaths + 1


def test_a_model_that_can_not_be_loaded_is_named_to_whoever_asks(tmp_path):
    target = tmp_path / "demo"
    shutil.copytree(DIGITS, target)
    (target / "model.keras").write_bytes(b"not a model")
    seal(target)
    with ClassifyingProcess(target) as process:
        for _ in range(2):
            with pytest.raises(BundleError, match="not a Keras model"):
                connect_classifier(target, process.address)


def test_a_process_that_never_starts_is_given_up(monkeypatch):
    monkeypatch.setattr(module, "_BOOT", "raise SystemExit('no such {listener}')")
    with (
        ClassifyingProcess(DIGITS) as process,
        pytest.raises(OcrBatchError, match=r"again and again: no such \d+"),
    ):
        connect_classifier(DIGITS, process.address)


def test_the_process_ends_with_the_context():
    with ClassifyingProcess(DIGITS) as process:
        assert wait_for(lambda: process.pid is not None)
        pid = process.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(OcrBatchError, match="is gone"):
        connect_classifier(DIGITS, process.address)


STARTS_ONE = """
import sys, time
from pathlib import Path
from ocr_batch.batch.classifying import ClassifyingProcess
from ocr_batch.recognition.classifier import connect_classifier
folder = Path(sys.argv[1])
with ClassifyingProcess(folder) as process:
    connect_classifier(folder, process.address)
    print(process.pid, flush=True)
    time.sleep(100)
"""


def test_the_process_dies_with_the_one_that_started_it():
    with subprocess.Popen(
        [sys.executable, "-c", STARTS_ONE, str(DIGITS)],
        stdout=subprocess.PIPE,
        env=environment(),
        cwd=PACKAGE,
    ) as parent:
        try:
            pid = int(parent.stdout.readline())
            assert running(pid)
        finally:
            parent.kill()
    assert wait_for(lambda: not running(pid), 60), "the process goes on"


def test_litert_needs_no_such_process():
    with classifying(DIGITS, "litert-int8") as process:
        assert process is None
