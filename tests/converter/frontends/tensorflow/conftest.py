"""Tests here run in a process of their own: TensorFlow, once imported, stays, with its threads."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context
from typing import Any

import pytest

from tests.converter.frontends.tensorflow.judging import prepare


@pytest.fixture(scope="package", autouse=True)
def child() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(1, get_context("spawn"), initializer=prepare) as pool:
        yield pool


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool:
    """Call the test in the child; what it raises comes back."""
    given = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    name = pyfuncitem.originalname
    pyfuncitem.funcargs["child"].submit(_called, pyfuncitem.module.__name__, name, given).result()
    return True


def _called(module: str, name: str, given: dict[str, Any]) -> None:
    getattr(import_module(module), name)(**given)
