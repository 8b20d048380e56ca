"""What a ladder has to remember of one connection."""

from __future__ import annotations

from collections import Counter

from usertcp.observe.folding import Fold
from usertcp.observe.kernel_view import KernelView
from usertcp.observe.names import amount, counted, socket_text
from usertcp.observe.path import Journey
from usertcp.observe.peer import Peer
from usertcp.observe.remarks import Said
from usertcp.observe.summary import Summary
from usertcp.tcp.events import Joined, Opened, PeerSeen, SegmentIn, SegmentOut, StrayIn, StrayOut, TraceEvent
from usertcp.tcp.states import State
from usertcp.wire.tcp import ACK, FIN, SYN


class End:
    """One end's sequence numbers: where they start and where its FIN is; None while not known."""

    __slots__ = ("fin", "fin_acked", "isn", "isn_acked", "isn_guessed", "window")

    def __init__(self) -> None:
        self.isn: int | None = None
        self.isn_guessed = False
        self.fin: int | None = None
        #: The last window that was drawn.
        self.window: int | None = None
        self.isn_acked = self.fin_acked = False

    def sends(self, segment: SegmentIn | SegmentOut, *, agreed: bool) -> None:
        """Learns from a segment that this end sent.

        ``agreed``: both initial sequence numbers are, so a SYN with another one is none of this connection.
        """
        if segment.flags & SYN and not (agreed and self.isn is not None):
            self.isn, self.isn_guessed = segment.seq, False
        elif self.isn is None:
            self._guess(segment.seq)
        if segment.flags & FIN and self.fin is None:
            self.fin = (segment.seq + segment.length) & 0xFFFFFFFF

    def is_acknowledged(self, ack: int, *, absolute: bool) -> str:
        """A remark for the first segment that acknowledges this end's SYN or FIN, which count as one byte.

        ``absolute``: with numbers as on the wire.
        """
        if self.isn is None:
            self._guess(ack)
        if self.isn is not None and not self.isn_acked:
            self.isn_acked = True
            if ack == (self.isn + 1) & 0xFFFFFFFF and not self.isn_guessed:
                return f"ack={ack if absolute else 1} is ISN {self.isn} + 1: a SYN counts as one byte"
        if self.fin is not None and not self.fin_acked and ack == (self.fin + 1) & 0xFFFFFFFF:
            self.fin_acked = True
            fin, ack = (self.fin, ack) if absolute else (self.relative(self.fin), self.relative(ack))
            return f"ack={ack} is the FIN's {fin} + 1: a FIN counts as one byte"
        return ""

    def relative(self, number: int) -> int:
        """``number`` counted from this end's initial sequence number."""
        return (number - (self.isn or 0)) & 0xFFFFFFFF

    def _guess(self, number: int) -> None:
        # Its SYN was not seen: what comes first is taken as what follows the SYN.
        self.isn, self.isn_guessed = (number - 1) & 0xFFFFFFFF, True


#: States in which a SYN may still bring an initial sequence number.
_NOT_AGREED = (None, State.CLOSED, State.LISTEN, State.SYN_SENT, State.SYN_RECEIVED)


class Conversation:
    """One connection as far as its events have told, or (``story`` below 0) what two sockets say without one."""

    def __init__(self, story: int, event: TraceEvent) -> None:
        known = event if isinstance(event, (Opened, Joined, StrayIn, StrayOut)) else None
        self.story = story
        self.number = event.conn
        self.started = self.ended = event.time
        self.role = known.role if isinstance(known, (Opened, Joined)) else "passive" if known else ""
        self.local = socket_text(known.local_address, known.local_port) if known else ""
        self.remote = socket_text(known.remote_address, known.remote_port) if known else ""
        self.joined: State | None = None
        self.peer = Peer("" if isinstance(event, Joined) else self.role)
        self.journey = Journey(event.conn, event.time)
        self.state: State | None = None
        self.peer_state: State | None = None
        self.ours = End()
        self.theirs = End()
        self.kernel = KernelView()
        self.questions = Summary()
        #: A reading of the peer's end that waits for the segment that it was taken with.
        self.reading: PeerSeen | None = None
        self.fold = Fold()
        #: Quiet segments in a row.
        self.run = 0
        #: What is said of the next segment out.
        self.coming: list[Said] = []
        self.shown: Counter[str] = Counter()
        self._reasons: set[str] = set()
        self.totals: Counter[str] = Counter()
        #: Events of this or another connection that nobody has.
        self.missing = 0
        if isinstance(event, Joined):
            self.state = self.joined = event.state
            self.ours.isn, self.theirs.isn = event.iss, event.irs
            self.ours.isn_acked = self.theirs.isn_acked = True

    def opened(self, event: Opened) -> None:
        """What began without a connection, as a handshake by SYN cookie does, goes on as one."""
        self.number, self.role = event.conn, event.role
        self.journey.conn = event.conn

    def count(self, segment: SegmentIn | SegmentOut) -> None:
        """Adds ``segment`` to the totals."""
        agreed = self.state not in _NOT_AGREED
        if isinstance(segment, SegmentOut):
            self.totals["out"] += segment.segments
            self.totals["out bytes"] += segment.length
            self.ours.sends(segment, agreed=agreed)
        else:
            self.totals["in"] += 1
            self.totals["in bytes"] += segment.length
            self.theirs.sends(segment, agreed=agreed)

    def remark(self, segment: SegmentIn | SegmentOut, *, absolute: bool) -> str:
        """What is worth saying about the acknowledgment that ``segment`` carries."""
        if not segment.flags & ACK:
            return ""
        receiver = self.theirs if isinstance(segment, SegmentOut) else self.ours
        return receiver.is_acknowledged(segment.ack, absolute=absolute)

    def is_new(self, reason: str) -> bool:
        """Whether ``reason``, one of the state table's, has not been given before."""
        new = reason not in self._reasons
        self._reasons.add(reason)
        return new

    def worth_a_line(self, said: Said) -> bool:
        """Whether this one of its kind is said by itself still; otherwise it is to be counted."""
        self.shown[said.kind] += 1
        return self.shown[said.kind] <= said.often

    def totals_told(self) -> tuple[str, ...]:
        """The totals in words, one phrase each."""
        totals = self.totals
        parts = [
            f"{(self.ended - self.started) * 1000:,.1f} ms",
            f"sent {counted(totals['out'], 'segment')}, {amount(totals['out bytes'])}",
            f"received {counted(totals['in'], 'segment')}, {amount(totals['in bytes'])}",
        ]
        for what in ("sent again", "out of order", "dropped"):
            if totals[what]:
                parts.append(f"{totals[what]:,} {what}")
        if self.missing:
            parts.append(f"not counting what {counted(self.missing, 'missing event')} would tell")
        return tuple(parts)
