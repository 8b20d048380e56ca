"""The packets of a UDP socket."""

from __future__ import annotations

from errno import EMSGSIZE
from typing import TYPE_CHECKING, Final

from usertcp.sim.posix import constants as c
from usertcp.sim.posix.addresses import SocketAddress
from usertcp.sim.posix.errors import failure
from usertcp.stack import fragmentation
from usertcp.wire import ipv4, ipv6, udp, virtio

if TYPE_CHECKING:
    from usertcp.sim.posix.udp_socket import UdpSocket

_PLAIN: Final = virtio.emit(virtio.NetHeader())
_NO_FRAGMENTS: Final = (c.IP_PMTUDISC_DO, c.IP_PMTUDISC_PROBE)


def send(socket: UdpSocket, local: bytes, remote: SocketAddress, data: bytes) -> None:
    """One datagram, in fragments if it is longer than the link takes and that is allowed."""
    host = socket.machine.host
    datagram = udp.emit(local, remote.address, socket.local.port, remote.port, data) + data
    header = _header(socket, local, remote, len(datagram))
    virtio_header = _PLAIN if host.offload else b""
    if len(header) + len(datagram) <= host.mtu:
        host.outbox.append((virtio_header + header, datagram))
        return
    if _discovery(socket, remote) in _NO_FRAGMENTS:
        raise failure(EMSGSIZE)
    number = host.new_identification(local, remote.address)
    pieces = fragmentation.packets(local, remote.address, udp.PROTOCOL, datagram, mtu=host.mtu, identification=number)
    host.outbox.extend((virtio_header + head, piece) for head, piece in pieces)


def _discovery(socket: UdpSocket, remote: SocketAddress) -> int:
    ipv4_too = len(remote.address) == 4
    option = (c.SOL_IP, c.IP_MTU_DISCOVER) if ipv4_too else (c.SOL_IPV6, c.IPV6_MTU_DISCOVER)
    return socket.numbers.get(option, c.IP_PMTUDISC_WANT)


def _header(socket: UdpSocket, local: bytes, remote: SocketAddress, length: int) -> bytes:
    numbers = socket.numbers
    if len(local) == 4:
        return ipv4.emit(
            ipv4.Header(
                local,
                remote.address,
                udp.PROTOCOL,
                ttl=numbers.get((c.SOL_IP, c.IP_TTL), 64),
                tos=numbers.get((c.SOL_IP, c.IP_TOS), 0),
                dont_fragment=_discovery(socket, remote) != c.IP_PMTUDISC_DONT,
            ),
            min(length, ipv4.MAX_LENGTH - ipv4.HEADER_LENGTH),
        )
    hops = numbers.get((c.SOL_IPV6, c.IPV6_UNICAST_HOPS), 64)
    traffic_class = numbers.get((c.SOL_IPV6, c.IPV6_TCLASS), 0)
    return ipv6.emit(
        ipv6.Header(local, remote.address, udp.PROTOCOL, hop_limit=hops, traffic_class=traffic_class),
        min(length, 0xFFFF),
    )
