"""Classify images of isolated characters, gathered into batches over many files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ocr_batch.batch.inputs import find_inputs
from ocr_batch.errors import OcrBatchError, UsageError
from ocr_batch.imaging.load import BadPage, load_sheets, sheet_from_array
from ocr_batch.recognition.bundle import check_purpose, find_bundle, load_card
from ocr_batch.recognition.classifier import Classifier, load_classifier
from ocr_batch.segmentation.tight import fit_glyphs, to_ink

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    PathLike: TypeAlias = str | os.PathLike[str]
    Image: TypeAlias = NDArray[Any]

__all__ = [
    "DEFAULT_BATCH",
    "Classified",
    "Scan",
    "classify",
    "classify_scans",
    "load_glyph_classifier",
    "scan_files",
]

#: Images that are classified together.
DEFAULT_BATCH = 1024
#: Pixels that are held at once, however many images they are.
_MAX_PIXELS = 1 << 26
#: An image without a pixel as dark as this holds no character.
_FAINTEST = 32


@dataclass(frozen=True)
class Scan:
    """An image of one character, or the error that took its place.

    Attributes
    ----------
    source : str
        Path of the file, or "".
    number : int
        Page of the file, or place among images that have no file, from 1.
    single : bool
        True when the source holds this image only.
    image : (h, w) uint8 or None
    error : OcrBatchError or None
    is_ink : bool
        True when 255 is ink for sure; otherwise the image's border tells.
    """

    source: str
    number: int
    single: bool
    image: NDArray[np.uint8] | None
    error: OcrBatchError | None = None
    is_ink: bool = False


@dataclass(frozen=True)
class Classified:
    """What an image of one character shows.

    Attributes
    ----------
    source : str
        Path of the file, "" for an image from memory.
    number : int
        Page of the file, or place among the images given, from 1.
    single : bool
        True when the source holds this image only.
    labels : tuple of str
        What it may be, likeliest first; empty for a blank image and after an error.
    confidences : tuple of float
        Calibrated probabilities of the labels, 0..1.
    error : OcrBatchError or None
        Why the image could not be read.
    """

    source: str
    number: int
    single: bool = True
    labels: tuple[str, ...] = ()
    confidences: tuple[float, ...] = ()
    error: OcrBatchError | None = None

    @property
    def name(self) -> str:
        """Path of the file, with ``#`` and the page where it has several."""
        return self.source if self.single else f"{self.source}#{self.number}"

    @property
    def label(self) -> str:
        """The likeliest label; "" for a blank image and after an error."""
        return self.labels[0] if self.labels else ""

    @property
    def confidence(self) -> float:
        """Probability of the likeliest label, 0..1; 0 without one."""
        return self.confidences[0] if self.confidences else 0.0


def load_glyph_classifier(model: PathLike, backend: str = "auto") -> Classifier:
    """Load a bundle for isolated characters.

    Parameters
    ----------
    model : str or path
        Name of a shipped bundle, or path of a bundle's folder.
    backend : str
        "auto" or a name of `ocr_batch.recognition.classifier.BACKENDS`.

    Raises
    ------
    BundleError
        If the bundle is missing, damaged, or reads pages.
    """
    folder = find_bundle(model)
    check_purpose(folder, load_card(folder), pages=False)
    return load_classifier(folder, backend)


def scan_files(sources: Iterable[str]) -> Iterator[Scan]:
    """Decode files, each page as an image of one character; never raises `ImageError`."""
    for source in sources:
        pages = load_sheets(source)
        ahead = next(pages, None)
        single = True
        while ahead is not None:
            page, ahead = ahead, next(pages, None)
            single = single and ahead is None
            if isinstance(page, BadPage):
                yield Scan(source, page.number, single, None, page.error)
            else:
                yield Scan(source, page.number, single, page.grey)


def _scan_arrays(images: Iterable[Image]) -> Iterator[Scan]:
    for number, image in enumerate(images, 1):
        yield Scan("", number, False, sheet_from_array(image).grey)


def _chunks(scans: Iterable[Scan], batch: int) -> Iterator[list[Scan]]:
    """Gather images until there are enough of them, or of their pixels."""
    chunk: list[Scan] = []
    pixels = 0
    for scan in scans:
        chunk.append(scan)
        pixels += scan.image.size if scan.image is not None else 0
        if len(chunk) >= batch or pixels >= _MAX_PIXELS:
            yield chunk
            chunk, pixels = [], 0
    if chunk:
        yield chunk


def classify_scans(
    scans: Iterable[Scan], classifier: Classifier, *, top: int = 3, batch: int = DEFAULT_BATCH
) -> Iterator[Classified]:
    """Classify images as they come; memory is bounded however many they are.

    Parameters
    ----------
    scans : iterable of Scan
    classifier : Classifier
        From `load_glyph_classifier`.
    top : int
        Labels an image.
    batch : int
        Images that are classified together; the result does not depend on it.

    Yields
    ------
    Classified
        In the order of the images.
    """
    for chunk in _chunks(scans, batch):
        found = iter(_classify([scan for scan in chunk if scan.image is not None], classifier, top))
        for scan in chunk:
            if scan.image is None:
                yield Classified(scan.source, scan.number, scan.single, error=scan.error)
            else:
                yield next(found)


def _classify(scans: Sequence[Scan], classifier: Classifier, top: int) -> list[Classified]:
    contract, classes = classifier.card.contract, classifier.card.classes
    images = [scan.image for scan in scans if scan.image is not None]
    turned, _ = to_ink(images)
    ink = [
        given if scan.is_ink else told
        for scan, given, told in zip(scans, images, turned, strict=True)
    ]
    crops = fit_glyphs(ink, contract.frame, contract.extent)
    blank = crops.max(axis=(1, 2), initial=0) < _FAINTEST
    scores = classifier.scores(crops[..., np.newaxis])
    best = np.argsort(-scores, axis=1, kind="stable")[:, :top]
    confidences = np.exp(np.take_along_axis(scores, best, axis=1)).clip(0.0, 1.0)
    return [
        Classified(scan.source, scan.number, scan.single)
        if empty
        else Classified(
            scan.source,
            scan.number,
            scan.single,
            tuple(classes[index] for index in row),
            tuple(values),
        )
        for scan, empty, row, values in zip(
            scans, blank.tolist(), best.tolist(), confidences.tolist(), strict=True
        )
    ]


def classify(
    images: PathLike | Image | Iterable[PathLike] | Iterable[Image],
    *,
    model: PathLike = "alphanumeric",
    top: int = 3,
    backend: str = "auto",
    batch: int = DEFAULT_BATCH,
) -> Iterator[Classified]:
    """Classify images of isolated characters; one bad image does not stop the others.

    Parameters
    ----------
    images : path, array, or iterable of either
        Files, folders (with what is in them) or globs; each page of a file is an image. Or images:
        an array (h, w) or (N, h, w), or several (h, w); uint8, bool, uint16 or float 0..1. Ink may
        be dark on light or light on dark.
    model : str or path
        Name of a shipped bundle for isolated characters, or path of a bundle's folder.
    top : int
        Labels an image.
    backend : str
        What runs the classifier; "auto" takes what the machine has.
    batch : int
        Images that are classified together.

    Returns
    -------
    iterator of Classified
        One for each image, in input order, as they are asked for.

    Raises
    ------
    UsageError
        At once, when an argument makes no sense; with the results, for an array of another kind.
    InputError
        At once, when no input is found.
    BundleError
        At once, when the model can not be loaded, or reads pages.
    """
    for name, value in (("top", top), ("batch", batch)):
        if value < 1:
            raise UsageError(f"{name} is {value}; it must be 1 or more.")
    if isinstance(images, str | os.PathLike):
        images = [images]
    if isinstance(images, np.ndarray):
        if images.ndim not in (2, 3):
            raise UsageError(f"Images are (h, w) or (N, h, w), not {images.shape}; reshape them.")
        images = images if images.ndim == 3 else images[np.newaxis]
        scans = _scan_arrays(images)
    else:
        given: list[Any] = list(images)
        arrays = [item for item in given if not isinstance(item, str | os.PathLike)]
        if arrays and len(arrays) < len(given):
            raise UsageError("Paths and arrays are mixed; classify them one after the other.")
        if arrays:
            scans = _scan_arrays(arrays)
        else:
            found = find_inputs([os.fspath(path) for path in given])
            scans = scan_files([str(item.local) for item in found])
    return classify_scans(scans, load_glyph_classifier(model, backend), top=top, batch=batch)
