"""Addresses as Python's sockets have them: (host, port) and (host, port, flow, scope)."""

from __future__ import annotations

import socket
from typing import Any

from usertcp.sim.posix.addresses import SocketAddress

_PORTS = range(1 << 16)


def to_python(address: SocketAddress) -> Any:
    """The tuple for an address."""
    host = socket.inet_ntop(address.family, address.address)
    if address.family == socket.AF_INET:
        return host, address.port
    return host, address.port, address.flow, address.scope


def from_python(family: int, address: Any) -> SocketAddress:
    """The address that a tuple with a numeric host stands for.

    Raises TypeError, OverflowError and OSError where Python's own sockets do.
    """
    most = 2 if family == socket.AF_INET else 4
    if not isinstance(address, tuple) or not 2 <= len(address) <= most:
        raise TypeError(f"an address is a tuple of host and port, not {address!r}")
    host, port, *rest = address
    if port not in _PORTS:
        raise OverflowError("port must be 0-65535")
    if isinstance(host, (bytes, bytearray)):
        host = host.decode("ascii", "replace")
    flow, scope = (*rest, 0, 0)[:2]
    try:
        return SocketAddress(family, socket.inet_pton(family, host.partition("%")[0]), int(port), flow, scope)
    except OSError:
        raise socket.gaierror(socket.EAI_NONAME, f"{host!r} is not a numeric address of this family") from None
