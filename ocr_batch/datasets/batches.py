"""Draw shuffled, augmented batches from labelled characters of any kind."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ocr_batch.datasets.augmentation import NO_AUGMENTATION, Augmentation

__all__ = ["Batch", "JoinedData", "Subset", "TrainingData", "prefetch", "shuffled_batches"]

Rows = NDArray[np.intp] | slice


class TrainingData(Protocol):
    """Labelled characters that a network can be trained on.

    Attributes
    ----------
    label : (N,) integer array
        Index of each character's class.
    """

    @property
    def label(self) -> NDArray[Any]:
        """Index of each character's class."""
        ...

    def __len__(self) -> int:
        """Return the number of characters."""
        ...

    def inputs(self, rows: Rows) -> dict[str, NDArray[Any]]:
        """Return the network's inputs by name: ``image`` uint8 (255 is ink), others float32."""
        ...

    def varied(
        self, rows: NDArray[np.intp], options: Augmentation, rng: np.random.Generator
    ) -> dict[str, NDArray[Any]]:
        """Return the inputs of these rows, varied at random."""
        ...

    def take(self, limit: int, seed: int = 0) -> TrainingData:
        """Return at most `limit` characters, drawn at random and kept in order."""
        ...


@dataclass(frozen=True)
class Batch:
    """A training batch: the network's inputs by name, and label (n,) int32."""

    inputs: dict[str, NDArray[Any]]
    label: NDArray[np.int32]


class JoinedData:
    """Several sets of one kind, as one; a set given twice is drawn from twice as often.

    Parameters
    ----------
    parts : sequence of TrainingData
        At least one.
    """

    def __init__(self, parts: Sequence[TrainingData]) -> None:
        self._parts = tuple(parts)
        self._first = np.cumsum([0, *map(len, self._parts)])
        self.label: NDArray[Any] = np.concatenate([part.label for part in self._parts])

    def __len__(self) -> int:
        return len(self.label)

    def _gather(
        self, rows: Rows, options: Augmentation, rng: np.random.Generator
    ) -> dict[str, NDArray[Any]]:
        places = np.arange(len(self))[rows]
        which = np.searchsorted(self._first, places, side="right") - 1
        result: dict[str, NDArray[Any]] = {}
        for number in np.unique(which):
            at = np.flatnonzero(which == number)
            part, own = self._parts[number], places[at] - self._first[number]
            for name, values in part.varied(own, options, rng).items():
                if name not in result:
                    result[name] = np.empty((len(places), *values.shape[1:]), values.dtype)
                result[name][at] = values
        return result

    def inputs(self, rows: Rows) -> dict[str, NDArray[Any]]:
        """See `TrainingData.inputs`."""
        return self._gather(rows, NO_AUGMENTATION, np.random.default_rng(0))

    def varied(
        self, rows: NDArray[np.intp], options: Augmentation, rng: np.random.Generator
    ) -> dict[str, NDArray[Any]]:
        """See `TrainingData.varied`."""
        return self._gather(rows, options, rng)

    def take(self, limit: int, seed: int = 0) -> TrainingData:
        """See `TrainingData.take`."""
        if len(self) <= limit:
            return self
        share = limit / len(self)
        parts = [
            part.take(max(1, round(share * len(part))), seed + number)
            for number, part in enumerate(self._parts)
        ]
        return JoinedData(parts)


class Subset:
    """Some rows of a set, which stays where it is: nothing but the labels is copied.

    Parameters
    ----------
    data : TrainingData
    rows : (n,) intp
        Rows of `data`, in the order of the subset.
    """

    def __init__(self, data: TrainingData, rows: NDArray[np.intp]) -> None:
        self._data, self._rows = data, np.asarray(rows, np.intp)
        self.label: NDArray[Any] = np.asarray(data.label)[self._rows]

    def __len__(self) -> int:
        return len(self._rows)

    def inputs(self, rows: Rows) -> dict[str, NDArray[Any]]:
        """See `TrainingData.inputs`."""
        return self._data.inputs(self._rows[rows])

    def varied(
        self, rows: NDArray[np.intp], options: Augmentation, rng: np.random.Generator
    ) -> dict[str, NDArray[Any]]:
        """See `TrainingData.varied`."""
        return self._data.varied(self._rows[rows], options, rng)

    def take(self, limit: int, seed: int = 0) -> Subset:
        """See `TrainingData.take`."""
        if len(self) <= limit:
            return self
        chosen = np.sort(np.random.default_rng(seed).choice(len(self), limit, replace=False))
        return Subset(self._data, self._rows[chosen])


def shuffled_batches(
    data: TrainingData,
    size: int,
    seed: int,
    *,
    start: int = 0,
    options: Augmentation | None = None,
    class_weights: NDArray[np.float64] | None = None,
) -> Iterator[Batch]:
    """Yield batches for ever; batch number `start` + i depends on the seed and its number only.

    Parameters
    ----------
    data : TrainingData
    size : int
        Characters a batch. What is left over at the end of an epoch is left out of that epoch;
        the next is shuffled anew.
    seed : int
    start : int
        Number of the first batch, to continue where a run stopped.
    options : Augmentation, optional
        Default: `Augmentation()`.
    class_weights : (C,) float64, optional
        How much more often a character of each class is drawn. Default: each one once an epoch.
    """
    options = Augmentation() if options is None else options
    size = min(size, len(data))
    epoch_length = len(data) // size
    cumulated = None
    if class_weights is not None:
        cumulated = np.cumsum(np.asarray(class_weights, np.float64)[data.label])
    order_of, order = -1, np.empty(0, np.intp)
    number = start
    while True:
        rng = np.random.default_rng([seed, 1, number])
        if cumulated is not None:
            rows = np.searchsorted(cumulated, rng.random(size) * cumulated[-1], side="right")
        else:
            epoch, position = divmod(number, epoch_length)
            if epoch != order_of:
                order = np.random.default_rng([seed, 0, epoch]).permutation(len(data))
                order_of = epoch
            rows = order[position * size : (position + 1) * size]
        rows = np.sort(rows)  # neighbours on disk are read together
        yield Batch(data.varied(rows, options, rng), data.label[rows].astype(np.int32))
        number += 1


def prefetch(batches: Iterator[Batch], depth: int = 4) -> Generator[Batch]:
    """Make batches in a thread of their own, `depth` ahead; an error there is raised here."""
    waiting: queue.Queue[Batch | BaseException | None] = queue.Queue(depth)
    stop = threading.Event()

    def put(item: Batch | BaseException | None) -> None:
        while not stop.is_set():
            try:
                return waiting.put(item, timeout=0.1)
            except queue.Full:
                continue

    def work() -> None:
        try:
            for batch in batches:
                put(batch)
                if stop.is_set():
                    return
            put(None)
        except BaseException as error:
            put(error)

    threading.Thread(target=work, name="batches", daemon=True).start()
    try:
        while (item := waiting.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
