"""The values of a code block's expressions: a walk over the tree, with bounds on all that could grow.

Values are numbers, texts, booleans, None, ranges, and tuples and lists of these, but not of each other: what is
nested could grow by squares.  Numbers stay below 2**4096, texts within 4096 characters, tuples and lists within 1000
items, ranges within 64 K numbers, and a block takes at most fifty thousand steps.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

_MOST_STEPS: Final = 50_000
_DEEPEST: Final = 100
_MOST_BITS: Final = 4096
_MOST_LINES: Final = 1000
_MOST_PLACES: Final = 100
_LONGEST: Final[tuple[tuple[tuple[type, ...], int], ...]] = (
    ((str,), 4096),
    ((tuple, list), 1000),
    ((range,), 64 << 10),
)
#: A width or precision of more than three digits, or one that is an argument.
_WIDE: Final = re.compile(r"\d{4}|\*")
_CONVERSION: Final = re.compile(r"%[^a-zA-Z%]*")

_BINARY: Final[dict[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
}
_UNARY: Final[dict[type[ast.unaryop], Callable[[Any], Any]]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
    ast.Not: operator.not_,
}
_COMPARE: Final[dict[type[ast.cmpop], Callable[[Any, Any], Any]]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}
#: What a block may call.
FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "abs": abs,
    "bool": bool,
    "float": float,
    "hex": hex,
    "int": int,
    "len": len,
    "max": max,
    "min": min,
    "print": print,  # done by Evaluator itself; here for its name
    "range": range,
    "repr": repr,
    "round": round,
    "str": str,
    "sum": sum,
}
_CONVERSIONS: Final[dict[int, Callable[[Any], str]]] = {-1: str, ord("s"): str, ord("r"): repr, ord("a"): ascii}


class _AtNode(Exception):
    """``line`` counts from the block's first line, 1."""

    def __init__(self, node: ast.expr | ast.stmt, reason: str) -> None:
        super().__init__(reason)
        self.line = node.lineno
        self.reason = reason


class NotDone(_AtNode):
    """The block wants something that is not done here, or more than its bounds allow."""


class Mistake(_AtNode):
    """The block is wrong: an assertion does not hold, or its arithmetic has no result."""


def _no_names(name: str) -> object:
    raise KeyError(name)


class Evaluator:
    """Evaluates expressions; what a name means is asked of a function that each block brings."""

    def __init__(self) -> None:
        self.printed: list[str] = []
        self._look_up: Callable[[str], object] = _no_names
        self._steps = 0
        self.depth = 0

    def begin(self, look_up: Callable[[str], object]) -> None:
        """A block begins: nothing is printed yet, and no step is taken.  ``look_up`` raises KeyError."""
        self.printed = []
        self._look_up = look_up
        self._steps = 0
        self.depth = 0

    def evaluate(self, node: ast.expr) -> Any:
        """The value of an expression.  Raises NotDone and Mistake."""
        self.step(node)
        self.deeper(node)
        try:
            return _bounded(node, self._value(node))
        except (ArithmeticError, TypeError, ValueError, LookupError) as error:
            raise Mistake(node, f"{type(error).__name__}: {error}") from None
        finally:
            self.depth -= 1

    def step(self, node: ast.expr | ast.stmt) -> None:
        """One more step.  Raises NotDone when there were too many."""
        self._steps += 1
        if self._steps > _MOST_STEPS:
            raise NotDone(node, f"more than {_MOST_STEPS} steps")

    def deeper(self, node: ast.expr | ast.stmt) -> None:
        """One level down; the caller takes it off :attr:`depth` again.  Raises NotDone when it is too deep."""
        if self.depth >= _DEEPEST:
            raise NotDone(node, "an expression or a branch too deep")
        self.depth += 1

    def items(self, node: ast.expr) -> Iterator[object]:
        """What a ``for`` over ``node`` goes through; each costs a step."""
        values = self.evaluate(node)
        if not isinstance(values, (str, tuple, list, range)):
            raise Mistake(node, f"TypeError: '{type(values).__name__}' object is not iterable")
        for value in values:
            self.step(node)
            yield value

    def _value(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=bool() | int() | float() | str() | None):
                return node.value
            case ast.Name(id=name):
                return self._name(node, name)
            case ast.BinOp(left=left, op=operation, right=right):
                return self._binary(node, operation, self.evaluate(left), self.evaluate(right))
            case ast.UnaryOp(op=operation, operand=operand):
                return _UNARY[type(operation)](self.evaluate(operand))
            case ast.BoolOp():
                return self._boolean(node)
            case ast.Compare():
                return self._comparison(node)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self.evaluate(body if self.evaluate(test) else orelse)
            case ast.Tuple(elts=parts):
                return tuple(self.evaluate(part) for part in parts)
            case ast.List(elts=parts):
                return [self.evaluate(part) for part in parts]
            case ast.Subscript(value=value, slice=index) if not isinstance(index, ast.Slice):
                return self.evaluate(value)[self.evaluate(index)]
            case ast.Call():
                return self._call(node)
            case ast.JoinedStr(values=parts):
                return "".join(str(self.evaluate(part)) for part in parts)
            case ast.FormattedValue():
                return self._formatted(node)
        raise NotDone(node, shown(node))

    def _name(self, node: ast.expr, name: str) -> object:
        try:
            return self._look_up(name)
        except KeyError:
            what = "no field of tcp_info" if name.startswith("tcpi_") else "not known"
            raise NotDone(node, f"{name} is {what}") from None

    def _binary(self, node: ast.expr, operation: ast.operator, left: Any, right: Any) -> Any:
        function = _BINARY.get(type(operation))
        if function is None:
            raise NotDone(node, "matrix multiplication")
        if isinstance(operation, ast.Mod) and isinstance(left, str):
            if any(_WIDE.search(conversion) for conversion in _CONVERSION.findall(left)):
                raise NotDone(node, "a format that is too wide")
        elif not _stays_small(operation, left, right):
            raise NotDone(node, "a value that is too large")
        return function(left, right)

    def _boolean(self, node: ast.BoolOp) -> Any:
        ends_at = isinstance(node.op, ast.Or)
        value: Any = None
        for part in node.values:
            value = self.evaluate(part)
            if bool(value) is ends_at:
                break
        return value

    def _comparison(self, node: ast.Compare) -> Any:
        left = self.evaluate(node.left)
        for sign, part in zip(node.ops, node.comparators, strict=True):
            right = self.evaluate(part)
            if not _COMPARE[type(sign)](left, right):
                return False
            left = right
        return True

    def _call(self, node: ast.Call) -> Any:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in FUNCTIONS:
            raise NotDone(node, shown(node))
        if node.keywords:
            raise NotDone(node, f"{name}() with named arguments")
        arguments = [self.evaluate(argument) for argument in node.args]
        if name == "print":
            return self._print(node, arguments)
        if name == "round" and len(arguments) == 2 and not _is_small(arguments[1]):
            raise NotDone(node, "round() to so many places")
        return FUNCTIONS[name](*arguments)

    def _print(self, node: ast.expr, arguments: Sequence[object]) -> None:
        self.printed.extend(_bounded(node, " ".join(map(str, arguments))).split("\n"))
        if len(self.printed) > _MOST_LINES:
            raise NotDone(node, f"more than {_MOST_LINES} lines printed")

    def _formatted(self, node: ast.FormattedValue) -> str:
        value = self.evaluate(node.value)
        if node.conversion != -1:
            value = _CONVERSIONS[node.conversion](value)
        form = "" if node.format_spec is None else self.evaluate(node.format_spec)
        if _WIDE.search(form):
            raise NotDone(node, "a format that is too wide")
        return format(value, form)


def _is_small(places: Any) -> bool:
    return places is None or (isinstance(places, int) and abs(places) <= _MOST_PLACES)


def _stays_small(operation: ast.operator, left: Any, right: Any) -> bool:
    """Whether an operation cannot cost much; asked before it is done.  What it gives is looked at afterwards."""
    if isinstance(operation, ast.Mult):
        for one, other in ((left, right), (right, left)):
            if isinstance(one, (str, tuple, list)) and isinstance(other, int):
                return len(one) * other <= max(most for _, most in _LONGEST)
    if not (isinstance(left, int) and isinstance(right, int)):
        return True
    if isinstance(operation, ast.LShift):
        return right <= _MOST_BITS
    if isinstance(operation, ast.Pow):
        return abs(right) * max(left.bit_length(), 1) <= _MOST_BITS
    return True


def _bounded(node: ast.expr, value: Any) -> Any:
    """``value``; raises NotDone where it is beyond the bounds."""
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        raise NotDone(node, "a number that is too large")
    if isinstance(value, complex):
        raise NotDone(node, "complex numbers")
    if isinstance(value, (str, tuple, list, range)):
        most = next(most for types, most in _LONGEST if isinstance(value, types))
        if len(value) > most:
            raise NotDone(node, "a value that is too long")
    if isinstance(value, (tuple, list)) and any(isinstance(item, (tuple, list)) for item in value):
        raise NotDone(node, "a sequence of sequences")
    return value


def shown(node: ast.AST) -> str:
    """The source of a node, cut to one short line."""
    try:
        text = ast.unparse(node)
    except (RecursionError, ValueError):
        text = type(node).__name__
    text = text.partition("\n")[0]
    return text if len(text) <= 100 else text[:97] + "..."
