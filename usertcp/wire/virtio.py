"""virtio_net_hdr: what precedes each packet on a TUN opened with IFF_VNET_HDR (virtio 1.2 §5.1.6)."""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from usertcp.wire.buffer import Buffer
from usertcp.wire.malformed import Malformed

LENGTH: Final = 10

#: ``flags``: the checksum at csum_start + csum_offset is only the pseudo-header's sum.
NEEDS_CSUM: Final = 1
#: ``flags``: the checksum was verified by whoever handed the packet over.
DATA_VALID: Final = 2

GSO_NONE: Final = 0
GSO_TCPV4: Final = 1
GSO_UDP: Final = 3
GSO_TCPV6: Final = 4
#: A bit beside the GSO type: CWR belongs to the first segment only.
GSO_ECN: Final = 0x80

# Native-endian (legacy virtio), unpadded.
_FORMAT = Struct("=BBHHHH")


class NetHeader(NamedTuple):
    """Lengths and offsets in bytes; ``gso_size`` is the payload of each segment to be cut."""

    flags: int = 0
    gso_type: int = GSO_NONE
    hdr_len: int = 0
    gso_size: int = 0
    csum_start: int = 0
    csum_offset: int = 0


def parse(data: Buffer) -> NetHeader | Malformed:
    """The header at the start of ``data``.  ``hdr_len`` is a hint that must not be trusted."""
    if len(data) < LENGTH:
        return Malformed.VIRTIO_TRUNCATED
    return NetHeader._make(_FORMAT.unpack_from(data))


def is_trusted(data: Buffer) -> bool:
    """Whether the checksum of the packet behind the header at the start of ``data`` need not be looked at: a partial
    one cannot be verified, a validated one was."""
    return data[0] & (NEEDS_CSUM | DATA_VALID) != 0


def emit(header: NetHeader) -> bytes:
    return _FORMAT.pack(*header)
