from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.drill.packets.strategies import LOCAL_4, REMOTE_4, Ends, ends, option_lists, sequence, u32
from usertcp.drill.packets import Flow, build, compare, divide, payload_length, split
from usertcp.drill.script import OuterHeader, TcpOption, TcpPacket, UdpPacket


@given(ends, u32, st.integers(2, 5000), option_lists, st.data())
def test_two_segments_say_what_one_said(
    ends: Ends, start: int, length: int, options: tuple[TcpOption, ...], data: st.DataObject
) -> None:
    sent = build(TcpPacket(frozenset("FPW."), sequence(start, length), 1, 100, 3, options), ends.host)
    cut = data.draw(st.integers(1, length - 1))
    pieces = split(sent, cut)
    assert pieces is not None
    first = TcpPacket(frozenset("W."), sequence(start, cut), 1, 100, 3, options)
    second = TcpPacket(frozenset("FP."), sequence(start + cut, length - cut), 1, 100, 3, options)
    assert compare(first, pieces[0], ends.script) == []
    assert compare(second, pieces[1], ends.script) == []


@given(ends, u32, st.integers(2, 5000), st.data())
def test_a_divided_expectation_is_met_by_a_split_segment(
    ends: Ends, start: int, length: int, data: st.DataObject
) -> None:
    expected = TcpPacket(frozenset("FPW."), sequence(start, length), 1)
    cut = data.draw(st.integers(1, length - 1))
    pieces = split(build(expected, ends.host), cut)
    parts = divide(expected, cut)
    assert pieces is not None
    assert parts is not None
    assert [compare(part, piece, ends.script) for part, piece in zip(parts, pieces, strict=True)] == [[], []]
    assert parts[1].sequence.end == expected.sequence.end


def test_what_cannot_be_divided() -> None:
    expected = TcpPacket(frozenset("."), sequence(1, 10))
    assert divide(expected, 9) is not None
    assert divide(expected, 0) is None
    assert divide(expected, 10) is None


def test_what_cannot_be_split() -> None:
    host = Flow(REMOTE_4, LOCAL_4, 1, 2)
    segment = TcpPacket(frozenset("."), sequence(1, 10), 1)
    sent = build(segment, host)
    assert split(sent, 9) is not None
    assert split(sent, 10) is None
    assert split(sent, 0) is None
    assert split(sent[:-1], 5) is None
    assert split(sent + b"x", 5) is None
    assert split(build(UdpPacket(10), host), 5) is None
    outer = (OuterHeader("ipv4", "1.1.1.1", "2.2.2.2"),)
    assert split(build(TcpPacket(frozenset("."), sequence(1, 10), 1, outer=outer), host), 5) is None


@given(st.binary(max_size=80), st.integers(0, 100))
def test_garbage_is_not_split(packet: bytes, length: int) -> None:
    assert split(packet, length) is None


def test_how_much_payload_there_is() -> None:
    host = Flow(REMOTE_4, LOCAL_4, 1, 2)
    options = (TcpOption("mss", (1,)),)
    assert payload_length(build(TcpPacket(frozenset("."), sequence(1, 10), 1, options=options), host)) == 10
    assert payload_length(build(UdpPacket(10), host)) == 0
    assert payload_length(b"") == 0
