"""The summary of an output folder over several runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_tools import rows

from ocr_batch.batch import summary
from ocr_batch.batch.storage import LocalFolder
from ocr_batch.batch.summary import COLUMNS, PageRow, Summary
from ocr_batch.errors import OutputError

HEADER = ",".join(COLUMNS) + "\n"


def page(source: str, number: int = 1, output: str = "", **figures: object) -> PageRow:
    name = output or source.rpartition(".")[0]
    return PageRow(source, number, "read", 10, 2, 0.87654, output=name, **figures)


def run(folder: Path, *names: str, counts: dict[int, int] | None = None, pages=()) -> Summary:
    kept = Summary(LocalFolder(folder))
    kept.begin(names)
    for index, count in (counts or {}).items():
        kept.opened(index, count)
    for row in pages:
        kept.add(names.index(row.source), row)
    kept.write()
    return kept


def listed(folder: Path) -> list[tuple[str, str]]:
    return [(row["source"], row["page"]) for row in rows(folder)]


def test_columns_and_figures(tmp_path: Path) -> None:
    failed = PageRow("b.png", 1, "failed", error="Cut short:\nno data, at all.", output="b")
    run(tmp_path, "a.png", "b.png", pages=[page("a.png"), failed])
    assert (tmp_path / "pages.csv").read_text() == (
        "source,page,status,characters,words,confidence,error,output\n"
        "a.png,1,read,10,2,0.8765,,a\n"
        'b.png,1,failed,,,,"Cut short: no data, at all.",b\n'
    )


def test_rows_are_in_input_order_however_pages_come(tmp_path: Path) -> None:
    pages = [page("c.png"), page("a.tif", 2, "a-0002"), page("b.png"), page("a.tif", 1, "a-0001")]
    run(tmp_path, "a.tif", "b.png", "c.png", counts={0: 2}, pages=pages)
    assert listed(tmp_path) == [("a.tif", "1"), ("a.tif", "2"), ("b.png", "1"), ("c.png", "1")]


def test_rows_of_other_inputs_are_kept_and_come_first(tmp_path: Path) -> None:
    run(tmp_path, "b.png", pages=[page("b.png")])
    run(tmp_path, "a.png", pages=[page("a.png")])
    assert listed(tmp_path) == [("b.png", "1"), ("a.png", "1")]


def test_a_page_not_come_to_yet_keeps_its_row(tmp_path: Path) -> None:
    first = [page("a.tif", n, f"a-{n:04d}") for n in (1, 2, 3)]
    run(tmp_path, "a.tif", counts={0: 3}, pages=first)
    again = PageRow("./a.tif", 2, "failed", error="x", output="a-0002")
    run(tmp_path, "./a.tif", counts={0: 3}, pages=[again])
    assert [row["status"] for row in rows(tmp_path)] == ["read", "failed", "read"]


def test_pages_that_a_file_has_no_more_are_dropped(tmp_path: Path) -> None:
    first = [page("a.tif", n, f"a-{n:04d}") for n in (1, 2, 3)]
    run(tmp_path, "a.tif", counts={0: 3}, pages=first)
    run(tmp_path, "a.tif", counts={0: 1}, pages=[page("a.tif")])
    assert listed(tmp_path) == [("a.tif", "1")]


@pytest.mark.parametrize(
    ("source", "pages", "stem"),
    [
        ("x/a.png", {1: "x/a"}, "x/a"),
        ("b-0001.png", {1: "b-0001"}, "b-0001"),
        ("b.tif", {1: "b-0001", 2: "b-0002"}, "b"),
        ("b.tif", {1: "b-0001"}, "b"),
        ("b.tif", {3: "b-0003"}, "b"),
        ("b-0001.tif", {1: "b-0001-0001"}, "b-0001"),
        ("b.jpg", {1: "b.jpg~2"}, "b.jpg~2"),
        ("=x.png", {1: "=x"}, "=x"),
        ("'=x.png", {1: "'=x"}, "'=x"),
        ("odd\udcff.png", {1: "odd\udcff"}, "odd\udcff"),
        ('comma, quote".png', {1: 'comma, quote"'}, 'comma, quote"'),
    ],
)
def test_the_names_of_files_are_remembered(
    source: str, pages: dict[int, str], stem: str, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = [page(source, number, output) for number, output in pages.items()]
    run(tmp_path, source, counts={0: 9}, pages=found)
    assert Summary(LocalFolder(tmp_path)).stems() == {str(tmp_path / source): stem}


@pytest.mark.parametrize(
    "content",
    ["", "my,own\n", f"{HEADER}short,1\n", f"{HEADER}a,x,,,,,,\n", "\xff"],
)
def test_a_foreign_table_is_refused_and_left_alone(content: str, tmp_path: Path) -> None:
    (tmp_path / "pages.csv").write_bytes(content.encode("latin-1"))
    with pytest.raises(OutputError, match=r"pages\.csv"):
        Summary(LocalFolder(tmp_path))
    assert (tmp_path / "pages.csv").read_bytes() == content.encode("latin-1")


def test_a_table_that_can_not_be_read_is_not_called_foreign(tmp_path: Path) -> None:
    (tmp_path / "pages.csv").mkdir()
    with pytest.raises(OutputError, match=r"pages\.csv: Is a directory"):
        Summary(LocalFolder(tmp_path))


def test_it_is_written_now_and_then_while_pages_come(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(summary, "_REFRESH_SECONDS", 0.0)
    monkeypatch.setattr(summary, "_REFRESH_SHARE", 1e9)
    kept = Summary(LocalFolder(tmp_path))
    kept.begin(["a.png", "b.png"])
    kept.add(0, page("a.png"))
    assert listed(tmp_path) == [("a.png", "1")]
