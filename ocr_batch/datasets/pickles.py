"""Read the reference's pickle ``(X, y)`` without running anything that it holds.

Unpickling calls whatever a file names. Here a file can name only a few stand-ins of our own,
which understand how NumPy writes plain arrays; not even NumPy's own restoring functions are
called, because a forged state handed to them can corrupt memory.
"""

from __future__ import annotations

import math
import pickle
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ocr_batch.datasets.opening import DAMAGE, open_data
from ocr_batch.datasets.stored import Stored
from ocr_batch.errors import TrainingError

__all__ = ["load_pickle", "load_pickle_images"]

#: Bool, integers, floats, bytes, strings and objects, as NumPy abbreviates them.
_PLAIN = re.compile(r"(b1|[iu][1248]|f[248]|S[0-9]{1,4}|U[0-9]{1,4}|O8?)")
_DEEPEST = 8


class _RefusedError(Exception):
    """The pickle wants something that arrays of numbers do not need."""


class _Allowed:
    """One of our functions under the name that pickles know it by; nothing can be set on it."""

    __slots__ = ("_function", "_name")
    _function: Callable[..., Any]
    _name: str

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        object.__setattr__(self, "_name", name)
        object.__setattr__(self, "_function", function)

    def __call__(self, *arguments: Any) -> Any:
        try:
            return self._function(*arguments)
        except (TypeError, ValueError) as error:
            raise _RefusedError(f"a strange use of {self._name} ({error})") from None

    def __setattr__(self, name: str, value: object) -> None:
        raise _RefusedError(f"an attempt to change {self._name}")

    def __setstate__(self, state: object) -> None:
        raise _RefusedError(f"an attempt to change {self._name}")


class _Kind:
    """Stands for a dtype of plain values."""

    __slots__ = ("_code", "_order")

    def __init__(self, code: str) -> None:
        self._code, self._order = code, "="

    def __setstate__(self, state: Any) -> None:
        # (version, byte order, subarray, names, fields, size, alignment, flags[, metadata]):
        # all but the byte order is known from the code.
        if not isinstance(state, tuple) or len(state) < 5 or state[1] not in tuple("|<>="):
            raise _RefusedError("a dtype of unknown make")
        if any(part is not None for part in state[2:5]):
            raise _RefusedError("a dtype with fields")
        self._order = state[1]

    @property
    def is_object(self) -> bool:
        return self._code[0] == "O"

    def dtype(self) -> np.dtype[Any]:
        if self._code[0] in "OSb" or self._order == "|":
            return np.dtype(self._code)
        return np.dtype(self._order + self._code)


class _Array:
    """Stands for an array until its state has come."""

    __slots__ = ("_value",)

    def __init__(self) -> None:
        self._value: NDArray[Any] | None = None

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise _RefusedError("an array of unknown make")
        _, shape, kind, fortran, raw = state
        self._value = _filled(raw, kind, shape, "F" if fortran is True else "C")

    def turn(self, axes: Any) -> None:
        self._value = self.value().transpose(axes)

    def value(self) -> NDArray[Any]:
        if self._value is None:
            raise _RefusedError("an array without its values")
        return self._value


def _filled(raw: Any, kind: Any, shape: Any, order: str) -> NDArray[Any]:
    """Build an array from bytes, or from a list of objects."""
    if not isinstance(kind, _Kind):
        raise _RefusedError("an array without a plain dtype")
    if not isinstance(shape, tuple) or not all(type(side) is int and side >= 0 for side in shape):
        raise _RefusedError("an array of impossible shape")
    if isinstance(raw, str):
        # Python 2 wrote bytes as strings.
        raw = raw.encode("latin-1")
    count = math.prod(shape)
    if kind.is_object:
        if not isinstance(raw, list) or len(raw) != count:
            raise _RefusedError("an array of objects that are not there")
        values = np.empty(count, object)
        for place, value in enumerate(raw):
            values[place] = _plain(value)
    else:
        dtype = kind.dtype()
        if (
            not isinstance(raw, bytes | bytearray)
            or len(raw) != count * dtype.itemsize
            or not dtype.itemsize
        ):
            raise _RefusedError("an array whose values do not fill its shape")
        values = np.frombuffer(raw, dtype)
    return values.reshape(shape, order="F" if order == "F" else "C")


def _make_kind(code: Any, align: object = False, copy: object = False) -> _Kind:
    if isinstance(code, bytes):
        code = code.decode("ascii")
    if not isinstance(code, str) or not _PLAIN.fullmatch(code):
        raise _RefusedError(f"a dtype other than of plain numbers and strings ({code!r:.40})")
    return _Kind(code)


def _reconstruct(array_type: object, shape: object, code: object) -> _Array:
    if array_type is not _NDARRAY:
        raise _RefusedError("an array of a class of its own")
    return _Array()


def _from_buffer(
    raw: object, kind: object, shape: object, order: object = "C", axes: object = None
) -> _Array:
    # Protocol 5. NumPy 2 writes arrays whose axes are exchanged as order K and the axes.
    is_turned = order == "K" and isinstance(axes, tuple)
    if not is_turned and (order not in ("C", "F") or axes is not None):
        raise _RefusedError("an array in an unknown order")
    array = _Array()
    array.__setstate__((1, shape, kind, order == "F", raw))
    if is_turned:
        array.turn(axes)
    return array


def _scalar(kind: object, raw: object = None) -> Any:
    if isinstance(kind, _Kind) and kind.is_object:
        raise _RefusedError("a scalar object")
    return _filled(raw, kind, (), "C").item()


def _encode(text: str, encoding: str = "latin1") -> bytes:
    # How protocols 0 to 2 write bytes.
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise _RefusedError("a text codec")
    return text.encode("latin-1")


def _no_array(*arguments: object) -> Any:
    raise _RefusedError("an array made in an unknown way")


_NDARRAY = _Allowed("numpy.ndarray", _no_array)
_ENCODE = _Allowed("_codecs.encode", _encode)


def _admitted() -> dict[tuple[str, str], _Allowed]:
    result = {
        ("numpy", "ndarray"): _NDARRAY,
        ("numpy", "dtype"): _Allowed("numpy.dtype", _make_kind),
        ("_codecs", "encode"): _ENCODE,
    }
    inner: dict[tuple[str, str], Callable[..., Any]] = {
        ("multiarray", "_reconstruct"): _reconstruct,
        ("multiarray", "scalar"): _scalar,
        ("numeric", "_frombuffer"): _from_buffer,
    }
    for (module, name), function in inner.items():
        for core in ("numpy.core", "numpy._core"):
            full = f"{core}.{module}"
            result[full, name] = _Allowed(f"{full}.{name}", function)
    containers: tuple[Callable[..., Any], ...] = (list, tuple, dict)
    for kind in containers:
        for module in ("builtins", "__builtin__"):
            result[module, kind.__name__] = _Allowed(kind.__name__, kind)
    for name in ("bytes", "bytearray"):
        # Protocols 0 to 2 write empty bytes as a call without arguments.
        for module in ("builtins", "__builtin__"):
            result[module, name] = _Allowed(name, lambda: b"")
    return result


_ADMITTED = _admitted()


class _ArrayUnpickler(pickle.Unpickler):
    """Admits arrays of plain values, and refuses every other name."""

    def find_class(self, module: str, name: str) -> Any:
        allowed = _ADMITTED.get((module, name))
        if allowed is None:
            raise _RefusedError(f"{module}.{name}")
        return allowed

    def persistent_load(self, pid: Any) -> Any:
        raise _RefusedError("a reference to something outside it")


def _plain(value: Any) -> Any:
    return value.value() if isinstance(value, _Array) else value


def _read(file: BinaryIO, path: Path) -> Any:
    try:
        content = _ArrayUnpickler(file, encoding="latin1").load()
        # Only at the end is gzip's checksum looked at.
        file.read(1)
        return content
    except _RefusedError as error:
        raise TrainingError(
            f"{path}: refuses {error}: only arrays of numbers and strings are read from a pickle, "
            "because anything else could run code; save X and y as .npz instead"
        ) from None
    except (*DAMAGE, OSError):
        raise
    except MemoryError:
        raise TrainingError(f"{path}: there is not enough memory to read it") from None
    # A damaged pickle meets errors of every kind: UnpicklingError, IndexError, UnicodeError ...
    except Exception as error:
        raise TrainingError(
            f"{path} is no pickle, or damaged or cut short ({error}); copy it again, or save X "
            "and y as .npz instead"
        ) from error


def _content(path: Path) -> Any:
    """Return what the file holds; an array of two objects as a list."""
    with open_data(path) as file:
        content = _read(file, path)
    if isinstance(content, _Array) and content.value().shape == (2,):
        return list(content.value())
    return content


def load_pickle_images(path: Path) -> Any:
    """Read X from a pickle as of `load_pickle`, or of X alone; labels are not looked at.

    Returns
    -------
    array, or sequence of arrays

    Raises
    ------
    TrainingError
        If the file can not be read, or names or holds anything but plain arrays.
    """
    content = _content(path)
    if isinstance(content, dict):
        keys = {str(key).lower(): key for key in content}
        if "x" not in keys:
            raise TrainingError(f"{path} holds a dict without the key X; save the images as X")
        content = content[keys["x"]]
    elif isinstance(content, tuple | list) and len(content) == 2 and _is_pair(content):
        content = content[0]
    try:
        return _listed(content, 0)
    except _RefusedError as error:
        raise TrainingError(f"{path}: {error}; save the images as an array") from None


def _is_pair(content: Sequence[Any]) -> bool:
    """Tell (X, y) from a list of two images: y has one dimension, or one row an image."""
    images, label = map(_plain, content)
    both = isinstance(images, np.ndarray) and isinstance(label, np.ndarray)
    return not both or images.ndim != 2 or label.ndim != 2 or len(images) == len(label)


def load_pickle(path: Path) -> Stored:
    """Read a pickled pair ``(X, y)``, list of two, or dict with keys X and y; gzip too.

    Raises
    ------
    TrainingError
        If the file can not be read, names anything but plain arrays (which is then said, and not
        run), or holds something else than a pair.
    """
    content = _content(path)
    if isinstance(content, dict):
        keys = {str(key).lower(): key for key in content}
        if not {"x", "y"} <= set(keys):
            raise TrainingError(f"{path} holds a dict without the keys X and y; save (X, y)")
        content = (content[keys["x"]], content[keys["y"]])
    if not isinstance(content, tuple | list) or len(content) != 2:
        raise TrainingError(f"{path} does not hold a pair (X, y); save the images and their labels")
    try:
        images, label = (_listed(part, 0) for part in content)
    except _RefusedError as error:
        raise TrainingError(f"{path}: {error}; save (X, y) as arrays") from None
    return Stored(images, _as_labels(label, path))


def _listed(value: Any, depth: int) -> Any:
    """Return an array as it is, and lists of arrays or numbers as arrays or lists of arrays."""
    value = _plain(value)
    if isinstance(value, np.ndarray):
        return np.atleast_1d(value)
    if not isinstance(value, tuple | list) or depth > _DEEPEST:
        raise _RefusedError("it holds something else than arrays")
    parts = [_plain(part) for part in value]
    if parts and all(isinstance(part, bool | int | float | str | bytes) for part in parts):
        return np.array(parts) if len({type(part) for part in parts}) == 1 else _objects(parts)
    return [np.asarray(_listed(part, depth + 1)) for part in parts]


def _objects(parts: list[Any]) -> NDArray[Any]:
    result = np.empty(len(parts), object)
    result[:] = parts
    return result


def _as_labels(label: Any, path: Path) -> NDArray[Any]:
    if isinstance(label, np.ndarray):
        return label
    if len({part.shape for part in label}) > 1:
        raise TrainingError(f"{path}: its labels differ in shape; give one label an image")
    return np.array(label)
