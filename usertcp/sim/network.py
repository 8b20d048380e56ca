"""Hosts joined by links, in virtual time: an event queue that goes from one packet or timer to the next.

Nothing in it waits: an hour of silence costs as much as a millisecond.  Nothing in it comes by chance but
what the seeds of the links say: the same network run twice is the same, packet for packet.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import TypeAlias

from usertcp.sim import wire_form
from usertcp.sim.impairment import Impairment
from usertcp.stack.host import Host
from usertcp.wire import ipv4, ipv6
from usertcp.wire.malformed import Malformed

#: What runs on a host: called with the time whenever connections or listeners of the host want to be looked
#: at (``host.woken``, ``host.woken_listeners``, which it empties).
Program: TypeAlias = Callable[[float], None]

#: Sees each packet as it enters a link: the time, who sent it, and the IP packet.
Tap: TypeAlias = Callable[[float, Host, bytes], None]

#: So many events at one instant mean two hosts that answer each other without end.
_TOO_MANY_AT_ONCE = 20_000


class TimeStandsStill(RuntimeError):
    """Hosts keep each other busy, and no time passes: a bug in one of them, or links without delay."""


class _Direction:
    """One direction of a link."""

    __slots__ = ("impairment", "receiver", "sender")

    def __init__(self, sender: Host, receiver: Host, impairment: Impairment) -> None:
        self.sender = sender
        self.receiver = receiver
        self.impairment = impairment


class Network:
    """Hosts, links, and the time in seconds, which begins at ``now``.

    User calls are made on the hosts and connections directly, with ``network.now``; the next :meth:`run`
    or :meth:`run_until` lets what they caused go out.
    """

    def __init__(self, *, now: float = 0.0, tap: Tap | None = None) -> None:
        self.now = now
        self.tap = tap
        self._directions: list[_Direction] = []
        self._programs: list[tuple[Host, Program]] = []
        self._hosts: list[Host] = []
        self._events_at_once = 0

    def link(self, one: Host, other: Host, there: Impairment | None = None, back: Impairment | None = None) -> None:
        """Join two hosts; ``there`` is what happens to packets from ``one`` to ``other`` (nothing by default).

        An impairment serves one direction of one link.
        """
        self._directions.append(_Direction(one, other, there or Impairment()))
        self._directions.append(_Direction(other, one, back or Impairment()))
        for host in (one, other):
            if host not in self._hosts:
                self._hosts.append(host)

    def install(self, host: Host, program: Program) -> None:
        """Have ``program`` called whenever something on ``host`` wants to be looked at."""
        self._programs.append((host, program))

    def run(self, until: float) -> None:
        """Let everything happen that happens up to ``until``, and let the time be that."""
        self.run_until(lambda: False, until)

    def run_until(self, predicate: Callable[[], bool], limit: float = inf) -> bool:
        """Let time pass until ``predicate()`` or until ``limit``; returns whether the predicate holds.

        Ends early (False) when nothing will ever happen again.  Raises TimeStandsStill.
        """
        self._settle()
        while not predicate():
            event = self.deadline()
            if event > limit or event == inf:
                self.now = limit if limit < inf else self.now
                return False
            self._step(event)
        return True

    def deadline(self) -> float:
        """When something happens next; ``inf`` for never."""
        return min(
            min((host.deadline() for host in self._hosts), default=inf),
            min((direction.impairment.deadline() for direction in self._directions), default=inf),
        )

    # -- One event ------------------------------------------------------------------------------------

    def _step(self, event: float) -> None:
        if event > self.now:
            self.now = event
            self._events_at_once = 0
        self._events_at_once += 1
        if self._events_at_once > _TOO_MANY_AT_ONCE:
            raise TimeStandsStill(f"more than {_TOO_MANY_AT_ONCE} events at {self.now} s")
        for direction in self._directions:
            receiver = direction.receiver
            for _, packet in direction.impairment.take(self.now):
                receiver.packet_arrives(wire_form.to_offload(packet) if receiver.offload else packet, self.now)
        for host in self._hosts:
            if host.deadline() <= self.now:
                host.run_timers(self.now)
        self._settle()

    def _settle(self) -> None:
        """What the hosts have to say goes out, and their programs run, until nobody has anything to say."""
        busy = True
        while busy:
            for host in self._hosts:
                host.flush(self.now)
                while host.outbox:
                    self._send(host, b"".join(host.outbox.popleft()))
            busy = False
            for host, program in self._programs:
                if host.woken or host.woken_listeners:
                    program(self.now)
                    busy = True

    def _send(self, sender: Host, packet: bytes) -> None:
        """Put ``packet`` on the link that leads to its destination; nobody there: it is gone."""
        for piece in wire_form.from_offload(packet) if sender.offload else [packet]:
            if self.tap is not None:
                self.tap(self.now, sender, piece)
            direction = self._route(sender, piece)
            if direction is not None:
                direction.impairment.put(piece, self.now)

    def _route(self, sender: Host, packet: bytes) -> _Direction | None:
        header = ipv4.parse(packet) if packet[0] >> 4 == 4 else ipv6.parse(packet)
        assert not isinstance(header, Malformed), "a host put out a malformed packet"
        for direction in self._directions:
            if direction.sender is sender and header.dst in direction.receiver.address_set:
                return direction
        return None
