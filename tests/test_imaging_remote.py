"""Files behind URLs, with file systems of fsspec's that need no network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from cli_tools import save, text_image

from ocr_batch.errors import ImageError, UsageError
from ocr_batch.imaging.load import BadPage, count_pages, load_page, load_sheets
from ocr_batch.imaging.remote import fetched, file_system, is_url, keep_last, patiently

fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed")

SAMPLES = Path(__file__).parents[1] / "samples"


class Counting(fsspec.get_filesystem_class("memory")):
    """A file system that counts how often its files are opened."""

    protocol = "counting"
    opened = 0

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.replace("counting://", "memory://"))

    def open(self, path, mode="rb", **options):
        type(self).opened += "r" in mode
        return super().open(path, mode, **options)


fsspec.register_implementation("counting", Counting, clobber=True)


@pytest.fixture
def memory() -> Iterator[fsspec.AbstractFileSystem]:
    system = fsspec.filesystem("counting")
    system.store.clear()
    yield system
    keep_last(False)
    system.store.clear()


@pytest.mark.parametrize(
    "path", ["s3://bucket/a.png", "file:///a", "memory://x", "simplecache::s3://b/x", "s3a://b"]
)
def test_urls(path: str) -> None:
    assert is_url(path)


@pytest.mark.parametrize(
    "path",
    ["a.png", "/a/b", "C:\\scans", "C:/scans", "a:b", "//server/share", "", "1s://x", "a//b"],
)
def test_paths_are_no_urls(path: str) -> None:
    assert not is_url(path)


@pytest.mark.parametrize("name", ["book-page.png", "constitution.tif", "rules.pdf", "receipt.webp"])
def test_pages_are_the_same_as_those_of_a_file_here(memory, name: str) -> None:
    url = f"counting:///scans/{name}"
    memory.pipe_file(f"/scans/{name}", (SAMPLES / name).read_bytes())
    assert count_pages(url) == count_pages(SAMPLES / name)
    for here, there in zip(load_sheets(SAMPLES / name), load_sheets(url), strict=True):
        assert not isinstance(here, BadPage)
        assert not isinstance(there, BadPage)
        assert np.array_equal(here.grey, there.grey)
        assert (there.source, there.number, there.dpi) == (url, here.number, here.dpi)


def test_a_file_of_many_pages_is_fetched_once_by_those_who_keep_it(memory, tmp_path) -> None:
    pages = [text_image(word) for word in ("one", "two", "three")]
    content = save(tmp_path / "many.tif", *pages).read_bytes()
    memory.pipe_file("/many.tif", content)
    memory.pipe_file("/other.tif", content)
    keep_last()
    Counting.opened = 0
    assert count_pages("counting:///many.tif") == 3
    for number, page in enumerate(pages, 1):
        assert np.array_equal(load_page("counting:///many.tif", number).grey, page)
    assert Counting.opened == 1
    load_page("counting:///other.tif", 3)
    load_page("counting:///many.tif", 3)
    assert Counting.opened == 3
    with fetched("counting:///many.tif", fresh=True) as file:
        assert file.read() == content
    assert Counting.opened == 4


def test_others_see_a_file_that_has_changed(memory) -> None:
    memory.pipe_file("/a", b"first")
    with fetched("counting:///a") as file:
        assert file.read() == b"first"
    memory.pipe_file("/a", b"second")
    with fetched("counting:///a") as file:
        assert file.read() == b"second"


def test_what_is_wrong_with_a_file_is_said(memory) -> None:
    memory.pipe_file("/empty.png", b"")
    memory.pipe_file("/text.png", b"This is no image.\n" * 20)
    with pytest.raises(ImageError, match="does not exist"):
        load_page("counting:///none.png")
    with pytest.raises(ImageError, match="empty"):
        load_page("counting:///empty.png")
    with pytest.raises(ImageError):
        load_page("counting:///text.png")
    (bad,) = load_sheets("counting:///none.png")
    assert isinstance(bad, BadPage)
    assert bad.source == "counting:///none.png"


def test_kinds_of_urls_that_can_not_be_used(memory) -> None:
    with pytest.raises(UsageError, match="nosuch"):
        file_system("nosuch://bucket/a.png")


def test_a_transfer_that_fails_is_tried_again(monkeypatch) -> None:
    monkeypatch.setattr("ocr_batch.imaging.remote._PAUSE", 0.0)
    tries = iter([OSError("reset"), TimeoutError("late"), None])

    def transfer() -> str:
        if (error := next(tries)) is not None:
            raise error
        return "there"

    assert patiently(transfer) == "there"


def test_what_will_not_mend_is_not_tried_again(monkeypatch) -> None:
    monkeypatch.setattr("ocr_batch.imaging.remote._PAUSE", 0.0)
    tries = []

    def transfer() -> None:
        tries.append(1)
        raise (PermissionError if len(tries) > 3 else OSError)("no")

    with pytest.raises(OSError, match="no"):
        patiently(transfer)
    assert len(tries) == 3
    with pytest.raises(PermissionError):
        patiently(transfer)
    assert len(tries) == 4
