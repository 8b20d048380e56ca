"""A link between two hosts, which can be changed while it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import trio

from usertcp.sim.impairment import Conditions, Impairment
from usertcp.testing import router
from usertcp.testing.tap import Tapped

if TYPE_CHECKING:
    from usertcp.testing.host import NetworkHost

#: No host must be able to take less (RFC 791).
LEAST_MTU: Final = 68


class Direction:
    """One direction of a link.  Made by :class:`Link`.

    ``counts`` says what happened to how many packets: as in :class:`~usertcp.sim.impairment.Impairment`, and
    "partition", "too big" and "fragmented".
    """

    def __init__(
        self, sender: NetworkHost, receiver: NetworkHost, conditions: Conditions, seed: int, busy: Callable[[], None]
    ) -> None:
        self.sender = sender
        self.receiver = receiver
        #: The largest packet that passes, in bytes; None: any.
        self.mtu: int | None = None
        #: Whether the sender is told of packets that are too big.
        self.tells = True
        #: Whether nothing passes at all.
        self.is_cut = False
        self._path = Impairment(conditions, seed=seed)
        self.counts: Counter[str] = self._path.counts
        self._busy = busy

    @property
    def conditions(self) -> Conditions:
        """How good or bad this direction is.  Assign another value, and it is so from now on:
        :meth:`~usertcp.sim.impairment.Impairment.change`."""
        return self._path.conditions

    @conditions.setter
    def conditions(self, value: Conditions) -> None:
        self._path.change(value, trio.current_time())
        self._busy()

    # -- Called by the network ------------------------------------------------------------------------

    def put(self, packet: bytes, now: float) -> str:
        """A packet enters; returns its fate, as in :class:`~usertcp.testing.tap.Tapped`."""
        if self.is_cut:
            self.counts["partition"] += 1
            return "partition"
        before = self.counts.copy()
        if self.mtu is None or len(packet) <= self.mtu:
            self._path.put(packet, now)
        else:
            self._put_fragments(packet, self.mtu, now)
        self._busy()
        if self.counts == before:
            return ""
        return ",".join(name for name, count in self.counts.items() if count > before[name])

    def _put_fragments(self, packet: bytes, mtu: int, now: float) -> None:
        pieces = router.fragments(packet, mtu)
        self.counts["too big" if pieces is None else "fragmented"] += 1
        for piece in pieces or ():
            self._path.put(piece, now)

    def deadline(self) -> float:
        """When the next packet comes out."""
        return self._path.deadline()

    def deliver(self, now: float) -> None:
        """What has come through by now arrives."""
        for _, packet in self._path.take(now):
            self.receiver.arrives(packet)


class Link:
    """Two directions between two hosts.  Made by :meth:`~usertcp.testing.network.Network.link`."""

    def __init__(self, there: Direction, back: Direction) -> None:
        #: From the first host to the second.
        self.there = there
        #: From the second host to the first.
        self.back = back

    def change(self, there: Conditions, back: Conditions | None = None) -> None:
        """Both directions are so from now on; the way back is as the way there where it is not given.

        Packets that are behind the bottleneck arrive as they would have.
        """
        self.there.conditions = there
        self.back.conditions = there if back is None else back

    def partition(self) -> None:
        """From now on nothing enters, and nobody is told.  What is underway arrives."""
        self.there.is_cut = self.back.is_cut = True

    def heal(self) -> None:
        """The end of :meth:`partition`."""
        self.there.is_cut = self.back.is_cut = False

    def limit_mtu(self, mtu: int | None, *, silently: bool = False) -> None:
        """From now on only packets of at most ``mtu`` bytes pass (None: any), both ways.

        A router divides larger ones of IPv4 whose sender allows that, and drops others.  It tells their sender by
        ICMP, unless ``silently``: then it is a black hole.  Raises ValueError below 68 bytes.
        """
        if mtu is not None and mtu < LEAST_MTU:
            raise ValueError(f"an MTU is {LEAST_MTU} bytes at least")
        for direction in (self.there, self.back):
            direction.mtu = mtu
            direction.tells = not silently

    # -- Called by the network ------------------------------------------------------------------------

    def send(self, direction: Direction, packet: bytes, now: float) -> list[Tapped]:
        """A packet enters ``direction``; what a tap sees of it, and of the answer of a router."""
        sender, receiver = direction.sender.name, direction.receiver.name
        fate = direction.put(packet, now)
        seen = [Tapped(now, sender, receiver, packet, fate)]
        if fate == "too big" and direction.tells and direction.mtu is not None:
            answer = router.too_big(packet, direction.mtu)
            backwards = self.back if direction is self.there else self.there
            seen.append(Tapped(now, "router", sender, answer, backwards.put(answer, now)))
        return seen
