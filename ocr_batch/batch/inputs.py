"""Find the files to read: on this machine, or behind URLs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from ocr_batch.batch.storage import find_below, is_url
from ocr_batch.errors import InputError, UsageError

__all__ = ["SUFFIXES", "Found", "find_inputs"]

#: Suffixes of files that are taken for pages.
SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in (
        *("png", "jpg", "jpeg", "jpe", "jfif", "tif", "tiff", "bmp", "dib", "webp", "gif", "pdf"),
        *("jp2", "j2k", "jpf", "jpx", "j2c", "jpc", "pnm", "pbm", "pgm", "ppm"),
    )
)
_WILD = re.compile(r"[*?[]")
_DIGITS = re.compile(r"([0-9]+)")


@dataclass(frozen=True)
class Found:
    """A file to read.

    Attributes
    ----------
    path : Path or str
        As given, or below a folder as given; a str is a URL. It need not exist: then reading it
        fails.
    name : str
        Where it belongs in the output tree, extension included: "a/b.png".
    """

    path: Path | str
    name: str

    @property
    def local(self) -> Path:
        """The path; raises `UsageError` for a URL."""
        if isinstance(self.path, str):
            raise UsageError(
                f"{self.path} is a URL, which only `read` takes. Copy the files to a folder first."
            )
        return self.path


def find_inputs(
    arguments: Sequence[str],
    *,
    listing: Iterable[str] | None = None,
    exclude: Path | str | None = None,
) -> list[Found]:
    """Find the files that the arguments mean, each once.

    A file keeps its name whatever its extension. Below a folder come the files with the extension
    of an image, at any depth, hidden ones left out; page2 stands before page10. A pattern that the
    shell left alone is expanded here, ``**`` included. ``-`` stands for the listing. URLs such as
    ``s3://bucket/scans`` mean files, folders and patterns alike.

    In the output tree a file stands at the root, the files of a folder as they stand in it, those
    of a pattern as they stand in the pattern's last folder without a wildcard, and those of the
    listing with all their folders as written.

    Parameters
    ----------
    arguments : sequence of str
        Files, folders, patterns, ``-``.
    listing : iterable of str, optional
        What ``-`` stands for: files or folders, a line each, or separated by NUL.
    exclude : Path or str, optional
        The output folder, or its URL: not searched where it lies inside a folder to be read.

    Returns
    -------
    list of Found
        In the order of the arguments. What does not exist is kept beside what does, so that it is
        reported as failed.

    Raises
    ------
    InputError
        Nothing was found.
    """
    search = _Search(exclude)
    listed = list(listing) if "-" in arguments and listing is not None else []
    for argument in arguments:
        if not argument:
            raise InputError("An input has an empty name; check the variables of your script.")
        path = Path(argument)
        if argument == "-":
            for entry in _entries(listed):
                name = _below_root(entry)
                if is_url(entry):
                    search.add_url(entry, file_name=name, folder_name=name)
                else:
                    search.add(Path(entry), file_name=name, folder_name=name)
        elif is_url(argument):
            search.add_url(argument, file_name="", folder_name="")
        elif _WILD.search(argument) and not os.path.lexists(argument):
            search.add_pattern(path)
        else:
            search.add(path, file_name=path.name, folder_name="")
    if search.exists:
        return search.found
    if search.found:
        raise InputError(f"Nothing to read: there is no {search.found[0].path}; check the name.")
    raise InputError(
        "Nothing to read: no image was found; give files, or folders that hold "
        "PNG, JPEG, TIFF, BMP, WebP, JPEG 2000 or PDF files."
    )


class _Search:
    """Gather files, each once."""

    def __init__(self, exclude: Path | str | None) -> None:
        self.found: list[Found] = []
        self.exists = False
        self._output = exclude.resolve() if isinstance(exclude, Path) else None
        self._output_url = f"{exclude.rstrip('/')}/" if isinstance(exclude, str) else None
        self._seen: set[Path | str] = set()
        self._resolved: dict[Path, Path] = {}

    def add(self, path: Path, *, file_name: str, folder_name: str) -> None:
        """Add a file, all of a folder, or something that does not exist."""
        if path.is_dir():
            self._add_folder(path, folder_name)
        else:
            self._add_file(path, file_name)

    def add_url(self, url: str, *, file_name: str, folder_name: str) -> None:
        """Add what a URL means: of a folder or a pattern images only, hidden ones left out."""
        found = sorted(find_below(url), key=lambda pair: _in_order(pair[1]))
        for place, name in found:
            if place == url:
                self._add_url(place, file_name or name)
                continue
            output = self._output_url and place.startswith(self._output_url)
            if output and not url.startswith(str(self._output_url)):
                continue
            hidden = any(part.startswith(".") for part in name.split("/"))
            if _is_image(name) and not hidden:
                self._add_url(place, str(PurePosixPath(folder_name, name)))
        if not found:
            self.found.append(Found(url, file_name or PurePosixPath(url).name))

    def _add_url(self, url: str, name: str) -> None:
        if url not in self._seen:
            self._seen.add(url)
            self.found.append(Found(url, name))
            self.exists = True

    def add_pattern(self, pattern: Path) -> None:
        """Add what a pattern matches: of files, images only unless it names an extension."""
        wild = next(at for at, part in enumerate(pattern.parts) if _WILD.search(part))
        base = Path(*pattern.parts[:wild])
        any_suffix = bool(pattern.suffix) and not _WILD.search(pattern.suffix)
        matches = set(self._expand(base, pattern.parts[wild:]))
        folders = set[Path]()
        for path in sorted(matches, key=lambda match: _in_order(str(match))):
            if not folders.isdisjoint(path.parents) or self._is_output(path, base):
                continue
            name = path.relative_to(base).as_posix()
            if path.is_dir():
                folders.add(path)
                self._add_folder(path, name)
            elif any_suffix or _is_image(path.name):
                self._add_file(path, name)
        if not matches:
            self._add_file(pattern, pattern.name)

    def _expand(self, base: Path, parts: Sequence[str]) -> Iterator[Path]:
        """Expand a pattern below a folder; unlike glob's, this ``**`` ends in a circle of links."""
        if not parts or set(parts) == {"**"}:
            if os.path.lexists(base):
                yield base
            return
        head, rest = parts[0], parts[1:]
        if head == "**":
            for folder, _, _ in self._walk(base):
                yield from self._expand(folder, rest)
        elif not _WILD.search(head):
            yield from self._expand(base / head, rest)
        else:
            entries: list[Path] = []
            with suppress(OSError):
                entries = list(base.iterdir())
            for entry in entries:
                hidden = entry.name.startswith(".") and not head.startswith(".")
                if not hidden and fnmatchcase(entry.name, head):
                    yield from self._expand(entry, rest)

    def _add_folder(self, top: Path, name: str) -> None:
        inside: list[tuple[str, Path]] = []
        for folder, files, readable in self._walk(top):
            below = PurePosixPath(name, folder.relative_to(top).as_posix())
            if not readable:
                # Listed, so that it is reported and not passed over in silence.
                inside.append((below.as_posix(), folder))
            inside.extend(((below / file).as_posix(), folder / file) for file in files)
        for inside_name, path in sorted(inside, key=lambda pair: _in_order(pair[0])):
            self._add_file(path, inside_name if inside_name != "." else path.name)

    def _walk(self, top: Path) -> Iterator[tuple[Path, list[str], bool]]:
        """Yield folders below `top`, their images, and whether they could be read.

        Links to folders come last, and none is entered twice: so a circle of links ends, and a
        file has the name it has by its real folders.
        """
        folders, links = [top], list[Path]()
        entered = set[Path]()
        while folders or links:
            folder = folders.pop() if folders else links.pop(0)
            real = self._real(folder)
            if real in entered:
                continue
            entered.add(real)
            files = []
            try:
                with os.scandir(folder) as entries:
                    for entry in sorted(entries, key=lambda entry: entry.name):
                        if entry.name.startswith("."):
                            continue
                        if _is_folder(entry):
                            if not self._is_output(folder / entry.name, folder):
                                (links if entry.is_symlink() else folders).append(
                                    folder / entry.name
                                )
                        elif _is_image(entry.name):
                            files.append(entry.name)
            except OSError:
                yield folder, files, False
            else:
                yield folder, files, True

    def _is_output(self, path: Path, base: Path) -> bool:
        """Tell whether a path lies in the output folder, and the folder it was met in does not."""
        if self._output is None:
            return False
        outside = not self._real(base).is_relative_to(self._output)
        return outside and self._real(path).is_relative_to(self._output)

    def _real(self, path: Path) -> Path:
        """Resolve links, of one folder once."""
        if path not in self._resolved:
            self._resolved[path] = path.resolve()
        return self._resolved[path]

    def _add_file(self, path: Path, name: str) -> None:
        # A link to a file is a file of its own, but one file may be reached by several folders.
        key = self._real(path.parent) / path.name
        if key not in self._seen:
            self._seen.add(key)
            self.found.append(Found(path, name))
            self.exists = self.exists or os.path.lexists(path)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_image(name: str) -> bool:
    return not name.startswith(".") and PurePosixPath(name).suffix.lower() in SUFFIXES


def _in_order(name: str) -> tuple[list[tuple[int, int | str]], str]:
    """Sort key for paths: by folder, and numbers by value."""
    pieces: list[tuple[int, int | str]] = []
    for part in PurePosixPath(name).parts:
        for index, piece in enumerate(_DIGITS.split(part)):
            pieces.append((1, int(piece)) if index % 2 else (2, piece))
        pieces.append((0, 0))
    return pieces, name


def _entries(listing: Sequence[str]) -> Iterator[str]:
    """Split a listing at NULs when it has any, else take a line each."""
    if any("\0" in line for line in listing):
        entries = "".join(listing).split("\0")
    else:
        entries = [line.rstrip("\r\n") for line in listing]
    return (entry for entry in entries if entry)


def _below_root(path: str) -> str:
    """Return a listed path with all its folders, but below the output folder."""
    if is_url(path):
        path = path.partition("://")[2].strip("/")
    pure = Path(os.path.normpath(path))
    parts = [part for part in pure.parts if part not in ("..", pure.anchor)]
    return PurePosixPath(*parts).as_posix()
