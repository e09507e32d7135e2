"""A trained model as one function of one tensor, with a batch of unknown size, at inference."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from converter.foreign import translated
from converter.frontends.tensorflow import texts
from converter.frontends.tensorflow.library import load, quiet
from edge_runtime.errors import ConversionError, InputError, UnsupportedModelError

_SIGNATURES = ("serving_default", "serve")


@dataclass(frozen=True)
class Callee:
    """What is asked for answers: a Keras model, or a signature of a SavedModel.

    call: of one tensor, batch first; gives a tensor, or several. shape: of its input without the batch;
        a size that may vary is None, and None in its place where the model does not say, as a class of
        the author's own. dtype: of its input.
    """

    model: Any
    call: Any
    shape: tuple[int | None, ...] | None
    dtype: str

    @property
    def is_keras(self) -> bool:
        return isinstance(self.model, load().keras.Model)

    @property
    def name(self) -> str:
        return f"Keras {type(self.model).__name__}" if self.is_keras else "TensorFlow SavedModel"


def callee(model: Any) -> Callee:
    """How a model is called. Raises UnsupportedModelError where it has several inputs, ConversionError
    where it was never built."""
    keras = load().keras
    if isinstance(model, keras.Model):
        return _of_keras(model)
    signatures = getattr(model, "signatures", {})
    for name in _SIGNATURES:
        if name in signatures:
            return _of_signature(model, signatures[name], name)
    raise UnsupportedModelError(
        f"model: expected a Keras 3 model, or a SavedModel with the signature {_SIGNATURES[0]!r}; found "
        f"{type(model).__module__.partition('.')[0]} {type(model).__name__} with the signatures "
        f"{sorted(signatures)}. Save it with model.export(folder)."
    )


def _of_keras(model: Any) -> Callee:
    if not model.built:
        raise ConversionError(
            f"model: Keras {type(model).__name__} has no weights yet: it was never called. Train it "
            "first."
        )
    inputs = getattr(model, "inputs", None) or []
    _check_one("inputs", len(inputs) or 1)
    shape, dtype = None, "float32"
    if inputs:
        shape, dtype = tuple(inputs[0].shape[1:]), inputs[0].dtype

    def call(x: Any) -> Any:
        with stateless(model):
            return model(x, training=False)

    return Callee(model, call, shape, dtype)


def _of_signature(model: Any, signature: Any, name: str) -> Callee:
    _, given = signature.structured_input_signature
    _check_one(f"inputs of the signature {name!r}", len(given))
    ((key, spec),) = given.items()
    known = spec.shape.rank is not None
    return Callee(
        model,
        lambda x: signature(**{key: x}),
        tuple(spec.shape[1:]) if known else None,
        spec.dtype.name,
    )


def _check_one(what: str, found: int) -> None:
    if found != 1:
        raise UnsupportedModelError(
            f"model: expected one of its {what}, found {found}. Convert a model of one input and one "
            "output; join several in front of it."
        )


def concrete(of: Callee, shape: tuple[int, ...]) -> Any:
    """The model traced for inputs of `shape`: a concrete function of one tensor.

    Raises InputError where the model takes no such shape, UnsupportedModelError for several outputs.
    """
    check_shape(of, shape)
    tf = load().tf
    spec = tf.TensorSpec([None, *shape], of.dtype, name="input")

    def one(x: Any) -> Any:
        return single(of.call(x))

    advice = "Give inputs like those that the model was trained on."
    what = f"{of.name} refuses inputs of shape {shape}"
    with translated(what, advice=advice), quiet(), texts.from_tokens(of.model):
        return tf.function(one, autograph=False).get_concrete_function(spec)


def single(answer: Any) -> Any:
    """The one tensor of an answer."""
    found = load().tf.nest.flatten(answer)
    _check_one("outputs", len(found))
    return found[0]


def check_shape(of: Callee, shape: tuple[int, ...]) -> None:
    """Whether a model takes inputs of `shape`. Raises InputError."""
    wanted = of.shape if (length := texts.length(of.model)) is None else (length,)
    if wanted is None:
        return
    fits = len(wanted) == len(shape) and all(w in (None, g) for w, g in zip(wanted, shape, strict=True))
    if not fits:
        sizes = ", ".join("any" if size is None else str(size) for size in wanted)
        raise InputError(
            f"inputs: expected shape (inputs, {sizes}), which the model {of.name} takes; found "
            f"(inputs, {', '.join(map(str, shape))})."
        )


@contextmanager
def stateless(model: Any) -> Iterator[None]:
    """With recurrent layers that begin anew in every call, whatever was asked before.

    A device answers each input on its own: a state that is carried from one to the next would make an
    answer depend on which inputs came before, restarts and other callers included.
    """
    layers = [each for each in model._flatten_layers() if getattr(each, "stateful", False)]
    try:
        for layer in layers:
            layer.stateful = False
        yield
    finally:
        for layer in layers:
            layer.stateful = True
