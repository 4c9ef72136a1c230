"""Inputs are found once each, and every one keeps an output name of its own."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ocr_batch.batch.inputs import Found, find_inputs
from ocr_batch.batch.naming import Input, assign_outputs, page_stem
from ocr_batch.errors import InputError


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A folder "scans" in the working folder."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "scans/page10.png",
        "scans/page2.PNG",
        "scans/notes.txt",
        "scans/.hidden.png",
        "scans/.git/x.png",
        "scans/Thumbs.db",
        "scans/b/ü.tif",
        "scans/b/deep/c.pdf",
        "scans/a/x.jpeg",
        "loose.scan",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path


def names(*arguments, **options):
    return [found.name for found in find_inputs(arguments, **options)]


ALL = ["a/x.jpeg", "b/deep/c.pdf", "b/ü.tif", "page2.PNG", "page10.png"]


def test_folder_is_mirrored_in_natural_order(tree):
    assert names("scans") == names("scans/") == names(str(tree / "scans")) == ALL
    assert [str(found.path) for found in find_inputs(["scans"])] == [f"scans/{x}" for x in ALL]
    os.chdir("scans")
    assert names(".") == ALL


def test_files_keep_any_extension_and_the_given_order(tree):
    assert names("loose.scan", "scans/notes.txt", "scans/.hidden.png", "scans/b/ü.tif") == [
        "loose.scan",
        "notes.txt",
        ".hidden.png",
        "ü.tif",
    ]


def test_every_file_once(tree):
    (tree / "again").symlink_to(tree / "scans")
    assert names("scans/page2.PNG", "./scans/../scans/page2.PNG", "again", "scans", "scans/a") == [
        "page2.PNG",
        *(name for name in ALL if name != "page2.PNG"),
    ]


def test_patterns_that_the_shell_left_alone(tree):
    assert names("scans/*.png") == ["page10.png"]
    assert names("scans/**/*.[pt]*") == ["b/deep/c.pdf", "b/ü.tif", "page10.png"]
    assert names("scans/**") == ALL
    assert names("**/x.jpeg") == ["scans/a/x.jpeg"]
    assert names("scans/*") == ALL
    assert names("scans/*.txt") == ["notes.txt"]
    assert names("sc*/[ab]") == ["scans/a/x.jpeg", "scans/b/deep/c.pdf", "scans/b/ü.tif"]
    assert names(str(tree / "scans" / "?" / "*")) == ["a/x.jpeg", "b/deep/c.pdf", "b/ü.tif"]
    assert names("scans/**/c.pdf", "scans/**/deep/*") == ["b/deep/c.pdf"]


def test_brackets_in_a_real_name(tree):
    (tree / "scan [1].png").touch()
    (tree / "[x]").mkdir()
    (tree / "[x]" / "y.png").touch()
    assert names("scan [1].png", "[x]") == ["scan [1].png", "y.png"]


def test_listing_keeps_folders(tree):
    lines = ["scans/b/ü.tif\n", "\n", "./loose.scan\r\n", "scans/a\n", "../gone/z.png", "no/y.png"]
    assert names("-", listing=lines) == [
        "scans/b/ü.tif",
        "loose.scan",
        "scans/a/x.jpeg",
        "gone/z.png",
        "no/y.png",
    ]
    absolute = str(tree / "scans" / "page2.PNG")
    assert names("-", listing=[absolute]) == [absolute.lstrip("/")]


def test_listing_separated_by_nul(tree):
    (tree / "two\nlines.png").touch()
    assert names("-", listing=["loose.scan\0two\n", "lines.png\0"]) == [
        "loose.scan",
        "two\nlines.png",
    ]


def test_links(tree):
    scans = tree / "scans"
    (scans / "gone.png").symlink_to("nowhere.png")
    (scans / "gone.txt").symlink_to("nowhere.txt")
    (scans / "copy.png").symlink_to("page10.png")
    (scans / "a" / "up").symlink_to(scans)
    (scans / "0").symlink_to(scans / "b")
    (scans / "self.png").symlink_to("self.png")
    (tree / "far").mkdir()
    (tree / "far" / "f.png").touch()
    (scans / "z").symlink_to(tree / "far")
    expected = ["a/x.jpeg", "b/deep/c.pdf", "b/ü.tif", "copy.png", "gone.png", "page2.PNG"]
    expected += ["page10.png", "self.png", "z/f.png"]
    assert names("scans") == expected
    assert names("scans/**") == expected
    assert names("scans/gone.png") == ["gone.png"]


def test_output_folder_is_not_read(tree):
    out = tree / "scans" / "b"
    assert names("scans", exclude=out) == ["a/x.jpeg", "page2.PNG", "page10.png"]
    assert names("scans/**", exclude=out) == ["a/x.jpeg", "page2.PNG", "page10.png"]
    assert names("scans/*/*", exclude=out) == ["a/x.jpeg"]
    assert names("scans", exclude=Path("scans/b/new/..")) == ["a/x.jpeg", "page2.PNG", "page10.png"]
    # Asked for by name it is.
    assert names("scans/b", exclude=out) == ["deep/c.pdf", "ü.tif"]
    assert names("scans", exclude=tree / "scans") == ALL
    assert names("scans", exclude=tree / "not" / "there") == ALL


def test_missing_files_are_kept_beside_others(tree):
    assert names("no.png", "scans/a", "no*.png") == ["no.png", "x.jpeg", "no*.png"]


@pytest.mark.parametrize("argument", ["no.png", "no*.png", "**/no.png", "empty", "-", ""])
def test_nothing_to_read(tree, argument):
    (tree / "empty").mkdir()
    with pytest.raises(InputError):
        find_inputs([argument], listing=[])
    with pytest.raises(InputError):
        find_inputs([])


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_folder_without_permission_is_reported(tree):
    (tree / "scans" / "b").chmod(0)
    try:
        assert names("scans") == ["a/x.jpeg", "b", "page2.PNG", "page10.png"]
    finally:
        (tree / "scans" / "b").chmod(0o755)


def stems(*files, previous=None):
    found = [Found(Path("in") / name, name) for name in files]
    assigned = assign_outputs(found, previous)
    assert [item.path for item in assigned] == [item.path for item in found]
    return [item.stem for item in assigned]


def test_plain_names():
    assert stems("a/b.png", "c.tar.png", "d") == ["a/b", "c.tar", "d"]
    # What is no extension of an image belongs to the name.
    assert stems("fax.001", "fax.002", ".png") == ["fax.001", "fax.002", ".png"]


def test_names_that_would_meet():
    assert stems("b.jpg", "b.png", "B.tif") == ["b", "b.png", "B.tif"]
    assert stems("b.png", "b.png.jpg", "b.jpg") == ["b", "b.png", "b.jpg"]
    assert stems("fax", "Fax") == ["fax", "Fax~2"]
    # In NFC and in NFD.
    assert stems("\u00e9.png", "e\u0301.png") == ["\u00e9", "e\u0301.png"]


def test_same_name_from_several_folders():
    found = [Found(Path(f"{k}/b.png"), "b.png") for k in range(5)]
    assert [item.stem for item in assign_outputs(found)] == [
        "b",
        "b.png",
        "b.png~2",
        "b.png~3",
        "b.png~4",
    ]


def test_many_of_one_name_take_no_long():
    found = [Found(Path(f"{k}/b.png"), "b.png") for k in range(20_000)]
    assert assign_outputs(found)[-1].stem == "b.png~19999"


def test_summary_is_not_overwritten():
    assert stems("pages.png", "a/pages.png", "PAGES.jpg", "pages-0001.png") == [
        "pages.png",
        "a/pages",
        "PAGES.jpg",
        "pages-0001",
    ]


def test_pages_keep_clear_of_files():
    assert stems("b-0001.png", "b.tif") == ["b-0001", "b.tif"]
    assert stems("b.tif", "b-0001.png", "b-1.png") == ["b", "b-0001.png", "b-1"]
    assert stems("b.pdf", "B-12345.png") == ["b", "B-12345.png"]
    # Files of one page reserve nothing.
    assert stems("b.png", "b-0001.png", "b.tif") == ["b", "b-0001", "b.tif"]


def test_pages_of_a_misnamed_file(tmp_path):
    page = Image.new("1", (9, 9))
    page.save(tmp_path / "b.png", format="TIFF", save_all=True, append_images=[page])
    found = [Found(tmp_path / name, name) for name in ("b.png", "b-0001.png")]
    assert [item.stem for item in assign_outputs(found)] == ["b", "b-0001.png"]
    assert [item.stem for item in assign_outputs(found[::-1])] == ["b-0001", "b.png"]


def test_earlier_runs_keep_their_names():
    previous = {"in/b.png": "b"}
    assert stems("b.jpg", "b.png", previous=previous) == ["b.jpg", "b"]
    assert stems("b.jpg", previous=previous) == ["b.jpg"]
    assert stems("a.png", previous={str(Path("in/a.png").absolute()): "kept"}) == ["kept"]
    # A name that two files claim goes to the first, and ours to none.
    assert stems("x.png", "y.png", previous={"in/x.png": "s", "in/y.png": "S"}) == ["s", "y"]
    assert stems("x.png", previous={"in/x.png": "pages"}) == ["x"]


def test_page_stem():
    assert page_stem("a/b", 1, 1) == "a/b"
    assert page_stem("a/b", 1, 2) == "a/b-0001"
    assert page_stem("a/b", 12345, 20000) == "a/b-12345"


BASES = st.sampled_from(["b", "B", "b-0001", "b-0002", "b.png", "b.jpg~2", "pages", "ß", "ss"])
SUFFIXES = st.sampled_from([".png", ".jpg", ".tif", ".PDF", "", ".png~2"])
FOLDERS = st.sampled_from(["", "x/"])
FILES = st.builds(
    lambda top, folder, base, suffix: Found(
        Path(top, folder, base + suffix), folder + base + suffix
    ),
    st.sampled_from(["one", "two"]),
    FOLDERS,
    BASES,
    SUFFIXES,
)
FOUND = st.lists(FILES, max_size=12, unique_by=lambda found: str(found.path))


def written(item: Input) -> set[str]:
    """Every stem that reading an input may write."""
    stems = {item.stem.casefold()}
    if item.path.suffix.lower() in (".tif", ".pdf"):
        stems |= {page_stem(item.stem, number, 3).casefold() for number in (1, 2, 3)}
    return stems


@given(FOUND)
def test_no_two_inputs_ever_write_the_same_file(found):
    seen = {"pages"}
    for item in assign_outputs(found):
        assert written(item).isdisjoint(seen)
        seen |= written(item)


@given(FOUND, FOUND)
def test_names_never_change_when_others_arrive(first, later):
    earlier = {str(item.path): item.stem for item in assign_outputs(first)}
    now = assign_outputs(sorted({*first, *later}, key=lambda found: str(found.path)), earlier)
    assert {str(item.path): item.stem for item in now}.items() >= earlier.items()
    seen = {"pages"}
    for item in now:
        assert written(item).isdisjoint(seen)
        seen |= written(item)
