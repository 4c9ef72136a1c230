"""The public interface from Python."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

import pytest
from cli_tools import PACKAGE, environment, save, text_image

import ocr_batch

PAGE = text_image("The quick brown fox", "jumps over the dog")
LINE = text_image("The quick brown fox")

PUBLIC = {
    "Block", "Box", "BundleError", "Character", "Classified", "ImageError", "InputError", "Line",
    "OcrBatchError", "OutputError", "Page", "PageTimeoutError", "ReadOptions", "Reader", "Result",
    "TrainingError", "UsageError", "Word", "__version__", "classify", "read", "read_page",
}  # fmt: skip


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    folder = tmp_path / "scans"
    save(folder / "a.tif", *[PAGE] * 6)
    save(folder / "b.png", LINE)
    (folder / "c.png").write_bytes(b"")
    save(folder / "d.png", PAGE * 0 + 255)
    return folder


def python(code: str) -> str:
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment(), timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_public_names() -> None:
    assert set(ocr_batch.__all__) == PUBLIC
    assert set(dir(ocr_batch)) >= PUBLIC
    for name in PUBLIC:
        assert getattr(ocr_batch, name) is not None
    assert not hasattr(ocr_batch, "no_such_thing")


def test_the_version_is_that_of_the_package() -> None:
    setup = PACKAGE / "setup.cfg"
    if not setup.exists():
        pytest.skip("installed without its sources")
    config = ConfigParser()
    config.read(setup)
    assert config["metadata"]["version"] in {ocr_batch.__version__, "attr: ocr_batch.__version__"}


def test_import_is_cheap() -> None:
    code = "import sys, ocr_batch; print({'numpy', 'cv2', 'tensorflow', 'PIL'} & set(sys.modules))"
    assert python(code) == "set()\n"


def test_reading_never_imports_tensorflow(scans: Path) -> None:
    code = f"""
import sys
import ocr_batch
for result in ocr_batch.read({str(scans)!r}, jobs=0):
    pass
ocr_batch.read_page({str(scans / "b.png")!r})
print({{"tensorflow", "keras", "skimage"}} & set(sys.modules))
"""
    assert python(code) == "set()\n"


def test_read_page_takes_a_path_or_an_array(scans: Path) -> None:
    page = ocr_batch.read_page(scans / "b.png")
    assert isinstance(page, ocr_batch.Page)
    assert page.source == str(scans / "b.png")
    assert (page.width, page.height) == LINE.shape[::-1]
    assert page.text
    from_array = ocr_batch.read_page(LINE)
    assert from_array.source == ""
    assert from_array.blocks == page.blocks
    assert ocr_batch.read_page(str(scans / "a.tif"), page=2).number == 2


def test_boxes_lie_within_the_page() -> None:
    page = ocr_batch.read_page(PAGE)
    for word in page.words:
        assert 0 <= word.confidence <= 1
        for character in word.characters:
            assert 0 <= character.confidence <= 1
            assert character.box.left >= 0
            assert character.box.top >= 0
            assert character.box.right <= page.width
            assert character.box.bottom <= page.height


def test_read_page_raises_what_went_wrong(scans: Path) -> None:
    with pytest.raises(ocr_batch.ImageError):
        ocr_batch.read_page(scans / "c.png")
    with pytest.raises(ocr_batch.ImageError):
        ocr_batch.read_page(scans / "b.png", page=2)
    with pytest.raises(ocr_batch.BundleError):
        ocr_batch.read_page(LINE, model="no-such-model")


@pytest.mark.parametrize("jobs", [0, 2, None])
def test_read_gives_every_page_in_order(scans: Path, jobs: int | None) -> None:
    results = list(ocr_batch.read(scans, jobs=jobs))
    assert [(Path(r.source).name, r.number) for r in results] == [
        *(("a.tif", number) for number in range(1, 7)),
        ("b.png", 1),
        ("c.png", 1),
        ("d.png", 1),
    ]
    assert [r.status for r in results] == ["read"] * 7 + ["failed", "empty"]
    for result in results:
        assert (result.page is None) == (result.error is not None)
        if result.page is not None:
            assert (result.page.source, result.page.number) == (result.source, result.number)
    assert isinstance(results[7].error, ocr_batch.ImageError)


def test_pages_do_not_depend_on_the_processes(scans: Path) -> None:
    here = [result.page for result in ocr_batch.read(scans, jobs=0)]
    assert [result.page for result in ocr_batch.read(scans, jobs=3)] == here


def test_read_is_lazy_but_looks_at_once(scans: Path, tmp_path: Path) -> None:
    with pytest.raises(ocr_batch.InputError):
        ocr_batch.read(tmp_path / "missing")
    with pytest.raises(ocr_batch.UsageError):
        ocr_batch.read(scans, jobs=-1)
    results = ocr_batch.read([scans / "b.png", str(scans / "a.tif")])
    assert isinstance(results, Iterator)
    assert next(results).status == "read"
    results.close()
    with pytest.raises(ocr_batch.BundleError):
        next(ocr_batch.read(scans, model="no-such-model"))


def test_a_reader_keeps_its_options() -> None:
    reader = ocr_batch.Reader(options=ocr_batch.ReadOptions(deskew=False, orient=False))
    first = reader.read_page(PAGE)
    assert first == reader.read_page(PAGE)
    assert (first.rotation, first.skew) == (0, 0.0)
