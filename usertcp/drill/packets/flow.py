"""The numbers of one connection: what the script calls them, and what they are on the wire.

A script counts from its own initial sequence numbers, usually 0; the live ones are learned from what is sent.
Inbound numbers are ours to choose, so they differ by a constant only; outbound ones are known from the first SYN
or SYN+ACK.  Until then, and for a RST that belongs to no connection, numbers are those on the wire.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from usertcp.drill.packets.live import Endpoints
from usertcp.wire import tcp

_MASK = 0xFFFFFFFF


def signed(difference: int) -> int:
    """``difference`` modulo 2**32 as the nearest number to 0."""
    return ((difference + 0x80000000) & _MASK) - 0x80000000


@dataclass(frozen=True, slots=True)
class TimestampClock:
    """How outbound timestamps are to advance (``--tcp_ts_tick_usecs``): both in seconds.

    ``tolerance`` is by how much a timestamp may be off.
    """

    tick: float
    tolerance: float


@dataclass(slots=True)
class Flow:
    """One connection (or UDP association) of a script.

    ``local`` and ``remote`` are addresses of 4 or 16 bytes as on the wire: a mapped address is an IPv4 one.  A port
    that is None is not known yet: an outbound packet that is as expected tells it.
    """

    local: bytes
    remote: bytes
    local_port: int | None = None
    remote_port: int | None = None
    #: What an inbound sequence number is more on the wire than in the script.
    remote_offset: int = 0
    #: The same for outbound ones; None until a SYN was seen.
    local_offset: int | None = None
    #: None: outbound timestamps may be anything.
    clock: TimestampClock | None = None
    #: What the script calls an outbound timestamp -> what it was.
    timestamps: dict[int, int] = field(default_factory=dict)
    #: (script, live): the first outbound timestamp, and the last one.
    first_timestamp: tuple[int, int] | None = None
    last_timestamp: tuple[int, int] | None = None
    #: The last outbound timestamp, whether the script called it something or not.
    sent_timestamp: int | None = None
    #: (local, remote) as the script calls them, where it does.
    named_ports: tuple[int, int] | None = None
    #: The sequence number on the wire of the remote SYN that the present connection has, or that would begin another.
    _remote_syn: int | None = None
    #: The connection that was here may be gone: a RST has passed, or a SYN came in as one that ends TIME-WAIT does.
    _may_be_gone: bool = False

    # -- Script to wire

    def inbound_seq(self, number: int) -> int:
        return (number + self.remote_offset) & _MASK

    def inbound_ack(self, number: int) -> int:
        """Also for the edges of inbound SACK blocks, and what an inbound ICMP error quotes."""
        return (number + (self.local_offset or 0)) & _MASK

    def inbound_ecr(self, number: int) -> int:
        """The live timestamp that the script calls ``number``.

        One that it never named is as far from the last one as the script says; where it named none (``<...>``), it is
        the last one that was sent.  0 stays 0: "nothing to echo".
        """
        if number in self.timestamps:
            return self.timestamps[number]
        if number and self.last_timestamp is not None:
            script, live = self.last_timestamp
            return (live + number - script) & _MASK
        if number and self.sent_timestamp is not None:
            return self.sent_timestamp
        return number & _MASK

    # -- Wire to script

    def outbound_seq(self, number: int) -> int:
        return (number - (self.local_offset or 0)) & _MASK

    def outbound_ack(self, number: int) -> int:
        """Also for the edges of outbound SACK blocks, and what an outbound ICMP error quotes."""
        return (number - self.remote_offset) & _MASK

    # -- Learning

    @property
    def may_begin(self) -> bool:
        """Whether a SYN that goes out now may bring an initial sequence number that is not known yet.

        The first one may, and later ones if the connection that was here may be gone.  A SYN that is only sent again
        keeps its number.
        """
        return self.local_offset is None or self._may_be_gone

    def injected(self, flags: int, seq: int) -> None:
        """A segment with these flags and this sequence number (both as on the wire) goes in."""
        if flags & tcp.RST:
            self._may_be_gone = True
        elif flags & tcp.SYN and seq != self._remote_syn:
            # The first one belongs to a connection that we may have begun ourselves.
            self._may_be_gone |= self._remote_syn is not None and not flags & tcp.ACK
            self._remote_syn = seq

    def left(self, flags: int, seq: int, script_seq: int | None) -> None:
        """A segment went out as expected; ``script_seq`` is what the script calls its sequence number, if it does."""
        if flags & tcp.RST:
            self._may_be_gone = True
        elif flags & tcp.SYN and script_seq is not None:
            self.local_offset = (seq - script_seq) & _MASK
            self._may_be_gone = False

    def learn_timestamp(self, script: int | None, live: int) -> None:
        """An outbound packet carried the timestamp ``live``, which the script calls ``script``, if it does."""
        self.sent_timestamp = live
        if script is None:
            return
        self.timestamps[script] = live
        self.last_timestamp = (script, live)
        if self.first_timestamp is None:
            self.first_timestamp = self.last_timestamp

    def timestamp_is_due(self, script: int, live: int) -> bool:
        """Whether ``live`` is as far from the first timestamp as the script says, if that is to be checked."""
        if self.clock is None or self.first_timestamp is None:
            return True
        first_script, first_live = self.first_timestamp
        off = signed((live - first_live) - (script - first_script))
        return abs(off) * self.clock.tick <= self.clock.tolerance + 1e-9

    def sends(self, ends: Endpoints) -> bool:
        """Whether an outbound packet between ``ends`` is this flow's; an unknown port may be any."""
        return (
            (ends.source, ends.destination) == (self.local, self.remote)
            and self.local_port in (None, ends.source_port)
            and self.remote_port in (None, ends.destination_port)
        )
