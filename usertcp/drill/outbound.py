"""The packets that have left, until the script expects them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import NamedTuple

from usertcp.drill.flows import Flows
from usertcp.drill.ignore import Ignore
from usertcp.drill.packets import Difference, Flow, compare, divide, payload_length, split
from usertcp.drill.script import Packet, TcpPacket
from usertcp.drill.target import Sent


@dataclass(slots=True)
class _Held:
    """A packet that left; ``part``: its first segments were expected already."""

    sent: Sent
    part: bool = False


class Match(NamedTuple):
    """An expectation against the packet that left first."""

    sent: Sent
    flow: Flow
    differences: list[Difference]
    #: What of the expectation is still to come, in another packet.
    rest: Packet | None


class Outbound:
    """What has left and was not compared yet, in its order.

    ``segment_size``: bytes of payload in a full segment, or None if that cannot be known.
    """

    def __init__(
        self, flows: Flows, ignore: Set[Ignore], segment_size: Callable[[], int | None], *, strict_segments: bool
    ) -> None:
        self._flows = flows
        self._ignore = ignore
        self._segment_size = segment_size
        self._strict = strict_segments
        self._held: deque[_Held] = deque()
        #: How often an expectation was compared with a part of a packet, or with one of several.
        self.recut = 0

    def __len__(self) -> int:
        return len(self._held)

    def left(self, sent: Sent) -> None:
        """One more packet has left."""
        self._held.append(_Held(sent))
        self._flows.outbound(sent.packet)

    @property
    def first(self) -> Sent | None:
        """The one that left first."""
        return self._held[0].sent if self._held else None

    @property
    def in_parts(self) -> bool:
        """Whether the script expected the beginning of a packet, and not the rest."""
        return bool(self._held) and self._held[0].part

    def match(self, packet: Packet) -> Match:
        """Take out the first packet, which there must be, and compare it with what is expected."""
        held = self._held.popleft()
        flow = self._flows.outbound(held.sent.packet)
        differences = compare(packet, held.sent.packet, flow, self._ignore)
        if differences and not self._strict and isinstance(packet, TcpPacket):
            match = self._recut(packet, held.sent, flow)
            if match is not None:
                self.recut += 1
                return match
        return Match(held.sent, flow, differences, None)

    def _recut(self, packet: TcpPacket, sent: Sent, flow: Flow) -> Match | None:
        """What a device cuts into segments is the same in one packet or in several, if the cut is between two.

        What is left of the packet waits for the next expectation, and what is left of the expectation for the
        next packet.
        """
        expected, actual = packet.sequence.length, payload_length(sent.packet)
        size = self._segment_size() if min(expected, actual) and expected != actual else None
        if not size or min(expected, actual) % size:
            return None
        # PSH is the device's to leave out or to repeat between the parts.
        ignore = {*self._ignore, Ignore.PUSH}
        if expected < actual:
            parts = split(sent.packet, expected)
            if parts is None or compare(packet, parts[0], flow, ignore):
                return None
            self._held.appendleft(_Held(Sent(sent.time, parts[1]), part=True))
            return Match(sent, flow, [], None)
        halves = divide(packet, actual)
        if halves is None or compare(halves[0], sent.packet, flow, ignore):
            return None
        return Match(sent, flow, [], halves[1])
