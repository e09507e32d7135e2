"""The rules that refuse hostile input, and how each one is taken out.

A rule is one statement of the product that refuses: a `raise`, a `_demand(…)`, the `yield` of a fault.
It is named by its function and by words of it, `bundle.archive.check_names: names sorted and used once`.
To take it out, the function is compiled again without that statement, so nothing else about it changes.
"""

import ast
import importlib
import inspect
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import FunctionType
from typing import Any
from unittest import mock

PACKAGE = "edge_runtime"


@contextmanager
def taken_out(names: Sequence[str]) -> Iterator[None]:
    """The product without these rules."""
    words_by_function: dict[str, list[str]] = {}
    for name in names:
        path, _, words = name.partition(": ")
        words_by_function.setdefault(path, []).append(words)
    with ExitStack() as stack:
        for path, words_of_it in words_by_function.items():
            stack.enter_context(_without(path, words_of_it))
        yield


def exists(name: str) -> bool:
    """Whether the product has this rule."""
    path, _, words = name.partition(": ")
    try:
        _stripped(_found(path)[1], [words])
    except (AttributeError, ImportError, LookupError):
        return False
    return True


@contextmanager
def _without(path: str, words: Sequence[str]) -> Iterator[None]:
    """The product with one function that lacks some of its rules."""
    owner, function = _found(path)
    code = compile(_stripped(function, words), path, "exec")
    scope: dict[str, Any] = {}
    exec(code, inspect.unwrap(function).__globals__, scope)
    made = scope[function.__name__]
    with ExitStack() as stack:
        for holder in (owner, *_importers(function)):
            stack.enter_context(mock.patch.object(holder, function.__name__, made))
        yield


def _importers(function: FunctionType) -> list[Any]:
    """The modules that hold a function by a name of their own."""
    return [
        module
        for name, module in list(sys.modules.items())
        if name.startswith(PACKAGE) and vars(module).get(function.__name__) is function
    ]


def _found(path: str) -> tuple[Any, FunctionType]:
    """The module or class that holds a function, and the function; ImportError where there is none."""
    parts = path.split(".")
    for count in range(len(parts) - 1, 0, -1):
        try:
            owner: Any = importlib.import_module(".".join([PACKAGE, *parts[:count]]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:-1]:
            owner = getattr(owner, part)
        return owner, getattr(owner, parts[-1])
    raise ImportError(path)


def _stripped(function: FunctionType, words: Sequence[str]) -> ast.Module:
    """A function's source without its refusals that have these words; LookupError where one is not."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function))))
    for each in words:
        stripper = _Stripper(each)
        stripper.visit(tree)
        if not each or not stripper.found:
            raise LookupError(each)
    return ast.fix_missing_locations(tree)


class _Stripper(ast.NodeTransformer):
    def __init__(self, words: str) -> None:
        self._words = " ".join(words.split())
        self.found = False

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        """Where there is an else, what is not refused any more is treated as everything else is."""
        found = self.found
        self.generic_visit(node)
        taken_here = self.found and not found and isinstance(node.body[0], ast.Pass)
        return node.orelse if taken_here and node.orelse else node

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        return self._without(node)

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        is_demand = isinstance(node.value, ast.Call) and ast.unparse(node.value.func).endswith("_demand")
        is_fault = isinstance(node.value, ast.Yield)
        return self._without(node) if is_demand or is_fault else node

    def _without(self, node: ast.AST) -> ast.AST:
        if self.found or self._words not in ast.unparse(node):
            return node
        self.found = True
        return ast.Pass()
