"""Files of every kind come out as the same grey page, and damaged ones as errors."""

import os
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps, features

from ocr_batch.errors import ImageError, UsageError
from ocr_batch.imaging.load import (
    BadPage,
    Sheet,
    count_pages,
    load_page,
    load_sheets,
    sheet_from_array,
)


def picture(width=120, height=80):
    """White paper with black, grey and unsymmetrical marks."""
    page = Image.new("L", (width, height), 255)
    draw = ImageDraw.Draw(page)
    draw.rectangle((8, 8, 50, 20), fill=0)
    draw.rectangle((8, 40, 100, 60), fill=128)
    draw.rectangle((90, 5, 100, 30), fill=60)
    return page


def ink(width=400, height=300, seed=0):
    """A 1-bit page of small marks, enough of them to make several strips worth compressing."""
    rng = np.random.default_rng(seed)
    page = Image.new("1", (width, height), 1)
    draw = ImageDraw.Draw(page)
    for x, y in zip(rng.integers(0, width, 300), rng.integers(0, height, 300), strict=True):
        draw.rectangle((x, y, x + 4, y + 6), fill=0)
    return page


def save(image, path, **options):
    image.save(path, **options)
    return path


def grey(image):
    return np.asarray(image.convert("L"))


def close(sheet, expected, tolerance=0):
    assert sheet.grey.dtype == np.uint8
    assert sheet.grey.flags.c_contiguous
    assert sheet.grey.shape == expected.shape
    assert np.abs(sheet.grey.astype(int) - expected).max() <= tolerance


@pytest.mark.parametrize(
    ("name", "options", "tolerance"),
    [
        ("a.png", {}, 0),
        ("a.jpg", {"quality": 95}, 12),
        ("a.jpeg", {"quality": 95, "progressive": True}, 12),
        ("a.tif", {}, 0),
        ("b.tif", {"compression": "tiff_lzw"}, 0),
        ("c.tif", {"compression": "tiff_adobe_deflate", "big_tiff": True}, 0),
        ("a.bmp", {}, 0),
        ("a.webp", {"lossless": True}, 0),
        ("a.jp2", {}, 0),
        ("a.gif", {}, 0),
        ("a.pgm", {}, 0),
    ],
)
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_every_format(tmp_path, name, options, tolerance, mode):
    path = save(picture().convert(mode), tmp_path / name, **options)
    sheet = load_page(path)
    close(sheet, grey(picture()), tolerance)
    assert (sheet.source, sheet.number, sheet.stored_size) == (str(path), 1, (120, 80))
    assert not sheet.bilevel
    assert count_pages(path) == 1


def directories(data):
    """Offsets of the directories of a classic little-endian TIFF."""
    offsets, (at,) = [], struct.unpack_from("<I", data, 4)
    while at:
        offsets.append(at)
        (at,) = struct.unpack_from("<I", data, at + 2 + 12 * struct.unpack_from("<H", data, at)[0])
    return offsets


def entry(data, directory, tag):
    """Offset of a tag's value in a directory."""
    for k in range(struct.unpack_from("<H", data, directory)[0]):
        at = directory + 2 + 12 * k
        if struct.unpack_from("<H", data, at)[0] == tag:
            return at + 8
    raise AssertionError(tag)


def turn_photometric(path):
    """Exchange black and white in a TIFF by its tag."""
    data = bytearray(path.read_bytes())
    at = entry(data, directories(data)[0], 262)
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("compression", ["raw", "group3", "group4", "packbits", "tiff_lzw"])
def test_one_bit_tiff_of_either_sense(tmp_path, compression):
    path = save(ink(), tmp_path / "a.tif", compression=compression)
    close(load_page(path), grey(ink()))
    assert load_page(path).bilevel
    turn_photometric(path)
    close(load_page(path), 255 - grey(ink()))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_white_is_zero_of_more_bits(tmp_path, dtype):
    dark = np.arange(256, dtype=np.uint8).reshape(16, 16)
    values = dark.astype(dtype) * dtype(257 if dtype is np.uint16 else 1)
    path = save(Image.fromarray(values), tmp_path / "a.tif")
    before = load_page(path).grey
    turn_photometric(path)
    close(load_page(path), 255 - before)


@pytest.mark.parametrize("suffix", ["png", "tif", "gif", "bmp"])
def test_palette(tmp_path, suffix):
    # A palette in no order of brightness.
    indices = np.tile(np.array([0, 1, 2], np.uint8), (20, 10))
    image = Image.fromarray(indices).convert("P")
    image.putpalette([200, 200, 200, 10, 10, 10, 255, 255, 255] + [0] * 759)
    path = save(image, tmp_path / f"a.{suffix}")
    close(load_page(path), np.array([200, 10, 255], np.uint8)[indices])


def test_colours_by_luma(tmp_path):
    image = Image.new("RGB", (30, 20), (200, 40, 90))
    luma = round(0.299 * 200 + 0.587 * 40 + 0.114 * 90)
    for name, options in (
        ("a.png", {}),
        ("b.jpg", {"quality": 95}),
        ("c.jpg", {"quality": 95, "keep_rgb": True}),
        ("d.tif", {"compression": "jpeg", "quality": 95}),
    ):
        close(load_page(save(image, tmp_path / name, **options)), np.full((20, 30), luma), 2)


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
def test_cmyk(tmp_path, name):
    options = {"quality": 95} if name.endswith("jpg") else {}
    path = save(picture().convert("RGB").convert("CMYK"), tmp_path / name, **options)
    close(load_page(path), grey(picture()), 12 if options else 0)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
def test_alpha_becomes_white_paper(tmp_path, mode, suffix):
    image = Image.new(mode, (40, 30), (0,) * len(mode))
    white = (255,) * (len(mode) - 1)
    black = (0,) * (len(mode) - 1)
    image.paste((*white, 255), (0, 0, 10, 30))
    image.paste((*black, 255), (10, 0, 20, 30))
    image.paste((*black, 128), (20, 0, 30, 30))
    if suffix == "webp":
        image = image.convert("RGBA")
    sheet = load_page(save(image, tmp_path / f"a.{suffix}", **{"lossless": True}))
    assert sheet.grey[15, [5, 15, 25, 35]].tolist() == [255, 0, 127, 255]


def test_transparent_colours(tmp_path):
    image = Image.new("P", (20, 10), 0)
    image.putpalette([0, 0, 0, 30, 30, 30] + [0] * 762)
    image.paste(1, (0, 0, 10, 10))
    sheet = load_page(save(image, tmp_path / "a.png", transparency=0))
    assert sheet.grey[5, [5, 15]].tolist() == [30, 255]
    rgb = Image.new("RGB", (20, 10), (1, 2, 3))
    rgb.paste((30, 30, 30), (0, 0, 10, 10))
    sheet = load_page(save(rgb, tmp_path / "b.png", transparency=(1, 2, 3)))
    assert sheet.grey[5, [5, 15]].tolist() == [30, 255]


def test_wholly_transparent_is_taken_as_opaque(tmp_path):
    image = picture().convert("RGBA")
    image.putalpha(0)
    close(load_page(save(image, tmp_path / "a.png")), grey(picture()))


@pytest.mark.parametrize("suffix", ["png", "tif", "jp2", "pgm"])
def test_sixteen_bits_keep_their_range(tmp_path, suffix):
    values = np.linspace(0, 65535, 600).astype(np.uint16).reshape(20, 30)
    path = save(Image.fromarray(values), tmp_path / f"a.{suffix}")
    close(load_page(path), np.round(values / 257), 1)


@pytest.mark.parametrize("top", [1.0, 255.0, 65535.0])
def test_float_tiff(tmp_path, top):
    values = np.linspace(0, top, 600, dtype=np.float32).reshape(20, 30)
    close(
        load_page(save(Image.fromarray(values), tmp_path / "a.tif")),
        np.round(values / np.float32(top) * 255),
        1,
    )


def test_float_tiff_with_nan_and_negatives(tmp_path):
    values = np.array([[np.nan, -3.0, 0.5, 1.0]], np.float32)
    sheet = load_page(save(Image.fromarray(values), tmp_path / "a.tif"))
    assert sheet.grey.tolist() == [[0, 0, 128, 255]]


def test_int32_tiff(tmp_path):
    values = np.array([[0, 128, 255]], np.int32)
    sheet = load_page(save(Image.fromarray(values), tmp_path / "a.tif"))
    assert sheet.grey.tolist() == [[0, 128, 255]]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_orientation_and_way_back(tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[274] = orientation
    stored = picture()
    options = {"jpg": {"quality": 100}, "webp": {"lossless": True}}.get(suffix, {})
    if suffix == "webp":
        stored = stored.convert("RGB")
    path = save(stored, tmp_path / f"a.{suffix}", exif=exif, **options)
    tagged = picture()
    tagged.getexif()[274] = orientation
    sheet = load_page(path)
    close(sheet, grey(ImageOps.exif_transpose(tagged)), 3)
    assert sheet.stored_size == (120, 80)
    back_to = grey(stored).astype(int)
    y, x = np.mgrid[: sheet.grey.shape[0], : sheet.grey.shape[1]]
    points = np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    stored_x, stored_y = np.round(sheet.to_stored @ points).astype(int)
    assert np.abs(sheet.grey.ravel() - back_to[stored_y, stored_x]).max() <= 3


def test_orientation_of_every_page_of_a_tiff(tmp_path):
    path = tmp_path / "a.tif"
    ink().save(path, save_all=True, append_images=[ink()], tiffinfo={274: 6})
    sheets = list(load_sheets(path))
    assert [sheet.grey.shape for sheet in sheets] == [(400, 300), (400, 300)]
    assert all(np.array_equal(sheet.grey, np.rot90(grey(ink()), -1)) for sheet in sheets)


@pytest.mark.parametrize(
    ("dpi", "expected"),
    [((300, 300), 300), ((1, 1), None), ((72, 72), 72), ((4800, 4800), None), ((300, 299), 300)],
)
@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "bmp"])
def test_resolution_when_sane(tmp_path, dpi, expected, suffix):
    sheet = load_page(save(picture(), tmp_path / f"a.{suffix}", dpi=dpi))
    assert sheet.dpi == (None if expected is None else pytest.approx(expected, abs=0.1))


def test_fax_of_half_resolution_is_stretched(tmp_path):
    sheet = load_page(save(ink(), tmp_path / "a.tif", compression="group4", dpi=(204, 98)))
    assert sheet.dpi == 204
    assert sheet.grey.shape == (round(300 * 204 / 98), 400)
    assert sheet.stored_size == (400, 300)
    height = sheet.grey.shape[0]
    for y, expected in ((-0.5, -0.5), (height - 0.5, 299.5)):
        assert sheet.to_stored @ (7, y, 1) == pytest.approx((7, expected))


def test_multi_page_tiff(tmp_path):
    pages = [ink(seed=seed) for seed in range(4)]
    path = save(
        pages[0], tmp_path / "a.tif", save_all=True, append_images=pages[1:], compression="group4"
    )
    assert count_pages(path) == 4
    for number, (page, sheet) in enumerate(zip(pages, load_sheets(path), strict=True), 1):
        assert sheet.number == number
        close(sheet, grey(page))
        close(load_page(path, number), grey(page))
    for number in (0, 5):
        with pytest.raises(ImageError, match="no page"):
            load_page(path, number)


def test_thumbnails_are_no_pages(tmp_path):
    thumbnail = ink(40, 30)
    thumbnail.encoderinfo = {"tiffinfo": {254: 1}}
    path = save(ink(), tmp_path / "a.tif", save_all=True, append_images=[thumbnail, ink(seed=2)])
    assert count_pages(path) == 2
    assert [sheet.grey.shape for sheet in load_sheets(path)] == [(300, 400), (300, 400)]


def three_pages(path, compression):
    pages = [ink(seed=seed) for seed in range(3)]
    save(pages[0], path, save_all=True, append_images=pages[1:], compression=compression)
    return bytearray(path.read_bytes())


@pytest.mark.parametrize("compression", ["group4", "tiff_lzw", "tiff_adobe_deflate"])
@pytest.mark.parametrize("damage", ["zeros", "ones", "noise", "tag", "offset"])
@pytest.mark.parametrize("bad", [1, 2, 3])
def test_one_broken_page_leaves_the_others(tmp_path, compression, damage, bad):
    libtiff = tuple(map(int, (features.version("libtiff") or "0").split(".")))
    if (compression, damage) == ("group4", "noise") and libtiff < (4, 7, 2):
        pytest.skip("this libtiff takes noise for a fax page without a word")
    path = tmp_path / "a.tif"
    data = three_pages(path, compression)
    directory = directories(data)[bad - 1]
    if damage == "tag":
        struct.pack_into("<H", data, entry(data, directory, 259), 54321)
    elif damage == "offset":
        at = entry(data, directory, 273)
        struct.pack_into("<I", data, at, 0x7FFFFFFF)
    else:
        with Image.open(path) as image:
            image.seek(bad - 1)
            strips = list(zip(image.tag_v2[273], image.tag_v2[279], strict=True))
        for offset, size in strips:
            data[offset : offset + size] = {
                "zeros": bytes(size),
                "ones": b"\xff" * size,
                "noise": np.random.default_rng(1).bytes(size),
            }[damage]
    path.write_bytes(data)
    assert count_pages(path) == 3
    results = list(load_sheets(path))
    assert [type(result) for result in results] == [
        BadPage if number == bad else Sheet for number in (1, 2, 3)
    ]
    assert [result.number for result in results] == [1, 2, 3]
    for result in results:
        if isinstance(result, Sheet):
            close(result, grey(ink(seed=result.number - 1)))
            close(load_page(path, result.number), result.grey)
    with pytest.raises(ImageError, match="again"):
        load_page(path, bad)


def test_tiff_whose_chain_breaks(tmp_path):
    path = tmp_path / "a.tif"
    data = three_pages(path, "group4")
    first = directories(data)[0]
    after = first + 2 + 12 * struct.unpack_from("<H", data, first)[0]
    struct.pack_into("<I", data, after, len(data) + 1000)
    path.write_bytes(data)
    good, bad = load_sheets(path)
    assert isinstance(good, Sheet)
    assert bad.number == 2
    assert "lost" in str(bad.error)


def test_tiff_whose_chain_is_a_circle(tmp_path):
    path = tmp_path / "a.tif"
    data = three_pages(path, "group4")
    offsets = directories(data)
    after = offsets[1] + 2 + 12 * struct.unpack_from("<H", data, offsets[1])[0]
    struct.pack_into("<I", data, after, offsets[0])
    path.write_bytes(data)
    assert count_pages(path) == 2


def test_group_4_without_end_marks_is_read(tmp_path):
    path = save(ink(), tmp_path / "a.tif", compression="group4")
    data = bytearray(path.read_bytes())
    with Image.open(path) as image:
        assert len(image.tag_v2[273]) == 1
        offset, size = image.tag_v2[273][0], image.tag_v2[279][0]
    # Only its second half: the picture is whole before it.
    data[offset + size - 2 : offset + size] = bytes(2)
    path.write_bytes(data)
    close(load_page(path), grey(ink()))


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "bmp", "webp", "jp2", "gif", "pgm", "pdf"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_cut_short(tmp_path, suffix, share):
    noisy = np.random.default_rng(0).integers(0, 256, (200, 200), dtype=np.uint8)
    path = save(Image.fromarray(noisy), tmp_path / f"a.{suffix}")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ImageError):
        load_page(path)
    (bad,) = load_sheets(path)
    assert isinstance(bad, BadPage)
    assert (bad.source, bad.number) == (str(path), 1)


def test_png_with_a_wrong_check_sum(tmp_path):
    path = save(ink().convert("L"), tmp_path / "a.png", compress_level=0)
    data = bytearray(path.read_bytes())
    data[data.index(b"IDAT") + 3000] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(ImageError, match=r"damaged"):
        load_page(path)


def png_header(width, height):
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + header
        + struct.pack(">I", zlib.crc32(header))
        + struct.pack(">I", 0)
        + b"IDAT"
        + struct.pack(">I", zlib.crc32(b"IDAT"))
    )


def test_pixel_limit_comes_before_decoding(tmp_path):
    path = tmp_path / "huge.png"
    path.write_bytes(png_header(60_000, 60_000))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ImageError, match="60,000 x 60,000"):
            load_page(path)
        assert count_pages(path) == 1
    small = save(picture(), tmp_path / "a.tif")
    load_page(small, limit=9600)
    with pytest.raises(ImageError, match="limit"):
        load_page(small, limit=9599)


def test_pillows_own_limit_neither_warns_nor_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    path = save(picture(), tmp_path / "a.tif", save_all=True, append_images=[picture(), picture()])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert all(isinstance(sheet, Sheet) for sheet in load_sheets(path))
    assert Image.MAX_IMAGE_PIXELS == 1000


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
def test_one_pixel(tmp_path, suffix):
    sheet = load_page(save(Image.new("L", (1, 1), 255), tmp_path / f"a.{suffix}"))
    assert sheet.grey.tolist() == [[255]]
    assert sheet.bilevel


def test_two_values_count_as_bilevel(tmp_path):
    assert load_page(save(ink().convert("L"), tmp_path / "a.png")).bilevel
    assert not load_page(save(picture(), tmp_path / "b.png")).bilevel


def test_names_beyond_ascii(tmp_path):
    folder = tmp_path / "Größe 日本"
    folder.mkdir()
    for name in ("ä b.png", "ä b.tif", "ä b.pdf"):
        assert load_page(save(picture(), folder / name)).grey.size


def test_what_is_no_image(tmp_path):
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("Dear Sir,\n" * 100)
    (tmp_path / "dangling.png").symlink_to(tmp_path / "gone.png")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    for name, message in (
        ("empty.png", "empty"),
        ("text.png", "not an image"),
        ("dangling.png", "gone.png does not exist"),
        ("loop.png", "can not be opened"),
        ("folder.png", "folder"),
        ("pipe.png", "pipe"),
        ("missing.png", "does not exist"),
    ):
        for function in (load_page, count_pages):
            with pytest.raises(ImageError, match=message):
                function(tmp_path / name)
        (bad,) = load_sheets(tmp_path / name)
        assert isinstance(bad, BadPage)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_without_permission(tmp_path):
    path = save(picture(), tmp_path / "a.png")
    path.chmod(0)
    with pytest.raises(ImageError, match="permissions"):
        load_page(path)


def test_kind_is_told_by_content(tmp_path):
    path = tmp_path / "a.jpg"
    picture().save(path, format="PNG")
    close(load_page(path), grey(picture()))


def test_pdf_page_by_page(tmp_path):
    pages = [picture(600, 400), picture(300, 900)]
    path = save(
        pages[0], tmp_path / "a.pdf", save_all=True, append_images=pages[1:], resolution=150
    )
    assert count_pages(path) == 2
    sheets = list(load_sheets(path))
    assert [sheet.grey.shape for sheet in sheets] == [(800, 1200), (1800, 600)]
    assert [(sheet.number, sheet.dpi) for sheet in sheets] == [(1, 300), (2, 300)]
    assert sheets[0].stored_size == (1200, 800)
    assert sheets[0].grey[28, 40] < 30
    assert sheets[0].grey[200, 1000] > 225
    close(load_page(path, 2), sheets[1].grey)
    with pytest.raises(ImageError, match="limit"):
        load_page(path, 1, limit=1200 * 800 - 1)
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing")
    with pytest.raises(ImageError, match="PDF is damaged"):
        count_pages(tmp_path / "broken.pdf")


def test_arrays_of_every_type():
    eight = grey(picture())
    ramp = eight.astype(np.float64) / 255
    for array in (
        eight,
        eight[:, :, np.newaxis],
        np.dstack([eight] * 3),
        np.dstack([eight] * 3 + [np.full_like(eight, 255)]),
        eight.astype(np.uint16) * 257,
        eight.astype(">u2") * 257,
        ramp,
        ramp.astype(np.float32),
        np.dstack([ramp] * 3),
        np.asfortranarray(eight),
    ):
        before = array.copy()
        sheet = sheet_from_array(array)
        close(sheet, eight, 0)
        assert np.array_equal(array, before)
        assert sheet.stored_size == (120, 80)
        assert not sheet.bilevel
    close(sheet_from_array(ramp.astype(np.float16)), eight, 1)
    one_bit = sheet_from_array(eight > 200)
    close(one_bit, np.where(eight > 200, 255, 0))
    assert one_bit.bilevel


def test_array_channels_are_rgb_and_alpha():
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 255
    assert sheet_from_array(red).grey[0, 0] == 76
    clear = np.zeros((4, 4, 4), np.uint8)
    clear[:2, :, 3] = 255
    assert sheet_from_array(clear).grey[:, 0].tolist() == [0, 0, 255, 255]


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(5, np.uint8),
        np.zeros((5, 5, 2), np.uint8),
        np.zeros((0, 5), np.uint8),
        np.zeros((5, 5), np.int64),
        np.zeros((5, 5), complex),
        np.full((5, 5), 200.0),
        np.full((5, 5), np.nan),
        np.array([["a"]]),
    ],
)
def test_arrays_that_make_no_sense(array):
    with pytest.raises(UsageError):
        sheet_from_array(array)


def test_a_bool_array_of_pillow_reads_as_its_picture():
    grey = np.full((20, 30), 255, np.uint8)
    grey[5:10, 5:20] = 0
    array = np.array(Image.fromarray(grey).convert("1"))
    assert np.array_equal(sheet_from_array(array).grey, grey)
