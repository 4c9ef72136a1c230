from __future__ import annotations

import numpy as np
import pytest

from ocr_batch.datasets.fingerprint import fingerprint

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (50, 9, 7), dtype=np.uint8)
LABEL = np.arange(50) % 5
SAME = fingerprint(LABEL, "ABCDE", IMAGES)


def test_it_is_short_and_does_not_depend_on_how_images_are_held():
    assert len(SAME) == 16 and int(SAME, 16) >= 0
    assert fingerprint(LABEL.astype(np.int16), list("ABCDE"), list(IMAGES)) == SAME
    assert fingerprint(LABEL, "ABCDE", np.asfortranarray(IMAGES)) == SAME


def changed():
    pixel, turned = IMAGES.copy(), np.r_[1, 0, 2:50]
    pixel[31, 8, 6] ^= 1
    label = LABEL.copy()
    label[7] = 0
    return {
        "pixel": (LABEL, "ABCDE", pixel),
        "order": (LABEL[turned], "ABCDE", IMAGES[turned]),
        "order of the images": (LABEL, "ABCDE", IMAGES[turned]),
        "label": (label, "ABCDE", IMAGES),
        "names": (LABEL, "ABCDF", IMAGES),
        "joined names": (LABEL, ["AB", "C", "D", "E"], IMAGES),
        "number": (LABEL[:49], "ABCDE", IMAGES[:49]),
        "shape": (LABEL, "ABCDE", IMAGES.reshape(50, 7, 9)),
        "no images": (LABEL, "ABCDE", ()),
    }


@pytest.mark.parametrize("what", changed())
def test_it_tells_what_is_not_the_same(what):
    assert fingerprint(*changed()[what]) != SAME


def test_every_image_counts_where_rows_are_left_out(monkeypatch):
    monkeypatch.setattr("ocr_batch.datasets.fingerprint._MOST_BYTES", 100)
    few = fingerprint(LABEL, "ABCDE", IMAGES)
    assert few != SAME
    assert fingerprint(LABEL, "ABCDE", list(IMAGES)) == few
    for number in range(50):
        other = IMAGES.copy()
        other[number, 4] ^= 255
        assert fingerprint(LABEL, "ABCDE", other) != few
