"""From the link to the right place: virtio header, IP header, checksum, protocol.

Everything here is hostile until checked.  What is wrong is dropped under a name of
:mod:`usertcp.stack.counters`; nothing raises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from usertcp.stack import icmp_handling
from usertcp.stack.strays import dropped as drop
from usertcp.wire import icmp, ipv4, ipv6, ipv6_problem, tcp, udp, virtio
from usertcp.wire.buffer import Buffer
from usertcp.wire.codepoint import FIELD
from usertcp.wire.malformed import Malformed

if TYPE_CHECKING:
    from usertcp.stack.host import Host


def packet_arrives(host: Host, packet: Buffer, now: float, *, looped: bool = False) -> None:
    """One packet from the link; or ``looped``, from the host itself."""
    view = memoryview(packet)
    trusted = False
    if host.offload:
        if len(view) < virtio.LENGTH:
            drop(host, Malformed.VIRTIO_TRUNCATED, now)
            return
        trusted = virtio.is_trusted(view)
        view = view[virtio.LENGTH :]
    if not view:
        drop(host, Malformed.IPV4_HEADER_TRUNCATED, now)
    elif view[0] >> 4 == 4:
        _ipv4(host, view, now, trusted, looped)
    else:
        _ipv6(host, view, now, trusted, looped)


def _ipv4(host: Host, packet: memoryview, now: float, trusted: bool, looped: bool) -> None:
    header = ipv4.parse(packet)
    if type(header) is Malformed:
        drop(host, header, now)
        return
    if not looped and not _for_us(host, header.src, header.dst, now):
        return
    protocol, ecn = header.protocol, header.tos & FIELD
    payload = packet[header.header_length : header.total_length]
    if header.more_fragments or header.fragment_offset:
        whole = host.reassembler.add(
            header.src,
            header.dst,
            protocol,
            header.identification,
            header.fragment_offset,
            header.more_fragments,
            payload,
            now,
            ecn,
        )
        if whole is None:
            return
        protocol, payload, trusted = whole.protocol, memoryview(whole.payload), False
        ecn = whole.ecn
        # What an ICMP error quotes: the datagram as it was sent, not the fragment that happened to be last.
        packet = memoryview(
            ipv4.emit(ipv4.Header(header.src, header.dst, protocol, header.ttl), len(payload)) + whole.payload
        )
    _transport(host, header.src, header.dst, protocol, payload, packet, now, trusted, ecn)


def _ipv6(host: Host, packet: memoryview, now: float, trusted: bool, looped: bool) -> None:
    header = ipv6.parse(packet)
    if type(header) is Malformed:
        drop(host, header, now)
        _tell_what_is_wrong(host, packet, now)
        return
    if not looped and not _for_us(host, header.src, header.dst, now):
        return
    payload = packet[header.payload_offset : header.payload_offset + header.payload_length]
    protocol, ecn = header.next_header, header.traffic_class & FIELD
    fragment = header.fragment
    if fragment is not None and (fragment.more or fragment.offset):
        if not fragment.offset and ipv6.is_incomplete(payload, protocol):
            drop(host, Malformed.IPV6_CHAIN_INCOMPLETE, now)
            _tell_what_is_wrong(host, packet, now)
            return
        whole = host.reassembler.add(
            header.src,
            header.dst,
            protocol,
            fragment.identification,
            fragment.offset,
            fragment.more,
            payload,
            now,
            ecn,
        )
        if whole is None:
            _tell_what_is_wrong(host, packet, now)
            return
        chain = ipv6.walk(whole.payload, whole.protocol, len(whole.payload), 0)
        if isinstance(chain, Malformed):
            drop(host, chain, now)
            return
        if chain.fragment is not None:
            drop(host, "fragment-in-fragment", now)
            return
        protocol, payload, trusted = chain.next_header, memoryview(whole.payload)[chain.offset :], False
        ecn = whole.ecn
        beginning = ipv6.Header(header.src, header.dst, whole.protocol, header.hop_limit)
        packet = memoryview(ipv6.emit(beginning, len(whole.payload)) + whole.payload)
    _transport(host, header.src, header.dst, protocol, payload, packet, now, trusted, ecn)


def _tell_what_is_wrong(host: Host, packet: memoryview, now: float) -> None:
    """The ICMPv6 parameter problem that a packet for us deserves, if it does (RFC 8200 §4, RFC 4443 §3.4)."""
    if len(packet) < ipv6.HEADER_LENGTH or packet[0] >> 4 != 6:
        return
    src, dst = bytes(packet[8:24]), bytes(packet[24:40])
    if dst not in host.address_set or src in host.address_set or not is_host_address(src):
        return
    problem = ipv6_problem.problem_of(packet)
    if problem is not None:
        icmp_handling.parameter_problem(host, src, dst, packet, problem, now)


def _for_us(host: Host, src: bytes, dst: bytes, now: float) -> bool:
    """RFC 1122 §3.2.1.3, RFC 9293 §3.9.2.3 (MUST-57, MUST-63): from one host, to one of our addresses."""
    if dst not in host.address_set:
        if dst[0] == (0xFF if len(dst) == 16 else 0xE0):
            # Every kernel says something to a group now and then: not worth telling a watcher.
            host.count("multicast-ignored")
            return False
        drop(host, "not-our-address", now)
        return False
    if not is_host_address(src):
        drop(host, "source-not-a-host", now)
        return False
    if src in host.address_set:
        drop(host, "source-is-us", now)  # LAND
        return False
    return True


def is_host_address(address: bytes) -> bool:
    """Whether a packet may come from there: no broadcast, multicast, loopback or unspecified address."""
    if len(address) == 4:
        return 0 < address[0] < 224 and address[0] != 127
    return address[0] != 0xFF and any(address[:15])


def _transport(
    host: Host,
    src: bytes,
    dst: bytes,
    protocol: int,
    data: memoryview,
    packet: memoryview,
    now: float,
    trusted: bool,
    ecn: int,
) -> None:
    if protocol == tcp.PROTOCOL:
        _tcp(host, src, dst, data, now, trusted, ecn)
    elif protocol == (icmp.PROTOCOL_V4 if len(src) == 4 else icmp.PROTOCOL_V6):
        icmp_handling.message_arrives(host, src, dst, data, now)
    elif protocol == udp.PROTOCOL:
        _udp(host, src, dst, data, packet, now, trusted)
    else:
        drop(host, "unknown-protocol", now)
        if protocol == ipv6.NO_NEXT_HEADER and len(src) == 16:
            return  # that is all there is (RFC 8200 §4.7)
        icmp_handling.protocol_unreachable(host, src, dst, packet, now)


def _udp(
    host: Host, src: bytes, dst: bytes, data: memoryview, packet: memoryview, now: float, trusted: bool
) -> None:
    """To whoever takes datagrams, if somebody does."""
    header = udp.parse(data, src, dst, verify=not trusted)
    if isinstance(header, Malformed):
        drop(host, header, now)
        return
    payload = bytes(data[udp.HEADER_LENGTH : header.length])
    if host.datagrams is None or not host.datagrams.datagram_arrives(src, dst, header, payload, packet):
        drop(host, "udp-port-closed", now)
        if not host.config.silent_udp_ports:
            icmp_handling.port_unreachable(host, src, dst, packet, now)


def _tcp(
    host: Host, src: bytes, dst: bytes, data: memoryview, now: float, trusted: bool, ecn: int
) -> None:
    segment = tcp.parse(data)
    if type(segment) is Malformed:
        drop(host, segment, now)
        return
    if not trusted and not tcp.checksum_ok(data, src, dst):
        drop(host, Malformed.TCP_CHECKSUM, now)
        return
    if not segment.src_port or not segment.dst_port:
        drop(host, "port-zero", now)
        return
    segment.ecn = ecn
    host.segment_arrives(b"".join((src, dst, data[:4])), src, dst, segment, now)
