"""How pages are read, apart from what reads them: a run names it before it loads anything."""

from __future__ import annotations

from dataclasses import dataclass, field

from ocr_batch.recognition.options import DecoderOptions

__all__ = ["ReadOptions"]


@dataclass(frozen=True)
class ReadOptions:
    """How pages are read.

    Attributes
    ----------
    deskew : bool
        Level pages that show a clear angle.
    orient : bool
        Try pages that read badly on their side and on their head.
    decoder : DecoderOptions
        Weights of the decoder.
    """

    deskew: bool = True
    orient: bool = True
    decoder: DecoderOptions = field(default_factory=DecoderOptions)
