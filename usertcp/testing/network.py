"""Hosts and links as a trio program sees them: time is trio's clock, real or a test's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from ipaddress import ip_address
from math import inf
from typing import TypeAlias

import trio

from usertcp.runtime.stack import DEFAULT_MTU
from usertcp.sim.impairment import PERFECT, Conditions
from usertcp.stack.host import HostConfig
from usertcp.tcp.settings import Settings
from usertcp.testing import seeds
from usertcp.testing.host import NetworkHost
from usertcp.testing.link import LEAST_MTU, Direction, Link
from usertcp.testing.tap import Tap, Tapped


class Network:
    """Hosts that run, and links between them.  Made by :func:`open_network`."""

    def __init__(self, seed: int, nursery: trio.Nursery) -> None:
        self.seed = seed
        self.hosts: dict[str, NetworkHost] = {}
        self.links: list[Link] = []
        self._nursery = nursery
        self._taps: list[Tap] = []
        self._directions: list[Direction] = []
        #: Where a host's packets for an address go.
        self._routes: dict[tuple[str, bytes], tuple[Link, Direction]] = {}
        self._sleep = trio.CancelScope()

    async def add_host(
        self,
        name: str,
        *addresses: str,
        mtu: int = DEFAULT_MTU,
        settings: Settings | None = None,
        config: HostConfig | None = None,
    ) -> NetworkHost:
        """A host that runs from now on, with its IPv4 and IPv6 ``addresses``.

        ``mtu`` is that of its own interface, in bytes; ``settings`` are those of its connections, in place of the
        ones in ``config``.  Raises ValueError for a name or an address that another one has, for what is no
        address, and for an MTU below 68.
        """
        if mtu < LEAST_MTU:
            raise ValueError(f"an MTU is {LEAST_MTU} bytes at least")
        if name in self.hosts or not addresses:
            raise ValueError(f"{name!r} needs an address" if not addresses else f"there is a host {name!r} already")
        taken = {address for host in self.hosts.values() for address in host.raw_addresses}
        for address in addresses:
            if ip_address(address).packed in taken:
                raise ValueError(f"another host has {address} already")
        config = config or HostConfig()
        if settings is not None:
            config = replace(config, settings=settings)
        host = NetworkHost(name, addresses, mtu, config, self.seed, self._send, self._names, self._nursery)
        self.hosts[name] = host
        if self._taps:
            host.watch()
        await host.start()
        return host

    def link(
        self, one: NetworkHost, other: NetworkHost, there: Conditions = PERFECT, back: Conditions | None = None
    ) -> Link:
        """Join two hosts: ``there`` are the conditions from ``one`` to ``other``, ``back`` those of the other
        direction (None: the same).  Packets go over the one link to the host that has their address; nobody
        forwards.  Raises ValueError where the two are joined already."""
        if one is other or any(one in pair and other in pair for pair in map(_ends, self.links)):
            raise ValueError(f"{one.name} and {other.name} cannot be joined (again)")
        directions = [
            Direction(
                sender, receiver, conditions, seeds.number(self.seed, "link", sender.name, receiver.name), self._look
            )
            for sender, receiver, conditions in (
                (one, other, there),
                (other, one, there if back is None else back),
            )
        ]
        link = Link(*directions)
        self.links.append(link)
        self._directions += directions
        for direction in directions:
            for address in direction.receiver.raw_addresses:
                self._routes[direction.sender.name, address] = link, direction
        return link

    def _names(self) -> dict[str, tuple[str, ...]]:
        return {name: host.addresses for name, host in self.hosts.items()}

    def tap(self, see: Tap) -> None:
        """Have ``see`` called with each packet that a host sends, as it enters its link.  It must not raise."""
        self._taps.append(see)
        for host in self.hosts.values():
            host.watch()

    # -- Packets underway -----------------------------------------------------------------------------

    def _send(self, sender: NetworkHost, packet: bytes) -> None:
        now = trio.current_time()
        route = self._routes.get((sender.name, packet[16:20] if packet[0] >> 4 == 4 else packet[24:40]))
        if route is None:
            seen = [Tapped(now, sender.name, "", packet, "no link")]
        else:
            link, direction = route
            seen = link.send(direction, packet, now)
        seen[0] = seen[0]._replace(reasons=sender.reasons(packet, now))
        for see in self._taps:
            for tapped in seen:
                see(tapped)

    def _look(self) -> None:
        """Something was put on a link, or a link was changed."""
        deadline = self._deadline()
        if deadline < self._sleep.deadline:
            self._sleep.deadline = deadline

    def _deadline(self) -> float:
        return min((direction.deadline() for direction in self._directions), default=inf)

    async def _carry(self) -> None:
        """Deliver each packet when its time has come."""
        while True:
            with trio.CancelScope(deadline=self._deadline()) as self._sleep:
                await trio.sleep_forever()
            now = trio.current_time()
            for direction in self._directions:
                direction.deliver(now)


#: What the fixture ``usertcp_network`` is.
Opener: TypeAlias = Callable[[], AbstractAsyncContextManager[Network]]


def _ends(link: Link) -> tuple[NetworkHost, NetworkHost]:
    return link.there.sender, link.there.receiver


@asynccontextmanager
async def open_network(*, seed: int = 0) -> AsyncIterator[Network]:
    """A network that runs as long as the ``async with`` block lasts; then all hosts are switched off.

    ``seed``: all that happens by chance on links and hosts comes from it.  The same seed gives the same packets,
    byte for byte, where trio's clock is a ``MockClock`` and its scheduling is seeded, too: the fixture
    ``usertcp_network`` does that, and :func:`~usertcp.testing.determinism.seed_scheduling`.

    What the block raises comes out as it is, and in a group only with what programs on hosts raised.
    """
    raised: list[Exception] = []
    try:
        async with trio.open_nursery() as nursery:
            network = Network(seed, nursery)
            nursery.start_soon(network._carry)
            try:
                yield network
            except Exception as error:
                raised.append(error)
            finally:
                for host in network.hosts.values():
                    host.switch_off()
                nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:  # of programs on hosts
        if raised:
            raise BaseExceptionGroup(group.message, [*raised, *group.exceptions]) from None
        raise
    if raised:
        raise raised[0]
