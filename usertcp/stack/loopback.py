"""What a host says to itself: it never reaches the link (RFC 1122 §3.2.1.3 (g))."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from usertcp.stack import ingress
from usertcp.wire import ipv6, virtio

if TYPE_CHECKING:
    from usertcp.stack.host import Host
    from usertcp.wire.buffer import Buffer

IPV4: Final = bytes([127, 0, 0, 1])
IPV6: Final = bytes(15) + b"\x01"
ADDRESSES: Final = (IPV4, IPV6)


def is_loopback(address: bytes) -> bool:
    """Whether ``address`` (4 or 16 bytes) is any host's own (RFC 1122 §3.2.1.3 (g), RFC 4291 §2.5.3)."""
    return address[0] == IPV4[0] if len(address) == len(IPV4) else address == IPV6


def source_for(address: bytes) -> bytes:
    """Which address says something to the loopback address ``address``."""
    return IPV4 if len(address) == len(IPV4) else IPV6


def deliver(host: Host, now: float) -> None:
    """Take what ``host`` has put out for itself to where it goes, and what comes of that, until all is said."""
    while host.outbox:
        own = deque(packet for packet in host.outbox if _is_for(host, packet))
        if not own:
            return
        others = [packet for packet in host.outbox if not _is_for(host, packet)]
        host.outbox.clear()
        host.outbox.extend(others)
        for packet in own:
            ingress.packet_arrives(host, b"".join(packet), now, looped=True)
        host.flush(now)


def _is_for(host: Host, packet: tuple[Buffer, ...]) -> bool:
    head = packet[0]
    start = virtio.LENGTH if host.offload else 0
    if head[start] >> 4 == 4:
        return host.is_own(bytes(head[start + 16 : start + 20]))
    return host.is_own(bytes(head[start + 24 : start + ipv6.HEADER_LENGTH]))
