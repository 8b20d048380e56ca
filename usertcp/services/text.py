"""Text from the network, made safe to show."""

from __future__ import annotations


def visible(data: bytes | str, limit: int = 200) -> str:
    """``data`` as printing ASCII: anything else becomes ``\\xNN``, and what is beyond ``limit`` an ellipsis.

    Safe for a terminal, not yet for HTML: that needs :func:`html.escape` as well.
    """
    text = data.decode("latin-1") if isinstance(data, bytes) else data
    shown = "".join(map(_visible, text[:limit]))
    return shown if len(text) <= limit else shown + "..."


def _visible(character: str) -> str:
    if " " <= character <= "~" and character != "\\":
        return character
    return character.encode("unicode_escape").decode("ascii")
