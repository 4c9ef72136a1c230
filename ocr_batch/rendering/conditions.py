"""Draw how a page was printed and scanned."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

__all__ = ["CONDITIONS", "Degradation", "sample_condition", "sample_degradation"]

#: Bounds of difficulty and how often it lies in them: most scans are of good print.
_MIX = (((0.0, 0.15), 0.42), ((0.15, 0.5), 0.42), ((0.5, 1.0), 0.16))
#: Shares of pages that never were on paper, and of grey scans of 70 to 130 dpi.
_CLEAN, _TINY = 0.08, 0.10
#: Share of 1-bit pages with the print of old books.
_WORN = 0.15

#: Conditions of a page by name, with the bounds of difficulty; None: as `sample_degradation` has
#: it by default. Pages in the condition "none" are as they were rendered.
CONDITIONS: dict[str, tuple[float, float] | None] = {
    "none": (0.0, 0.0),
    "light": (0.0, 0.15),
    "scan": None,
    "heavy": (0.5, 1.0),
}


@dataclass(frozen=True)
class Degradation:
    """What happens to a page. Lengths are in x-heights of its text unless said otherwise.

    Attributes
    ----------
    clean : bool
        Never printed nor scanned: nothing but scale, grey levels and JPEG take place.
    scale : float
        Size of the scan against the page as rendered.
    x_height : float
        Pixels to which the text is scaled down; 0 = leave it to `scale`.
    turn : float
        Degrees, anticlockwise.
    curl, curl_length : float
        Height of a slow wave in the lines, and its length in page widths.
    spread : float
        How far ink runs over its edge; negative: print too light.
    softness : float
        Standard deviation of the blur in which ink spreads and edges get rough.
    hold : float
        How far hairlines keep their width in that blur, 0 to 1.
    roughness, grain : float
        Irregularity of edges (0 to 1), and the size of its grains in pixels.
    mottle : float
        Uneven inking within strokes, 0 to 1.
    rim : float
        How much lighter the middle of strokes is than their rims, as in letterpress, 0 to 1.
    fade, fade_length : float
        Uneven inking over the page, 0 to 1, and its scale.
    focus : float
        Standard deviation of the scanner's blur, pixels.
    sharpen : float
        Strength of the scanner's own sharpening.
    coarse : float
        Lower resolution that the picture went through before (1 = none).
    coarse_down : float
        The same for rows only, as faxes have it.
    paper, ink : float
        Grey levels.
    light : float
        Grey levels by which the light differs over the page.
    texture, noise : float
        Standard deviations of paper texture and of sensor noise, grey levels.
    bleed : float
        Darkness of the other side's text, 0 to 1.
    specks, holes : float
        Dark dirt a thousand x-height squares, and light dirt in the ink.
    flips : float
        Probability that a pixel next to an edge flips (Kanungo et al., 1994).
    bilevel : bool
        One bit a pixel.
    threshold : float
        Where, between ink and paper.
    jpeg : int
        Quality; 0 = none.

    """

    clean: bool = False
    scale: float = 1.0
    x_height: float = 0.0
    turn: float = 0.0
    curl: float = 0.0
    curl_length: float = 1.0
    spread: float = 0.0
    softness: float = 0.04
    hold: float = 0.5
    roughness: float = 0.0
    grain: float = 1.0
    mottle: float = 0.0
    rim: float = 0.0
    fade: float = 0.0
    fade_length: float = 8.0
    focus: float = 0.5
    sharpen: float = 0.0
    coarse: float = 1.0
    coarse_down: float = 1.0
    paper: float = 255.0
    ink: float = 0.0
    light: float = 0.0
    texture: float = 0.0
    noise: float = 0.0
    bleed: float = 0.0
    specks: float = 0.0
    holes: float = 0.0
    flips: float = 0.0
    bilevel: bool = False
    threshold: float = 0.5
    jpeg: int = 0


def sample_degradation(rng: np.random.Generator, difficulty: float | None = None) -> Degradation:
    """Draw how a page is degraded.

    The figures were set so that stroke widths, touching and broken letters, rough edges and dirt
    are distributed as on scanned office pages and old books.

    Parameters
    ----------
    rng : numpy.random.Generator
        All chance comes from it.
    difficulty : float, optional
        0 (a clean print) to 1 (barely readable). Default: mostly good print, a tail of hard
        pages, and some that were never printed.

    Returns
    -------
    Degradation

    """
    if difficulty is None:
        if rng.random() < _CLEAN:
            return _never_printed(rng)
        low, high = _MIX[int(rng.choice(len(_MIX), p=[share for _, share in _MIX]))][0]
        difficulty = float(rng.uniform(low, high))
    d = difficulty

    def chance(probability: float) -> bool:
        return bool(rng.random() < probability)

    def up_to(most: float) -> float:
        return float(rng.random() * most)

    bilevel = chance(0.62)
    made = Degradation(
        turn=float(rng.normal(0.0, 0.12)) if chance(0.5) else 0.0,
        curl=up_to(0.25 * d) if chance(0.25) else 0.0,
        curl_length=float(rng.uniform(0.6, 2.5)),
        spread=float(np.clip(rng.normal(0.014 + 0.02 * d, 0.014 + 0.032 * d), -0.022, 0.09)),
        softness=float(rng.uniform(0.03, 0.05 + 0.03 * d)),
        hold=float(rng.uniform(0.3, 1.0)),
        # A scanner's blur hides part of it in grey.
        roughness=up_to(0.14 + 0.38 * d) * (1.0 if bilevel else 1.5),
        grain=float(rng.uniform(0.8, 2.2)),
        mottle=up_to(0.6 * d) if chance(0.25) else 0.0,
        rim=up_to(0.5) if not bilevel and chance(0.2) else 0.0,
        fade=up_to(0.5 * d) if chance(0.25) else 0.0,
        fade_length=float(rng.uniform(2.0, 20.0)),
        focus=float(rng.uniform(0.3, 0.6 + 0.7 * d)),
        sharpen=up_to(1.0) if chance(0.5) else 0.0,
        flips=up_to(0.3 * d) if bilevel and chance(0.3) else 0.0,
        specks=float(np.exp(rng.uniform(-1.0, 3.0))) * (0.2 + d) if chance(0.5) else 0.0,
        holes=float(np.exp(rng.uniform(-0.5, 3.5))) * (0.2 + d) if chance(0.35) else 0.0,
        bilevel=bilevel,
        threshold=float(np.clip(rng.normal(0.49, 0.04 + 0.06 * d), 0.25, 0.72)) if bilevel else 0.5,
    )
    if bilevel and chance(_WORN):
        # Worn type on rough paper: thin, ragged, with hairlines that break.
        made = replace(
            made,
            spread=float(rng.normal(-0.006, 0.008)),
            hold=up_to(0.4),
            roughness=float(rng.uniform(0.15, 0.5)),
            grain=float(rng.uniform(1.0, 2.0)),
        )
    if not bilevel and chance(_TINY / 0.38):
        made = replace(made, x_height=float(rng.uniform(8.0, 12.5)), focus=up_to(0.5))
    elif chance(0.08 + 0.12 * d):
        # Low resolution: 150 to 240 dpi where 300 is usual.
        made = replace(made, scale=float(rng.uniform(0.5, 0.8)), focus=up_to(0.6))
    elif chance(0.15 * d):
        # Once scanned or faxed at less than what is seen now.
        coarse = float(rng.uniform(0.4, 0.8))
        down = float(rng.choice([1.0, 0.5])) if coarse > 0.6 else 1.0
        made = replace(made, coarse=coarse, coarse_down=down)
    if not bilevel or chance(0.25):
        paper = max(float(255 - abs(rng.normal(0.0, 10 + 60 * d))), 110.0)
        made = replace(
            made,
            paper=paper,
            ink=up_to(0.5 * paper * (0.3 + 0.7 * d)),
            light=up_to(50 * d) if chance(0.4) else 0.0,
            texture=up_to(10 * d) if chance(0.5) else 0.0,
            noise=up_to(1.0 + 9 * d),
            bleed=up_to(0.35 * d) if chance(0.25) else 0.0,
            jpeg=int(rng.integers(45 if d > 0.5 else 70, 96)) if chance(0.45) else 0,
        )
    return made


def sample_condition(rng: np.random.Generator, name: str) -> Degradation:
    """Draw how a page is degraded, within the bounds of a condition.

    Parameters
    ----------
    rng : numpy.random.Generator
        All chance comes from it.
    name : str
        One of `CONDITIONS`.

    Returns
    -------
    Degradation

    """
    if name == "none":
        return Degradation(clean=True, focus=0.0)
    bounds = CONDITIONS[name]
    return sample_degradation(rng, None if bounds is None else float(rng.uniform(*bounds)))


def _never_printed(rng: np.random.Generator) -> Degradation:
    """Draw a page that was rendered and saved: anti-aliased, at 100 to 300 dpi."""
    return Degradation(
        clean=True,
        x_height=float(np.exp(rng.uniform(np.log(8.5), np.log(26.0)))),
        paper=255.0 if rng.random() < 0.8 else float(rng.uniform(215, 255)),
        ink=0.0 if rng.random() < 0.7 else float(rng.uniform(0, 110)),
        jpeg=int(rng.integers(70, 96)) if rng.random() < 0.3 else 0,
    )
