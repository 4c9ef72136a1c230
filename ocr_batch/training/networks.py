"""Build the networks by name: the page reader's own two and the four published references."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ocr_batch.errors import TrainingError

if TYPE_CHECKING:
    import keras

__all__ = ["NETWORKS", "build_network"]

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


def _page_reader(n_classes: int) -> keras.Model:
    """Depthwise-separable: the quickest."""

    def body(x: Any) -> Any:
        # One overlapping convolution by 4 instead of two by 2: as accurate after equally many
        # steps, and half as fast again, in training as in int8.
        x = _convolution(x, 48, 6, 4)
        for filters, strides in ((64, 1), (96, 2), (96, 1), (160, 2)):
            x = _separable(x, filters, strides)
        return x

    return _read_page("page-reader", n_classes, 192, body)


def _page_reader_dense(n_classes: int) -> keras.Model:
    """Full convolutions where details are: fewer errors for a third more time."""

    def body(x: Any) -> Any:
        x = _convolution(x, 40, 6, 4)
        x = _convolution(x, 48, 3, 1)
        x = _convolution(x, 96, 3, 2)
        x = _separable(x, 128, 1)
        return _separable(x, 160, 2)

    return _read_page("page-reader-dense", n_classes, 160, body)


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


#: Builders by name. The references end in softmax, the page readers in logits.
NETWORKS: dict[str, Callable[[int], keras.Model]] = {
    "page-reader": _page_reader,
    "page-reader-dense": _page_reader_dense,
    "mnist-mlp": _mnist_mlp,
    "mnist-cnn": _mnist_cnn,
    "glyph-mlp": _glyph_mlp,
    "glyph-cnn": _glyph_cnn,
}


def build_network(name: str, n_classes: int) -> keras.Model:
    """Build an untrained network by name.

    Parameters
    ----------
    name : str
        One of `NETWORKS`. The page readers take ``image`` (N, 56, 56, 2) float32 in 0..1 and
        ``geometry`` (N, 8) float32 in x-heights, and give logits; the references take one input
        (N, 784), (N, 28, 28, 1), (N, 3136) or (N, 56, 56, 1) in 0..1 and give probabilities.
    n_classes : int
        Width of the output; at least 2.

    Returns
    -------
    keras.Model
        Weights drawn from Keras' global seed (`keras.utils.set_random_seed`).

    Raises
    ------
    TrainingError
        If the name is not known or there are fewer than two classes.
    """
    if name not in NETWORKS:
        raise TrainingError(f"no network is called {name!r}; choose one of {', '.join(NETWORKS)}")
    if n_classes < 2:
        raise TrainingError(f"a classifier needs at least 2 classes, not {n_classes}")
    return NETWORKS[name](n_classes)
