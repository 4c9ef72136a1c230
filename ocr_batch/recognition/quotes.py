"""Set quotation marks close to what they quote."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ocr_batch.recognition.charset import CLASSES
from ocr_batch.recognition.decoder import Reading

__all__ = ["close_quotes"]

_OPENING = CLASSES.index("“")
_CLOSING = CLASSES.index("”")


def close_quotes(reading: Reading) -> Reading:
    """Take away the spaces inside quotation marks, as old books set them.

    Parameters
    ----------
    reading : Reading

    Returns
    -------
    Reading
        No space after “ and before ”.
    """
    label = reading.label
    if len(label) < 2:
        return reading
    same = np.r_[False, reading.line[1:] == reading.line[:-1]]
    inside = np.r_[False, label[:-1] == _OPENING] | (label == _CLOSING)
    return replace(reading, space=reading.space & ~(same & inside))
