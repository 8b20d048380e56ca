"""The grammar of system calls, and of the expressions that are their arguments and results.

``name(arguments) = result [ERRNO] [(note)]``.  An expression knows nothing of the call that it is for: structures
are names and values in their order.
"""

from __future__ import annotations

import re

from usertcp.drill.lexer import FRACTION, HEXADECIMAL, INTEGER, STRING, WORD, Lexer
from usertcp.drill.script import Anything, Array, Call, Expression, Number, Operation, Structure, SystemCall, Text, Word

#: How deep brackets may stand in brackets, and how many operators may follow each other: who walks over an
#: expression may recurse.
MOST_DEPTH = 40
MOST_OPERATORS = 100

#: Loosest first.  A "+" or "*" behind a result begins the next event, so sums and products need brackets.
_PRECEDENCE = {"|": 1, "^": 2, "&": 3, "<<": 4, ">>": 4}

_NOTE = re.compile(r"\(([^()\n]*+(?:\([^()\n]*+\)[^()\n]*+)*+)\)")
_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|.)", re.DOTALL)
_ESCAPED = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}


def system_call(lexer: Lexer, end: float | None) -> SystemCall:
    """The call that comes next; ``end`` is its event's."""
    name = lexer.expect(WORD, "the name of a system call")
    if name[0].isdigit():
        raise lexer.wrong(f"'{name[:40]}' is no name of a system call")
    lexer.expect("(", f"'(' behind {name[:40]}")
    arguments = _list(lexer, ")", 0)
    lexer.expect("=", "'=' and the call's result")
    offset = lexer.start
    result = expression(lexer)
    errno = note = None
    if lexer.kind == WORD and lexer.on_line_of(offset):
        errno = lexer.take()
    if lexer.kind == "(":
        match = lexer.raw(_NOTE)
        if match is None:
            raise lexer.wrong("a note begins here and never ends")
        note = " ".join(match[1].split())
    return SystemCall(name, arguments, result, errno, note, end)


def expression(lexer: Lexer, depth: int = 0, loosest: int = 1) -> Expression:
    """The expression that comes next, as far as it goes; of operators, those that bind as tightly as ``loosest``."""
    left = _operand(lexer, depth)
    count = 0
    while (precedence := _PRECEDENCE.get(lexer.kind, 0)) >= loosest:
        operator = lexer.take()
        count += 1
        if count > MOST_OPERATORS:
            raise lexer.wrong("an expression with too many operators")
        left = Operation(operator, left, expression(lexer, depth, precedence + 1))
    return left


def _operand(lexer: Lexer, depth: int) -> Expression:
    kind = lexer.kind
    if kind in (INTEGER, HEXADECIMAL):
        return Number(lexer.integer("a number"), kind == HEXADECIMAL)
    if kind == "...":
        lexer.take()
        return Anything()
    if kind == WORD:
        return _named(lexer, depth)
    if kind == STRING:
        return _text(lexer)
    if kind == FRACTION:
        return Number(_fraction(lexer))
    if depth >= MOST_DEPTH:
        raise lexer.wrong("brackets stand too deep in brackets")
    if lexer.accept("["):
        return Array(_list(lexer, "]", depth + 1))
    if lexer.accept("{"):
        return _structure(lexer, depth + 1)
    if lexer.accept("("):
        inner = expression(lexer, depth + 1)
        lexer.expect(")", "')'")
        return inner
    if lexer.accept("&"):  # the address of a result is written like the result
        return _operand(lexer, depth + 1)
    raise lexer.expected("a value")


def _fraction(lexer: Lexer) -> float:
    if len(lexer.text) > 40:
        raise lexer.expected("a shorter number")
    return float(lexer.take())


def _named(lexer: Lexer, depth: int) -> Expression:
    if lexer.text[0].isdigit():
        raise lexer.expected("a value")
    name = lexer.take()
    if name == "struct" and lexer.kind == WORD:
        return Word(f"struct {lexer.take()}")
    if lexer.kind != "(":
        return Word(name)
    if depth >= MOST_DEPTH:
        raise lexer.wrong("brackets stand too deep in brackets")
    lexer.take()
    return Call(name, _list(lexer, ")", depth + 1))


def _list(lexer: Lexer, closing: str, depth: int) -> tuple[Expression, ...]:
    items: list[Expression] = []
    while not lexer.accept(closing):
        items.append(expression(lexer, depth))
        if not lexer.accept(",") and lexer.kind != closing:
            raise lexer.expected(f"',' or '{closing}'")
    return tuple(items)


def _structure(lexer: Lexer, depth: int) -> Structure:
    fields: list[tuple[str, Expression]] = []
    sizes: list[tuple[str, Expression]] = []
    while not lexer.accept("}"):
        lexer.accept(".")  # C's own spelling: {.name = value}
        offset = lexer.start
        value = expression(lexer, depth)
        name = ""
        if lexer.accept("="):
            if isinstance(value, Call) and len(value.arguments) == 1:
                sizes.append((value.name, value.arguments[0]))
                value = Word(value.name)
            if not isinstance(value, Word):
                raise lexer.wrong("expected the name of a field in front of '='", offset)
            name = value.name
            value = expression(lexer, depth)
        fields.append((name, value))
        if not lexer.accept(",") and lexer.kind != "}":
            raise lexer.expected("',' or '}'")
    return Structure(tuple(fields), tuple(sizes))


def _text(lexer: Lexer) -> Text:
    offset = lexer.start
    quoted = lexer.take()[1:-1]
    try:
        value = quoted.encode("utf-8", "surrogateescape")  # bytes that were no UTF-8 are themselves again
    except UnicodeEncodeError:
        raise lexer.wrong("a string holds what is no character", offset) from None
    if b"\\" in value:
        value = _ESCAPE.sub(_unescaped, value)
    return Text(value, lexer.accept("..."))


def _unescaped(match: re.Match[bytes]) -> bytes:
    code = match[1]
    if code[0] == 0x78 and len(code) > 1:
        return bytes([int(code[1:], 16)])
    if code[0] in b"01234567":
        return bytes([int(code, 8) & 0xFF])
    return _ESCAPED.get(code, code)
