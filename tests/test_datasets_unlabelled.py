from __future__ import annotations

import pickle
import struct

import numpy as np
import pytest

from ocr_batch.datasets.crops import CropSet, pack, write_shard
from ocr_batch.datasets.unlabelled import read_images
from ocr_batch.errors import TrainingError

IMAGES = np.zeros((6, 20, 20), np.uint8)
for _number, _image in enumerate(IMAGES):
    _image[4 : 8 + _number, 8:12] = 255


@pytest.mark.parametrize(
    "arrays",
    [
        {"X": IMAGES},
        {"scans": IMAGES},
        {"images": IMAGES, "labels": np.arange(2), "more": np.zeros(3)},
        {"X": IMAGES, "y": np.zeros(6)},
        {"X": IMAGES / 255, "y": np.array([{}] * 6)},
        {"X": 255 - IMAGES},
    ],
)
def test_images_of_an_archive_without_regard_to_labels(tmp_path, arrays):
    np.savez(tmp_path / "a.npz", **arrays)
    np.testing.assert_array_equal(read_images(tmp_path / "a.npz"), IMAGES)


@pytest.mark.parametrize(
    "content",
    [
        (IMAGES, np.zeros(6)),
        (IMAGES, np.arange(3)),
        {"X": IMAGES},
        IMAGES,
        list(IMAGES),
        [IMAGES, [0, 1, 2, 3, 4, 5]],
    ],
)
def test_images_of_a_pickle(tmp_path, content):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(content))
    np.testing.assert_array_equal(read_images(tmp_path / "a.pkl"), IMAGES)


def test_two_images_in_a_pickle_are_no_images_and_labels(tmp_path):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps([IMAGES[0], IMAGES[1, :18]]))
    one, other = read_images(tmp_path / "a.pkl")
    np.testing.assert_array_equal(one, IMAGES[0])
    np.testing.assert_array_equal(other, IMAGES[1, :18])


def test_images_of_an_idx_file_alone(tmp_path):
    path = tmp_path / "my-images-idx3-ubyte"
    path.write_bytes(b"\0\0\x08\x03" + struct.pack(">3I", *IMAGES.shape) + IMAGES.tobytes())
    np.testing.assert_array_equal(read_images(path), IMAGES)
    path.write_bytes(b"\0\0\x08\x01" + struct.pack(">I", 3) + b"\0\1\2")
    with pytest.raises(TrainingError, match="labels only"):
        read_images(path)


def test_crops_of_lines_keep_their_numbers(tmp_path):
    count = 1700
    images = np.zeros((count, 56, 56, 2), np.uint8)
    height = 5 + np.arange(count) % 20
    for image, rows in zip(images, height, strict=True):
        image[10 : 10 + rows, 20:24] = 255
        image[10:30, 40:44, 1] = 255
    # Labels of no known class, and all alike: nobody asks.
    label = np.full(count, 9999, np.int16)
    crops = CropSet(pack(images), np.zeros((count, 8), np.float16), label, label)
    write_shard(tmp_path / "a.npz", crops)
    found = read_images(tmp_path / "a.npz")
    assert [image.shape for image in found] == [(rows + 4, 8) for rows in height.tolist()]


def test_what_holds_no_images_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", u=np.zeros(3), v=np.zeros(3))
    with pytest.raises(TrainingError, match="holds u, v"):
        read_images(tmp_path / "a.npz")
    np.savez(tmp_path / "scalar.npz", X=3)
    with pytest.raises(TrainingError, match="shape"):
        read_images(tmp_path / "scalar.npz")
    np.savez(tmp_path / "odd.npz", packed=np.zeros((3, 5)), geometry=0)
    with pytest.raises(TrainingError, match="no crops of lines"):
        read_images(tmp_path / "odd.npz")
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"y": 1}))
    with pytest.raises(TrainingError, match="key X"):
        read_images(tmp_path / "a.pkl")
    with pytest.raises(TrainingError, match="one by one"):
        read_images(tmp_path)
