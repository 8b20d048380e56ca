"""ICMP as a host does it: RFC 792, RFC 1122 §3.2.2, RFC 4443."""

from __future__ import annotations

import pytest

from usertcp.stack.host import Host, HostConfig
from usertcp.wire import icmp, ipv4, ipv6, udp, virtio
from usertcp.wire.malformed import Malformed

US = {4: bytes([192, 0, 2, 2]), 6: bytes.fromhex("fd00") + bytes(13) + b"\2"}
PEER = {4: bytes([192, 0, 2, 1]), 6: bytes.fromhex("fd00") + bytes(13) + b"\1"}
PROTOCOL = {4: icmp.PROTOCOL_V4, 6: icmp.PROTOCOL_V6}
HEADER = {4: 20, 6: 40}
families = pytest.mark.parametrize("family", [4, 6])


def make_host(*, offload: bool = False, config: HostConfig | None = None) -> Host:
    return Host([US[4], US[6]], secret=b"0123456789abcdef", offload=offload, config=config)


def counted(host: Host) -> dict[str, int]:
    return {name: value for name, value in host.stats.snapshot().items() if value}


def packet(family: int, protocol: int, payload: bytes) -> bytes:
    if family == 4:
        return ipv4.emit(ipv4.Header(PEER[4], US[4], protocol), len(payload)) + payload
    return ipv6.emit(ipv6.Header(PEER[6], US[6], protocol), len(payload)) + payload


def datagram_packet(family: int, payload: bytes = b"") -> bytes:
    """A UDP datagram from port 50000 to port 9."""
    return packet(family, udp.PROTOCOL, udp.emit(PEER[family], US[family], 50000, 9, payload) + payload)


def icmp_packet(family: int, message: icmp.Message) -> bytes:
    body = icmp.emit_v4(message) if family == 4 else icmp.emit_v6(message, PEER[6], US[6])
    return packet(family, PROTOCOL[family], body)


def answer(host: Host, family: int) -> icmp.Message:
    """The one packet that the host has to send, with its addresses checked."""
    (buffers,) = host.outbox
    host.outbox.clear()
    data = b"".join(buffers)
    if host.offload:
        assert data[: virtio.LENGTH] == bytes(virtio.LENGTH)
        data = data[virtio.LENGTH :]
    header = ipv4.parse(data) if family == 4 else ipv6.parse(data)
    assert not isinstance(header, Malformed)
    assert (header.src, header.dst) == (US[family], PEER[family])
    body = data[HEADER[family] :]
    message = icmp.parse_v4(body) if family == 4 else icmp.parse_v6(body, US[6], PEER[6])
    assert not isinstance(message, Malformed)
    return message


@families
@pytest.mark.parametrize("offload", [False, True])
@pytest.mark.parametrize("data", [b"", b"odd", bytes(1400)], ids=len)
def test_a_ping_is_answered(family: int, offload: bool, data: bytes) -> None:
    """RFC 792 page 14, RFC 4443 §4.2: identifier, sequence number and data come back."""
    host = make_host(offload=offload)
    request = icmp_packet(family, icmp.Echo(False, 77, 3, data))
    host.packet_arrives(bytes(virtio.LENGTH) + request if offload else request, 1.0)
    assert answer(host, family) == icmp.Echo(True, 77, 3, data)
    assert counted(host) == {"echo-replies": 1}


@families
def test_a_reply_is_not_answered(family: int) -> None:
    host = make_host()
    host.packet_arrives(icmp_packet(family, icmp.Echo(True, 77, 3)), 1.0)
    assert not host.outbox


@families
def test_a_damaged_ping_is_dropped(family: int) -> None:
    """RFC 792, RFC 4443 §2.3."""
    damaged = bytearray(icmp_packet(family, icmp.Echo(False, 77, 3, b"data")))
    damaged[-1] ^= 1
    host = make_host()
    host.packet_arrives(bytes(damaged), 1.0)
    assert counted(host) == {"icmp-checksum": 1}
    assert not host.outbox


@families
def test_udp_finds_no_port(family: int) -> None:
    """RFC 1122 §4.1.3.1, RFC 4443 §3.1: the answer quotes the datagram."""
    host = make_host()
    datagram = datagram_packet(family)
    host.packet_arrives(datagram, 1.0)
    code = icmp.V4_PORT if family == 4 else icmp.V6_PORT
    assert answer(host, family) == icmp.Unreachable(code, datagram)
    assert counted(host) == {"udp-port-closed": 1, "unreachables-sent": 1}


def test_an_unknown_protocol_in_ipv4() -> None:
    """RFC 1122 §3.2.2.1."""
    host = make_host()
    datagram = packet(4, 99, b"payload")
    host.packet_arrives(datagram, 1.0)
    assert answer(host, 4) == icmp.Unreachable(icmp.V4_PROTOCOL, datagram)


def test_an_unknown_next_header_in_ipv6() -> None:
    """RFC 4443 §3.4, RFC 8200 §4: code 1, and the pointer to where that number stands."""
    host = make_host()
    datagram = packet(6, 99, b"payload")
    host.packet_arrives(datagram, 1.0)
    assert answer(host, 6) == icmp.ParameterProblem(icmp.V6_UNRECOGNIZED_NEXT_HEADER, 6, datagram)


def test_the_pointer_goes_behind_extension_headers() -> None:
    """RFC 4443 §3.4: "the octet offset within the invoking packet where the error was detected"."""
    host = make_host()
    extensions = [ipv6.Extension(ipv6.DESTINATION_OPTIONS, bytes(length)) for length in (6, 14)]
    header = ipv6.Header(PEER[6], US[6], 99, extensions=tuple(extensions))
    datagram = ipv6.emit(header, 4) + b"data"
    host.packet_arrives(datagram, 1.0)
    message = answer(host, 6)
    assert isinstance(message, icmp.ParameterProblem)
    assert message.pointer == 48
    assert datagram[message.pointer] == 99


def test_no_next_header_is_no_error() -> None:
    """RFC 8200 §4.7: nothing follows, and that is all right."""
    host = make_host()
    host.packet_arrives(packet(6, ipv6.NO_NEXT_HEADER, b""), 1.0)
    assert not host.outbox
    assert len(counted(host)) == 1


def test_ipv6_has_no_icmpv4() -> None:
    host = make_host()
    host.packet_arrives(packet(6, icmp.PROTOCOL_V4, icmp.emit_v4(icmp.Echo(False, 1, 1))), 1.0)
    assert counted(host)["unknown-protocol"] == 1


@families
def test_what_we_quote_is_bounded(family: int) -> None:
    """RFC 1812 §4.3.2.3, RFC 4443 §2.4(c)."""
    host = make_host()
    host.packet_arrives(datagram_packet(family, bytes(1400)), 1.0)
    ((*buffers,),) = host.outbox
    assert len(b"".join(buffers)) == (576 if family == 4 else 1280)


@families
def test_no_error_about_an_error(family: int) -> None:
    """RFC 1122 §3.2.2, RFC 4443 §2.4(e): or two hosts would go on for ever."""
    host = make_host()
    code = icmp.V4_PORT if family == 4 else icmp.V6_PORT
    for quoted in (b"", packet(family, 17, bytes(8)), packet(family, 99, b""), packet(family, 6, bytes(20))):
        host.packet_arrives(icmp_packet(family, icmp.Unreachable(code, quoted)), 1.0)
    assert not host.outbox
    assert sum(counted(host).values()) == 4


@families
def test_errors_about_what_is_not_ours(family: int) -> None:
    """RFC 5927 §4: an error that quotes a segment of no connection, or no segment at all."""
    host = make_host()
    src, dst = US[family], PEER[family]
    header = ipv4.emit(ipv4.Header(src, dst, 6), 20) if family == 4 else ipv6.emit(ipv6.Header(src, dst, 6), 20)
    host.packet_arrives(icmp_packet(family, icmp.TimeExceeded(0, header + bytes(20))), 1.0)
    host.packet_arrives(icmp_packet(family, icmp.TimeExceeded(0, header + bytes(4))), 1.0)
    host.packet_arrives(icmp_packet(family, icmp.TimeExceeded(0, b"\x45")), 1.0)
    assert counted(host) == {"icmp-no-connection": 1, "icmp-quoted-truncated": 2}


@families
def test_a_datagram_with_a_wrong_checksum_is_answered_by_nothing(family: int) -> None:
    """RFC 1122 §4.1.3.4: it is discarded silently."""
    host = make_host()
    damaged = bytearray(datagram_packet(family, b"payload"))
    damaged[-1] ^= 1
    host.packet_arrives(bytes(damaged), 1.0)
    assert not host.outbox
    assert counted(host) == {"udp-checksum": 1}


@families
def test_errors_are_rate_limited(family: int) -> None:
    """RFC 4443 §2.4(f) (MUST)."""
    host = make_host(config=HostConfig(icmp_rate=10, icmp_burst=5))
    for _ in range(20):
        host.packet_arrives(datagram_packet(family), 1.0)
    assert len(host.outbox) == 5
    assert host.stats["icmp-held-back"] == 15
    host.packet_arrives(datagram_packet(family), 1.2)
    assert len(host.outbox) == 6


@families
def test_icmp_has_a_tos_of_zero(family: int) -> None:
    """RFC 1122 §3.2.2: whatever the packet had that it is about."""
    host = make_host()
    src, dst = PEER[family], US[family]
    if family == 4:
        host.packet_arrives(ipv4.emit(ipv4.Header(src, dst, 99, tos=0xB8), 8) + bytes(8), 1.0)
    else:
        host.packet_arrives(ipv6.emit(ipv6.Header(src, dst, 99, traffic_class=0xB8), 8) + bytes(8), 1.0)
    ((*buffers,),) = host.outbox
    data = b"".join(buffers)
    header = ipv4.parse(data) if family == 4 else ipv6.parse(data)
    assert not isinstance(header, Malformed)
    assert (header.tos if isinstance(header, ipv4.Header) else header.traffic_class) == 0


@pytest.mark.parametrize(
    ("family", "kind"),
    [(4, 5), (4, 9), (4, 13), (4, 15), (4, 17), (4, 200), (6, 100), (6, 127), (6, 133), (6, 137), (6, 200)],
)
def test_redirects_are_ignored(family: int, kind: int) -> None:
    """RFC 1122 §3.2.2.2, RFC 4443 §2.4(b): and timestamp, information and other messages, known or not."""
    host = make_host()
    host.packet_arrives(icmp_packet(family, icmp.Other(kind, 0)), 1.0)
    assert counted(host) == {"icmp-ignored": 1}
    assert not host.outbox
