"""Find the pages of a TIFF by walking its chain of directories.

Pillow walks the chain too, but gives up at the first directory it can not use. Walking it here
counts the pages of a damaged file, and finds the good ones behind a bad one.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import BinaryIO

__all__ = ["TiffPage", "find_pages", "starting_at"]

_SUBFILE_TYPE = 254
_REDUCED_OR_MASK = 0b101


@dataclass(frozen=True)
class TiffPage:
    """One page of a TIFF.

    Attributes
    ----------
    frame : int
        Index of its directory in the chain, thumbnails counted.
    offset : int
        Where the directory lies in the file.
    error : str
        Why the directory can not be read, or "".
    """

    frame: int
    offset: int
    error: str = ""


@dataclass(frozen=True)
class _Layout:
    """How numbers are written in a file: classic TIFF or BigTIFF, either byte order."""

    pointer_at: int
    pointer: struct.Struct
    count: struct.Struct
    entry_size: int
    value_at: int
    order: str


def _layout(header: bytes) -> _Layout | None:
    order = {b"II": "<", b"MM": ">"}.get(header[:2])
    if order is None or len(header) < 8:
        return None
    version = struct.unpack(order + "H", header[2:4])[0]
    if version == 42:
        return _Layout(4, struct.Struct(order + "I"), struct.Struct(order + "H"), 12, 8, order)
    if version == 43 and len(header) >= 16:
        return _Layout(8, struct.Struct(order + "Q"), struct.Struct(order + "Q"), 20, 12, order)
    return None


def find_pages(file: BinaryIO) -> list[TiffPage]:
    """List the pages of a TIFF, without its thumbnails and masks.

    Parameters
    ----------
    file : binary file
        Open and seekable; its position is moved.

    Returns
    -------
    list of TiffPage
        Empty when the file is not a TIFF. Where the chain breaks, the last one has an `error`.
    """
    file.seek(0)
    header = file.read(16)
    layout = _layout(header)
    if layout is None:
        return []
    (offset,) = layout.pointer.unpack_from(header, layout.pointer_at)
    pages: list[TiffPage] = []
    seen: set[int] = set()
    while not seen or (offset and offset not in seen):
        frame = len(seen)
        seen.add(offset)
        directory = _read_directory(file, offset, layout)
        if directory is None:
            # What lies behind a lost directory is lost with it: it holds the next one's place.
            error = (
                "This page's directory lies outside the file, so that this page and any behind "
                "it are lost: the file is damaged or cut short; copy or scan it again."
            )
            pages.append(TiffPage(frame, offset, error))
            break
        subfile_type, following = directory
        if frame == 0 or not subfile_type & _REDUCED_OR_MASK:
            pages.append(TiffPage(frame, offset))
        offset = following
    return pages


def _read_directory(file: BinaryIO, offset: int, layout: _Layout) -> tuple[int, int] | None:
    """Return a directory's subfile type and the offset of the next directory."""
    if not 8 <= offset < 2**63:
        return None
    file.seek(offset)
    start = file.read(layout.count.size)
    if len(start) < layout.count.size:
        return None
    (entries,) = layout.count.unpack(start)
    if not 1 <= entries <= 65535:
        return None
    body = file.read(entries * layout.entry_size + layout.pointer.size)
    table = entries * layout.entry_size
    # Some writers leave out the last pointer, a zero, at the very end of the file.
    if len(body) < table:
        return None
    subfile_type = 0
    for at in range(0, table, layout.entry_size):
        (tag,) = struct.unpack_from(layout.order + "H", body, at)
        if tag == _SUBFILE_TYPE:
            (subfile_type,) = struct.unpack_from(layout.order + "I", body, at + layout.value_at)
    following = 0
    if len(body) >= table + layout.pointer.size:
        (following,) = layout.pointer.unpack_from(body, table)
    return subfile_type, following


def starting_at(file: BinaryIO, page: TiffPage) -> BinaryIO:
    """Return a copy of the file in memory whose first directory is that of `page`."""
    file.seek(0)
    data = bytearray(file.read())
    layout = _layout(bytes(data[:16]))
    if layout is not None:
        layout.pointer.pack_into(data, layout.pointer_at, page.offset)
    return io.BytesIO(data)
