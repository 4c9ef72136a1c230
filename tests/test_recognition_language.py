from pathlib import Path

import numpy as np
import pytest

from ocr_batch.errors import BundleError
from ocr_batch.recognition.language import DEPTH, FOLD_OF, SYMBOLS, LanguageModel
from ocr_batch.training.language_model import bits_per_character, build_language_model, encode

TEXT = "the cat sat on the mat and the rat ran at the cat in 1912 or 1913. " * 40


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return build_language_model([TEXT, "The Dog -- a dog -- \u201cbarks\u201d! " * 30], states=300)


def symbols(text: str) -> list[int]:
    return [SYMBOLS.index(letter) for letter in text]


def walk(model: LanguageModel, text: str) -> int:
    state = model.start
    for symbol in symbols(text):
        state = int(model.step(np.array([state], np.int32), np.array([symbol]))[1][0])
    return state


def spelled(model: LanguageModel, state: int) -> list[int]:
    return [int(symbol) for symbol in model.contexts[state] if symbol != 255]


def test_a_state_is_the_longest_known_suffix_of_what_was_read(model: LanguageModel):
    known = {tuple(spelled(model, state)) for state in range(len(model.contexts))}
    for text in ("the cat", "rat ran 19", "xq the m", "dogs bark", "THE"):
        read = [int(FOLD_OF[symbol]) for symbol in symbols(" " + text)]
        suffixes = (tuple(read[len(read) - size :]) for size in range(DEPTH, -1, -1))
        longest = next(suffix for suffix in suffixes if suffix in known)
        assert tuple(spelled(model, walk(model, text))) == longest


def everything(model: LanguageModel) -> tuple[np.ndarray, np.ndarray]:
    """Return log-probability and next state of each symbol in each state, (S, V) each."""
    count = len(model.contexts)
    states = np.repeat(np.arange(count, dtype=np.int32), len(SYMBOLS))
    cost, following = model.step(states, np.tile(np.arange(len(SYMBOLS)), count))
    return cost.reshape(count, -1), following.reshape(count, -1)


def test_probabilities_of_distinct_marks_sum_to_one(model: LanguageModel):
    _, first = np.unique(FOLD_OF, return_index=True)
    digits = [SYMBOLS.index(digit) for digit in "123456789"]
    cost, _ = everything(model)
    total = np.exp(cost[:, [*first, *digits]].astype(np.float64)).sum(axis=1)
    # Costs are rounded to a sixteenth of a nat.
    assert np.all(np.abs(np.log(total)) < 0.06)


def test_digits_are_alike_and_words_are_expected(model: LanguageModel):
    state = np.array([walk(model, "in 19")] * 2, np.int32)
    cost, following = model.step(state, np.array(symbols("27")))
    assert cost[0] == cost[1] and following[0] == following[1]
    after = np.array([walk(model, "the ca")] * 2, np.int32)
    likely, unlikely = model.step(after, np.array(symbols("tq")))[0]
    assert likely > unlikely + 2


def test_text_like_the_training_text_takes_fewer_bits(model: LanguageModel):
    assert bits_per_character(model, "the cat sat on the mat") < 2
    assert bits_per_character(model, "zyx wvu jkq") > 4


def test_white_space_is_folded_and_unknown_letters_fall_away():
    assert np.array_equal(encode("a \n\t b\u0416"), encode(" a b "))


def test_a_saved_model_comes_back(model: LanguageModel, tmp_path: Path):
    model.save(tmp_path / "language.npz")
    again = LanguageModel.load(tmp_path / "language.npz")
    assert np.array_equal(everything(again)[1], everything(model)[1])
    assert np.array_equal(again.costs, model.costs)


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "other symbols"])
def test_a_damaged_file_is_refused(model: LanguageModel, tmp_path: Path, damage: str):
    path = tmp_path / "language.npz"
    if damage == "other symbols":
        LanguageModel(model.contexts, model.costs[:, :-1]).save(path)
    elif damage != "missing":
        model.save(path)
        data = path.read_bytes()
        path.write_bytes(b"" if damage == "empty" else data[: len(data) // 2])
    with pytest.raises(BundleError, match="language model"):
        LanguageModel.load(path)
