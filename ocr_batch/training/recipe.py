"""Say everything that decides a training run, beside the data; and read it from a file."""

from __future__ import annotations

import configparser
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from ocr_batch.datasets.augmentation import NO_AUGMENTATION, Augmentation
from ocr_batch.errors import TrainingError

__all__ = ["OPTIMIZERS", "PRECISIONS", "Recipe", "default_recipe", "learning_rate", "read_recipe"]

OPTIMIZERS = ("adamw", "adam", "rmsprop", "sgd")
_Settings = TypeVar("_Settings", "Recipe", Augmentation)
#: Share of a run after which the warm-up is over at the latest.
_WARM = 0.1
_LENGTHS = ("epochs", "steps", "minutes")
#: Seeds are 32 bits wide, as NumPy's old generator has them.
_SEEDS = 1 << 32
_KINDS = {int: "whole number", float: "number", bool: "yes or no", str: "text"}
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training run, beside the data.

    How long it takes is said by exactly one of `epochs`, `steps` and `minutes`; the others are 0.

    Attributes
    ----------
    network : str
        Name of the network, or ``path.py:function`` of one's own.
    optimizer : str
        One of `OPTIMIZERS`.
    rate : float
        Highest learning rate, after the warm-up.
    cosine : bool
        Bring the learning rate down to zero along half a cosine; otherwise it stays.
    warmup : int
        Batches over which the learning rate rises from zero; at most a tenth of the run.
    decay : float
        Weight decay, of AdamW only.
    batch : int
        Crops a batch.
    epochs, steps : int
        Passes over the data, or batches.
    minutes : float
        Time to train, without the measuring afterwards. A cosine then follows the time spent
        (interruptions left out), so that it always comes down to zero.
    patience : int
        Stop after this many epochs without a lower validation loss; 0: never.
    best : bool
        Keep the weights of the epoch with the lowest validation loss, not those of the last.
    smoothing : float
        Share of the probability that label smoothing spreads over all classes. It also keeps the
        logits in a narrow range, which int8 needs.
    average : float
        Highest momentum of the running average of the weights, which is then what is kept; 0: the
        weights themselves are.
    balance : float
        0: crops are drawn as often as they occur; 1: every class equally often; between: the
        class frequency to the power of 1 - balance.
    validation, test : float
        Shares of the data kept from training, when the data does not come with parts of its own.
        Without a validation share the run is watched, and stopped, by its test part, as the
        reference does.
    split_seed, seed : int
        Of that split; of weights, shuffling, dropout and augmentation.
    precision : str
        One of `PRECISIONS`; the mixed ones are for GPUs.
    checkpoint : int
        Batches between checkpoints. Every epoch ends with one, too.
    limit : int
        Largest number of validation crops looked at.
    augmentation : Augmentation
    """

    network: str = "page-reader-dense"
    optimizer: str = "adamw"
    rate: float = 2e-3
    cosine: bool = True
    warmup: int = 500
    decay: float = 1e-3
    batch: int = 256
    epochs: int = 0
    steps: int = 0
    minutes: float = 60.0
    patience: int = 0
    best: bool = False
    smoothing: float = 0.02
    average: float = 0.999
    balance: float = 0.0
    validation: float = 0.1
    test: float = 0.1
    split_seed: int = 1
    seed: int = 1
    precision: str = "float32"
    checkpoint: int = 2000
    limit: int = 100_000
    augmentation: Augmentation = field(default_factory=Augmentation)

    def check(self) -> None:
        """Refuse values that make no sense.

        Raises
        ------
        TrainingError
        """
        varied = self.augmentation
        lengths = [getattr(self, name) for name in _LENGTHS]
        numbers = [value for value in (*astuple(self), *astuple(varied)) if _is_number(value)]
        problems = {
            "numbers are finite": not all(map(math.isfinite, numbers)),
            "epochs, steps and minutes are 0 or more": min(lengths) < 0,
            "say one of epochs, steps and minutes": sum(length > 0 for length in lengths) != 1,
            f"optimizer is one of {', '.join(OPTIMIZERS)}": self.optimizer not in OPTIMIZERS,
            f"precision is one of {', '.join(PRECISIONS)}": self.precision not in PRECISIONS,
            "rate, batch, checkpoint and limit are more than 0": min(
                self.rate, self.batch, self.checkpoint, self.limit
            )
            <= 0,
            "decay, warmup and patience are 0 or more": min(self.decay, self.warmup, self.patience)
            < 0,
            "smoothing, average and balance lie from 0 to 1": not all(
                0 <= value <= 1 for value in (self.smoothing, self.average, self.balance)
            ),
            "validation and test are shares that leave more than half to train on": not (
                min(self.validation, self.test) >= 0 and self.validation + self.test < 0.5
            ),
            "validation or test is more than 0: there must be something to watch the training by": (
                max(self.validation, self.test) <= 0
            ),
            "seed and split_seed are 0 or more, below 2 to the power of 32": not (
                0 <= min(self.seed, self.split_seed) <= max(self.seed, self.split_seed) < _SEEDS
            ),
            "no value of the augmentation is below 0": min(astuple(varied)) < 0,
            "augmentation.blur and augmentation.noise lie from 0 to 1": (
                max(varied.blur, varied.noise) > 1
            ),
            "augmentation.gain and augmentation.zoom are below 1": (
                max(varied.gain, varied.zoom) >= 1
            ),
        }
        for rule, broken in problems.items():
            if broken:
                raise TrainingError(f"the recipe makes no sense: {rule}; change it and try again")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float))


_REFERENCE = Recipe(
    optimizer="rmsprop",
    rate=1e-3,
    cosine=False,
    warmup=0,
    decay=0.0,
    batch=128,
    epochs=30,
    minutes=0.0,
    patience=2,
    smoothing=0.0,
    average=0.0,
    validation=0.1,
    test=0.1,
    augmentation=NO_AUGMENTATION,
)
_GLYPH_READER = Recipe(
    network="glyph-reader",
    batch=128,
    epochs=40,
    minutes=0.0,
    validation=0.1,
    test=0.1,
    augmentation=Augmentation(2, 2, 0.2, 0.04, 0.1, 0.0, 10.0, 0.12, 0.2, 1.3),
)


def default_recipe(network: str) -> Recipe:
    """Return the recipe that a network is trained by when nothing else is said.

    The published ones (`mnist-*`, `glyph-*`) get RMSprop, batches of 128, at most 30 epochs and a
    stop after two epochs without a lower validation loss; `glyph-mlp` and `glyph-cnn` are, as in
    their publication, watched by their test part, a fifth of the data.
    """
    if network in ("glyph-mlp", "glyph-cnn"):
        return replace(_REFERENCE, network=network, validation=0.0, test=0.2)
    if network in ("mnist-mlp", "mnist-cnn"):
        return replace(_REFERENCE, network=network)
    if network.startswith("page-reader"):
        return Recipe(network=network)
    return replace(_GLYPH_READER, network=network)


def learning_rate(recipe: Recipe, step: int, progress: float) -> float:
    """Return the learning rate of a step: a warm-up over steps, then half a cosine over progress.

    Parameters
    ----------
    recipe : Recipe
    step : int
        From 0.
    progress : float
        Share of the run that is done, 0..1.
    """
    # A short run is not to be over before it is warm.
    rise = max((step + 1) / max(1, recipe.warmup), progress / _WARM)
    fall = 0.5 * (1 + math.cos(math.pi * min(1.0, progress))) if recipe.cosine else 1.0
    return recipe.rate * min(1.0, rise) * fall


def _parse(kind: Any, text: str, name: str, where: str) -> Any:
    try:
        if kind is bool:
            return configparser.ConfigParser.BOOLEAN_STATES[text.lower()]
        return kind(text)
    except (KeyError, ValueError):
        raise TrainingError(
            f"{where}: {name} = {text} is no {_KINDS[kind]}; correct it"
            if kind is not bool
            else f"{where}: {name} = {text} is neither yes nor no; correct it"
        ) from None


def _change(recipe: _Settings, layers: Sequence[tuple[str, Mapping[str, str]]]) -> _Settings:
    """Return a copy of a dataclass with some fields set from text.

    Parameters
    ----------
    recipe : dataclass
    layers : sequence of (str, mapping)
        Where settings were made, and the settings; later ones go before earlier ones.

    Raises
    ------
    TrainingError
        If there is no such field, or its text is not of its kind.
    """
    known = {item.name: type(getattr(recipe, item.name)) for item in fields(recipe)}
    known = {name: kind for name, kind in known.items() if kind in _KINDS}
    made = {}
    for where, settings in layers:
        for name, text in settings.items():
            if name not in known:
                raise TrainingError(
                    f"{where}: there is no setting {name!r}; there are {', '.join(known)}"
                )
            made[name] = _parse(known[name], text, name, where)
    return replace(recipe, **made)


def read_recipe(
    path: Path | None,
    settings: Sequence[str] = (),
    network: str | None = None,
    default: Callable[[str], Recipe] = default_recipe,
) -> Recipe:
    """Read a recipe file, and change single settings.

    The file has the sections ``[training]`` (the fields of `Recipe`) and ``[augmentation]`` (those
    of `Augmentation`), a line ``name = value`` for each field that differs from the network's own
    default recipe.

    Parameters
    ----------
    path : Path, optional
        An INI file, in UTF-8.
    settings : sequence of str
        ``name=value``, which goes before the file; ``augmentation.name=value`` too.
    network : str, optional
        Goes before the file's.
    default : callable
        Gives the recipe of a network that is changed.

    Returns
    -------
    Recipe
        Checked.

    Raises
    ------
    TrainingError
        If the file can not be read, or names or values in it make no sense.
    """
    said, given = _from_file(path), _from_settings(settings)
    places = (f"the recipe {path}", "the settings on the command line")
    names = [part["training"].get("network") for part in (given, said)]
    chosen = next((name for name in (network, *names) if name is not None), Recipe.network)
    layers: list[tuple[str, Mapping[str, str]]] = []
    for place, part in zip(places, (said, given), strict=True):
        # Whoever says how long means that instead of what was said before.
        if any(name in part["training"] for name in _LENGTHS):
            layers.append((place, dict.fromkeys(_LENGTHS, "0")))
        layers.append((place, part["training"]))
    recipe = replace(_change(default(chosen), layers), network=chosen)
    varied = [
        (place, part["augmentation"]) for place, part in zip(places, (said, given), strict=True)
    ]
    recipe = replace(recipe, augmentation=_change(recipe.augmentation, varied))
    recipe.check()
    return recipe


def _sections() -> dict[str, dict[str, str]]:
    return {"training": {}, "augmentation": {}}


def _from_file(path: Path | None) -> dict[str, dict[str, str]]:
    """Return the settings of a recipe file by section."""
    parts = _sections()
    if path is None:
        return parts
    parser = configparser.ConfigParser(interpolation=None)
    try:
        with path.open(encoding="utf-8") as file:
            parser.read_file(file)
    except (OSError, UnicodeError, configparser.Error) as error:
        raise TrainingError(f"the recipe {path} can not be read: {error}") from error
    for section in parser.sections():
        if section not in parts:
            known = ", ".join(f"[{name}]" for name in parts)
            raise TrainingError(f"{path}: there is no section [{section}], only {known}")
        parts[section].update(parser[section])
    return parts


def _from_settings(settings: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return settings of the form ``name=value`` by section."""
    parts = _sections()
    for setting in settings:
        name, equals, value = setting.partition("=")
        section, _, short = name.rpartition(".")
        if not equals or section not in ("", *parts):
            raise TrainingError(f"{setting!r} is not name=value; write for example epochs=10")
        parts[section or "training"][short.strip()] = value.strip()
    return parts
