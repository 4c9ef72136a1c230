"""Forced alignment: the truth of a line through a lattice whose candidates are known."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_batch.alignment.line import AlignmentOptions, ForcedPath, Lattice, LineTruth
from ocr_batch.alignment.path import force
from ocr_batch.alignment.transcript import fold_transcript
from ocr_batch.recognition.charset import CLASSES, NOISE, TWO

Candidate = tuple[int, int, int, dict[str, float]]


def scores(likely: dict[str, float]) -> np.ndarray:
    """Return log-probabilities of a candidate; what is left is shared by all classes."""
    row = np.full(len(CLASSES), max(1e-6, 1 - sum(likely.values())) / len(CLASSES))
    for text, share in likely.items():
        row[CLASSES.index(text)] += share
    return np.log(row / row.sum()).astype(np.float32)


def lattice_of(text: str, *more: Candidate, **instead: dict[str, float]) -> Lattice:
    """Return a line whose atoms look like the letters of a text; `p3` replaces the third's look."""
    letters = text.replace(" ", "")
    gaps = np.full(len(letters), -8.0, np.float32)
    gaps[[len(text[:k].replace(" ", "")) for k in range(len(text)) if text[k] == " "]] = 8.0
    looks = [instead.get(f"p{k}", {letter: 0.99}) for k, letter in enumerate(letters)]
    atoms = [(k, k + 1, 1, look) for k, look in enumerate(looks)]
    start, stop, kind, look = zip(*atoms, *more, strict=True)
    return Lattice(
        np.array(start), np.array(stop), np.array(kind), np.stack([*map(scores, look)]), gaps
    )


def truth_of(text: str, before: str = "", after: str = "") -> LineTruth:
    folded = fold_transcript(before + text + after)
    return LineTruth(folded.text, folded.own, len(before), len(before) + len(text))


def spelled(path: ForcedPath) -> str:
    """Return what was labelled; # for a candidate without truth, _ for truth without candidate."""
    return "".join(
        "_" if edge < 0 else CLASSES[label] if label >= 0 else "#" if place < 0 else "~"
        for edge, label, place in zip(path.edge, path.label, path.place, strict=True)
    )


def forced(lattice: Lattice, truth: LineTruth) -> ForcedPath:
    return force(lattice, truth, AlignmentOptions())


def test_what_was_read_right_costs_nothing() -> None:
    path = forced(lattice_of("an old house"), truth_of("an old house"))
    assert spelled(path) == "anoldhouse"
    assert path.edge.tolist() == list(range(10))
    assert path.place.tolist() == [0, 1, 3, 4, 5, 7, 8, 9, 10, 11]
    assert np.allclose(path.loss, 0, atol=1e-6)


def test_a_misread_character_gets_its_true_label() -> None:
    line = lattice_of("the cat", p4={"o": 0.9, "a": 0.08})
    path = forced(line, truth_of("the cat"))
    assert spelled(path) == "thecat"
    assert 2 < path.loss[4] < 3
    assert np.allclose(np.delete(path.loss, 4), 0, atol=1e-6)


def test_a_defect_of_the_truth_stays_local() -> None:
    seen = "nothing could be seen of it"
    letters = seen.replace(" ", "")
    missing = forced(lattice_of(seen), truth_of(seen.replace("could", "coud")))
    assert spelled(missing) == letters.replace("could", "cou#d")
    added = forced(lattice_of(seen), truth_of(seen.replace("could", "coxuld")))
    assert spelled(added) == letters.replace("could", "co_uld")
    wrong = forced(lattice_of(seen), truth_of(seen.replace("could", "cokld")))
    assert spelled(wrong) == letters.replace("could", "cokld")
    assert wrong.loss.max() > 5
    assert (wrong.loss > 1).sum() == 1


def test_a_lost_space_costs_little_and_no_character() -> None:
    path = forced(lattice_of("of it all"), truth_of("ofit a ll"))
    assert spelled(path) == "ofitall"


def test_an_untyped_character_has_no_label() -> None:
    path = forced(lattice_of("a§b"), truth_of("a~b"))
    assert spelled(path) == "a~b"


def test_the_truth_chooses_between_whole_and_parts() -> None:
    # One atom of two pieces: an m, or r and n.
    look = np.stack([scores({"o": 0.99}), scores({"m": 0.6, "<two>": 0.3})])
    parts = np.stack([scores({"r": 0.7}), scores({"n": 0.7})])
    lattice = Lattice(
        np.array([0, 1, 1, 2]),
        np.array([1, 3, 2, 3]),
        np.array([1, 1, 0, 0]),
        np.concatenate([look, parts]),
        np.array([-8.0, -8.0, -30.0], np.float32),
    )
    assert forced(lattice, truth_of("om")).edge.tolist() == [0, 1]
    torn = forced(lattice, truth_of("orn"))
    assert torn.edge.tolist() == [0, 2, 3]
    assert spelled(torn) == "orn"


def test_a_ligature_takes_several_characters() -> None:
    office = forced(lattice_of("o#ce", p1={"ffi": 0.9}), truth_of("office"))
    assert [CLASSES[label] for label in office.label] == ["o", "ffi", "c", "e"]
    fine = forced(lattice_of("#ne", p0={"fi": 0.9}), truth_of("fine"))
    assert [CLASSES[label] for label in fine.label] == ["fi", "n", "e"]
    assert fine.place.tolist() == [0, 2, 3]


def test_dirt_is_passed_over() -> None:
    lattice = lattice_of("th%e", p2={"<noise>": 0.95})
    path = forced(lattice, truth_of("the"))
    assert spelled(path) == "th#e"
    assert lattice.log_probabilities[path.edge[2]].argmax() == NOISE


def test_the_hyphen_of_a_joined_word_is_found() -> None:
    path = forced(lattice_of("an exam-"), truth_of("an exam", after="ple of"))
    assert spelled(path) == "anexam-"
    assert path.place[-1] == -1
    whole = forced(lattice_of("an exam-"), truth_of("an exam-", after=" ple of"))
    assert whole.place[-1] == 7


def test_a_line_may_begin_and_end_a_little_elsewhere() -> None:
    path = forced(lattice_of("the old man"), truth_of("old", before="see the ", after=" man go"))
    assert spelled(path) == "theoldman"


def test_curly_marks_are_labelled_as_the_truth_or_the_shape_has_them() -> None:
    likely = {"”": 0.6, "“": 0.3, '"': 0.08}
    line = lattice_of("so#", p2=likely)
    assert spelled(forced(line, truth_of('so"'))) == "so”"
    assert spelled(forced(line, truth_of("so“"))) == "so“"


def test_joins_are_used_when_the_truth_needs_them() -> None:
    lattice = lattice_of("a''b", (1, 3, 2, {'"': 0.9}), p1={"'": 0.5}, p2={"'": 0.5})
    path = forced(lattice, truth_of('a"b'))
    assert path.edge.tolist() == [0, 4, 3]
    assert TWO not in path.label


def test_nothing_gives_nothing() -> None:
    assert len(forced(lattice_of("abc"), LineTruth("", np.zeros(0, np.int64), 0, 0)).edge) == 0


@settings(deadline=None)
@given(st.text("abcdefgh", min_size=8, max_size=30), st.data())
def test_one_slip_costs_at_most_few_labels(text: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text) - 1))
    slip = data.draw(st.sampled_from(["", "x", text[at] + "x"]))
    path = forced(lattice_of(text), truth_of(text[:at] + slip + text[at + 1 :]))
    shown = path.edge[path.edge >= 0]
    assert shown.tolist() == list(range(len(text)))
    right = path.label[path.edge >= 0] == [CLASSES.index(letter) for letter in text]
    assert right.sum() >= len(text) - 1
    assert (path.loss >= 0).all()


def test_a_character_may_be_missing_before_a_space() -> None:
    """The end of a word was not printed: the space behind it is taken all the same."""
    path = forced(lattice_of("the roo was"), truth_of("the room was"))
    assert spelled(path) == "theroo_was"
    assert path.place.tolist() == [0, 1, 2, 4, 5, 6, 7, 9, 10, 11]
    assert np.allclose(path.loss[path.edge >= 0], 0, atol=1e-6)
