"""The truth of a rendered page."""

from __future__ import annotations

import numpy as np
import pytest

from ocr_batch.output.text import format_text
from ocr_batch.rendering.degradation import Degradation, degrade
from ocr_batch.rendering.page import Characters, RenderedPage, boxes_of
from ocr_batch.rendering.truth import true_page


def bars(text: tuple[str, ...], lines: tuple[str, ...], blocks: list[int]) -> RenderedPage:
    """A page whose characters are upright bars, 40 pixels apart."""
    words = [len(word) for line in lines for word in line.split()]
    sizes = [len(line.replace(" ", "")) for line in lines]
    letter = np.cumsum([0, *map(len, text)])[:-1]
    line = np.searchsorted(np.cumsum(sizes), letter, side="right").astype(np.int32)
    word = np.searchsorted(np.cumsum(words), letter, side="right").astype(np.int32)
    grey = np.full((60 + 60 * len(lines), 600), 255, np.uint8)
    owner = np.zeros(grey.shape, np.int32)
    for number, row in enumerate(line):
        column = 40 + 40 * (number - int(np.searchsorted(line, row)))
        place = slice(50 + 60 * row, 72 + 60 * row), slice(column, column + 8)
        grey[place], owner[place] = 0, number + 1
    count = len(text)
    box = boxes_of(owner, count)
    truth = Characters(
        text, line, word, box, np.full(count, 22, np.float32),
        (box[:, 1] + 22).astype(np.float32), np.zeros(count, np.int32), np.ones(count, bool),
    )  # fmt: skip
    return RenderedPage(grey, owner, truth, lines, np.array(blocks, np.int32))


PAGE = bars(("o", "ffi", "c", "e", "h", "o", "u", "r", "s", "n", "o", "w"),
            ("office", "hours", "now"), [0, 0, 4])  # fmt: skip


def without(page: RenderedPage, *numbers: int) -> RenderedPage:
    """Wipe characters out."""
    gone = np.isin(page.owner, np.array(numbers) + 1)
    owner = np.where(gone, 0, page.owner)
    box = boxes_of(owner, len(page.characters))
    old = page.characters
    truth = Characters(
        old.text, old.line, old.word, box, old.x_height, old.baseline, old.face, box[:, 2] > 0
    )
    return RenderedPage(
        np.where(gone, np.uint8(255), page.grey), owner, truth, page.lines, page.blocks
    )


def test_text_and_boxes():
    page = true_page(PAGE)
    assert format_text(page) == "office\nhours\n\nnow\n"
    assert (page.width, page.height) == (600, 240)
    first = next(page.words)
    assert [character.text for character in first.characters] == list("office")
    # The letters of a ligature share its box.
    assert len({character.box for character in first.characters[1:4]}) == 1
    assert [first.box.left, first.box.top, first.box.right, first.box.bottom] == [40, 50, 168, 72]
    assert page.confidence == 1


@pytest.mark.parametrize(
    "how", [Degradation(focus=0.0), Degradation(turn=2.0, scale=0.6), Degradation(curl=0.2)]
)
def test_lost_characters_stand_where_they_were(how: Degradation):
    whole = degrade(PAGE, how, np.random.default_rng(0))
    damaged = without(whole, 1, 4, 10)
    truth = true_page(damaged, PAGE)
    assert format_text(truth) == format_text(true_page(whole))
    found = [character for word in truth.words for character in word.characters]
    wanted = [character for word in true_page(whole).words for character in word.characters]
    assert [found[place].confidence for place in (1, 2, 3, 6, 12)] == [0] * 5
    assert sum(character.confidence for character in found) == len(found) - 5
    for one, other in zip(found, wanted, strict=True):
        assert abs(one.box.left - other.box.left) <= 3
        assert abs(one.box.bottom - other.box.bottom) <= 3


def test_characters_that_never_showed_are_put_at_a_neighbour():
    hidden = without(PAGE, 3)
    (first, *_) = true_page(hidden, hidden).words
    assert first.characters[-1].confidence == 0
    assert first.characters[-1].box.width > 0
    assert first.confidence == 0


def test_an_empty_page_has_no_text():
    assert format_text(true_page(bars((), (), []))) == ""
