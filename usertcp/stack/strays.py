"""What a watcher is told of segments that belong to no connection, and of packets that are dropped before TCP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from usertcp.tcp.events import Kind
from usertcp.tcp.reset import Reset
from usertcp.wire.malformed import Malformed
from usertcp.wire.tcp import NO_OPTIONS, Options, Segment

if TYPE_CHECKING:
    from usertcp.stack.host import Host
    from usertcp.tcp.connection import Connection

#: Where it is written that a packet must be dropped for that reason; see :mod:`.counters` for what they mean.
SECTIONS: Final[dict[str, str]] = {
    Malformed.VIRTIO_TRUNCATED: "VIRTIO 1.2, 5.1.6",
    Malformed.IPV4_HEADER_TRUNCATED: "RFC 791 §3.1",
    Malformed.IPV4_VERSION: "RFC 1122 §3.2.1.1",
    Malformed.IPV4_HEADER_LENGTH: "RFC 791 §3.1",
    Malformed.IPV4_TOTAL_LENGTH: "RFC 791 §3.1",
    Malformed.IPV4_CHECKSUM: "RFC 1122 §3.2.1.2",
    Malformed.IPV6_HEADER_TRUNCATED: "RFC 8200 §3",
    Malformed.IPV6_VERSION: "RFC 8200 §3",
    Malformed.IPV6_PAYLOAD_LENGTH: "RFC 8200 §3",
    Malformed.IPV6_EXTENSION_TRUNCATED: "RFC 8200 §4",
    Malformed.IPV6_EXTENSION_ORDER: "RFC 8200 §4.1",
    Malformed.IPV6_EXTENSIONS_TOO_MANY: "RFC 8504 §5.3",
    Malformed.IPV6_CHAIN_INCOMPLETE: "RFC 8200 §4.5",
    Malformed.IPV6_OPTION: "RFC 8200 §4.2",
    Malformed.IPV6_OPTION_UNRECOGNIZED: "RFC 8200 §4.2",
    Malformed.IPV6_JUMBOGRAM: "RFC 2675 §3",
    Malformed.IPV6_ROUTING: "RFC 8200 §4.4",
    Malformed.ICMP_TRUNCATED: "RFC 1122 §3.2.2",
    Malformed.ICMP_CHECKSUM: "RFC 1122 §3.2.2",
    Malformed.ICMP_QUOTED_TRUNCATED: "3.9.2.2",
    Malformed.ICMP_QUOTED_VERSION: "3.9.2.2",
    Malformed.ICMP_QUOTED_FRAGMENT: "3.9.2.2",
    Malformed.ICMP_QUOTED_PROTOCOL: "3.9.2.2",
    Malformed.TCP_HEADER_TRUNCATED: "3.1",
    Malformed.TCP_DATA_OFFSET: "3.1",
    Malformed.TCP_OPTION_LENGTH: "3.2",
    Malformed.TCP_OPTION_TRUNCATED: "3.2",
    Malformed.TCP_CHECKSUM: "3.1",
    Malformed.UDP_HEADER_TRUNCATED: "RFC 768",
    Malformed.UDP_LENGTH: "RFC 768",
    Malformed.UDP_CHECKSUM: "RFC 1122 §4.1.3.4",
    "fragment-in-fragment": "RFC 8200 §4.5",
    "not-our-address": "RFC 1122 §3.2.1.3",
    "source-not-a-host": "3.9.2.3",
    "source-is-us": "3.9.2.3",
    "port-zero": "RFC 6335, 6",
    "udp-port-closed": "RFC 1122 §4.1.3.1",
    "unknown-protocol": "RFC 1122 §3.2.2.1",
}


def dropped(host: Host, reason: str, now: float) -> None:
    """Count a packet that was thrown away before anybody knew whose it is, and tell of it."""
    host.count(reason)
    if host.trace is not None:
        host.trace((Kind.DROPPED, now, 0, str(reason), SECTIONS[reason], 0, 0))


def arrived(host: Host, src: bytes, dst: bytes, segment: Segment, now: float) -> None:
    """A segment of no connection came from ``src``; does nothing where nobody watches."""
    if host.trace is not None:
        where = (dst, segment.dst_port, src, segment.src_port)
        header = (segment.seq, segment.ack, segment.flags, segment.window, len(segment.payload))
        options = (segment.ts_val, segment.ts_ecr, segment.options, segment.urgent, segment.ecn)
        host.trace((Kind.STRAY_IN, now, 0, *where, *header, *options))


def refused(host: Host, src: bytes, dst: bytes, segment: Segment, reason: str, section: str, now: float) -> None:
    """A segment of no connection is thrown away: count it under ``reason``, and tell of it."""
    host.count(reason)
    if host.trace is not None:
        arrived(host, src, dst, segment, now)
        host.trace((Kind.DROPPED, now, 0, reason, section, segment.seq, len(segment.payload)))


def reset_left(host: Host, src: bytes, dst: bytes, segment: Segment, reset: Reset, now: float) -> None:
    """``reset`` was sent in answer to ``segment``; does nothing where nobody watches."""
    if host.trace is not None:
        where = (dst, segment.dst_port, src, segment.src_port)
        header = (reset.seq, reset.ack, reset.flags, 0)
        rest = (0, None, None, NO_OPTIONS, 0, 0, "reset", "3.10.7.1")
        host.trace((Kind.STRAY_OUT, now, 0, *where, *header, *rest))


def cookie_left(
    host: Host,
    forgotten: Connection,
    header: tuple[int, int, int, int],
    ts_val: int | None,
    ts_ecr: int,
    options: Options,
    now: float,
) -> None:
    """A SYN,ACK was sent of which nothing is remembered; does nothing where nobody watches.

    ``header`` has its sequence and acknowledgment number, flags and window.
    """
    if host.trace is not None:
        where = (forgotten.local_address, forgotten.local_port, forgotten.remote_address, forgotten.remote_port)
        rest = (0, ts_val, None if ts_val is None else ts_ecr, options, 0, 0, "syn-cookie", "RFC 4987 §3.6")
        host.trace((Kind.STRAY_OUT, now, 0, *where, *header, *rest))
