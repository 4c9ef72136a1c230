"""Text in another place, found in the texts alone."""

from functools import lru_cache

from pages import page_of, sheet_of

from ocr_batch.batch.pipeline import Models, load_models, trace_sheet
from ocr_batch.evaluation.laid import Laid, lay_out
from ocr_batch.evaluation.moved import moved_text

LINES = ["The old house by the river", "was empty when we came back", "from town one day"]


@lru_cache(maxsize=1)
def models() -> Models:
    return load_models("english")


def laid(truth: list[str]) -> Laid:
    trace = trace_sheet(sheet_of(page_of(LINES).grey), models())
    return lay_out(trace, "\n".join(truth), models())


def marked(truth: list[str]) -> tuple[str, str]:
    page = laid(truth)
    wanted, given = moved_text(page)
    return (
        "".join(letter for letter, own in zip(page.truth, wanted, strict=True) if own),
        "".join(letter for letter, own in zip(page.spelled.text, given, strict=True) if own),
    )


def test_a_line_at_another_place_is_moved_on_both_sides() -> None:
    wanted, given = marked([LINES[2], LINES[0], LINES[1]])
    assert wanted.strip() == given.strip() == LINES[2]


def test_what_is_only_lost_or_only_extra_is_not_moved() -> None:
    assert marked([*LINES, "quite another thing"]) == ("", "")
    assert marked(LINES[:2]) == ("", "")


def test_what_is_misread_in_its_place_is_not_moved() -> None:
    assert marked([LINES[0], "wos emqty whon vve cane bock", LINES[2]]) == ("", "")
