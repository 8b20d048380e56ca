"""A line of output as pieces of text with a role each: layout and colour know nothing of each other."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple, TypeAlias


class Role(Enum):
    """What a piece of text is, from which its colour follows."""

    PLAIN = "plain"
    TITLE = "title"
    DIM = "dim"
    TIME = "time"
    STATE = "state"
    NEW_STATE = "new state"
    RAIL = "rail"
    ARROW_IN = "arrow in"
    ARROW_OUT = "arrow out"
    OPENING = "opening"
    CLOSING = "closing"
    RESET = "reset"
    DATA = "data"
    NOTE = "note"
    CAUSE = "cause"
    WARNING = "warning"
    ERROR = "error"


class Span(NamedTuple):
    """``text`` is safe to print and has no line end."""

    text: str
    role: Role


Line: TypeAlias = tuple[Span, ...]


def plain(line: Line) -> str:
    """The line's text alone, without trailing blanks."""
    return "".join(span.text for span in line).rstrip()


def wrap(spans: list[Span], width: int) -> list[Line]:
    """``spans`` broken at blanks into lines of at most ``width``; a longer word is cut."""
    lines: list[Line] = []
    current: list[Span] = []
    used = 0
    for span in spans:
        for word in span.text.split():
            while len(word) > width:
                head, word = word[:width], word[width:]
                if current:
                    lines.append(tuple(current))
                lines.append((Span(head, span.role),))
                current, used = [], 0
            blank = 1 if current else 0
            if used + blank + len(word) > width:
                lines.append(tuple(current))
                current, used, blank = [], 0, 0
            current.append(Span(" " * blank + word, span.role))
            used += blank + len(word)
    if current:
        lines.append(tuple(current))
    return lines
