"""Load a bundle and predict: the Python API of the device part."""

import os
from collections.abc import Callable, Sequence
from numbers import Integral
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from edge_runtime.bundle import Bundle, open_bundle, open_folder
from edge_runtime.bundle.manifest import Label, Manifest, Variant
from edge_runtime.engine.base import Array, Session, in_parts, numpy_dtype
from edge_runtime.engine.check import Check, input_check
from edge_runtime.engine.loading import load_best
from edge_runtime.engine.outputs import Inference, OutputReader, Prediction
from edge_runtime.engine.row import BusyError, Read, Row, checked_row
from edge_runtime.errors import ConfigError, EngineError, TrustError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from edge_runtime.bundle import Root
    from edge_runtime.engine.golden import GoldenResult

__all__ = ["Inference", "Model", "from_bundle", "load"]

# Columns by name: a mapping, anything like a DataFrame, or a list of records; see `TableCheck`. Of a
# model of several inputs a mapping of their names to arrays; see `SeveralCheck`.
Table = Any

# Rows of one run. Larger batches are split: they gain nothing, and memory stays bounded.
MAX_BATCH = 1024


def load(
    path: str | os.PathLike[str],
    *,
    trust: str | os.PathLike[str] | None = None,
    allow_unsigned: bool = False,
    threads: int = 1,
    board: str = "",
    variant: str = "",
    provider: str = "",
) -> "Model":
    """Open a bundle, a file or an unpacked folder, and load the best variant for this machine.

    Args:
        path: `NAME-VERSION.edge`, or the folder of an unpacked bundle.
        trust: the root file that says whose signature counts.
        allow_unsigned: without `trust`, load whatever is at `path`; with it, also what carries no
            signature at all.
        threads: how many threads one run may use.
        board: what this machine is, such as "pi5"; variants for other boards are passed over then.
        variant: the id of the one that is to run, and no other; by default the first that can.
        provider: what the engine is to run it on, such as "cpu"; by default what it takes by itself.

    Raises:
        TrustError: neither `trust` nor `allow_unsigned` was given, or the signature does not count.
        ConfigError: there is no such board, or `threads` is no number of them.
        BundleError: the bundle cannot be read or was altered.
        EngineError: no variant runs on this machine.
    """
    if trust is None and not allow_unsigned:
        raise TrustError(
            f"{os.fspath(path)}: expected to be told whose signature to trust. Pass trust='root.json', "
            "or allow_unsigned=True to load it without looking at signatures."
        )
    root = None if trust is None else _root(trust)
    opener = open_folder if os.path.isdir(path) else open_bundle
    bundle = opener(path, root=root, allow_unsigned=allow_unsigned)
    try:
        return Model(
            bundle,
            threads=threads,
            board=board,
            variant=variant,
            provider=provider,
            closes_bundle=True,
        )
    except BaseException:
        bundle.close()
        raise


def _root(path: str | os.PathLike[str]) -> "Root":
    from edge_runtime.bundle import load_root  # brings what verifies signatures

    return load_root(path)


def from_bundle(
    bundle: Bundle, *, threads: int = 1, board: str = "", variant: str = "", provider: str = ""
) -> "Model":
    """A model of an open bundle, which must stay open for `replay_goldens` and is the caller's to close.

    Raises EngineError when no variant runs on this machine, BundleError when a file was altered,
    ConfigError when there is no such board, or `threads` is no number of them.
    """
    return Model(
        bundle,
        threads=threads,
        board=board,
        variant=variant,
        provider=provider,
        closes_bundle=False,
    )


class Model:
    """A loaded model; a context manager. Safe from several threads; each process loads its own.

    Attributes:
        manifest: what the model is.
        digest: the bundle's identity, SHA-256 in hexadecimal.
        bundle: the open bundle it came from.
        variant: the variant that runs.
        provider: what the engine runs it on, such as "cpu"; empty where it has no name for that.
        notes: what is to be reported of how it was loaded: why variants that the author prefers do not
            run here, what the engine could not do as it should.
        classes: class names in the order of probabilities; empty for a model without labels, and for
            one of several.
        labels: of a model of several labels, the name and classes of each.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        threads: int,
        board: str,
        variant: str,
        provider: str,
        closes_bundle: bool,
    ) -> None:
        """Use `load` or `from_bundle`."""
        given: Any = threads
        if not isinstance(given, Integral) or given < 1:  # else whoever runs it would be blamed
            raise ConfigError(f"threads: expected 1 or more, found {threads!r}.")
        if board:
            from edge_runtime.boards import board as known

            known(board)  # raises where a typing error would pass over variants
        manifest = bundle.manifest
        self.manifest: Manifest = manifest
        self.digest = bundle.digest
        self.classes = manifest.classes
        self.labels: tuple[Label, ...] = manifest.labels
        self._check: Check = input_check(manifest)
        self._reader = OutputReader(manifest)
        loaded = load_best(bundle, threads=threads, board=board, pinned=variant, provider=provider)
        self.variant: Variant = loaded.variant
        self.provider = loaded.provider
        self.notes: tuple[str, ...] = loaded.notes
        self._session: Session = loaded.session
        self._row = checked_row(self._session.row, self._check, self._reader)
        self.bundle = bundle
        self._closes_bundle = closes_bundle
        self._closed = False

    def predict(self, windows: "ArrayLike | Table") -> Prediction:
        """Predict a batch.

        Args:
            windows: numbers of shape (n, ...) as `manifest.inputs[0]` says: (n, length, channels) for a
                model of windows. Other dtypes than the declared one are converted. For a model of a
                table (`manifest.is_table`) a mapping of column names to columns of n values, a
                DataFrame, or a list of n mappings; columns it does not know are passed over. For a model
                of several inputs a mapping of exactly their names to arrays of n rows. Where `allow_nan`
                says so, NaN (for texts also None) is a missing value.

        Returns:
            Class names, str of shape (n,), of a model of m labels (n, m), read-only; of a regression or
            a transformation, values, float of shape (n,) or (n, ...), and where it has several outputs
            of them a dict of output names to these.

        Raises:
            InputError: wrong shape, a missing column or input, unequal numbers of rows, text for numbers
                or numbers for text, NaN or infinity, a value beyond the declared dtype, or a row that
                the model refuses because its source raises an error for it (`manifest.refusals`);
                nothing is answered then.
            EngineError: the run failed, or the model was closed.
        """
        return self._ask(windows, Row.main, self._reader.main)

    def predict_proba(self, windows: "ArrayLike | Table") -> Array:
        """Probabilities, float32 of shape (n, k), in the order of `classes`; arguments as in `predict`.

        Of a model of m labels the shape is (n, m, k), where k is the largest number of classes; labels
        with fewer have zeros after theirs.

        Raises EngineError for a model that has none, and what `predict` raises.
        """
        read = self._reader.probabilities
        if read is None:
            raise EngineError(
                f"{self.manifest.name} {self.manifest.version}: this {self.manifest.task} model has no "
                "probabilities; use predict."
            )
        return read(self._outputs(windows))

    def infer(self, windows: "ArrayLike | Table") -> Inference:
        """Labels, probabilities and values from one run; arguments and errors as in `predict`."""
        return self._ask(windows, Row.inference, self._inference)

    def replay_goldens(self) -> "GoldenResult":
        """Run the bundle's golden inputs here and compare with the source model's outputs.

        Raises GoldenMismatchError when they differ by more than the variant's tolerance, BundleError
        when the golden files were altered, EngineError when a run fails.
        """
        from edge_runtime.engine.golden import replay

        return replay(self.bundle, self.variant, self._run, self._outputs)

    def close(self) -> None:
        """Release the model; what is used afterwards raises EngineError. May be called twice."""
        self._closed = True
        try:
            self._session.close()
        finally:
            if self._closes_bundle:
                self.bundle.close()

    def __enter__(self) -> "Model":
        if self._closed:
            what = f"{self.manifest.name} {self.manifest.version}"
            raise EngineError(f"{what}: the model was closed. Load it again.")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        on = f" on {self.provider}" if self.provider else ""
        what, variant = f"{self.manifest.name} {self.manifest.version}", self.variant
        return f"<edge_runtime.Model {what}: variant {variant.id}, {variant.engine}{on}>"

    def __reduce__(self) -> NoReturn:
        raise EngineError(
            f"{self.manifest.name} {self.manifest.version}: expected the path of a bundle to hand on, "
            "found a loaded model, which cannot be pickled or copied: it lives in the memory of this "
            "process. "
            f"Hand on {self.bundle.location!r}, and let each process load it."
        )

    def _outputs(self, windows: "ArrayLike | Table") -> Sequence[Array]:
        return self._ask(windows, Row.copies, list)

    def _inference(self, outputs: Sequence[Array]) -> Inference:
        return self._reader.inference(outputs, self._reader.main(outputs))

    def _ask(
        self,
        windows: "ArrayLike | Table",
        of_row: Callable[[Row], Read],
        of_batch: Callable[[Sequence[Array]], Read],
    ) -> Read:
        """The short way for one row, where it is free; else the way of batches."""
        row = self._row
        if row is not None and row.fits(windows):
            try:
                return row.ask(windows, of_row)
            except BusyError:
                pass
        return of_batch(self._run(windows))

    def _run(self, windows: "ArrayLike | Table") -> Sequence[Array]:
        """All outputs for a batch of any size, in the manifest's order; the arrays are the caller's."""
        feed = self._check.feed(windows)
        count = len(next(iter(feed.values())))
        if 0 < count <= MAX_BATCH:
            return list(self._session.run(feed).values())
        if not count:
            return [
                np.empty((0, *(size or 0 for size in output.shape[1:])), numpy_dtype(output.dtype))
                for output in self.manifest.outputs
            ]
        return in_parts(lambda part: list(self._session.run(part).values()), feed, MAX_BATCH)
