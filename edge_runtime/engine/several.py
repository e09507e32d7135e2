"""What a caller hands to a model of several arrays becomes one batch of each, or an InputError.

The rules of one of them are those of one array. A name that the model does not know is refused, where a
table's is passed over: a table comes with columns for other purposes, an array by name does not.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from edge_runtime.bundle.manifest import Input
from edge_runtime.engine.base import Array
from edge_runtime.engine.inputs import InputCheck, check_equal_rows, listed
from edge_runtime.errors import InputError


class NamedArray(InputCheck):
    """The rules of one of several arrays; errors say which."""

    def __init__(self, declared: Input) -> None:
        super().__init__(declared)
        self._subject = f"input {declared.name!r}"

    def _place(self, at: tuple[int, ...]) -> str:
        inner = f", at [{', '.join(map(str, at[1:]))}]" if len(at) > 1 else ""
        return f"{self._subject}, row {at[0]}{inner}"


class SeveralCheck:
    """The rules of several arrays of numbers, from the manifest's inputs."""

    def __init__(self, inputs: Sequence[Input]) -> None:
        self._each = {declared.name: NamedArray(declared) for declared in inputs}

    @property
    def short_way(self) -> Mapping[str, InputCheck]:
        """See `Check.short_way`; in the manifest's order."""
        return self._each

    def feed(self, values: Any) -> dict[str, Array]:
        """See `Check.feed`: a mapping of every input's name to its array, all of n rows."""
        if not isinstance(values, Mapping):
            raise InputError(
                f"inputs: expected a mapping of the names {listed(self._each)} to arrays, found "
                f"{type(values).__name__}. Give a dict: {{{next(iter(self._each))!r}: array, ...}}."
            )
        self._check_names(values)
        checked = {name: check.batch(values[name]) for name, check in self._each.items()}
        check_equal_rows(checked, "input", "as of input")
        return checked

    def _check_names(self, values: Mapping[Any, Any]) -> None:
        missing = [name for name in self._each if name not in values]
        unknown = [name for name in values if name not in self._each]
        wrong = f"{listed(missing)} missing" if missing else f"{listed(unknown)} unknown"
        if missing or unknown:
            raise InputError(
                f"inputs: expected arrays named {listed(self._each)}, found {listed(values)}: {wrong}. "
                "Name them as the model does."
            )
