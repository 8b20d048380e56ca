"""Which trace events belong to which packet, and what a capture says of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from usertcp.observe import packet_comments
from usertcp.observe.packet_log import Arrived, Damaged, Entry, Impaired, Left, Lost, Missing, Numbers, Settled
from usertcp.observe.segments import Segment, Sockets, peek
from usertcp.sim.wire_form import whole
from usertcp.tcp.events import (
    Deleted,
    Dsack,
    HeldBack,
    Kind,
    Opened,
    Probe,
    Retransmitted,
    SegmentOut,
    StrayOut,
    TraceEvent,
    Transitioned,
    read,
)
from usertcp.tcp.states import Event, State
from usertcp.wire.seq import MASK
from usertcp.wire.tcp import FIN, RST, SYN
from usertcp.wire.virtio import LENGTH as _VIRTIO

#: Events that no comment comes of: what they tell is in :class:`Numbers`, or in the packet itself.
_PASSED_OVER: Final = frozenset({Kind.STRAY_IN, Kind.CWND, Kind.ESTIMATE, Kind.PEER, Kind.LOST})
#: What a user's call is about: the comment waits for the segment that carries it out.
_CARRIED_OUT_BY: Final = {Event.ACTIVE_OPEN: SYN, Event.CLOSE: FIN, Event.ABORT: RST}
#: Segments that the stack has framed and not sent yet; a device that is gone takes none of them.
_MOST_UNSENT: Final = 100_000
#: Comments that wait for one segment.
_MOST_NOTES: Final = 20
#: Segments of a super-segment that an impairment did something to, named one by one.
_MOST_NAMED: Final = 5


class Annotated(NamedTuple):
    """An IP packet with its whole checksum, and what there is to say of it."""

    time: float
    inbound: bool
    packet: bytes
    comments: list[str]
    #: Packets that are missing before it.
    missing: int = 0


class _Note(NamedTuple):
    """A comment that waits for the next segment out, one with these flags if there are any."""

    text: str
    flags: int = 0


class _Outgoing:
    """A segment that was framed and is to be sent."""

    __slots__ = ("comments", "conn", "flags", "length", "numbers", "seq", "sockets")

    def __init__(self, event: SegmentOut | StrayOut, sockets: Sockets | None, comments: list[str]) -> None:
        self.conn = event.conn
        self.seq, self.length, self.flags = event.seq, event.length, event.flags
        self.sockets = sockets
        self.comments = comments
        self.numbers: Numbers | None = None

    def is_in(self, segment: Segment) -> bool:
        """Whether ``segment`` is this one, or a piece of it."""
        if (self.flags ^ segment.flags) & (SYN | RST) or self.sockets not in (None, segment.sockets):
            return False
        before = (segment.seq - self.seq) & MASK
        if not segment.length or not self.length:
            return not before and segment.length == self.length
        return before + segment.length <= self.length

    def ends_with(self, segment: Segment) -> bool:
        """Whether no further piece comes."""
        return (segment.seq + segment.length - self.seq) & MASK == self.length


class Annotator:
    """Turns entries of a :class:`~usertcp.observe.packet_log.PacketLog` into packets with comments, in their order.

    ``offload``: packets begin with a virtio_net_hdr, as the host's device has them.
    """

    def __init__(self, *, offload: bool) -> None:
        self._offload = offload
        self._arrived: Arrived | None = None
        self._arrived_for = 0
        self._comments: list[str] = []
        self._damaged = False
        self._impaired: list[Impaired] = []
        self._outgoing: deque[_Outgoing] = deque(maxlen=_MOST_UNSENT)
        self._notes: dict[int, list[_Note]] = {}
        self._sockets: dict[int, Sockets] = {}
        self._states: dict[int, State] = {}
        #: Our initial sequence numbers.
        self._first: dict[int, int] = {}
        self._missing = 0

    def feed(self, entries: Iterable[Entry]) -> Iterator[Annotated]:
        """The packets that are complete with ``entries``."""
        for entry in entries:
            match entry:
                case Arrived():
                    yield from self.end()
                    self._arrived, self._arrived_for = entry, 0
                    if self._damaged:
                        self._comments.append("damaged by --impair before the stack")
                        self._damaged = False
                case Settled():
                    yield from self._settled(entry.numbers)
                case Left():
                    yield from self.end()
                    yield self._left(entry)
                case Numbers():
                    if self._outgoing:
                        self._outgoing[-1].numbers = entry
                case Lost():
                    yield from self.end()
                    lost = packet_comments.of_impairment(entry.what, 0)
                    yield self._made(entry.time, True, entry.packet, [f"{lost} before the stack, which never saw it"])
                case Damaged():
                    self._damaged = True
                case Impaired():
                    self._impaired.append(entry)
                case Missing():
                    yield from self.end()
                    self._forget(entry.packets)
                case _:
                    if entry[0] is Kind.SEGMENT_IN:
                        self._arrived_for = entry[2]
                    elif entry[0] not in _PASSED_OVER:
                        self._event(read(entry))

    def end(self) -> Iterator[Annotated]:
        """The packet that waits for more to be said of it, if there is one."""
        yield from self._settled(None)

    # -- Packets --------------------------------------------------------------------------------------

    def _settled(self, numbers: Numbers | None) -> Iterator[Annotated]:
        arrived, self._arrived = self._arrived, None
        if arrived is None:
            return
        comments, self._comments = self._comments, []
        comments += self._mind(self._arrived_for, numbers)
        yield self._made(arrived.time, True, arrived.packet, comments)

    def _left(self, left: Left) -> Annotated:
        data = b"".join(left.buffers)
        comments: list[str] = []
        segment = peek(memoryview(data)[_VIRTIO if self._offload else 0 :])
        outgoing = None if segment is None else self._take_outgoing(segment)
        if outgoing is not None:
            comments += outgoing.comments
            outgoing.comments = []
        comments += self._impairments(segment, outgoing)
        if outgoing is not None:
            comments += self._mind(outgoing.conn, outgoing.numbers)
        return self._made(left.time, False, data, comments)

    def _mind(self, conn: int, numbers: Numbers | None) -> list[str]:
        """What the connection has in mind; in TIME-WAIT that is no more than its state."""
        if numbers is not None:
            return [packet_comments.of_numbers(numbers)]
        return [self._states[conn].value] if conn in self._states else []

    def _take_outgoing(self, segment: Segment) -> _Outgoing | None:
        """What was framed as ``segment``: the first one of all that is like it, since they leave in their order.

        Nothing is for what no event tells of, such as ICMP messages.
        """
        for index, outgoing in enumerate(self._outgoing):
            if outgoing.is_in(segment):
                for _ in range(index + outgoing.ends_with(segment)):
                    self._outgoing.popleft()
                return outgoing
        return None

    def _impairments(self, segment: Segment | None, outgoing: _Outgoing | None) -> Iterator[str]:
        impaired, self._impaired = self._impaired, []
        conn = outgoing.conn if outgoing is not None else 0
        alike: dict[str, list[str]] = {}
        for each in impaired:
            text = f"{packet_comments.of_impairment(each.entered.what, each.entered.copies)} on the way out"
            piece = peek(memoryview(each.packet))
            name = "" if piece is None or piece == segment else self._named(piece, conn)
            alike.setdefault(text, []).append(name)
        for text, names in alike.items():
            named = [name for name in names[:_MOST_NAMED] if name]
            more = f" and {len(names) - len(named)} more" if named and len(names) > len(named) else ""
            yield f"{text}: {', '.join(named)}{more}" if named else text

    def _named(self, segment: Segment, conn: int) -> str:
        """As readers of captures call it: counted from the initial sequence number, where that is known."""
        first = self._first.get(conn)
        relative = segment.seq if first is None else (segment.seq - first) & MASK
        return f"seq {relative} len {segment.length}"

    def _made(self, time: float, inbound: bool, data: bytes, comments: list[str]) -> Annotated:
        packet = whole(data) if self._offload and len(data) >= _VIRTIO else data
        missing, self._missing = self._missing, 0
        if missing:
            comments.insert(0, f"{missing:,} packets before this one are missing: they came too fast to be written")
        return Annotated(time, inbound, packet, comments, missing)

    def _forget(self, packets: int) -> None:
        """Nobody knows what happened meanwhile."""
        self._missing += packets
        self._outgoing.clear()
        self._notes.clear()
        self._impaired.clear()
        self._damaged = False

    # -- Events ---------------------------------------------------------------------------------------

    def _event(self, event: TraceEvent) -> None:
        match event:
            case SegmentOut():
                if event.flags & SYN:
                    self._first[event.conn] = event.seq
                self._frame(event, self._sockets.get(event.conn))
                return
            case StrayOut():
                self._note(event.conn, packet_comments.of_event(event))
                self._frame(event, Sockets.of(event))
                return
            case Opened():
                self._sockets[event.conn] = Sockets.of(event)
            case Transitioned():
                self._states[event.conn] = event.next_state
        text = packet_comments.of_event(event)
        if text:
            self._tell(event, text)
        if isinstance(event, Deleted):
            self._notes.pop(event.conn, None)
            self._sockets.pop(event.conn, None)
            self._first.pop(event.conn, None)
            self._states.pop(event.conn, None)

    def _tell(self, event: TraceEvent, text: str) -> None:
        """Put ``text`` where ``event`` belongs: to the packet that is being taken in, to the segment that was framed
        last, or to the next one."""
        if self._arrived is not None and not _is_about_output(event):
            self._comments.append(text)
        elif isinstance(event, (HeldBack, Deleted)):
            if self._outgoing and self._outgoing[-1].conn == event.conn:
                # With the connection ends what waited for a further segment, as the step that its RST was sent for.
                waiting = self._notes.pop(event.conn, []) if isinstance(event, Deleted) else []
                self._outgoing[-1].comments += [*(note.text for note in waiting), text]
        else:
            flags = _CARRIED_OUT_BY.get(event.event, 0) if isinstance(event, Transitioned) else 0
            self._note(event.conn, text, flags)

    def _note(self, conn: int, text: str, flags: int = 0) -> None:
        notes = self._notes.setdefault(conn, [])
        notes.append(_Note(text, flags))
        del notes[:-_MOST_NOTES]

    def _frame(self, event: SegmentOut | StrayOut, sockets: Sockets | None) -> None:
        """A segment is going to be sent: what waited for it is said of it."""
        notes = self._notes.pop(event.conn, [])
        ready = [note.text for note in notes if not note.flags or note.flags & event.flags]
        waiting = [note for note in notes if note.flags and not note.flags & event.flags]
        if waiting:
            self._notes[event.conn] = waiting
        self._outgoing.append(_Outgoing(event, sockets, ready))


def _is_about_output(event: TraceEvent) -> bool:
    """Whether it tells of the next segment out, also while a packet is taken in."""
    return isinstance(event, (Retransmitted, Probe, HeldBack)) or (isinstance(event, Dsack) and event.side == "ours")
