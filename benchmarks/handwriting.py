"""Make a set of the reference's shape: handwritten letters and digits in 36 classes, as a pickle.

The reference experiment's own data, 30,134 images of 56x56 in 36 classes, is not public. This
stands in for it: a set of handwritten 0-9 A-Z a-z with both cases merged, filled up with MNIST
digits to as many images.

Usage: ``python benchmarks/handwriting.py CHARACTERS.npz MNIST -o DATA.pkl``.
"""

from __future__ import annotations

import argparse
import pickle
import string
from pathlib import Path

import cv2
import numpy as np

from ocr_batch.datasets.sources import read_glyphs
from ocr_batch.segmentation.tight import fit_glyphs

SIZE, FRAME, EXTENT = 30_134, 56, 44
CLASSES = string.digits + string.ascii_uppercase


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("characters", help="npz of X (N, 56, 56) and y, characters 0-9 A-Z a-z")
    parser.add_argument("mnist", help="folder of MNIST's idx files")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    characters = read_glyphs([args.characters])
    digits = read_glyphs([args.mnist])
    rng = np.random.default_rng(args.seed)
    chosen = np.sort(rng.choice(len(digits.label), SIZE - len(characters.label), replace=False))
    # Twice as large as MNIST has them, and centred as there.
    larger = [
        cv2.resize(image, (FRAME, FRAME), interpolation=cv2.INTER_CUBIC)
        for image in np.asarray(digits.images)[chosen]
    ]
    images = np.concatenate([fit_glyphs(characters.images, FRAME, EXTENT), np.stack(larger)])
    place = {name: CLASSES.index(name.upper()) for name in characters.classes + digits.classes}
    names = [characters.classes[k] for k in characters.label]
    names += [digits.classes[k] for k in digits.label[chosen]]
    label = np.array([place[name] for name in names], np.int64)
    with args.output.open("wb") as file:
        pickle.dump((images.reshape(len(images), -1), label), file, protocol=4)
    print(f"{len(label)} images of {len(np.unique(label))} classes in {args.output}")


if __name__ == "__main__":
    main()
