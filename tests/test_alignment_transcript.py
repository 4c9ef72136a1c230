"""Transcripts: folded as readings are compared, and found line by line."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ocr_batch.alignment.transcript import ANY_CLASS, UNKNOWN, find_spans, fold_transcript
from ocr_batch.recognition.charset import CLASSES

PAGE = ["It was the best of times,", "it was the worst of times,", "it was the age of wisdom"]


def test_marks_are_folded_and_certain_ones_keep_their_class() -> None:
    folded = fold_transcript("“It’s—a \ufb01x,” \u00bd")
    assert folded.text == '"It\'s-a fix," 1/2'
    named = {folded.text[k]: CLASSES[folded.own[k]] for k in np.flatnonzero(folded.own >= 0)}
    assert named == {'"': "”", "'": "’", "-": "—"}
    assert folded.own[folded.text.index("f")] == ANY_CLASS


def test_what_no_class_stands_for_is_unknown() -> None:
    assert fold_transcript("ca\u00f1on ~\u00a7").text == f"ca{UNKNOWN}on {UNKNOWN}\u00a7"


def test_white_space_becomes_single_spaces() -> None:
    assert fold_transcript("  a \n\n b\t c ").text == "a b c"
    assert fold_transcript(" \n").text == ""


def test_each_line_finds_its_part() -> None:
    truth = " ".join(PAGE)
    read = [line.replace("times", "tirnes") for line in PAGE]
    found = [truth[span.start : span.stop] for span in find_spans(read, truth)]
    assert found == PAGE


def test_a_word_joined_in_the_truth_is_parted_where_the_line_ends() -> None:
    truth = "the whole exam-ple of a remarkable story".replace("-", "")
    spans = find_spans(["the whole exam-", "ple of a remark-", "able story"], truth)
    assert [truth[s.start : s.stop] for s in spans] == [
        "the whole exam",
        "ple of a remark",
        "able story",
    ]


def test_lines_in_another_order_are_searched_for() -> None:
    order = ["it was the age of wisdom", "It was the best of times,", "nothing like this at all!"]
    truth = "It was the best of times, nothing like this at all! it was the age of wisdom"
    spans = {s.line: truth[s.start : s.stop] for s in find_spans(order, truth)}
    assert spans == dict(enumerate(order))


def test_a_line_that_is_not_in_the_truth_has_no_part() -> None:
    spans = find_spans([PAGE[0], "#@%& !!", "", PAGE[1]], f"{PAGE[0]} {PAGE[1]}")
    assert [span.line for span in spans] == [0, 3]


@given(st.lists(st.text("abc e-~", max_size=20), max_size=5), st.text("abc e-~", max_size=60))
def test_parts_lie_within_the_truth(lines: list[str], raw: str) -> None:
    truth = fold_transcript(raw).text
    for span in find_spans([" ".join(line.split()) for line in lines], truth):
        assert 0 <= span.first <= span.start < span.stop <= span.last <= len(truth)
        assert 0 <= span.agreement <= 1
