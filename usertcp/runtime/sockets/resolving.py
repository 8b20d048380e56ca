"""Addresses whose host is a name, as ``bind`` and ``connect`` of trio's sockets take them."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import trio

if TYPE_CHECKING:
    from usertcp.runtime.sockets.plain import PlainSocket


async def resolve(plain: PlainSocket, address: Any, *, local: bool) -> Any:
    """``address`` with a numeric host and port, for a socket such as ``plain``; ``local``: for bind().

    Raises OSError (gaierror), ValueError for what is no address.  Not always a checkpoint.
    """
    family = plain.family
    most = 2 if family == socket.AF_INET else 4
    if not isinstance(address, tuple) or not 2 <= len(address) <= most:
        raise ValueError("address should be a (host, port) tuple" + ", or longer for IPv6" * (most == 4))
    host, port, *rest = address
    if isinstance(port, int) and _is_numeric(family, host):
        return address
    if host == "":
        host = None
    elif host == "<broadcast>":
        host = "255.255.255.255"
    flags = socket.AI_PASSIVE if local else 0
    if family == socket.AF_INET6 and not plain.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY):
        flags |= socket.AI_V4MAPPED
    found = await trio.socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, plain.proto, flags)
    first: tuple[Any, ...] = found[0][4]
    return (*first[:2], *rest, *first[2 + len(rest) :])


def _is_numeric(family: int, host: Any) -> bool:
    try:
        socket.inet_pton(family, host)
    except (OSError, TypeError):
        return False
    return True
