import numpy as np
from pages import Canvas, laid_out, page_of, prose

from ocr_batch.layout.touching import part_touching_lines


def _touching():
    """Two lines so close that a descender of the first runs into an ascender of the second."""
    canvas = Canvas(900, 500)
    first = canvas.text(80, 150, "some early people")
    canvas.text(80, 210, "lived like hilly folk")
    canvas.text(80, 290, prose(1)[0])
    left, right = first[2] - 150, first[2] - 147
    column = next(x for x in range(left, right + 60) if (canvas.grey[150:160, x] < 128).any())
    canvas.grey[150:195, column : column + 4] = 0
    return canvas


def test_nothing_is_cut_where_lines_are_apart():
    ready, layout = laid_out(page_of(prose(4)).grey)
    nothing = np.zeros(len(ready.components), np.bool_)
    found = part_touching_lines(ready.components, layout.lines, nothing, ready.x_height)
    assert found is None


def test_lines_that_touch_are_still_lines_of_their_own():
    _, layout = laid_out(_touching().grey)
    assert len(layout.lines) == 3
    assert layout.lines.box[:, 3].tolist() == sorted(layout.lines.box[:, 3])


def test_parts_are_components_of_the_same_ink():
    canvas = _touching()
    ready, layout = laid_out(canvas.grey)
    found = layout.components
    assert np.array_equal(found.labels > 0, ready.ink)
    assert len(found) >= len(ready.components)
    count = np.bincount(found.labels.ravel(), minlength=len(found) + 1)[1:]
    assert np.array_equal(count, found.area)
    for number in range(len(found)):
        ys, xs = np.nonzero(found.labels == number + 1)
        box = (found.left[number], found.top[number], found.right[number], found.bottom[number])
        assert box == (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)


def test_what_is_dirt_is_left_alone():
    ready, layout = laid_out(_touching().grey)
    everything = np.ones(len(ready.components), np.bool_)
    found = part_touching_lines(ready.components, layout.lines, everything, ready.x_height)
    assert found is None
