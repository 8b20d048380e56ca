"""A strict reader of what usertcp writes, by draft-ietf-opsawg-pcapng: anything else is an error."""

from __future__ import annotations

import struct
from typing import NamedTuple

SECTION_HEADER, INTERFACE, PACKET = 0x0A0D0D0A, 1, 6
COMMENT, FLAGS, MISSING = 1, 2, 4


class Block(NamedTuple):
    kind: int
    body: bytes


class Packet(NamedTuple):
    data: bytes
    nanoseconds: int
    direction: int = 0
    comments: tuple[str, ...] = ()
    missing: int = 0


def blocks(data: bytes) -> list[Block]:
    """All of them; nothing may be left over."""
    found = []
    view = memoryview(data)
    while view:
        kind, length = struct.unpack_from("<II", view)
        assert length % 4 == 0
        assert 12 <= length <= len(view)
        assert struct.unpack_from("<I", view, length - 4) == (length,)
        found.append(Block(kind, bytes(view[8 : length - 4])))
        view = view[length:]
    return found


def whole(data: bytes) -> int:
    """How many bytes are whole blocks; behind them there may be the beginning of one more."""
    at = 0
    while len(data) - at >= 8:
        length = struct.unpack_from("<I", data, at + 4)[0]
        if at + length > len(data):
            break
        at += length
    return at


def options(data: bytes) -> list[tuple[int, bytes]]:
    found = []
    while data:
        code, length = struct.unpack_from("<HH", data)
        if code == 0:
            assert (length, data) == (0, bytes(4))
            return found
        found.append((code, data[4 : 4 + length]))
        assert not any(data[4 + length : 4 + length + (-length & 3)])
        data = data[4 + length + (-length & 3) :]
    assert not found, "options without an end"
    return found


def packet(block: Block) -> Packet:
    assert block.kind == PACKET
    interface, high, low, captured, original = struct.unpack_from("<IIIII", block.body)
    assert interface == 0
    assert captured == original
    data = block.body[20 : 20 + captured]
    found = options(block.body[20 + captured + (-captured & 3) :])
    assert {code for code, _ in found} <= {COMMENT, FLAGS, MISSING}
    codes = [code for code, _ in found if code != COMMENT]
    assert len(codes) == len(set(codes))
    once = dict(found)
    return Packet(
        data,
        high << 32 | low,
        struct.unpack("<I", once.get(FLAGS, bytes(4)))[0],
        tuple(value.decode() for code, value in found if code == COMMENT),
        struct.unpack("<Q", once.get(MISSING, bytes(8)))[0],
    )


def packets(data: bytes) -> list[Packet]:
    """Those of a whole capture: a section, an interface, packets."""
    section, interface, *rest = blocks(data)
    assert (section.kind, interface.kind) == (SECTION_HEADER, INTERFACE)
    return [packet(block) for block in rest]
