"""By which bytes a host finds a connection: the peer's address and ours, then its port and ours, as in a packet."""

from __future__ import annotations

from struct import Struct

_PORTS = Struct("!HH")


def key_of(remote: bytes, remote_port: int, local: bytes, local_port: int) -> bytes:
    """The key of the connection between these two sockets; addresses are 4 or 16 bytes."""
    return remote + local + _PORTS.pack(remote_port, local_port)


def sockets_of(key: bytes) -> tuple[bytes, int, bytes, int]:
    """The remote address and port and the local ones of the connection that the host knows by ``key``."""
    size = (len(key) - _PORTS.size) // 2
    remote_port, local_port = _PORTS.unpack_from(key, 2 * size)
    return key[:size], remote_port, key[size : 2 * size], local_port
