"""The blocks are parsed back by hand, as draft-ietf-opsawg-pcapng lays them out."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.observe.pcapng_reader import SECTION_HEADER, blocks, options, packet, packets
from usertcp.observe.pcapng import Direction, Packet, PcapngWriter, Source


def test_a_capture_without_packets_describes_itself() -> None:
    stream = io.BytesIO()
    PcapngWriter(stream, Source("tun7", "a TUN", "super-segments", "some tool", "a machine", "a system"))
    section, interface = blocks(stream.getvalue())
    assert section.kind == SECTION_HEADER
    assert struct.unpack_from("<IHHq", section.body) == (0x1A2B3C4D, 1, 0, -1)
    assert options(section.body[16:]) == [(2, b"a machine"), (3, b"a system"), (4, b"some tool")]
    assert struct.unpack_from("<HHI", interface.body) == (101, 0, 0)
    assert options(interface.body[8:]) == [(1, b"super-segments"), (2, b"tun7"), (3, b"a TUN"), (9, b"\x09")]


@given(
    st.lists(
        st.tuples(
            st.binary(max_size=100),
            st.integers(0, 2**64 - 1),
            st.sampled_from(Direction),
            st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=3).map(tuple),
            st.integers(0, 2**64 - 1),
        ).map(Packet._make),
        max_size=4,
    )
)
def test_packets_come_back(written: list[Packet]) -> None:
    stream = io.BytesIO()
    writer = PcapngWriter(stream)
    for each in written:
        writer.packet(each)
    assert packets(stream.getvalue()) == written


class Recorder(io.BytesIO):
    """Keeps what a reader would find in the file after each write."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[bytes] = []

    def write(self, data: object) -> int:
        written = super().write(data)  # type: ignore[arg-type]
        self.seen.append(self.getvalue())
        return written


def test_a_growing_file_always_holds_whole_blocks() -> None:
    stream = Recorder()
    writer = PcapngWriter(stream)
    writer.packet(Packet(b"E" * 33, 1, comments=["first"]))
    writer.packet(Packet(b"E" * 21, 2))
    assert [len(blocks(data)) for data in stream.seen] == [2, 3, 4]


def test_a_long_comment_is_cut_between_characters() -> None:
    stream = io.BytesIO()
    PcapngWriter(stream).packet(Packet(b"E", 0, comments=["x" + "é" * 40_000]))
    (comment,) = packet(blocks(stream.getvalue())[2]).comments
    assert comment == "x" + "é" * ((0xFFFC - 1) // 2)


def test_what_is_no_unicode_is_escaped() -> None:
    stream = io.BytesIO()
    PcapngWriter(stream).packet(Packet(b"E", 0, comments=["\udc80"]))
    assert packet(blocks(stream.getvalue())[2]).comments == ("\\udc80",)


@pytest.mark.parametrize("time", [-1, 2**64])
def test_impossible_times_are_refused(time: int) -> None:
    writer = PcapngWriter(io.BytesIO())
    with pytest.raises(ValueError, match="no time in a capture"):
        writer.packet(Packet(b"E", time))
