"""Put on a page what is no text: pictures, signatures, stamps, dirt, borders of the scan."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["add_distractors"]

Ink = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int32]


def add_distractors(
    ink: Ink, owner: Labels, unit: float, rng: np.random.Generator
) -> tuple[Ink, Labels, int]:
    """Put one to three things that are no text on a page, enlarging it where they need room.

    Parameters
    ----------
    ink : (H, W) uint8
        Coverage, 255 = ink.
    owner : (H, W) int32
        Labels of the ink; whatever is added has none.
    unit : float
        The x-height, pixels.
    rng : numpy.random.Generator

    Returns
    -------
    ink, owner : (H', W') arrays
        Copies.
    down : int
        How far the old page has moved downward, pixels.

    """
    # Room at one end and at one side, as pages have it.
    tall, wide = int(unit * rng.uniform(5, 16)), int(unit * rng.uniform(2, 5))
    top, left = bool(rng.random() < 0.3), bool(rng.random() < 0.5)
    pad = ((tall, 0) if top else (0, tall), (wide, 0) if left else (0, wide))
    ink, owner = np.pad(ink, pad), np.pad(owner, pad)
    height, width = ink.shape
    free = (0, tall) if top else (height - tall, height)
    side = (0, wide) if left else (width - wide, width)
    makers: tuple[Callable[[], None], ...] = (
        lambda: _picture(ink, free, (0, width), unit, rng),
        lambda: _scribble(ink, free, (0, width), unit, rng),
        lambda: _stamp(ink, free, unit, rng),
        lambda: _dirt(ink, side, unit, rng),
        lambda: _border(ink, left, unit, rng),
    )
    odds = np.array([0.2, 0.25, 0.15, 0.2, 0.2])
    count = int(rng.integers(1, 4))
    for number in rng.choice(len(makers), count, replace=False, p=odds):
        makers[int(number)]()
    return ink, owner, pad[0][0]


def _picture(
    ink: Ink, rows: tuple[int, int], columns: tuple[int, int], unit: float, rng: np.random.Generator
) -> None:
    """Draw a half-tone, a dithered or a solid picture into the free rows."""
    tall = int((rows[1] - rows[0]) * rng.uniform(0.5, 0.85))
    wide = int(min(columns[1] - columns[0] - 4, tall * rng.uniform(0.6, 2.5)))
    if tall < 8 or wide < 8:
        return
    y = rows[0] + (rows[1] - rows[0] - tall) // 2
    x = int(rng.integers(columns[0], columns[1] - wide))
    coarse = rng.random((int(rng.integers(3, 8)), int(rng.integers(3, 8))), np.float32)
    tone = np.asarray(cv2.resize(coarse, (wide, tall), interpolation=cv2.INTER_CUBIC), np.float32)
    kind = rng.random()
    if kind < 0.5:
        # Dots whose size is the tone, on a grid of some 85 to 150 a 300-dpi inch, at 45 degrees.
        step = max(2.5, unit * float(rng.uniform(0.1, 0.18)))
        down, across = np.mgrid[:tall, :wide].astype(np.float32) * np.float32(np.pi / step)
        screen = (np.cos(down + across) + np.cos(down - across)) / 4 + 0.5
        picture = (tone > screen) * np.uint8(255)
    elif kind < 0.75:
        picture = (tone > rng.random((tall, wide), np.float32)) * np.uint8(255)
    else:
        picture = (np.clip(tone, 0, 1) * rng.uniform(120, 255)).astype(np.uint8)
    part = ink[y : y + tall, x : x + wide]
    np.maximum(part, picture.astype(np.uint8), out=part)


def _curve(points: npt.NDArray[np.float64], steps: int = 16) -> npt.NDArray[np.int32]:
    """Return a smooth line through points (N, 2), in eighths of a pixel."""
    place = np.linspace(0, len(points) - 1, steps * len(points))
    first = np.clip(place.astype(int), 0, len(points) - 2)
    share = (place - first)[:, None]
    # Catmull and Rom's spline, with the ends doubled.
    full = np.vstack([points[:1], points, points[-1:]])
    a, b, c, d = (full[first + number] for number in range(4))
    line = b + 0.5 * share * (
        c - a + share * (2 * a - 5 * b + 4 * c - d + share * (3 * (b - c) + d - a))
    )
    return np.asarray(np.rint(line * 8), np.int32)


def _scribble(
    ink: Ink, rows: tuple[int, int], columns: tuple[int, int], unit: float, rng: np.random.Generator
) -> None:
    """Write something like a signature: loops that run to the right."""
    count = int(rng.integers(10, 40))
    x = np.cumsum(rng.normal(0.5, 0.7, count)) * unit
    y = np.where(np.arange(count) % 2 == 0, -1.0, 1.0) * rng.gamma(2.0, 0.7, count) * unit
    x += rng.uniform(columns[0], max(columns[0] + 1, columns[1] - 0.6 * count * unit))
    # It reaches into the last line now and then, as signatures do.
    y += rows[0] + (rows[1] - rows[0]) * rng.uniform(0.3, 0.7)
    line = _curve(np.stack([x, y], axis=1))
    width = max(1, round(unit * float(rng.uniform(0.06, 0.16))))
    strength = int(rng.integers(150, 256))
    layer = np.zeros_like(ink)
    cv2.polylines(layer, [line], False, strength, width, cv2.LINE_AA, 3)
    np.maximum(ink, layer, out=ink)


def _stamp(ink: Ink, rows: tuple[int, int], unit: float, rng: np.random.Generator) -> None:
    """Press a ring or a frame, with bars where its words would be."""
    size = unit * float(rng.uniform(2.0, 4.5))
    centre = (
        int(rng.uniform(size, max(size + 1, ink.shape[1] - size))),
        int(rng.uniform(rows[0] + 0.3 * size, max(rows[0] + 0.4 * size, rows[1] - size))),
    )
    layer = np.zeros_like(ink)
    strength, width = int(rng.integers(90, 240)), max(1, round(0.12 * unit))
    tilt = float(rng.uniform(-25, 25))
    if rng.random() < 0.6:
        for share in (1.0, 0.7):
            axes = (round(size * share), round(size * share))
            cv2.ellipse(layer, centre, axes, tilt, 0, 360, strength, width, cv2.LINE_AA)
        for angle in rng.uniform(0, 360, 14):
            mark = (round(0.85 * size), round(0.85 * size))
            cv2.ellipse(
                layer, centre, mark, float(angle), 0, 6, strength, max(1, round(0.2 * size))
            )
    else:
        corners = cv2.boxPoints((centre, (2.4 * size, 0.9 * size), tilt))
        points = np.rint(corners).astype(np.int32)
        cv2.polylines(layer, [points], True, strength, width, cv2.LINE_AA)
    np.maximum(ink, layer, out=ink)


def _dirt(ink: Ink, columns: tuple[int, int], unit: float, rng: np.random.Generator) -> None:
    """Strew crumbs and hairs along a side, as copiers do."""
    layer = np.zeros_like(ink)
    for _ in range(int(rng.integers(5, 80))):
        x = int(rng.uniform(*columns))
        y = int(rng.uniform(0, ink.shape[0]))
        if rng.random() < 0.15:
            points = np.cumsum(rng.normal(0, 0.4 * unit, (4, 2)), axis=0) + np.array([x, y])
            cv2.polylines(layer, [_curve(points)], False, 255, 1, cv2.LINE_AA, 3)
        else:
            size = np.exp(rng.normal(np.log(0.08), 0.8)) * unit
            axes = (round(float(size)), round(float(size * rng.uniform(0.3, 1.0))))
            cv2.ellipse(layer, (x, y), axes, float(rng.uniform(0, 180)), 0, 360, 255, -1)
    np.maximum(ink, layer, out=ink)


def _border(ink: Ink, left: bool, unit: float, rng: np.random.Generator) -> None:
    """Blacken what the scanner saw beyond the sheet: a bar along a side, sometimes a frame."""
    width = max(2, round(unit * float(rng.uniform(0.2, 1.5))))
    ragged = np.cumsum(rng.normal(0, 0.3, ink.shape[0]))
    slope = float(rng.normal(0, 0.01)) * np.arange(ink.shape[0])
    edge = np.clip(width + ragged - ragged.mean() + slope - slope.mean(), 0, 1.6 * unit)
    bar = np.arange(ink.shape[1])[None, :] < edge[:, None]
    part = bar if left else bar[:, ::-1]
    ink[part] = int(rng.integers(170, 256))
    if rng.random() < 0.3:
        thick = max(1, width // 2)
        ink[:thick] = ink[-thick:] = 255
