"""Socket addresses: of both families, mapped ones, and as bytes."""

from __future__ import annotations

import struct
from errno import EAFNOSUPPORT, EINVAL
from ipaddress import ip_address
from typing import Final, NamedTuple

from usertcp.sim.posix.constants import AF_INET, AF_INET6, AF_UNSPEC
from usertcp.sim.posix.errors import failure

#: Addresses that name no host: "any of mine".
ANY: Final = {AF_INET: bytes(4), AF_INET6: bytes(16)}
_SIZES: Final = {AF_INET: 16, AF_INET6: 28}
_MAPPED: Final = bytes(10) + b"\xff\xff"


class SocketAddress(NamedTuple):
    """``struct sockaddr_in`` or ``sockaddr_in6``: ``address`` has 4 or 16 bytes, none with AF_UNSPEC."""

    family: int
    address: bytes
    port: int
    flow: int = 0
    scope: int = 0

    def __str__(self) -> str:
        if len(self.address) not in (4, 16):
            return f"family {self.family}"
        host = str(ip_address(self.address))
        return f"[{host}]:{self.port}" if len(self.address) == 16 else f"{host}:{self.port}"


UNSPECIFIED: Final = SocketAddress(AF_UNSPEC, b"", 0)


def socket_address(host: str, port: int) -> SocketAddress:
    """An address from its text.  Raises ValueError."""
    address = ip_address(host).packed
    return SocketAddress(AF_INET if len(address) == 4 else AF_INET6, address, port)


def sockaddr(address: SocketAddress | None, domain: int) -> bytes:
    """``struct sockaddr_in`` or ``sockaddr_in6`` as Linux lays it out; for None one of zeros, of ``domain``'s size."""
    if address is None:
        return bytes(_SIZES[domain])
    if address.family == AF_INET:
        return struct.pack("=H", AF_INET) + struct.pack("!H4s8x", address.port, address.address)
    return (
        struct.pack("=H", AF_INET6)
        + struct.pack("!HI16s", address.port, address.flow, address.address)
        + struct.pack("=I", address.scope)
    )


def is_mapped(address: bytes) -> bool:
    """Whether these 16 bytes stand for an IPv4 address (RFC 4291 §2.5.5.2)."""
    return len(address) == 16 and address[:12] == _MAPPED


def on_the_wire(address: bytes) -> bytes:
    """The address that packets bear: that of 4 bytes for a mapped one."""
    return address[12:] if is_mapped(address) else address


def for_socket(domain: int, address: bytes, port: int) -> SocketAddress:
    """An address of the wire as a socket of ``domain`` shows it."""
    if domain == AF_INET6 and len(address) == 4:
        address = _MAPPED + address if any(address) else ANY[AF_INET6]
    return SocketAddress(domain, address, port)


def checked(domain: int, address: SocketAddress) -> SocketAddress:
    """``address``, if a socket of ``domain`` takes it.  Raises OSError: EAFNOSUPPORT, EINVAL."""
    if domain == AF_INET6 and address.family == AF_INET:
        raise failure(EINVAL)  # a sockaddr_in is shorter than a sockaddr_in6
    if address.family != domain:
        raise failure(EAFNOSUPPORT)
    if len(address.address) != len(ANY[domain]):
        raise failure(EINVAL)
    return address


def is_any(address: bytes) -> bool:
    """Whether this is INADDR_ANY, ``::`` or INADDR_ANY mapped."""
    return not any(on_the_wire(address))
