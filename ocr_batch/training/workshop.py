"""Make a bundle beside its place, and put it there only when it is finished."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from ocr_batch.errors import OutputError, TrainingError
from ocr_batch.output.files import make_folder
from ocr_batch.recognition.bundle import CARD
from ocr_batch.training.export import seal
from ocr_batch.training.run import CHECKPOINT

__all__ = ["Workshop", "open_workshop"]

#: Files that may lie in a folder before its first bundle: what is not trained here.
_BEFOREHAND = frozenset(
    {"language.npz", "spaces.npz", "confidence.npz", "replay.npz", "recipe.ini"}
)
#: What each training makes anew.
_MADE = frozenset(
    {CARD, "model.keras", "model.float.tflite", "model.int8.tflite", "prediction_model.h5"}
)
_REPORT = "report"


@dataclass(frozen=True)
class Workshop:
    """Where a bundle is made.

    Attributes
    ----------
    out : Path
        Where it is to lie; absolute.
    run : Path
        Folder beside it, for the checkpoint and the unfinished bundle.
    """

    out: Path
    run: Path

    @property
    def bundle(self) -> Path:
        """The unfinished bundle; it bears the finished one's name."""
        return self.run / self.out.name

    def begin_bundle(self) -> Path:
        """Make an empty folder for the bundle and return it."""
        shutil.rmtree(self.bundle, ignore_errors=True)
        make_folder(self.bundle)
        return self.bundle

    def take_over(self, folder: Path, names: frozenset[str] | None = None) -> None:
        """Copy files of another bundle that the new one lacks: all but what training makes."""
        if folder.is_dir():
            for path in sorted(folder.iterdir()):
                wanted = path.name not in _MADE if names is None else path.name in names
                if path.is_file() and wanted and not (self.bundle / path.name).exists():
                    shutil.copyfile(path, self.bundle / path.name)

    def put(self, accepted: bool) -> Path:
        """Put the finished bundle in its place, or beside it if it was not accepted.

        What lay there goes only when the new one is in place.

        Returns
        -------
        Path
            Where the bundle is.

        Raises
        ------
        OutputError
            If it can not be moved.
        """
        target = self.out if accepted else self._free(".rejected")
        old = self._free(".old")
        try:
            seal(self.bundle)
            if target.exists():
                target.rename(old)
            self.bundle.rename(target)
        except OSError as error:
            if old.exists() and not target.exists():
                old.rename(target)
            raise OutputError(
                f"the bundle can not be put into {target} ({error}); it is in {self.bundle}"
            ) from error
        shutil.rmtree(old, ignore_errors=True)
        (self.run / CHECKPOINT).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # it may hold files that are not ours
            self.run.rmdir()
        return target

    def _free(self, ending: str) -> Path:
        """Return a path beside the output that is free, or holds a bundle of that ending."""
        path = self.out.with_name(self.out.name + ending)
        number = 1
        while path.exists() and not (ending == ".rejected" and (path / CARD).is_file()):
            number += 1
            path = self.out.with_name(f"{self.out.name}{ending}-{number}")
        return path


def open_workshop(out: Path, *, resume: bool = False, fresh: bool = False) -> Workshop:
    """Check that a bundle can be made in `out`, before hours are spent on it.

    Parameters
    ----------
    out : Path
        The bundle's folder.
    resume, fresh : bool
        Go on with the checkpoint of an interrupted run, or throw it away.

    Returns
    -------
    Workshop

    Raises
    ------
    OutputError
        If it holds other things than a bundle, or can not be written.
    TrainingError
        If an interrupted run lies there and neither `resume` nor `fresh` is given.
    """
    out = out.absolute()
    if out.name in ("", ".", ".."):
        raise OutputError(f"{out} can not be a bundle's folder; give it a name")
    if out.is_dir():
        names = {path.name for path in out.iterdir()}
        if CARD not in names and names - _BEFOREHAND:
            raise OutputError(f"{out} holds other files than a bundle; choose a new folder")
    elif out.exists():
        raise OutputError(f"{out} is a file; choose a new folder for the bundle")
    run = out.with_name(f"{out.name}.run")
    make_folder(run)
    checkpoint = run / CHECKPOINT
    if checkpoint.exists() and not resume:
        if not fresh:
            raise TrainingError(
                f"an interrupted training lies in {run}; --resume goes on with it, --fresh "
                "throws it away"
            )
        checkpoint.unlink()
    if resume and not checkpoint.exists():
        with contextlib.suppress(OSError):
            run.rmdir()
        raise TrainingError(f"there is no training to resume in {run}; start it without --resume")
    return Workshop(out, run)
