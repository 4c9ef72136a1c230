"""Pages damaged on purpose: each error is given to the damage."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pages import SIZE, Canvas, page_of, sheet_of

from ocr_batch.batch.pipeline import Models, ReadTrace, load_models, read_sheets, trace_sheet
from ocr_batch.evaluation.blame import blame_page, blame_trace
from ocr_batch.evaluation.causes import Cause, PageBlame
from ocr_batch.evaluation.metrics import score_page
from ocr_batch.evaluation.spelling import spell

LINES = [
    "The old house by the river",
    "was empty when we came back",
    "from town, and nobody could",
    "say who had lived in it.",
]
SHAPES = {
    Cause.NO_CUT,
    Cause.NOT_ASKED,
    Cause.REJECTED,
    Cause.SURE,
    Cause.TOP_FIVE,
    Cause.BEYOND,
    Cause.LANGUAGE,
    Cause.PATH,
}


@lru_cache(maxsize=1)
def models() -> Models:
    return load_models("english")


@lru_cache(maxsize=1)
def plain_trace() -> ReadTrace:
    return trace_sheet(sheet_of(page_of(LINES).grey), models())


def blamed(canvas: Canvas, truth: list[str]) -> PageBlame:
    return blame_page(sheet_of(canvas.grey), "\n".join(truth), models())


def changed(before: str, after: str) -> list[str]:
    """Return the truth of the plain page with something in it changed."""
    text = "\n".join(LINES)
    assert before in text
    return text.replace(before, after, 1).split("\n")


def blame_plain(truth: list[str]) -> PageBlame:
    """Blame the page without damage by another truth."""
    return blame_trace(plain_trace(), "\n".join(truth), models(), bilevel=True)


def test_a_page_read_right_blames_nothing() -> None:
    blame = blame_plain(LINES)
    letters = len("".join(LINES).replace(" ", ""))
    assert not blame.counts
    assert not blame.cases
    assert blame.ceilings.truth == letters
    assert blame.ceilings.offered == blame.ceilings.opened == blame.ceilings.right == letters


def test_the_text_is_spelled_as_it_is_written() -> None:
    canvas = page_of([*LINES, "", "1994 “fine” offices — ½"])
    sheet = sheet_of(canvas.grey)
    assert spell(trace_sheet(sheet, models())).raw == read_sheets([sheet], models())[0].text


@pytest.mark.parametrize(
    ("before", "after", "cause"),
    [
        ("old house", "oldhouse", Cause.SPACE_ADDED),
        ("nobody", "no body", Cause.SPACE_LOST),
        ("The old", "The Old", Cause.CASE),
        ("river", "rΩver", Cause.CHARSET),
        ("lived", "li~ved", None),
    ],
)
def test_a_difference_has_its_cause(before: str, after: str, cause: Cause | None) -> None:
    blame = blame_plain(changed(before, after))
    assert blame.counts == (Counter({cause: 1}) if cause else Counter())


def test_another_letter_is_the_classifiers() -> None:
    blame = blame_plain(changed("lived", "loved"))
    assert blame.counts.total() == 1
    assert set(blame.counts) < {Cause.SURE, Cause.TOP_FIVE, Cause.BEYOND}


def test_a_space_beside_a_mark_is_told_from_one_in_a_word() -> None:
    canvas = page_of([*LINES, 'known as " the old "'])
    blame = blamed(canvas, [*LINES, 'known as "the old"'])
    assert blame.counts == {Cause.SPACE_MARK: 2}


def test_text_in_another_order_is_not_lost() -> None:
    blame = blame_plain([LINES[2], LINES[3], LINES[0], LINES[1]])
    assert blame.counts[Cause.ORDER] >= 0.9 * blame.counts.total() > 20


def test_a_line_that_the_truth_lacks_is_extra() -> None:
    blame = blame_plain([LINES[0], LINES[2], LINES[3]])
    assert blame.counts == {Cause.EXTRA_LINE: len(LINES[1]) + 1}


def test_a_mark_that_the_truth_lacks_is_extra() -> None:
    blame = blame_plain(changed("town,", "town"))
    assert blame.counts == {Cause.EXTRA_MARK: 1}


def test_a_hyphen_at_a_line_end_is_the_joining() -> None:
    lines = [*LINES[:3], "say who had seen the old well-", "known house by the river."]
    blame = blamed(
        page_of(lines), [*lines[:3], "say who had seen the old well-known house by the river."]
    )
    assert blame.counts == {Cause.LINE_END: 1}


def test_a_line_that_is_not_there_was_not_printed() -> None:
    blame = blame_plain([*LINES[:2], "Quite other words are missing", *LINES[2:]])
    assert blame.counts[Cause.NO_INK] >= 0.9 * blame.counts.total() > 20


def test_a_word_that_was_not_printed() -> None:
    canvas = page_of([*LINES, "every          there before"])
    blame = blamed(canvas, [*LINES, "every single there before"])
    assert blame.counts[Cause.NO_INK] >= 0.8 * blame.counts.total() > 4


def test_a_line_that_another_swallowed() -> None:
    canvas = Canvas(1000, 700)
    lines = [*LINES, "every single room there", "before the war they left"]
    for baseline, line in zip((100, 180, 260, 304, 390, 470), lines, strict=True):
        canvas.text(80, baseline, line)
    # Strokes that tie two lines together.
    for left in range(100, 600, 25):
        canvas.rule(left, 250, left + 3, 294)
    blame = blamed(canvas, lines)
    assert blame.counts[Cause.MERGED] > 8
    swallowed = blame.counts[Cause.MERGED] + blame.counts[Cause.JUNK] + blame.counts[Cause.UNREAD]
    assert swallowed >= 0.8 * blame.counts.total()


def test_a_line_cut_in_half_is_read_badly() -> None:
    canvas = page_of([*LINES, "every single room was before"])
    baseline = 80 + SIZE + round(1.6 * SIZE) * 4
    canvas.grey[baseline - 12 : baseline + 20] = 255
    blame = blamed(canvas, [*LINES, "every single room was before"])
    assert blame.counts[Cause.UNREAD] + blame.counts[Cause.JUNK] > 10


def test_letters_that_touch_are_lost_by_their_shapes() -> None:
    canvas = Canvas(1300, 420)
    for number, line in enumerate(LINES):
        canvas.text(80, 110 + 80 * number, line, SIZE, tracking=-3.8)
    blame = blamed(canvas, LINES)
    assert sum(blame.counts[cause] for cause in SHAPES) >= 0.6 * blame.counts.total() > 3


def test_a_word_of_strokes_is_dropped_as_junk() -> None:
    canvas = page_of([*LINES, "by the | river"])
    blame = blamed(canvas, [*LINES, "by the | river"])
    assert blame.counts[Cause.JUNK] >= 1
    assert blame.counts[Cause.JUNK] == blame.counts.total()


def test_text_in_a_picture_comes_back_when_the_picture_is_kept() -> None:
    canvas = page_of([*LINES, "", "every single room there"], size=46)
    ink = canvas.grey < 200
    step = round(1.6 * 46)
    top, bottom = 80 + 5 * step - 30, 80 + 6 * step + 40
    dots = np.zeros_like(ink)
    for y in (0, 1):
        for x in (0, 1):
            dots[top + y : bottom : 6, 40 + x : -40 : 6] = True
    # A half-tone that leaves the letters themselves alone.
    near = np.zeros_like(ink)
    for y in range(-3, 4):
        for x in range(-3, 4):
            near |= np.roll(ink, (y, x), (0, 1))
    canvas.grey[dots & ~near] = 0
    blame = blamed(canvas, [*LINES, "every single room there"])
    assert blame.counts[Cause.FIGURES] >= 0.8 * blame.counts.total() > 10


def test_a_faint_letter_is_lost_to_the_paper() -> None:
    canvas = page_of([*LINES, "every single room there"])
    letter = max(range(len(canvas.letters)), key=lambda k: (canvas.letters[k][0] == "m", k))
    own = canvas.owner == letter + 1
    canvas.grey[:] = np.where(canvas.grey < 128, 0, 255)
    faint = canvas.grey.copy()
    faint[own] = 205
    canvas.grey[:] = faint
    blame = blamed(canvas, [*LINES, "every single room there"])
    assert blame.counts.total() >= 1
    assert blame.counts[Cause.BINARISATION] == blame.counts.total()


def test_the_worst_cases_have_pictures() -> None:
    trace = plain_trace()
    truth = "\n".join(changed("nobody", "n0bady"))
    bare = blame_trace(trace, truth, models(), bilevel=True)
    shown = blame_trace(trace, truth, models(), bilevel=True, pictures=1)
    assert all(case.picture is None for case in bare.cases)
    assert bare.cases == shown.cases
    pictures = [case.picture for case in shown.cases if case.picture is not None]
    assert pictures
    assert all(picture.ndim == 3 and picture.min() < 100 for picture in pictures)


def test_what_had_been_read_is_compared() -> None:
    sheet = sheet_of(page_of(LINES).grey)
    text = "\n".join(LINES)
    same = blame_page(sheet, text, models(), text=text + "\n")
    other = blame_page(sheet, text, models(), text=text.replace("old", "odd"))
    assert (same.same, same.errors) == (True, 0)
    assert (other.same, other.errors, other.counts.total()) == (False, 1, 0)


def test_a_blank_page_has_lost_everything() -> None:
    blame = blamed(Canvas(600, 400), LINES)
    assert blame.counts == {Cause.NO_INK: len(" ".join(LINES))}


words = st.lists(st.sampled_from(" ".join(LINES).split()), min_size=1, max_size=12)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(words, st.text(alphabet="abrn .-~“½Ω\n", max_size=12), st.booleans())
def test_the_causes_sum_to_the_errors(chosen: list[str], noise: str, ignore_case: bool) -> None:
    trace = plain_trace()
    truth = " ".join(chosen[::2]) + noise + "\n".join(LINES[1:3]) + " ".join(chosen[1::2])
    blame = blame_trace(trace, truth, models(), bilevel=True, ignore_case=ignore_case)
    score = score_page(truth, spell(trace).raw, ignore_case=ignore_case)
    assert blame.counts.total() == score.char_errors
    assert sum(case.count for case in blame.cases) == score.char_errors
