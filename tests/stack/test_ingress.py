"""From the link to a connection: what is dropped, and under which name.  Nothing raises."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usertcp.stack.host import Host, HostConfig
from usertcp.stack.ingress import is_host_address
from usertcp.wire import icmp, ipv4, ipv6, tcp, virtio
from usertcp.wire.checksum import finish, ones_sum, pseudo_header_sum
from usertcp.wire.malformed import Malformed
from usertcp.wire.tcp import ACK, NO_OPTIONS, SYN, Options, Segment

US_4, PEER_4 = bytes([192, 0, 2, 2]), bytes([192, 0, 2, 1])
US_6, PEER_6 = bytes.fromhex("fd00") + bytes(13) + b"\2", bytes.fromhex("fd00") + bytes(13) + b"\1"
ENDS = {4: (PEER_4, US_4), 6: (PEER_6, US_6)}
UDP = 17


def make_host(*, offload: bool = False) -> Host:
    host = Host([US_4, US_6], secret=b"0123456789abcdef", offload=offload, config=HostConfig(icmp_rate=1e9))
    host.listen(80)
    return host


def counted(host: Host) -> dict[str, int]:
    return {name: value for name, value in host.stats.snapshot().items() if value}


def ip_packet(family: int, protocol: int, payload: bytes, src: bytes | None = None, dst: bytes | None = None) -> bytes:
    peer, us = ENDS[family]
    src, dst = src or peer, dst or us
    if family == 4:
        return ipv4.emit(ipv4.Header(src, dst, protocol), len(payload)) + payload
    return ipv6.emit(ipv6.Header(src, dst, protocol), len(payload)) + payload


def tcp_packet(
    family: int,
    flags: int = SYN,
    *,
    src: bytes | None = None,
    dst: bytes | None = None,
    ports: tuple[int, int] = (40000, 80),
    payload: bytes = b"",
    options: Options = NO_OPTIONS,
) -> bytes:
    peer, us = ENDS[family]
    segment = Segment(*ports, 1000, 0, flags, 65535, payload=payload, options=options)
    body = tcp.emit(segment, src or peer, dst or us) + payload
    return ip_packet(family, tcp.PROTOCOL, body, src, dst)


families = pytest.mark.parametrize("family", [4, 6])


@families
def test_a_syn_gets_through(family: int) -> None:
    host = make_host()
    host.packet_arrives(tcp_packet(family), 1.0)
    host.flush(1.0)
    assert len(host.connections) == len(host.outbox) == 1


@families
def test_padding_of_the_link_is_no_part_of_the_packet(family: int) -> None:
    """An Ethernet frame has at least 46 bytes of payload."""
    host = make_host()
    host.packet_arrives(tcp_packet(family) + bytes(6), 1.0)
    assert len(host.connections) == 1


@families
def test_buffers_of_any_kind(family: int) -> None:
    for buffer in (bytes, memoryview):
        host = make_host()
        host.packet_arrives(buffer(tcp_packet(family)), 1.0)
        assert len(host.connections) == 1


# -- Addresses: RFC 1122 §3.2.1.3, RFC 9293 §3.9.2.3 ------------------------------------------------------

NOT_HOSTS = [
    bytes([0, 0, 0, 0]),
    bytes([0, 1, 2, 3]),
    bytes([127, 0, 0, 1]),
    bytes([224, 0, 0, 1]),
    bytes([239, 255, 255, 255]),
    bytes([240, 0, 0, 1]),
    bytes([255, 255, 255, 255]),
    bytes(16),
    bytes(15) + b"\1",
    bytes.fromhex("ff02") + bytes(13) + b"\1",
]


@pytest.mark.parametrize("src", NOT_HOSTS, ids=lambda address: address.hex())
def test_a_source_that_is_no_host(src: bytes) -> None:
    """RFC 9293 §3.9.2.3 (MUST-63): ignored, and not answered."""
    assert not is_host_address(src)
    host = make_host()
    family = 4 if len(src) == 4 else 6
    host.packet_arrives(tcp_packet(family, src=src), 1.0)
    host.packet_arrives(tcp_packet(family, ACK, src=src), 1.0)
    host.flush(1.0)
    assert counted(host) == {"source-not-a-host": 2}
    assert not host.outbox


@pytest.mark.parametrize("dst", [bytes([192, 0, 2, 3]), bytes([192, 0, 2, 255]), bytes([255] * 4)], ids=str)
def test_a_packet_to_somebody_else(dst: bytes) -> None:
    """RFC 9293 §3.9.2.3 (MUST-57): a SYN to a broadcast address as well."""
    host = make_host()
    host.packet_arrives(tcp_packet(4, dst=dst), 1.0)
    assert counted(host) == {"not-our-address": 1}


@pytest.mark.parametrize("dst", [bytes([224, 0, 0, 1]), bytes.fromhex("ff02") + bytes(13) + b"\1"], ids=str)
def test_a_packet_to_a_group(dst: bytes) -> None:
    """RFC 9293 §3.9.2.3 (MUST-57)."""
    host = make_host()
    host.packet_arrives(tcp_packet(4 if len(dst) == 4 else 6, dst=dst), 1.0)
    assert counted(host) == {"multicast-ignored": 1}


@families
@pytest.mark.parametrize("ports", [(80, 80), (40000, 80)])
def test_land(family: int, ports: tuple[int, int]) -> None:
    """Source and destination are the same: a host that believed it would talk to itself for ever."""
    host = make_host()
    us = ENDS[family][1]
    host.packet_arrives(tcp_packet(family, src=us, dst=us, ports=ports), 1.0)
    assert counted(host) == {"source-is-us": 1}
    assert not host.connections


@families
@pytest.mark.parametrize("ports", [(0, 80), (40000, 0), (0, 0)])
def test_port_zero(family: int, ports: tuple[int, int]) -> None:
    host = make_host()
    host.packet_arrives(tcp_packet(family, ports=ports), 1.0)
    host.flush(1.0)
    assert counted(host) == {"port-zero": 1}
    assert not host.outbox


# -- Damage ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offload", [False, True])
def test_nothing_at_all(offload: bool) -> None:
    host = make_host(offload=offload)
    host.packet_arrives(b"", 1.0)
    assert counted(host) == {"virtio-truncated" if offload else "ipv4-header-truncated": 1}
    host.packet_arrives(bytes(virtio.LENGTH), 1.0)
    assert sum(counted(host).values()) == 2


@families
def test_every_truncation_is_counted(family: int) -> None:
    """Every length short of the whole packet."""
    packet = tcp_packet(family, payload=b"text", options=Options(mss=1460))
    for length in range(len(packet)):
        host = make_host()
        host.packet_arrives(packet[:length], 1.0)
        assert len(counted(host)) == 1, length
        assert not host.connections


@families
def test_every_truncation_with_lengths_that_fit(family: int) -> None:
    """The IP header says just as much as there is; TCP has to find out."""
    peer, us = ENDS[family]
    body = tcp.emit(Segment(40000, 80, 1, 0, SYN, 1, options=Options(mss=1460)), peer, us)
    for length in range(len(body)):
        host = make_host()
        host.packet_arrives(ip_packet(family, tcp.PROTOCOL, body[:length]), 1.0)
        assert len(counted(host)) == 1, length
        assert not host.connections


@families
def test_every_flipped_bit_is_found(family: int) -> None:
    """RFC 9293 §3.1 (MUST-3): the checksum covers all that TCP reads."""
    packet = tcp_packet(family)
    start = 0 if family == 4 else 8  # IPv6's first words have no checksum: see below
    for bit in range(start * 8, len(packet) * 8):
        damaged = bytearray(packet)
        damaged[bit >> 3] ^= 0x80 >> (bit & 7)
        host = make_host()
        host.packet_arrives(bytes(damaged), 1.0)
        assert counted(host), bit
        assert not host.connections, bit


def test_flow_label_and_hop_limit_are_nobodys_business() -> None:
    host = make_host()
    header = ipv6.Header(PEER_6, US_6, tcp.PROTOCOL, hop_limit=1, traffic_class=0xFC, flow_label=0xFFFFF)
    body = tcp_packet(6)[40:]
    host.packet_arrives(ipv6.emit(header, len(body)) + body, 1.0)
    assert len(host.connections) == 1


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (b"\x02\x00\x00\x00", Malformed.TCP_OPTION_LENGTH),
        (b"\x02\x01\x00\x00", Malformed.TCP_OPTION_LENGTH),
        (b"\xfe\x00\x00\x00", Malformed.TCP_OPTION_LENGTH),
        (b"\x02\x05\x05\xb4", Malformed.TCP_OPTION_TRUNCATED),
        (b"\x01\x01\x01\x02", Malformed.TCP_OPTION_TRUNCATED),
        (b"\x08\xff\x00\x00", Malformed.TCP_OPTION_TRUNCATED),
    ],
)
@families
def test_options_of_impossible_length(family: int, options: bytes, reason: Malformed) -> None:
    """RFC 9293 §3.2 (MUST-7)."""
    peer, us = ENDS[family]
    # An option that the codec would never emit: put it where four NOPs are, and correct the checksum.
    body = bytearray(tcp.emit(Segment(40000, 80, 1, 0, SYN, 1, options=Options(unknown=((253, b""),))), peer, us))
    assert len(body) == 24
    body[20:24] = options
    body[16:18] = bytes(2)
    total = pseudo_header_sum(peer, us, tcp.PROTOCOL, len(body)) + ones_sum(bytes(body))
    body[16:18] = finish(total).to_bytes(2, "big")
    host = make_host()
    host.packet_arrives(ip_packet(family, tcp.PROTOCOL, bytes(body)), 1.0)
    assert counted(host) == {reason: 1}


# -- Offload --------------------------------------------------------------------------------------------


def _with_virtio(packet: bytes, **fields: int) -> bytes:
    return virtio.emit(virtio.NetHeader(**fields)) + packet


@families
def test_a_partial_checksum_is_not_verified(family: int) -> None:
    host = make_host(offload=True)
    packet = bytearray(tcp_packet(family))
    packet[-4:-2] = b"??"  # the checksum field
    host.packet_arrives(_with_virtio(bytes(packet), flags=virtio.NEEDS_CSUM), 1.0)
    host.packet_arrives(_with_virtio(bytes(packet), flags=virtio.DATA_VALID), 1.0)
    assert len(host.connections) == 1


@families
def test_without_such_a_flag_it_is(family: int) -> None:
    host = make_host(offload=True)
    packet = bytearray(tcp_packet(family))
    packet[-4:-2] = b"??"
    host.packet_arrives(_with_virtio(bytes(packet)), 1.0)
    assert counted(host) == {"tcp-checksum": 1}


def test_what_was_put_together_is_verified_whatever_the_flags_say() -> None:
    """A flag is about one packet, not about the datagram that it is a part of."""
    host = make_host(offload=True)
    body = bytearray(tcp_packet(4)[20:])
    body[16:18] = b"??"
    for piece in _fragments_v4(bytes(body)):
        host.packet_arrives(_with_virtio(piece, flags=virtio.DATA_VALID), 1.0)
    assert host.stats["tcp-checksum"] == 1


# -- Fragments ------------------------------------------------------------------------------------------


def _fragments_v4(body: bytes, size: int = 8) -> Iterator[bytes]:
    for offset in range(0, len(body), size):
        piece = body[offset : offset + size]
        more = offset + size < len(body)
        header = ipv4.Header(
            PEER_4, US_4, tcp.PROTOCOL, identification=7, fragment_offset=offset, more_fragments=more
        )
        yield ipv4.emit(header, len(piece)) + piece


def _fragments_v6(body: bytes, size: int = 8) -> Iterator[bytes]:
    for offset in range(0, len(body), size):
        piece = body[offset : offset + size]
        fragment = ipv6.Fragment(offset, offset + size < len(body), 7)
        yield ipv6.emit(ipv6.Header(PEER_6, US_6, tcp.PROTOCOL, fragment=fragment), len(piece)) + piece


@families
@pytest.mark.parametrize("backwards", [False, True])
def test_a_fragmented_syn(family: int, backwards: bool) -> None:
    """RFC 791 §3.2, RFC 8200 §4.5."""
    options = Options(mss=1400, window_scale=7, sack_permitted=True)
    body = tcp_packet(family, options=options)[20 if family == 4 else 40 :]
    pieces = list(_fragments_v4(body) if family == 4 else _fragments_v6(body, 24))
    host = make_host()
    for piece in reversed(pieces) if backwards else pieces:
        assert not host.connections
        host.packet_arrives(piece, 1.0)
    (connection,) = host.connections.values()
    assert connection.peer_mss == 1400
    assert host.stats["datagrams-reassembled"] == 1


@pytest.mark.parametrize(("size", "taken"), [(16, False), (24, True)])
def test_a_first_fragment_without_all_headers(size: int, taken: bool) -> None:
    """RFC 8200 §4.5, RFC 8504 §5.2: "SHOULD be discarded" and its sender told, unlike in IPv4."""
    host = make_host()
    body = tcp_packet(6, options=Options(mss=1400, window_scale=7, sack_permitted=True))[40:]
    pieces = list(_fragments_v6(body, size))
    for piece in pieces:
        host.packet_arrives(piece, 1.0)
    assert bool(host.connections) is taken
    assert host.stats["ipv6-chain-incomplete"] == (not taken)
    if not taken:
        (packet,) = host.outbox
        message = icmp.parse_v6(b"".join(packet)[40:], US_6, PEER_6)
        assert message == icmp.ParameterProblem(icmp.V6_INCOMPLETE_CHAIN, 0, pieces[0])


def test_overlapping_fragments() -> None:
    """RFC 5722: the datagram is given up."""
    host = make_host()
    pieces = list(_fragments_v4(tcp_packet(4)[20:]))
    overlapping = ipv4.emit(
        ipv4.Header(PEER_4, US_4, tcp.PROTOCOL, identification=7, fragment_offset=0, more_fragments=True), 16
    ) + bytes(16)
    for piece in (pieces[0], overlapping, pieces[1], pieces[2]):
        host.packet_arrives(piece, 1.0)
    assert not host.connections
    assert host.stats["fragment-overlap"] == 1


def test_an_empty_fragment() -> None:
    host = make_host()
    header = ipv4.Header(PEER_4, US_4, tcp.PROTOCOL, identification=7, fragment_offset=8, more_fragments=True)
    host.packet_arrives(ipv4.emit(header, 0), 1.0)
    assert host.stats["fragment-empty"] == 1
    assert host.deadline() == inf


def test_a_fragment_that_waits_in_vain() -> None:
    """RFC 1122 §3.3.2: given up after a minute, and the sender is told."""
    host = make_host()
    first = next(_fragments_v4(tcp_packet(4)[20:]))
    host.packet_arrives(first, 1.0)
    assert host.deadline() == 61.0
    host.run_timers(61.0)
    assert host.deadline() == inf
    assert host.stats["fragment-timeout"] == host.stats["time-exceeded-sent"] == 1
    (packet,) = host.outbox
    message = icmp.parse_v4(b"".join(packet)[20:])
    assert isinstance(message, icmp.TimeExceeded)
    assert message.code == icmp.REASSEMBLY


def test_fragments_in_fragments() -> None:
    """RFC 8200 §4.5 knows of none."""
    host = make_host()
    inner = bytes([tcp.PROTOCOL, 0, 0, 1, 0, 0, 0, 9]) + bytes(8)
    for piece in _fragments_v6(inner):
        packet = bytearray(piece)
        packet[40] = ipv6.FRAGMENT
        host.packet_arrives(bytes(packet), 1.0)
    assert host.stats["fragment-in-fragment"] == 1


# -- Anything --------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=150)
@given(st.lists(st.binary(max_size=120), max_size=10), st.booleans())
def test_arbitrary_bytes(packets: list[bytes], offload: bool) -> None:
    host = make_host(offload=offload)
    for packet in packets:
        before = host.stats.snapshot()
        host.packet_arrives(packet, 1.0)
        host.flush(1.0)
        assert host.stats.snapshot() != before
    assert not host.connections


def _good_packets() -> list[bytes]:
    made = []
    for family in (4, 6):
        header = 20 if family == 4 else 40
        made += [
            tcp_packet(family),
            tcp_packet(family, ACK, payload=b"text"),
            tcp_packet(family, options=Options(mss=1460, window_scale=7, sack_permitted=True)),
            ip_packet(family, UDP, bytes.fromhex("9c40003500080000")),
            ip_packet(family, 99, b"who knows"),
        ]
        body = tcp_packet(family)[header:]
        made += list((_fragments_v4 if family == 4 else _fragments_v6)(body))
    quoted = tcp_packet(4, src=US_4, dst=PEER_4, ports=(80, 40000))
    made.append(ip_packet(4, icmp.PROTOCOL_V4, icmp.emit_v4(icmp.Unreachable(icmp.V4_PORT, quoted))))
    made.append(ip_packet(4, icmp.PROTOCOL_V4, icmp.emit_v4(icmp.Echo(False, 1, 2, b"ping"))))
    made.append(ip_packet(6, icmp.PROTOCOL_V6, icmp.emit_v6(icmp.Echo(False, 1, 2, b"ping"), PEER_6, US_6)))
    with_extensions = ipv6.Header(
        PEER_6,
        US_6,
        tcp.PROTOCOL,
        extensions=(ipv6.Extension(ipv6.HOP_BY_HOP, bytes(6)), ipv6.Extension(ipv6.DESTINATION_OPTIONS, bytes(14))),
    )
    made.append(ipv6.emit(with_extensions, 20) + tcp_packet(6)[40:])
    return made


GOOD = _good_packets()


def _with_right_ip_checksum(packet: bytes) -> bytes:
    """So that what is wrong with a mutated IPv4 packet is found later than there."""
    length = (packet[0] & 0xF) * 4
    if packet[0] >> 4 != 4 or not 20 <= length <= len(packet):
        return packet
    header = bytearray(packet[:length])
    header[10:12] = bytes(2)
    header[10:12] = (-int.from_bytes(header, "big") % 0xFFFF).to_bytes(2, "big")
    return bytes(header) + packet[length:]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    packet = bytearray(draw(st.sampled_from(GOOD)))
    for _ in range(draw(st.integers(0, 4))):
        packet[draw(st.integers(0, len(packet) - 1))] = draw(st.integers(0, 255))
    length = draw(st.one_of(st.just(len(packet)), st.integers(1, len(packet))))
    result = bytes(packet[:length]) + draw(st.binary(max_size=4))
    return _with_right_ip_checksum(result) if draw(st.booleans()) else result


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.tuples(mutated(), st.floats(0, 100), st.binary(min_size=10, max_size=10)), max_size=8), st.booleans()
)
def test_mutated_packets(packets: list[tuple[bytes, float, bytes]], offload: bool) -> None:
    host = make_host(offload=offload)
    now = 0.0
    for packet, wait, virtio_header in packets:
        now += wait
        host.run_timers(now)
        host.flush(now)
        before = host.stats.snapshot(), len(host.connections)
        host.packet_arrives(virtio_header + packet if offload else packet, now)
        host.flush(now)
        assert (host.stats.snapshot(), len(host.connections)) != before or host.outbox
        host.outbox.clear()
    _everything_ends(host, now)


def _everything_ends(host: Host, now: float) -> None:
    """A stranger who goes away leaves nothing behind for longer than the timers say."""
    for listener in list(host.listeners.values()):
        listener.close(now)
    while host.deadline() < inf:
        assert host.deadline() < now + 2000
        host.run_timers(host.deadline())
        host.flush(host.deadline())
    assert not host.connections
    assert not host.time_waits


def test_memory_for_strangers_is_bounded() -> None:
    """Ten thousand SYNs, first fragments and pings cost no more than the bounds say."""
    config = HostConfig(reassembly_datagrams=10)
    host = Host([US_4], secret=b"0123456789abcdef", config=config)
    listener = host.listen(80, backlog=10)
    for number in range(10_000):
        src = bytes([10, number >> 8 & 0xFF, number & 0xFF, 1])
        host.packet_arrives(tcp_packet(4, src=src), 1.0)
        header = ipv4.Header(src, US_4, tcp.PROTOCOL, identification=number, more_fragments=True)
        host.packet_arrives(ipv4.emit(header, 8) + bytes(8), 1.0)
        host.packet_arrives(ip_packet(4, icmp.PROTOCOL_V4, icmp.emit_v4(icmp.Echo(False, 1, 2)), src=src), 1.0)
    host.flush(1.0)
    assert len(host.connections) <= 10
    assert len(listener.half_open) <= 10
    assert host.stats["fragment-evicted"] == 10_000 - 10
    assert host.stats["echo-replies"] == config.icmp_burst
    assert host.stats["icmp-held-back"] == 10_000 - config.icmp_burst
