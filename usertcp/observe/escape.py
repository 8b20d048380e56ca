"""The one place that makes text from elsewhere safe to show.

Whatever came over the network or out of a file may hold escape sequences that move the cursor, change the
window's title or reverse the direction of writing, or HTML that runs.  Everything that observe prints or
draws goes through here first.
"""

from __future__ import annotations

from html import escape as _escape_html

#: Format characters and the like are not printable in Python's sense, so only these need naming: they are
#: printable but blank, and could hide text or fake a gap.
_BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800")


def _visible(character: str) -> str:
    if character.isprintable() and character not in _BLANK:
        return character
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def for_terminal(text: str | bytes) -> str:
    """``text`` as one line of printable characters; everything else becomes ``\\xNN`` or ``\\uNNNN``.

    Line ends are escaped too: a line stays a line.  Bytes are read as UTF-8, wrong ones become ``\\xNN``.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "backslashreplace")
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_visible, text))


def for_ascii(text: str) -> str:
    """Our own drawings for an output that can write nothing but ASCII: one character for one, columns stay."""
    return text.translate(_ASCII).encode("ascii", "replace").decode("ascii")


_ASCII = str.maketrans(
    "─╌│├┤┌┐└┘┬┴┼╴╵╶╷━┃┏┓┗┛┣┫┳┻╋◆◇◀▶▲▼→…·—§✗±",
    "--|||+++++++-|-|=#+++++++++*o<>^v>:,-Sx~",
)


def for_html(text: str | bytes) -> str:
    """``text`` for the content or a quoted attribute of HTML or SVG."""
    return _escape_html(for_terminal(text), quote=True)
