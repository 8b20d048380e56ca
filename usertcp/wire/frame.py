"""Whole outgoing packets of one connection in one step: virtio header, IP header, TCP header.

Says the same as :mod:`~usertcp.wire.virtio`, :mod:`~usertcp.wire.ipv4` or :mod:`~usertcp.wire.ipv6`, and
:mod:`~usertcp.wire.tcp` one after the other (a test holds it to that), but what never changes is summed
and laid out once.  Checksums are sums modulo 0xFFFF, where a 32-bit field counts as its two halves: a
header's checksum is a sum over its fields.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from usertcp.wire import ipv4, ipv6, virtio
from usertcp.wire.buffer import Buffer
from usertcp.wire.checksum import ones_sum, pseudo_header_sum
from usertcp.wire.tcp import (
    CHECKSUM_OFFSET,
    CWR,
    HEADER_LENGTH,
    NO_OPTIONS,
    PROTOCOL,
    Options,
    encode_options,
)

if TYPE_CHECKING:
    from usertcp.wire.option_layout import Layout

_TCP = "IIHHHH"  # seq, ack, offset and flags, window, checksum, urgent
# version, IHL and TOS; total length; identification; DF, TTL and protocol; checksum; addresses and ports
_IPV4_AND_TCP = Struct(f"!HHH4sH12s{_TCP}")
# version, traffic class and flow label; payload length; next header, hop limit, addresses and ports
_IPV6_AND_TCP = Struct(f"!IH38s{_TCP}")

_VERSION_4 = 0x4500
_VERSION_6 = 6 << 28
#: By the TTL: one object for all connections.
_DF_TTL_AND_PROTOCOL = [bytes((0x40, 0, ttl, PROTOCOL)) for ttl in range(256)]


def _virtio_header(
    ip_length: int, gso_type: int = virtio.GSO_NONE, hdr_len: int = 0, gso_size: int = 0
) -> bytes:
    return virtio.emit(
        virtio.NetHeader(virtio.NEEDS_CSUM, gso_type, hdr_len, gso_size, ip_length, CHECKSUM_OFFSET)
    )


_VIRTIO_4 = _virtio_header(ipv4.HEADER_LENGTH)
_VIRTIO_6 = _virtio_header(ipv6.HEADER_LENGTH)


class FrameTemplate:
    """Makes the packets from ``src``:``src_port`` to ``dst``:``dst_port`` (addresses of 4 or 16 bytes).

    ``offload``: packets start with a virtio_net_hdr, checksums are partial, and payloads of more than one
    segment are left to the device to cut.  IPv4 packets always have DF set.  ``layout`` says how options stand.
    """

    __slots__ = (
        "_addresses",
        "_constants",
        "_identification",
        "_ip_sum",
        "_is_ipv4",
        "_layout",
        "_segment_sum",
        "_version",
        "_virtio",
    )

    def __init__(
        self,
        src: bytes,
        dst: bytes,
        src_port: int,
        dst_port: int,
        *,
        ttl: int = 64,
        flow_label: int = 0,
        offload: bool = False,
        layout: Layout = encode_options,
    ) -> None:
        self._layout = layout
        self._is_ipv4 = len(src) == 4
        ports = src_port.to_bytes(2, "big") + dst_port.to_bytes(2, "big")
        self._addresses = src + dst + ports
        # A partial checksum is the pseudo-header's alone (virtio 1.2 §5.1.6.2).
        self._segment_sum = pseudo_header_sum(src, dst, PROTOCOL, 0)
        self._virtio = b""
        if offload:
            self._virtio = _VIRTIO_4 if self._is_ipv4 else _VIRTIO_6
        else:
            self._segment_sum += src_port + dst_port
        self._identification = 0
        if self._is_ipv4:
            self._version = _VERSION_4
            self._constants = _DF_TTL_AND_PROTOCOL[ttl]
            self._ip_sum = ones_sum(self._constants + src + dst)
        else:
            self._version = _VERSION_6 | flow_label
            self._addresses = bytes((PROTOCOL, ttl)) + self._addresses

    def build(
        self,
        seq: int,
        ack: int,
        flags: int,
        window: int,
        urgent: int,
        ts_val: int | None,
        ts_ecr: int | None,
        options: Options,
        payload: Buffer,
        gso_size: int,
        tos: int = 0,
    ) -> tuple[Buffer, ...]:
        """The packet as buffers to be written one after the other: headers, then ``payload`` unless empty.

        ``gso_size`` is the payload of each segment in bytes; with offload a longer ``payload`` is a
        super-segment.  ``tos`` is the whole TOS or traffic class byte.  Raises ValueError for more than 40
        bytes of options; IP and TCP headers with ``payload`` must not exceed 65535 bytes.
        """
        encoded = b""
        if ts_val is not None or options is not NO_OPTIONS:
            encoded = self._layout(flags, ts_val, ts_ecr, options)
        payload_length = len(payload)
        header_length = HEADER_LENGTH + len(encoded)
        length = header_length + payload_length
        offset_and_flags = header_length << 10 | flags
        checksum = self._segment_sum + length
        virtio_header = self._virtio
        segments = 0
        if virtio_header:
            checksum = checksum % 0xFFFF or 0xFFFF
            if payload_length > gso_size:
                segments = -(-payload_length // gso_size)
                virtio_header = self._super_segment_header(header_length, gso_size, flags)
        else:
            checksum += seq + ack + offset_and_flags + window + urgent + ones_sum(payload)
            if encoded:
                checksum += ones_sum(encoded)
            checksum = -checksum % 0xFFFF
        if self._is_ipv4:
            version = self._version | tos
            length += ipv4.HEADER_LENGTH
            # RFC 6864 §4.1: with DF the identification says nothing; but a device may cut a super-segment
            # into packets that count from ours, and then they should not all look the same.
            identification = 0
            if segments:
                identification = self._identification
                self._identification = identification + segments & 0xFFFF
            headers = _IPV4_AND_TCP.pack(
                version, length, identification, self._constants,
                -(self._ip_sum + version + length + identification) % 0xFFFF, self._addresses,
                seq, ack, offset_and_flags, window, checksum, urgent,
            )  # fmt: skip
        else:
            headers = _IPV6_AND_TCP.pack(
                self._version | tos << 20, length, self._addresses,
                seq, ack, offset_and_flags, window, checksum, urgent,
            )  # fmt: skip
        headers = virtio_header + headers + encoded
        return (headers, payload) if payload_length else (headers,)

    def _super_segment_header(self, header_length: int, gso_size: int, flags: int) -> bytes:
        """RFC 3168 §6.1.2: CWR belongs to the first segment only, which the ECN bit tells the device."""
        ecn = virtio.GSO_ECN if flags & CWR else 0
        if self._is_ipv4:
            ip_length, gso_type = ipv4.HEADER_LENGTH, virtio.GSO_TCPV4
        else:
            ip_length, gso_type = ipv6.HEADER_LENGTH, virtio.GSO_TCPV6
        return _virtio_header(ip_length, gso_type | ecn, ip_length + header_length, gso_size)
