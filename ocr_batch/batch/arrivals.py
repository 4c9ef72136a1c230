"""Find the files of a folder that are complete and new, again and again."""

from __future__ import annotations

import stat
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from ocr_batch.batch.inputs import Found, find_inputs
from ocr_batch.errors import InputError

__all__ = ["Arrivals"]

#: Size, time of the last change (ns) and number of a file: what changes while it is written.
_Look: TypeAlias = tuple[int, int, int]


def _look_at(path: Path) -> _Look | None:
    """Return what a file looks like from outside; None when it is no file, or gone."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino


class Arrivals:
    """The files of folders that have not been handed out yet.

    A file is complete when it has looked the same for a while. Hidden files, and those whose name
    does not end like that of an image (``scan.tif.part``), are left alone.

    Parameters
    ----------
    folders : sequence of Path
        Searched with their subfolders.
    settle : float
        Seconds that a file must have looked the same.
    exclude : Path or str, optional
        The output folder, where it lies in one of them.
    """

    def __init__(
        self, folders: Sequence[Path], settle: float, exclude: Path | str | None = None
    ) -> None:
        self._folders = list(folders)
        self._settle = settle
        #: Seconds that the last look took.
        self.cost = 0.0
        #: Folders that were not there at the last look.
        self.away: list[Path] = []
        self._exclude = exclude
        #: What files looked like when they were handed out.
        self._done: dict[Path, _Look] = {}
        #: What others look like, and since when.
        self._since: dict[Path, tuple[_Look, float]] = {}

    @property
    def pending(self) -> int:
        """Files that were not complete when last looked at."""
        return len(self._since)

    def look(self, now: float) -> list[Found]:
        """Return the files that are complete and new, or have changed since they were returned.

        Parameters
        ----------
        now : float
            Time in seconds, by any clock that does not run backwards.

        Returns
        -------
        list of Found
            In the order of `find_inputs`.
        """
        begin = time.monotonic()
        try:
            found = find_inputs([str(folder) for folder in self._folders], exclude=self._exclude)
        except InputError:
            found = []
        done: dict[Path, _Look] = {}
        since: dict[Path, tuple[_Look, float]] = {}
        complete = []
        for item in found:
            path = item.local
            look = _look_at(path)
            if look is None:
                continue
            if self._done.get(path) == look:
                done[path] = look
                continue
            before, when = self._since.get(path, (None, now))
            if before == look and now - when >= self._settle:
                done[path] = look
                complete.append(item)
            else:
                since[path] = look, when if before == look else now
        # A share that is not mounted for a while takes its files with it, and brings them back.
        self.away = [folder for folder in self._folders if not folder.is_dir()]
        for path, look in self._done.items():
            if any(path.is_relative_to(folder) for folder in self.away):
                done.setdefault(path, look)
        self._done, self._since = done, since
        self.cost = time.monotonic() - begin
        return complete
