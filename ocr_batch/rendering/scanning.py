"""Put ink on paper and look at it with a scanner."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from ocr_batch.rendering.conditions import Degradation

__all__ = ["Image", "cut_level", "flip_edges", "print_ink", "scan_paper"]

Image = npt.NDArray[np.float32]

#: Noise is drawn in tiles of this side and repeated: no letter ever meets the same twice.
_TILE = 701
_BINS = 512


def _noise(shape: tuple[int, int], rng: np.random.Generator) -> Image:
    """Return noise of mean 0 and deviation 1, of independent pixels but for the tiles."""
    rows, columns = min(shape[0], _TILE), min(shape[1], _TILE)
    tile = rng.standard_normal((rows, columns), np.float32)
    if (rows, columns) == shape:
        return tile
    times = (-(-shape[0] // rows), -(-shape[1] // columns))
    return np.ascontiguousarray(np.tile(tile, times)[: shape[0], : shape[1]])


def _field(shape: tuple[int, int], grain: float, rng: np.random.Generator) -> Image:
    """Return smooth noise of mean 0 and deviation about 1 with grains of so many pixels."""
    if grain <= 1.0:
        return _noise(shape, rng)
    rows, columns = max(2, int(shape[0] / grain) + 2), max(2, int(shape[1] / grain) + 2)
    how = cv2.INTER_LINEAR if grain < 3 else cv2.INTER_CUBIC
    large = cv2.resize(_noise((rows, columns), rng), (shape[1], shape[0]), interpolation=how)
    return np.asarray(large, np.float32)


def _blur(image: Image, sigma: float) -> Image:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.float32)


def print_ink(coverage: Image, how: Degradation, unit: float, rng: np.random.Generator) -> Image:
    """Print: let ink spread and edges get rough.

    Parameters
    ----------
    coverage : (H, W) float32
        What is to be printed, 0 to 1.
    how : Degradation
    unit : float
        The x-height, pixels.
    rng : numpy.random.Generator

    Returns
    -------
    (H, W) float32
        The ink that gets onto the paper, 0 to 1.

    """
    sigma = max(0.35, how.softness * unit)
    ink = _blur(coverage, sigma)
    if how.hold > 0:
        # Ink keeps hairlines wider than a blur and a cut would leave them.
        ink = np.asarray(cv2.addWeighted(ink, 1 + how.hold, _blur(ink, 1.6 * sigma), -how.hold, 0))
    level = cut_level(coverage, ink, how.spread * unit)
    if how.roughness > 0:
        edge = ink * (1 - ink)
        edge *= _field(ink.shape, max(1.0, how.grain), rng)
        ink += np.float32(1.4 * how.roughness) * edge
    if how.fade > 0:
        uneven = _field(ink.shape, how.fade_length * unit, rng)
        ink *= 1.0 - np.float32(how.fade) * np.clip(0.5 * uneven + 0.3, 0, 1)
    if how.mottle > 0:
        uneven = _field(ink.shape, max(1.5, 0.12 * unit), rng)
        ink *= 1.0 - np.float32(how.mottle) * np.clip(0.6 * uneven, 0, 1)
    # Ink has hard edges: steeper than the blur, but not a step.
    steep = 2.5
    ink = np.asarray(cv2.addWeighted(ink, steep, ink, 0, 0.5 - steep * level), np.float32)
    np.clip(ink, 0.0, 1.0, out=ink)
    if how.rim > 0:
        core = _blur(ink, max(0.6, 0.07 * unit))
        ink *= 1.0 - np.float32(how.rim) * np.clip(3 * core - 2, 0, 1)
    if how.holes > 0:
        ink[_dots(ink.shape, how.holes, unit, rng)] = 0.0
    return ink


def cut_level(coverage: Image, blurred: Image, spread: float) -> float:
    """Find where to cut blurred ink so that every edge moves outward by `spread` pixels.

    It is found from the area, not from the blur: hairlines would drown in a fixed threshold.
    """
    # Every third row and column is enough for two areas and a quantile.
    sample, soft = coverage[::3, ::3], np.ascontiguousarray(blurred[::3, ::3])
    count = cv2.calcHist([soft], [0], None, [_BINS], [0.02, 1.02]).ravel()
    if count.sum() < 50:
        return 0.5
    solid = coverage > 0.5
    across = np.count_nonzero(solid[::3, 1:] != solid[::3, :-1]) / 3
    along = np.count_nonzero(solid[1:, ::3] != solid[:-1, ::3]) / 3
    # Crossings of a grid over-count a border by 4 / pi on average.
    border = (across + along) * np.pi / 4
    area = float(sample.sum())
    wanted = max(area + spread * border, 0.75 * area)
    # Histograms have no bin above the range: what a sharpened blur has there is solid anyway.
    above = np.cumsum(count[::-1]) + np.count_nonzero(soft >= 1.02)
    place = int(np.searchsorted(above, wanted))
    return float(np.clip(1.02 - (place + 0.5) / _BINS, 0.12, 0.85))


def scan_paper(ink: Image, how: Degradation, unit: float, rng: np.random.Generator) -> Image:
    """Scan: return the grey levels (H, W) float32 that the scanner sees."""
    shape = ink.shape
    if how.bleed > 0:
        back = _blur(np.ascontiguousarray(ink[:, ::-1]), max(0.8, 0.08 * unit))
        ink = np.maximum(ink, np.float32(how.bleed) * np.roll(back, int(0.7 * unit), axis=0))
    if how.specks > 0:
        dirt = _dots(shape, how.specks, unit, rng)
        ink = ink.copy()
        ink[dirt] = np.maximum(ink[dirt], np.float32(rng.uniform(0.5, 1.0)))
    if how.focus > 0.25:
        ink = _blur(ink, how.focus)
    if how.coarse < 1:
        down = how.coarse * how.coarse_down
        size = (max(8, round(shape[1] * how.coarse)), max(8, round(shape[0] * down)))
        small = cv2.resize(ink, size, interpolation=cv2.INTER_AREA)
        small = np.clip((small - 0.5) * 4 + 0.5, 0, 1) if how.bilevel else small
        way = cv2.INTER_NEAREST if rng.random() < 0.5 else cv2.INTER_LINEAR
        ink = np.asarray(cv2.resize(small, (shape[1], shape[0]), interpolation=way), np.float32)
    if how.sharpen > 0:
        ink = np.asarray(cv2.addWeighted(ink, 1 + how.sharpen, _blur(ink, 1.2), -how.sharpen, 0))
        np.clip(ink, 0.0, 1.0, out=ink)
    if how.texture > 0 or how.light > 0:
        paper = np.full(shape, how.paper, np.float32)
        if how.texture > 0:
            paper += np.float32(how.texture) * _field(shape, 2.0 + 2.0 * rng.random(), rng)
        if how.light > 0:
            coarse = rng.standard_normal((3, 3)).astype(np.float32)
            shade = cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
            least, most = float(shade.min()), float(shade.max())
            factor = how.light / max(1e-6, most - least)
            paper -= np.float32(factor) * (np.asarray(shade, np.float32) - np.float32(least))
        scan = paper
        scan += (np.float32(how.ink) - paper) * ink
    else:
        scan = np.float32(how.ink - how.paper) * ink
        scan += np.float32(how.paper)
    if how.noise > 0:
        scan += np.float32(how.noise) * _noise(shape, rng)
    return scan


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
    return canvas.view(np.bool_)


def flip_edges(
    black: npt.NDArray[np.bool_], rate: float, rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Flip pixels the likelier the nearer they are to an edge (Kanungo et al., 1994)."""
    if rate <= 0:
        return black
    mask = black.astype(np.uint8)
    inside = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
    outside = cv2.distanceTransform(1 - mask, cv2.DIST_L2, 3)
    distance = np.asarray(inside + outside, np.float32)
    # Farther away nothing flips that would be seen.
    near = np.flatnonzero(distance < 2.6)
    odds = rate * np.exp(-0.9 * distance.ravel()[near] ** 2)
    flipped = black.copy()
    flipped.ravel()[near[rng.random(len(near), np.float32) < odds]] ^= True
    closed = cv2.morphologyEx(flipped.view(np.uint8), cv2.MORPH_CLOSE, np.ones((2, 2), np.uint8))
    return np.asarray(closed, np.uint8).view(np.bool_)
