import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_batch.rendering.conditions import CONDITIONS, sample_condition
from ocr_batch.rendering.degradation import Degradation, degrade, sample_degradation
from ocr_batch.rendering.page import Characters, RenderedPage, boxes_of


def _page(count: int = 40) -> RenderedPage:
    """A page of upright bars on lines, one character each."""
    grey = np.full((260, 420), 255, np.uint8)
    owner = np.zeros(grey.shape, np.int32)
    baselines = []
    for number in range(count):
        row, column = 30 + 50 * (number // 10), 20 + 40 * (number % 10)
        grey[row : row + 22, column : column + 6] = 0
        owner[row : row + 22, column : column + 6] = number + 1
        baselines.append(row + 22)
    truth = Characters(
        text=("l",) * count,
        line=np.arange(count, dtype=np.int32) // 10,
        word=np.arange(count, dtype=np.int32),
        box=boxes_of(owner, count),
        x_height=np.full(count, 22, np.float32),
        baseline=np.array(baselines, np.float32),
        face=np.zeros(count, np.int32),
        visible=np.ones(count, bool),
    )
    lines = tuple(" ".join("l" * 10) for _ in range(count // 10))
    return RenderedPage(grey, owner, truth, lines, np.zeros(len(lines), np.int32))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 1))
def test_truth_follows_the_ink(seed: int, difficulty: float):
    rng = np.random.default_rng(seed)
    page = _page()
    before = page.grey.copy()
    out = degrade(page, sample_degradation(rng, difficulty), rng)
    assert np.array_equal(page.grey, before)
    assert out.grey.shape == out.owner.shape
    assert out.grey.dtype == np.uint8
    assert len(out.characters) == len(page.characters)
    shown = np.unique(out.owner[out.owner > 0]) - 1
    assert np.array_equal(np.nonzero(out.characters.visible)[0], shown)
    boxes = out.characters.box[out.characters.visible]
    assert np.all(boxes[:, 2:] > 0)
    assert np.all(out.characters.box[~out.characters.visible] == 0)


def test_no_degradation_changes_little():
    page = _page()
    out = degrade(page, Degradation(focus=0.0), np.random.default_rng(0))
    assert np.abs(out.characters.box - page.characters.box).max() <= 1
    assert out.characters.visible.all()


@pytest.mark.parametrize(("spread", "grows"), [(0.08, True), (-0.06, False)])
def test_spread_makes_bold_or_thin(spread: float, grows: bool):
    page = _page()
    out = degrade(page, Degradation(spread=spread, bilevel=True), np.random.default_rng(0))
    areas = np.count_nonzero(out.owner), np.count_nonzero(page.owner)
    assert bool(areas[0] > areas[1]) is grows


def test_scale_and_turn_move_boxes_and_baselines():
    page = _page()
    out = degrade(page, Degradation(scale=0.5, turn=1.0), np.random.default_rng(0))
    assert out.grey.shape == (130, 210)
    bottoms = out.characters.box[:, 1] + out.characters.box[:, 3]
    assert np.abs(bottoms - out.characters.baseline).max() <= 1.5
    first, last = out.characters.baseline[0], out.characters.baseline[9]
    assert first > last  # anticlockwise: the right end of a line goes up
    assert out.characters.x_height[0] == pytest.approx(11)


def test_lost_ink_has_no_owner():
    page = _page()
    grey = page.grey.copy()
    grey[30:52, 20:26] = 235
    faint = RenderedPage(grey, page.owner, page.characters, page.lines, page.blocks)
    out = degrade(faint, Degradation(bilevel=True), np.random.default_rng(0))
    assert not out.characters.visible[0]
    assert out.characters.visible[1:].all()


def test_bilevel_pages_are_black_and_white_and_chance_is_the_generators():
    page = _page()
    how = Degradation(bilevel=True, flips=0.3, specks=5, roughness=0.4)
    first = degrade(page, how, np.random.default_rng(4))
    assert set(np.unique(first.grey)) == {0, 255}
    assert np.array_equal(first.grey, degrade(page, how, np.random.default_rng(4)).grey)
    assert not np.array_equal(first.grey, degrade(page, how, np.random.default_rng(5)).grey)


def test_a_page_that_was_never_printed_keeps_its_edges():
    page = _page()
    how = Degradation(clean=True, x_height=11.0)
    out = degrade(page, how, np.random.default_rng(0))
    assert out.characters.visible.all()
    assert out.characters.x_height[0] == pytest.approx(11)
    assert np.array_equal(out.grey, degrade(page, how, np.random.default_rng(9)).grey)


def test_print_is_never_enlarged():
    page = _page()
    out = degrade(page, Degradation(x_height=60.0), np.random.default_rng(0))
    assert out.grey.shape == page.grey.shape


def test_hairlines_last_in_one_bit():
    page = _page()
    # Bars of six pixels become one and a half wide.
    how = Degradation(scale=0.25, bilevel=True, softness=0.03)
    out = degrade(page, how, np.random.default_rng(0))
    assert out.characters.visible.all()


def test_mix_of_difficulties():
    drawn = [sample_degradation(np.random.default_rng(n)) for n in range(1000)]
    assert 0.5 < np.mean([d.bilevel for d in drawn]) < 0.7
    assert 0.05 < np.mean([d.clean for d in drawn]) < 0.11
    assert 0.06 < np.mean([0 < d.x_height < 13 and not d.clean for d in drawn]) < 0.14
    assert 0.05 < np.mean([d.scale < 1 for d in drawn]) < 0.2


def test_conditions_are_of_growing_difficulty():
    rng = np.random.default_rng(0)
    page = _page()
    clean = degrade(page, sample_condition(rng, "none"), rng)
    assert np.array_equal(clean.grey, page.grey)
    assert np.array_equal(clean.characters.box, page.characters.box)
    drawn = {name: [sample_condition(rng, name) for _ in range(200)] for name in CONDITIONS}
    rough = {name: np.mean([how.roughness for how in drawn[name]]) for name in CONDITIONS}
    assert rough["none"] == 0 < rough["light"] < rough["scan"] < rough["heavy"]
    assert {how.bilevel for how in drawn["light"]} == {False, True}
