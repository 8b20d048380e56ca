"""The classical questions about one connection, answered: its handshake, who closed first, whose is TIME-WAIT.

A :class:`Summary` takes the events of one connection as they come; it keeps a few numbers of them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from usertcp.observe.path import Path
from usertcp.tcp.events import Opened, PeerSeen, SegmentIn, SegmentOut, Timer, TraceEvent, Transitioned
from usertcp.tcp.states import Event, State
from usertcp.wire.seq import MASK
from usertcp.wire.tcp import ACK, FIN, RST, SYN

#: A handshake has three segments, or four where both open at once; more are repetitions.
_MOST: Final = 6
_TIMEOUTS: Final = (Event.USER_TIMEOUT, Event.KEEPALIVE_TIMEOUT, Event.FIN_WAIT_2_TIMEOUT)
#: How many segments a close takes.
_COUNTS: Final = {2: "two", 3: "three", 4: "four"}


class Answer(NamedTuple):
    """The answer to a question, in ``lines`` (not broken to any width) that are safe to print."""

    question: str
    lines: tuple[str, ...]


class _End:
    """One end: its name, where its numbers begin, where its FIN ends, and whether the other has acknowledged either."""

    __slots__ = ("fin_acked", "fin_end", "isn", "isn_acked", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.isn: int | None = None
        self.fin_end: int | None = None
        self.isn_acked = self.fin_acked = False


class Summary:
    """What is to be said of one connection at its end."""

    def __init__(self) -> None:
        self._role = ""
        self._ours, self._theirs = _End("usertcp"), _End("the peer")
        self._handshake: list[str] = []
        self._close: list[str] = []
        self._reset_sent = False
        self._last: tuple[Event, float] | None = None
        self._our_wait: float | None = None
        self._peers_wait: float | None = None

    def feed(self, event: TraceEvent) -> None:
        """One more event of the connection."""
        match event:
            case Opened():
                self._role = event.role
            case Transitioned(next_state=State.CLOSED | State.LISTEN, event=cause):
                self._last = cause, event.time
            case SegmentOut():
                self._segment(event, self._ours, self._theirs)
            case SegmentIn():
                self._segment(event, self._theirs, self._ours)
            case Timer(timer="time-wait", what="armed", due=float(due)):
                self._our_wait = due - event.time
            case PeerSeen(state=State.TIME_WAIT, timer_left=float(left)) if self._peers_wait is None:
                self._peers_wait = left
            case _:
                pass

    def answers(self, path: Path) -> list[Answer]:
        """All that is known; ``path`` is what both ends went through."""
        found = [
            Answer("Opened by", self._opener(path)),
            Answer("Handshake", tuple(self._handshake)),
            Answer("Closed first", self._closer(path)),
            Answer("TIME-WAIT", self._waiter(path)),
        ]
        return [answer for answer in found if answer.lines]

    # -- Opening ------------------------------------------------------------------------------------------

    def _segment(self, segment: SegmentIn | SegmentOut, sender: _End, receiver: _End) -> None:
        acks_isn, acks_fin = self._acknowledges(segment, receiver)
        first_syn = bool(segment.flags & SYN) and sender.isn is None
        if first_syn:
            sender.isn = segment.seq
        if (first_syn or (acks_isn and sender.isn is not None)) and len(self._handshake) < _MOST:
            self._handshake.append(_of_handshake(segment, sender, receiver))
        first_fin = bool(segment.flags & FIN) and sender.fin_end is None
        if first_fin:
            sender.fin_end = (segment.seq + segment.length + 1) & MASK
        if first_fin or acks_fin:
            kind = "FIN and ACK in one" if first_fin and acks_fin else "FIN" if first_fin else "ACK"
            self._close.append(f"{kind} ({sender.name})")
        if segment.flags & RST and sender is self._ours:
            self._reset_sent = True

    def _acknowledges(self, segment: SegmentIn | SegmentOut, receiver: _End) -> tuple[bool, bool]:
        """Whether it is the first to acknowledge the other end's SYN, and FIN."""
        if not segment.flags & ACK or segment.flags & RST:
            return False, False
        isn = not receiver.isn_acked and receiver.isn is not None and segment.ack == (receiver.isn + 1) & MASK
        fin = not receiver.fin_acked and segment.ack == receiver.fin_end
        receiver.isn_acked |= isn
        receiver.fin_acked |= fin
        return isn, fin

    def _opener(self, path: Path) -> tuple[str, ...]:
        if self._role == "passive":
            return ("the peer (active OPEN); usertcp was listening (passive OPEN)",)
        if self._role != "active":
            return ()
        peers = {stop.state for stop in path.peers}
        if State.LISTEN in peers:
            return ("usertcp (active OPEN); the peer was listening (passive OPEN)",)
        return ("both at once (active OPEN), the SYNs crossed" if State.SYN_SENT in peers else "usertcp (active OPEN)",)

    # -- Closing ------------------------------------------------------------------------------------------

    def _closer(self, path: Path) -> tuple[str, ...]:
        who, time = _first_to_close(path)
        lines: list[str] = []
        if who:
            lines.append(f"{who}, at {_milliseconds(time, path)}")
        if len(self._close) in _COUNTS:
            lines.append(f"in {_COUNTS[len(self._close)]} segments: {', '.join(self._close)}")
        how = self._broken_by()
        if how and self._last is not None:
            began = "and then" if who else "nobody:"
            lines.append(f"{began} {how} ended it at {_milliseconds(self._last[1], path)}")
        return tuple(lines)

    def _broken_by(self) -> str:
        """What ended the connection before its time, "" for nothing."""
        cause = None if self._last is None else self._last[0]
        if cause in (Event.RCV_RST, Event.RCV_RST_PASSIVE):
            return "a RST, sent by the peer,"
        if cause in (Event.ABORT, Event.DATA_AFTER_CLOSE) and self._reset_sent:
            return "a RST, sent by usertcp,"
        return f"the {cause}" if cause in _TIMEOUTS else ""

    def _waiter(self, path: Path) -> tuple[str, ...]:
        ours = any(stop.state is State.TIME_WAIT for stop in path.ours)
        peers = any(stop.state is State.TIME_WAIT for stop in path.peers)
        if not (ours or peers):
            return ()
        lines: list[str] = []
        if ours:
            lines.append(f"usertcp waits{_seconds(self._our_wait)}: 2 MSL (maximum segment lifetimes)")
        if peers:
            known = (
                ": so says its kernel" if self._peers_wait is not None else ", it is inferred; how long is its affair"
            )
            lines.append(f"the peer waits{_seconds(self._peers_wait)}{known}")
        return *lines, _BOTH_WAIT if ours and peers else _ONE_WAITS


_ONE_WAITS: Final = (
    "who closes first, waits: its ACK is the last segment, and if that is lost the other's FIN comes again and must be "
    "answered; and what still strays must not reach a later connection of these two ports"
)
_BOTH_WAIT: Final = (
    "who closes first, waits, and both did: the last ACK of either may be lost, and then a FIN comes again and must be "
    "answered; and what still strays must not reach a later connection of these two ports"
)


def _of_handshake(segment: SegmentIn | SegmentOut, sender: _End, receiver: _End) -> str:
    """What a segment of the handshake says."""
    name = sender.name.removeprefix("the ")
    isn = f"SYN=1 ACK={int(bool(segment.flags & ACK))}, ISN {segment.seq}"
    if not segment.flags & ACK:
        return f"{name}: {isn}; acknowledges nothing yet"
    acknowledged = f"ack = {receiver.isn} + 1"
    return f"{name}: {isn}, {acknowledged}" if segment.flags & SYN else f"{name}: SYN=0 ACK=1, {acknowledged}"


def _first_to_close(path: Path) -> tuple[str, float]:
    """Who, and when as we know of it; "" for nobody."""
    ours = {stop.state: stop for stop in reversed(path.ours)}
    if State.CLOSING in ours:
        return "both at once, the FINs crossed", ours[State.CLOSING].time
    if State.CLOSE_WAIT in ours:
        return "the peer", ours[State.CLOSE_WAIT].time
    if State.FIN_WAIT_1 in ours:
        return "usertcp", ours[State.FIN_WAIT_1].time
    return "", 0.0


def _milliseconds(time: float, path: Path) -> str:
    return f"{(time - path.started) * 1000:.3f} ms"


def _seconds(value: float | None) -> str:
    return "" if value is None else f" {value:.0f} s"
