from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_batch.errors import TrainingError
from ocr_batch.recognition.charset import CHARACTERS
from ocr_batch.rendering.corpus import Corpus, normalise, synthetic_line

_KEPT = set(CHARACTERS) | {" "}


@given(st.text())
def test_normalise_leaves_only_our_characters(text: str):
    found = normalise(text)
    assert set(found) <= _KEPT
    assert found == found.strip()
    assert "  " not in found
    assert normalise(found) == found


def test_normalise_maps_lookalikes():
    assert normalise("ﬁne−tuned\u00a0na\u00efve caf\u00e9 \u0141") == "fine–tuned naive café "[:-1]
    assert normalise("non‑breaking") == "non-breaking"


def test_synthetic_lines_reach_every_character():
    rng = np.random.default_rng(0)
    seen = set("".join(synthetic_line(rng) for _ in range(2000)))
    assert seen >= set(CHARACTERS)
    assert seen <= _KEPT


def test_corpus_draws_the_same_for_the_same_seed(tmp_path: Path):
    for genre in ("legal", "fiction"):
        (tmp_path / genre).mkdir()
        text = "\n".join(f"{genre} paragraph number {n} has é words." for n in range(500))
        (tmp_path / genre / "a.txt").write_text(text, encoding="utf-8")
    corpus = Corpus(tmp_path)
    assert corpus.genres == ("fiction", "legal")
    first = corpus.paragraphs(np.random.default_rng(1), 800)
    assert first == corpus.paragraphs(np.random.default_rng(1), 800)
    assert 700 < sum(map(len, first)) < 1100
    assert all(line.startswith(("legal", "fiction")) for line in first)


def test_wrapped_paragraphs_are_joined(tmp_path: Path):
    wrapped = (
        "It was a dark and stormy night and the rain fell down in torrents,\nexcept at times.\n"
    )
    (tmp_path / "a.txt").write_text(wrapped + "\nNew.", encoding="utf-8")
    found = Corpus(tmp_path).paragraphs(np.random.default_rng(0), 1000)
    assert found[0].endswith("torrents, except at times.")
    assert found[1] == "New."


def test_a_folder_without_text_is_an_error(tmp_path: Path):
    with pytest.raises(TrainingError, match="no text"):
        Corpus(tmp_path)


def test_corpus_of_files_and_folders(tmp_path: Path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.txt").write_text("alpha alpha\n" * 40)
    (tmp_path / "folder" / "ignored.md").write_text("gamma\n" * 40)
    (tmp_path / "named.md").write_text("beta beta\n" * 40)
    corpus = Corpus([tmp_path / "folder", tmp_path / "named.md", tmp_path / "folder" / "a.txt"])
    rng = np.random.default_rng(0)
    words = {
        word for _ in range(40) for text in corpus.paragraphs(rng, 60) for word in text.split()
    }
    assert words == {"alpha", "beta"}


def test_a_little_damage_is_no_reason_to_refuse_a_text(tmp_path: Path):
    (tmp_path / "a.txt").write_bytes(b"plain words of a text \xff here\n" * 20)
    assert Corpus(tmp_path / "a.txt").paragraphs(np.random.default_rng(0), 60)
    (tmp_path / "b.txt").write_text("一二三\n" * 20, "utf-8")
    with pytest.raises(TrainingError, match=r"b\.txt"):
        Corpus(tmp_path / "b.txt")
