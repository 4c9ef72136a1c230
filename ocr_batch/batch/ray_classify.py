"""Classify on a Ray cluster: an actor for each GPU, or each machine, and the way there.

A reading process talks to the process that classifies through shared memory, by the protocol of
`ocr_batch.recognition.remote`. On a cluster a relay stands between them, in the Ray process that
supervises the reading process: it hands the shared memory on to an actor of the same machine, and
sends the crops to an actor of another machine where there is none.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocr_batch.batch.classifying import ClassifyingProcess
from ocr_batch.batch.work import as_failure
from ocr_batch.errors import OcrBatchError
from ocr_batch.recognition.bundle import find_bundle, load_card
from ocr_batch.recognition.remote import (
    COUNT,
    HELLO,
    Channel,
    Layout,
    RemoteClassifier,
    Segment,
    pack_greeting,
    receive,
)

__all__ = ["Post", "Relay", "open_posts"]

#: Calls from other machines that an actor serves at a time; more wait.
_CALLS = 8
#: Where an actor is, is asked beside these: those may all wait until the model is loaded.
_PLACE = "place"
#: Actors are looked for so long, in seconds, when none answers: one may be starting elsewhere. A
#: reading process that waits for one is given up a little later, with a message that says less.
_SEARCH_SECONDS = 270.0
_ANSWER_SECONDS, _PAUSE_SECONDS = 5.0, 1.0


@dataclass(frozen=True)
class Post:
    """An actor that classifies, and the machine that it was started on.

    Attributes
    ----------
    actor : ray.actor.ActorHandle
        Of a `_Classifying`.
    node : str
        Identity of the machine's node, "" when it is not known beforehand.
    """

    actor: Any
    node: str

    def place(self) -> Any:
        """Ask the actor where it is; return the reference of its answer."""
        return self.actor.place.options(concurrency_group=_PLACE).remote()


class _Classifying:
    """The actor: it keeps the process that classifies, and calls it for other machines."""

    def __init__(self, model: str, batch: int | None) -> None:
        self._folder = find_bundle(model)
        self._process = ClassifyingProcess(self._folder, batch)
        self._process.__enter__()
        self._lines = threading.local()

    def place(self) -> tuple[str, str]:
        """Return the node that it runs on, and the address of the process there."""
        import ray

        return str(ray.get_runtime_context().get_node_id()), self._process.address

    def ready(self) -> None:
        """Wait until the model is loaded; raises what keeps it from that."""
        self._line()

    def scores(
        self, images: NDArray[np.uint8], geometry: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        """Classify crops of another machine (see `Classifier.scores`)."""
        return self._line().scores(images, geometry)

    def _line(self) -> RemoteClassifier:
        """Return this thread's connection to the process."""
        if not hasattr(self._lines, "line"):
            self._lines.line = RemoteClassifier(self._process.address, load_card(self._folder))
        line: RemoteClassifier = self._lines.line
        return line


def open_posts(ray: Any, model: str, batch: int | None) -> list[Post]:
    """Start the actors: one for each GPU of the cluster, or one for each machine without any.

    Parameters
    ----------
    ray : module
        Connected.
    model : str
        Name or path of a bundle.
    batch : int or None
        Crops to classify at a time.

    Returns
    -------
    list of Post
        They last as long as these.
    """
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    # They take no core from the tasks: on a machine without a GPU they work while tasks wait.
    actor = ray.remote(
        num_cpus=0, max_restarts=-1, max_concurrency=_CALLS, concurrency_groups={_PLACE: 1}
    )(_Classifying)
    gpus = int(ray.cluster_resources().get("GPU", 0))
    if gpus:
        spread = actor.options(num_gpus=1, scheduling_strategy="SPREAD")
        return [Post(spread.remote(model, batch), "") for _ in range(gpus)]
    return [
        Post(
            actor.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=True)
            ).remote(model, batch),
            node["NodeID"],
        )
        for node in ray.nodes()
        if node["Alive"]
    ]


class Relay:
    """Answers the reading processes of this Ray process, and passes their crops on.

    Parameters
    ----------
    posts : sequence of Post

    Attributes
    ----------
    address : str
        Where `RemoteClassifier` finds it.
    """

    def __init__(self, posts: Sequence[Post]) -> None:
        self._posts = posts
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        if sys.platform == "linux":
            self.address = f"\0ocr-batch-relay-{secrets.token_hex(16)}"
        else:
            self._folder = tempfile.TemporaryDirectory(prefix="ocr-batch-")
            self.address = str(Path(self._folder.name) / "crops")
        self._listener.bind(self.address)
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Answer nobody any more. Connections end with the reading processes that made them."""
        # Closing alone would not wake the thread that waits for the next connection.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        if self._folder is not None:
            self._folder.cleanup()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        # When nobody classifies any more the connection ends, and with it the page.
        ends = (OSError, EOFError, struct.error, IndexError, OcrBatchError, SystemExit)
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.suppress(*ends))
            stack.enter_context(connection)
            hello, handles, *_ = socket.recv_fds(connection, HELLO.size, 1)
            segment = Segment(Layout(*HELLO.unpack(hello)), handles.pop())
            stack.callback(segment.close)
            line = stack.enter_context(contextlib.closing(_Line(self._posts, segment)))
            try:
                line.open()
            except OcrBatchError as error:
                connection.sendall(pack_greeting(error))
                return
            connection.sendall(pack_greeting())
            while True:
                (count,) = COUNT.unpack(receive(connection, COUNT.size))
                line.exchange(count)
                connection.sendall(COUNT.pack(count))


class _Line:
    """The way from one reading process to an actor, and to another one when that is lost."""

    def __init__(self, posts: Sequence[Post], segment: Segment) -> None:
        import ray

        self._ray = ray
        #: What it means that an actor is gone.
        self._lost = (ray.exceptions.RayError, SystemExit)
        self._here = str(ray.get_runtime_context().get_node_id())
        self._segment = segment
        own = [post for post in posts if post.node == self._here]
        others = [post for post in posts if post.node != self._here]
        # The processes of a machine share the actors out among them.
        turn = os.getpid()
        self._posts = [*_turned(own, turn), *_turned(others, turn)]
        self._post: Post | None = None
        self._channel: Channel | None = None

    def open(self) -> None:
        """Find an actor that is ready.

        Raises
        ------
        OcrBatchError
            What keeps it from its work, or that there is none.
        """
        deadline = time.monotonic() + _SEARCH_SECONDS
        while True:
            for post, address in self._found():
                with contextlib.suppress(*self._lost):
                    self._open(post, address)
                    return
            if time.monotonic() > deadline:
                raise OcrBatchError(
                    "No process of the cluster classifies characters. Look at the GPUs with "
                    "`ray status`, or choose another --backend."
                )
            time.sleep(_PAUSE_SECONDS)

    def _found(self) -> list[tuple[Post, str]]:
        """Return the actors that answer, with their addresses if they are of this machine.

        These come first, wherever Ray has put them.
        """
        calls = {post.place(): post for post in self._posts}
        answered, _ = self._ray.wait(
            list(calls), num_returns=len(calls), timeout=_ANSWER_SECONDS, fetch_local=True
        )
        near, far = [], []
        for call in answered:
            with contextlib.suppress(self._ray.exceptions.RayError):
                node, address = self._ray.get(call)
                if node == self._here:
                    near.append((calls[call], address))
                else:
                    far.append((calls[call], ""))
        return near + far

    def _open(self, post: Post, address: str) -> None:
        self._post = post
        if address:
            self._channel = Channel(address, self._segment)
            return
        try:
            self._ray.get(post.actor.ready.remote())
        except self._ray.exceptions.RayTaskError as error:
            raise as_failure(error.cause) from error

    def exchange(self, count: int) -> None:
        """Have crops classified; raises `OcrBatchError` when nobody can."""
        for _ in range(2):
            try:
                self._exchange(count)
                return
            except (*self._lost, OcrBatchError):
                self.close()
                self.open()
        self._exchange(count)

    def _exchange(self, count: int) -> None:
        if self._channel is not None:
            self._channel.exchange(count)
            return
        assert self._post is not None
        segment = self._segment
        images = segment.images[:count]
        geometry = segment.geometry[:count] if segment.layout.geometry else None
        segment.scores[:count] = self._ray.get(self._post.actor.scores.remote(images, geometry))

    def close(self) -> None:
        """End the connection."""
        if self._channel is not None:
            self._channel.close()
        self._channel = None


def _turned(posts: Sequence[Post], turn: int) -> list[Post]:
    start = turn % len(posts) if posts else 0
    return [*posts[start:], *posts[:start]]
