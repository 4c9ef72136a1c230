import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ocr_batch.recognition.charset import CLASSES
from ocr_batch.recognition.decoder import Reading
from ocr_batch.recognition.quotes import close_quotes


def _reading(*lines):
    label, space, line = [], [], []
    for number, text in enumerate(lines):
        before = False
        for letter in text:
            if letter != " ":
                label.append(CLASSES.index(letter))
                space.append(before)
                line.append(number)
            before = letter == " "
    count = np.arange(len(label))
    return Reading(
        count,
        np.array(label, np.int64),
        np.array(space, np.bool_),
        np.array(line, np.int64),
        np.zeros(len(label), np.float32),
    )


def _text(reading):
    lines = [""] * (int(reading.line.max(initial=-1)) + 1)
    for label, space, line in zip(reading.label, reading.space, reading.line, strict=True):
        lines[line] += " " * bool(space) + CLASSES[label]
    return lines


def test_quotes_stand_close():
    found = _text(close_quotes(_reading("other “ Robin Hood’s Butts ” in the", "his “ Tor,” near")))
    assert found == ["other “Robin Hood’s Butts” in the", "his “Tor,” near"]


def test_other_spaces_stay():
    lines = ["said : “yes” ; “no” he’d ’tis", 'the boys’ “own” " a " b']
    assert _text(close_quotes(_reading(*lines))) == lines


def test_a_quote_at_a_line_end_does_not_reach_the_next_line():
    lines = ["as “", "Robin", "” a"]
    assert _text(close_quotes(_reading(*lines))) == lines


@given(st.lists(st.text("ab“” ", max_size=12).map(str.strip), max_size=4))
def test_only_spaces_go(lines):
    reading = _reading(*lines)
    closed = close_quotes(reading)
    assert not (closed.space & ~reading.space).any()
    np.testing.assert_array_equal(closed.label, reading.label)
    again = close_quotes(closed)
    np.testing.assert_array_equal(again.space, closed.space)
    assert not any("“ " in text or " ”" in text for text in _text(closed))
