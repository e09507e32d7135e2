"""Estimators judged in a few processes at once: fits, conversions and builds of plans take a while."""

import logging
import os
import warnings
from collections.abc import Iterable
from concurrent.futures import Future, ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from types import TracebackType

from tests.converter.coverage import Row, judge
from tests.converter.every_estimator import Problem, every_estimator


class Judges:
    """Judges each estimator at most once; a context manager."""

    def __init__(self, count: int, names: Iterable[str] = (), *, strict: bool = False) -> None:
        """Begin with `names`, on `count` rows each. strict: a warning is an error."""
        self._count = count
        self._pool = ProcessPoolExecutor(
            min(os.cpu_count() or 1, 8), get_context("spawn"), initializer=_prepare, initargs=(strict,)
        )
        self._rows: dict[str, Future[Row]] = {}
        for name in names:
            self._begin(name)

    def row(self, name: str) -> Row:
        """What became of an estimator, once that is known."""
        return self._begin(name).result()

    def _begin(self, name: str) -> "Future[Row]":
        if name not in self._rows:
            self._rows[name] = self._pool.submit(_judged, name, self._count)
        return self._rows[name]

    def __enter__(self) -> "Judges":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(cancel_futures=True)


def _prepare(strict: bool) -> None:
    logging.disable(logging.WARNING)  # bundles are made to be read once, unsigned
    if strict:
        warnings.simplefilter("error")


def _judged(name: str, count: int) -> Row:
    return judge(_problems()[name], count)


@cache
def _problems() -> dict[str, Problem]:
    return {problem.name: problem for problem in every_estimator()}
