"""Whether a citation of code or of a test leads somewhere: found by its name, in the syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path


def missing_code(root: Path, citation: str) -> str | None:
    """Why ``usertcp/tcp/arrival.py::segment_arrives`` or ``...::Class.method`` leads nowhere; None: it does."""
    file, _, name = citation.partition("::")
    if not file.startswith("usertcp/"):
        return f"{citation}: not of usertcp"
    if not name:
        return f"{citation}: names no function, class or constant"
    return _missing(root, file, name, citation)


def missing_test(root: Path, citation: str) -> str | None:
    """The same for a pytest id without parameters, or a script."""
    file, _, name = citation.partition("::")
    if not file.startswith("tests/"):
        return f"{citation}: not of tests"
    if file.endswith(".pkt"):
        return None if (root / file).is_file() and not name else f"{citation}: there is no such script"
    if not name.rpartition("::")[2].startswith("test"):
        return f"{citation}: names no test"
    return _missing(root, file, name.replace("::", "."), citation)


@cache
def functions(path: Path) -> frozenset[str]:
    """The functions of a file, methods with their class before them."""
    return frozenset(_functions(ast.parse(path.read_text()).body, ""))


def _functions(body: list[ast.stmt], prefix: str) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + node.name
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node.body, f"{prefix}{node.name}.")


def _missing(root: Path, file: str, name: str, citation: str) -> str | None:
    path = root / file
    if not path.is_file():
        return f"{citation}: there is no such file"
    return None if name in _names(path) else f"{citation}: {file} has no {name}"


@cache
def _names(path: Path) -> frozenset[str]:
    return frozenset(_defined(ast.parse(path.read_text()).body, ""))


def _defined(body: list[ast.stmt], prefix: str) -> Iterator[str]:
    """Functions, classes and what is assigned, those in classes with the class before them."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + node.name
        elif isinstance(node, ast.ClassDef):
            yield prefix + node.name
            yield from _defined(node.body, f"{prefix}{node.name}.")
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                for name in ast.walk(target):
                    if isinstance(name, ast.Name):
                        yield prefix + name.id
