import numpy as np
import pytest

from ocr_batch.imaging.cells import dense_cells


@pytest.mark.parametrize("cell", [1, 2, 3, 16, 40])
@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_cells_are_dense_whose_mean_is_above_the_share(cell, share):
    ink = np.random.default_rng(cell).random((7 * cell + cell // 2, 5 * cell)) < share
    parts = ink[: 7 * cell].reshape(7, cell, 5, cell)
    assert np.array_equal(dense_cells(ink, cell, share), parts.mean(axis=(1, 3)) > share)


def test_a_full_cell_does_not_overflow():
    assert dense_cells(np.ones((45, 45), np.bool_), 15, 0.99).all()
    assert dense_cells(np.ones((300, 600), np.bool_), 300, 0.99).all()


def test_a_page_smaller_than_a_cell_has_none():
    for shape, cells in (((3, 9), (0, 2)), ((9, 3), (2, 0)), ((0, 8), (0, 2))):
        assert dense_cells(np.ones(shape, np.bool_), 4, 0.5).shape == cells
