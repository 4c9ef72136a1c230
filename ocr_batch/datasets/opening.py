"""Open data files, compressed or not."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from ocr_batch.errors import TrainingError

__all__ = ["DAMAGE", "first_bytes", "open_data"]

#: What a cut or damaged compressed file raises while it is read.
DAMAGE = (EOFError, zlib.error, gzip.BadGzipFile)

_GZIP = b"\x1f\x8b"


@contextmanager
def open_data(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading, through gzip where its first bytes say so.

    Raises
    ------
    TrainingError
        If the file can not be opened, or turns out to be cut short while it is read.
    """
    try:
        with path.open("rb") as file:
            compressed = file.read(2) == _GZIP
            file.seek(0)
            if compressed:
                with gzip.open(file) as inner:
                    yield cast("BinaryIO", inner)
            else:
                yield file
    except DAMAGE as error:
        raise TrainingError(
            f"{path} is damaged or cut short ({error}); copy or download it again"
        ) from error
    except OSError as error:
        raise TrainingError(f"{path} can not be read ({error.strerror or error})") from error


def first_bytes(path: Path, count: int = 16) -> bytes:
    """Return the first bytes of a file, behind gzip if there is one."""
    with open_data(path) as file:
        return file.read(count)
