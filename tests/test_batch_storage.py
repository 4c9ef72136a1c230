"""Output folders here and behind URLs, and the search for files there."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_tools import tree

from ocr_batch.batch.inputs import Found, find_inputs
from ocr_batch.batch.naming import assign_outputs
from ocr_batch.batch.storage import LocalFolder, RemoteFolder, find_below, open_folder
from ocr_batch.errors import InputError, OutputError, UsageError

fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed")


@pytest.fixture
def memory():
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    yield system
    system.store.clear()


def test_what_is_written_is_there_in_the_end(tmp_path: Path, memory) -> None:
    folders = {
        "local": (open_folder(str(tmp_path / "a")), tmp_path / "a"),
        "file": (open_folder((tmp_path / "b").as_uri()), tmp_path / "b"),
    }
    trees = []
    for folder, path in folders.values():
        for number in range(300):
            folder.write(f"deep/er/{number}.txt", f"page {number}\r\n")
        folder.write("pages.csv", "old")
        folder.write("pages.csv", "new \udcff")
        folder.write("bytes", b"\0\xff")
        folder.finish()
        assert folder.read("deep/er/7.txt") == b"page 7\r\n"
        assert folder.read("none") is None
        trees.append(tree(path))
    assert isinstance(folders["local"][0], LocalFolder)
    assert isinstance(folders["file"][0], RemoteFolder)
    assert trees[0] == trees[1]
    assert len(trees[0]) == 302
    assert trees[0]["pages.csv"] == b"new \\udcff"


def test_object_stores_are_written_to_directly(memory) -> None:
    folder = RemoteFolder("memory://out/text/")
    folder.write("a/b.txt", "ü")
    folder.finish()
    assert list(memory.store) == ["/out/text/a/b.txt"]
    assert folder.read("a/b.txt") == "ü".encode()
    assert folder.place("a/b.txt") == "memory://out/text/a/b.txt"


def test_a_file_that_can_not_be_written_is_named(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("ocr_batch.imaging.remote._PAUSE", 0.0)
    (tmp_path / "file").write_text("in the way")
    folder = RemoteFolder((tmp_path / "file").as_uri())
    with pytest.raises(OutputError, match=r"file/a\.txt"):
        folder.write("a.txt", "text")
        folder.finish()
    assert tree(tmp_path) == {"file": b"in the way"}


def refusing(real, *names: str):
    """Return a function of a file system that refuses files of these names."""

    def refuse(path: str, *arguments: object, **options: object):
        if path.rpartition("/")[2] in names:
            raise PermissionError("no right to do that")
        return real(path, *arguments, **options)

    return refuse


def test_after_a_file_that_can_not_be_written_nothing_is(memory, monkeypatch) -> None:
    monkeypatch.setattr(memory, "pipe_file", refusing(memory.pipe_file, "bad"))
    folder = RemoteFolder("memory://out")
    folder.write("good", "text")
    folder.finish()
    folder.write("bad", "text")
    deeds = (
        folder.finish,
        folder.finish,
        lambda: folder.write("other", "text"),
        lambda: folder.remove("good"),
        folder.finish,
    )
    for deed in deeds:
        with pytest.raises(OutputError, match="memory://out/bad: no right"):
            deed()
    assert list(memory.store) == ["/out/good"]


@pytest.mark.parametrize(
    ("method", "name", "deed"),
    [
        ("cat_file", "pages.csv", lambda folder: folder.read("pages.csv")),
        ("find", "out", lambda folder: folder.size("a.txt")),
        ("rm_file", "a.txt", lambda folder: folder.remove("a.txt")),
    ],
)
def test_storage_that_refuses_says_why(method: str, name: str, deed, memory, monkeypatch) -> None:
    monkeypatch.setattr(memory, method, refusing(getattr(memory, method), name))
    folder = RemoteFolder("memory://out")
    with pytest.raises(OutputError, match=r"memory://out/.*no right to do that"):
        deed(folder)
    folder.remove_drafts()


def test_a_kind_of_url_that_nobody_knows() -> None:
    with pytest.raises(UsageError, match="nosuch://bucket"):
        open_folder("nosuch://bucket/out")
    with pytest.raises(UsageError, match="nosuch://bucket"):
        find_inputs(["nosuch://bucket/scans"])


FILES = [
    "p10.png",
    "p2.png",
    "a/p1.tif",
    "a/.hidden.png",
    ".secret/x.png",
    "a/notes.txt",
    "b/p1.JPG",
]


@pytest.fixture
def scans(memory) -> str:
    for name in FILES:
        memory.pipe_file(f"/scans/{name}", b"x")
    return "memory:///scans"


def names(found: list[Found]) -> list[tuple[str, str]]:
    return [(str(item.path), item.name) for item in found]


def test_a_folder_behind_a_url_is_searched_like_one_here(tmp_path: Path, scans: str) -> None:
    for name in FILES:
        path = tmp_path / "scans" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    here = find_inputs([str(tmp_path / "scans")])
    for url in (scans, scans + "/", (tmp_path / "scans").as_uri()):
        there = find_inputs([url])
        assert [item.name for item in there] == [item.name for item in here]
        assert all(isinstance(item.path, str) for item in there)
        assert [item.path for item in there] == [f"{url.rstrip('/')}/{i.name}" for i in here]
    assert [item.name for item in here] == ["a/p1.tif", "b/p1.JPG", "p2.png", "p10.png"]


def test_files_patterns_and_lists_of_urls(scans: str) -> None:
    assert names(find_inputs([f"{scans}/a/notes.txt"])) == [(f"{scans}/a/notes.txt", "notes.txt")]
    found = names(find_inputs([f"{scans}/*/p*"]))
    assert found == [(f"{scans}/a/p1.tif", "a/p1.tif"), (f"{scans}/b/p1.JPG", "b/p1.JPG")]
    listing = [f"{scans}/p2.png\n", f"{scans}/b\n"]
    found = names(find_inputs(["-"], listing=listing))
    assert found == [(f"{scans}/p2.png", "scans/p2.png"), (f"{scans}/b/p1.JPG", "scans/b/p1.JPG")]
    assert len(find_inputs([scans, scans, f"{scans}/p2.png"])) == 4


def test_the_output_below_the_input_is_not_read(scans: str, memory) -> None:
    memory.pipe_file("/scans/text/p.png", b"x")
    found = find_inputs([scans], exclude="memory:///scans/text")
    assert "text/p.png" not in [item.name for item in found]
    assert "text/p.png" in [item.name for item in find_inputs([scans])]


def test_what_does_not_exist(scans: str) -> None:
    with pytest.raises(InputError, match=r"memory:///none"):
        find_inputs(["memory:///none"])
    with pytest.raises(InputError, match="no image"):
        find_inputs(["-"], listing=[])
    found = find_inputs([scans, f"{scans}/missing.png"])
    assert names(found)[-1] == (f"{scans}/missing.png", "missing.png")
    assert list(find_below(f"{scans}/missing.png")) == []


def test_names_of_urls_stay_as_they_were(scans: str) -> None:
    found = find_inputs([scans])
    stems = {str(item.path): item.stem for item in assign_outputs(found)}
    assert stems[f"{scans}/a/p1.tif"] == "a/p1"
    earlier = {f"{scans}/p2.png": "elsewhere"}
    assert {item.stem for item in assign_outputs(found, earlier)} >= {"elsewhere", "a/p1", "p10"}


def test_only_reading_takes_urls(scans: str) -> None:
    with pytest.raises(UsageError, match="only `read`"):
        _ = find_inputs([scans])[0].local
