from __future__ import annotations

import os
import socket
import threading

import numpy as np
import pytest

from ocr_batch.errors import BundleError, OcrBatchError, UsageError
from ocr_batch.recognition.bundle import find_bundle, load_card
from ocr_batch.recognition.remote import (
    AVAILABLE,
    COUNT,
    HELLO,
    Layout,
    RemoteClassifier,
    Segment,
    pack_greeting,
    receive,
)

if not AVAILABLE:
    pytest.skip("no Unix sockets here", allow_module_level=True)

CARD = load_card(find_bundle("english"))
DIE = object()


class Server:
    """Answers one connection after another as a script says.

    The script has for each connection what it is greeted with (None: well) and how many requests
    are answered before it is closed.
    """

    def __init__(self, address, *script):
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(address)
        self._listener.listen()
        self.counts = []
        self._thread = threading.Thread(target=self._run, args=(script,), daemon=True)
        self._thread.start()

    def _run(self, script):
        for error, answers in script:
            connection, _ = self._listener.accept()
            hello, handles, *_ = socket.recv_fds(connection, HELLO.size, 1)
            segment = Segment(Layout(*HELLO.unpack(hello)), handles[0])
            if error is DIE:
                connection.close()
                continue
            connection.sendall(pack_greeting(error))
            for _ in range(answers):
                (count,) = COUNT.unpack(receive(connection, COUNT.size))
                self.counts.append(count)
                # Something that depends on every crop and its vector.
                sums = segment.images[:count].sum(axis=(1, 2, 3)) + segment.geometry[:count, 3]
                segment.scores[:count] = sums[:, None] + np.arange(segment.layout.classes)
                connection.sendall(COUNT.pack(count))
            if not error:
                connection.recv(COUNT.size)
            connection.close()
        self._listener.close()


@pytest.fixture
def address(tmp_path, monkeypatch):
    # The path of a socket may not be long.
    monkeypatch.chdir(tmp_path)
    return "socket"


def crops(count):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, 56, 56, 2), dtype=np.uint8)
    return images, rng.normal(size=(count, 8)).astype(np.float32)


def expected(images, geometry):
    sums = images.sum(axis=(1, 2, 3)) + geometry[:, 3]
    return (sums[:, None] + np.arange(len(CARD.classes))).astype(np.float32)


def test_scores_come_back_in_the_order_of_the_crops(address):
    server = Server(address, (None, 3))
    images, geometry = crops(4100)
    classifier = RemoteClassifier(address, CARD)
    np.testing.assert_array_equal(classifier.scores(images, geometry), expected(images, geometry))
    assert server.counts == [2048, 2048, 4]
    assert classifier.scores(*crops(0)).shape == (0, len(CARD.classes))


def test_wrong_shapes_are_named(address):
    Server(address, (None, 0))
    images, geometry = crops(4)
    classifier = RemoteClassifier(address, CARD)
    with pytest.raises(ValueError, match="crops"):
        classifier.scores(images[..., :1], geometry)
    with pytest.raises(ValueError, match="geometry"):
        classifier.scores(images)


def test_crops_are_sent_again_when_the_process_dies_over_them(address):
    server = Server(address, (None, 1), (None, 2))
    images, geometry = crops(5)
    classifier = RemoteClassifier(address, CARD)
    for _ in range(3):
        np.testing.assert_array_equal(
            classifier.scores(images, geometry), expected(images, geometry)
        )
    assert server.counts == [5, 5, 5]


def test_a_process_that_dies_before_it_answers_is_asked_again(address):
    Server(address, (DIE, 0), (None, 1))
    images, geometry = crops(5)
    classifier = RemoteClassifier(address, CARD)
    np.testing.assert_array_equal(classifier.scores(images, geometry), expected(images, geometry))


def test_the_second_death_over_the_same_crops_is_an_error(address):
    Server(address, (None, 0), (None, 0), (None, 1))
    images, geometry = crops(5)
    classifier = RemoteClassifier(address, CARD)
    with pytest.raises(OcrBatchError, match="died twice"):
        classifier.scores(images, geometry)
    # Other crops may fare better.
    np.testing.assert_array_equal(classifier.scores(images, geometry), expected(images, geometry))


def test_a_process_that_is_gone_for_good_ends_this_one(address):
    Server(address, (None, 0), (OcrBatchError("The GPU is gone."), 0))
    classifier = RemoteClassifier(address, CARD)
    with pytest.raises(SystemExit, match="The GPU is gone"):
        classifier.scores(*crops(5))


@pytest.mark.parametrize("kind", [BundleError, UsageError, OcrBatchError])
def test_what_kept_the_process_from_its_work_is_raised_here(address, kind):
    Server(address, (kind("no lück"), 0))
    with pytest.raises(OcrBatchError, match="no lück") as caught:
        RemoteClassifier(address, CARD)
    assert type(caught.value) is kind


def test_nobody_at_the_address_is_an_error(address):
    with pytest.raises(OcrBatchError, match="is gone"):
        RemoteClassifier(address, CARD)


def test_memory_has_no_name_and_is_checked():
    layout = Layout.of(CARD)
    segment = Segment(layout)
    assert os.fstat(segment.handle).st_nlink == 0
    segment.images[-1], segment.geometry[-1], segment.scores[-1] = 7, 0.5, -1.0
    other = Segment(layout, os.dup(segment.handle))
    assert (other.images[-1] == 7).all() and (other.geometry[-1] == 0.5).all()
    assert (other.scores[-1] == -1.0).all() and not other.images[:-1].any()
    other.close()
    os.truncate(segment.handle, layout.size - 1)
    with pytest.raises(OSError, match="too small"):
        Segment(layout, os.dup(segment.handle))
    os.truncate(segment.handle, layout.size)
    segment.close()
