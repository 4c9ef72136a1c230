"""Load a bundle's Keras model without running code from it, and classify with it."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ocr_batch.errors import BundleError, OcrBatchError, UsageError
from ocr_batch.recognition.bundle import Card
from ocr_batch.recognition.devices import is_out_of_memory, name_of_device, share_gpu
from ocr_batch.recognition.logits import checked, log_softmax

if TYPE_CHECKING:
    import keras

__all__ = ["KerasClassifier", "as_logits", "foreign_code", "gives_probabilities", "load_keras"]

#: Crops that the model gets at once, on a GPU and elsewhere. It always gets so many: then it is
#: compiled once, and results do not depend on how many crops come together.
_GPU_BATCH, _BATCH = 4096, 256

#: What a stored network may consist of: models, layers, and what these are set up with. None of
#: it opens files, runs functions that it is given, or keeps tables of strings.
_PLAIN_NAMES = """
Functional Model Sequential DTypePolicy FloatDTypePolicy DTypePolicyMap
InputLayer Activation Dense EinsumDense Embedding Identity Masking
ELU LeakyReLU PReLU ReLU Softmax
Conv1D Conv1DTranspose Conv2D Conv2DTranspose Conv3D Conv3DTranspose
DepthwiseConv1D DepthwiseConv2D SeparableConv1D SeparableConv2D
AveragePooling1D AveragePooling2D AveragePooling3D MaxPooling1D MaxPooling2D MaxPooling3D
GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D
GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D
AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D
AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D
BatchNormalization GroupNormalization LayerNormalization RMSNormalization UnitNormalization
SpectralNormalization Normalization Rescaling
ActivityRegularization AlphaDropout Dropout GaussianDropout GaussianNoise
SpatialDropout1D SpatialDropout2D SpatialDropout3D
Add Average Concatenate Dot Maximum Minimum Multiply Subtract
Cropping1D Cropping2D Cropping3D Flatten Permute RepeatVector Reshape
UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D
AdditiveAttention Attention GroupedQueryAttention GroupQueryAttention MultiHeadAttention
Bidirectional GRU GRUCell LSTM LSTMCell RNN SimpleRNN SimpleRNNCell StackedRNNCells
TimeDistributed ConvLSTM1D ConvLSTM2D ConvLSTM3D
CenterCrop Resizing RandomBrightness RandomContrast RandomCrop RandomElasticTransform
RandomErasing RandomFlip RandomGaussianBlur RandomInvert RandomPerspective RandomRotation
RandomSharpness RandomShear RandomTranslation RandomZoom
Constant GlorotNormal GlorotUniform HeNormal HeUniform IdentityInitializer LecunNormal
LecunUniform Ones Orthogonal OrthogonalInitializer RandomNormal RandomUniform TruncatedNormal
VarianceScaling Zeros SeedGenerator
L1 L1L2 L2 OrthogonalRegularizer MaxNorm MinMaxNorm NonNeg UnitNorm
Absolute Abs Amax Amin BroadcastTo Cast Clip Cos Divide Einsum Exp ExpandDims Expm1 Flip
GetItem Log Log1p LogicalNot Matmul Max Mean Min Moveaxis Negative Pad Power Prod Ravel
Reciprocal Repeat Roll Round Sign Sin Split Sqrt Square Squeeze Stack Std Sum Swapaxes Take
Tanh Tensordot Tile Transpose TrueDivide Var Where
AveragePool Celu Conv ConvTranspose DepthToSpace DepthwiseConv DotProductAttention Elu Gelu
Glu HardShrink HardSigmoid HardSilu HardTanh LayerNorm LeakyRelu LogSigmoid LogSoftmax
MaxPool Moments Normalize RMSNorm Relu Relu6 Selu SeparableConv Sigmoid Silu SoftShrink
Softplus Softsign SpaceToDepth Sparsemax Squareplus TanhShrink Threshold
"""
#: Functions of Keras that a layer may name as its activation.
_ACTIVATION_NAMES = """
celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh
leaky_relu linear log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink
softmax softplus softsign sparse_plus sparse_sigmoid sparsemax squareplus swish tanh
tanh_shrink threshold
"""
_PLAIN, _ACTIVATIONS = frozenset(_PLAIN_NAMES.split()), frozenset(_ACTIVATION_NAMES.split())
#: Values that Keras writes in the form of objects.
_VALUES = frozenset(["__keras_tensor__", "__tensor__", "__numpy__", "__slice__", "__ellipsis__"])
#: What such a form has, and nothing else.
_MARKS = frozenset(["module", "class_name", "registered_name"])


def _is_plain(item: dict[str, Any]) -> bool:
    """Tell whether Keras would make one of the things above from a dictionary."""
    module, name = item.get("module"), item.get("class_name")
    registered = item.get("registered_name")
    if not isinstance(name, str):
        return False
    if name == "function":
        function = item.get("config")
        known = isinstance(function, str) and function in _ACTIVATIONS
        return (
            known
            and module in ("builtins", "keras.activations")
            and registered in (None, "function", function)
        )
    if module is None and name in _VALUES:
        return registered is None
    own = module is None or module == "keras" or str(module).startswith("keras.")
    return own and name in _PLAIN and registered in (None, name)


def foreign_code(config: Any) -> str | None:
    """Name the first thing in a Keras model's configuration that is not of Keras' plain ones.

    Whatever is not known to be harmless is refused: layers that run functions or other programs'
    models, that open files or look strings up, and what later versions of Keras may bring.

    Parameters
    ----------
    config : JSON value
        As in ``config.json`` of a Keras file: nested dictionaries and lists. How the model as a
        whole was compiled is not looked at: it is never loaded.

    Returns
    -------
    str or None
        Name of a class or function; None when there is none.
    """
    if isinstance(config, dict):
        config = {key: value for key, value in config.items() if key != "compile_config"}
    waiting: list[Any] = [config]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            if not item.keys().isdisjoint(_MARKS) and not _is_plain(item):
                name = item.get("class_name") or item.get("module")
                return str(item.get("config") if name == "function" else name)
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
    return None


def load_keras(path: Path) -> keras.Model:
    """Load a Keras model; it is looked through before Keras opens it.

    Keras is told to take a GPU's memory as it needs it, unless the GPU is in use already.

    Raises
    ------
    BundleError
        If it can not be read, or holds anything but Keras' own layers.
    UsageError
        If Keras' back end is not installed.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise BundleError(f"{path} is not a Keras model ({error}); train it again") from error
    name = foreign_code(config)
    if name is not None:
        raise BundleError(
            f"{path} holds {name}, code that a model may not bring along;"
            " use a model of plain Keras layers"
        )
    try:
        share_gpu()
        import keras
    except ImportError as error:
        raise UsageError(
            f"Keras can not start ({error}); install what it runs on, or set KERAS_BACKEND to "
            "what is installed: tensorflow, jax or torch"
        ) from error
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except (OSError, TypeError, ValueError) as error:
        raise BundleError(f"{path} can not be loaded ({error}); train the model again") from error


def _ending(model: keras.Model) -> Any:
    """Return the layer or operation that gives a model's only output."""
    import keras

    # Operations stand in the order of their depth: the last one gives the output.
    if isinstance(model, keras.Sequential):
        return model.layers[-1]
    return model.operations[-1]


def _is_softmax(ending: Any) -> bool:
    """Tell whether a layer is a softmax and nothing else."""
    if type(ending).__name__ == "Softmax":
        return getattr(ending, "axis", -1) in (-1, 1)
    return type(ending).__name__ == "Activation" and _activates_softmax(ending)


def _activates_softmax(ending: Any) -> bool:
    return getattr(getattr(ending, "activation", None), "__name__", "") == "softmax"


def gives_probabilities(model: keras.Model) -> bool:
    """Tell whether a network ends in a softmax: its outputs are probabilities, not logits."""
    import keras

    ending = _ending(model)
    if isinstance(ending, keras.Model):
        return gives_probabilities(ending)
    return _is_softmax(ending) or _activates_softmax(ending)


def as_logits(model: keras.Model) -> keras.Model:
    """Return a network without its softmax, sharing the weights of `model`.

    A temperature divides logits, and int8 keeps its resolution where classes compete only on
    logits.

    Parameters
    ----------
    model : keras.Model
        Functional or sequential, with one output.

    Returns
    -------
    keras.Model
        Takes its inputs as a dictionary by name; its outputs follow the weights of `model`.
    """
    import keras

    inputs = {tensor.name: tensor for tensor in model.inputs}
    ending = _ending(model)
    if not gives_probabilities(model):
        logits = model.outputs[0]
    elif isinstance(ending, keras.Model):
        # A model's own `input` is what it was built on; wanted is what it is called with here.
        given = keras.tree.flatten(keras.Operation.input.fget(ending))
        named = {tensor.name: value for tensor, value in zip(ending.inputs, given, strict=True)}
        logits = as_logits(ending)(named)
    elif _is_softmax(ending):
        logits = ending.input
    else:
        logits = _linear(ending)(ending.input)
    return keras.Model(inputs, logits, name=model.name)


def _linear(layer: Any) -> Any:
    """Wrap a layer that activates by a softmax into one that does not."""
    import keras

    class Linear(keras.layers.Layer):  # type: ignore[misc]
        """The same layer, its weights shared, without activation."""

        def __init__(self) -> None:
            super().__init__(name=f"{layer.name}-logits", dtype=layer.dtype_policy)
            self.layer = layer
            self.built = True

        def call(self, values: Any) -> Any:
            activation, self.layer.activation = self.layer.activation, keras.activations.linear
            try:
                return self.layer(values)
            finally:
                self.layer.activation = activation

        def compute_output_shape(self, shape: Any) -> Any:
            return self.layer.compute_output_shape(shape)

    return Linear()


def _scorer(model: keras.Model, card: Card) -> keras.Model:
    """Put bytes in front of a model, and logits behind it."""
    import keras
    from keras import layers

    contract = card.contract
    frame = (contract.frame, contract.frame, contract.channels)
    image = keras.Input(frame, name="image", dtype="uint8")
    given: dict[str, Any] = {"image": image}
    if contract.geometry:
        given["geometry"] = keras.Input((contract.geometry,), name="geometry")
    ready = {**given, "image": layers.Rescaling(1 / 255, dtype="float32")(image)}
    # Some networks take a crop as one row of numbers.
    fed = {
        tensor.name: layers.Reshape(tensor.shape[1:])(ready[tensor.name]) for tensor in model.inputs
    }
    return keras.Model(given, as_logits(model)(fed))


class KerasClassifier:
    """The Keras model itself, on whatever Keras runs on: slow to load, but it runs on a GPU.

    Parameters
    ----------
    path : Path
        The ``.keras`` file.
    card : Card
        Of its bundle.
    batch : int, optional
        Crops to classify at a time: each call of the network gets so many, of which the last may be
        padding. It halves when memory runs out.

    Raises
    ------
    BundleError
        If the file can not be loaded, or does not fit the card.
    """

    def __init__(self, path: Path, card: Card, batch: int | None = None) -> None:
        self.backend, self.card = "keras", card
        model = load_keras(path)
        import keras

        #: Name of the GPU, "" for none.
        self.device = name_of_device()
        self.batch = batch or (_GPU_BATCH if self.device else _BATCH)
        if model.output_shape[-1] != len(card.classes):
            raise BundleError(
                f"{path} tells {model.output_shape[-1]} classes apart, its card "
                f"names {len(card.classes)}; export the bundle again"
            )
        try:
            self._model = _scorer(model, card)
        except (KeyError, ValueError) as error:
            raise BundleError(
                f"{path} does not take the crops that its card names ({error}); "
                "export the bundle again"
            ) from error
        if keras.backend.backend() == "tensorflow":
            # XLA slows separable convolutions down on a CPU.
            self._model.jit_compile = False

    def scores(
        self, images: NDArray[np.uint8], geometry: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """See `Classifier.scores`."""
        result = self.logits(images, geometry)
        log_softmax(result, result)
        return result

    def logits(
        self, images: NDArray[np.uint8], geometry: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Return what `scores` makes probabilities of, (E, C) float32, the temperature applied.

        Raises
        ------
        OcrBatchError
            If memory runs out even for one crop at a time.
        """
        inputs = checked(self.card, images, geometry)
        result = np.empty((len(images), len(self.card.classes)), np.float32)
        start = 0
        while start < len(images):
            rows = slice(start, min(start + self.batch, len(images)))
            try:
                logits = self._predict({name: value[rows] for name, value in inputs.items()})
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                if self.batch == 1:
                    raise OcrBatchError(
                        "There is not enough memory to classify characters. End other programs "
                        "that use the GPU, or choose another --backend."
                    ) from error
                self.batch = (self.batch + 1) // 2
                continue
            np.divide(logits, np.float32(self.card.temperature), out=result[rows])
            start = rows.stop
        return result

    def _predict(self, inputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Return the logits of a batch or less."""
        count = len(inputs["image"])
        if count < self.batch:
            inputs = {name: _padded(values, self.batch) for name, values in inputs.items()}
        return np.asarray(self._model.predict_on_batch(dict(inputs)), np.float32)[:count]


def _padded(values: NDArray[Any], count: int) -> NDArray[Any]:
    result = np.zeros((count, *values.shape[1:]), values.dtype)
    result[: len(values)] = values
    return result
