"""Choose the faces, sizes and habits that a page is set with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from ocr_batch.rendering.composition import Habits
from ocr_batch.rendering.fonts import Face
from ocr_batch.rendering.glyphs import Pen, PenStyle

__all__ = ["Pens", "choose_habits", "choose_pens", "pick"]

_Option = TypeVar("_Option")


@dataclass(frozen=True)
class Pens:
    """The pens of a page, by what they are used for."""

    body: Pen
    italic: Pen
    bold: Pen
    heading: Pen
    small: Pen


def pick(rng: np.random.Generator, options: Sequence[_Option]) -> _Option:
    """Draw one of the options, all equally likely."""
    return options[int(rng.integers(0, len(options)))]


def choose_pens(rng: np.random.Generator, faces: Sequence[Face], x_height: float) -> Pens:
    """Draw the pens of a page: cuts of one family, and a heading's that may be of another.

    Parameters
    ----------
    rng : numpy.random.Generator
    faces : sequence of Face
        At least one.
    x_height : float
        Of the body text, pixels.

    Returns
    -------
    Pens

    """
    groups: dict[str, list[int]] = {}
    for number, face in enumerate(faces):
        groups.setdefault(face.group, []).append(number)
    names = sorted(groups)
    odds = np.array([max(faces[number].weight for number in groups[name]) for name in names])
    group = groups[names[int(rng.choice(len(names), p=odds / odds.sum()))]]
    family = pick(rng, sorted({faces[number].family for number in group}))
    members = [number for number in group if faces[number].family == family]

    def cut(bold: bool, italic: bool) -> int:
        def misfit(number: int) -> tuple[bool, bool]:
            return (faces[number].italic != italic, faces[number].bold != bold)

        best = min(misfit(number) for number in members)
        return pick(rng, [number for number in members if misfit(number) == best])

    # Some pages are wholly in bold or italics.
    chance = rng.random()
    body = cut(bold=chance < 0.06, italic=0.06 < chance < 0.12)
    probe = Pen(faces[body], body, PenStyle(100.0))
    em = x_height / max(probe.x_height / 100.0, 0.2)
    stretch = float(np.clip(rng.normal(1.0, 0.05), 0.85, 1.18)) if rng.random() < 0.7 else 1.0
    typed = faces[body].category in {"typewriter", "mono"}
    # Fonts for screens and laser printers are drawn thinner than ribbons and presses print.
    stem = probe.stem / probe.x_height
    aim = float(rng.normal(0.2, 0.035)) if typed else float(rng.normal(0.19, 0.03))
    change = float(np.clip(aim - stem, -0.012, 0.14 if typed else 0.06)) if stem < 0.26 else 0.0
    change *= 1.0 if typed else 0.7
    if not typed:
        # No press prints the hairlines of a Didot as thin as they are drawn.
        hair = float(np.clip(rng.normal(0.092, 0.015), 0.065, 0.13))
        change = max(change, min(hair - probe.hair / probe.x_height, 0.07))
    weight = 0.5 * x_height * change
    clog = float(rng.uniform(0.2, 0.7)) if typed and rng.random() < 0.25 else 0.0
    # Copiers and rotated originals lean a little; a fake italic leans a lot.
    draw = rng.random()
    slant = float(rng.normal(0.0, 0.03)) if draw < 0.05 else 0.0
    if draw > 0.985:
        slant = float(rng.uniform(0.12, 0.22))

    def pen(number: int, scale: float = 1.0) -> Pen:
        lean = 0.0 if faces[number].italic else slant
        return Pen(faces[number], number, PenStyle(em * scale, stretch, lean, weight, clog))

    heading = cut(bold=rng.random() < 0.6, italic=False)
    if not typed and rng.random() < 0.25:
        heading = int(rng.integers(0, len(faces)))
    large = 1.0 if typed and rng.random() < 0.8 else float(rng.uniform(1.0, 1.7))
    return Pens(
        body=pen(body),
        italic=pen(body if typed and rng.random() < 0.7 else cut(bold=False, italic=True)),
        bold=pen(cut(bold=True, italic=False)),
        heading=pen(heading, large),
        small=pen(body, 1.0 if typed else float(rng.uniform(0.7, 0.9))),
    )


def choose_habits(rng: np.random.Generator, pens: Pens, kind: str) -> Habits:
    """Draw how a page of a kind is set in these pens."""
    face = pens.body.face
    if face.category in {"typewriter", "mono"}:
        worn = rng.random() < (0.6 if face.category == "typewriter" else 0.1)
        return Habits(
            tracking=0.0,
            ligatures=0.0,
            sentence_space=float(rng.integers(1, 3)),
            typed=pens.body.fixed,
            wear=float(rng.uniform(0.2, 1.1)) if worn else 0.0,
        )
    draw = rng.random()
    if draw < 0.69:
        tracking = float(rng.normal(0.002, 0.008))
    elif draw < 0.85:
        tracking = float(rng.uniform(-0.045, -0.005))
    else:
        tracking = float(rng.uniform(0.01, 0.06))
    old = kind == "book" and face.category == "serif"
    return Habits(
        tracking=tracking,
        word_space=float(np.clip(rng.normal(1.0, 0.15), 0.75, 1.6)),
        ligatures=float(rng.choice([0.0, 0.9, 1.0], p=[0.35, 0.25, 0.4])),
        loose_points=float(rng.uniform(0.05, 0.25)) if kind == "book" and rng.random() < 0.4 else 0,
        sentence_space=float(rng.choice([1.0, 1.6, 2.0], p=[0.6, 0.2, 0.2])),
        jitter=float(rng.uniform(0.006, 0.02)) if old and rng.random() < 0.4 else 0.0,
    )
