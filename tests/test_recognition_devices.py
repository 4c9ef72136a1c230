from __future__ import annotations

import subprocess
import sys

import pytest

from ocr_batch.recognition.devices import (
    gpu_is_usable,
    is_out_of_memory,
    name_of_device,
    shows_gpu,
)


@pytest.fixture
def machine(tmp_path):
    """A root folder whose devices a test may add."""
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "nvidiactl").touch()
    return tmp_path


def test_a_driver_without_a_device_is_no_gpu(machine):
    assert not shows_gpu({}, machine)
    assert not shows_gpu({"CUDA_VISIBLE_DEVICES": "0"}, machine)
    assert not shows_gpu({}, machine / "nowhere")


@pytest.mark.parametrize("node", ["nvidia0", "nvidia3", "dxg"])
def test_a_device_is_a_gpu_unless_it_is_hidden(machine, node):
    (machine / "dev" / node).touch()
    assert shows_gpu({}, machine)
    for seen in ("0", "1,0", "GPU-8932f937", " 0"):
        assert shows_gpu({"CUDA_VISIBLE_DEVICES": seen}, machine)
    for hidden in ("", "-1", "-1,0", "NoDevFiles"):
        assert not shows_gpu({"CUDA_VISIBLE_DEVICES": hidden}, machine)


def test_hidden_devices_are_not_used(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert not gpu_is_usable()


def test_looking_for_a_gpu_imports_no_keras_where_there_is_none():
    code = (
        "import os, sys; os.environ['CUDA_VISIBLE_DEVICES'] = '';"
        "from ocr_batch.recognition.devices import gpu_is_usable;"
        "assert not gpu_is_usable();"
        "assert not {'tensorflow', 'keras', 'jax', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_keras_without_a_gpu_names_none(monkeypatch):
    pytest.importorskip("keras")
    if shows_gpu():
        pytest.skip("this machine has a GPU")
    assert name_of_device() == ""


def caught(action):
    try:
        action()
    except Exception as error:
        return error
    pytest.fail("there was memory for this")


def test_tensorflow_says_when_memory_runs_out():
    tf = pytest.importorskip("tensorflow")
    assert is_out_of_memory(tf.errors.ResourceExhaustedError(None, None, "OOM"))
    assert not is_out_of_memory(caught(lambda: tf.zeros((2,)) + tf.zeros((3,))))


def test_jax_says_when_memory_runs_out():
    numpy = pytest.importorskip("jax.numpy")
    assert is_out_of_memory(caught(lambda: numpy.zeros((1 << 46,)).block_until_ready()))
    assert not is_out_of_memory(caught(lambda: numpy.zeros((2,)) + numpy.zeros((3,))))


def test_python_says_when_memory_runs_out():
    assert is_out_of_memory(caught(lambda: bytearray(1 << 60)))
    assert not is_out_of_memory(ValueError("out of range"))
