"""Read the lines of many pages at once from their scored candidates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ocr_batch.recognition.decoder import Reading, decode, make_candidates
from ocr_batch.recognition.language import LanguageModel
from ocr_batch.recognition.options import DecoderOptions
from ocr_batch.recognition.quotes import close_quotes
from ocr_batch.recognition.scoring import Scored
from ocr_batch.recognition.spaces import SpaceModel, space_odds
from ocr_batch.segmentation.page import Segmented

__all__ = ["decode_pages"]


def decode_pages(
    pages: Sequence[Segmented],
    scored: Sequence[Scored],
    spaces: SpaceModel,
    language: LanguageModel,
    options: DecoderOptions,
) -> list[Reading]:
    """Decode the lines of all pages together.

    Parameters
    ----------
    pages : sequence of Segmented
        At least one.
    scored : sequence of Scored
        Each page's candidates with their scores.
    spaces : SpaceModel
    language : LanguageModel
    options : DecoderOptions

    Returns
    -------
    list of Reading
        One a page; no page depends on the others.
    """
    first_piece = np.cumsum([0] + [len(page.pieces) for page in pages])
    first_edge = np.cumsum([0] + [len(scores.edges) for scores in scored])
    first_line = np.cumsum([0] + [len(page.strips.lines) for page in pages])
    starts, stops = [], []
    for number, page in enumerate(pages):
        bounds = np.searchsorted(page.pieces.line, np.arange(len(page.strips.lines) + 1))
        starts.append(bounds[:-1] + first_piece[number])
        stops.append(bounds[1:] + first_piece[number])
    candidates = make_candidates(
        _shifted([scores.edges.start for scores in scored], first_piece),
        _shifted([scores.edges.stop for scores in scored], first_piece),
        np.concatenate([scores.edges.atoms for scores in scored]),
        np.concatenate([scores.log_probabilities for scores in scored]),
        options,
        np.concatenate([page.cell_odds(s.edges) for page, s in zip(pages, scored, strict=True)]),
    )
    reading = decode(
        candidates,
        np.concatenate(starts),
        np.concatenate(stops),
        np.concatenate([space_odds(page, spaces) for page in pages]),
        language,
        options,
    )
    result = []
    for number in range(len(pages)):
        own = (reading.line >= first_line[number]) & (reading.line < first_line[number + 1])
        part = Reading(
            reading.edge[own] - first_edge[number],
            reading.label[own],
            reading.space[own],
            reading.line[own] - first_line[number],
            reading.gap[own],
        )
        result.append(close_quotes(part))
    return result


def _shifted(parts: Sequence[NDArray[np.int64]], first: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([part + first[number] for number, part in enumerate(parts)])
