import pytest
from hypothesis import given
from hypothesis import strategies as st

from usertcp.wire import ipv4
from usertcp.wire.malformed import Malformed

address = st.binary(min_size=4, max_size=4)
u8 = st.integers(0, 0xFF)
headers = st.builds(
    ipv4.Header,
    src=address,
    dst=address,
    protocol=u8,
    ttl=u8,
    tos=u8,
    identification=st.integers(0, 0xFFFF),
    dont_fragment=st.booleans(),
    more_fragments=st.booleans(),
    fragment_offset=st.integers(0, 0x1FFF).map(lambda units: units * 8),
    options=st.integers(0, 10).flatmap(lambda words: st.binary(min_size=4 * words, max_size=4 * words)),
)
SIMPLE = ipv4.Header(b"\xc0\0\2\1", b"\xc0\0\2\2", 6)


@given(headers, st.binary(max_size=40))
def test_round_trip(header: ipv4.Header, payload: bytes) -> None:
    packet = ipv4.emit(header, len(payload)) + payload
    parsed = ipv4.parse(memoryview(packet))
    assert isinstance(parsed, ipv4.Header)
    header_length = 20 + len(header.options)
    assert parsed == header._replace(header_length=header_length, total_length=len(packet))
    assert packet[parsed.header_length : parsed.total_length] == payload


def test_known_packet() -> None:
    packet = bytes.fromhex("45000073000040004011b861c0a80001c0a800c7") + bytes(0x73 - 20)
    parsed = ipv4.parse(packet)
    assert parsed == ipv4.Header(
        b"\xc0\xa8\0\1", b"\xc0\xa8\0\xc7", 17, dont_fragment=True, total_length=0x73
    )
    assert ipv4.emit(parsed, 0x73 - 20) == packet[:20]


@given(st.binary(max_size=80))
def test_any_bytes(data: bytes) -> None:
    assert isinstance(ipv4.parse(data), ipv4.Header | Malformed)


@given(headers, st.integers(0, 59), u8)
def test_any_changed_byte_is_noticed(header: ipv4.Header, at: int, value: int) -> None:
    packet = bytearray(ipv4.emit(header, 0))
    at %= len(packet)
    if packet[at] ^ value not in (0, 0xFF):  # 0x00 and 0xFF may sum to the same
        packet[at] = value
        assert isinstance(ipv4.parse(bytes(packet)), Malformed)


def test_reasons() -> None:
    packet = ipv4.emit(SIMPLE, 0)
    assert ipv4.parse(b"") is Malformed.IPV4_HEADER_TRUNCATED
    assert ipv4.parse(packet[:19]) is Malformed.IPV4_HEADER_TRUNCATED
    assert ipv4.parse(b"\x65" + packet[1:]) is Malformed.IPV4_VERSION
    assert ipv4.parse(b"\x44" + packet[1:]) is Malformed.IPV4_HEADER_LENGTH
    assert ipv4.parse(b"\x46" + packet[1:]) is Malformed.IPV4_HEADER_TRUNCATED
    assert ipv4.parse(ipv4.emit(SIMPLE, 1)) is Malformed.IPV4_TOTAL_LENGTH
    assert ipv4.parse(packet[:3] + b"\x13" + packet[4:]) is Malformed.IPV4_TOTAL_LENGTH
    assert ipv4.parse(packet[:-1] + b"\x03") is Malformed.IPV4_CHECKSUM


def test_padding_of_a_link_is_not_payload() -> None:
    parsed = ipv4.parse(ipv4.emit(SIMPLE, 2) + b"ab" + bytes(24))
    assert isinstance(parsed, ipv4.Header)
    assert parsed.total_length == 22


def test_options_are_padded() -> None:
    parsed = ipv4.parse(ipv4.emit(SIMPLE._replace(options=b"\1"), 0))
    assert isinstance(parsed, ipv4.Header)
    assert parsed.options == b"\1\0\0\0"


def test_what_cannot_be_said() -> None:
    with pytest.raises(ValueError, match="too long"):
        ipv4.emit(SIMPLE, 65516)
    with pytest.raises(ValueError, match="too long"):
        ipv4.emit(SIMPLE._replace(options=bytes(44)), 0)
    for offset in (4, 65536, -8):
        with pytest.raises(ValueError, match="offset"):
            ipv4.emit(SIMPLE._replace(fragment_offset=offset), 0)
