"""The blocks are parsed back by hand, as draft-ietf-opsawg-pcapng lays them out."""

from __future__ import annotations

import io
import struct
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usertcp.observe.pcapng import Direction, PcapngWriter

SECTION_HEADER, INTERFACE, PACKET = 0x0A0D0D0A, 1, 6


class Block(NamedTuple):
    kind: int
    body: bytes


class Packet(NamedTuple):
    data: bytes
    nanoseconds: int
    direction: int | None
    comments: list[str]


def blocks(data: bytes) -> list[Block]:
    found = []
    while data:
        kind, length = struct.unpack_from("<II", data)
        assert length % 4 == 0
        assert 12 <= length <= len(data)
        assert struct.unpack_from("<I", data, length - 4) == (length,)
        found.append(Block(kind, data[8 : length - 4]))
        data = data[length:]
    return found


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
    flags = [value for code, value in found if code == 2]
    assert len(flags) <= 1
    direction = struct.unpack("<I", flags[0])[0] if flags else None
    comments = [value.decode() for code, value in found if code == 1]
    assert len(comments) + len(flags) == len(found)
    return Packet(data, high << 32 | low, direction, comments)


def test_a_capture_without_packets_describes_itself() -> None:
    stream = io.BytesIO()
    PcapngWriter(stream, interface="tun7", application="some tool")
    section, interface = blocks(stream.getvalue())
    assert section.kind == SECTION_HEADER
    assert struct.unpack_from("<IHHq", section.body) == (0x1A2B3C4D, 1, 0, -1)
    assert options(section.body[16:]) == [(4, b"some tool")]
    assert interface.kind == INTERFACE
    assert struct.unpack_from("<HHI", interface.body) == (101, 0, 0)
    assert options(interface.body[8:]) == [(2, b"tun7"), (9, b"\x09")]


@given(
    st.lists(
        st.tuples(
            st.binary(max_size=100),
            st.integers(0, 2**64 - 1),
            st.sampled_from(Direction),
            st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=3),
        ),
        max_size=4,
    )
)
def test_packets_come_back(packets: list[tuple[bytes, int, Direction, list[str]]]) -> None:
    stream = io.BytesIO()
    writer = PcapngWriter(stream)
    for data, nanoseconds, direction, comments in packets:
        writer.packet(data, nanoseconds, direction=direction, comments=comments)
    expected = [Packet(data, time, int(direction) or None, comments) for data, time, direction, comments in packets]
    assert [packet(block) for block in blocks(stream.getvalue())[2:]] == expected


class Recorder(io.BytesIO):
    """Keeps what a reader would find in the file after each flush."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[bytes] = []
        self.writes = 0

    def write(self, data: object) -> int:
        self.writes += 1
        return super().write(data)  # type: ignore[arg-type]

    def flush(self) -> None:
        self.seen.append(self.getvalue())


def test_a_growing_file_always_holds_whole_blocks() -> None:
    stream = Recorder()
    writer = PcapngWriter(stream)
    writer.packet(b"E" * 33, 1, comments=["first"])
    writer.packet(b"E" * 21, 2)
    assert [len(blocks(data)) for data in stream.seen] == [1, 2, 3, 4]
    assert stream.writes == 4


def test_a_long_comment_is_cut_between_characters() -> None:
    stream = io.BytesIO()
    PcapngWriter(stream).packet(b"E", 0, comments=["x" + "é" * 40_000])
    (comment,) = packet(blocks(stream.getvalue())[2]).comments
    assert comment == "x" + "é" * ((0xFFFC - 1) // 2)


def test_what_is_no_unicode_is_escaped() -> None:
    stream = io.BytesIO()
    PcapngWriter(stream).packet(b"E", 0, comments=["\udc80"])
    assert packet(blocks(stream.getvalue())[2]).comments == ["\\udc80"]


@pytest.mark.parametrize("time", [-1, 2**64])
def test_impossible_times_are_refused(time: int) -> None:
    writer = PcapngWriter(io.BytesIO())
    with pytest.raises(ValueError, match="no time in a capture"):
        writer.packet(b"E", time)
