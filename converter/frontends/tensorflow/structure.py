"""Which inputs a Keras model takes and in which structure, and what its outputs are called."""

from collections.abc import Mapping, Sequence
from typing import Any

from converter.frontends.tensorflow.library import load
from converter.named import Wanted
from edge_runtime.errors import UnsupportedModelError


def inputs_of(model: Any) -> tuple[Any, tuple[Wanted, ...]]:
    """A structure with a leaf for each input, and the inputs in the order of the leaves.

    A functional model says what they are; of a class of the author's own, Keras keeps the structure that
    it was built on, and a list's inputs are `input_0` and so on. None stands for one tensor of which
    nothing is known. Raises UnsupportedModelError for structures inside structures.
    """
    tensors = getattr(model, "inputs", None) or []
    if len(tensors) == 1:
        (only,) = tensors
        return getattr(model, "_inputs_struct", only), (_wanted(only, only.name),)
    if tensors:
        structure = model._inputs_struct
        names = _leaf_names(structure, [each.name for each in tensors])
        leaves = load().keras.tree.flatten(structure)
        return structure, tuple(map(_wanted, leaves, names))
    shapes = list((model._build_shapes_dict or {}).values())
    built = shapes[0] if len(shapes) == 1 else None
    if built is None or _is_shape(built) or len(built) < 2:
        return None, (Wanted("", None, "float32"),)
    parts = list(built.values()) if isinstance(built, Mapping) else list(built)
    if not all(map(_is_shape, parts)):
        raise UnsupportedModelError(
            f"model: expected one input, a list or a dict; {type(model).__name__} was built on "
            f"structures inside one another, {built}. Make a functional model of it."
        )
    structure = dict.fromkeys(built, 0) if isinstance(built, Mapping) else [0 for _ in built]
    names = _leaf_names(structure, [f"input_{at}" for at in range(len(built))])
    return structure, tuple(Wanted(name, None, "float32") for name in names)


def packed(structure: Any, given: Sequence[Any]) -> Any:
    """One tensor an input in the model's own structure."""
    if structure is None:
        return given[0]
    return load().keras.tree.pack_sequence_as(structure, list(given))


def told_names(made: Any, own: Sequence[str]) -> list[str]:
    """What each output is called: by its key in a dict, by the model's `own` names of a list, or by its
    place."""
    paths = [path for path, _ in load().keras.tree.flatten_with_path(made)]
    if not isinstance(made, Mapping) and len(own) == len(paths):
        return list(own)
    names = ["_".join(map(str, path)) for path in paths]
    return [f"output_{name}" if name[:1].isdigit() else name for name in names]


def _leaf_names(structure: Any, own: list[str]) -> list[str]:
    """The keys of a dict, by which its author calls the model; else the inputs' own names."""
    if not isinstance(structure, Mapping):
        return own
    paths = load().keras.tree.flatten_with_path(structure)
    return ["_".join(map(str, path)) for path, _ in paths]


def _wanted(tensor: Any, name: str) -> Wanted:
    return Wanted(name, tuple(tensor.shape[1:]), tensor.dtype)


def _is_shape(found: Any) -> bool:
    return isinstance(found, list | tuple) and all(isinstance(size, int | None) for size in found)
