"""Groups of a graph, against SciPy's."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from ocr_batch.layout.groups import connected_groups

LINKS = st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=40)


@settings(deadline=None)
@given(st.integers(30, 40), LINKS)
def test_groups_agree_with_scipy(count, links):
    first, second = np.array(links, np.int32).reshape(-1, 2).T
    graph = coo_matrix((np.ones(len(first)), (first, second)), shape=(count, count))
    found = connected_groups(count, first, second)
    assert found.dtype == np.int32
    assert np.array_equal(found, connected_components(graph, directed=False)[1])


def test_a_long_chain_in_any_order_is_one_group():
    order = np.random.default_rng(1).permutation(5000)
    assert not connected_groups(5000, order[1:], order[:-1]).any()


def test_nothing_has_no_groups():
    none = np.zeros(0, np.int64)
    assert connected_groups(0, none, none).shape == (0,)
