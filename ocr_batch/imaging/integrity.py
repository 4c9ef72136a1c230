"""Check what decoders let pass: damage that would come out as a wrong picture, not as an error."""

from __future__ import annotations

import io
import zlib
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from ocr_batch.errors import ImageError

__all__ = ["check_fax", "check_png"]

_PNG_SIGNATURE_SIZE = 8
_GROUP_4 = 4
_COMPRESSION, _FILL_ORDER, _STRIP_OFFSETS, _STRIP_SIZES = 259, 266, 273, 279
# Every strip of Group 4 ends with this mark of 24 bits, padded to a byte or a few.
_END_OF_FAX_BLOCK, _END_BITS, _END_BYTES = 0x001001, 24, 8
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
# Encoders differ little: the same picture packs to the same size within a few per cent.
_SIZE_TOLERANCE, _SIZE_SLACK = 0.15, 256


def check_png(file: BinaryIO) -> None:
    """Compare the check sums of a PNG's chunks of pixels; raises ImageError when one is wrong.

    A file that ends behind its pixels but without the closing chunk passes: nothing is lost.
    """
    file.seek(_PNG_SIGNATURE_SIZE)
    while len(head := file.read(8)) == 8:
        size, kind = int.from_bytes(head[:4], "big"), head[4:]
        if kind != b"IDAT":
            if kind == b"IEND":
                return
            file.seek(size + 4, io.SEEK_CUR)
            continue
        pixels, stored = file.read(size), file.read(4)
        if len(stored) < 4:
            # Cut short. Decoding tells whether pixels are missing.
            return
        if zlib.crc32(pixels, zlib.crc32(kind)) != int.from_bytes(stored, "big"):
            raise ImageError(
                "This PNG is damaged (a check sum of its pixels is wrong); copy or scan it again."
            )


def check_fax(image: Image.Image, file: BinaryIO, grey: NDArray[np.uint8]) -> None:
    """Raise ImageError when a Group 4 page decodes, but not to what was encoded.

    Group 4 has no check sum, and libtiff makes some picture of any bits. A page is held to be
    damaged when a strip lacks its end mark *and* the picture packs to quite another size: some
    encoders leave the mark out, and damage that leaves it in place can not be seen.

    Parameters
    ----------
    image : PIL.Image.Image
        The decoded page; other than Group 4 TIFF passes.
    file : binary file
        The file it was read from; its position is moved.
    grey : ndarray of uint8, shape (H, W)
        The picture, any side up.
    """
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return
    tags = image.tag_v2
    if tags.get(_COMPRESSION) != _GROUP_4 or _STRIP_SIZES not in tags:
        return
    sizes = tags[_STRIP_SIZES]
    for offset, size in zip(tags[_STRIP_OFFSETS], sizes, strict=True):
        file.seek(offset + max(0, size - _END_BYTES))
        tail = file.read(min(size, _END_BYTES))
        if not _ends_fax_block(tail, reverse=tags.get(_FILL_ORDER) == 2):
            break
    else:
        return
    expected = _group_4_size(grey)
    if abs(sum(sizes) - expected) > _SIZE_TOLERANCE * expected + _SIZE_SLACK + 8 * len(sizes):
        raise ImageError("This page's Group 4 data is damaged; copy or scan it again.")


def _ends_fax_block(tail: bytes, *, reverse: bool) -> bool:
    if reverse:
        tail = tail.translate(_REVERSED)
    bits = int.from_bytes(tail, "big")
    mask = (1 << _END_BITS) - 1
    return any(
        bits >> shift & mask == _END_OF_FAX_BLOCK
        for shift in range(max(0, 8 * len(tail) - _END_BITS + 1))
    )


def _group_4_size(grey: NDArray[np.uint8]) -> int:
    packed = io.BytesIO()
    Image.fromarray(grey > 127).save(packed, "TIFF", compression="group4")
    return len(packed.getvalue())
