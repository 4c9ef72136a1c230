"""Give each file to be read a name of its own in the output folder."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ocr_batch.batch.inputs import SUFFIXES, Found
from ocr_batch.batch.storage import first_bytes, is_url
from ocr_batch.imaging.signatures import is_pdf, is_tiff

__all__ = ["Input", "assign_outputs", "page_stem"]

_PAGED_SUFFIXES = frozenset({".tif", ".tiff", ".pdf"})
_PAGE_OF = re.compile(r"(.+)-[0-9]{4,}")
# The summary of a run, at the root of the output folder.
_OUR_OWN = "pages"


@dataclass(frozen=True)
class Input:
    """A file to read, and where its output goes.

    Attributes
    ----------
    path : Path or str
        The file; a str is a URL.
    stem : str
        Posix path of the output relative to the output folder, without extension: "a/b".
    """

    path: Path | str
    stem: str

    @property
    def local(self) -> Path:
        """The path; raises `UsageError` for a URL."""
        return Found(self.path, self.stem).local


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
        path = source if is_url(source) else Path(source)
        if names.take(stem, path):
            earlier[_absolute(path)] = stem
    inputs = []
    for item in found:
        stem = earlier.pop(_absolute(item.path), "")
        inputs.append(Input(item.path, stem or names.choose(item)))
    return inputs


def _absolute(path: Path | str) -> str:
    return path if isinstance(path, str) else os.path.normpath(path.absolute())


def page_stem(stem: str, number: int, pages: int) -> str:
    """Return the output name of page `number` (from 1) of a file of so many `pages`."""
    return stem if pages <= 1 else f"{stem}-{number:04d}"


class _Names:
    """Output names that are taken, and by which file."""

    def __init__(self) -> None:
        self._taken: dict[str, Path | str | None] = {_key(_OUR_OWN): None}
        self._have_pages: set[str] = set()
        self._last_number: dict[str, int] = {}

    def take(self, stem: str, path: Path | str) -> bool:
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

    def _is_free(self, stem: str, path: Path | str) -> bool:
        key = _key(stem)
        if key in self._have_pages and _may_have_pages(path):
            return False
        match = _PAGE_OF.fullmatch(key)
        owner = self._taken.get(match[1]) if match else None
        return owner is None or not _may_have_pages(owner)


def _key(stem: str) -> str:
    folded = unicodedata.normalize("NFC", stem).casefold()
    return unicodedata.normalize("NFC", folded)


def _may_have_pages(path: Path | str) -> bool:
    """Tell whether a file can have several pages: by its name, else by its first bytes."""
    if PurePosixPath(path).suffix.lower() in _PAGED_SUFFIXES:
        return True
    if isinstance(path, str):
        start = first_bytes(path)
        return is_tiff(start) or is_pdf(start)
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            start = file.read(1024)
    except (OSError, ValueError):
        return False
    return is_tiff(start) or is_pdf(start)
