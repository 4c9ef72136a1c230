"""Tell whether Keras can use a GPU: at once where there is none, by trying where there may be."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from ctypes.util import find_library
from importlib.util import find_spec
from pathlib import Path

__all__ = [
    "gpu_is_usable",
    "is_out_of_memory",
    "make_repeatable",
    "name_of_device",
    "share_gpu",
    "shows_gpu",
]

#: What Keras needs beside itself to use a GPU: a package, or a library of the system.
_NEEDS = {
    "tensorflow": (("nvidia.cudnn",), ("cudnn",)),
    "jax": (("jax_cuda13_plugin", "jax_cuda12_plugin"), ()),
    "torch": (("torch",), ()),
}
#: Starting Keras and its GPU may take so long, in seconds.
_PROBE_SECONDS = 120.0
_PROBE = (
    "import sys; sys.path[:] = {path!r}; "
    "from ocr_batch.recognition.devices import name_of_device; sys.exit(not name_of_device())"
)
#: JAX takes most of a GPU's memory at once unless it is told not to.
_JAX_GROWS = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}


def shows_gpu(environment: Mapping[str, str] = os.environ, root: Path = Path("/")) -> bool:
    """Tell whether the system shows an NVIDIA GPU to this program.

    Parameters
    ----------
    environment : mapping
        Of the program: ``CUDA_VISIBLE_DEVICES`` may hide every GPU.
    root : Path
        Of the file system.

    Returns
    -------
    bool
        Whether a device's node is there, Linux' own or that of Windows' subsystem for Linux.
        Drivers may still be missing.
    """
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    # CUDA counts devices up to the first that it does not know.
    if visible is not None and visible.split(",")[0].strip() in ("", "-1", "NoDevFiles"):
        return False
    devices = root / "dev"
    return any(devices.glob("nvidia[0-9]*")) or (devices / "dxg").exists()


def _found(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ImportError:  # the package that it lies in is missing
        return False


def _has_libraries(keras_backend: str) -> bool:
    """Tell whether what Keras runs on came with what a GPU needs."""
    packages, libraries = _NEEDS.get(keras_backend, ((), ()))
    return any(map(_found, packages)) or any(map(find_library, libraries))


def gpu_is_usable() -> bool:
    """Tell whether Keras computes on a GPU.

    Looks first for a GPU and for the libraries that it needs, which takes no time. Only where both
    are there, a process of its own starts Keras and computes something, which takes seconds.

    Returns
    -------
    bool
    """
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if not (shows_gpu() and find_spec("keras") is not None and _has_libraries(backend)):
        return False
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROBE.format(path=sys.path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_PROBE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def share_gpu() -> None:
    """Have Keras take a GPU's memory as it needs it; to be called before the GPU is used."""
    os.environ.update({name: os.environ.get(name, value) for name, value in _JAX_GROWS.items()})
    import keras

    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    for device in tf.config.list_physical_devices("GPU"):
        try:
            tf.config.experimental.set_memory_growth(device, True)
        except RuntimeError:  # it is in use already, as whoever uses it has set it
            return


def make_repeatable() -> None:
    """Have Keras choose a GPU's algorithms so that equal inputs give equal outputs in every run."""
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def name_of_device() -> str:
    """Start Keras, compute something on its first GPU and return that GPU's name.

    Returns
    -------
    str
        "" where Keras has no GPU, or none that works.
    """
    try:
        share_gpu()
        import keras

        match keras.backend.backend():
            case "tensorflow":
                return _tensorflow_gpu()
            case "jax":
                import jax

                device = jax.devices()[0]
                return "" if device.platform == "cpu" else str(device.device_kind)
            case "torch":
                import torch

                return torch.cuda.get_device_name(0) if torch.cuda.is_available() else ""
            case _:
                return ""
    except Exception:  # drivers and libraries that do not fit fail in every way there is
        return ""


def _tensorflow_gpu() -> str:
    import tensorflow as tf

    devices = tf.config.list_physical_devices("GPU")
    if not devices:
        return ""
    with tf.device("/GPU:0"):
        ones = tf.ones((1, 8, 8, 1))
        # A convolution, since it needs cuDNN.
        if float(tf.reduce_sum(tf.nn.conv2d(ones, ones, 1, "VALID"))) != 64.0:
            return ""
    return str(tf.config.experimental.get_device_details(devices[0]).get("device_name", "GPU"))


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error of whatever Keras runs on says that memory ran out.

    That is TensorFlow's `ResourceExhaustedError`, PyTorch's `OutOfMemoryError`, JAX' runtime error
    with the status RESOURCE_EXHAUSTED, or Python's own `MemoryError`.
    """
    names = {kind.__name__ for kind in type(error).__mro__}
    return not names.isdisjoint(
        {"ResourceExhaustedError", "OutOfMemoryError", "MemoryError"}
    ) or "RESOURCE_EXHAUSTED" in str(error)
