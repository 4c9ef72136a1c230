from __future__ import annotations

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from ocr_batch.output.labels import format_labels, label_columns


def test_the_header_counts_from_the_second():
    assert label_columns(1) == ("image", "label", "confidence")
    assert label_columns(3)[3:] == ("label2", "confidence2", "label3", "confidence3")


def test_missing_labels_leave_their_columns_empty():
    assert format_labels("a.png", ("A",), (0.5,), 2) == "a.png,A,0.5000,,\n"
    assert format_labels("a.png", (), (), 2) == "a.png,,,,\n"
    assert format_labels("a.png", ("A", "B"), (0.5, 0.25), 1) == "a.png,A,0.5000\n"


def test_formulas_are_guarded_and_signs_are_not():
    assert format_labels("=a.png", ("=", "@"), (0.5, 0.25), 2).startswith("'=a.png,=,0.5000,@,")
    assert format_labels("=a.png", (), (), 1, formula_guard=False) == "=a.png,,\n"


# No file name has a zero byte, and csv can not read one before Python 3.11.
@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),
    st.integers(1, 4),
)
def test_every_name_and_label_comes_back(text, top):
    row = format_labels(text, (text,) * 4, (0.25,) * 4, top, formula_guard=False)
    ((name, *fields),) = csv.reader(io.StringIO(row, newline=""))
    assert name == text and fields == [text, "0.2500"] * top
    assert len(label_columns(top)) == 1 + len(fields)
