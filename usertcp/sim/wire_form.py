"""What a host puts out, as the packets that a wire would carry: single segments, whole checksums."""

from __future__ import annotations

from typing import Final

from usertcp.stack.segmentation import segment_packet
from usertcp.wire import checksum, virtio
from usertcp.wire.malformed import Malformed

_PLAIN: Final = bytes(virtio.LENGTH)


def from_offload(packet: bytes) -> list[bytes]:
    """The IP packets that a device makes of one packet of ours with its virtio_net_hdr.

    A super-segment becomes its segments, and a partial checksum is completed: what corrupts the packet
    later is then found out, as on a real path.  Raises ValueError where there is no virtio_net_hdr.
    """
    header = virtio.parse(packet)
    if isinstance(header, Malformed):
        raise ValueError(header.meaning)
    if header.gso_size:
        return [piece[virtio.LENGTH :] for piece in segment_packet(packet)]
    if not header.flags & virtio.NEEDS_CSUM:
        return [packet[virtio.LENGTH :]]
    return [_completed(packet[virtio.LENGTH :], header.csum_start, header.csum_offset)]


def whole(packet: bytes) -> bytes:
    """The IP packet of one of ours with its virtio_net_hdr: a super-segment is left as it is, with the checksum
    that it has as one packet.  Raises ValueError where there is no virtio_net_hdr."""
    header = virtio.parse(packet)
    if isinstance(header, Malformed):
        raise ValueError(header.meaning)
    if not header.flags & virtio.NEEDS_CSUM:
        return packet[virtio.LENGTH :]
    return _completed(packet[virtio.LENGTH :], header.csum_start, header.csum_offset)


def to_offload(packet: bytes) -> bytes:
    """``packet`` behind a virtio_net_hdr that promises nothing: the receiver verifies the checksum."""
    return _PLAIN + packet


def _completed(packet: bytes, start: int, offset: int) -> bytes:
    """The field holds the sum of the pseudo-header, so that it has its part in the sum (virtio 1.2 §5.1.6.2)."""
    at = start + offset
    if at + 2 > len(packet):
        return packet  # whoever asked for it did not say where
    value = checksum.finish(checksum.ones_sum(packet[start:]))
    return packet[:at] + value.to_bytes(2, "big") + packet[at + 2 :]
