"""Pages and tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

_HEAD: Final = "<!-- Made by tools/make_docs from {source}: change that, and run it again. -->\n"


def page(source: str, *parts: str | Iterator[str]) -> str:
    """A page that says what it was made from; ``parts`` are paragraphs, an empty line apart."""
    lines = [_HEAD.format(source=source)]
    for part in parts:
        lines += [*([part] if isinstance(part, str) else part), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def table(*rows: tuple[str, ...]) -> Iterator[str]:
    """A table; the first row is its head."""
    for index, row in enumerate(rows):
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
        if index == 0:
            yield "|" + " --- |" * len(row)
