"""Put files into the order they are best dealt in, and finished pages into that of the input."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from ocr_batch.batch.work import Event, Finished, Known, Opened, Part

__all__ = ["Sequencer", "in_dealing_order"]

T = TypeVar("T")


class Sequencer(Generic[T]):
    """Puts finished pages into input order; its length is the number of those that wait."""

    def __init__(self) -> None:
        self._next = (0, 1)
        self._pages: dict[int, int] = {}
        self._waiting: dict[tuple[int, int], Finished[T]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, event: Event[T]) -> Iterator[Event[T]]:
        """Yield the event, or what it was that others waited for."""
        if isinstance(event, Opened):
            self._pages[event.index] = event.pages
            yield event
            return
        self._waiting[event.index, event.number] = event
        while (found := self._waiting.pop(self._next, None)) is not None:
            index, number = self._next
            # A file that could not be opened has its one failure, as page 1.
            if number < self._pages.get(index, 1):
                self._next = (index, number + 1)
            else:
                self._pages.pop(index, None)
                self._next = (index + 1, 1)
            yield found


def _size(source: str) -> int:
    try:
        return Path(source).stat().st_size
    except (OSError, ValueError):
        return 0


def in_dealing_order(sources: Sequence[str], known: Mapping[int, Known]) -> list[Part]:
    """Return the files as they are best dealt when results may come in any order.

    What is known is compared first, which is quickly done and tells how much there is to read.
    Then come the files by size, large ones first, so that all processes end together.
    """
    parts = [Part(index, source, known=known.get(index)) for index, source in enumerate(sources)]
    return sorted(parts, key=lambda part: -_size(part.source) if part.known is None else -math.inf)
