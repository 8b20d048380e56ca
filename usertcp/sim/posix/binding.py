"""bind(2), for sockets of any protocol."""

from __future__ import annotations

from errno import EADDRINUSE, EADDRNOTAVAIL, EINVAL
from typing import TYPE_CHECKING

from usertcp.sim.posix import constants as c
from usertcp.sim.posix import ports
from usertcp.sim.posix.addresses import ANY, SocketAddress, checked, is_any, on_the_wire
from usertcp.sim.posix.errors import failure

if TYPE_CHECKING:
    from usertcp.sim.posix.sockets import Socket


def bind(socket: Socket, address: SocketAddress, *, in_use: bool) -> None:
    """Give ``socket`` its own address; ``in_use``: it is connected or listens, and can have no other."""
    address = checked(socket.domain, address)
    if not is_any(address.address) and not socket.machine.host.is_own(on_the_wire(address.address)):
        raise failure(EADDRNOTAVAIL)
    if in_use or socket.local.port:
        raise failure(EINVAL)
    port = address.port
    if not port and not socket.flag(c.SOL_IP, c.IP_BIND_ADDRESS_NO_PORT):
        port = ports.free(socket)  # otherwise connect() and listen() choose one
    if address.port and not ports.may_bind(socket, address):
        raise failure(EADDRINUSE)
    socket.local = address._replace(port=port)
    socket.bound_address = not is_any(address.address)
    socket.bound_port = bool(address.port)


def unbind(socket: Socket) -> None:
    """What bind() did not choose is forgotten."""
    address = socket.local.address if socket.bound_address else ANY[socket.domain]
    socket.local = SocketAddress(socket.domain, address, socket.local.port if socket.bound_port else 0)
