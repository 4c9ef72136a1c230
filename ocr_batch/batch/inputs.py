"""Find the files to read, and give each a name of its own in the output folder."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from ocr_batch.errors import InputError
from ocr_batch.imaging.pdf import is_pdf

__all__ = ["SUFFIXES", "Found", "Input", "assign_outputs", "find_inputs", "page_stem"]

#: Suffixes of files that are taken for pages.
SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in (
        *("png", "jpg", "jpeg", "jpe", "jfif", "tif", "tiff", "bmp", "dib", "webp", "gif", "pdf"),
        *("jp2", "j2k", "jpf", "jpx", "j2c", "jpc", "pnm", "pbm", "pgm", "ppm"),
    )
)
_PAGED_SUFFIXES = frozenset({".tif", ".tiff", ".pdf"})
_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PAGE_OF = re.compile(r"(.+)-[0-9]{4,}")
_WILD = re.compile(r"[*?[]")
_DIGITS = re.compile(r"([0-9]+)")
# The summary of a run, at the root of the output folder.
_OUR_OWN = "pages"


@dataclass(frozen=True)
class Found:
    """A file to read.

    Attributes
    ----------
    path : Path
        As given, or below a folder as given. It need not exist: then reading it fails.
    name : str
        Where it belongs in the output tree, extension included: "a/b.png".
    """

    path: Path
    name: str


@dataclass(frozen=True)
class Input:
    """A file to read, and where its output goes.

    Attributes
    ----------
    path : Path
        The file.
    stem : str
        Posix path of the output relative to the output folder, without extension: "a/b".
    """

    path: Path
    stem: str


def find_inputs(
    arguments: Sequence[str],
    *,
    listing: Iterable[str] | None = None,
    exclude: Path | None = None,
) -> list[Found]:
    """Find the files that the arguments mean, each once.

    A file keeps its name whatever its extension. Below a folder come the files with the extension
    of an image, at any depth, hidden ones left out; page2 stands before page10. A pattern that the
    shell left alone is expanded here, ``**`` included. ``-`` stands for the listing.

    In the output tree a file stands at the root, the files of a folder as they stand in it, those
    of a pattern as they stand in the pattern's last folder without a wildcard, and those of the
    listing with all their folders as written.

    Parameters
    ----------
    arguments : sequence of str
        Files, folders, patterns, ``-``.
    listing : iterable of str, optional
        What ``-`` stands for: files or folders, a line each, or separated by NUL.
    exclude : Path, optional
        The output folder: not searched where it lies inside a folder to be read.

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
                search.add(
                    Path(entry), file_name=_below_root(entry), folder_name=_below_root(entry)
                )
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

    def __init__(self, exclude: Path | None) -> None:
        self.found: list[Found] = []
        self.exists = False
        self._output = exclude.resolve() if exclude is not None else None
        self._seen: set[Path] = set()
        self._resolved: dict[Path, Path] = {}

    def add(self, path: Path, *, file_name: str, folder_name: str) -> None:
        """Add a file, all of a folder, or something that does not exist."""
        if path.is_dir():
            self._add_folder(path, folder_name)
        else:
            self._add_file(path, file_name)

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
    pure = Path(os.path.normpath(path))
    parts = [part for part in pure.parts if part not in ("..", pure.anchor)]
    return PurePosixPath(*parts).as_posix()


def assign_outputs(
    found: Iterable[Found], previous: Mapping[str, str] | None = None
) -> list[Input]:
    """Give every file an output name that no other has, now or in an earlier run.

    The rule: a file is called as it is named, without extension (``b``). Where that is taken, its
    extension stays (``b.jpg``); where that is taken too, it is numbered (``b.jpg~2``). First come,
    first served, and earlier runs came first. Letters that differ in case only, or in the way
    their accents are encoded, count as the same; ``pages`` at the root is taken by the summary;
    and a file that can have pages does not take ``b`` while something else has ``b-0001``.

    Parameters
    ----------
    found : iterable of Found
        The files of this run.
    previous : mapping of str to str, optional
        Path and stem of each file that was read into this output folder before.

    Returns
    -------
    list of Input
        In the order of `found`.
    """
    names = _Names()
    earlier: dict[str, str] = {}
    for source, stem in (previous or {}).items():
        if names.take(stem, Path(source)):
            earlier[_absolute(Path(source))] = stem
    inputs = []
    for item in found:
        stem = earlier.pop(_absolute(item.path), "")
        inputs.append(Input(item.path, stem or names.choose(item)))
    return inputs


def _absolute(path: Path) -> str:
    return os.path.normpath(path.absolute())


def page_stem(stem: str, number: int, pages: int) -> str:
    """Return the output name of page `number` (from 1) of a file of so many `pages`."""
    return stem if pages <= 1 else f"{stem}-{number:04d}"


class _Names:
    """Output names that are taken, and by which file."""

    def __init__(self) -> None:
        self._taken: dict[str, Path | None] = {_key(_OUR_OWN): None}
        self._have_pages: set[str] = set()
        self._last_number: dict[str, int] = {}

    def take(self, stem: str, path: Path) -> bool:
        """Take a name unless another file has that very name."""
        key = _key(stem)
        if key in self._taken:
            return False
        self._taken[key] = path
        if match := _PAGE_OF.fullmatch(key):
            self._have_pages.add(match[1])
        return True

    def choose(self, found: Found) -> str:
        """Take the first free name for a file."""
        name, suffix = found.name, PurePosixPath(found.name).suffix
        short = name[: -len(suffix)] if suffix.lower() in SUFFIXES else name
        number = self._last_number.get(_key(name), 1)
        stem = short if number == 1 else f"{name}~{number}"
        while not (self._is_free(stem, found.path) and self.take(stem, found.path)):
            if stem == short != name:
                stem = name
            else:
                number += 1
                stem = f"{name}~{number}"
        self._last_number[_key(name)] = number
        return stem

    def _is_free(self, stem: str, path: Path) -> bool:
        key = _key(stem)
        if key in self._have_pages and _may_have_pages(path):
            return False
        match = _PAGE_OF.fullmatch(key)
        owner = self._taken.get(match[1]) if match else None
        return owner is None or not _may_have_pages(owner)


def _key(stem: str) -> str:
    folded = unicodedata.normalize("NFC", stem).casefold()
    return unicodedata.normalize("NFC", folded)


def _may_have_pages(path: Path) -> bool:
    """Tell whether a file can have several pages: by its name, else by its first bytes."""
    suffix = path.suffix.lower()
    if suffix in _PAGED_SUFFIXES:
        return True
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            start = file.read(1024)
    except (OSError, ValueError):
        return False
    return start.startswith(_TIFF_STARTS) or is_pdf(start)
