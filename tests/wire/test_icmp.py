from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usertcp.wire import icmp, ipv4, ipv6, tcp
from usertcp.wire.icmp import (
    Echo,
    Message,
    Other,
    PacketTooBig,
    ParameterProblem,
    Quoted,
    TimeExceeded,
    Unreachable,
)
from usertcp.wire.malformed import Malformed
from usertcp.wire.tcp import SYN, Segment

A4, B4 = b"\xc0\0\2\1", b"\xc0\0\2\2"
A6, B6 = bytes(range(16)), bytes(range(16, 32))

u8 = st.integers(0, 0xFF)
u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 2**32 - 1)
body = st.binary(max_size=60)
echoes = st.builds(Echo, st.booleans(), u16, u16, body)
messages_v4 = st.one_of(
    echoes,
    st.builds(Unreachable, u8.filter(lambda code: code != 4), body),
    st.builds(PacketTooBig, u16, body),
    st.builds(TimeExceeded, u8, body),
    st.builds(ParameterProblem, u8, u8, body),
    st.builds(Other, st.sampled_from([4, 5, 13, 255]), u8),
)
messages_v6 = st.one_of(
    echoes,
    st.builds(Unreachable, u8, body),
    st.builds(PacketTooBig, u32, body),
    st.builds(TimeExceeded, u8, body),
    st.builds(ParameterProblem, u8, u32, body),
    st.builds(Other, st.sampled_from([0, 100, 130, 135, 255]), u8),
)


@given(messages_v4)
def test_round_trip_v4(message: Message) -> None:
    assert icmp.parse_v4(memoryview(icmp.emit_v4(message))) == message


@given(messages_v6)
def test_round_trip_v6(message: Message) -> None:
    assert icmp.parse_v6(memoryview(icmp.emit_v6(message, A6, B6)), A6, B6) == message


@given(st.binary(max_size=80))
def test_any_bytes(data: bytes) -> None:
    assert isinstance(icmp.parse_v4(data), tuple | Malformed)
    assert isinstance(icmp.parse_v6(data, A6, B6), tuple | Malformed)
    for family in (4, 6):
        assert isinstance(icmp.quoted(data, family), Quoted | Malformed)


@given(messages_v4, messages_v6, st.data())
def test_a_changed_byte_is_noticed(v4: Message, v6: Message, data: st.DataObject) -> None:
    def changed(emitted: bytes) -> bytes:
        at = data.draw(st.integers(0, len(emitted) - 1))
        change = data.draw(st.integers(1, 0xFE))  # not 0xFF: 0x00 and 0xFF may sum to the same
        return emitted[:at] + bytes((emitted[at] ^ change,)) + emitted[at + 1 :]

    assert icmp.parse_v4(changed(icmp.emit_v4(v4))) is Malformed.ICMP_CHECKSUM
    assert icmp.parse_v6(changed(icmp.emit_v6(v6, A6, B6)), A6, B6) is Malformed.ICMP_CHECKSUM


def test_reasons() -> None:
    assert icmp.parse_v4(bytes(7)) is Malformed.ICMP_TRUNCATED
    assert icmp.parse_v6(bytes(7), A6, B6) is Malformed.ICMP_TRUNCATED
    assert icmp.parse_v4(bytes(8)) is Malformed.ICMP_CHECKSUM
    assert icmp.parse_v6(icmp.emit_v6(Echo(False, 1, 2), A6, B6), A6, A6) is Malformed.ICMP_CHECKSUM


def test_an_all_zero_echo_reply_has_a_checksum() -> None:
    emitted = icmp.emit_v4(Echo(True, 0, 0))
    assert emitted == b"\0\0\xff\xff\0\0\0\0"
    assert icmp.parse_v4(emitted) == Echo(True, 0, 0)


def test_errors_quote_no_more_than_the_least_mtu_holds() -> None:
    assert len(icmp.emit_v4(Unreachable(3, bytes(2000)))) + 20 == 576
    assert len(icmp.emit_v6(Unreachable(4, bytes(2000)), A6, B6)) + 40 == 1280
    assert icmp.parse_v4(icmp.emit_v4(PacketTooBig(70000, b""))) == PacketTooBig(65535, b"")


def quoted_packet(family: int, protocol: int = 6, **fields: object) -> bytes:
    src, dst = (A4, B4) if family == 4 else (A6, B6)
    upper = tcp.emit(Segment(1234, 80, 99, 0, SYN, 1000), src, dst)
    header: ipv4.Header | ipv6.Header
    if family == 4:
        header = ipv4.Header(src, dst, protocol)._replace(**fields)  # type: ignore[arg-type]
        return ipv4.emit(header, 1480) + upper
    header = ipv6.Header(src, dst, protocol)._replace(**fields)  # type: ignore[arg-type]
    return ipv6.emit(header, 1440) + upper


@pytest.mark.parametrize("family", [4, 6])
def test_quoted(family: int) -> None:
    src, dst = (A4, B4) if family == 4 else (A6, B6)
    header_length = 20 if family == 4 else 40
    expected = Quoted(src, dst, 6, 1234, 80, 99)
    packet = quoted_packet(family)
    assert icmp.quoted(packet, family) == expected
    assert icmp.quoted(memoryview(packet)[: header_length + 8], family) == expected
    assert icmp.quoted(quoted_packet(family, 17), family) == expected._replace(protocol=17, seq=0)
    assert icmp.quoted(packet[: header_length + 7], family) is Malformed.ICMP_QUOTED_TRUNCATED
    assert icmp.quoted(packet[: header_length - 1], family) is Malformed.ICMP_QUOTED_TRUNCATED
    assert icmp.quoted(packet, 10 - family) is Malformed.ICMP_QUOTED_VERSION
    assert icmp.quoted(quoted_packet(family, 50), family) is Malformed.ICMP_QUOTED_PROTOCOL


def test_quoted_behind_options_and_fragment_headers() -> None:
    expected = Quoted(A4, B4, 6, 1234, 80, 99)
    assert icmp.quoted(quoted_packet(4, options=bytes(8)), 4) == expected
    assert icmp.quoted(quoted_packet(4, more_fragments=True), 4) == expected
    assert icmp.quoted(quoted_packet(4, fragment_offset=8), 4) is Malformed.ICMP_QUOTED_FRAGMENT
    first, later = ipv6.Fragment(0, True, 1), ipv6.Fragment(8, True, 1)
    padding = (ipv6.Extension(ipv6.DESTINATION_OPTIONS, b"\1\4\0\0\0\0"),)
    behind = cast(Quoted, icmp.quoted(quoted_packet(6, fragment=first, extensions=padding), 6))
    assert (behind.src_port, behind.seq) == (1234, 99)
    assert icmp.quoted(quoted_packet(6, fragment=later), 6) is Malformed.ICMP_QUOTED_FRAGMENT
    cut_in_the_extension = quoted_packet(6, extensions=padding)[:44]
    assert icmp.quoted(cut_in_the_extension, 6) is Malformed.ICMP_QUOTED_TRUNCATED
