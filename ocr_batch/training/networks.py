"""Build the networks by name: our own three, the four published references, a user's."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ocr_batch.errors import TrainingError
from ocr_batch.recognition.bundle import LINE_RELATIVE, CropContract, tight
from ocr_batch.recognition.keras_model import foreign_code

if TYPE_CHECKING:
    import keras

__all__ = ["NETWORKS", "build_network", "contract_of"]

#: Side of a crop in pixels, channels of a crop, length of its geometry vector.
FRAME, CHANNELS, GEOMETRY = 56, 2, 8


def _convolution(x: Any, filters: int, size: int, strides: int) -> Any:
    """Convolve without bias, normalise, ReLU6 (bounded, so that int8 loses little)."""
    from keras import layers

    x = layers.Conv2D(filters, size, strides=strides, padding="same", use_bias=False)(x)
    return layers.ReLU(6.0)(layers.BatchNormalization()(x))


def _separable(x: Any, filters: int, strides: int) -> Any:
    """Convolve each channel by 3x3, then mix channels by 1x1."""
    from keras import layers

    x = layers.DepthwiseConv2D(3, strides=strides, padding="same", use_bias=False)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    return _convolution(x, filters, 1, 1)


def _read_page(name: str, n_classes: int, width: int, body: Callable[[Any], Any]) -> keras.Model:
    """Put `body` between a crop in 0..1 with its geometry and the logits of the classes.

    Logits, not probabilities: the temperature of the model card is applied by the classifier, and
    the int8 export keeps its resolution where classes compete.
    """
    import keras
    from keras import layers

    image = keras.Input((FRAME, FRAME, CHANNELS), name="image")
    geometry = keras.Input((GEOMETRY,), name="geometry")
    # Flattened, not pooled: where ink stands in the frame tells a comma from an apostrophe.
    x = layers.Dense(width, use_bias=False)(layers.Flatten()(body(image)))
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    shape = layers.ReLU(6.0)(layers.Dense(32)(geometry))
    x = layers.Concatenate(name="embedding")([x, shape])
    x = layers.Dropout(0.2)(x)
    logits = layers.Dense(n_classes, name="logits")(x)
    return keras.Model([image, geometry], logits, name=name)


def _quick(x: Any) -> Any:
    """Depthwise-separable: the quickest."""
    # One overlapping convolution by 4 instead of two by 2: as accurate after equally many steps,
    # and half as fast again, in training as in int8.
    x = _convolution(x, 48, 6, 4)
    for filters, strides in ((64, 1), (96, 2), (96, 1), (160, 2)):
        x = _separable(x, filters, strides)
    return x


def _dense(x: Any) -> Any:
    """Full convolutions where details are: fewer errors for a third more time."""
    x = _convolution(x, 40, 6, 4)
    x = _convolution(x, 48, 3, 1)
    x = _convolution(x, 96, 3, 2)
    x = _separable(x, 128, 1)
    return _separable(x, 160, 2)


def _page_reader(n_classes: int) -> keras.Model:
    return _read_page("page-reader", n_classes, 192, _quick)


def _page_reader_dense(n_classes: int) -> keras.Model:
    return _read_page("page-reader-dense", n_classes, 160, _dense)


def _glyph_reader(n_classes: int) -> keras.Model:
    """Put the body of `page-reader-dense` on an isolated character, which has no line."""
    import keras
    from keras import layers

    image = keras.Input((FRAME, FRAME, 1), name="image")
    x = layers.Dense(160, use_bias=False)(layers.Flatten()(_dense(image)))
    x = layers.ReLU(6.0, name="embedding")(layers.BatchNormalization()(x))
    logits = layers.Dense(n_classes, name="logits")(layers.Dropout(0.3)(x))
    return keras.Model(image, logits, name="glyph-reader")


def _stack(name: str, shape: tuple[int, ...], stack: list[Any]) -> keras.Model:
    import keras

    return keras.Sequential([keras.Input(shape, name="image"), *stack], name=name)


def _mnist_mlp(n_classes: int) -> keras.Model:
    from keras import layers

    stack = [
        layers.Dense(512, activation="relu"),
        layers.Dropout(0.2),
        layers.Dense(512, activation="relu"),
        layers.Dropout(0.2),
        layers.Dense(n_classes, activation="softmax"),
    ]
    return _stack("mnist-mlp", (784,), stack)


def _mnist_cnn(n_classes: int) -> keras.Model:
    from keras import layers

    stack = [
        layers.Conv2D(32, 3, activation="relu"),
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Dropout(0.25),
        layers.Flatten(),
        layers.Dense(128, activation="relu"),
        layers.Dropout(0.5),
        layers.Dense(n_classes, activation="softmax"),
    ]
    return _stack("mnist-cnn", (28, 28, 1), stack)


def _glyph_mlp(n_classes: int) -> keras.Model:
    from keras import layers

    stack: list[Any] = [layers.Dropout(0.2)]
    for width in (700, 700, 500):
        stack += [layers.Dense(width, activation="relu"), layers.Dropout(0.5)]
    stack += [
        layers.Dense(500, activation="relu"),
        layers.Dense(n_classes, activation="softmax"),
    ]
    return _stack("glyph-mlp", (FRAME * FRAME,), stack)


def _glyph_cnn(n_classes: int) -> keras.Model:
    from keras import layers

    stack = [
        layers.Dropout(0.2),
        layers.Conv2D(16, 3, activation="relu"),
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Dropout(0.5),
        layers.Conv2D(64, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Dropout(0.5),
        layers.Conv2D(128, 3, activation="relu"),
        layers.MaxPooling2D(3),
        layers.Flatten(),
        layers.Dense(500, activation="relu"),
        layers.Dropout(0.5),
        layers.Dense(n_classes, activation="softmax"),
    ]
    return _stack("glyph-cnn", (FRAME, FRAME, 1), stack)


#: Builders by name. The references end in softmax, our own in logits.
NETWORKS: dict[str, Callable[[int], keras.Model]] = {
    "page-reader": _page_reader,
    "page-reader-dense": _page_reader_dense,
    "glyph-reader": _glyph_reader,
    "mnist-mlp": _mnist_mlp,
    "mnist-cnn": _mnist_cnn,
    "glyph-mlp": _glyph_mlp,
    "glyph-cnn": _glyph_cnn,
}


def _foreign(name: str) -> Callable[[int], Any]:
    """Load a user's builder from ``path.py:function``."""
    path, _, function = name.rpartition(":")
    if not Path(path).is_file():
        raise TrainingError(f"the network {name!r}: there is no file {path}")
    # Whatever the file's name ends in.
    loader = SourceFileLoader("ocr_batch_network", path)
    spec = spec_from_loader(loader.name, loader)
    if spec is None:
        raise RuntimeError(f"{path} has no spec")
    module = module_from_spec(spec)
    try:
        loader.exec_module(module)
        found = getattr(module, function)
    except Exception as error:
        raise TrainingError(
            f"the network {name!r} can not be loaded ({type(error).__name__}: {error}); "
            f"{path} must define {function}(n_classes)"
        ) from error
    if not callable(found):
        raise TrainingError(f"the network {name!r}: {function} is no function of {path}")
    return cast("Callable[[int], Any]", found)


def build_network(name: str, n_classes: int) -> keras.Model:
    """Build an untrained network by name.

    Parameters
    ----------
    name : str
        One of `NETWORKS`, or ``path.py:function`` of a function that takes the number of classes
        and returns a network. Networks have an input ``image``, float32 in 0..1: (N, f, f, 1) or
        flat (N, f * f) for isolated characters. The page readers take ``image``
        (N, 56, 56, 2) and ``geometry`` (N, 8) float32 in x-heights. They give logits, or
        probabilities by a softmax at the end.
    n_classes : int
        Width of the output; at least 2.

    Returns
    -------
    keras.Model
        Weights drawn from Keras' global seed (`keras.utils.set_random_seed`).

    Raises
    ------
    TrainingError
        If the name is not known, there are fewer than two classes, or the user's function fails
        or gives something that can not be trained here.
    """
    if n_classes < 2:
        raise TrainingError(f"a classifier needs at least 2 classes, not {n_classes}")
    if name in NETWORKS:
        return NETWORKS[name](n_classes)
    if ":" not in name:
        known = ", ".join(NETWORKS)
        raise TrainingError(
            f"no network is called {name!r}; choose one of {known}, or give path.py:function"
        )
    try:
        model = _foreign(name)(n_classes)
    except TrainingError:
        raise
    except Exception as error:
        raise TrainingError(
            f"the network {name!r} could not be built ({type(error).__name__}: {error})"
        ) from error
    _check_shape(name, model, n_classes)
    try:
        config = json.loads(model.to_json())
    except Exception as error:
        raise TrainingError(
            f"the network {name!r} can not be stored ({type(error).__name__}: {error}); "
            "use plain Keras layers"
        ) from error
    foreign = foreign_code(config)
    if foreign is not None:
        raise TrainingError(
            f"the network {name!r} holds {foreign}, which a bundle may not bring along; "
            "use plain Keras layers"
        )
    contract_of(model)
    return model


def _check_shape(name: str, model: Any, n_classes: int) -> None:
    """Refuse what is no model, does not say what it takes, or does not give one score a class."""
    import keras

    if not isinstance(model, keras.Model):
        raise TrainingError(
            f"the network {name!r} is no Keras model: the function returned {type(model).__name__}"
        )
    if not getattr(model, "inputs", None):
        raise TrainingError(
            f"the network {name!r} does not say what it takes; begin with "
            "keras.Input((f, f, 1), name='image')"
        )
    shape = model.output_shape
    if not isinstance(shape, tuple) or len(shape) != 2:
        raise TrainingError(
            f"the network {name!r} gives {shape} instead of one output (N, {n_classes})"
        )
    if shape[1] != n_classes:
        raise TrainingError(
            f"the network {name!r}, called with {n_classes}, gave {shape[1]} outputs; "
            "use its argument, the number of classes"
        )


def contract_of(model: keras.Model, extent: int = 0) -> CropContract:
    """Return the contract of the crops that a network takes, by the shape of its inputs.

    Parameters
    ----------
    model : keras.Model
    extent : int
        Longest side, in pixels, of an isolated character's ink; 0: eleven fourteenths of the
        frame.

    Raises
    ------
    TrainingError
        If the inputs fit no contract.
    """
    shapes = {tensor.name: tuple(tensor.shape[1:]) for tensor in model.inputs}
    page = {"image": (FRAME, FRAME, CHANNELS), "geometry": (GEOMETRY,)}
    if shapes == page:
        return LINE_RELATIVE
    image = shapes.get("image", ())
    side = image[0] if len(image) == 3 else math.isqrt(image[0]) if len(image) == 1 else 0
    if len(shapes) > 1 or image not in ((side, side, 1), (side * side,)) or side < 8:
        raise TrainingError(
            f'the network takes {shapes}; it must take one input "image" of shape (f, f, 1) or '
            f"(f * f,): begin with keras.Input((f, f, 1), name='image'); a page reader {page}"
        )
    return tight(side, extent or round(side * 11 / 14))
