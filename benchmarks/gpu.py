"""Measure how fast Keras classifies and trains on the device that it finds: a GPU, or the CPU.

usage: python benchmarks/gpu.py [--model english] [--batches 256,1024,4096,16384] [--seconds 3]
                                [--train 256,1024] [--network page-reader-dense] [--precision NAME]

Classifies made-up crops with a shipped model in batches of each size, as reading does, and prints
crops a second, the transfer to the device and back included. Then takes a network through training
steps, the crops made beforehand, and prints steps and crops a second. KERAS_BACKEND says what Keras
runs on. How busy reading keeps the device is told by

    ocr-batch read PAGES -o OUT --backend keras --profile
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from common import format_table
from numpy.typing import NDArray

_BATCHES = (256, 512, 1024, 2048, 4096, 8192, 16384)
_TRAINING = (256, 1024)


def time_calls(call: Callable[[], object], seconds: float) -> float:
    """Call again and again for some seconds, after a first time; return seconds a call."""
    call()
    start, count = time.perf_counter(), 0
    while count < 3 or time.perf_counter() - start < seconds:
        call()
        count += 1
    return (time.perf_counter() - start) / count


def make_crops(count: int, shape: Sequence[int]) -> NDArray[np.uint8]:
    """Return noise with as much ink as text has, (count, *shape)."""
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 256, (count, *shape), dtype=np.uint8)
    crops[crops < 200] = 0
    return crops


def time_classifier(model: str, batches: Sequence[int], seconds: float) -> tuple[str, str]:
    """Return the device's name and a table of batch sizes."""
    from ocr_batch.recognition.bundle import find_bundle
    from ocr_batch.recognition.classifier import load_classifier
    from ocr_batch.recognition.keras_model import KerasClassifier

    folder = find_bundle(model)
    device, rows = "", []
    for batch in batches:
        classifier = load_classifier(folder, "keras", batch=batch)
        assert isinstance(classifier, KerasClassifier)
        contract = classifier.card.contract
        images = make_crops(batch, (contract.frame, contract.frame, contract.channels))
        geometry = np.zeros((batch, contract.geometry), np.float32) if contract.geometry else None
        spent = time_calls(partial(classifier.logits, images, geometry), seconds)
        device = classifier.device or "the CPU"
        size = f"{batch}" if classifier.batch == batch else f"{batch}, halved to {classifier.batch}"
        rows.append([size, f"{1000 * spent:.1f}", f"{batch / spent:,.0f}"])
        print(f"batches of {batch} done", file=sys.stderr)
    return device, format_table(["crops a batch", "ms a batch", "crops/s"], rows)


def time_training(network: str, batches: Sequence[int], precision: str, seconds: float) -> str:
    """Return a table of batch sizes."""
    from ocr_batch.datasets.batches import Batch
    from ocr_batch.recognition.charset import CLASSES
    from ocr_batch.training.networks import build_network
    from ocr_batch.training.recipe import default_recipe
    from ocr_batch.training.run import Run

    rows = []
    for batch in batches:
        recipe = replace(default_recipe(network), batch=batch, precision=precision)
        run = Run(partial(build_network, network, len(CLASSES)), recipe)
        run.state["steps"] = 1_000_000
        inputs = {
            tensor.name: make_crops(batch, tensor.shape[1:])
            if tensor.name == "image"
            else np.zeros((batch, *tensor.shape[1:]), np.float32)
            for tensor in run.model.inputs
        }
        label = np.random.default_rng(0).integers(0, len(CLASSES), batch).astype(np.int32)
        step = time_calls(partial(run.train_on, Batch(inputs, label)), seconds)
        rows.append([f"{batch}", f"{1000 * step:.1f}", f"{1 / step:.2f}", f"{batch / step:,.0f}"])
        print(f"training with batches of {batch} done", file=sys.stderr)
    return format_table(["crops a step", "ms a step", "steps/s", "crops/s"], rows)


def _sizes(value: str) -> list[int]:
    return [int(size) for size in value.split(",") if size]


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="english", help="that classifies (default: english)")
    parser.add_argument("--batches", type=_sizes, default=_BATCHES, help="default: 256 to 16384")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--train", type=_sizes, default=_TRAINING, help="default: 256,1024")
    parser.add_argument("--network", default="page-reader-dense", help="that is trained")
    parser.add_argument("--precision", default="float32", help="of training; or mixed_float16 …")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    args = parse(argv)
    if args.batches:
        device, table = time_classifier(args.model, args.batches, args.seconds)
        print(f"{args.model} on {device}\n\n{table}\n")
    if args.train:
        table = time_training(args.network, args.train, args.precision, args.seconds)
        print(f"training {args.network}, {args.precision}\n\n{table}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
