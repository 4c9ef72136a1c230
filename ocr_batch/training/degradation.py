"""Age, print and scan a rendered page, keeping its truth true to the pixel."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from ocr_batch.training.rendering import Characters, RenderedPage, boxes_of

__all__ = ["Degradation", "degrade", "sample_degradation"]

Image = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]

#: A character keeps its label if so much of its ink is left and not more than so much was added.
_LEFT, _DROWNED = 0.35, 3.0
_GROWTH = 3


@dataclass(frozen=True)
class Degradation:
    """What happens to a page. Lengths are in x-heights of its text unless said otherwise.

    Attributes
    ----------
    scale : float
        Size of the scan against the page as rendered.
    turn : float
        Degrees, anticlockwise.
    curl, curl_length : float
        Height of a slow wave in the lines, and its length in page widths.
    spread : float
        How far ink runs over its edge; negative: print too light.
    softness : float
        Standard deviation of the blur in which ink spreads and edges get rough.
    roughness, grain : float
        Irregularity of edges (0 to 1), and the size of its grains in pixels.
    mottle : float
        Uneven inking within strokes, 0 to 1.
    fade, fade_length : float
        Uneven inking over the page, 0 to 1, and its scale.
    focus : float
        Standard deviation of the scanner's blur, pixels.
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

    scale: float = 1.0
    turn: float = 0.0
    curl: float = 0.0
    curl_length: float = 1.0
    spread: float = 0.0
    softness: float = 0.04
    roughness: float = 0.0
    grain: float = 1.0
    mottle: float = 0.0
    fade: float = 0.0
    fade_length: float = 8.0
    focus: float = 0.5
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

    Parameters
    ----------
    rng : numpy.random.Generator
        All chance comes from it.
    difficulty : float, optional
        0 (a clean print) to 1 (barely readable). Default: a quarter of the pages clean, half
        ordinary, a quarter hard.

    Returns
    -------
    Degradation

    """
    if difficulty is None:
        low, high = ((0.0, 0.15), (0.15, 0.6), (0.6, 1.0))[int(rng.choice(3, p=[0.25, 0.5, 0.25]))]
        difficulty = float(rng.uniform(low, high))
    d = difficulty

    def chance(probability: float) -> bool:
        return bool(rng.random() < probability)

    def up_to(most: float) -> float:
        return float(rng.random() * most)

    bilevel = chance(0.6)
    made = Degradation(
        turn=float(rng.normal(0.0, 0.12)) if chance(0.5) else 0.0,
        curl=up_to(0.25 * d) if chance(0.25) else 0.0,
        curl_length=float(rng.uniform(0.6, 2.5)),
        spread=float(np.clip(rng.normal(0.008, 0.012 + 0.03 * d), -0.045, 0.09)),
        softness=float(rng.uniform(0.03, 0.05 + 0.04 * d)),
        roughness=up_to(0.1 + 0.55 * d),
        grain=float(rng.uniform(0.6, 1.8)),
        mottle=up_to(0.6 * d) if chance(0.3) else 0.0,
        fade=up_to(0.5 * d) if chance(0.3) else 0.0,
        fade_length=float(rng.uniform(2.0, 20.0)),
        focus=float(rng.uniform(0.3, 0.6 + 0.7 * d)),
        flips=up_to(0.35 * d) if bilevel and chance(0.4) else 0.0,
        specks=float(np.exp(rng.uniform(-1.0, 3.0))) * d if chance(0.45) else 0.0,
        holes=float(np.exp(rng.uniform(-1.0, 3.0))) * d if chance(0.25) else 0.0,
        bilevel=bilevel,
        threshold=float(np.clip(rng.normal(0.5, 0.05 + 0.06 * d), 0.25, 0.75)) if bilevel else 0.5,
    )
    if chance(0.12 + 0.2 * d):
        # Low resolution: 100 to 200 dpi where 300 is usual.
        made = replace(made, scale=float(rng.uniform(0.42, 0.75)), focus=up_to(0.6))
    elif chance(0.15 * d):
        # Once scanned or faxed at less than what is seen now.
        coarse = float(rng.uniform(0.4, 0.8))
        down = float(rng.choice([1.0, 0.5])) if coarse > 0.6 else 1.0
        made = replace(made, coarse=coarse, coarse_down=down)
    if not bilevel or chance(0.25):
        paper = float(255 - abs(rng.normal(0.0, 10 + 60 * d)))
        paper = max(paper, 110.0)
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


def degrade(page: RenderedPage, parameters: Degradation, rng: np.random.Generator) -> RenderedPage:
    """Print and scan a page.

    Parameters
    ----------
    page : RenderedPage
        Dark ink on white.
    parameters : Degradation
        What happens to it.
    rng : numpy.random.Generator
        All chance comes from it.

    Returns
    -------
    RenderedPage
        Its owners follow the ink as it lies now: spread ink belongs to the nearest character,
        lost ink to none. Characters without enough ink left have no pixels and are not visible.

    """
    how = parameters
    unit = float(np.median(page.characters.x_height)) if len(page.characters) else 22.0
    grey, owner, characters = _warp(page, how, unit)
    unit *= how.scale
    before = np.bincount(owner.ravel(), minlength=len(characters) + 1)
    ink = _print(grey, how, unit, rng)
    solid = ink > 0.5
    scan = _scan(ink, how, unit, rng)
    if how.bilevel:
        darkness = (how.paper - scan) / max(1.0, how.paper - how.ink)
        # Operators set the threshold by eye, so that strokes look as on paper, more or less.
        level = _level(ink, np.asarray(darkness, np.float32), 0.0) + how.threshold - 0.5
        black = darkness > min(max(level, 0.2), 0.8)
        black = _flip(black, how.flips, rng)
        solid = black
        scan = np.where(black, np.float32(0), np.float32(255))
    out = np.clip(np.rint(scan), 0, 255).astype(np.uint8)
    if how.jpeg > 0:
        _, packed = cv2.imencode(".jpg", out, [cv2.IMWRITE_JPEG_QUALITY, how.jpeg])
        out = np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), np.uint8)
    owner = _follow(owner, solid)
    after = np.bincount(owner.ravel(), minlength=len(characters) + 1)
    bad = (after < _LEFT * before) | (after > _DROWNED * before + 4) | (after < 3)
    bad[0] = False
    owner[bad[owner]] = 0
    box = boxes_of(owner, len(characters))
    characters = replace(characters, box=box, visible=box[:, 2] > 0)
    return RenderedPage(out, owner, characters, page.lines, page.blocks)


def _warp(page: RenderedPage, how: Degradation, unit: float) -> tuple[Image, Labels, Characters]:
    """Scale, turn and curl: return coverage (0 to 1), owners, and characters in new places."""
    grey, owner, old = page.grey, page.owner, page.characters
    height, width = grey.shape
    if how.scale < 1:
        # Average over what one new pixel covers.
        grey = np.asarray(cv2.blur(grey, (max(1, round(1 / how.scale)),) * 2), np.uint8)
    scale = how.scale
    rows, columns = round(height * scale), round(width * scale)
    slope = float(np.tan(np.radians(how.turn)))
    middle_x, middle_y = width / 2, height / 2
    wave = 2 * np.pi / (how.curl_length * width)
    rise = how.curl * unit

    def lift(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        moved = -slope * (x - middle_x) + rise * np.sin(wave * x)
        return np.asarray(moved, np.float64)

    if scale == 1 and slope == 0 and rise == 0:
        moved, owned = grey, owner.copy()
    else:
        x = ((np.arange(columns) + 0.5) / scale - 0.5)[None, :]
        y = ((np.arange(rows) + 0.5) / scale - 0.5)[:, None]
        map_x = np.broadcast_to(x, (rows, columns)) - slope * (y - middle_y)
        map_y = y - lift(x)
        map_x, map_y = map_x.astype(np.float32), map_y.astype(np.float32)
        moved = np.asarray(
            cv2.remap(grey, map_x, map_y, cv2.INTER_LINEAR, borderValue=255.0), np.uint8
        )
        # Labels are sampled: cv2 has no nearest remap for 32-bit integers.
        at_x = np.clip(np.rint(map_x), 0, width - 1).astype(np.intp)
        at_y = np.clip(np.rint(map_y), 0, height - 1).astype(np.intp)
        owned = owner[at_y, at_x]
    centre = old.box[:, 0] + old.box[:, 2] / 2
    characters = replace(
        old,
        baseline=((old.baseline + lift(centre)) * scale).astype(np.float32),
        x_height=(old.x_height * scale).astype(np.float32),
    )
    return (255.0 - moved.astype(np.float32)) / np.float32(255.0), owned, characters


def _field(shape: tuple[int, int], grain: float, rng: np.random.Generator) -> Image:
    """Return smooth noise of mean 0 and deviation about 1 with grains of so many pixels."""
    rows, columns = max(2, int(shape[0] / grain) + 2), max(2, int(shape[1] / grain) + 2)
    small = rng.standard_normal((rows, columns), np.float32)
    if grain <= 1.0:
        return small[: shape[0], : shape[1]]
    large = cv2.resize(small, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(large, np.float32)


def _print(coverage: Image, how: Degradation, unit: float, rng: np.random.Generator) -> Image:
    """Return the ink (0 to 1) that gets onto the paper."""
    sigma = max(0.35, how.softness * unit)
    ink = np.asarray(cv2.GaussianBlur(coverage, (0, 0), sigma), np.float32)
    level = _level(coverage, ink, how.spread * unit)
    if how.roughness > 0:
        ink += (
            how.roughness
            * 0.35
            * _field(ink.shape, max(1.0, how.grain), rng)
            * (4 * ink * (1 - ink))
        )
    if how.fade > 0:
        uneven = _field(ink.shape, how.fade_length * unit, rng)
        ink *= 1.0 - how.fade * np.clip(0.5 * uneven + 0.3, 0, 1)
    if how.mottle > 0:
        uneven = _field(ink.shape, max(1.5, 0.12 * unit), rng)
        ink *= 1.0 - how.mottle * np.clip(0.6 * uneven, 0, 1)
    # Ink has hard edges: steeper than the blur, but not a step.
    steep = 2.5
    ink = np.clip((ink - level) * steep + 0.5, 0.0, 1.0)
    if how.holes > 0:
        ink[_dots(ink.shape, how.holes, unit, rng)] = 0.0
    return np.asarray(ink, np.float32)


def _level(coverage: Image, blurred: Image, spread: float) -> float:
    """Return where to cut the blurred ink so that every edge moves outward by `spread` pixels.

    It is found from the area, not from the blur: hairlines would drown in a fixed threshold.
    """
    # Every third row and column is enough for two areas and a quantile.
    sample, soft = coverage[::3, ::3], blurred[::3, ::3]
    inked = np.sort(soft[soft > 0.02].ravel())[::-1]
    if inked.size < 50:
        return 0.5
    solid = coverage > 0.5
    across = np.count_nonzero(solid[::3, 1:] != solid[::3, :-1]) / 3
    along = np.count_nonzero(solid[1:, ::3] != solid[:-1, ::3]) / 3
    # Crossings of a grid over-count a border by 4 / pi on average.
    border = (across + along) * np.pi / 4
    area = float(sample.sum())
    wanted = max(area + spread * border, 0.75 * area)
    return float(np.clip(inked[min(int(wanted), inked.size - 1)], 0.12, 0.85))


def _scan(ink: Image, how: Degradation, unit: float, rng: np.random.Generator) -> Image:
    """Return the grey (H, W) f32 that a scanner sees."""
    shape = ink.shape
    if how.bleed > 0:
        back = cv2.GaussianBlur(ink[:, ::-1], (0, 0), max(0.8, 0.08 * unit))
        ink = np.maximum(ink, how.bleed * np.roll(back, int(0.7 * unit), axis=0))
    if how.specks > 0:
        dirt = _dots(shape, how.specks, unit, rng)
        ink = ink.copy()
        ink[dirt] = np.maximum(ink[dirt], np.float32(rng.uniform(0.5, 1.0)))
    if how.focus > 0.25:
        ink = np.asarray(cv2.GaussianBlur(ink, (0, 0), how.focus), np.float32)
    if how.coarse < 1:
        down = how.coarse * how.coarse_down
        size = (max(8, round(shape[1] * how.coarse)), max(8, round(shape[0] * down)))
        small = cv2.resize(ink, size, interpolation=cv2.INTER_AREA)
        small = np.clip((small - 0.5) * 4 + 0.5, 0, 1) if how.bilevel else small
        way = cv2.INTER_NEAREST if rng.random() < 0.5 else cv2.INTER_LINEAR
        ink = np.asarray(cv2.resize(small, (shape[1], shape[0]), interpolation=way), np.float32)
    paper: Image | np.float32 = np.float32(how.paper)
    if how.texture > 0:
        paper = paper + how.texture * _field(shape, 2.0 + 2.0 * rng.random(), rng)
    if how.light > 0:
        coarse = rng.standard_normal((3, 3)).astype(np.float32)
        shade = cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
        shade = (shade - shade.min()) / max(1e-6, float(shade.max() - shade.min()))
        paper = paper - how.light * np.asarray(shade, np.float32)
    scan = paper + (np.float32(how.ink) - paper) * ink
    if how.noise > 0:
        scan = scan + how.noise * rng.standard_normal(shape, np.float32)
    return np.asarray(scan, np.float32)


def _dots(
    shape: tuple[int, int], rate: float, unit: float, rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Return specks of irregular shape: so many a thousand x-height squares."""
    count = int(rng.poisson(rate * shape[0] * shape[1] / (1000 * unit * unit)))
    canvas = np.zeros(shape, np.uint8)
    rows, columns = rng.integers(0, shape[0], count), rng.integers(0, shape[1], count)
    radii = np.minimum(np.exp(rng.normal(np.log(0.035), 0.6, count)), 0.2) * unit
    angles = rng.uniform(0, 180, count)
    ratios = rng.uniform(0.3, 1.0, count)
    for row, column, radius, ratio, angle in zip(rows, columns, radii, ratios, angles, strict=True):
        axes = (round(float(radius)), round(float(radius * ratio)))
        cv2.ellipse(canvas, (int(column), int(row)), axes, float(angle), 0, 360, 1, -1)
    return np.asarray(canvas, bool)


def _flip(
    black: npt.NDArray[np.bool_], rate: float, rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Flip pixels the likelier the nearer they are to an edge (Kanungo et al., 1994)."""
    if rate <= 0:
        return black
    mask = black.astype(np.uint8)
    inside = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
    outside = cv2.distanceTransform(1 - mask, cv2.DIST_L2, 3)
    distance = inside + outside
    odds = rate * np.exp(-0.9 * distance * distance)
    flipped = black ^ (rng.random(black.shape, np.float32) < odds)
    kernel = np.ones((2, 2), np.uint8)
    closed = cv2.morphologyEx(flipped.astype(np.uint8), cv2.MORPH_CLOSE, kernel)
    return np.asarray(closed, bool)


def _follow(owner: Labels, solid: npt.NDArray[np.bool_]) -> Labels:
    """Give ink that spread to the character it spread from, and take away what is no ink."""
    labels = owner.astype(np.float32)
    kernel = np.ones((3, 3), np.uint8)
    for _ in range(_GROWTH):
        grown = cv2.dilate(labels, kernel)
        take = (labels == 0) & solid
        labels = np.where(take, grown, labels)
    return np.where(solid, labels, 0).astype(np.int32)
