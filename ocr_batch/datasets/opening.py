"""Open data files, compressed or not."""

from __future__ import annotations

import gzip
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.lib.npyio import NpzFile

from ocr_batch.errors import TrainingError

__all__ = ["DAMAGE", "array_names", "first_bytes", "open_data", "open_npz"]

#: What a cut or damaged compressed file raises while it is read.
DAMAGE = (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile)
#: What a damaged archive of arrays raises besides: a forged size, a compression or a cipher that
#: is not known, an array that is missing or of objects.
_NPZ_DAMAGE = (*DAMAGE, struct.error, ValueError, KeyError, RuntimeError, MemoryError)

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


@contextmanager
def open_npz(path: Path, advice: str = "save or copy it again") -> Iterator[NpzFile]:
    """Open an archive of arrays; nothing that it holds is run.

    Parameters
    ----------
    path : Path
    advice : str
        What to do about a damaged one, for the message.

    Raises
    ------
    TrainingError
        If it can not be opened or is something else, or an array turns out, while it is read, to
        be missing, damaged or one of objects.
    """
    try:
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, NpzFile):
            raise TrainingError(
                f"{path} is no .npz archive but a single array; rename it to .npy, or save the "
                "images and their labels with np.savez"
            )
        with archive:
            yield archive
    except FileNotFoundError:
        raise TrainingError(f"there is no {path}; check the path of the data") from None
    except (*_NPZ_DAMAGE, OSError) as error:
        raise TrainingError(
            f"{path} is damaged, cut short or no such archive ({error}); {advice}"
        ) from error


def array_names(path: Path) -> frozenset[str]:
    """Return the names of the arrays of an archive; none when it is not one."""
    try:
        with zipfile.ZipFile(path) as archive:
            return frozenset(name.removesuffix(".npy") for name in archive.namelist())
    except (*_NPZ_DAMAGE, OSError):
        return frozenset()
