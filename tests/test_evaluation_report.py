import json
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_batch.errors import InputError
from ocr_batch.evaluation.metrics import Confusion, score_page, summarise
from ocr_batch.evaluation.report import (
    EvaluatedPage,
    Evaluation,
    evaluate_folders,
    format_evaluation,
    to_json,
)


@pytest.fixture
def folders(tmp_path):
    def fill(out, truth):
        for name, texts in (("out", out), ("truth", truth)):
            (tmp_path / name).mkdir()
            for path, text in texts.items():
                file = tmp_path / name / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
        return tmp_path / "out", tmp_path / "truth"

    return fill


def names(evaluation):
    return [page.name for page in evaluation.pages]


def test_pages_are_paired_by_their_place_in_the_tree(folders):
    out, truth = folders(
        {"a.txt": "one", "b/a.txt": "two", "b/c.d.txt": "three", "b/c.csv": "page"},
        {"a.txt": "one", "b/a.txt": "twe", "b/c.d.txt": "three", "b/c.d.png": "no text"},
    )
    evaluation = evaluate_folders(out, truth)
    assert names(evaluation) == ["a", "b/a", "b/c.d"]
    assert [page.score.char_errors for page in evaluation.pages] == [0, 1, 0]
    assert evaluation.totals == summarise([page.score for page in evaluation.pages])
    assert evaluation.confusions == ((Confusion("e", "o"), 1),)
    assert evaluation.missing == evaluation.without_truth == 0


def test_a_missing_output_counts_as_empty(folders):
    out, truth = folders({"a.txt": "one", "stray.txt": "x"}, {"a.txt": "one", "b.txt": "four"})
    evaluation = evaluate_folders(out, truth)
    assert [page.missing for page in evaluation.pages] == [False, True]
    assert evaluation.pages[1].score == score_page("four", "")
    assert evaluation.totals.cer == pytest.approx(4 / 7)
    assert (evaluation.missing, evaluation.without_truth) == (1, 1)


def test_truth_may_be_marked(folders):
    out, truth = folders(
        {"a.txt": "one", "b.gt.txt": "two", "b.txt": "no", "c.txt": "3"},
        {"a.gt.txt": "one", "b.gt.txt": "two", ".gt.txt": "c"},
    )
    evaluation = evaluate_folders(out, truth)
    assert [(page.name, page.missing) for page in evaluation.pages] == [
        (".gt", True),
        ("a.gt", False),
        ("b.gt", False),
    ]
    assert evaluation.totals.char_errors == 1


def test_ignore_case(folders):
    out, truth = folders({"a.txt": "TOTAL 3"}, {"a.txt": "Total 8"})
    assert evaluate_folders(out, truth).totals.char_errors == 5
    evaluation = evaluate_folders(out, truth, ignore_case=True)
    assert evaluation.totals.char_errors == 1
    assert "case taken as the same" in format_evaluation(evaluation)
    assert "case" not in format_evaluation(evaluate_folders(out, truth))


def test_texts_need_not_be_utf8(folders):
    out, truth = folders({}, {"a.txt": "caf\ufffd"})
    (out / "a.txt").write_bytes(b"caf\xe9")
    assert evaluate_folders(out, truth).totals.char_errors == 0


def test_watch_is_told_of_every_page(folders):
    out, truth = folders({}, {"a.txt": "a", "b.txt": "b"})
    seen = []
    evaluate_folders(out, truth, watch=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]


def test_no_truth_is_an_input_error(folders, tmp_path):
    out, truth = folders({"a.txt": "a"}, {"a.png": "image"})
    with pytest.raises(InputError, match="no truth"):
        evaluate_folders(out, truth)
    with pytest.raises(InputError, match="no folder"):
        evaluate_folders(out, tmp_path / "nowhere")
    with pytest.raises(InputError, match="is no folder"):
        evaluate_folders(out, truth / "a.png")
    with pytest.raises(InputError, match="no folder"):
        evaluate_folders(tmp_path / "nowhere", out)


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
def test_a_name_of_any_bytes_can_be_shown(folders):
    out, truth = folders({}, {})
    Path(os.fsdecode(os.fsencode(truth) + b"/caf\xe9.txt")).write_text("x", encoding="utf-8")
    evaluation = evaluate_folders(out, truth)
    assert names(evaluation) == ["caf\\udce9"]
    assert "caf\\udce9 (no output)" in format_evaluation(evaluation)
    to_json(evaluation).encode("utf-8")


def make(pairs):
    pages = tuple(
        EvaluatedPage(f"p{number}", score_page(truth, output))
        for number, (truth, output) in enumerate(pairs)
    )
    return Evaluation(summarise([page.score for page in pages]), pages, ())


def test_format(folders):
    out, truth = folders(
        {"a.txt": "a modem comer", "b.txt": "in the dear"},
        {"a.txt": "a modern corner", "b.txt": "in the clear", "c.txt": "a long lost page"},
    )
    assert format_evaluation(evaluate_folders(out, truth)) == (
        "3 pages, 43 characters, 10 words of truth\n"
        "1 page without output, counted as read empty\n"
        "\n"
        # 4 + 2 + 16 of 15 + 12 + 16; rates .2667, .1667, 1; words 2 + 1 + 4 of 10;
        # common 1 + 2 of 10 and 6 words.
        "CER           0.5116  character errors, all pages together\n"
        "CER, median   0.2667  of the pages\n"
        "CER, p90      1.0000  nine of ten pages are no worse\n"
        "WER           0.7000  word errors, all pages together\n"
        "bag F1        0.3750  agreement of the words, in whatever order\n"
        "\n"
        "Worst pages\n"
        "   CER     WER  errors  characters  page\n"
        "1.0000  1.0000      16          16  c (no output)\n"
        "0.2667  0.6667       4          15  a\n"
        "0.1667  0.3333       2          12  b\n"
        "\n"
        "Most frequent confusions\n"
        "times  truth  read as\n"
        "    2  'rn'   'm'\n"
        "    1  'cl'   'd'\n"
        "\n"
        "16 of 22 character errors (73%) in text lost, added or out of place.\n"
    )


def test_format_lists_as_much_as_asked(folders):
    out, truth = folders({}, {f"p{n}.txt": f"{n}" for n in range(5)})
    evaluation = evaluate_folders(out, truth)
    text = format_evaluation(evaluation, worst=2, confusions=1)
    assert "p1" in text and "p2" not in text
    assert text.count("nothing") == 1
    short = format_evaluation(evaluation, worst=0, confusions=0)
    assert "Worst" not in short and "confusions" not in short


def test_format_lists_frequent_confusions_first(folders):
    out, truth = folders({"a.txt": "l l clear"}, {"a.txt": "1 1 dear"})
    assert evaluate_folders(out, truth).confusions == (
        (Confusion("1", "l"), 2),
        (Confusion("d", "cl"), 1),
    )


def test_format_without_errors():
    text = format_evaluation(make([("same", "same")]))
    assert text.startswith("1 page, 4 characters, 1 word of truth\n")
    assert "Worst" not in text and "confusions" not in text and "lost" not in text


def test_json_has_all_figures(folders):
    out, truth = folders({"a.txt": "cat", "z.txt": ""}, {"a.txt": "“cot", "é.txt": "x"})
    content = json.loads(to_json(evaluate_folders(out, truth)))
    assert content["totals"] == {
        "pages": 2,
        "chars": 5,
        "char_errors": 3,
        "words": 2,
        "word_errors": 2,
        "common": 0,
        "out_words": 1,
        "CER": 0.6,
        "WER": 1.0,
        "bagF1": 0.0,
        "medianCER": 1.0,
        "p90CER": 1.0,
    }
    assert content["missing"] == content["without_truth"] == 1
    assert content["ignore_case"] is False
    assert [page["page"] for page in content["pages"]] == ["a", "é"]
    assert content["pages"][0]["CER"] == 0.5
    assert {"truth": "x", "output": "", "count": 1} in content["confusions"]


@given(st.lists(st.tuples(st.text(max_size=12), st.text(max_size=12)), min_size=1, max_size=6))
def test_reports_never_fail(pairs):
    evaluation = make(pairs)
    assert format_evaluation(evaluation).endswith("\n")
    assert len(json.loads(to_json(evaluation))["pages"]) == len(pairs)
