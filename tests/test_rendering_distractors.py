import numpy as np
import pytest

from ocr_batch.rendering.distractors import add_distractors


@pytest.mark.parametrize("seed", range(12))
def test_what_is_added_belongs_to_nobody(seed: int):
    ink = np.zeros((300, 400), np.uint8)
    owner = np.zeros(ink.shape, np.int32)
    ink[100:122, 50:56] = 255
    owner[100:122, 50:56] = 1
    new_ink, new_owner, down = add_distractors(ink, owner, 22.0, np.random.default_rng(seed))
    assert new_ink.shape == new_owner.shape
    assert new_ink.shape[0] > 300
    assert new_ink.shape[1] > 400
    rows, _ = np.nonzero(new_owner)
    assert rows.min() == 100 + down
    assert np.count_nonzero(new_owner) == np.count_nonzero(owner)
    assert np.count_nonzero(new_ink) > np.count_nonzero(ink)
    assert new_ink[new_owner == 1].min() == 255


def test_chance_is_the_generators():
    ink, owner = np.zeros((200, 300), np.uint8), np.zeros((200, 300), np.int32)
    first, again = (add_distractors(ink, owner, 20.0, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(first[0], again[0])
    assert not ink.any()
