from dataclasses import replace
from functools import lru_cache
from itertools import pairwise

import numpy as np
import pytest
from pages import glyph_models, page_of, prose, sheet_of

from ocr_batch.batch.pipeline import read_sheets, trace_sheet
from ocr_batch.errors import BundleError
from ocr_batch.recognition.charset import CHARACTERS, CLASSES
from ocr_batch.recognition.confidence import ConfidenceModel, sharpened
from ocr_batch.recognition.scoring import Scored
from ocr_batch.recognition.word_features import WORD_FEATURES, first_of_word, word_features

LINES = ["the 12 old men ran", "home over a hill", *prose(4)]


@lru_cache(maxsize=1)
def trace():
    return trace_sheet(sheet_of(page_of(LINES).grey), glyph_models())


def _model(units=3, seed=0, sharpness=1.5):
    rng = np.random.default_rng(seed)
    count = len(WORD_FEATURES)
    return ConfidenceModel(
        np.full(count, -20.0),
        np.full(count, 20.0),
        rng.normal(0, 0.1, count).astype(np.float32).astype(np.float64),
        rng.normal(0, 0.1, (count, units)).astype(np.float32).astype(np.float64),
        np.zeros(units),
        np.ones(units),
        np.array([1.0]),
        np.array([sharpness]),
    )


def _features(scored=None):
    found = trace()
    return word_features(found.page, scored or found.scored, found.reading, glyph_models().language)


def _column(name, features=None):
    features = _features() if features is None else features
    return features[:, WORD_FEATURES.index(name)]


def _spelled():
    reading = trace().reading
    start = np.r_[np.flatnonzero(first_of_word(reading)), len(reading.label)]
    return [
        "".join(CLASSES[label] for label in reading.label[a:b]) for a, b in pairwise(start.tolist())
    ]


def test_each_word_has_its_features():
    words = _spelled()
    (page,) = read_sheets([sheet_of(page_of(LINES).grey)], glyph_models())
    assert words == [word.text for word in page.words]
    assert words[:5] == LINES[0].split()
    assert _features().shape == (len(words), len(WORD_FEATURES))
    assert np.isfinite(_features()).all()
    np.testing.assert_allclose(_column("length"), np.log([len(word) for word in words]))
    digits = [sum(one.isdigit() for one in word) / len(word) for word in words]
    np.testing.assert_allclose(_column("digits"), digits)
    ends = np.cumsum([len(line.words) for line in page.lines]) - 1
    np.testing.assert_array_equal(np.flatnonzero(_column("ends line")), ends)


def test_the_language_model_hears_the_words_in_their_line():
    language = glyph_models().language
    state, worst, mean = np.array([language.start], np.int32), [], []
    for number, word in enumerate(LINES[0].split()):
        costs = []
        for letter in (" " if number else "") + word:
            symbol = np.array([CHARACTERS.index(letter) + 1 if letter != " " else 0])
            cost, state = language.step(state, symbol)
            if letter != " ":
                costs.append(float(cost[0]))
        worst.append(min(costs))
        mean.append(np.mean(costs))
    count = len(worst)
    np.testing.assert_allclose(_column("worst language")[:count], np.clip(worst, -20, 0), rtol=1e-5)
    np.testing.assert_allclose(_column("language")[:count], np.clip(mean, -20, 0), rtol=1e-5)


def _sure():
    """Return scores by which every character that was read is what it was read as."""
    found = trace()
    scores = np.full_like(found.scored.log_probabilities, -12.0)
    scores[found.reading.edge, found.reading.label] = np.log(0.98)
    return scores


def test_a_letter_that_looks_like_another_is_told():
    found, scores = trace(), _sure()
    before = _features(Scored(found.scored.edges, scores))
    # The third word's second letter might as well be another.
    place = int(np.flatnonzero(first_of_word(found.reading))[2]) + 1
    edge, label = found.reading.edge[place], found.reading.label[place]
    scores[edge, [label, CLASSES.index("z")]] = np.log(0.5)
    after = _features(Scored(found.scored.edges, scores))
    for name in ("surprise", "worst surprise", "worst margin", "doubtful characters"):
        changed = _column(name, after) != _column(name, before)
        assert np.flatnonzero(changed).tolist() == [2], name
    assert _column("surprise", after)[2] > _column("surprise", before)[2]
    assert _column("worst margin", after)[2] == pytest.approx(0, abs=1e-5)
    assert _column("doubtful characters", after)[2] == 1
    # What the language does not expect there is no rival.
    assert 0 < _column("worst context", after)[2] < _column("worst context", before)[2]
    # The words beside it, and all of the line, feel it.
    assert _column("word after", after)[1] > _column("word after", before)[1]
    assert (_column("line surprise", after) > _column("line surprise", before))[:5].all()


def test_marks_that_count_as_one_share_their_probability():
    found, scores = trace(), _sure()
    place = 4
    label = found.reading.label.copy()
    label[place] = CLASSES.index("’")
    scores[found.reading.edge[place], found.reading.label[place]] = -12.0
    scores[found.reading.edge[place], [label[place], CLASSES.index("'")]] = np.log(0.49)
    features = word_features(
        found.page,
        Scored(found.scored.edges, scores),
        replace(found.reading, label=label),
        glyph_models().language,
    )
    word = (np.cumsum(first_of_word(found.reading)) - 1)[place]
    assert _column("worst surprise", features)[word] == pytest.approx(-np.log(0.98), abs=1e-3)
    assert _column("worst margin", features)[word] > 5


def test_a_page_without_text():
    reading = trace().reading
    none = replace(
        reading,
        **{name: getattr(reading, name)[:0] for name in ("edge", "label", "space", "line", "gap")},
    )
    found = trace()
    features = word_features(found.page, found.scored, none, glyph_models().language)
    assert features.shape == (0, len(WORD_FEATURES))
    assert _model().words(features).shape == (0,)


def test_a_page_is_as_sure_alone_as_among_others():
    models = replace(glyph_models(), confidence=_model())
    sheets = [sheet_of(page_of(LINES).grey), sheet_of(page_of(prose(7, seed=3)).grey)]
    together = read_sheets(sheets, models)
    alone = [read_sheets([sheet], models)[0] for sheet in sheets]
    assert together == alone
    assert all(0 < word.confidence < 1 for page in alone for word in page.words)


def test_without_a_model_a_word_is_the_product_of_its_characters():
    (page,) = read_sheets([sheet_of(page_of(LINES).grey)], glyph_models())
    for word in page.words:
        product = np.prod([character.confidence for character in word.characters])
        assert word.confidence == pytest.approx(product)


def test_the_model_gives_words_and_characters_their_confidence():
    found, model = trace(), _model()
    models = replace(glyph_models(), confidence=model)
    (page,) = read_sheets([sheet_of(page_of(LINES).grey)], models)
    np.testing.assert_array_equal([w.confidence for w in page.words], model.words(_features()))
    scores = found.scored.log_probabilities[found.reading.edge]
    np.testing.assert_array_equal(
        [one.confidence for word in page.words for one in word.characters],
        model.characters(scores, found.reading.label),
    )


def test_sharpening_keeps_the_order_of_classes():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (40, 9))
    scores = (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)
    best = scores.argmax(axis=1)
    np.testing.assert_allclose(sharpened(scores, best, 1.0), np.exp(scores.max(axis=1)), rtol=1e-5)
    assert (sharpened(scores, best, 2.0) > sharpened(scores, best, 1.0)).all()
    rows = sum(sharpened(scores, np.full(40, label), 1.7) for label in range(9))
    np.testing.assert_allclose(rows, 1, rtol=1e-6)


def test_features_beyond_what_was_seen_are_clipped():
    model = _model()
    wild = np.full((1, len(WORD_FEATURES)), 1e9, np.float32)
    edge = np.full((1, len(WORD_FEATURES)), 20, np.float32)
    np.testing.assert_array_equal(model.words(wild), model.words(edge))


def test_a_model_is_read_as_it_was_saved(tmp_path):
    model = _model()
    for name in ("a.npz", "b.npz"):
        model.save(tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    loaded = ConfidenceModel.load(tmp_path / "a.npz")
    np.testing.assert_array_equal(loaded.words(_features()), model.words(_features()))


@pytest.mark.parametrize("spoil", ["garbage", "features", "nan", "missing"])
def test_a_model_that_can_not_be_used_is_refused(tmp_path, spoil):
    path = tmp_path / "confidence.npz"
    model = _model()
    if spoil == "features":
        replace(model, low=model.low[:-1]).save(path)
    elif spoil == "nan":
        replace(model, bias=np.array([np.nan])).save(path)
    elif spoil == "missing":
        np.savez(path, low=model.low)
    else:
        path.write_bytes(b"no archive")
    with pytest.raises(BundleError, match=r"confidence\.npz"):
        ConfidenceModel.load(path)
