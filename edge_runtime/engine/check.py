"""Which rules a model's inputs are checked by: one array, a table, or several arrays."""

from collections.abc import Mapping
from typing import Any, Protocol

from edge_runtime.bundle.manifest import Manifest
from edge_runtime.engine.base import Array
from edge_runtime.engine.inputs import InputCheck


class Check(Protocol):
    """The rules of a model's inputs."""

    @property
    def short_way(self) -> InputCheck | Mapping[str, InputCheck] | None:
        """The rules of the one array of numbers whose rows may go by a bound buffer, or of several such
        arrays by name; else None."""

    def feed(self, values: Any) -> dict[str, Array]:
        """One array for each input tensor by name, all of n rows, checked value by value.

        They may be the caller's own arrays: read them only. Raises InputError.
        """


def input_check(manifest: Manifest) -> Check:
    """The rules of this model's inputs. Raises EngineError for inputs that no batch can fit.

    What only some models need is imported for those: a cold start waits for every module.
    """
    if manifest.is_table:
        from edge_runtime.engine.table import TableCheck

        return TableCheck(manifest.inputs)
    if len(manifest.inputs) > 1:
        from edge_runtime.engine.several import SeveralCheck

        return SeveralCheck(manifest.inputs)
    (declared,) = manifest.inputs
    if declared.dtype == "string":
        from edge_runtime.engine.texts import TextCheck

        return TextCheck(declared)
    return InputCheck(declared, manifest.window)
