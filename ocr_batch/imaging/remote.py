"""Bring files that are named by a URL to this machine."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, TypeVar, cast

from ocr_batch.errors import ImageError, UsageError

__all__ = ["fetched", "file_system", "is_url", "keep_last", "patiently"]

# A letter alone is a drive of Windows.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(::[^:/]+)*://")
#: Transfers are tried so many times, with so many seconds before the second.
_TRIES, _PAUSE = 3, 0.5
_COPY_BYTES = 1 << 20
#: Errors that another try will not mend.
_LASTING = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)

T = TypeVar("T")

_keeping = False
_kept: tuple[str, BinaryIO] | None = None


def is_url(path: str) -> bool:
    """Tell whether a path is a URL, such as ``s3://bucket/scans``."""
    return _URL.match(path) is not None


def file_system(url: str) -> tuple[Any, str]:
    """Return the fsspec file system of a URL, and the path within it.

    Raises
    ------
    UsageError
        When fsspec, or the package for this kind of URL, is not installed or not known.
    """
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise UsageError(
            f"To use {url}, fsspec has to be installed, and the package for this kind of storage: "
            "pip install fsspec s3fs."
        ) from None
    try:
        system, path = url_to_fs(url)
    except (ImportError, ValueError) as error:
        text = " ".join(str(error).split()).rstrip(".")
        raise UsageError(
            f"{url} can not be used: {text}. Check the address; s3:// needs pip install s3fs."
        ) from error
    return system, str(path)


def patiently(transfer: Callable[[], T]) -> T:
    """Do a transfer, again if the network fails."""
    for attempt in range(_TRIES - 1):
        try:
            return transfer()
        except (*_LASTING, UsageError):
            raise
        except Exception:
            time.sleep(_PAUSE * 4**attempt)
    return transfer()


def keep_last(keep: bool = True) -> None:
    """Keep the file that was fetched last, so that its pages come from one transfer; or do not."""
    global _keeping, _kept  # noqa: PLW0603 - a process keeps files or it does not
    _keeping = keep
    if _kept is not None and not keep:
        _kept[1].close()
        _kept = None


@contextmanager
def fetched(url: str, *, fresh: bool = False) -> Iterator[BinaryIO]:
    """Bring a file here and give it, open for reading; afterwards nothing of it is left.

    Parameters
    ----------
    url : str
    fresh : bool
        Transfer it also when it is the one that was kept (see `keep_last`).

    Raises
    ------
    ImageError
        When it does not exist, can not be transferred, or is empty.
    """
    global _kept  # noqa: PLW0603
    if _kept is not None and (fresh or _kept[0] != url):
        _kept[1].close()
        _kept = None
    file = _kept[1] if _kept is not None else _copied(url)
    if _keeping:
        _kept = url, file
    file.seek(0)
    try:
        yield file
    finally:
        if not _keeping:
            file.close()


def _copied(url: str) -> BinaryIO:
    """Return a nameless copy of a remote file."""

    def transfer() -> BinaryIO:
        system, path = file_system(url)
        copy = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115 - whoever asks closes it
        try:
            with system.open(path, "rb") as original:
                shutil.copyfileobj(original, copy, _COPY_BYTES)
        except BaseException:
            copy.close()
            raise
        return copy

    try:
        file = patiently(transfer)
    except FileNotFoundError:
        raise ImageError("This file does not exist; check the name.") from None
    except PermissionError:
        raise ImageError("This file may not be read; change its permissions.") from None
    except IsADirectoryError:
        raise ImageError(
            "This is a folder, not an image; give it as an input of its own."
        ) from None
    except UsageError:
        raise
    except Exception as error:
        text = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"This file can not be fetched ({text}); try again.") from error
    if not file.tell():
        file.close()
        raise ImageError("This file is empty (0 bytes); copy or scan it again.")
    return file
