from __future__ import annotations

import builtins
import gzip
import os
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_batch.datasets.pickles import load_pickle
from ocr_batch.errors import TrainingError

PROTOCOLS = range(6)


def write(path, content, protocol=4):
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def characters(count=12):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, 6, 6), dtype=np.uint8), np.arange(count) % 3


def text(value):
    return b"\x8c" + bytes([len(value)]) + value.encode()


def named(module, name):
    """A name by protocol 4's STACK_GLOBAL."""
    return text(module) + text(name) + b"\x93"


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("kind", ["u1", "?", "<i8", ">i4", "f4", "<f8", "f2"])
def test_arrays_come_back_from_every_protocol(tmp_path, protocol, kind):
    images, label = characters()
    images = (images > 127).astype(kind)
    stored = load_pickle(write(tmp_path / "a.pkl", (images, label), protocol))
    np.testing.assert_array_equal(stored.images, images)
    assert stored.images.dtype == images.dtype
    np.testing.assert_array_equal(stored.label, label)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "label",
    [
        np.array(list("ABC") * 4),
        np.array([b"A", b"BC", b"D"] * 4),
        np.array(["A", "é", "O"] * 4, object),
        list("ABC") * 4,
        [np.int64(4), np.int64(5), np.int64(6)] * 4,
        (1, 2, 3) * 4,
    ],
)
def test_labels_of_every_kind_come_back(tmp_path, protocol, label):
    stored = load_pickle(write(tmp_path / "a.pkl", (characters()[0], label), protocol))
    assert stored.label.tolist() == np.asarray(label).tolist()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_layouts_of_arrays_come_back(tmp_path, protocol):
    images, label = characters()
    for layout in (np.asfortranarray(images), images[::2], images.swapaxes(1, 2), images[:0]):
        stored = load_pickle(write(tmp_path / "a.pkl", (layout, label), protocol))
        np.testing.assert_array_equal(stored.images, layout)


@pytest.mark.parametrize("wrap", [tuple, list, lambda pair: dict(zip("Xy", pair, strict=True))])
def test_pairs_lists_and_dicts_are_read_compressed_or_not(tmp_path, wrap):
    images, label = characters()
    path = write(tmp_path / "a.pkl", wrap((images, label)))
    packed = tmp_path / "a.pkl.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    for each in (path, packed):
        np.testing.assert_array_equal(load_pickle(each).images, images)


def test_a_list_of_images_of_different_sizes_is_read(tmp_path):
    images = [np.ones((5, 4 + number), np.uint8) for number in range(3)]
    stored = load_pickle(write(tmp_path / "a.pkl", (images, [0, 1, 2])))
    assert [image.shape for image in stored.images] == [(5, 4), (5, 5), (5, 6)]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_code_is_refused_named_and_not_run(tmp_path, protocol):
    trace = tmp_path / "trace"
    images, label = characters()
    hidden = np.empty(2, object)
    hidden[:] = [Call(os.mkdir, str(trace)), 1]
    for content in (
        Call(os.mkdir, str(trace)),
        (images, Call(os.mkdir, str(trace))),
        (images, label, Call(os.mkdir, str(trace))),
        {"X": images, "y": label, "z": [Call(os.mkdir, str(trace))]},
        (images, hidden),
        (images, Call(builtins.eval, f"__import__('os').mkdir({str(trace)!r})")),
    ):
        path = write(tmp_path / "a.pkl", content, protocol)
        with pytest.raises(TrainingError, match=r"refuses \w+\.(mkdir|eval).*\.npz"):
            load_pickle(path)
        assert not trace.exists()
    pickle.loads(pickle.dumps(Call(os.mkdir, str(trace))))
    assert trace.exists()


FORMS = {
    "a name": ("os", "system"),
    "eval": ("builtins", "eval"),
    "Python 2's": ("__builtin__", "execfile"),
    "getattr": ("builtins", "getattr"),
    "import": ("builtins", "__import__"),
    "copyreg": ("copyreg", "_reconstructor"),
    "an extension": ("copyreg", "add_extension"),
    "NumPy's loader": ("numpy", "load"),
    "NumPy's file reader": ("numpy", "fromfile"),
    "NumPy's buffer reader": ("numpy", "frombuffer"),
    "a memory map": ("numpy", "memmap"),
    "NumPy's test runner": ("numpy.testing._private.utils", "runstring"),
    "attributes through dots": ("numpy", "os.system"),
    "dots of an admitted name": ("numpy", "dtype.type"),
    "dots of ndarray": ("numpy", "ndarray.tofile"),
    "dots of a container": ("builtins", "list.__class__"),
    "ctypes": ("numpy", "ctypeslib.load_library"),
    "a module within": ("numpy.core.multiarray", "fromfile"),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_other_names_are_refused_in_every_spelling(tmp_path, form):
    module, name = form
    path = tmp_path / "a.pkl"
    argument = text(str(tmp_path / "trace"))
    by_global = b"c" + f"{module}\n{name}\n".encode()
    for content in (
        b"\x80\x04" + named(module, name) + argument + b"\x85R.",
        b"\x80\x02" + by_global + b"X\x01\0\0\0a\x85R.",
        b"(i" + f"{module}\n{name}\n".encode() + b".",
        b"(" + by_global + b"o.",
        b"\x80\x02" + by_global + b")\x81.",
    ):
        path.write_bytes(content)
        with pytest.raises(TrainingError, match=f"refuses {module}.{name}"):
            load_pickle(path)


ARRAY = named("numpy.core.multiarray", "_reconstruct") + named("numpy", "ndarray")
ARRAY += b"K\0\x85C\x01b\x87R"
DTYPE = named("numpy", "dtype") + text("O8") + b"\x89\x88\x87R"


def tampered(state):
    return b"\x80\x04" + state + b"."


@pytest.mark.parametrize(
    "content",
    [
        # An object dtype whose flags say it holds no objects, filled with addresses as bytes.
        ARRAY
        + b"(K\x01K\x01\x85"
        + DTYPE
        + b"(K\x03"
        + text("|")
        # its state: no subarray, names, fields; sizes -1; flags 0
        + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb\x89C\x08AAAAAAAAtb",
        # Fields at offsets outside.
        named("numpy", "dtype") + text("V8") + b"\x89\x88\x87R",
        named("numpy", "dtype") + text("u1,O") + b"\x85R",
        named("numpy", "dtype") + b"]" + text("a") + text("O") + b"\x86a\x85R",
        # More values than bytes.
        ARRAY
        + b"(K\x01M\xff\xff\x85"
        + named("numpy", "dtype")
        + text("u1")
        + b"\x85R\x89C\x01Atb",
        # Setting attributes on what is admitted, and making arrays otherwise.
        named("numpy", "dtype") + b"}" + text("_function") + text("x") + b"sb",
        named("numpy", "dtype") + b"N}" + text("_function") + text("x") + b"s\x86b",
        named("numpy", "ndarray") + b"K\x01\x85R",
        named("_codecs", "encode") + text("a") + text("rot13") + b"\x86R",
        named("numpy.core.numeric", "_frombuffer")
        + b"C\x01A"
        + DTYPE
        + b"K\x01\x85"
        + text("C")
        + b"tR",
        b"\x82\x01",
        b"Pan id\n",
    ],
)
def test_forged_states_are_refused(tmp_path, content):
    path = tmp_path / "a.pkl"
    path.write_bytes(tampered(content))
    with pytest.raises(TrainingError):
        load_pickle(path)


def test_what_is_admitted_stays_as_it_was_after_an_attack(tmp_path):
    path = tmp_path / "a.pkl"
    path.write_bytes(tampered(named("numpy", "dtype") + b"N}" + text("_name") + b"Ns\x86b"))
    with pytest.raises(TrainingError, match=r"refuses an attempt to change numpy\.dtype"):
        load_pickle(path)
    images, label = characters()
    np.testing.assert_array_equal(load_pickle(write(path, (images, label))).images, images)


@pytest.mark.parametrize(
    "content",
    [5, None, "X", (1, 2), np.zeros((3, 4, 4)), (np.zeros((3, 4, 4)),), {"X": 1, "Z": 2}, {}, ()],
)
def test_another_structure_is_said(tmp_path, content):
    with pytest.raises(TrainingError, match=r"X|arrays"):
        load_pickle(write(tmp_path / "a.pkl", content))


@pytest.mark.parametrize("compressed", [False, True])
@settings(deadline=None, max_examples=30)
@given(share=st.floats(0, 0.999))
def test_a_truncated_file_is_said(tmp_path_factory, compressed, share):
    path = write(tmp_path_factory.mktemp("cut") / "a.pkl", characters())
    content = path.read_bytes()
    content = gzip.compress(content) if compressed else content
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(TrainingError, match="damaged"):
        load_pickle(path)


@settings(deadline=None, max_examples=200)
@given(place=st.integers(0, 2000), value=st.integers(0, 255))
def test_a_changed_byte_never_ends_in_another_error(tmp_path_factory, place, value):
    path = tmp_path_factory.getbasetemp() / "changed.pkl"
    content = bytearray(pickle.dumps(characters(), protocol=2))
    content[place % len(content)] = value
    path.write_bytes(content)
    try:
        load_pickle(path)
    except TrainingError as error:
        assert str(path) in str(error)


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(TrainingError, match="can not be read"):
        load_pickle(tmp_path / "none.pkl")
