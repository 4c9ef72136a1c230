"""Write files so that each is whole or not there at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

from ocr_batch.errors import OutputError

__all__ = ["DRAFT", "make_folder", "open_atomic", "remove_drafts", "remove_file", "write_atomic"]

#: A file that is being written is called so, with something random between.
DRAFT = (".ocr-batch-", ".tmp")


def _refuse(path: Path, error: OSError) -> OutputError:
    reason = error.strerror or str(error)
    return OutputError(
        f"Can not write {path}: {reason}. Free some space, mend the permissions, "
        "or choose another output folder."
    )


def make_folder(folder: Path) -> None:
    """Create a folder and its parents unless it is there.

    Raises
    ------
    OutputError
        When it can not be created, or a file is in its place.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _refuse(folder, error) from error


@contextlib.contextmanager
def open_atomic(path: Path, *, sync: bool = False) -> Iterator[Callable[[str | bytes], None]]:
    """Give a function that writes to a file under another name, which is renamed at the end.

    Parameters
    ----------
    path : Path
        The file; its folder is created when missing, an older file is replaced.
    sync : bool
        Wait until the content is on the disk, so that it survives a loss of power.

    Yields
    ------
    function of str or bytes
        Writes on; text as UTF-8 with its line ends as they are.

    Raises
    ------
    OutputError
        When the folder or the file can not be written. After this or any other error nothing
        half-written is left behind, and an older file stays.
    """
    make_folder(path.parent)
    # Its own short name, so that a name of the greatest length allowed still works.
    draft = path.parent / secrets.token_hex(8).join(DRAFT)
    try:
        stream = draft.open("xb")
    except OSError as error:
        raise _refuse(path, error) from error

    def write(data: str | bytes) -> None:
        content = data.encode("utf-8", "backslashreplace") if isinstance(data, str) else data
        try:
            stream.write(content)
        except OSError as error:
            raise _refuse(path, error) from error

    try:
        yield write
        try:
            if sync:
                stream.flush()
                os.fsync(stream.fileno())
            stream.close()
            draft.replace(path)
        except OSError as error:
            raise _refuse(path, error) from error
    except BaseException:
        with contextlib.suppress(OSError):
            stream.close()
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise


def write_atomic(path: Path, data: str | bytes, *, sync: bool = False) -> None:
    """Write a file under another name in the same folder, then rename it.

    Parameters
    ----------
    path : Path
        The file; its folder is created when missing, an older file is replaced.
    data : str or bytes
        The whole content; text is written as UTF-8 with its line ends as they are.
    sync : bool
        Wait until the content is on the disk, so that it survives a loss of power.

    Raises
    ------
    OutputError
        When the folder or the file can not be written. Nothing half-written is left behind.
    """
    with open_atomic(path, sync=sync) as write:
        write(data)


def remove_drafts(folder: Path) -> None:
    """Remove what processes that were killed had begun to write, in a folder and below it.

    Nobody else may be writing there. What can not be removed stays.
    """
    start, end = DRAFT
    for place, _, names in os.walk(folder):
        for name in names:
            if name.startswith(start) and name.endswith(end):
                with contextlib.suppress(OSError):
                    Path(place, name).unlink()


def remove_file(path: Path) -> None:
    """Remove a file if it is there.

    Raises
    ------
    OutputError
        When it can not be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"Can not remove {path}: {reason}. Mend the permissions.") from error
