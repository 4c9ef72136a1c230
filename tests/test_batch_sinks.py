"""What stands in an output folder when formats change, and when a run is broken off halfway."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_tools import rows, tree
from folder_tools import Place

from ocr_batch.batch import journal as journal_module
from ocr_batch.batch.journal import JOURNAL_NAME, Journal, Settings
from ocr_batch.batch.storage import LocalFolder
from ocr_batch.errors import OutputError

OTHER = Settings.of({"model": 2}, {})
BOTH = (".txt", ".csv")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path)
    made.put(a="one", b="two\nthree", c="four")
    return made


def files(place: Place) -> dict[str, str]:
    return {name: data.decode() for name, data in tree(place.out).items() if name != "pages.csv"}


def test_files_of_a_format_that_is_dropped_go_when_their_page_is_read_again(place: Place) -> None:
    place.run(formats=BOTH)
    place.run("a", "b", settings=OTHER, formats=(".txt",), mark="new ")
    both = {"c.txt": "four", "c.csv": "four"}
    text = {"a.txt": "new one", "b-0001.txt": "new two", "b-0002.txt": "new three"}
    assert files(place) == both | text
    place.put(a="changed")
    place.run("a", settings=OTHER, formats=(".txt",))
    assert files(place) == both | text | {"a.txt": "changed"}
    place.run("a", formats=(".csv",))
    assert files(place)["a.csv"] == "changed"
    assert "a.txt" not in files(place)


def test_a_page_whose_file_could_not_be_written_is_read_again(
    place: Place, tmp_path: Path, monkeypatch
) -> None:
    fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed")
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    # So that the error comes while the run goes on.
    monkeypatch.setattr(journal_module, "_COMMIT_SECONDS", 0.0)
    place.out = "memory://out"
    journal = tmp_path / "journal"
    place.run(journal=journal)

    refused = []
    pipe_file = memory.pipe_file

    def refuse_once(path: str, content: bytes, **options: object) -> None:
        if path.endswith("/b-0001.txt") and not refused:
            refused.append(path)
            raise PermissionError("not now")
        pipe_file(path, content, **options)

    monkeypatch.setattr(memory, "pipe_file", refuse_once)
    with pytest.raises(OutputError, match=r"b-0001\.txt: not now"):
        place.run(settings=OTHER, journal=journal, mark="new ")
    assert refused
    place.run(settings=OTHER, journal=journal, mark="new ")
    assert "b.png 1" in place.read()
    texts = {name: file.getvalue() for name, file in memory.store.items() if "pages" not in name}
    memory.store.clear()
    assert texts == {
        "/out/a.txt": b"new one",
        "/out/b-0001.txt": b"new two",
        "/out/b-0002.txt": b"new three",
        "/out/c.txt": b"new four",
    }


@pytest.mark.parametrize("moment", ["writing", "recording"])
@pytest.mark.parametrize("earlier", [(), (".txt",), BOTH])
def test_files_and_rows_agree_after_an_interrupt(
    moment: str, earlier: tuple[str, ...], place: Place, monkeypatch
) -> None:
    if earlier:
        place.run(formats=earlier)

    moments = []

    def interrupting(real, when):
        def interrupt(self, *arguments: object) -> None:
            real(self, *arguments)
            if when(*arguments) and not moments:
                moments.append(moment)
                raise KeyboardInterrupt

        return interrupt

    with monkeypatch.context() as patch:
        if moment == "writing":
            write = interrupting(LocalFolder.write, lambda name, _: name == "b-0001.txt")
            patch.setattr(LocalFolder, "write", write)
        else:
            record = interrupting(Journal.record, lambda entry: entry.output == "b-0001")
            patch.setattr(Journal, "record", record)
        with pytest.raises(KeyboardInterrupt):
            place.run(settings=OTHER, formats=(".txt", ".csv"), mark="new ")

    journal = Journal(Path(place.out) / JOURNAL_NAME)
    entries = journal.entries()
    journal.close()
    assert sorted(name for entry in entries for name in entry.files) == sorted(files(place))
    listed = {row["output"] for row in rows(place.out) if row["status"] != "failed"}
    assert listed == {entry.output for entry in entries}
    done = {entry.output for entry in entries if entry.settings == OTHER.hash}
    assert ("b-0001" in done) == (moment == "recording")

    place.run(settings=OTHER, formats=BOTH, mark="new ")
    assert len(place.read()) == 4 - len(done)
    assert set(files(place).values()) == {"new one", "new two", "new three", "new four"}
    assert len(files(place)) == 8
