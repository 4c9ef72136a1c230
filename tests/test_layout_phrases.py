import numpy as np
import pytest
from pages import Canvas

from ocr_batch.layout.components import find_components, find_neighbours
from ocr_batch.layout.page import letter_like
from ocr_batch.layout.phrases import find_phrases

X_HEIGHT = 21.0


def _phrases(grey, word_gap=1.9):
    components = find_components(grey < 128)
    body = letter_like(components, X_HEIGHT)
    return find_phrases(components, body, find_neighbours(components, body), X_HEIGHT, word_gap)


def test_phrases_end_at_wide_gaps():
    canvas = Canvas(1400, 200)
    drawn = [canvas.text(80, 100, "two words"), canvas.text(700, 100, "apart")]
    phrases = _phrases(canvas.grey)
    order = np.argsort(phrases.box[:, 0])
    assert phrases.letters[order].tolist() == [8, 5]
    sides = phrases.box[order].astype(int)[:, [0, 2]]
    assert sides.tolist() == pytest.approx(np.array(drawn)[:, [0, 2]], abs=2)


def test_a_phrase_stands_on_its_baseline_whatever_hangs_below_it():
    canvas = Canvas(1400, 200)
    canvas.text(80, 100, "the jumping frogs")
    phrases = _phrases(canvas.grey)
    assert phrases.foot.tolist() == pytest.approx([100], abs=2)
    assert phrases.box[0, 3] > 105


def test_a_page_without_letters_has_none():
    assert len(_phrases(np.full((200, 300), 255, np.uint8))) == 0
