"""Ports of the machine's sockets: which are free, and which sockets may share one."""

from __future__ import annotations

from errno import EADDRINUSE
from typing import TYPE_CHECKING, Final

from usertcp.sim.posix import constants as c
from usertcp.sim.posix.addresses import SocketAddress, is_any, on_the_wire
from usertcp.sim.posix.errors import failure

if TYPE_CHECKING:
    from usertcp.sim.posix.sockets import Socket

#: Where the search for a free port begins and ends (net.ipv4.ip_local_port_range).
_FIRST: Final = 32768
_LAST: Final = 60999


def _others(socket: Socket) -> list[Socket]:
    """Sockets of the same protocol that are bound."""
    return [
        other
        for other in socket.machine.sockets()
        if other is not socket and other.protocol == socket.protocol and other.local.port
    ]


def free(socket: Socket) -> int:
    """A port that no socket of the machine has.  Raises OSError EADDRINUSE."""
    taken = {other.local.port for other in _others(socket)}
    if socket.protocol == c.IPPROTO_TCP:
        taken |= {port for port, _ in socket.machine.host.listeners}
    chosen = socket.numbers.get((c.SOL_IP, c.IP_LOCAL_PORT_RANGE), 0)
    first, last = max(_FIRST, chosen & 0xFFFF), min(_LAST, chosen >> 16 or _LAST)
    if first > last:  # a range outside of the system's counts for nothing
        first, last = _FIRST, _LAST
    port = next((port for port in range(first, last + 1) if port not in taken), None)
    if port is None:
        raise failure(EADDRINUSE)
    return port


def _sizes(socket: Socket, address: SocketAddress) -> set[int]:
    """Of which addresses packets could be for a socket that is bound to ``address``: in bytes, 4 or 16."""
    if not is_any(address.address):
        return {len(on_the_wire(address.address))}
    if socket.domain == c.AF_INET:
        return {4}
    return {16} if socket.flag(c.SOL_IPV6, c.IPV6_V6ONLY) else {4, 16}


def _overlap(socket: Socket, address: SocketAddress, other: Socket) -> bool:
    """Whether a packet could be for both."""
    if not _sizes(socket, address) & _sizes(other, other.local):
        return False
    mine, theirs = on_the_wire(address.address), on_the_wire(other.local.address)
    return is_any(mine) or is_any(theirs) or mine == theirs


def may_bind(socket: Socket, address: SocketAddress) -> bool:
    """Whether the port is free for this address, or every socket that has it lets others have it too."""
    for other in _others(socket):
        if other.local.port != address.port or not _overlap(socket, address, other):
            continue
        both_reuse = socket.flag(c.SOL_SOCKET, c.SO_REUSEADDR) and other.flag(c.SOL_SOCKET, c.SO_REUSEADDR)
        both_share = socket.flag(c.SOL_SOCKET, c.SO_REUSEPORT) and other.flag(c.SOL_SOCKET, c.SO_REUSEPORT)
        if not both_share and not (both_reuse and not other.listening):
            return False
    return _old_connections_allow(socket, address)


def _old_connections_allow(socket: Socket, address: SocketAddress) -> bool:
    """A port on which connections still end, TIME-WAIT included, needs SO_REUSEADDR."""
    if socket.protocol != c.IPPROTO_TCP or socket.flag(c.SOL_SOCKET, c.SO_REUSEADDR):
        return True
    host = socket.machine.host
    port = address.port.to_bytes(2, "big")
    wire = on_the_wire(address.address)
    return not any(
        key[-2:] == port and (is_any(wire) or key[(len(key) - 4) // 2 : -4] == wire)
        for table in (host.connections, host.time_waits)
        for key in table
    )


def may_listen(socket: Socket) -> bool:
    """Whether no other socket listens there."""
    return not any(
        other.listening and other.local.port == socket.local.port and _overlap(socket, socket.local, other)
        for other in _others(socket)
        if not (socket.flag(c.SOL_SOCKET, c.SO_REUSEPORT) and other.flag(c.SOL_SOCKET, c.SO_REUSEPORT))
    )
