"""The code blocks of a script, ``%{ assert tcpi_snd_cwnd == 10 }%``: a small part of Python, interpreted.

Nothing of Python's own evaluation is used: the text is parsed to a tree (:mod:`ast`), each node of the tree must be
of a kind that is known here, and the tree is walked by :mod:`.code_values`.  There are no attributes, imports,
definitions or comprehensions, so a block can only compute; steps, numbers and texts are bounded, so it ends.

What a block may use: ``assert`` with a message, assignments, ``if``, ``for``, ``while``, ``print``, arithmetic,
comparisons, conditional expressions, tuples and lists, ``%`` and f-strings, the functions of
:data:`.code_values.FUNCTIONS`, the fields of ``struct tcp_info`` by their names (``tcpi_rto``), and the constants of
:mod:`.info`.
"""

from __future__ import annotations

import ast
import re
import textwrap
import warnings
from collections.abc import Callable, Mapping
from typing import Final

from usertcp.drill import info
from usertcp.drill.code_values import FUNCTIONS, Evaluator, Mistake, NotDone, shown
from usertcp.drill.errors import Unsupported

#: A longer block is refused.
_LONGEST: Final = 64 << 10
#: ``print x`` of the language that the first scripts were written in.
_OLD_PRINT: Final = re.compile(r"^(\s*)print[ \t]+([^(\s].*)$", re.MULTILINE)

_STATEMENTS: Final = (
    ast.Assert,
    ast.Assign,
    ast.AugAssign,
    ast.Expr,
    ast.If,
    ast.For,
    ast.While,
    ast.Pass,
    ast.Break,
    ast.Continue,
)


class AssertionFailed(Exception):
    """An assertion does not hold, or the block's own arithmetic failed, on ``line``; ``reason`` says both sides."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(line, reason)
        self.line = line
        self.reason = reason

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


class _Leave(Exception):
    """``break`` (or, with ``go_on``, ``continue``) on its way to its loop."""

    def __init__(self, *, go_on: bool) -> None:
        super().__init__()
        self.go_on = go_on


class Code:
    """The code blocks of one script: what one assigns the next one may use, but for fields of tcp_info."""

    def __init__(self) -> None:
        self._names: dict[str, object] = {}
        self._evaluator = Evaluator()

    def run(self, text: str, line: int, fields: Callable[[], Mapping[str, int]]) -> list[str]:
        """Run one block, whose text begins on ``line``; returns the lines that it printed.

        ``fields`` gives the socket's information by field names (see :func:`usertcp.drill.info.fields`); it is
        called at most once, and only where the block has a name that nothing else explains.

        Raises AssertionFailed, and Unsupported for anything that is not of this small part of Python.
        """
        tree = _parse(text, line)
        for name in [name for name in self._names if name.startswith("tcpi_")]:
            del self._names[name]
        return _Block(text, line, self._names, self._evaluator, fields).run(tree)


class _Block:
    """One run of one block."""

    def __init__(
        self,
        text: str,
        line: int,
        names: dict[str, object],
        evaluator: Evaluator,
        fields: Callable[[], Mapping[str, int]],
    ) -> None:
        self._line = line
        self._names = names
        self._evaluator = evaluator
        self._fields = fields
        self._known: Mapping[str, int] | None = None

    def run(self, tree: ast.Module) -> list[str]:
        evaluator = self._evaluator
        evaluator.begin(self._look_up)
        try:
            self._body(tree.body)
        except (NotDone, Mistake) as error:
            line = self._line + error.line - 1
            if isinstance(error, NotDone):
                raise Unsupported(line, f"code block: {error.reason}") from None
            raise AssertionFailed(line, error.reason) from None
        return evaluator.printed

    def _look_up(self, name: str) -> object:
        """What ``name`` stands for.  Raises KeyError."""
        if name in self._names:
            return self._names[name]
        if name in info.CONSTANTS:
            return info.CONSTANTS[name]
        if self._known is None:
            self._known = self._fields()
        return self._known[name]

    def _body(self, statements: list[ast.stmt]) -> None:
        for statement in statements:
            self._evaluator.deeper(statement)
            try:
                self._statement(statement)
            finally:
                self._evaluator.depth -= 1

    def _statement(self, node: ast.stmt) -> None:
        evaluate = self._evaluator.evaluate
        match node:
            case ast.Expr(value=value):
                evaluate(value)
            case ast.Assert():
                self._assert(node)
            case ast.Assign(targets=targets, value=value):
                result = evaluate(value)
                for target in targets:
                    self._assign(target, result)
            case ast.AugAssign(target=ast.Name(id=name) as target, op=operation, value=value):
                old = ast.copy_location(ast.Name(name, ast.Load()), target)
                self._assign(target, evaluate(ast.copy_location(ast.BinOp(old, operation, value), node)))
            case ast.If(test=test, body=body, orelse=orelse):
                self._body(body if evaluate(test) else orelse)
            case ast.For(target=target, iter=iterated):
                for item in self._evaluator.items(iterated):
                    self._assign(target, item)
                    if not self._once(node.body):
                        return
                self._body(node.orelse)
            case ast.While(test=test):
                while evaluate(test):
                    if not self._once(node.body):
                        return
                self._body(node.orelse)
            case ast.Break() | ast.Continue():
                raise _Leave(go_on=isinstance(node, ast.Continue))

    def _once(self, body: list[ast.stmt]) -> bool:
        """One round of a loop; False: it was the last."""
        try:
            self._body(body)
        except _Leave as leave:
            return leave.go_on
        return True

    def _assign(self, target: ast.expr, value: object) -> None:
        if not isinstance(target, ast.Name):
            raise NotDone(target, "assignment to anything but a name")
        if len(self._names) >= 1000 and target.id not in self._names:
            raise NotDone(target, "more than 1000 names")
        self._names[target.id] = value

    def _assert(self, node: ast.Assert) -> None:
        if isinstance(node.test, ast.Tuple):
            raise NotDone(node, "an assertion on a tuple holds always")
        if self._evaluator.evaluate(node.test):
            return
        reason = f"assertion failed: {shown(node.test)}"
        values = self._values_in(node.test)
        if values:
            reason += f" ({values})"
        if node.msg is not None:
            reason += f": {self._evaluator.evaluate(node.msg)}"
        raise Mistake(node, reason)

    def _values_in(self, test: ast.expr) -> str:
        """What the names of an expression stand for: ``tcpi_snd_cwnd = 9``."""
        names = dict.fromkeys(n.id for n in ast.walk(test) if isinstance(n, ast.Name) and n.id not in FUNCTIONS)
        found = []
        for name in names:
            try:
                found.append(f"{name} = {self._look_up(name)!r}")
            except KeyError:
                continue  # in a part that was not evaluated
        return ", ".join(found)


# -- From text to a tree that holds nothing unknown ---------------------------------------------------------


def check(text: str, line: int) -> None:
    """Raises Unsupported where running the block would, whatever the values in it are."""
    _parse(text, line)


def _parse(text: str, line: int) -> ast.Module:
    """Raises Unsupported where the text is no Python, or holds what is not done here."""
    if len(text) > _LONGEST:
        raise Unsupported(line, f"code block: longer than {_LONGEST} characters")
    problem: SyntaxError | None = None
    for candidate in _layouts(text):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of Python's own, about the text
                tree = ast.parse(candidate)
        except SyntaxError as error:
            problem = problem or error
            continue
        except (ValueError, RecursionError, MemoryError):
            raise Unsupported(line, "code block: not text that Python can read") from None
        _check(tree, line)
        return tree
    at = line + max(0, (problem.lineno or 1) - 1) if problem is not None else line
    raise Unsupported(at, f"code block: not Python: {problem.msg if problem is not None else ''}")


def _layouts(text: str) -> list[str]:
    """The ways to read the text's indentation: its first line stands behind ``%{``, the others where they like."""
    first, newline, rest = text.partition("\n")
    first = first.strip()
    rest = textwrap.dedent(rest)
    aligned = first + newline + rest
    inside = first + newline + textwrap.indent(rest, " ")
    continued = first + newline + rest.lstrip()
    found = [aligned, inside, continued]
    return found + [_OLD_PRINT.sub(r"\1print(\2)", layout) for layout in found]


_EXPRESSIONS: Final = (
    ast.BinOp,
    ast.BoolOp,
    ast.Call,
    ast.Compare,
    ast.Constant,
    ast.FormattedValue,
    ast.IfExp,
    ast.JoinedStr,
    ast.List,
    ast.Name,
    ast.Subscript,
    ast.Tuple,
    ast.UnaryOp,
)


def _check(tree: ast.Module, line: int) -> None:
    """Refuse what is not done here, wherever it stands: in a branch that is not taken too."""
    loops = [node for node in ast.walk(tree) if isinstance(node, (ast.For, ast.While))]
    in_loops = {id(inner) for loop in loops for statement in loop.body for inner in ast.walk(statement)}
    for node in ast.walk(tree):
        if isinstance(node, (ast.stmt, ast.expr)):
            at = line + node.lineno - 1
            known = isinstance(node, _STATEMENTS if isinstance(node, ast.stmt) else _EXPRESSIONS)
            if not known:
                raise Unsupported(at, f"code block: {shown(node)}")
            if isinstance(node, (ast.Break, ast.Continue)) and id(node) not in in_loops:
                raise Unsupported(at, f"code block: {shown(node)} outside a loop")
            if isinstance(node, ast.Call) and not (isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS):
                raise Unsupported(at, f"code block: {shown(node)}")
