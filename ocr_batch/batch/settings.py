"""Name what decides, besides the input, what stands in the files of a page."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING

from ocr_batch import __version__
from ocr_batch.batch.journal import Settings
from ocr_batch.recognition.bundle import CARD, checksum, find_bundle
from ocr_batch.recognition.classifier import choose_backend

if TYPE_CHECKING:
    from ocr_batch.batch.job import RenderJob

__all__ = ["settings_of"]


def settings_of(job: RenderJob) -> Settings:
    """Return the settings of a job: what changes the bytes of its files, and nothing else.

    The bundle stands there with the hash of its card, which holds those of its other files.

    Raises
    ------
    BundleError
        If the bundle is not there.
    UsageError
        If the back end can not run it.
    """
    folder = find_bundle(job.pages.model)
    backend = choose_backend(folder, job.pages.backend)
    values: dict[str, object] = {
        "ocr-batch": __version__,
        "model": checksum(folder / CARD),
        "backend": backend,
        "options": asdict(job.pages.options),
        "formats": sorted(job.formats),
        "style": asdict(job.style),
    }
    if backend == "keras":
        # Its scores differ in their last digits with what it runs on and with the batch.
        values["keras"] = [os.environ.get("KERAS_BACKEND", ""), job.pages.batch]
    return Settings.of(values, {"name": folder.name})
