"""Keep a second run out of an output folder."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from ocr_batch.errors import OutputError

__all__ = ["LOCK_NAME", "FolderLock"]

LOCK_NAME = ".ocr-batch.lock"
#: The byte of the file that Windows locks; what is written in the file stays readable.
_LOCKED_BYTE = 1 << 30
#: The file may be taken away while we wait for it, by a run that ends; more often is a fault.
_ATTEMPTS = 20


def _try_lock(descriptor: int) -> bool:
    """Lock an open file unless another process has; the lock goes when the process ends."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class FolderLock:
    """A lock that ends with the process that holds it, however it ends.

    Parameters
    ----------
    path : Path
        The file that is locked; its folder is there. It is removed when the lock is given back.
    folder : str
        What is protected, for messages.

    Raises
    ------
    OutputError
        When another process holds the lock, or the file can not be made.
    """

    def __init__(self, path: Path, folder: str) -> None:
        self._path = path
        self._folder = folder
        self._descriptor = self._acquire()
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            os.write(self._descriptor, f"{os.getpid()}\n".encode())

    def _acquire(self) -> int:
        for _ in range(_ATTEMPTS):
            try:
                flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
                descriptor = os.open(self._path, flags, 0o666)
            except OSError as error:
                raise OutputError(
                    f"Can not write {self._path}: {error.strerror or error}. Mend the "
                    "permissions, free some space, or choose another output folder."
                ) from error
            try:
                locked = _try_lock(descriptor)
            except OSError as error:
                os.close(descriptor)
                raise OutputError(
                    f"Can not lock {self._path}: {error.strerror or error}. "
                    "Choose an output folder on a file system that can lock files."
                ) from error
            if not locked:
                os.close(descriptor)
                raise self._refused()
            if _same_file(descriptor, self._path):
                return descriptor
            os.close(descriptor)
        raise self._refused()

    def _refused(self) -> OutputError:
        holder = ""
        with contextlib.suppress(OSError, ValueError):
            holder = f" (process {int(self._path.read_text('ascii'))})"
        return OutputError(
            f"Another run of ocr-batch{holder} is writing into {self._folder}. "
            "Wait until it has ended, or choose another output folder."
        )

    def check(self) -> None:
        """Make sure that the folder is still the one that was locked.

        Raises
        ------
        OutputError
            When it was removed, moved away or unmounted.
        """
        if not _same_file(self._descriptor, self._path):
            raise OutputError(
                f"The output folder {self._folder} is gone: it was removed, moved or unmounted "
                "while pages were read. Bring it back, or run again to begin a new one."
            )

    def release(self) -> None:
        """Give the lock back."""
        # While it is locked, so that nobody has come to hold it under this name.
        with contextlib.suppress(OSError):
            if sys.platform != "win32" and _same_file(self._descriptor, self._path):
                self._path.unlink()
        os.close(self._descriptor)


def _same_file(descriptor: int, path: Path) -> bool:
    """Tell whether a path still leads to an open file."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False
