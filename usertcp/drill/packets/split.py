"""Where a script's segments and those on the wire say the same, but are cut otherwise."""

from __future__ import annotations

from dataclasses import replace

from usertcp.drill.script import Sequence, TcpPacket
from usertcp.wire import checksum, ipv4, ipv6, tcp
from usertcp.wire.malformed import Malformed


def split(packet: bytes, length: int) -> tuple[bytes, bytes] | None:
    """The TCP segment ``packet`` as two, the first with ``length`` bytes of payload.

    What a device does that cuts it: PSH and FIN are the last one's, CWR is the first one's (RFC 3168 §6.1.2).
    None where there is no such segment: another protocol, a header that cannot be read, or not more payload.
    """
    start = _tcp_start(packet)
    if start is None or len(packet) < start + tcp.HEADER_LENGTH:
        return None
    end = start + (packet[start + 12] >> 4 << 2)
    if not 0 < length < len(packet) - end:
        return None
    flags = packet[start + 13]
    first = _with_flags(packet[: end + length], start, flags & ~(tcp.PSH | tcp.FIN))
    second = _with_flags(packet[:end] + packet[end + length :], start, flags & ~tcp.CWR)
    seq = int.from_bytes(packet[start + 4 : start + 8], "big") + length & 0xFFFFFFFF
    second = second[: start + 4] + seq.to_bytes(4, "big") + second[start + 8 :]
    return _completed(first, start), _completed(second, start)


def divide(expected: TcpPacket, length: int) -> tuple[TcpPacket, TcpPacket] | None:
    """The expectation as two, the first for ``length`` bytes of payload; None where it has not more.

    PSH and FIN are expected of the last one, CWR of the first one.  Whether a device sets PSH earlier too is its
    own choice: leave it out of that comparison.
    """
    sequence = expected.sequence
    if not 0 < length < sequence.length:
        return None
    middle = sequence.start + length & 0xFFFFFFFF
    first = replace(sequence, end=middle, length=length)
    second = Sequence(middle, sequence.end, sequence.length - length, sequence.absolute)
    return (
        replace(expected, sequence=first, flags=expected.flags - {"P", "F"}),
        replace(expected, sequence=second, flags=expected.flags - {"W"}),
    )


def _tcp_start(packet: bytes) -> int | None:
    """Where the TCP header begins, in a packet whose IP header is right and as long as the packet."""
    if packet and packet[0] >> 4 == 6:
        header6 = ipv6.parse(packet)
        if isinstance(header6, Malformed) or header6.fragment is not None or header6.next_header != tcp.PROTOCOL:
            return None
        whole = header6.payload_offset + header6.payload_length == len(packet)
        return header6.payload_offset if whole else None
    header4 = ipv4.parse(packet)
    if isinstance(header4, Malformed) or header4.protocol != tcp.PROTOCOL:
        return None
    return header4.header_length if header4.total_length == len(packet) else None


def _with_flags(packet: bytes, start: int, flags: int) -> bytes:
    return packet[: start + 13] + bytes((flags,)) + packet[start + 14 :]


def _completed(packet: bytes, start: int) -> bytes:
    """With lengths and checksums for what is there."""
    if packet[0] >> 4 == 6:
        header = packet[:4] + (len(packet) - ipv6.HEADER_LENGTH).to_bytes(2, "big") + packet[6:start]
        source, destination = packet[8:24], packet[24:40]
    else:
        header = packet[:2] + len(packet).to_bytes(2, "big") + packet[4:10] + b"\0\0" + packet[12:start]
        header = header[:10] + checksum.finish(checksum.ones_sum(header)).to_bytes(2, "big") + header[12:]
        source, destination = packet[12:16], packet[16:20]
    segment = packet[start:]
    at = tcp.CHECKSUM_OFFSET
    segment = segment[:at] + b"\0\0" + segment[at + 2 :]
    pseudo = checksum.pseudo_header_sum(source, destination, tcp.PROTOCOL, len(segment))
    value = checksum.finish(checksum.ones_sum(segment) + pseudo)
    return header + segment[:at] + value.to_bytes(2, "big") + segment[at + 2 :]
