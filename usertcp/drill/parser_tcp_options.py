"""The grammar of TCP options: ``<mss 1460,nop,wscale 7>``, and ``<...>`` for any."""

from __future__ import annotations

import re
from collections.abc import Callable

from usertcp.drill.lexer import HEXADECIMAL, INTEGER, WORD, Lexer
from usertcp.drill.script import TcpOption

_MASK = 0xFFFF_FFFF
_DIGITS = re.compile(r"(?:0[xX])?([0-9a-fA-F]+)(?!\w)", re.ASCII)
#: Accurate ECN counters in the order of each of the two options (RFC 9768 §3.2.3), by the first counter.
_COUNTERS = {"e0b": (172, ("e0b", "ceb", "e1b")), "e1b": (174, ("e1b", "ceb", "e0b"))}


def tcp_options(lexer: Lexer) -> tuple[TcpOption, ...] | None:
    """The options from ``<`` to ``>``; None for ``<...>``."""
    lexer.expect("<", "'<'")
    if lexer.accept("..."):
        lexer.expect(">", "'>'")
        return None
    options: list[TcpOption] = []
    while not lexer.accept(">"):
        options.append(_option(lexer))
        if not lexer.accept(",") and lexer.kind not in (">", WORD):
            raise lexer.expected("',' or '>'")
    return tuple(options)


def _option(lexer: Lexer) -> TcpOption:
    if lexer.kind in (INTEGER, HEXADECIMAL):
        return _unknown(lexer)
    if lexer.kind != WORD:
        raise lexer.expected("a TCP option")
    reader = _READERS.get(lexer.text.lower())
    if reader is None:
        raise lexer.unsupported(f"the TCP option {lexer.found()}")
    lexer.take()
    return reader(lexer)


def _mss(lexer: Lexer) -> TcpOption:
    return TcpOption("mss", _one(lexer, "a segment size", 0xFFFF))


def _wscale(lexer: Lexer) -> TcpOption:
    return TcpOption("wscale", _one(lexer, "a shift count", 0xFF))


def _one(lexer: Lexer, what: str, high: int) -> tuple[int, ...]:
    if lexer.kind in (",", ">"):
        return ()
    return (lexer.integer(what, 0, high),)


def _sack(lexer: Lexer) -> TcpOption:
    edges: list[int] = []
    while lexer.kind in (INTEGER, HEXADECIMAL):
        edges.append(lexer.integer("a sequence number") & _MASK)
        lexer.expect(":", "':' and the block's right edge")
        edges.append(lexer.integer("the block's right edge") & _MASK)
        if lexer.kind == "," and lexer.looks_at(_BLOCK_FOLLOWS):
            lexer.take()
    return TcpOption("sack", tuple(edges))


_BLOCK_FOLLOWS = re.compile(r",\s*[-\w]+\s*:", re.ASCII)


def _timestamp(lexer: Lexer) -> TcpOption:
    return TcpOption("TS", (_stamp(lexer, "val"), _stamp(lexer, "ecr")))


def _stamp(lexer: Lexer, name: str) -> int:
    if not lexer.accept_word(name):
        raise lexer.expected(f"'{name}' and a timestamp")
    if lexer.kind in ("!", "@"):
        raise lexer.unsupported("a timestamp that is not relative")
    return lexer.integer("a timestamp", 0, _MASK)


def _cookie(kind: str) -> Callable[[Lexer], TcpOption]:
    def read(lexer: Lexer) -> TcpOption:
        if lexer.kind in (",", ">"):
            return TcpOption(kind)
        return TcpOption(kind, data=_bytes(lexer))

    return read


def _bytes(lexer: Lexer) -> bytes:
    offset, word = lexer.start, lexer.kind == WORD
    match = lexer.raw(_DIGITS)
    if match is None:
        if word and not lexer.text[0].isdigit():
            raise lexer.unsupported(f"{lexer.found()} is not defined")
        raise lexer.expected("hexadecimal digits")
    if len(match[1]) % 2:
        raise lexer.wrong("expected an even number of hexadecimal digits", offset)
    return bytes.fromhex(match[1])


def _accurate_ecn(lexer: Lexer) -> TcpOption:
    number, names = _COUNTERS.get(lexer.text, (174, ()))
    values: list[int] = []
    for name in names:
        if not lexer.accept_word(name):
            break
        values.append(lexer.integer("a counter", 0, 0xFF_FFFF))
    return TcpOption("AccECN", tuple(values), kind_number=number)


def _unknown(lexer: Lexer) -> TcpOption:
    number = lexer.integer("the number of a TCP option", 0, 0xFF)
    data = b""
    while lexer.kind not in (",", ">"):
        data += _bytes(lexer)
        if len(data) > 0xFF:
            raise lexer.wrong("a TCP option of more than 255 bytes")
    return TcpOption("unknown", data=data, kind_number=number)


_READERS: dict[str, Callable[[Lexer], TcpOption]] = {
    "nop": lambda _: TcpOption("nop"),
    "eol": lambda _: TcpOption("eol"),
    "mss": _mss,
    "wscale": _wscale,
    "sackok": lambda _: TcpOption("sackOK"),
    "sack": _sack,
    "ts": _timestamp,
    "fo": _cookie("FO"),
    "foexp": _cookie("FOEXP"),
    "md5": _cookie("md5"),
    "ecn": _accurate_ecn,
    "accecn": _accurate_ecn,
}
