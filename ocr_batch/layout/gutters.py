"""Find the gutters between columns of prose, and leave the gaps inside tables alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ocr_batch.layout.phrases import Phrases
from ocr_batch.layout.whitespace import TALL, white_strips

__all__ = ["find_gutters"]

# In x-heights.
_REACH = 6.0
_BESIDE = 1.5
_HEADING = 3.0
_BREAK = 8.0
_TALLEST = 8
_LEVEL = 0.3
_LEADING = 3.5
# More phrases than this are dirt, not columns of text.
_MOST_PHRASES = 12_000
_FEWEST_LINES = 3
_FEWEST_SIDE = 4
# Prose ends, or begins, where this share of its lines does.
_PROSE_EDGE = 0.9
# Letters on a line of prose: fewer, and it is a table's cell. Where all rows are level, more.
_PROSE_LETTERS = 14
_PROSE_LETTERS_LEVEL = 19
_ALL_LEVEL = 0.75
# Lines that go their own way beside prose, as a caption in a column: at most this share of them
# level with another, so many, so long.
_OWN_LEADING = 0.5
_FEWEST_OWN = 5
# Rows of a table are this much further apart than the lines of their cells, but not so much.
_ROW_GAP = 1.4
_WHITE = 4.0
_SAME = 0.7
_FEWEST_GAPS = 2
_OWN_LETTERS = 4
_WORD = 4

Boxes = NDArray[np.float64]
Index = NDArray[np.int64]


def find_gutters(phrases: Phrases, rules: NDArray[np.float64]) -> NDArray[np.float64]:
    """Find white (or ruled) strips that part columns of prose.

    Parameters
    ----------
    phrases : Phrases
        Of the whole page.
    rules : ndarray of float64, shape (R, 4)
        left, top, right, bottom of long vertical rules.

    Returns
    -------
    ndarray of float64, shape (G, 4)
        left, top, right, bottom of each gutter.

    Notes
    -----
    A gap that is lined by short phrases on either side is a table's; its rows are read across.
    Short lines that are not level with those beside them are a column all the same: a caption.
    """
    none, x_height = np.zeros((0, 4)), phrases.x_height
    if not 4 <= len(phrases) <= _MOST_PHRASES or not _side_by_side(phrases):
        return none
    tall_rules = rules[rules[:, 3] - rules[:, 1] >= TALL * x_height]
    strips = list(np.concatenate([white_strips(phrases.box, x_height), tall_rules]))
    found: list[Boxes] = []
    # Twice: what stands beside a strip is clearer when the gutters beyond it are known.
    for _ in range(2):
        rest = []
        for strip in strips:
            gutter = _part(strip, phrases, found)
            if gutter is None:
                rest.append(strip)
            else:
                found.append(gutter)
        if not found:
            return none
        strips = rest
    return _merge(_distinct(found, phrases), x_height)


def _side_by_side(phrases: Phrases) -> bool:
    """Tell whether there may be lines of prose beside other lines: most pages need no search."""
    prose = phrases.box[phrases.letters >= _PROSE_LETTERS]
    if len(prose) < _FEWEST_SIDE:
        return False
    # Two lines of prose beside two others are sign enough; of shorter lines, as many as make a
    # column, beyond where the prose ends.
    end, begin = np.sort(prose[:, 2]), np.sort(prose[:, 0])
    words = phrases.box[phrases.letters >= _WORD]
    few = min(_FEWEST_OWN, len(words))
    left_end, right_begin = np.sort(words[:, 2])[few - 1], np.sort(words[:, 0])[-few]
    edge = int(_PROSE_EDGE * (len(prose) - 1))
    gap = max(begin[-2] - end[1], right_begin - end[edge], begin[-1 - edge] - left_end)
    return bool(gap > -phrases.x_height)


def _distinct(strips: list[Boxes], phrases: Phrases) -> list[Boxes]:
    """Leave out strips beside a taller one with no column between: white of ragged lines."""
    x, y = (phrases.box[:, 0] + phrases.box[:, 2]) / 2, phrases.middle
    kept: list[Boxes] = []
    for strip in sorted(strips, key=lambda entry: float(entry[1] - entry[3])):
        x0, y0, x1, y1 = strip
        column = (y > y0) & (y < y1)
        for other in kept:
            low, high = sorted(((x0 + x1) / 2, (other[0] + other[2]) / 2))
            shared = min(y1, other[3]) - max(y0, other[1])
            between = column & (x > low) & (x < high)
            if shared > 0.5 * (y1 - y0) and between.sum() < _FEWEST_LINES:
                break
        else:
            kept.append(strip)
    return kept


def _merge(strips: list[NDArray[np.float64]], x_height: float) -> NDArray[np.float64]:
    """Join strips that continue one another: a single tight line does not end a gutter."""
    merged: list[NDArray[np.float64]] = []
    for strip in sorted(strips, key=lambda entry: float(entry[1])):
        for other in merged:
            beside = abs(strip[0] + strip[2] - other[0] - other[2]) / 2 < _BESIDE * x_height
            if beside and strip[1] - other[3] < _BREAK * x_height:
                # The longer part knows better where the gutter runs.
                if strip[3] - strip[1] > other[3] - other[1]:
                    other[[0, 2]] = strip[[0, 2]]
                other[3] = max(other[3], strip[3])
                break
        else:
            merged.append(strip.copy())
    return np.array(merged)


def _part(strip: Boxes, phrases: Phrases, found: list[Boxes]) -> Boxes | None:
    """Cut a white strip to where columns stand on both sides of it; None if it parts none."""
    x0, y0, x1, y1 = strip
    begin, end, middle = phrases.box[:, 0], phrases.box[:, 2], phrases.middle
    level = (middle > y0) & (middle < y1)
    left, right = level & (end <= x1), level & (begin >= x0)
    for other in found:
        # Nobody looks over a gutter that lies between.
        at = (middle > other[1]) & (middle < other[3])
        left &= ~at | (begin > other[0]) | (other[0] > x0)
        right &= ~at | (end < other[2]) | (other[2] < x1)
    if min(np.count_nonzero(left), np.count_nonzero(right)) < _FEWEST_SIDE:
        return None
    # A wide white area reaches too far (beside a short paragraph, say): phrases near it tell more.
    reach = _REACH * phrases.x_height
    lefts, rights = left & (end > x0 - reach), right & (begin < x1 + reach)
    near = _between(strip, np.flatnonzero(lefts), np.flatnonzero(rights), phrases, 0)
    # Or a picture stands beside it: then what counts is the nearest phrase of each row.
    first_left = _nearest(phrases, -end, np.flatnonzero(left))
    first_right = _nearest(phrases, begin, np.flatnonzero(right))
    far = _between(strip, first_left, first_right, phrases, _WORD)
    if near is None or far is None:
        return far if near is None else near
    return far if far[3] - far[1] > near[3] - near[1] else near


def _nearest(phrases: Phrases, distance: NDArray[np.float64], chosen: Index) -> Index:
    """Return those of the chosen phrases before which none stands on the row of their middle."""
    box = phrases.box[chosen]
    rows = np.floor((box[:, [1, 3]] - box[:, 1].min()) / phrases.x_height).astype(np.int64)
    least = np.full(int(rows.max()) + 1, np.inf)
    for step in range(min(_TALLEST, int(np.diff(rows).max()) + 1)):
        np.minimum.at(least, np.minimum(rows[:, 0] + step, rows[:, 1]), distance[chosen])
    return np.asarray(chosen[distance[chosen] <= least[rows.sum(axis=1) // 2]], np.int64)


def _between(
    strip: Boxes, lefts: Index, rights: Index, phrases: Phrases, fewest: int
) -> Boxes | None:
    """Return the gutter between phrases left and right of a strip, None if they are no columns.

    It reaches as far as phrases of so many letters stand on both sides.
    """
    if min(len(lefts), len(rights)) < _FEWEST_SIDE:
        return None
    box, letters, x_height = phrases.box, phrases.letters, phrases.x_height
    typical = np.array([np.median(letters[lefts]), np.median(letters[rights])])
    if typical.max() >= _PROSE_LETTERS and _own_leading(phrases, lefts, rights):
        least = _OWN_LETTERS
    else:
        least = _prose_letters(box[lefts], box[rights], x_height)
    if typical.min() < least:
        return None
    # Not through a heading.
    line = (box[:, 3] - box[:, 1] < _HEADING * x_height) & (letters >= fewest)
    lefts, rights = lefts[line[lefts]], rights[line[rights]]
    if not len(lefts) or not len(rights):
        return None
    top = max(box[lefts, 1].min(), box[rights, 1].min())
    bottom = min(box[lefts, 3].max(), box[rights, 3].max())
    if bottom - top < 0.6 * TALL * x_height:
        return None
    x0, y0, x1, y1 = strip
    edge = float(np.quantile(box[lefts, 2], 0.95)), float(np.quantile(box[rights, 0], 0.05))
    middle = (edge[0] + edge[1]) / 2 if edge[0] < edge[1] else (x0 + x1) / 2
    middle = min(max(middle, x0), x1)
    half = 0.25 * x_height
    return np.array(
        [middle - half, max(y0, top - x_height), middle + half, min(y1, bottom + x_height)]
    )


def _prose_letters(lefts: Boxes, rights: Boxes, x_height: float) -> int:
    """Return how long lines must be to be columns."""
    # Where every line on one side has its partner on the other, it may be a table's rows.
    apart = np.abs(lefts[:, 3][:, None] - rights[:, 3][None, :]).min(axis=1)
    level = float((apart < _LEVEL * x_height).mean()) > _ALL_LEVEL
    return _PROSE_LETTERS_LEVEL if level else _PROSE_LETTERS


def _own_leading(phrases: Phrases, lefts: Index, rights: Index) -> bool:
    """Tell whether lines on either side go their own way beside the other's: no table's rows."""
    x_height, foot = phrases.x_height, phrases.foot
    top = max(foot[lefts].min(), foot[rights].min()) - x_height
    bottom = min(foot[lefts].max(), foot[rights].max()) + x_height
    gaps = []
    for own, other in ((foot[lefts], foot[rights]), (foot[rights], foot[lefts])):
        beside = np.sort(own[(own > top) & (own < bottom)])
        if len(beside) < _FEWEST_OWN:
            return False
        away = (other - beside[:, None]) / x_height
        away = away[np.arange(len(away)), np.abs(away).argmin(axis=1)]
        # Cells may stand a little lower than their labels, but all of them as much.
        low, high = np.quantile(away, (0.25, 0.75))
        if (np.abs(away) < _LEVEL).mean() > _OWN_LEADING or high - low < _LEVEL:
            return False
        step = np.diff(beside)
        step, begin = step[step > _LEVEL * x_height], beside[:-1][step > _LEVEL * x_height]
        # The entries of a form stand far apart.
        if not len(step) or np.median(step) > _LEADING * x_height:
            return False
        wide = (step > _ROW_GAP * np.median(step)) & (step < _WHITE * np.median(step))
        gaps.append(np.stack([begin[wide], begin[wide] + step[wide]], axis=1))
    return not _same_gaps(*gaps)


def _same_gaps(one: Boxes, other: Boxes) -> bool:
    """Tell whether most gaps between groups of lines, (K, 2) rows, meet one on the other side."""
    if min(len(one), len(other)) < _FEWEST_GAPS:
        return False
    shared = np.minimum(one[:, None, 1], other[:, 1]) - np.maximum(one[:, None, 0], other[:, 0])
    smaller = np.minimum((one[:, 1] - one[:, 0])[:, None], other[:, 1] - other[:, 0])
    meets = shared > _SAME * smaller
    return bool(min(meets.any(axis=1).mean(), meets.any(axis=0).mean()) > _SAME)
