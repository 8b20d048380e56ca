"""Ladders as the text of a file: plain text, SVG or mermaid."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from pathlib import PurePath
from typing import Final

from usertcp.observe.columns import FULL_WIDTH
from usertcp.observe.ladder import ladders
from usertcp.observe.ladder_mermaid import to_mermaid
from usertcp.observe.ladder_svg import to_svg
from usertcp.observe.lines import plain
from usertcp.observe.narrator import CONCISE, Telling
from usertcp.tcp.events import TraceEvent


class Form(Enum):
    """What a ladder is drawn as; the values are what the command line calls them."""

    TEXT = "text"
    SVG = "svg"
    MERMAID = "mermaid"


_SUFFIXES: Final = {".svg": Form.SVG, ".mmd": Form.MERMAID, ".mermaid": Form.MERMAID}


def form_of(path: str) -> Form:
    """What the name of a file says that it is to hold; text where it says nothing."""
    return _SUFFIXES.get(PurePath(path).suffix.lower(), Form.TEXT)


def drawing(events: Iterable[TraceEvent], form: Form, *, telling: Telling = CONCISE, width: int = FULL_WIDTH) -> str:
    """The ladders of all connections in ``events``, as the text of one file; ``width`` is that of text."""
    match form:
        case Form.SVG:
            return to_svg(events, telling=telling)
        case Form.MERMAID:
            return to_mermaid(events, telling=telling)
        case Form.TEXT:
            return "".join(f"{plain(line)}\n" for line in ladders(events, width=width, telling=telling))
