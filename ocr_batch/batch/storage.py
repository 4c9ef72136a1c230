"""Name folders alike wherever they are: on this machine, or behind a URL of fsspec's."""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Protocol

from ocr_batch.errors import InputError, OutputError
from ocr_batch.imaging.remote import file_system, is_url, patiently
from ocr_batch.output.files import DRAFT, make_folder, remove_drafts, remove_file, write_atomic

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = [
    "Folder",
    "LocalFolder",
    "RemoteFolder",
    "find_below",
    "first_bytes",
    "is_url",
    "open_folder",
]

_WILD = re.compile(r"[*?[]")
#: Files that are written to a remote folder at a time.
_THREADS = 16
#: Files that may wait for that; then whoever writes waits.
_WAITING = 256
#: Where a file that is written appears as a whole or not at all, and folders need not be made.
_OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oss", "memory"})


class Folder(Protocol):
    """An output folder. Names are posix paths within it."""

    def place(self, name: str) -> str:
        """Return where a file is, for messages."""
        ...

    def read(self, name: str) -> bytes | None:
        """Return the content of a file, None where there is none; raises `OutputError`."""
        ...

    def write(self, name: str, data: str | bytes) -> None:
        """Write a file as a whole, text as UTF-8; raises `OutputError`.

        It may be there only after `finish`, and so may the error, which is then raised by whatever
        comes next, and again by all that comes after that.
        """
        ...

    def finish(self) -> None:
        """Wait until all that was written is there; raises `OutputError`."""
        ...

    def size(self, name: str) -> int | None:
        """Return the bytes of a file that was there when the folder was opened, or None.

        Raises `OutputError` when that can not be found out.
        """
        ...

    def remove(self, name: str) -> None:
        """Remove a file if it is there; raises `OutputError`."""
        ...

    def remove_drafts(self) -> None:
        """Remove what a process that was killed had begun to write."""
        ...


class LocalFolder:
    """A folder of this machine.

    Parameters
    ----------
    path : Path
        Made when it does not exist.

    Raises
    ------
    OutputError
        When it can not be made.
    """

    def __init__(self, path: Path) -> None:
        make_folder(path)
        self._path = path

    def place(self, name: str) -> str:
        """Return where a file is, for messages."""
        return str(self._path / name)

    def read(self, name: str) -> bytes | None:
        """Return the content of a file, None where there is none; raises `OutputError`."""
        try:
            return (self._path / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OutputError(
                f"Can not read {self.place(name)}: {error.strerror or error}. Mend the "
                "permissions, or choose another output folder."
            ) from error

    def write(self, name: str, data: str | bytes) -> None:
        """Write a file as a whole, text as UTF-8; raises `OutputError`."""
        write_atomic(self._path / name, data)

    def finish(self) -> None:
        """Do nothing: all that was written is there."""

    def size(self, name: str) -> int | None:
        """Return the bytes of a file, or None."""
        try:
            return (self._path / name).stat().st_size
        except OSError:
            return None

    def remove(self, name: str) -> None:
        """Remove a file if it is there; raises `OutputError`."""
        remove_file(self._path / name)

    def remove_drafts(self) -> None:
        """Remove what a process that was killed had begun to write."""
        remove_drafts(self._path)


class RemoteFolder:
    """A folder behind a URL, written to by several threads.

    Parameters
    ----------
    url : str

    Raises
    ------
    UsageError
        When this kind of URL can not be used here.
    """

    def __init__(self, url: str) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self._url = url.rstrip("/")
        self._system, root = file_system(self._url)
        self._root = root.rstrip("/")
        protocol = self._system.protocol
        protocols = {protocol} if isinstance(protocol, str) else set(protocol)
        self._whole = not protocols.isdisjoint(_OBJECT_STORES)
        self._threads = ThreadPoolExecutor(_THREADS, "output")
        self._writing: dict[str, Future[None]] = {}
        #: Why the first file that could not be written was not. Nobody may take a later one, or
        #: the whole, for written after that.
        self._broken: OutputError | None = None
        self._sizes: dict[str, int] | None = None

    def place(self, name: str) -> str:
        """Return where a file is, for messages."""
        return f"{self._url}/{name}"

    def read(self, name: str) -> bytes | None:
        """Return the content of a file, None where there is none; raises `OutputError`."""
        try:
            return bytes(patiently(lambda: self._system.cat_file(f"{self._root}/{name}")))
        except FileNotFoundError:
            return None
        except Exception as error:
            raise self._refused("read", name, error) from error

    def write(self, name: str, data: str | bytes) -> None:
        """Write a file as a whole, text as UTF-8; raises `OutputError` of earlier files too.

        The file is there after `finish` only.
        """
        content = data.encode("utf-8", "backslashreplace") if isinstance(data, str) else data
        self._await(name)
        if len(self._writing) >= _WAITING:
            done = [other for other, future in self._writing.items() if future.done()]
            self._await(*(done or list(self._writing)[:1]))
        self._writing[name] = self._threads.submit(self._put, name, content)

    def finish(self) -> None:
        """Wait until all that was written is there; raises `OutputError`."""
        self._await(*self._writing)

    def _await(self, *names: str) -> None:
        """Wait until files are there; raise the first error, now and ever after."""
        from concurrent.futures import wait

        for name in names:
            if self._broken is None and name in self._writing:
                try:
                    self._writing[name].result()
                except OutputError as error:
                    self._broken = error
                else:
                    # Not before: an interrupt while we wait must not lose sight of the file.
                    del self._writing[name]
        if self._broken is not None:
            for future in self._writing.values():
                future.cancel()
            # Nothing is written any more when the folder is given up.
            wait(self._writing.values())
            raise self._broken

    def size(self, name: str) -> int | None:
        """Return the bytes of a file that was there when this was first asked, or None.

        Raises `OutputError` when the folder can not be listed.
        """
        if self._sizes is None:
            found = self._list()
            start = len(self._root) + 1
            self._sizes = {path[start:]: facts["size"] or 0 for path, facts in found.items()}
        return self._sizes.get(name)

    def _list(self) -> dict[str, dict[str, Any]]:
        try:
            return dict(patiently(lambda: self._system.find(self._root, detail=True)))
        except FileNotFoundError:
            return {}
        except Exception as error:
            raise self._refused("list", "", error) from error

    def remove(self, name: str) -> None:
        """Remove a file if it is there; raises `OutputError`."""
        self._await(name)
        try:
            patiently(lambda: self._system.rm_file(f"{self._root}/{name}"))
        except FileNotFoundError:
            pass
        except Exception as error:
            raise self._refused("remove", name, error) from error

    def remove_drafts(self) -> None:
        """Remove what a process that was killed had begun to write."""
        if self._whole:
            return
        start, end = DRAFT
        found: Iterable[str] = ()
        with contextlib.suppress(OutputError):
            found = self._list()
        for path in found:
            name = PurePosixPath(path).name
            if name.startswith(start) and name.endswith(end):
                with contextlib.suppress(Exception):
                    self._system.rm_file(path)

    def _refused(self, deed: str, name: str, error: Exception) -> OutputError:
        return OutputError(
            f"Can not {deed} {self.place(name)}: {_reason(error)}. Check the address and your "
            "rights, or choose another output folder."
        )

    def _put(self, name: str, content: bytes) -> None:
        try:
            patiently(lambda: self._put_once(f"{self._root}/{name}", content))
        except Exception as error:
            raise self._refused("write", name, error) from error

    def _put_once(self, path: str, content: bytes) -> None:
        if self._whole:
            self._system.pipe_file(path, content)
            return
        parent = path.rpartition("/")[0]
        self._system.makedirs(parent, exist_ok=True)
        draft = f"{parent}/{secrets.token_hex(8).join(DRAFT)}"
        try:
            self._system.pipe_file(draft, content)
            self._system.mv(draft, path)
        except BaseException:
            with contextlib.suppress(Exception):
                self._system.rm_file(draft)
            raise


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def open_folder(target: str) -> Folder:
    """Return an output folder.

    Parameters
    ----------
    target : str
        Path or URL.

    Raises
    ------
    OutputError
        When it can not be made.
    UsageError
        When this kind of URL can not be used here.
    """
    return RemoteFolder(target) if is_url(target) else LocalFolder(Path(target))


def find_below(url: str) -> Iterator[tuple[str, str]]:
    """Yield the files that a URL means: itself, what is below it, or what its pattern matches.

    Parameters
    ----------
    url : str
        Of a file or a folder, or with wildcards.

    Yields
    ------
    (str, str)
        URL of a file, and its name: that of a file itself, of others the path from the folder, or
        from the last folder without a wildcard. In no order. Nothing when there is no such file.

    Raises
    ------
    UsageError
        When this kind of URL can not be used here.
    InputError
        When the storage can not be searched.
    """
    base = url.rstrip("/")
    system, path = file_system(base)
    try:
        found = _search(system, path)
        if found is None and (wild := _WILD.search(base, base.index("://") + 3)):
            pattern, base = path, base[: base.rindex("/", 0, wild.start())]
            found = patiently(lambda: system.glob(pattern, detail=True))
            path = file_system(base)[1]
    except Exception as error:
        raise InputError(
            f"{url} can not be searched: {_reason(error)}. Check the address and your rights."
        ) from error
    for place, information in (found or {}).items():
        if information["type"] != "file":
            continue
        name = place[len(path) :].lstrip("/")
        # As it was written, so that what stands before the path holds for the file as well.
        yield (f"{base}/{name}", name) if name else (url, PurePosixPath(place).name)


def first_bytes(url: str) -> bytes:
    """Return the first kilobyte of a file; nothing when it can not be read."""
    with contextlib.suppress(Exception):
        system, path = file_system(url)
        return bytes(system.read_block(path, 0, 1024))
    return b""


def _search(system: Any, path: str) -> dict[str, dict[str, Any]] | None:
    """Return a file, or all files below a folder, with what is known of them."""
    try:
        information = patiently(lambda: system.info(path))
    except FileNotFoundError:
        return None
    if information["type"] == "file":
        return {path: information}
    return dict(patiently(lambda: system.find(path, detail=True)))
