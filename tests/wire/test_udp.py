import pytest
from hypothesis import given
from hypothesis import strategies as st

from usertcp.wire import udp
from usertcp.wire.malformed import Malformed

V4 = bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2])
V6 = bytes.fromhex("fd009293000000000000000000000001"), bytes.fromhex("fd009293000000000000000000000002")


@given(
    st.sampled_from([V4, V6]), st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.binary(max_size=100), st.binary()
)
def test_what_is_emitted_is_parsed(
    ends: tuple[bytes, bytes], src_port: int, dst_port: int, payload: bytes, padding: bytes
) -> None:
    datagram = udp.emit(*ends, src_port, dst_port, payload) + payload
    assert udp.parse(datagram + padding, *ends) == udp.Header(src_port, dst_port, 8 + len(payload))


@given(st.sampled_from([V4, V6]), st.binary(min_size=1, max_size=40), st.data())
def test_any_changed_bit_is_noticed(ends: tuple[bytes, bytes], payload: bytes, data: st.DataObject) -> None:
    datagram = bytearray(udp.emit(*ends, 1000, 53, payload) + payload)
    bit = data.draw(st.integers(0, 8 * len(datagram) - 1))
    datagram[bit // 8] ^= 1 << bit % 8
    assert isinstance(udp.parse(bytes(datagram), *ends), Malformed)


def test_a_known_datagram() -> None:
    # The sum, word by word.
    assert udp.emit(*V4, 53, 53, b"hi") == bytes.fromhex("00350035000a") + (0xFFFF ^ _sum(b"hi")).to_bytes(2, "big")


def _sum(payload: bytes) -> int:
    words = b"".join(V4) + bytes([0, 17, 0, 10, 0, 53, 0, 53, 0, 10]) + payload
    total = sum(int.from_bytes(words[at : at + 2], "big") for at in range(0, len(words), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


@pytest.mark.parametrize(
    ("datagram", "reason"),
    [
        ("0035003500", Malformed.UDP_HEADER_TRUNCATED),
        ("0035003500070000", Malformed.UDP_LENGTH),
        ("0035003500090000", Malformed.UDP_LENGTH),
        ("0035003500080001", Malformed.UDP_CHECKSUM),
    ],
)
def test_what_is_no_datagram(datagram: str, reason: Malformed) -> None:
    assert udp.parse(bytes.fromhex(datagram), *V4) is reason


def test_no_checksum_will_do_for_ipv4_only() -> None:
    datagram = bytes.fromhex("0035003500080000")
    assert udp.parse(datagram, *V4) == udp.Header(53, 53, 8)
    assert udp.parse(datagram, *V6) is Malformed.UDP_CHECKSUM
    assert udp.parse(datagram, *V6, verify=False) == udp.Header(53, 53, 8)


def test_a_checksum_that_is_zero_is_sent_as_ones() -> None:
    for number in range(0x10000):
        payload = number.to_bytes(2, "big")
        header = udp.emit(*V4, 0, 0, payload)
        if header[6:] == b"\xff\xff":
            assert udp.parse(header + payload, *V4) == udp.Header(0, 0, 10)
            return
    raise AssertionError("no payload sums up to zero")


def test_too_long() -> None:
    with pytest.raises(ValueError, match="65536 bytes"):
        udp.emit(*V4, 1, 2, bytes(65528))
