"""Age, print and scan a rendered page, keeping its truth true to the pixel."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ocr_batch.rendering.conditions import Degradation, sample_degradation
from ocr_batch.rendering.page import Characters, RenderedPage, boxes_of
from ocr_batch.rendering.scanning import Image, cut_level, flip_edges, print_ink, scan_paper

__all__ = ["Degradation", "degrade", "sample_degradation"]

#: Labels in the smallest type that holds them and that cv2 knows.
Labels = npt.NDArray[np.integer[Any] | np.floating[Any]]

#: A character keeps its label if so much of its ink is left and not more than so much was added.
_LEFT, _DROWNED = 0.35, 3.0
_GROWTH = 3


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
    if how.x_height > 0:
        how = replace(how, scale=min(1.0, how.x_height / unit))
    coverage, owner, characters = _warp(page, how, unit)
    unit *= how.scale
    before = _count(owner, len(characters))
    if how.clean:
        solid = coverage > 0.3
        scan = np.float32(how.ink - how.paper) * coverage + np.float32(how.paper)
    else:
        ink = print_ink(coverage, how, unit, rng)
        scan = scan_paper(ink, how, unit, rng)
        solid = ink > 0.5
    if how.bilevel:
        darkness = (how.paper - scan) / np.float32(max(1.0, how.paper - how.ink))
        # Operators set the threshold by eye, so that strokes look as on paper, more or less.
        level = cut_level(solid.astype(np.float32), darkness, 0.0) + how.threshold - 0.5
        solid = flip_edges(darkness > min(max(level, 0.2), 0.8), how.flips, rng)
        out = np.where(solid, np.uint8(0), np.uint8(255))
    else:
        np.clip(np.rint(scan, out=scan), 0, 255, out=scan)
        out = scan.astype(np.uint8)
    if how.jpeg > 0:
        _, packed = cv2.imencode(".jpg", out, [cv2.IMWRITE_JPEG_QUALITY, how.jpeg])
        out = np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), np.uint8)
    owner = _follow(owner, solid)
    after = _count(owner, len(characters))
    bad = (after < _LEFT * before) | (after > _DROWNED * before + 4) | (after < 3)
    bad[0] = False
    if bad.any():
        owner[bad[owner]] = 0
    box = boxes_of(owner, len(characters))
    characters = replace(characters, box=box, visible=box[:, 2] > 0)
    return RenderedPage(out, owner, characters, page.lines, page.blocks)


def _count(owner: Labels, characters: int) -> npt.NDArray[np.int64]:
    """Count the pixels of each label but 0."""
    return np.bincount(owner[owner > 0], minlength=characters + 1)


def _warp(page: RenderedPage, how: Degradation, unit: float) -> tuple[Image, Labels, Characters]:
    """Scale, turn and curl: return coverage (0 to 1), owners, and characters in new places."""
    grey, old = page.grey, page.characters
    owner: Labels = page.owner.astype(np.uint16 if len(old) < 65535 else np.float32)
    height, width = grey.shape
    scale = how.scale
    rows, columns = round(height * scale), round(width * scale)
    slope = float(np.tan(np.radians(how.turn)))
    middle_x, middle_y = width / 2, height / 2
    wave = 2 * np.pi / (how.curl_length * width)
    rise = how.curl * unit

    def lift(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        moved = -slope * (x - middle_x) + rise * np.sin(wave * x)
        return np.asarray(moved, np.float64)

    if scale < 1:
        # Sampling would skip pixels: average over what one new pixel covers.
        size = 1 / scale
        grey = np.asarray(cv2.GaussianBlur(grey, (0, 0), max(0.3, 0.35 * size)), np.uint8)
    warped: npt.NDArray[Any] = grey
    if rise != 0:
        x = ((np.arange(columns) + 0.5) / scale - 0.5)[None, :]
        y = ((np.arange(rows, dtype=np.float32) + 0.5) / scale - 0.5)[:, None]
        map_x = x.astype(np.float32) - np.float32(slope) * (y - np.float32(middle_y))
        map_y = y - lift(x).astype(np.float32)
        warped = cv2.remap(grey, map_x, map_y, cv2.INTER_LINEAR, borderValue=255.0)
        owner = cv2.remap(owner, map_x, map_y, cv2.INTER_NEAREST, borderValue=0.0)
    elif scale != 1 or slope != 0:
        matrix = np.array(
            [[1 / scale, -slope / scale, 0.0], [slope / scale, 1 / scale, 0.0]], np.float64
        )
        half = 0.5 / scale - 0.5
        matrix[:, 2] = [half + slope * (middle_y - half), half + slope * (half - middle_x)]
        size_out = (columns, rows)
        inverse = cv2.WARP_INVERSE_MAP
        warped = cv2.warpAffine(
            grey, matrix, size_out, flags=cv2.INTER_LINEAR | inverse, borderValue=255.0
        )
        owner = cv2.warpAffine(owner, matrix, size_out, flags=cv2.INTER_NEAREST | inverse)
    centre = old.box[:, 0] + old.box[:, 2] / 2
    characters = replace(
        old,
        baseline=((old.baseline + lift(centre)) * scale).astype(np.float32),
        x_height=(old.x_height * scale).astype(np.float32),
    )
    coverage = np.asarray(warped, np.float32)
    coverage = (np.float32(255) - coverage) * np.float32(1 / 255)
    return coverage, owner, characters


def _follow(owner: Labels, solid: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
    """Give ink that spread to the character it spread from, and take away what is no ink."""
    kernel = np.ones((3, 3), np.uint8)
    labels = owner
    for _ in range(_GROWTH):
        grown = np.asarray(cv2.dilate(labels, kernel))
        labels = np.where((labels == 0) & solid, grown, labels)
    return np.where(solid, labels, 0).astype(np.int32)
