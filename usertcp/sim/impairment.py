"""What a path does to packets in one direction: it loses, delays, repeats, damages and overtakes them.

An :class:`Impairment` knows no network and no clock.  Packets go in with the time, and come out when
theirs has come, so it serves a simulated link and a live device alike.  Everything that happens by chance
comes from one seed: the same packets at the same times come out the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from math import inf
from random import Random
from typing import NamedTuple

from usertcp.sim.selection import KINDS, Nth, Selector


class Burst(NamedTuple):
    """Losses that come together (the Gilbert model): before each packet a burst begins with probability
    ``begins``, and each packet in it is lost, ``length`` packets on average."""

    begins: float
    length: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """How good or bad a path is.  Probabilities are 0..1 for each packet, times seconds.

    What is dropped by name is dropped first; then come loss, damage, repetition, the bottleneck with its
    queue, the delay, and last the packets that let others overtake them.
    """

    #: Segments to be dropped by name, such as ``Nth("data", 3)``.
    drop: tuple[Nth, ...] = ()
    loss: float = 0.0
    burst: Burst | None = None
    #: One bit of the packet is flipped.  (Two could cancel out in the Internet checksum, and no TCP would
    #: see it.)
    corrupt: float = 0.0
    #: The packet comes twice.
    duplicate: float = 0.0
    #: Bits per second of the bottleneck; None: no limit; 0: what comes waits in the queue until the rate changes.
    rate: float | None = None
    #: Packets that wait before the bottleneck; more are dropped.
    queue: int = 1000
    delay: float = 0.0
    #: Added to ``delay``, from 0 up to this.  It does not change the order.
    jitter: float = 0.0
    #: The packet is held until ``reorder_distance`` later ones have overtaken it, or for
    #: ``reorder_delay`` seconds if that is sooner.
    reorder: float = 0.0
    reorder_distance: int = 3
    reorder_delay: float = 0.1

    def __post_init__(self) -> None:
        for name in ("loss", "corrupt", "duplicate", "reorder"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a probability: 0 to 1")
        if self.burst is not None and not (0 <= self.burst.begins <= 1 and self.burst.length >= 1):
            raise ValueError("a burst begins with a probability and is 1 packet long or longer")
        if self.rate is not None and not self.rate >= 0:
            raise ValueError("a rate is 0 or more bits per second")
        amounts = (self.delay, self.jitter, self.reorder_delay, self.queue, self.reorder_distance)
        if not all(0 <= amount < inf for amount in amounts):
            raise ValueError("times, queues and distances are finite and not negative")
        for named in self.drop:
            if not (isinstance(named, Nth) and named.kind in KINDS and named.number >= 1):
                raise ValueError(f'drop takes a tuple of Nth(kind, number), such as Nth("syn", 3): not {named!r}')


#: A path that does nothing at all to packets.
PERFECT = Conditions()


class _Underway(NamedTuple):
    """A packet that comes out at ``out``, and has left the bottleneck at ``sent``."""

    out: float
    serial: int
    packet: bytes
    sent: float


class _Held:
    """A packet that lets ``overtakers`` more go first, but leaves at ``latest``."""

    __slots__ = ("latest", "overtakers", "packet")

    def __init__(self, packet: bytes, overtakers: int, latest: float) -> None:
        self.packet = packet
        self.overtakers = overtakers
        self.latest = latest


class Entered(NamedTuple):
    """A packet that entered a path: as it goes on (it may be damaged) and how many times (0: it is lost), and what
    happens to it, by the names of :attr:`Impairment.counts`."""

    packet: bytes
    copies: int
    what: tuple[str, ...]


class Impairment:
    """One direction of a path under ``conditions``, which :meth:`change` changes.

    ``counts`` says how many packets were "dropped", "lost", "corrupted", "duplicated", "queue-full" and
    "reordered".
    """

    def __init__(self, conditions: Conditions = PERFECT, *, seed: int = 0) -> None:
        self.conditions = conditions
        self.counts: Counter[str] = Counter()
        #: What happens to the packet that enters just now.
        self._happening: list[str] = []
        self._random = Random(seed)
        self._selector = Selector(conditions.drop)
        self._in_burst = False
        #: When the bottleneck has put each waiting packet on the line.
        self._line: list[float] = []
        self._last_out = -inf
        self._waiting: list[_Underway] = []
        #: What waits before a bottleneck that lets nothing through.
        self._stalled: list[bytes] = []
        self._held: list[_Held] = []
        self._serial = 0

    def put(self, packet: bytes, now: float) -> Entered:
        """``packet`` (an IP packet) enters at ``now``, which never goes back."""
        self._happening.clear()
        copies = 0
        if not self._is_dropped(packet):
            packet = self._damaged(packet)
            copies += self._enter(packet, now)
            if self._happens(self.conditions.duplicate, "duplicated"):
                copies += self._enter(packet, now)
        return Entered(packet, copies, tuple(self._happening))

    def change(self, conditions: Conditions, now: float) -> None:
        """From ``now`` on the path is as ``conditions`` say.

        Packets behind the bottleneck arrive as they would have; those before it wait for the new rate.  Segments
        to be dropped by name are counted from here on where these names have changed.
        """
        before, self.conditions = self.conditions, conditions
        if conditions.drop != before.drop:
            self._selector = Selector(conditions.drop)
        if conditions.rate != before.rate:
            self._queue_again(now)

    def deadline(self) -> float:
        """When :meth:`take` has something next; ``inf`` when the path is empty."""
        first = self._waiting[0].out if self._waiting else inf
        return min([first, *(held.latest for held in self._held)])

    def take(self, now: float) -> Iterator[tuple[float, bytes]]:
        """The packets that have come through by ``now``, each with the time when it did, in that order."""
        while (first := self.deadline()) <= now and first < inf:
            self._let_go_overdue(first)
            underway = heappop(self._waiting)
            yield underway.out, underway.packet

    # -- What can happen to a packet, in this order ---------------------------------------------------

    def _is_dropped(self, packet: bytes) -> bool:
        if self._selector.matches(packet):
            self._note("dropped")
            return True
        if self._burst_goes_on():
            self._note("lost")
            return True
        return self._happens(self.conditions.loss, "lost")

    def _burst_goes_on(self) -> bool:
        burst = self.conditions.burst
        if burst is None:
            return False
        if self._in_burst:
            self._in_burst = self._random.random() >= 1 / burst.length
        else:
            self._in_burst = self._random.random() < burst.begins
        return self._in_burst

    def _damaged(self, packet: bytes) -> bytes:
        if not packet or not self._happens(self.conditions.corrupt, "corrupted"):
            return packet
        damaged = bytearray(packet)
        bit = self._random.randrange(len(packet) * 8)
        damaged[bit >> 3] ^= 1 << (bit & 7)
        return bytes(damaged)

    def _enter(self, packet: bytes, now: float) -> bool:
        """Whether there is room for it."""
        conditions = self.conditions
        if conditions.rate == 0:
            return self._stall(packet)
        sent = self._through_bottleneck(len(packet), now)
        if sent is None:
            self._note("queue-full")
            return False
        out = sent + conditions.delay
        if conditions.jitter:
            out += self._random.uniform(0, conditions.jitter)
        out = self._last_out = max(out, self._last_out)
        if self._happens(conditions.reorder, "reordered"):
            self._held.append(_Held(packet, conditions.reorder_distance, out + conditions.reorder_delay))
        else:
            self._schedule(out, packet, sent)
            self._overtake(out)
        return True

    def _stall(self, packet: bytes) -> bool:
        if len(self._stalled) >= self.conditions.queue:
            self._note("queue-full")
            return False
        self._stalled.append(packet)
        return True

    def _queue_again(self, now: float) -> None:
        """The rate has changed: what is before the bottleneck enters it anew, in the same order."""
        before = sorted((each for each in self._waiting if each.sent > now), key=lambda each: each.serial)
        self._waiting = sorted(each for each in self._waiting if each.sent <= now)  # sorted: a heap, too
        self._last_out = max([now, *(each.out for each in self._waiting)])
        self._line.clear()
        again = [*(each.packet for each in before), *self._stalled]
        self._stalled.clear()
        for packet in again:
            self._enter(packet, now)

    def _through_bottleneck(self, size: int, now: float) -> float | None:
        """When the last bit is on the line; None where the queue is full."""
        rate = self.conditions.rate
        if not rate:
            return now
        line = self._line = [end for end in self._line if end > now]
        if len(line) > self.conditions.queue:  # one of them is on the line, not in the queue
            return None
        end = (line[-1] if line else now) + size * 8 / rate
        line.append(end)
        return end

    def _overtake(self, out: float) -> None:
        """A packet goes out at ``out``: those that waited for enough of them follow at once."""
        for held in self._held:
            held.overtakers -= 1
            if held.overtakers <= 0:
                self._schedule(min(out, held.latest), held.packet)
        self._held = [held for held in self._held if held.overtakers > 0]

    # -- Shared ---------------------------------------------------------------------------------------

    def _happens(self, probability: float, name: str) -> bool:
        if not probability or self._random.random() >= probability:
            return False
        self._note(name)
        return True

    def _note(self, name: str) -> None:
        self.counts[name] += 1
        self._happening.append(name)

    def _schedule(self, out: float, packet: bytes, sent: float = -inf) -> None:
        self._serial += 1
        heappush(self._waiting, _Underway(out, self._serial, packet, sent))

    def _let_go_overdue(self, time: float) -> None:
        """What waited for others in vain goes when its time has come."""
        for held in self._held:
            if held.latest <= time:
                self._schedule(held.latest, held.packet)
        self._held = [held for held in self._held if held.latest > time]
