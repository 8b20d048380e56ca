"""Names of hosts: a table of the caller's, and behind it trio's own resolver."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any, Final, TypeAlias

import trio

#: Addresses, or one, by name.
Hosts: TypeAlias = Mapping[str, str | Sequence[str]]

_FAMILIES: Final = {4: socket.AF_INET, 16: socket.AF_INET6}
_FAMILY_NAMES: Final[dict[int, str]] = {socket.AF_INET: "IPv4", socket.AF_INET6: "IPv6"}


class Names:
    """What names mean to the programs of one stack, which has addresses of ``families``.

    ``system``: names that ``hosts`` lacks are looked up as ever.  Raises ValueError for what is no address.
    """

    def __init__(self, hosts: Hosts, families: frozenset[int], *, system: bool) -> None:
        self._families = families
        self._system = system
        self._hosts: dict[str, list[str]] = {"localhost": ["::1", "127.0.0.1"]}  # whatever else is known
        for name, addresses in hosts.items():
            several = [addresses] if isinstance(addresses, str) else list(addresses)
            self._hosts[_canonical(name)] = [str(ip_address(address)) for address in several]

    async def getaddrinfo(
        self,
        host: bytes | None,
        port: bytes | str | int | None,
        family: int,
        kind: int,
        proto: int,
        flags: int,
        before: trio.abc.HostnameResolver | None,
    ) -> list[Any]:
        """getaddrinfo(3), with ``before`` for what the table lacks (None: the system's, in a thread).

        Raises :class:`socket.gaierror`; a family that the stack has no address of counts as none.
        """
        name = None if host is None else _canonical(host.decode("ascii", "replace"))
        addresses = None if name is None else self._hosts.get(name)
        asked = (port, family, kind, proto, flags)
        if name is not None and addresses is not None:
            found = _numeric(name, addresses, *asked)
        elif not self._system and name is not None:
            raise socket.gaierror(socket.EAI_NONAME, f"no host {name!r} in the table, and no other names are asked")
        elif before is not None:
            found = await before.getaddrinfo(host, *asked)
        else:
            found = await trio.to_thread.run_sync(socket.getaddrinfo, host, *asked, abandon_on_cancel=True)
        fitting = [entry for entry in found if entry[0] in self._families]
        if not fitting:
            ours = " and ".join(_FAMILY_NAMES[family] for family in sorted(self._families))
            raise socket.gaierror(socket.EAI_NONAME, f"{name!r} has no address that this stack, of {ours}, can reach")
        return fitting

    async def getnameinfo(self, sockaddr: Any, flags: int, before: trio.abc.HostnameResolver | None) -> tuple[str, str]:
        """getnameinfo(3): the first name of the table that has this address, else as :meth:`getaddrinfo`."""
        address = str(ip_address(sockaddr[0].partition("%")[0]))
        if not flags & socket.NI_NUMERICHOST:
            for name, addresses in self._hosts.items():
                if address in addresses:
                    _, service = socket.getnameinfo(sockaddr, flags & ~socket.NI_NAMEREQD | socket.NI_NUMERICHOST)
                    return name, service
            if not self._system and flags & socket.NI_NAMEREQD:
                raise socket.gaierror(socket.EAI_NONAME, f"{address} has no name in the table")
        if not self._system or flags & socket.NI_NUMERICHOST:
            return socket.getnameinfo(sockaddr, flags | socket.NI_NUMERICHOST)
        if before is not None:
            return await before.getnameinfo(sockaddr, flags)
        return await trio.to_thread.run_sync(socket.getnameinfo, sockaddr, flags, abandon_on_cancel=True)


def _canonical(name: str) -> str:
    return name.rstrip(".").lower()


def _family_of(address: str) -> int:
    return _FAMILIES[len(ip_address(address).packed)]


def _numeric(
    name: str, addresses: list[str], port: bytes | str | int | None, family: int, kind: int, proto: int, flags: int
) -> list[Any]:
    """What getaddrinfo(3) says of the addresses of a name, in their order."""
    found: list[Any] = []
    numeric = flags & ~socket.AI_CANONNAME | socket.AI_NUMERICHOST
    fitting = [address for address in addresses if family in (socket.AF_UNSPEC, _family_of(address))]
    if not fitting and family == socket.AF_INET6 and flags & socket.AI_V4MAPPED:
        fitting = addresses
    for address in fitting:
        found += socket.getaddrinfo(address, port, family, kind, proto, numeric)
    if flags & socket.AI_CANONNAME and found:
        first = found[0]
        found[0] = (*first[:3], name, first[4])
    return found
