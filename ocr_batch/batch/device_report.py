"""What the process that classifies and the one that started it say to each other."""

from __future__ import annotations

from dataclasses import dataclass

from ocr_batch.errors import OcrBatchError

__all__ = ["HELLO_SECONDS", "DeviceReport", "Loaded", "NotLoaded"]

#: A process that connects introduces itself within so many seconds.
HELLO_SECONDS = 5.0


@dataclass(frozen=True)
class Loaded:
    """The model is loaded: the GPU's name, "" for none, and how many crops it gets at a time."""

    device: str
    batch: int


@dataclass(frozen=True)
class NotLoaded:
    """The model can not be loaded."""

    error: OcrBatchError


@dataclass(frozen=True)
class DeviceReport:
    """What the process that classifies has done.

    Attributes
    ----------
    device : str
        Name of the GPU, "" for none.
    batch : int
        Crops that are classified at a time.
    crops : int
        Crops classified.
    batches : int
        Batches they came in.
    busy : float
        Seconds that the device worked.
    late : float
        Seconds that it did not though crops waited.
    wall : float
        Seconds from the first crop to the last scores.
    deaths : int
        How often the process died and was started again.
    """

    device: str = ""
    batch: int = 0
    crops: int = 0
    batches: int = 0
    busy: float = 0.0
    late: float = 0.0
    wall: float = 0.0
    deaths: int = 0

    def __add__(self, other: DeviceReport) -> DeviceReport:
        """Return the report of two processes, of which the other came later."""
        return DeviceReport(
            other.device or self.device,
            other.batch or self.batch,
            self.crops + other.crops,
            self.batches + other.batches,
            self.busy + other.busy,
            self.late + other.late,
            self.wall + other.wall,
            self.deaths + other.deaths,
        )
