"""``ocr-batch train``: labelled characters to a classifier, with a report."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocr_batch.commands.options import Commands, add_command, add_jobs, say
from ocr_batch.errors import UsageError

if TYPE_CHECKING:
    from ocr_batch.training.finetune import FineTuned
    from ocr_batch.training.fit import Epoch, Watch
    from ocr_batch.training.recipe import Recipe
    from ocr_batch.training.train import Sources, Trained

__all__ = ["add", "run"]

_TEXT = """\
Train a classifier and write its bundle, with a report to look at: BUNDLE/report/report.html.

SOURCE is a pickle of (X, y), an .npz of X and y or images and labels, MNIST's or EMNIST's
idx images (the labels beside them; .gz too), a folder with a folder for each class, a CSV of
image,label; for the page reader a folder of `ocr-batch render --crops` or what
`ocr-batch harvest` wrote. SOURCE@2 draws line crops twice as often."""
_EPILOG = """\
networks: mnist-mlp, mnist-cnn, glyph-mlp, glyph-cnn (published references, trained by their
own recipes), glyph-reader (isolated characters), page-reader, page-reader-dense (crops of
lines), or path.py:function, which takes the number of classes and returns a Keras model.
An interrupted run goes on with --resume. KERAS_BACKEND=jax or torch trains without TensorFlow.

exit codes: 0 done; 1 wrong usage; 2 data or recipe can not be used; 3 base bundle missing;
4 output not writable; 5 trained, but a better bundle was there and stays; 130 interrupted."""
#: Settings of the recipe with a flag of their own.
_FLAGS = {
    "epochs": "passes over the data, at most",
    "steps": "batches, instead of epochs",
    "minutes": "training time, instead of epochs",
    "batch": "characters a batch",
    "rate": "learning rate",
    "optimizer": "adamw, adam, rmsprop or sgd",
    "patience": "stop after so many epochs (of 500 batches without --epochs) without a lower "
    "validation loss; 0: never",
    "validation": "share of the data to watch the training by; 0: watch the test part",
    "test": "share of the data to test on",
    "precision": "float32; on a GPU also mixed_float16 or mixed_bfloat16",
    "seed": "of weights, shuffling, dropout and augmentation",
}
_WORSE = 5
#: Loss of accuracy on old crops that is worth a warning.
_FORGOTTEN = 0.003


def add(commands: Commands) -> None:
    """Add the parser of the command."""
    parser = add_command(
        commands,
        "train",
        run,
        help="train a classifier, or fine-tune one on your own pages",
        text=_TEXT,
        epilog=_EPILOG,
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--network", metavar="NAME", help="network to train from scratch; see below")
    what.add_argument(
        "--base", metavar="BUNDLE", help="bundle to fine-tune instead: english, or a folder"
    )
    parser.add_argument(
        "--data", metavar="SOURCE", nargs="+", action="extend", required=True, help="training data"
    )
    parser.add_argument("-o", "--output", metavar="BUNDLE", required=True, help="folder to write")
    data = parser.add_argument_group("data")
    data.add_argument(
        "--test-data",
        metavar="SOURCE",
        nargs="+",
        action="extend",
        default=[],
        help="test on these (default: the t10k- files of an idx set, else a share of the data)",
    )
    data.add_argument(
        "--classes",
        metavar="NAMES",
        help="names of the classes in order: 0-9A-Z, a,b,c, or a file with one a line "
        "(default: those of the data)",
    )
    data.add_argument("--fold-case", action="store_true", help="take small letters for capitals")
    data.add_argument(
        "--replay",
        metavar="SHARDS",
        nargs="+",
        action="extend",
        default=[],
        help="with --base: more old data to mix in against forgetting",
    )
    data.add_argument(
        "--language",
        metavar="BUNDLE",
        help="bundle that a page reader gets its language and space models from (default: english)",
    )
    data.add_argument(
        "--licence",
        metavar="NAME=LICENCE",
        action="append",
        default=[],
        help="what the card says about a source; may be repeated",
    )
    recipe = parser.add_argument_group("recipe", "the network's own recipe, but for what is said")
    recipe.add_argument("--recipe", metavar="FILE", type=Path, help="recipe file (INI)")
    recipe.add_argument(
        "--set",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="any setting of the recipe, also augmentation.NAME=VALUE; may be repeated",
    )
    for name, text in _FLAGS.items():
        recipe.add_argument(f"--{name}", metavar=name.upper(), help=text)
    running = parser.add_argument_group("running")
    running.add_argument("--resume", action="store_true", help="continue an interrupted run")
    running.add_argument(
        "--fresh", action="store_true", help="throw an interrupted run away and start over"
    )
    running.add_argument(
        "--force", action="store_true", help="replace a bundle even by one that does worse"
    )
    running.add_argument(
        "--export", choices=("h5",), help="also write prediction_model.h5 into the bundle"
    )
    add_jobs(running, "processes that read held-back pages")
    running.add_argument("--quiet", action="store_true", help="print the result only")


def _settings(args: argparse.Namespace) -> list[str]:
    flags = {name: getattr(args, name) for name in _FLAGS}
    return [*args.set, *(f"{name}={value}" for name, value in flags.items() if value is not None)]


def _sources(args: argparse.Namespace) -> Sources:
    from ocr_batch.datasets.sources import parse_classes
    from ocr_batch.training.train import Sources

    licences = [text.partition("=")[::2] for text in args.licence]
    return Sources(
        data=tuple(args.data),
        test=tuple(args.test_data),
        classes=parse_classes(args.classes) if args.classes else None,
        fold_case=args.fold_case,
        language=args.language or "english",
        licences=tuple((name.strip(), licence.strip()) for name, licence in licences),
    )


def _check(args: argparse.Namespace) -> None:
    """Refuse options that would be overlooked."""
    if args.network is args.base is args.recipe:
        raise UsageError("Say what to train: --network NAME, --recipe FILE or --base BUNDLE.")
    if args.base is None and (args.replay or args.jobs):
        raise UsageError("--replay and --jobs are for fine-tuning; give --base, or leave them out.")
    if args.base is not None and args.language is not None:
        raise UsageError("--base keeps the language of its bundle; leave --language out.")
    if args.resume and args.fresh:
        raise UsageError("--resume goes on, --fresh starts over; give one of them.")
    for text in args.licence:
        name, equals, licence = text.partition("=")
        if not (name.strip() and equals and licence.strip()):
            raise UsageError(f"--licence {text!r} is not NAME=LICENCE.")


def run(args: argparse.Namespace) -> int:
    """Train, print what came of it and return the exit code."""
    _check(args)
    start_keras(args.quiet)
    tell = (lambda text: None) if args.quiet else say
    with _watch(args.quiet) as watch:
        if args.base is not None:
            from ocr_batch.training.finetune import finetune, read_finetuning_recipe

            tuned = finetune(
                args.base,
                _sources(args),
                read_finetuning_recipe(args.base, args.recipe, _settings(args)),
                Path(args.output),
                replay=args.replay,
                resume=args.resume,
                fresh=args.fresh,
                force=args.force,
                h5=args.export == "h5",
                jobs=int(args.jobs) if args.jobs else None,
                tell=tell,
                watch=watch,
            )
            trained = tuned.trained
        else:
            from ocr_batch.training.recipe import read_recipe
            from ocr_batch.training.train import train

            tuned = None
            trained = train(
                _sources(args),
                read_recipe(args.recipe, _settings(args), args.network),
                Path(args.output),
                resume=args.resume,
                fresh=args.fresh,
                force=args.force,
                h5=args.export == "h5",
                tell=tell,
                watch=watch,
            )
    if tuned is not None:
        _tell_tuning(tuned)
    _tell(trained, args.base)
    return 0 if trained.accepted else _WORSE


class _Bar:
    """Shows a training: a line for each point of the curve, and a bar on a terminal."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def begin(self, step: int, steps: int | None) -> None:
        """See `training.fit.Watch.begin`."""
        if step:
            say(f"going on after batch {step}")
        self._bar.total, self._bar.n = steps, step
        self._bar.refresh()

    def batch(self, loss: float, accuracy: float) -> None:
        """See `training.fit.Watch.batch`."""
        self._bar.set_postfix(loss=f"{loss:.3f}", accuracy=f"{accuracy:.3f}", refresh=False)
        self._bar.update()

    def point(self, point: Epoch, recipe: Recipe) -> None:
        """See `training.fit.Watch.point`."""
        from tqdm import tqdm

        place = f"epoch {point.number}" if recipe.epochs else f"batch {point.step}"
        rate = point.step * recipe.batch / max(point.seconds, 1e-9)
        text = (
            f"{place}: loss {point.loss:.4f}, accuracy {point.accuracy:.4f}, validation loss "
            f"{point.validation_loss:.4f}, accuracy {point.validation_accuracy:.4f}; "
            f"{point.seconds:.0f} s, {rate:.0f} crops/s"
        )
        tqdm.write(text, file=sys.stderr)


@contextmanager
def _watch(quiet: bool) -> Iterator[Watch | None]:
    """Give what shows the training; nothing when quiet."""
    if quiet:
        yield None
        return
    from tqdm import tqdm

    hidden = not sys.stderr.isatty()
    with tqdm(unit="batch", dynamic_ncols=True, disable=hidden, file=sys.stderr) as bar:
        yield _Bar(bar)


def start_keras(quiet: bool) -> None:
    """Import Keras and let it find its devices, without the notices that would bury ours.

    Raises
    ------
    UsageError
        If its back end is not installed.
    """
    from ocr_batch.recognition.notices import without_notices

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    try:
        with without_notices():
            import keras

            keras.ops.zeros(1)
            backend = keras.backend.backend()
            # Keras can not list what PyTorch has.
            listed = [] if backend == "torch" else keras.distribution.list_devices()
    except (ImportError, ValueError) as error:
        raise UsageError(
            f"Keras can not start ({error}); install what it runs on, or set KERAS_BACKEND to what "
            "is installed: tensorflow, jax or torch"
        ) from error
    if not quiet:
        say(", ".join([f"Keras {keras.__version__} on {backend}", *listed]))


def _tell(trained: Trained, base: str | None) -> None:
    print(f"test loss: {trained.loss:.4f}")
    before = "" if trained.before is None else f" (before: {trained.before:.4f})"
    print(f"test accuracy: {trained.accuracy:.4f}{before}")
    if not trained.accepted:
        rival = "The bundle that was there" if base is None else f"{base}, or what was there,"
        say(
            f"{rival} does better and stays; the new one is in {trained.bundle}. --force keeps "
            "it all the same."
        )
    print(f"bundle: {trained.bundle}")
    print(f"report: {trained.report}")


def _tell_tuning(tuned: FineTuned) -> None:
    if tuned.pages is not None:
        before, after = tuned.pages.before, tuned.pages.after
        print(
            f"held-back pages ({before.pages}): character error rate {100 * before.cer:.2f} % "
            f"before, {100 * after.cer:.2f} % after; words {100 * before.wer:.2f} %, "
            f"{100 * after.wer:.2f} %; {tuned.pages.better} pages better, "
            f"{tuned.pages.worse} worse"
        )
    if tuned.old_before is not None and tuned.old_after is not None:
        print(f"old crops: accuracy {tuned.old_before:.4f} before, {tuned.old_after:.4f} after")
        if tuned.old_after < tuned.old_before - _FORGOTTEN:
            say("warning: some of what was known is forgotten; mix in more old data by --replay")
