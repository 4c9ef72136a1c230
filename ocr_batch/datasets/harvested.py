"""Keep harvested crops in one file or a folder of shards, with what is known about each.

The arrays of a shard (`datasets.crops`) and, crop by crop, ``confidence`` (float16), ``page``
(int32, index into the pages) and ``read`` (int16, what reading took the crop for, -1 for no
character). What the pages were is said in JSON: in the file as the array ``meta``, in a folder as
the file ``harvest.json``, which is written last.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocr_batch.datasets.crops import ARRAYS, FRAME, GEOMETRY, CropSet, join_shards
from ocr_batch.datasets.opening import open_npz
from ocr_batch.errors import OutputError, TrainingError
from ocr_batch.output.files import make_folder, write_atomic
from ocr_batch.recognition.charset import CLASSES, N_CHARACTERS

__all__ = ["HarvestWriter", "Harvested", "HarvestedPage", "read_harvest", "write_harvest"]

_FORMAT = "ocr-batch harvest"
_VERSION = 1
_META = "harvest.json"
_SHARD = 20_000
_SUFFIX = ".npz"
_KINDS: dict[str, Any] = {
    "packed": np.uint8,
    "geometry": np.float16,
    "label": np.int16,
    "group": np.int16,
    "confidence": np.float16,
    "page": np.int32,
    "read": np.int16,
}
_TAILS: dict[str, tuple[int, ...]] = {"packed": (FRAME, FRAME), "geometry": (GEOMETRY,)}
_ADVICE = "make it again with `ocr-batch harvest`"


@dataclass(frozen=True)
class HarvestedPage:
    """A page that was to be harvested.

    Attributes
    ----------
    image, truth : Path
        The page's file and its transcript, absolute.
    number : int
        Page within the file, from 1.
    held_back : bool
        Kept out of the crops, for a check.
    characters : int
        Characters of the transcript, spaces left out; 0 where it was not read.
    labelled, misread : int
        Of them, those whose label is trusted, and of these those that reading had wrong.
    crops : int
        Crops in the file, those of the garbage classes included.
    error : str
        Why there are none; empty when all went well.
    """

    image: Path
    truth: Path
    number: int = 1
    held_back: bool = False
    characters: int = 0
    labelled: int = 0
    misread: int = 0
    crops: int = 0
    error: str = ""

    @property
    def name(self) -> str:
        """The file, and which page of it."""
        return str(self.image) if self.number == 1 else f"{self.image}, page {self.number}"


@dataclass(frozen=True)
class Harvested:
    """Labelled crops of real pages.

    Attributes
    ----------
    crops : CropSet
    confidence : ndarray of float16, shape (N,)
        How likely each label is right, 0..1.
    page : ndarray of int32, shape (N,)
        Index into `pages`.
    read : ndarray of int16, shape (N,)
        Class that reading took the crop for; -1 where it made another cut.
    pages : tuple of HarvestedPage
    classes : tuple of str
        Names of the labels.
    model, checksum : str
        Bundle that the pages were read with, and the SHA-256 of its card.
    """

    crops: CropSet
    confidence: NDArray[np.float16]
    page: NDArray[np.int32]
    read: NDArray[np.int16]
    pages: tuple[HarvestedPage, ...]
    classes: tuple[str, ...]
    model: str
    checksum: str

    def __len__(self) -> int:
        return len(self.crops)

    @property
    def misread(self) -> NDArray[np.bool_]:
        """Which crops reading took for something else, (N,) bool."""
        text = self.crops.label < N_CHARACTERS
        return np.asarray(np.where(text, self.read != self.crops.label, self.read >= 0), np.bool_)


class HarvestWriter:
    """Write a harvest page by page; what was there before stays until `close` replaces it.

    As a context manager it leaves nothing behind when it was not closed.

    Parameters
    ----------
    path : Path
        One compressed file if it ends in ``.npz``, else a folder of shards.

    Raises
    ------
    OutputError
        If it can not be written, or the folder holds other shards.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._single = path.suffix == _SUFFIX
        self._parts: list[dict[str, NDArray[Any]]] = []
        self._waiting = 0
        self._shards = 0
        if self._single:
            make_folder(path.parent)
        else:
            self._open_folder()

    def __enter__(self) -> HarvestWriter:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._single:
            shutil.rmtree(self._draft, ignore_errors=True)
            if self._new:
                # Empty when nothing came of it.
                with contextlib.suppress(OSError):
                    self._path.rmdir()

    def _open_folder(self) -> None:
        """Make a folder for the shards within the folder that they go to at the end."""
        self._new = not self._path.exists()
        make_folder(self._path)
        old = self._path.glob(f"*{_SUFFIX}")
        foreign = [shard.name for shard in sorted(old) if not shard.name.startswith("harvest-")]
        if foreign:
            raise OutputError(
                f"The folder {self._path} holds other data ({foreign[0]}). Give another folder, "
                f"or a file that ends in {_SUFFIX}."
            )
        try:
            self._draft = Path(tempfile.mkdtemp(prefix=".harvest-", dir=self._path))
        except OSError as error:
            raise _irreplaceable(self._path, error) from error

    def _replace_folder(self, text: str) -> None:
        """Put the finished shards in the place of the old ones; what says so is written last."""
        try:
            (self._path / _META).unlink(missing_ok=True)
            for shard in self._path.glob(f"harvest-*{_SUFFIX}"):
                shard.unlink()
            for shard in sorted(self._draft.iterdir()):
                shard.replace(self._path / shard.name)
            self._draft.rmdir()
        except OSError as error:
            raise _irreplaceable(self._path, error) from error
        write_atomic(self._path / _META, text)

    def add(
        self,
        crops: CropSet,
        confidence: NDArray[np.floating[Any]],
        page: NDArray[np.integer[Any]],
        read: NDArray[np.integer[Any]],
    ) -> None:
        """Add crops with the confidence, page and reading of each, (n,) all."""
        arrays: dict[str, NDArray[Any]] = {
            "packed": np.asarray(crops.packed),
            "geometry": crops.geometry,
            "label": crops.label,
            "group": crops.group,
            "confidence": confidence,
            "page": page,
            "read": read,
        }
        self._parts.append({name: array.astype(_KINDS[name]) for name, array in arrays.items()})
        self._waiting += len(crops)
        if not self._single and self._waiting >= _SHARD:
            self._write_shard()

    def _write_shard(self) -> None:
        if self._waiting:
            path = self._draft / f"harvest-{self._shards:05d}{_SUFFIX}"
            _save(path, self._joined(), compress=False)
            self._shards += 1

    def _joined(self) -> dict[str, NDArray[Any]]:
        arrays = {
            name: np.concatenate([part[name] for part in self._parts])
            if self._parts
            else _empty(name)
            for name in _KINDS
        }
        self._parts, self._waiting = [], 0
        return arrays

    def close(self, pages: Sequence[HarvestedPage], model: str, checksum: str) -> None:
        """Write what is left, and what the pages were."""
        meta = {
            "format": _FORMAT,
            "version": _VERSION,
            "classes": list(CLASSES),
            "model": model,
            "checksum": checksum,
            "pages": [
                {**asdict(page), "image": str(page.image), "truth": str(page.truth)}
                for page in pages
            ],
        }
        # ASCII: names of files that are no UTF-8 have escapes of their own.
        text = json.dumps(meta, indent=1)
        if self._single:
            arrays = self._joined()
            _save(self._path, {**arrays, "meta": np.array(text)}, compress=True)
        else:
            self._write_shard()
            self._replace_folder(text + "\n")


def _irreplaceable(folder: Path, error: OSError) -> OutputError:
    return OutputError(
        f"Can not replace the harvest in {folder}: {error.strerror or error}. Mend the "
        "permissions, or choose another place."
    )


def _empty(name: str) -> NDArray[Any]:
    return np.zeros((0, *_TAILS.get(name, ())), _KINDS[name])


def _save(path: Path, arrays: dict[str, NDArray[Any]], *, compress: bool) -> None:
    content = io.BytesIO()
    kind = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with zipfile.ZipFile(content, "w", kind) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)
    write_atomic(path, content.getvalue())


def write_harvest(path: Path, harvested: Harvested) -> None:
    """Write harvested crops, one compressed file or a folder of shards by the name of `path`.

    Raises
    ------
    OutputError
        If it can not be written, or the folder holds other shards.
    """
    with HarvestWriter(path) as writer:
        for first in range(0, len(harvested), _SHARD):
            rows = np.arange(first, min(first + _SHARD, len(harvested)))
            crops, confidence = harvested.crops.select(rows), harvested.confidence[rows]
            writer.add(crops, confidence, harvested.page[rows], harvested.read[rows])
        writer.close(harvested.pages, harvested.model, harvested.checksum)


def read_harvest(path: Path) -> Harvested:
    """Open harvested crops.

    Parameters
    ----------
    path : Path
        A file, or a folder of shards: these are joined to one memory-mapped file beside them.

    Returns
    -------
    Harvested

    Raises
    ------
    TrainingError
        If it is missing, cut off, no harvest, or made with other classes.
    """
    if path.is_dir():
        return _read_folder(path)
    with open_npz(path, _ADVICE) as data:
        meta = _meta(path, str(data["meta"]) if "meta" in data.files else None)
        arrays = {name: np.asarray(data[name]) for name in _KINDS}
    _check(path, arrays)
    return _harvested(path, CropSet(*(arrays[name] for name in ARRAYS)), arrays, meta)


def _read_folder(path: Path) -> Harvested:
    try:
        meta = _meta(path, (path / _META).read_text("utf-8"))
    except FileNotFoundError:
        raise TrainingError(
            f"The folder {path} holds no finished harvest: {_META} is missing. "
            "Harvest into it again."
        ) from None
    except (OSError, ValueError) as error:
        raise _damaged(path, str(error)) from error
    shards = sorted(path.glob(f"*{_SUFFIX}"))
    names = [name for name in _KINDS if name != "packed"]
    parts: list[dict[str, NDArray[Any]]] = []
    for shard in shards:
        with open_npz(shard, _ADVICE) as data:
            parts.append({name: np.asarray(data[name]) for name in names})
        _check(shard, parts[-1])
    arrays = {
        name: np.concatenate([part[name] for part in parts]) if parts else _empty(name)
        for name in names
    }
    crops = join_shards(path) if shards else CropSet(*map(_empty, ARRAYS))
    _check(path, {**arrays, "packed": crops.packed})
    return _harvested(path, crops, arrays, meta)


def _damaged(path: Path, why: str) -> TrainingError:
    return TrainingError(
        f"{path} can not be read as harvested crops ({why}). It may be cut off or something "
        f"else: {_ADVICE}."
    )


def _meta(path: Path, text: str | None) -> dict[str, Any]:
    if text is None:
        raise _damaged(path, "it does not say what its pages were")
    meta = json.loads(text)
    if not isinstance(meta, dict) or meta.get("format") != _FORMAT:
        raise _damaged(path, "it is of another format")
    if meta.get("version") != _VERSION:
        raise TrainingError(
            f"{path} is of version {meta.get('version')}, this version of ocr-batch reads "
            f"{_VERSION}. Harvest the pages again."
        )
    if meta.get("classes") != list(CLASSES):
        raise TrainingError(
            f"{path} was harvested with other classes than this version of ocr-batch has. "
            "Harvest the pages again."
        )
    return meta


def _check(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    count = arrays["label"].size
    for name, array in arrays.items():
        if array.shape != (count, *_TAILS.get(name, ())) or array.dtype != _KINDS[name]:
            raise _damaged(path, f"its array {name} is {array.dtype} {array.shape}")
    label = arrays["label"]
    if count and not 0 <= label.min() <= label.max() < len(CLASSES):
        raise _damaged(path, "labels are out of range")


def _harvested(
    path: Path, crops: CropSet, arrays: dict[str, NDArray[Any]], meta: dict[str, Any]
) -> Harvested:
    try:
        pages = tuple(
            HarvestedPage(**{**page, "image": Path(page["image"]), "truth": Path(page["truth"])})
            for page in meta["pages"]
        )
        model, checksum = str(meta["model"]), str(meta["checksum"])
    except (KeyError, TypeError) as error:
        raise _damaged(path, f"what it says about its pages is not complete: {error}") from error
    page = arrays["page"]
    if len(page) != sum(one.crops for one in pages):
        raise _damaged(path, "crops are missing")
    if len(page) and not 0 <= page.min() <= page.max() < len(pages):
        raise _damaged(path, "its pages are out of range")
    confidence, read = arrays["confidence"], arrays["read"]
    return Harvested(crops, confidence, page, read, pages, tuple(CLASSES), model, checksum)
