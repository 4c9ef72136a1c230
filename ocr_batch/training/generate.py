"""Make training shards: render pages, degrade them, segment them, label the candidates."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ocr_batch.batch.local import available_cores
from ocr_batch.batch.pool import run_tasks
from ocr_batch.datasets.crops import ShardWriter
from ocr_batch.errors import TrainingError
from ocr_batch.output.files import write_atomic
from ocr_batch.recognition.charset import CLASSES, N_CHARACTERS
from ocr_batch.rendering.corpus import Corpus
from ocr_batch.rendering.folder import PageOptions, make_page
from ocr_batch.rendering.fonts import Face, choose_faces, split_families
from ocr_batch.training.labelling import LabelledPage, label_page

__all__ = ["Plan", "generate", "label_rendered"]

# A class seen this often on a page is thinned out above it.
_PLENTY = 40
# Garbage kept for each character kept.
_GARBAGE = 0.65
# Pages of a part.
_PART = 10
# Share of the designs that only validation pages are set in.
_HELD = 0.1
# What a folder was made by.
_PLAN, _FORMAT, _VERSION = "plan.json", "ocr-batch crops", 1


@dataclass(frozen=True)
class Plan:
    """What to generate.

    Attributes
    ----------
    corpus : path, or sequence of paths
        Text files, and folders of them.
    out : Path
        Gets the folders ``train`` and ``validation`` with crops, and ``gaps-train`` and
        ``gaps-validation`` with gaps for the space model, and ``plan.json``, which says how they
        were made.
    pages, validation_pages : int
        The validation's are set in fonts of other designs.
    seed : int
        Page k of a set depends on the seed, k, the text, the fonts and the options only.
    fonts : sequence of path
        Font files and folders of them; default: those that are installed.
    page : PageOptions
        How the pages are rendered.
    """

    corpus: str | Path | Sequence[str | Path]
    out: Path
    pages: int = 700
    validation_pages: int = 40
    seed: int = 1
    fonts: Sequence[str | Path] = ()
    page: PageOptions = field(default_factory=PageOptions)


class _Part(NamedTuple):
    """The pages of one file: the set's name, the file's number, numbers of pages."""

    name: str
    number: int
    pages: range


@dataclass(frozen=True)
class _Job:
    """Make a part."""

    out: Path
    seed: int
    corpus: Corpus
    faces: dict[str, list[Face]]
    page: PageOptions

    def __call__(self, part: _Part) -> int:
        faces = self.faces[part.name]
        family = {text: number for number, text in enumerate(sorted({f.family for f in faces}))}
        of_face = np.array([family[face.family] for face in faces] + [-1])
        gaps, spaces = [], []
        name = f"part{part.number:04d}"
        with ShardWriter(self.out / part.name, prefix=name) as writer:
            for number in part.pages:
                rng = np.random.default_rng([self.seed, part.name == "train", number])
                labelled, keep = label_rendered(faces, self.corpus, rng, self.page)
                writer.add(
                    labelled.images[keep],
                    labelled.geometry[keep],
                    labelled.label[keep],
                    of_face[labelled.face[keep]],
                )
                gaps.append(labelled.gaps)
                spaces.append(labelled.spaces)
        packed = io.BytesIO()
        pages = np.array(len(part.pages))
        np.savez(packed, x=np.concatenate(gaps), y=np.concatenate(spaces), pages=pages)
        # Written last: it says that the part is done.
        write_atomic(_gaps_file(self.out, part), packed.getvalue())
        return len(part.pages)


def _gaps_file(out: Path, part: _Part) -> Path:
    return out / f"gaps-{part.name}" / f"part{part.number:04d}.npz"


def _is_made(out: Path, part: _Part) -> bool:
    """Tell whether a part is there with all its pages; one may have been the last, with fewer."""
    try:
        with np.load(_gaps_file(out, part), allow_pickle=False) as gaps:
            return int(gaps["pages"]) >= len(part.pages)
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
        return False


def _pages_of(plan: Plan) -> dict[str, int]:
    return {"validation": plan.validation_pages, "train": plan.pages}


def _described(plan: Plan) -> dict[str, Any]:
    """Return what decides the pages of a plan, but for how many there are."""
    texts = [plan.corpus] if isinstance(plan.corpus, (str, Path)) else plan.corpus
    return {
        "text": [str(Path(text).resolve()) for text in texts],
        "seed": plan.seed,
        "fonts": [str(Path(font).expanduser().resolve()) for font in plan.fonts],
        # Fonts for validation are kept out of training.
        "validation": plan.validation_pages > 0,
        **asdict(plan.page),
    }


def _check_folder(plan: Plan) -> None:
    """Refuse a folder that new pages would not belong to.

    Raises
    ------
    TrainingError
        If it holds what another plan, or none that is known, has made.
    """
    other = "Give another folder, or remove this one."
    path, wanted_pages = plan.out / _PLAN, _pages_of(plan)
    try:
        stored = json.loads(path.read_text("utf-8"))
        if (stored["format"], stored["version"]) != (_FORMAT, _VERSION):
            raise TrainingError(f"{path} is the plan of another version of ocr-batch. {other}")
        made_by = dict(stored["plan"])
        pages = {name: int(stored["pages"][name]) for name in wanted_pages}
    except FileNotFoundError:
        if any(next(plan.out.glob(pattern), None) for pattern in ("*.npz", "*/*.npz")):
            raise TrainingError(
                f"The folder {plan.out} holds crops, but no {_PLAN} that says how they were made: "
                f"new ones would be mixed with others. {other}"
            ) from None
        return
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise TrainingError(f"{path} can not be read ({error}). {other}") from error
    wanted = _described(plan)
    differing = [
        f"{name} was {made_by.get(name)}, is now {wanted.get(name)}"
        for name in dict.fromkeys([*wanted, *made_by])
        if made_by.get(name) != wanted.get(name)
    ]
    differing += [
        f"it has {pages[name]} {name} pages, {wanted_pages[name]} are wanted"
        for name in wanted_pages
        if wanted_pages[name] < pages[name]
    ]
    if differing:
        raise TrainingError(
            f"The folder {plan.out} holds crops of another plan: {'; '.join(differing)}. "
            "Give another folder, or the same plan with as many pages or more."
        )


def _choose(label: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Choose candidates of one page: frequent letters thinned, garbage in proportion."""
    count = np.bincount(label, minlength=len(CLASSES))
    share = np.minimum(1.0, (_PLENTY / np.maximum(count, 1)) ** 0.5)
    garbage = count[N_CHARACTERS:].sum()
    kept = float((share[:N_CHARACTERS] * count[:N_CHARACTERS]).sum())
    share[N_CHARACTERS:] = min(1.0, _GARBAGE * kept / max(1, garbage))
    return np.asarray(rng.random(len(label)) < share[label], np.bool_)


def label_rendered(
    faces: Sequence[Face],
    corpus: Corpus,
    rng: np.random.Generator,
    options: PageOptions | None = None,
) -> tuple[LabelledPage, NDArray[np.bool_]]:
    """Render, degrade, segment and label one page, and choose the candidates to keep.

    Parameters
    ----------
    faces : sequence of Face
    corpus : Corpus
    rng : numpy.random.Generator
        All chance comes from it.
    options : PageOptions, optional

    Returns
    -------
    page : LabelledPage
    keep : ndarray of bool, shape (E,)
    """
    scanned, _ = make_page(rng, faces, corpus, options)
    labelled = label_page(scanned)
    return labelled, _choose(labelled.label, rng)


def generate(
    plan: Plan, jobs: int | None = None, watch: Callable[[int, int], object] | None = None
) -> None:
    """Generate shards in parallel; parts that exist already are not made again.

    A folder of the same plan is completed, also to more pages than it was made for.

    Parameters
    ----------
    plan : Plan
        What to make, and where.
    jobs : int, optional
        Processes; default: one a core.
    watch : function of (int, int), optional
        Called with the pages done since the last call, and those still to be made at the start.

    Raises
    ------
    TrainingError
        If there is no text, there are too few fonts, or the folder holds what was made otherwise;
        nothing is written then.
    """
    _check_folder(plan)
    parts = [
        _Part(name, number, range(first, min(first + _PART, pages)))
        for name, pages in _pages_of(plan).items()
        for number, first in enumerate(range(0, pages, _PART))
    ]
    parts = [part for part in parts if not _is_made(plan.out, part)]
    if not parts:
        return
    found = choose_faces(plan.fonts)
    # Without validation no design has to be held back for it.
    train, validation = split_families(found, plan.seed, _HELD if plan.validation_pages else 0.0)
    faces = {"train": train, "validation": validation}
    for name in sorted({part.name for part in parts}):
        if not faces[name]:
            raise TrainingError(
                f"No font is left for the {name} pages: training and validation need fonts of "
                "different designs. Give more fonts, or no validation pages."
            )
    job = _Job(plan.out, plan.seed, Corpus(plan.corpus), faces, plan.page)
    stored = {
        "format": _FORMAT,
        "version": _VERSION,
        "plan": _described(plan),
        "pages": _pages_of(plan),
    }
    write_atomic(plan.out / _PLAN, json.dumps(stored, indent=1) + "\n")
    total = sum(len(part.pages) for part in parts)
    with closing(run_tasks(job, parts, jobs or available_cores())) as made:
        for pages in made:
            if watch is not None:
                watch(pages, total)
