import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ocr_batch.alignment.folding import normalise
from ocr_batch.evaluation.spelling import source_positions

texts = st.text(alphabet="abé .-_~\n\t’“—•ſ½\u00ad", max_size=40)


def test_a_fold_of_several_characters_comes_from_one() -> None:
    source = "x\n\n• a—½ of"
    folded = normalise(source)
    assert folded == "x * a-1⁄2 of"
    assert source_positions(source, folded).tolist() == [0, 1, 3, 4, 5, 6, 7, 7, 7, 8, 9, 10]


def test_a_joined_word_skips_its_hyphen() -> None:
    source = "an exam-\nple"
    assert source_positions(source, normalise(source)).tolist() == [0, 1, 2, 3, 4, 5, 6, 9, 10, 11]


def test_nothing_comes_from_nothing() -> None:
    assert source_positions("", "").tolist() == []
    assert source_positions(" \n", "").tolist() == []


@given(texts)
def test_positions_rise_and_letters_stay_themselves(source: str) -> None:
    folded = normalise(source)
    positions = source_positions(source, folded)
    assert len(positions) == len(folded)
    assert (np.diff(positions) >= 0).all()
    assert all(
        source[at] == letter
        for at, letter in zip(positions.tolist(), folded, strict=True)
        if letter in "ab"
    )
