"""A folder with every fault that people report: what can be read is, the rest is named."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from cli_tools import rows, run, save, text_image, tree

GOOD = text_image("The quick brown fox", "jumps over the dog")
BLANK = np.full((600, 800), 255, np.uint8)


def claims_to_be_huge(path: Path) -> None:
    """Write a PNG of 60,000 x 60,000 pixels in a hundred bytes."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(10))) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + data)


def break_page(path: Path, page: int) -> None:
    """Let the pixels of a page (from 1) of a little-endian TIFF lie behind the end of the file."""
    data = bytearray(path.read_bytes())
    (at,) = struct.unpack_from("<I", data, 4)
    for _ in range(page - 1):
        (entries,) = struct.unpack_from("<H", data, at)
        (at,) = struct.unpack_from("<I", data, at + 2 + 12 * entries)
    (entries,) = struct.unpack_from("<H", data, at)
    for entry in range(at + 2, at + 2 + 12 * entries, 12):
        tag, kind, count = struct.unpack_from("<HHI", data, entry)
        if tag == 273:
            place = entry + 8
            if count > 1:
                (place,) = struct.unpack_from("<I", data, place)
            size, form = (2, "<H") if kind == 3 else (4, "<I")
            for number in range(count):
                struct.pack_into(form, data, place + size * number, 2 ** (8 * size - 1) - 1)
    path.write_bytes(bytes(data))


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faulty") / "scans"
    save(folder / "good.png", GOOD)
    save(folder / "deep" / "er" / "good.tif", GOOD)
    (folder / "zero.png").write_bytes(b"")
    cut = save(folder / "cut.jpg", GOOD)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 3])
    (folder / "letter.png").write_text("This is no image.\n" * 20)
    break_page(save(folder / "many.tif", GOOD, GOOD, GOOD), 2)
    save(folder / "blank.png", BLANK)
    y, x = np.mgrid[:700, :900]
    picture = 127 + 60 * np.sin(x / 90.0) * np.cos(y / 70.0) + 40 * np.sin((x + y) / 150.0)
    save(folder / "picture.png", picture.astype(np.uint8))
    save(folder / "pixel.png", np.zeros((1, 1), np.uint8))
    claims_to_be_huge(folder / "huge.png")
    (folder / "dangling.png").symlink_to(folder / "nowhere.png")
    save(folder / "twice.png", GOOD)
    save(folder / "twice.jpg", GOOD)
    save(folder / "ünï-文書.png", GOOD)
    return folder


def test_a_faulty_folder_is_read_to_its_end(faulty: Path, tmp_path: Path) -> None:
    out = tmp_path / "text"
    done = run("read", faulty, "-o", out, "--jobs", 2)
    assert done.returncode == 5, done.stderr
    listed = rows(out)
    by_page = {(Path(row["source"]).name, int(row["page"])): row for row in listed}
    status = {key: row["status"] for key, row in by_page.items()}
    assert status.pop(("picture.png", 1)) in {"empty", "read"}
    assert status.pop(("pixel.png", 1)) in {"empty", "failed"}
    assert {key: value for key, value in status.items() if value != "read"} == {
        ("blank.png", 1): "empty",
        ("cut.jpg", 1): "failed",
        ("dangling.png", 1): "failed",
        ("huge.png", 1): "failed",
        ("letter.png", 1): "failed",
        ("many.tif", 2): "failed",
        ("zero.png", 1): "failed",
    }
    good = [
        ("good.png", 1), ("good.tif", 1), ("many.tif", 1), ("many.tif", 3), ("twice.png", 1),
        ("twice.jpg", 1), ("ünï-文書.png", 1),
    ]  # fmt: skip
    assert {key for key, value in status.items() if value == "read"} == set(good)

    for key, row in by_page.items():
        assert bool(row["error"]) == (row["status"] == "failed"), key
        if row["status"] == "failed":
            assert row["characters"] == row["words"] == row["confidence"] == ""
            assert f"{row['source']}, page {row['page']}: {row['error']}" in done.stderr
        else:
            for suffix in (".txt", ".csv"):
                assert (out / (row["output"] + suffix)).is_file(), key
    outputs = [row["output"] for row in listed]
    assert len(set(outputs)) == len(outputs)
    assert {"good", "deep/er/good", "many-0001", "many-0002", "many-0003", "ünï-文書"} <= set(
        outputs
    )
    assert (out / "blank.txt").read_bytes() == b""
    written = {name for name in tree(out) if name != "pages.csv"}
    assert len(written) == 2 * sum(row["status"] != "failed" for row in listed)
    assert "failed" in done.stderr.splitlines()[-1]
    assert str(out) in done.stderr.splitlines()[-1]


def test_rows_are_in_input_order_and_bytes_do_not_depend_on_the_processes(
    faulty: Path, tmp_path: Path
) -> None:
    for jobs in (1, 3):
        run("read", faulty, "-o", tmp_path / str(jobs), "--jobs", jobs, "--quiet")
    assert tree(tmp_path / "1") == tree(tmp_path / "3")
    sources = [row["source"] for row in rows(tmp_path / "1")]
    assert sources.index(str(faulty / "blank.png")) < sources.index(str(faulty / "zero.png"))
    many = [int(row["page"]) for row in rows(tmp_path / "1") if "many" in row["source"]]
    assert many == [1, 2, 3]


def test_a_run_without_anything_readable_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "b.png").write_text("text")
    done = run("read", tmp_path / "a.png", tmp_path / "b.png", "-o", tmp_path / "out")
    assert done.returncode == 2
    assert [row["status"] for row in rows(tmp_path / "out")] == ["failed", "failed"]


def test_a_page_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    # Long enough for the clock to be looked at several times while they are read.
    for name in ("a", "b"):
        save(tmp_path / "in" / f"{name}.png", text_image(*["jumps over the lazy dog"] * 40))
    done = run("read", tmp_path / "in", "-o", tmp_path / "out", "--timeout", "0.01")
    assert done.returncode == 5, done.stderr
    # On a busy machine a page may be done before the clock is looked at.
    failed = [row for row in rows(tmp_path / "out") if row["status"] == "failed"]
    assert failed
    assert all("--timeout" in row["error"] for row in failed)
