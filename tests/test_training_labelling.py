import dataclasses

import numpy as np
import pytest
from pages import Canvas, page_of, prose, turned

from ocr_batch.recognition.charset import CLASSES, N_CHARACTERS
from ocr_batch.recognition.spaces import FEATURES
from ocr_batch.rendering.page import boxes_of
from ocr_batch.training.labelling import label_page

LINES = [*prose(3, 6), "Jinx quiz: 27 % = 8, vex?"]
CANVAS = Canvas(1200, 500)
for _number, _line in enumerate(LINES):
    CANVAS.text(80, 120 + 80 * _number, _line, 44, tracking=2)
LABELLED = label_page(CANVAS.rendered())


def _names(labelled):
    return [CLASSES[label] for label in labelled.label]


def _counts(names):
    return {name: names.count(name) for name in set(names)}


def test_arrays_have_the_shapes_of_the_contract():
    count = len(LABELLED.label)
    assert LABELLED.images.shape == (count, 56, 56, 2) and LABELLED.images.dtype == np.uint8
    assert LABELLED.geometry.shape == (count, 8) and LABELLED.geometry.dtype == np.float32
    assert LABELLED.face.shape == (count,)
    assert LABELLED.gaps.shape == (len(LABELLED.spaces), len(FEATURES))
    assert LABELLED.label.min() >= 0 and LABELLED.label.max() < len(CLASSES)


def test_every_letter_is_found_under_its_name():
    wanted = _counts([letter for letter, *_ in CANVAS.letters])
    found = _counts(_names(LABELLED))
    # A letter that is cut has candidates that lack a sliver of it.
    for letter, count in wanted.items():
        assert count <= found.get(letter, 0) <= 6 * count, letter
    texts = set(found) - set(CLASSES[N_CHARACTERS:])
    assert texts == set(wanted)


def test_pieces_and_pairs_are_garbage():
    found = _counts(_names(LABELLED))
    assert found["<left>"] > 10 and found["<right>"] > 10 and found["<two>"] > 10
    garbage = LABELLED.label >= N_CHARACTERS
    assert (LABELLED.face[garbage] == -1).all() and (LABELLED.face[~garbage] == 0).all()


def test_left_pieces_show_the_left_side():
    """The frame is centred on the piece, so its other half lies to the right of it."""
    names = np.array(_names(LABELLED))
    images = LABELLED.images.astype(float)
    hidden = images[..., 1] - images[..., 0]
    near = slice(30, 44)
    for name, side in (("<left>", near), ("<right>", slice(12, 26))):
        own, other = hidden[names == name], 56 - np.arange(56)[side] - 1
        towards = own[:, :, side].sum(axis=(1, 2))
        away = own[:, :, other].sum(axis=(1, 2))
        assert towards.sum() > 1.2 * away.sum()


def test_gaps_know_the_words():
    gap = LABELLED.gaps[:, FEATURES.index("gap")]
    assert 0.1 < LABELLED.spaces.mean() < 0.3
    assert gap[LABELLED.spaces].min() > gap[~LABELLED.spaces].max()
    spaces = sum(line.count(" ") for line in LINES)
    assert 0.9 * spaces <= LABELLED.spaces.sum() <= spaces


def test_touching_letters_are_two_and_their_halves_are_letters():
    canvas = Canvas(1200, 300)
    canvas.text(80, 150, "some tents", 44, tracking=2)
    canvas.text(400, 150, "ttt", 44, tracking=-4)
    labelled = label_page(canvas.rendered())
    found = _counts(_names(labelled))
    assert found["<two>"] >= 2
    assert found["t"] >= 4


def test_dirt_is_noise():
    canvas = Canvas(1200, 300)
    canvas.text(80, 150, "some words of a line", 44, tracking=2)
    for column in (560, 580, 600):
        canvas.rule(column, 140, column + 8, 148)
    labelled = label_page(canvas.rendered())
    assert _counts(_names(labelled))["<noise>"] >= 3


def test_letters_of_a_ligature_have_its_name():
    canvas = Canvas(1200, 300)
    canvas.text(80, 150, "some offers so", 44, tracking=2)
    canvas.text(500, 150, "ff", 44, tracking=-5)
    found = _counts(_names(label_page(canvas.rendered())))
    assert found.get("ff", 0) >= 1


def test_invisible_letters_have_no_name():
    page = CANVAS.rendered()
    letter = "J"
    gone = np.array([text == letter for text in page.characters.text])
    assert gone.any()
    truth = dataclasses.replace(page.characters, visible=page.characters.visible & ~gone)
    labelled = label_page(dataclasses.replace(page, characters=truth))
    assert letter not in _names(labelled)


@pytest.mark.parametrize("degrees", [-2, 1.5])
def test_truth_follows_a_skewed_page(degrees):
    page = CANVAS.rendered()
    owner = turned(CANVAS.grey, 0)  # same size as the rotated planes below
    assert owner.shape == page.owner.shape
    height, width = page.owner.shape
    angle = np.radians(degrees)
    matrix = np.array([[np.cos(angle), -np.sin(angle), 30.0], [np.sin(angle), np.cos(angle), 30.0]])
    import cv2

    size = (width + 60, height + 100)
    grey = cv2.warpAffine(page.grey, matrix, size, borderValue=255)
    owner = cv2.warpAffine(page.owner.astype(np.float32), matrix, size, flags=cv2.INTER_NEAREST)
    owner = owner.astype(np.int32)
    truth = dataclasses.replace(page.characters, box=boxes_of(owner, len(page.characters)))
    labelled = label_page(dataclasses.replace(page, grey=grey, owner=owner, characters=truth))
    found = _counts(_names(labelled))
    wanted = _counts([letter for letter, *_ in CANVAS.letters])
    missed = sum(max(0, count - found.get(letter, 0)) for letter, count in wanted.items())
    assert missed <= 0.05 * len(CANVAS.letters)


@pytest.mark.parametrize("lines", [[], ["."]])
def test_pages_with_hardly_anything(lines):
    labelled = label_page(page_of(lines).rendered())
    assert len(labelled.label) == len(labelled.images) <= 1
    assert len(labelled.gaps) == len(labelled.spaces) == 0
