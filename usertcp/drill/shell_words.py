"""A line of shell as commands, words and redirections.  Nothing is run and nothing outside the text is looked at.

Known are quotes, backslashes, comments, `` ; ``, ``&&``, ``||`` and new lines between commands, redirections,
``$((...))`` with whole numbers, and ``$PPID``, which stays as it is.  Anything else that a shell would act on
(variables, pipes, command substitution, background jobs, grouping) is refused: read as plain text it would mean
something else.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import Final

_LONGEST: Final = 64 << 10
_MOST_BITS: Final = 64
_SPACE: Final = " \t\r"
#: A redirection's descriptor and sign: ``2>``, ``>>``, ``&>``, ``2>&1``.
_REDIRECTION: Final = re.compile(r"(?:(?P<to>[0-9]*)>&(?P<same>[0-9]+))|(?:(?P<fd>[0-9]*|&)(?P<sign>>>|>\||>|<))")
_PARENT: Final = re.compile(r"\$(?:PPID\b|\{PPID\})", re.ASCII)
#: What a shell would expand in a word, outside quotes.
_ACTIVE: Final = "*?[]{}~!"


class NotShell(ValueError):
    """The text is more than this module reads; the reason is one line."""


@dataclass(slots=True)
class Simple:
    """One command: its words, where its standard output goes (None: nowhere in particular), and how it follows
    the one before: ";", "&&" or "||"."""

    words: list[str] = field(default_factory=list)
    output: str | None = None
    after: str = ";"


def commands(text: str) -> list[Simple]:
    """The commands of ``text``, without the empty ones.  Raises NotShell."""
    if len(text) > _LONGEST:
        raise NotShell(f"longer than {_LONGEST} characters")
    return _Reader(text).read()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._found: list[Simple] = []
        self._command = Simple()

    def read(self) -> list[Simple]:
        while self._at < len(self._text):
            self._one()
        self._end(";")
        if self._command.after != ";":
            raise NotShell(f"nothing after {self._command.after}")
        return self._found

    def _one(self) -> None:
        """Take one word, sign or blank."""
        character = self._text[self._at]
        if character in _SPACE or self._text.startswith("\\\n", self._at):
            self._at += 1 if character in _SPACE else 2
        elif character in ";\n":
            self._at += 1
            self._end(";")
        elif self._text.startswith(("&&", "||"), self._at):
            self._at += 2
            self._end(self._text[self._at - 2 : self._at])
        elif character == "#":
            end = self._text.find("\n", self._at)
            self._at = len(self._text) if end < 0 else end
        elif redirection := _REDIRECTION.match(self._text, self._at):
            self._at = redirection.end()
            self._redirect(redirection)
        else:
            self._command.words.append(self._word())

    def _end(self, sign: str) -> None:
        """A command is over; ``sign`` is what stands after it."""
        if self._command.words:
            self._found.append(self._command)
            self._command = Simple(after=sign)
        elif self._command.output is not None:
            raise NotShell("a redirection without a command")
        elif sign != ";":
            raise NotShell(f"nothing before {sign}")

    def _redirect(self, sign: re.Match[str]) -> None:
        if sign["same"] is not None:
            return  # one output joins another: both are thrown away or shown to nobody
        while self._at < len(self._text) and self._text[self._at] in _SPACE:
            self._at += 1
        target = self._word()
        if sign["sign"] == "<" or not target:
            raise NotShell("input from a file" if target else "a redirection to nothing")
        if sign["fd"] in ("", "1"):
            self._command.output = target
        elif target != "/dev/null":
            raise NotShell(f"output to {target}")

    def _word(self) -> str:
        """The word that begins here; quotes are taken off."""
        parts: list[str] = []
        text = self._text
        while self._at < len(text) and text[self._at] not in _SPACE + "\n;&|<>":
            character = text[self._at]
            if character == "'":
                parts.append(self._until("'"))
            elif character == '"':
                parts.append(self._double())
            elif character == "\\":
                parts.append(text[self._at + 1 : self._at + 2].replace("\n", ""))
                self._at += 2
            elif character == "$":
                parts.append(self._expansion())
            elif character in "()`" or character in _ACTIVE:
                raise NotShell(f"{character} outside quotes")
            else:
                parts.append(character)
                self._at += 1
        if text.startswith(("|", "&"), self._at) and not text.startswith(("||", "&&"), self._at):
            raise NotShell("a pipe" if text[self._at] == "|" else "a job in the background")
        return "".join(parts)

    def _until(self, quote: str) -> str:
        end = self._text.find(quote, self._at + 1)
        if end < 0:
            raise NotShell("a quote that does not end")
        inside = self._text[self._at + 1 : end]
        self._at = end + 1
        return inside

    def _double(self) -> str:
        """What stands in double quotes, arithmetic done."""
        parts: list[str] = []
        self._at += 1
        while self._at < len(self._text):
            character = self._text[self._at]
            if character == '"':
                self._at += 1
                return "".join(parts)
            if character == "$":
                parts.append(self._expansion())
                continue
            if character == "`":
                raise NotShell("command substitution")
            if character == "\\" and self._text[self._at + 1 : self._at + 2] in ("$", "`", '"', "\\"):
                self._at += 1
                character = self._text[self._at]
            parts.append(character)
            self._at += 1
        raise NotShell("a quote that does not end")

    def _expansion(self) -> str:
        """The value of ``$((...))``; the number of the parent, which only names of files have, stays its name."""
        text = self._text
        if parent := _PARENT.match(text, self._at):
            self._at = parent.end()
            return "$PPID"
        if not text.startswith("$((", self._at):
            raise NotShell("a variable or command substitution")
        depth, at = 2, self._at + 3
        while at < len(text) and depth:
            depth += {"(": 1, ")": -1}.get(text[at], 0)
            at += 1
        inside = text[self._at + 3 : at - 2]
        if depth or text[at - 2 : at] != "))":
            raise NotShell("$(( that does not end")
        self._at = at
        return str(arithmetic(inside))


# -- Arithmetic -----------------------------------------------------------------------------------------


def arithmetic(text: str) -> int:
    """The value of a shell's arithmetic with whole numbers, of 64 bits at most.  Raises NotShell."""
    try:
        tree = ast.parse(text.strip(), mode="eval")
        return _number(tree.body, 0)
    except (SyntaxError, ValueError, ArithmeticError, RecursionError, MemoryError):
        raise NotShell(f"the arithmetic {text.strip()[:40]}") from None


def _number(node: ast.expr, depth: int) -> int:
    if depth > 50:
        raise ValueError("too deep")
    match node:
        case ast.Constant(value=int(value)) if not isinstance(value, bool):
            result = value
        case ast.UnaryOp(op=operation, operand=operand):
            result = _unary(operation, _number(operand, depth + 1))
        case ast.BinOp(left=left, op=operation, right=right):
            result = _binary(operation, _number(left, depth + 1), _number(right, depth + 1))
        case _:
            raise ValueError("no number")
    if result.bit_length() >= _MOST_BITS:
        raise ValueError("too large")
    return result


def _unary(operation: ast.unaryop, value: int) -> int:
    match operation:
        case ast.USub():
            return -value
        case ast.UAdd():
            return value
        case ast.Invert():
            return ~value
    raise ValueError("no arithmetic")


def _binary(operation: ast.operator, left: int, right: int) -> int:
    match operation:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.Div() | ast.Mod():
            quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)  # towards zero, as in C
            return quotient if isinstance(operation, ast.Div) else left - right * quotient
        case ast.Pow() if 0 <= right < _MOST_BITS:
            return int(left**right)
        case ast.LShift() if 0 <= right < _MOST_BITS:
            return left << right
        case ast.RShift() if 0 <= right < _MOST_BITS:
            return left >> right
        case ast.BitAnd():
            return left & right
        case ast.BitOr():
            return left | right
        case ast.BitXor():
            return left ^ right
    raise ValueError("no arithmetic")
