"""Which connection a packet belongs to, for devices that look at what passes."""

from __future__ import annotations

from typing import Final

from usertcp.wire import virtio
from usertcp.wire.buffer import Buffer

_TCP: Final = 6
#: So many bytes of a packet are enough: the longest IP header, and TCP's up to the flags.
_ENOUGH: Final = virtio.LENGTH + 60 + 14


def flags_of(buffers: tuple[Buffer, ...], *, offload: bool) -> int:
    """The TCP flags of the packet in ``buffers``; 0 for everything else: other protocols, fragments, what is cut off.

    ``offload``: a virtio_net_hdr stands before the IP header.
    """
    packet = _start(buffers)
    try:
        tcp = _tcp(packet, virtio.LENGTH if offload else 0)
        return packet[tcp + 13] if tcp else 0
    except IndexError:
        return 0


def flow_of(buffers: tuple[Buffer, ...], *, offload: bool, inbound: bool) -> tuple[bytes, int] | None:
    """The host's key of the connection to which the packet in ``buffers`` belongs, and its TCP flags.

    None where :func:`flags_of` gives 0.  ``inbound``: the packet goes to the host, and not out of it.
    """
    flags = flags_of(buffers, offload=offload)
    if not flags:
        return None
    packet = _start(buffers)
    at = virtio.LENGTH if offload else 0
    tcp = _tcp(packet, at)
    addresses, length = (at + 12, 4) if packet[at] >> 4 == 4 else (at + 8, 16)
    middle = addresses + length
    source, destination = bytes(packet[addresses:middle]), bytes(packet[middle : middle + length])
    ports = bytes(packet[tcp : tcp + 4])
    if inbound:
        return source + destination + ports, flags
    return destination + source + ports[2:] + ports[:2], flags


def _start(buffers: tuple[Buffer, ...]) -> Buffer:
    packet = buffers[0]
    return packet if len(packet) >= _ENOUGH or len(buffers) == 1 else b"".join(buffers)[:_ENOUGH]


def _tcp(packet: Buffer, at: int) -> int:
    """Where the TCP header is behind the IP header at ``at``; 0 for none.  Raises IndexError."""
    version = packet[at] >> 4
    if version == 4:
        if packet[at + 9] != _TCP or packet[at + 6] & 0x3F or packet[at + 7]:
            return 0
        return at + (packet[at] & 0x0F) * 4
    return at + 40 if version == 6 and packet[at + 6] == _TCP else 0
