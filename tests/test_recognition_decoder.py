import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import tiny_language

from ocr_batch.recognition.charset import CLASSES, GARBAGE, LIGATURES, N_CHARACTERS
from ocr_batch.recognition.decoder import Candidates, decode, make_candidates
from ocr_batch.recognition.language import SYMBOLS
from ocr_batch.recognition.options import DecoderOptions

LANGUAGE = tiny_language()
# Wide enough to be exact.
EXACT = DecoderOptions(beam=1e9, width=10**6)
NO_SPACE = -30.0
SYMBOL = {symbol: number for number, symbol in enumerate(SYMBOLS)}


def _read(state, text):
    """Return the language model's log-probability of a text, its length, and the next state."""
    total = 0.0
    for letter in text:
        step, following = LANGUAGE.step(np.array([state], np.int32), np.array([SYMBOL[letter]]))
        total += float(step[0])
        state = int(following[0])
    return total, len(text), state


def _candidates(rows):
    """Make candidates of (start, stop, label, score) rows; each is an edge of its own."""
    rows = sorted(rows, key=lambda row: row[0])
    start, stop, label, score = (np.array([row[k] for row in rows]) for k in range(4))
    return Candidates(
        np.arange(len(rows)), label.astype(np.int64), start.astype(np.int64),
        stop.astype(np.int64), score.astype(np.float32),
    )  # fmt: skip


def _score(candidates, path, spaces, odds, options):
    """Score a path by the book: shapes, spaces and language."""
    total, state = 0.0, LANGUAGE.start
    for place, (number, space) in enumerate(zip(path, spaces, strict=True)):
        label, start = candidates.label[number], candidates.start[number]
        total += float(candidates.score[number])
        if label < 0:
            continue
        text = (" " if space else "") + CLASSES[label]
        if place:
            sign = odds[start] if space else -odds[start]
            total -= options.space * float(np.logaddexp(0, -sign))
        log_probability, length, state = _read(state, text)
        total += options.language * log_probability + options.character * length
    return total


def _paths(candidates, here, stop):
    if here == stop:
        yield []
        return
    for number in np.flatnonzero(candidates.start == here):
        for rest in _paths(candidates, int(candidates.stop[number]), stop):
            yield [int(number), *rest]


def _spacings(candidates, path, odds):
    free = [
        k for k, number in enumerate(path)
        if k and candidates.label[number] >= 0 and odds[candidates.start[number]] > -20
    ]  # fmt: skip
    for chosen in range(2 ** len(free)):
        yield [k in free and bool(chosen >> free.index(k) & 1) for k in range(len(path))]


def _best(candidates, start, stop, odds, options):
    """Try every path: the oracle."""
    return max(
        (
            (_score(candidates, path, spaces, odds, options), path, spaces)
            for path in _paths(candidates, start, stop)
            for spaces in _spacings(candidates, path, odds)
        ),
        default=None,
        key=lambda entry: entry[0],
    )


def _decode(candidates, lines, odds, options=EXACT):
    start, stop = np.array(lines, np.int64).reshape(-1, 2).T
    return decode(candidates, start, stop, np.array(odds, np.float32), LANGUAGE, options)


def _of_line(candidates, reading, line):
    own = reading.line == line
    return reading.edge[own].tolist(), reading.space[own].tolist()


def _read_score(candidates, reading, line, odds, options):
    """Score what was read; only for lattices without dirt, whose paths are read in full."""
    return _score(candidates, *_of_line(candidates, reading, line), odds, options)


letters = st.sampled_from([CLASSES.index(text) for text in "aehotr. 1".replace(" ", "")])
texts = st.one_of(letters, st.sampled_from([CLASSES.index(text) for text in LIGATURES]))


@st.composite
def lattices(draw, dirt=True):
    """One to three lines of up to four pieces; every piece can be read alone."""
    rows, lines, odds, first = [], [], [], 0
    for _ in range(draw(st.integers(1, 3))):
        pieces = draw(st.integers(1, 4))
        lines.append((first, first + pieces))
        for start in range(pieces):
            odds.append(draw(st.sampled_from([-3.0, -0.5, 0.4, 2.5, NO_SPACE])))
            for stop in range(start + 1, min(start + 3, pieces) + 1):
                for _ in range(draw(st.integers(int(stop == start + 1), 2))):
                    label = draw(st.one_of(texts, st.just(-1)) if dirt else texts)
                    score = draw(st.floats(-5, 5, width=16))
                    rows.append((first + start, first + stop, label, score))
        first += pieces
    return _candidates(rows), lines, np.array(odds)


@settings(max_examples=150, deadline=None)
@given(lattices())
def test_the_best_path_of_all_is_found(lattice):
    candidates, lines, odds = lattice
    reading = _decode(candidates, lines, odds)
    for number, (start, stop) in enumerate(lines):
        score, path, spaces = _best(candidates, start, stop, odds, EXACT)
        read = [k for k, edge in enumerate(path) if candidates.label[edge] >= 0]
        found = _of_line(candidates, reading, number)
        expected = [path[k] for k in read], [spaces[k] for k in read]
        if found != expected:
            # Two paths may score alike.
            options = [
                other
                for other in _paths(candidates, start, stop)
                if [edge for edge in other if candidates.label[edge] >= 0] == found[0]
            ]
            assert options
            scores = []
            for other in options:
                gaps = dict(zip(*found, strict=True))
                marks = [gaps.get(edge, False) for edge in other]
                scores.append(_score(candidates, other, marks, odds, EXACT))
            assert max(scores) == pytest.approx(score, abs=1e-3)


@settings(max_examples=100, deadline=None)
@given(lattices(dirt=False))
def test_a_beam_is_never_worse_than_a_greedy_search(lattice):
    candidates, lines, odds = lattice
    options = DecoderOptions(beam=1e9)
    beam = _decode(candidates, lines, odds, options)
    greedy = _decode(candidates, lines, odds, dataclasses.replace(options, width=1))
    for number in range(len(lines)):
        assert (
            _read_score(candidates, beam, number, odds, options)
            >= _read_score(candidates, greedy, number, odds, options) - 1e-3
        )


@settings(max_examples=60, deadline=None)
@given(lattices())
def test_a_line_is_read_the_same_alone_or_among_others(lattice):
    candidates, lines, odds = lattice
    options = DecoderOptions()
    together = _decode(candidates, lines, odds, options)
    for number, line in enumerate(lines):
        alone = _decode(candidates, [line], odds, options)
        assert (alone.line == 0).all()
        own = together.line == number
        for name in ("edge", "label", "space"):
            assert np.array_equal(getattr(together, name)[own], getattr(alone, name))


@settings(max_examples=60, deadline=None)
@given(lattices())
def test_what_is_read_is_a_path(lattice):
    candidates, lines, odds = lattice
    reading = _decode(candidates, lines, odds, DecoderOptions())
    assert (np.diff(reading.line) >= 0).all()
    for number, (start, stop) in enumerate(lines):
        edges = reading.edge[reading.line == number]
        assert (candidates.stop[edges[:-1]] <= candidates.start[edges[1:]]).all()
        assert ((candidates.start[edges] >= start) & (candidates.stop[edges] <= stop)).all()
    assert np.array_equal(reading.label, candidates.label[reading.edge])


def _text(reading):
    return "".join(
        " " * int(space) + CLASSES[label]
        for label, space in zip(reading.label, reading.space, strict=True)
    )


def _word(text, score=3.0):
    return [(k, k + 1, CLASSES.index(letter), score) for k, letter in enumerate(text)]


def test_language_decides_between_like_shapes():
    rows = _word("house")
    rows.append((1, 2, CLASSES.index("0"), 3.0))
    odds = [NO_SPACE] * 5
    assert _text(_decode(_candidates(rows), [(0, 5)], odds, DecoderOptions())) == "house"


def test_a_ligature_is_spelled_out_to_the_language_model():
    flat = [CLASSES.index(text) for text in ("fl", "a", "t")]
    rows = [(k, k + 1, label, 2.0) for k, label in enumerate(flat)]
    candidates = _candidates(rows)
    odds = np.full(3, NO_SPACE)
    reading = _decode(candidates, [(0, 3)], odds)
    assert _text(reading) == "flat"
    assert reading.edge.tolist() == [0, 1, 2]
    # It weighs as much as its letters do.
    log_probability, length, _ = _read(LANGUAGE.start, "flat")
    assert _score(candidates, [0, 1, 2], [False] * 3, odds, EXACT) == pytest.approx(
        6 + EXACT.language * log_probability + EXACT.character * length
        - 2 * EXACT.space * np.logaddexp(0, NO_SPACE)
    )  # fmt: skip


@pytest.mark.parametrize(("odds", "expected"), [(6.0, "the house"), (-12.0, "thehouse")])
def test_a_clear_gap_decides_on_the_space(odds, expected):
    gaps = [NO_SPACE] * 8
    gaps[3] = odds
    reading = _decode(_candidates(_word("thehouse")), [(0, 8)], gaps, DecoderOptions())
    assert _text(reading) == expected


def test_language_decides_on_an_unclear_gap():
    gaps = [-0.2] * 8
    reading = _decode(_candidates(_word("thehouse")), [(0, 8)], gaps, DecoderOptions(language=1))
    assert _text(reading) == "the house"


def test_dirt_is_passed_over():
    rows = [(0, 1, -1, 0.0), *((k + 1, stop + 1, *rest) for k, stop, *rest in _word("the"))]
    rows += [(4, 5, -1, 0.0), (0, 1, CLASSES.index("."), -8.0), (4, 5, CLASSES.index("."), -8.0)]
    reading = _decode(_candidates(rows), [(0, 5)], [NO_SPACE] * 5, DecoderOptions())
    assert _text(reading) == "the"


def test_a_line_of_dirt_reads_as_nothing():
    reading = _decode(_candidates([(0, 1, -1, 0.0)]), [(0, 1)], [NO_SPACE])
    assert len(reading.edge) == 0


def test_a_line_without_a_path_does_not_harm_the_others():
    rows = [*_word("the"), (3, 4, CLASSES.index("x"), 1.0)]
    reading = _decode(_candidates(rows), [(0, 3), (3, 5)], [NO_SPACE] * 5)
    assert _text(reading) == "the"


def test_no_lines_at_all():
    none = np.zeros(0, np.int64)
    empty = Candidates(none, none, none, none, np.zeros(0, np.float32))
    assert len(_decode(empty, [], []).edge) == 0


def _scores(rows):
    """Return log-probabilities of given classes; the rest shares what is left."""
    table = np.full((len(rows), len(CLASSES)), 1e-12)
    for number, row in enumerate(rows):
        for name, probability in row.items():
            table[number, CLASSES.index(name)] = probability
    return np.log(table / table.sum(axis=1, keepdims=True)).astype(np.float32)


def _made(rows, atoms, options):
    count = len(rows)
    start = np.arange(count)
    return make_candidates(start, start + 1, np.array(atoms), _scores(rows), options)


def test_likely_classes_are_candidates_and_unlikely_ones_are_not():
    found = _made([{"a": 0.8, "o": 0.15, "e": 1e-4, "<two>": 0.05}], [0], DecoderOptions())
    assert {CLASSES[label] for label in found.label} == {"a", "o"}
    by_name = dict(zip((CLASSES[label] for label in found.label), found.score, strict=True))
    assert by_name["a"] - by_name["o"] == pytest.approx(np.log(0.8 / 0.15), abs=1e-3)


def test_garbage_lowers_the_score():
    options = DecoderOptions(whole=0.0, reject=1.0, reject_floor=2e-3)
    rows = [{"a": 1 - garbage, "<left>": garbage} for garbage in (1e-9, 0.1, 0.5, 0.9)]
    found = _made(rows, [0] * 4, options)
    scores = [float(found.score[found.edge == number].max()) for number in range(4)]
    assert scores == sorted(scores, reverse=True)
    assert scores[1] - scores[3] == pytest.approx(np.log(0.9 / 0.1) * 2, abs=1e-3)
    # Being still surer of no garbage brings nothing.
    assert scores[0] == pytest.approx(-np.log(options.reject_floor), abs=1e-3)


def test_wholes_are_favoured_over_parts_and_joins():
    options = DecoderOptions()
    found = _made([{"a": 1.0}] * 4, [0, 1, 2, 3], options)
    part, whole, two, three = (float(found.score[found.edge == k].max()) for k in range(4))
    assert whole - part == pytest.approx(options.whole)
    assert two - part == pytest.approx(options.join)
    assert three - part == pytest.approx(2 * options.join)


def test_only_whole_atoms_can_be_dirt():
    row = {"<noise>": 0.9, ".": 0.1}
    found = _made([row] * 3, [0, 1, 2], DecoderOptions())
    assert found.edge[found.label < 0].tolist() == [1]


def test_candidates_are_in_the_order_of_their_pieces():
    rng = np.random.default_rng(0)
    start = rng.integers(0, 50, 300)
    logits = rng.normal(0, 3, (300, len(CLASSES))).astype(np.float32)
    scores = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    found = make_candidates(start, start + 1, np.ones(300, np.int64), scores, DecoderOptions())
    assert (np.diff(found.start) >= 0).all()
    assert np.array_equal(found.start, start[found.edge])
    assert set(found.edge) == set(range(300)), "every edge has a reading"
    assert found.label.max() < N_CHARACTERS == len(CLASSES) - len(GARBAGE)
