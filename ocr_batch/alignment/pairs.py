"""Pair pages with their transcripts by name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ocr_batch.batch.inputs import find_inputs
from ocr_batch.batch.naming import assign_outputs
from ocr_batch.errors import InputError, UsageError

__all__ = ["PagePair", "find_pairs"]

_PAGE_OF = re.compile(r"(.+)-([0-9]{4,})")
_TRUTH_MARK = ".gt"


@dataclass(frozen=True)
class PagePair:
    """A page and its transcript.

    Attributes
    ----------
    image, truth : Path
    number : int
        Page of the file, from 1.
    """

    image: Path
    truth: Path
    number: int = 1


def find_pairs(pages: Sequence[str], truth: Path) -> tuple[list[PagePair], list[str]]:
    """Pair pages with their transcripts, by the names that `ocr-batch read` gives its output.

    Parameters
    ----------
    pages : sequence of str
        Files, folders and patterns, as for reading.
    truth : Path
        Folder of ``NAME.txt`` or ``NAME.gt.txt``, ``NAME-0003.txt`` for the third page of a file;
        or the one text of a single page.

    Returns
    -------
    pairs : list of PagePair
    without : list of str
        Files that have no transcript.

    Raises
    ------
    InputError
        If there is no page, or no transcript at all.
    UsageError
        If there is one text for several files.
    """
    inputs = assign_outputs(find_inputs(pages))
    if truth.is_file():
        if len(inputs) != 1:
            raise UsageError(
                f"{truth} is the text of one page, but there are {len(inputs)} files. "
                "Give a folder with a text for each."
            )
        return [PagePair(inputs[0].local, truth)], []
    if not truth.is_dir():
        raise InputError(f"There is no {truth}. Give the folder that holds the transcripts.")
    texts = _texts(truth)
    several: dict[str, dict[int, Path]] = {}
    stems = {entry.stem for entry in inputs}
    for stem, path in texts.items():
        match = _PAGE_OF.fullmatch(stem)
        if match and stem not in stems:
            several.setdefault(match[1], {})[int(match[2])] = path
    pairs: list[PagePair] = []
    without: list[str] = []
    for entry in inputs:
        if entry.stem in texts:
            pairs.append(PagePair(entry.local, texts[entry.stem]))
        elif entry.stem in several:
            numbered = sorted(several[entry.stem].items())
            pairs += [PagePair(entry.local, path, number) for number, path in numbered]
        else:
            without.append(str(entry.path))
    if not pairs:
        raise InputError(
            f"No page has a transcript in {truth}. Name them as `ocr-batch read` names its "
            f"output: {inputs[0].stem}.txt for {inputs[0].path}."
        )
    return pairs, without


def _texts(folder: Path) -> dict[str, Path]:
    texts: dict[str, Path] = {}
    for path in sorted(folder.rglob("*.txt")):
        stem = path.relative_to(folder).with_suffix("").as_posix()
        # NAME.txt stands before NAME.gt.txt whatever their order.
        if stem.endswith(_TRUTH_MARK):
            texts.setdefault(stem[: -len(_TRUTH_MARK)], path)
        else:
            texts[stem] = path
    return texts
