"""A trained model as one function of its inputs, with a batch of unknown size, at inference."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from converter.foreign import translated
from converter.frontends.heads import output_names
from converter.frontends.tensorflow import texts
from converter.frontends.tensorflow.library import load, quiet
from converter.frontends.tensorflow.structure import inputs_of, packed, told_names
from converter.named import Wanted
from edge_runtime.errors import ConversionError, InputError, UnsupportedModelError

_SIGNATURES = ("serving_default", "serve")


@dataclass(frozen=True)
class Callee:
    """What is asked for answers: a Keras model, or a signature of a SavedModel.

    call: of one tensor for each of the inputs, batch first; gives a tensor, or a structure of several.
    outputs: what the model calls several that come as a list; empty where it does not say.
    """

    model: Any
    call: Any
    inputs: tuple[Wanted, ...]
    outputs: tuple[str, ...] = ()

    @property
    def is_keras(self) -> bool:
        return isinstance(self.model, load().keras.Model)

    @property
    def name(self) -> str:
        return f"Keras {type(self.model).__name__}" if self.is_keras else "TensorFlow SavedModel"

    def answers(self, *given: Any) -> dict[str, Any]:
        """The model's outputs to one tensor an input, by different names."""
        made = self.call(*given)
        names = output_names(told_names(made, self.outputs), ())
        return dict(zip(names, load().keras.tree.flatten(made), strict=True))


def callee(model: Any) -> Callee:
    """How a model is called. Raises UnsupportedModelError for inputs that no bundle holds,
    ConversionError where it was never built."""
    keras = load().keras
    if isinstance(model, keras.Model):
        return _of_keras(model)
    signatures = getattr(model, "signatures", {})
    for name in _SIGNATURES:
        if name in signatures:
            return _of_signature(model, signatures[name])
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
    structure, inputs = inputs_of(model)

    def call(*given: Any) -> Any:
        with stateless(model):
            return model(packed(structure, given), training=False)

    return Callee(model, call, inputs, tuple(getattr(model, "output_names", ()) or ()))


def _of_signature(model: Any, signature: Any) -> Callee:
    _, given = signature.structured_input_signature
    inputs = tuple(
        Wanted(key, tuple(spec.shape[1:]) if spec.shape.rank is not None else None, spec.dtype.name)
        for key, spec in sorted(given.items())  # in the order they were saved in tells nothing
    )

    def call(*tensors: Any) -> Any:
        return signature(**{each.name: tensor for each, tensor in zip(inputs, tensors, strict=True)})

    return Callee(model, call, inputs)


@dataclass(frozen=True)
class Traced:
    """A concrete function of one tensor an input, and what its outputs are called, in their order."""

    function: Any
    outputs: tuple[str, ...]


def concrete(of: Callee, shapes: Sequence[tuple[int, ...]]) -> Traced:
    """The model traced for inputs of `shapes`, the batch not counted.

    Raises InputError where the only input is of no such shape; those of several were looked at before.
    """
    if len(of.inputs) == 1:
        check_shape(of, shapes[0])
    tf = load().tf
    specs = [
        tf.TensorSpec([None, *shape], each.dtype, name=f"input_{at}" if at else "input")
        for at, (shape, each) in enumerate(zip(shapes, of.inputs, strict=True))
    ]
    names: list[str] = []

    def together(*given: Any) -> Any:
        answers = of.answers(*given)
        names[:] = answers
        if len(answers) == 1:
            return list(answers.values())
        # Two outputs that are one tensor are two of the graph's.
        return [tf.identity(each) for each in answers.values()]

    advice = "Give inputs like those that the model was trained on."
    what = f"{of.name} refuses inputs of shape {', '.join(map(str, shapes))}"
    with translated(what, advice=advice), quiet(), texts.from_tokens(of.model):
        function = tf.function(together, autograph=False).get_concrete_function(*specs)
    return Traced(function, tuple(names))


def check_shape(of: Callee, shape: tuple[int, ...]) -> None:
    """Whether a model of one input takes inputs of `shape`. Raises InputError."""
    (wanted,) = of.inputs
    if (length := texts.length(of.model)) is not None:
        wanted = Wanted(wanted.name, (length,), wanted.dtype)
    if not wanted.fits(shape):
        raise InputError(
            f"inputs: expected shape {wanted.shown}, which the model {of.name} takes; found "
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
