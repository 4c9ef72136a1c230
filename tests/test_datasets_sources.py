from __future__ import annotations

import gzip
import pickle
import struct

import cv2
import numpy as np
import pytest

from ocr_batch.datasets.augmentation import NO_AUGMENTATION, Augmentation
from ocr_batch.datasets.crops import CropSet, write_shard
from ocr_batch.datasets.glyphs import Glyphs, GlyphSet, fit_set, join_glyphs, thin_classes
from ocr_batch.datasets.sources import is_crops, official_test, parse_classes, read_glyphs
from ocr_batch.errors import TrainingError, UsageError
from ocr_batch.recognition.bundle import LINE_RELATIVE, tight


def drawn(label, size=20, seed=0):
    """Draw bars of as many pixels as the label says, ink 255 on 0."""
    rng = np.random.default_rng(seed)
    images = np.zeros((len(label), size, size), np.uint8)
    for image, value in zip(images, label, strict=True):
        left = rng.integers(3, size - 5)
        image[3 : 6 + value, left : left + 2] = 255
    return images


LABEL = np.arange(30) % 5
IMAGES = drawn(LABEL)


def npz(path, **arrays):
    np.savez(path, **arrays)
    return path


def idx(path, array, code=0x08):
    head = bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    content = head + array.tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def pair(folder, name, images=IMAGES, label=LABEL, suffix=""):
    idx(folder / f"{name}-labels-idx1-ubyte{suffix}", label.astype(np.uint8))
    return idx(folder / f"{name}-images-idx3-ubyte{suffix}", images)


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        (IMAGES, "values 0..255, light on dark"),
        (255 - IMAGES, "dark on light, turned round"),
        (IMAGES > 0, "values true/false"),
        (IMAGES // 255, "values 0/1"),
        ((IMAGES / 255).astype(np.float32), "values 0/1"),
        (IMAGES / 255 * 0.8, "values 0..1"),
        (1 - IMAGES / 255, "dark on light"),
        (IMAGES.astype(np.float64), "values 0..255"),
        (IMAGES.astype(np.int64), "values 0..255"),
        (IMAGES[..., None], "30 images of 20x20"),
        (IMAGES[:, None], "30 images of 20x20"),
        (IMAGES.reshape(30, 400), "from rows of 400 values"),
    ],
)
def test_scale_polarity_and_shape_are_recognised_and_said(tmp_path, stored, said):
    glyphs = read_glyphs([npz(tmp_path / "a.npz", X=stored, y=LABEL)])
    assert any(said in note for note in glyphs.notes), glyphs.notes
    expected = IMAGES // 255 * 204 if "values 0..1" in said else IMAGES
    np.testing.assert_array_equal(glyphs.images, expected)
    np.testing.assert_array_equal(glyphs.label, LABEL)


@pytest.mark.parametrize(
    ("stored", "names"),
    [
        (LABEL, "01234"),
        (LABEL[:, None].astype(np.uint8), "01234"),
        (LABEL.astype(np.float64), "01234"),
        (np.eye(5)[LABEL], "01234"),
        (np.eye(5, dtype=bool)[LABEL], "01234"),
        (np.array(list("ABCDE"))[LABEL], "ABCDE"),
        (np.array([b"A", b"B", b"C", b"D", b"E"])[LABEL], "ABCDE"),
    ],
)
def test_labels_of_every_kind_are_recognised(tmp_path, stored, names):
    glyphs = read_glyphs([npz(tmp_path / "a.npz", images=IMAGES, labels=stored)])
    assert glyphs.classes == tuple(names)
    np.testing.assert_array_equal(glyphs.label, LABEL)


def test_class_names_can_be_given(tmp_path):
    numbers = npz(tmp_path / "numbers.npz", X=IMAGES, y=LABEL)
    names = npz(tmp_path / "names.npz", X=IMAGES, y=np.array(list("VWXYZ"))[LABEL])
    glyphs = read_glyphs([numbers, names], "VWXYZ")
    assert glyphs.classes == tuple("VWXYZ")
    np.testing.assert_array_equal(glyphs.label, np.r_[LABEL, LABEL])
    backwards = read_glyphs([names], "ZYXWV")
    np.testing.assert_array_equal(backwards.label, 4 - LABEL)
    from_one = read_glyphs([npz(tmp_path / "one.npz", X=IMAGES, y=LABEL + 1)], "VWXYZ")
    np.testing.assert_array_equal(from_one.label, LABEL)
    assert any("counted from 1" in note for note in from_one.notes)


def with_value(value):
    images = IMAGES.astype(np.float64)
    images[7, 3, 3] = value
    return images


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"X": with_value(np.nan)}, "not finite"),
        ({"X": with_value(np.inf)}, "not finite"),
        ({"X": with_value(-1.0)}, "from -1 to 255"),
        ({"X": IMAGES.astype(int) * 2}, "from 0 to 510"),
        ({"X": IMAGES // 16}, "scale that is not known"),
        ({"X": IMAGES * 0}, "blank"),
        ({"X": IMAGES.astype("U3")}, "store them as numbers"),
        ({"X": np.zeros((30, 399))}, "no square"),
        ({"X": np.zeros((30, 20, 20, 2))}, "shape"),
        ({"X": np.zeros((30, 2, 200))}, "200x2 pixels"),
        ({"X": IMAGES[:0], "y": LABEL[:0]}, "no image"),
        ({"X": IMAGES[:29]}, "29 images but 30 labels"),
        ({"y": LABEL - 1}, "a label is -1"),
        ({"y": LABEL + 0.5}, "whole numbers"),
        ({"y": np.where(LABEL == 2, np.nan, LABEL)}, "whole numbers"),
        ({"y": LABEL * 10_000}, "more classes"),
        ({"y": LABEL + 60}, "from 60 to 64"),
        ({"y": LABEL.reshape(2, 15)}, "30"),
        ({"y": np.ones((30, 5))}, "not one-hot"),
        ({"y": np.zeros((30, 5, 1))}, "shape"),
        ({"y": np.full(30, "A")}, "one class, 'A'"),
        ({"y": LABEL * 0}, "one class"),
        ({"y": np.array(["A", ""] * 15)}, "empty label"),
        ({"y": LABEL.astype(object)}, "array of objects"),
        ({"y": LABEL.astype(complex)}, "complex"),
        ({"X": None}, "arrays X and y"),
    ],
)
def test_bad_data_is_refused_and_said(tmp_path, arrays, message):
    arrays = {"X": IMAGES, "y": LABEL, **arrays}
    kept = {name: array for name, array in arrays.items() if array is not None}
    with pytest.raises(TrainingError, match=message):
        read_glyphs([npz(tmp_path / "a.npz", **kept)])


def test_more_labels_than_names_and_unlisted_names_are_refused(tmp_path):
    numbers = npz(tmp_path / "numbers.npz", X=IMAGES, y=LABEL)
    names = npz(tmp_path / "names.npz", X=IMAGES, y=np.array(list("VWXYZ"))[LABEL])
    with pytest.raises(TrainingError, match="go up to 4, but only 3"):
        read_glyphs([numbers], "ABC")
    with pytest.raises(TrainingError, match="not listed: Y, Z"):
        read_glyphs([names], "VWX")


def test_numbered_and_named_sources_are_not_mixed_up(tmp_path):
    many = np.arange(36)
    numbers = npz(tmp_path / "numbers.npz", X=drawn(many % 5), y=many)
    names = npz(tmp_path / "names.npz", X=IMAGES, y=np.array(list("VWXYZ"))[LABEL])
    with pytest.raises(TrainingError, match="--classes"):
        read_glyphs([numbers, names])
    assert len(read_glyphs([numbers, names], parse_classes("0-9A-Z"))) == 66


def test_rare_classes_are_named(tmp_path):
    label = np.array([0, 0, 2, 2, 3])
    path = npz(tmp_path / "a.npz", X=drawn(label), y=label)
    notes = read_glyphs([path], "ABCD").notes
    assert "warning: no sample of the class 'B'" in notes
    assert "warning: a single sample of the class 'D'" in notes


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.float16])
def test_numbers_a_hair_outside_the_scale_are_clipped(tmp_path, kind):
    values = (IMAGES / 255).astype(kind)
    values[0, 4, 4], values[1, 0, 0] = 1.01, -0.004
    glyphs = read_glyphs([npz(tmp_path / "a.npz", X=values, y=LABEL)])
    expected = IMAGES.copy()
    expected[0, 4, 4] = 255
    np.testing.assert_array_equal(glyphs.images, expected)
    values[0, 4, 4] = 1.05
    with pytest.raises(TrainingError, match="scale that is not known"):
        read_glyphs([npz(tmp_path / "a.npz", X=values, y=LABEL)])
    grey = IMAGES.astype(np.float32)
    grey[0, 0, 0], grey[1, 0, 0] = 255.3, -0.3
    glyphs = read_glyphs([npz(tmp_path / "b.npz", X=grey, y=LABEL)])
    assert glyphs.images.max() == 255 and glyphs.images[1, 0, 0] == 0


def mixed_case():
    """Return the classes 0-2, A-C and a-c of 36 images, as numbers and as names."""
    number = np.arange(36) % 9
    return number, np.array(list("012ABCabc"))[number]


@pytest.mark.parametrize("how", ["names", "bytes", "objects", "numbers", "from one", "one-hot"])
@pytest.mark.parametrize("folded", [False, True])
def test_case_is_folded_whatever_the_labels_are(tmp_path, how, folded):
    number, name = mixed_case()
    label = {
        "names": name,
        "bytes": np.char.encode(name),
        "objects": name.astype(object),
        "numbers": number,
        "from one": number + 1,
        "one-hot": np.eye(9)[number],
    }[how]
    is_named = how in ("names", "bytes", "objects")
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps((drawn(number), label)))
    # Names after folding do for data that names its classes; numbers index all of them.
    classes = "012ABC" if folded and is_named else "012ABCabc"
    glyphs = read_glyphs([path], classes, fold_case=True)
    assert glyphs.classes == tuple("012ABC")
    np.testing.assert_array_equal(glyphs.label, np.where(number < 6, number, number - 3))
    if is_named:
        assert read_glyphs([path], fold_case=True).classes == tuple("012ABC")
        assert read_glyphs([path], "C2B1A0", fold_case=True).classes == tuple("C2B1A0")


def test_case_is_folded_over_several_sources(tmp_path):
    number, name = mixed_case()
    numbers = npz(tmp_path / "numbers.npz", X=drawn(number), y=number)
    names = npz(tmp_path / "names.npz", X=drawn(number), y=name)
    small = npz(tmp_path / "small.npz", X=drawn(number[:6]), y=np.array(list("cba") * 2))
    glyphs = read_glyphs([numbers, names, small], "abc012ABC"[::-1], fold_case=True)
    assert glyphs.classes == tuple("CBA210")
    assert [glyphs.classes[index] for index in glyphs.label[36:72]] == [
        str(one).upper() for one in name
    ]
    assert [glyphs.classes[index] for index in glyphs.label[72:]] == list("CBACBA")
    with pytest.raises(TrainingError, match="not listed: C"):
        read_glyphs([names], "012AB", fold_case=True)


def test_letters_without_a_capital_stay(tmp_path):
    path = npz(tmp_path / "a.npz", X=IMAGES[:6], y=np.array(["ß", "é", "7"] * 2))
    assert read_glyphs([path], fold_case=True).classes == ("7", "É", "ß")


def test_one_class_does_where_nothing_is_trained(tmp_path):
    path = npz(tmp_path / "a.npz", X=IMAGES[:6], y=np.full(6, "A"))
    assert read_glyphs([path], least_classes=1).classes == ("A",)
    assert len(read_glyphs([path], "AB", least_classes=1)) == 6
    with pytest.raises(TrainingError, match="one class, 'A'"):
        read_glyphs([path], "AB")


def test_thin_classes_are_named_in_order():
    assert thin_classes(np.array([0, 0, 1, 1]), "AB") == []
    assert thin_classes(np.array([0, 2]), "ABCD") == [
        "warning: no sample of the classes 'B', 'D'",
        "warning: a single sample of the classes 'A', 'C'",
    ]
    (many,) = thin_classes(np.zeros(3, int), [str(number) for number in range(50)])
    assert many.endswith("'40' and 9 more")


@pytest.mark.parametrize("content", ["array", "pickle", "text"])
def test_what_is_called_npz_but_is_none_is_refused(tmp_path, content):
    path = tmp_path / "a.npz"
    if content == "array":
        with path.open("wb") as file:
            np.save(file, IMAGES)
    else:
        path.write_bytes(pickle.dumps((IMAGES, LABEL)) if content == "pickle" else b"no data")
    with pytest.raises(TrainingError, match=r"a\.npz.*(single array|no such archive)"):
        read_glyphs([path])


def test_mixed_polarity_is_warned_of(tmp_path):
    mixed = np.where((np.arange(30) < 6)[:, None, None], 255 - IMAGES, IMAGES)
    notes = read_glyphs([npz(tmp_path / "a.npz", X=mixed, y=LABEL)]).notes
    assert any(note.startswith("warning") and "20%" in note for note in notes)


def test_a_pickle_is_read_like_the_rest(tmp_path):
    path = tmp_path / "data.pickle"
    path.write_bytes(pickle.dumps((IMAGES.reshape(30, -1) / 255, LABEL[:, None])))
    glyphs = read_glyphs([path])
    np.testing.assert_array_equal(glyphs.images, IMAGES)
    assert any("rows of 400" in note for note in glyphs.notes)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_files_and_their_test_part(tmp_path, suffix):
    train = pair(tmp_path, "train", suffix=suffix)
    test = pair(tmp_path, "t10k", IMAGES[:10], LABEL[:10], suffix)
    for source in (train, tmp_path):
        glyphs = read_glyphs([source])
        np.testing.assert_array_equal(glyphs.images, IMAGES)
        np.testing.assert_array_equal(glyphs.label, LABEL)
        assert official_test(source) == test
    assert len(read_glyphs([test])) == 10
    assert official_test(test) is None


def test_emnist_is_turned_and_named(tmp_path):
    train = pair(tmp_path, "emnist-letters-train", IMAGES.swapaxes(1, 2), LABEL + 1)
    test = pair(tmp_path, "emnist-letters-test", IMAGES.swapaxes(1, 2), LABEL + 1)
    glyphs = read_glyphs([tmp_path])
    np.testing.assert_array_equal(glyphs.images, IMAGES)
    assert any("rows and columns" in note for note in glyphs.notes)
    assert official_test(tmp_path) == test
    rows = "".join(f"{number + 1} {65 + number} {97 + number}\n" for number in range(5))
    (tmp_path / "emnist-letters-mapping.txt").write_text(rows)
    assert read_glyphs([train]).classes == tuple("ABCDE")
    pair(tmp_path, "emnist-digits-train")
    with pytest.raises(TrainingError, match="several sets"):
        read_glyphs([tmp_path])


@pytest.mark.parametrize("code", [0x09, 0x0B, 0x0C, 0x0D, 0x0E])
def test_idx_files_of_other_types(tmp_path, code):
    kind = {0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}[code]
    idx(tmp_path / "my-labels", LABEL.astype(np.uint8))
    path = idx(tmp_path / "my-images", (IMAGES // 255).astype(kind), code)
    np.testing.assert_array_equal(read_glyphs([path]).images, IMAGES)


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("left", [10, 100, -3])
def test_truncated_idx_files_are_refused(tmp_path, suffix, left):
    path = pair(tmp_path, "train", suffix=suffix)
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(TrainingError, match=r"cut short|damaged"):
        read_glyphs([path])


def test_idx_files_without_partner_are_refused(tmp_path):
    path = pair(tmp_path, "train")
    labels = tmp_path / "train-labels-idx1-ubyte"
    with pytest.raises(TrainingError, match="file of images"):
        read_glyphs([labels])
    labels.unlink()
    with pytest.raises(TrainingError, match="train-labels-idx1-ubyte"):
        read_glyphs([path])


def test_truncated_and_empty_files_are_refused(tmp_path):
    path = npz(tmp_path / "a.npz", X=IMAGES, y=LABEL)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(TrainingError, match="damaged"):
        read_glyphs([path])
    path.write_bytes(b"")
    with pytest.raises(TrainingError, match="empty"):
        read_glyphs([path])
    with pytest.raises(TrainingError, match="there is no"):
        read_glyphs([tmp_path / "none.npz"])
    (tmp_path / "a.txt").write_text("hello")
    with pytest.raises(TrainingError, match="unknown kind"):
        read_glyphs([tmp_path / "a.txt"])


def scans(folder):
    """Write images of two classes, dark on grey paper, of different sizes and formats."""
    for name, width in (("A", 2), ("é", 9)):
        (folder / name).mkdir()
        for number, suffix in enumerate(("png", "jpg", "bmp", "tiff", "webp", "pgm")):
            image = np.full((30 + number, 24), 190, np.uint8)
            image[6:20, 6 : 6 + width] = 20
            _, content = cv2.imencode(f".{suffix}", image)
            (folder / name / f"{number}.{suffix}").write_bytes(content.tobytes())
    return folder


def test_a_folder_a_class(tmp_path):
    folder = scans(tmp_path)
    (folder / "A" / ".hidden.png").write_bytes(b"x")
    (folder / "A" / "Thumbs.db").write_bytes(b"x")
    (folder / "empty").mkdir()
    glyphs = read_glyphs([folder])
    assert glyphs.classes == ("A", "é")
    np.testing.assert_array_equal(np.bincount(glyphs.label), [6, 6])
    assert any("turned round" in note for note in glyphs.notes)
    assert any(note.startswith("warning") and "empty" in note for note in glyphs.notes)
    for image in glyphs.images:
        assert image.shape[0] >= 30 and image[0, 0] < 20 and image.max() > 230
    fitted = fit_set(glyphs, tight(28, 20))
    assert fitted.images.shape == (12, 28, 28)


def test_unreadable_images_are_named(tmp_path):
    folder = scans(tmp_path)
    (folder / "A" / "bad.png").write_bytes(b"no image")
    with pytest.raises(TrainingError, match=r"1 of 13 images .*bad\.png"):
        read_glyphs([folder])


def test_a_folder_of_nothing_is_refused(tmp_path):
    with pytest.raises(TrainingError, match="named after their classes"):
        read_glyphs([tmp_path])


def test_a_table_of_images(tmp_path):
    folder = scans(tmp_path)
    table = tmp_path / "list.csv"
    rows = ["\ufeffImage,label,by", "A/0.png,x,me", "", 'é/1.jpg,",",me', "A/2.bmp,x,me"]
    table.write_text("\r\n".join(rows), "utf-8")
    glyphs = read_glyphs([table])
    assert glyphs.classes == (",", "x")
    np.testing.assert_array_equal(glyphs.label, [1, 0, 1])
    assert len(read_glyphs([folder, table])) == 15


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("path,class\na,b\n", "columns image and label"),
        ("", "empty"),
        ("image,label\n", "lists no images"),
        ("image,label\nA/0.png\n", "line 2"),
        ("image,label\nA/0.png,\n", "line 2"),
        ("image,label\nnone.png,A\n", r"none\.png"),
        ('image,label\n"A/0.png,A\n', "not a CSV"),
    ],
)
def test_a_bad_table_is_refused(tmp_path, content, message):
    path = scans(tmp_path) / "list.csv"
    path.write_text(content)
    with pytest.raises(TrainingError, match=message):
        read_glyphs([path])


def test_crops_of_lines_are_told_apart(tmp_path):
    crops = CropSet(
        np.zeros((2, 56, 56), np.uint8),
        np.zeros((2, 8), np.float16),
        np.zeros(2, np.int16),
        np.zeros(2, np.int16),
    )
    write_shard(tmp_path / "crops" / "shard.npz", crops)
    other = npz(tmp_path / "a.npz", X=IMAGES, y=LABEL)
    assert is_crops(tmp_path / "crops") and is_crops(tmp_path / "crops" / "shard.npz")
    assert not is_crops(tmp_path) and not is_crops(other) and not is_crops(tmp_path / "none")
    with pytest.raises(TrainingError, match="of these classes"):
        read_glyphs([tmp_path / "crops"])


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("0-9A-F", "0123456789ABCDEF"),
        ("abc", "abc"),
        ("a,b,c", "abc"),
        ("-+a-c", "-+abc"),
        ("A-", "A-"),
        ("+,", "+,"),
    ],
)
def test_class_names_are_read_from_text(text, names):
    assert parse_classes(text) == tuple(names)


def test_class_names_are_read_from_a_list_or_file(tmp_path):
    assert parse_classes("one,two") == ("one", "two")
    path = tmp_path / "classes.txt"
    path.write_text("A\n,\nfi\n\n", "utf-8")
    assert parse_classes(str(path)) == ("A", ",", "fi")


@pytest.mark.parametrize("text", ["", "A", "ABA", "a,,b", "a,b,a"])
def test_unusable_class_names_are_refused(text):
    with pytest.raises(UsageError, match="classes"):
        parse_classes(text)


def test_joining_matches_classes_by_name():
    one = Glyphs(IMAGES[:2], np.array([0, 1]), ("A", "B"), ("one",))
    other = Glyphs(IMAGES[2:4], np.array([0, 1]), ("B", "C"), ("other",))
    joined = join_glyphs([one, other])
    assert (joined.classes, joined.notes) == (("A", "B", "C"), ("one", "other"))
    np.testing.assert_array_equal(joined.label, [0, 1, 1, 2])
    np.testing.assert_array_equal(joined.images, IMAGES[:4])
    smaller = Glyphs([np.zeros((9, 9), np.uint8)], np.array([0]), ("C",))
    np.testing.assert_array_equal(join_glyphs([one, smaller], "CBA").label, [2, 1, 0])
    with pytest.raises(TrainingError, match="not listed: C"):
        join_glyphs([one, other], "AB")
    with pytest.raises(TrainingError, match="at least one source"):
        join_glyphs([])


def test_a_set_gives_inputs_variations_and_a_part():
    data = GlyphSet(IMAGES, LABEL)
    rows = np.array([3, 1])
    np.testing.assert_array_equal(data.inputs(rows)["image"], IMAGES[rows][..., None])
    rng = np.random.default_rng(0)
    plain = data.varied(rows, NO_AUGMENTATION, rng)["image"]
    np.testing.assert_array_equal(plain, data.inputs(rows)["image"])
    varied = data.varied(rows, Augmentation(rotation=10.0, zoom=0.1), rng)["image"]
    assert varied.shape == (2, 20, 20, 1) and varied.dtype == np.uint8
    assert not np.array_equal(varied, plain)
    part = data.take(7, seed=1)
    assert len(part) == 7
    np.testing.assert_array_equal(part.label, data.take(7, seed=1).label)
    assert data.take(100) is data


def test_isolated_characters_do_not_fit_the_page_readers_contract():
    glyphs = Glyphs(IMAGES, LABEL, tuple("ABCDE"))
    assert fit_set(glyphs, tight(20, 14)).images is IMAGES
    with pytest.raises(TrainingError, match="cut from lines"):
        fit_set(glyphs, LINE_RELATIVE)
