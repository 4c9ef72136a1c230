"""Lines of a rendered page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from font_tools import write_font
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_batch.rendering.composition import Habits, Piece, Setter, words_of
from ocr_batch.rendering.fonts import choose_faces
from ocr_batch.rendering.glyphs import Pen, PenStyle


@pytest.fixture(scope="module")
def pen(tmp_path_factory: pytest.TempPathFactory) -> Pen:
    path: Path = write_font(tmp_path_factory.mktemp("fonts") / "own.ttf")
    (face,) = choose_faces([path])
    return Pen(face, 0, PenStyle(30.0))


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.text("abcdefgW/.", min_size=1, max_size=60), min_size=1, max_size=8),
    st.floats(80, 600),
    st.floats(0, 40),
)
def test_no_line_is_wider_than_the_measure(pen: Pen, texts: list[str], width: float, indent: float):
    setter = Setter(np.random.default_rng(0), Habits(ligatures=0.0))
    lines = setter.break_lines(words_of(" ".join(texts), pen), width, indent)
    for number, line in enumerate(lines):
        used = sum(setter.width(word) for word in line) + setter.space(pen) * (len(line) - 1)
        assert used <= width - (indent if number == 0 else 0) + 1e-6
    written = "".join(piece.text for line in lines for word in line for piece in word)
    assert written == "".join(texts)


def test_words_that_fit_stay_whole(pen: Pen):
    setter = Setter(np.random.default_rng(0), Habits())
    words = words_of("the quick brown fox", pen)
    assert [word for line in setter.break_lines(words, 200.0) for word in line] == words


def test_a_long_word_of_several_pieces_is_cut(pen: Pen):
    small = Pen(pen.face, 1, PenStyle(15.0))
    word = (Piece("www.address" * 3, pen), Piece("12", small, 5.0))
    setter = Setter(np.random.default_rng(0), Habits())
    lines = setter.break_lines([word], 150.0)
    assert len(lines) > 2
    parts = [piece for line in lines for one in line for piece in one]
    assert "".join(piece.text for piece in parts) == "www.address" * 3 + "12"
    assert (parts[-1].pen, parts[-1].rise) == (small, 5.0)
