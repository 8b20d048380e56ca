"""Ladders: what a connection's two ends sent each other, line by line, and what it did to their states.

Our side is on the left, the peer on the right, time runs downward.  A :class:`Ladder` takes trace events
and gives lines as they come (``listen --trace``); :func:`ladders` draws each connection by itself from
recorded events (``try``).  Neither knows about terminals: see :mod:`usertcp.observe.printer`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from usertcp.observe.conversation import Conversation, End
from usertcp.observe.escape import for_terminal
from usertcp.observe.lines import Line, Role, Span, wrap
from usertcp.observe.names import amount, flag_names, option_names
from usertcp.observe.peer import PeerStep
from usertcp.tcp.events import (
    ChallengeAck,
    Congestion,
    Deleted,
    Dropped,
    IcmpIn,
    OutOfOrder,
    PathMtu,
    Retransmitted,
    SegmentIn,
    SegmentOut,
    TraceEvent,
    Transitioned,
)
from usertcp.tcp.states import State
from usertcp.wire.tcp import ACK, FIN, RST, SYN

MIN_WIDTH: Final = 80
#: Longer arrows are harder to follow, not easier.
MAX_WIDTH: Final = 132
_TIME: Final = 9
_STATE: Final = 12
_NUMBER: Final = 6
#: No window is larger (RFC 7323 §2.3): an ssthresh beyond it does not limit anything.
_MAX_WINDOW: Final = 1 << 30
#: Quiet segments in a row that are drawn before the rest is folded.
_SHOWN_IN_A_ROW: Final = 6
#: Retransmissions, segments out of order and the like that are drawn one by one, of a kind and connection.
_SHOWN_OF_A_KIND: Final = 5
#: While a fold goes on, it tells how far it is every so many seconds (live only).
_PROGRESS: Final = 1.0


class _Rung(NamedTuple):
    """A segment, and what is to be told about it."""

    segment: SegmentIn | SegmentOut
    before: Sequence[PeerStep] = ()
    after: Sequence[PeerStep] = ()
    remark: str = ""
    again: Retransmitted | None = None


class Ladder:
    """Turns trace events into lines, as they come.

    ``width`` is the longest line in columns (80 to 132; less or more is taken as those).  ``absolute``
    shows sequence numbers as on the wire instead of relative to the initial ones.  ``numbered`` puts the
    connection's number before each line, for several connections in one ladder; then long folds also
    tell their progress.
    """

    def __init__(self, *, width: int = MIN_WIDTH, absolute: bool = False, numbered: bool = False) -> None:
        self._absolute = absolute
        self._numbered = numbered
        self._width = min(max(width, MIN_WIDTH), MAX_WIDTH)
        self._inner = self._width - _TIME - 2 * _STATE - 5 - (_NUMBER if numbered else 0)
        self._conversations: dict[int, Conversation] = {}
        self._last = 0
        self._titled = False

    def feed(self, event: TraceEvent) -> list[Line]:
        """The lines that ``event`` adds; none while it is folded away."""
        if event.conn == 0:
            return self._without_connection(event)
        lines: list[Line] = []
        conversation = self._conversations.get(event.conn)
        if conversation is None:
            conversation = self._conversations[event.conn] = Conversation(event)
            lines += self._header(conversation)
        conversation.ended = event.time
        drawn = self._draw(conversation, event)
        if drawn:
            self._last = event.conn
        lines += drawn
        if isinstance(event, Deleted):
            del self._conversations[event.conn]
        return lines

    def flush(self) -> list[Line]:
        """Draws what is still folded or kept back; call it when no event has come for a while."""
        return [line for each in self._conversations.values() for line in self._settle(each)]

    # -- events -------------------------------------------------------------------------------------------

    def _draw(self, conversation: Conversation, event: TraceEvent) -> list[Line]:
        match event:
            case SegmentIn() | SegmentOut():
                return self._segment(conversation, event)
            case Transitioned():
                return self._settle(conversation) + self._transition(conversation, event)
            case Retransmitted():
                conversation.again = event
                conversation.totals["sent again"] += 1
                return []
            case Deleted():
                return self._settle(conversation) + self._deleted(conversation, event)
            case Dropped() | OutOfOrder() | ChallengeAck() | Congestion() | IcmpIn() | PathMtu():
                return self._remarkable(conversation, event)
            case _:
                return []

    def _segment(self, conversation: Conversation, segment: SegmentIn | SegmentOut) -> list[Line]:
        conversation.count(segment)
        rung = self._rung(conversation, segment)
        loud = rung.again is not None and self._worth_a_line(conversation, "sent again", segment.time)
        if loud or rung.before or rung.after or rung.remark or segment.flags & (SYN | FIN | RST):
            return self._settle(conversation) + self._arrow(conversation, rung)
        if conversation.run < _SHOWN_IN_A_ROW and rung.again is None:
            conversation.run += 1
            return self._arrow(conversation, rung)
        fold = conversation.fold
        fold.add(segment)
        if self._numbered and not fold.empty and fold.ended - fold.started >= _PROGRESS:
            return self._settle(conversation, going_on=True)
        return []

    def _rung(self, conversation: Conversation, segment: SegmentIn | SegmentOut) -> _Rung:
        before: list[PeerStep] = []
        again = None
        if isinstance(segment, SegmentOut):
            after = conversation.peer.sent_to(segment)
            again, conversation.again = conversation.again, None
        else:
            before, after = conversation.peer.received_from(segment)
        return _Rung(segment, before, after, conversation.remark(segment), again)

    def _worth_a_line(self, conversation: Conversation, what: str, time: float) -> bool:
        conversation.shown[what] += 1
        if conversation.shown[what] <= _SHOWN_OF_A_KIND:
            return True
        conversation.fold.note(what, time)
        return False

    def _remarkable(
        self, conversation: Conversation, event: Dropped | OutOfOrder | ChallengeAck | Congestion | IcmpIn | PathMtu
    ) -> list[Line]:
        kind, text, role = _remark_on(event, conversation, self._absolute)
        conversation.totals[kind] += 1
        if not self._worth_a_line(conversation, kind, event.time):
            return []
        return self._settle(conversation) + self._notes(conversation, [Span(text, role)], event.time)

    def _settle(self, conversation: Conversation, *, going_on: bool = False) -> list[Line]:
        """Ends a run of quiet segments: draws the fold and what was kept back."""
        text, ended, held = conversation.fold.end()
        lines: list[Line] = []
        if text:
            lines += self._notes(conversation, [Span(text, Role.DIM)], ended)
            conversation.restate = True
        for segment in held:
            lines += self._arrow(conversation, _Rung(segment))
        # A little context after what was notable, not a whole run again.
        conversation.run = _SHOWN_IN_A_ROW if going_on else min(conversation.run, _SHOWN_IN_A_ROW - 3)
        return lines

    # -- lines --------------------------------------------------------------------------------------------

    def _header(self, conversation: Conversation) -> list[Line]:
        arrow = "──▶" if conversation.role == "active" else "◀──"
        if conversation.local:
            text = f"usertcp {conversation.local} {arrow} peer {conversation.remote}"
        else:
            text = "its beginning was not recorded"
        lines = wrap([Span(f"Connection {conversation.number}: {text}", Role.TITLE)], self._width)
        if self._numbered and self._titled:
            return lines
        self._titled = True
        key = "◆ ours  ◇ the peer's, inferred "
        columns: Line = (
            Span(" " * (_NUMBER if self._numbered else 0), Role.PLAIN),
            Span("ms".rjust(_TIME), Role.DIM),
        )
        peer = Span("peer", Role.TITLE)
        key_span = Span(key.rjust(self._inner), Role.DIM)
        columns = self._row(columns, Span("usertcp", Role.TITLE), " ", (key_span,), " ", peer)
        return [columns, *lines] if self._numbered else [*lines, (), columns]

    def _arrow(self, conversation: Conversation, rung: _Rung) -> list[Line]:
        """A segment: what the peer did before it, the arrow, what did not fit, what it does to the peer."""
        segment, remark, again = rung.segment, rung.remark, rung.again
        label, rest = self._label(conversation, segment)
        lines = [self._peer_row(conversation, step) for step in rung.before]
        lines.append(self._shaft(conversation, segment, label, "╌" if again else "─"))
        details = wrap([Span(rest, Role.NOTE)], self._inner - 4)
        details += wrap([Span(remark, Role.NOTE)], self._inner - 4)
        if again is not None:
            text = f"sent again, attempt {again.attempt}: {for_terminal(again.rule)}"
            details += wrap([Span(text, Role.WARNING)], self._inner - 4)
        after = list(rung.after)
        for index, detail in enumerate(details):
            own = (Span("   ", Role.PLAIN), *detail)
            if (
                index == len(details) - 1
                and after
                and _length(own) + len(_peer_cause(after[0])) < self._inner - 2
            ):
                lines.append(self._peer_row(conversation, after.pop(0), own))
            else:
                lines.append(self._row(self._blank(conversation), _NOTHING, "│", own, "│", _NOTHING))
        return lines + [self._peer_row(conversation, step) for step in after]

    def _shaft(
        self, conversation: Conversation, segment: SegmentIn | SegmentOut, label: str, shaft: str
    ) -> Line:
        """The arrow itself, across the whole channel."""
        out = isinstance(segment, SegmentOut)
        role = Role.ARROW_OUT if out else Role.ARROW_IN
        tail = shaft * (self._inner - len(label) - 5)
        start, end = (shaft * 2, f"{tail}▶") if out else (f"◀{shaft}", tail + shaft)
        left = right = _NOTHING
        if conversation.restate or (self._numbered and self._last != conversation.number):
            left, right = _state(conversation.state), _state(conversation.peer_state)
            conversation.restate = False
        return self._row(
            self._time(conversation, segment.time),
            left,
            "├" if out else "│",
            (Span(f"{start} ", role), Span(label, _flag_role(segment.flags)), Span(f" {end}", role)),
            "│" if out else "┤",
            right,
        )

    def _peer_row(self, conversation: Conversation, step: PeerStep, own: Line = ()) -> Line:
        """A change of the peer's state, beside the detail ``own`` if there is one."""
        conversation.peer_state = step.next_state
        cause = _peer_cause(step)
        gap = self._inner - _length(own) - len(cause) - 1
        channel = (*own, Span(" " * gap, Role.PLAIN), Span(f"{cause} ", Role.CAUSE))
        state = Span(step.next_state.value, Role.NEW_STATE)
        return self._row(self._blank(conversation), _NOTHING, "│", channel, "◇", state)

    def _label(self, conversation: Conversation, segment: SegmentIn | SegmentOut) -> tuple[str, str]:
        """The text on the arrow, and what has no room there."""
        out = isinstance(segment, SegmentOut)
        ours, theirs = conversation.ours, conversation.theirs
        sender, receiver = (ours, theirs) if out else (theirs, ours)
        room = self._inner - 6
        items = [flag_names(segment.flags), f"seq={self._number(sender, segment.seq)}"]
        if segment.flags & ACK:
            items.append(f"ack={self._number(receiver, segment.ack)}")
        if segment.length:
            items.append(f"len={segment.length}")
        rest: list[str] = []
        if segment.flags & SYN and not self._absolute:
            isn = f"(ISN {segment.seq})"
            if len(" ".join([*items, isn])) <= room:
                items.insert(2, isn)
            else:
                rest.append(isn)
        if not segment.flags & RST:
            window = f"win={segment.window}"
            # A window that has not changed is not worth a line of its own.
            if segment.window != sender.window or len(" ".join([*items, window])) <= room:
                rest.append(window)
            sender.window = segment.window
        rest += option_names(segment.options, segment.ts_val is not None and bool(segment.flags & SYN))
        for start, end in segment.options.sack:
            rest.append(f"sack={self._number(receiver, start)}-{self._number(receiver, end)}")
        if isinstance(segment, SegmentOut) and segment.segments > 1:
            rest.insert(0, f"segments={segment.segments}")
        items += rest
        fitting = len(items)
        while len(" ".join(items[:fitting])) > room:
            fitting -= 1
        return " ".join(items[:fitting]), ", ".join(items[fitting:])

    def _number(self, end: End, number: int) -> int:
        return number if self._absolute else end.relative(number)

    def _transition(self, conversation: Conversation, event: Transitioned) -> list[Line]:
        changed = event.next_state is not event.state
        if changed:
            conversation.state = event.next_state
        spans = [
            Span(event.event.value, Role.CAUSE),
            Span("·", Role.DIM),
            Span(f"RFC 9293 §{for_terminal(event.section)}: {for_terminal(event.reason)}", Role.NOTE),
        ]
        return self._notes(conversation, spans, event.time, event.next_state if changed else None)

    def _notes(
        self, conversation: Conversation, spans: list[Span], time: float, state: State | None = None
    ) -> list[Line]:
        lines = []
        for index, text in enumerate(wrap(spans, self._inner - 2)):
            lines.append(
                self._row(
                    self._time(conversation, time) if index == 0 else self._blank(conversation),
                    _state(state, Role.NEW_STATE) if index == 0 else _NOTHING,
                    "◆" if state is not None and index == 0 else "│",
                    (Span(" ", Role.PLAIN), *text),
                    "│",
                    _NOTHING,
                )
            )
        return lines

    def _deleted(self, conversation: Conversation, event: Deleted) -> list[Line]:
        if event.error:
            text = Span(f"ended: {for_terminal(event.error)}", Role.ERROR)
        else:
            text = Span("ended in good order", Role.DIM)
        return [*self._notes(conversation, [text], event.time), *self._footer(conversation)]

    def _footer(self, conversation: Conversation) -> list[Line]:
        prefix = f"#{conversation.number} " if self._numbered else ""
        return wrap([Span(prefix + conversation.summary(), Role.DIM)], self._width)

    def end(self) -> list[Line]:
        """The last lines: of every connection that has not ended."""
        lines: list[Line] = []
        for conversation in self._conversations.values():
            lines += self._settle(conversation)
            if conversation.state is not None:
                text = f"still {conversation.state} when the watching ended"
                lines += self._notes(conversation, [Span(text, Role.DIM)], conversation.ended)
            lines += self._footer(conversation)
        self._conversations.clear()
        return lines

    def _without_connection(self, event: TraceEvent) -> list[Line]:
        if not isinstance(event, Dropped):
            return []
        text = f"{'—':>{_NUMBER - 1}} dropped: {for_terminal(event.reason)} ({_cited(event.section)})"
        return wrap([Span(text, Role.WARNING)], self._width)

    def _row(
        self, time: Line, left: Span, left_rail: str, channel: Line, right_rail: str, right: Span
    ) -> Line:
        return (
            *time,
            Span(" ", Role.PLAIN),
            Span(left.text.ljust(_STATE) + " ", left.role),
            Span(left_rail, Role.RAIL),
            *channel,
            Span(" " * (self._inner - _length(channel)), Role.PLAIN),
            Span(right_rail, Role.RAIL),
            Span(" " + right.text, right.role),
        )

    def _time(self, conversation: Conversation, time: float) -> Line:
        milliseconds = (time - conversation.started) * 1000
        text = f"{milliseconds:{_TIME}.3f}"
        if len(text) > _TIME:
            text = f"{milliseconds:{_TIME}.0f}"
        return (*self._prefix(conversation), Span(text, Role.TIME))

    def _blank(self, conversation: Conversation) -> Line:
        return (*self._prefix(conversation), Span(" " * _TIME, Role.PLAIN))

    def _prefix(self, conversation: Conversation) -> Line:
        if not self._numbered:
            return ()
        return (Span(f"#{conversation.number}".ljust(_NUMBER), Role.TITLE),)


def ladders(
    events: Iterable[TraceEvent], *, width: int = MIN_WIDTH, absolute: bool = False
) -> Iterator[Line]:
    """One ladder for each connection in ``events``, in the order in which they were opened."""
    by_connection: dict[int, list[TraceEvent]] = {}
    for event in events:
        by_connection.setdefault(event.conn, []).append(event)
    strays = by_connection.pop(0, [])
    for number, own in by_connection.items():
        if number != next(iter(by_connection)):
            yield ()
        ladder = Ladder(width=width, absolute=absolute)
        for event in own:
            yield from ladder.feed(event)
        yield from ladder.end()
    yield from _strays(strays)


def _strays(events: list[TraceEvent]) -> Iterator[Line]:
    counts = Counter(event.reason for event in events if isinstance(event, Dropped))
    if counts:
        yield ()
        yield (Span("Dropped, for no connection:", Role.TITLE),)
    for reason, count in counts.most_common():
        yield (Span(f"{count:>{_TIME},} {for_terminal(reason)}", Role.WARNING),)


_NOTHING: Final = Span("", Role.PLAIN)


def _state(state: State | None, role: Role = Role.STATE) -> Span:
    return _NOTHING if state is None else Span(state.value, role)


def _peer_cause(step: PeerStep) -> str:
    return step.reason if step.event is None else step.event.value


def _length(line: Line) -> int:
    return sum(len(span.text) for span in line)


def _flag_role(flags: int) -> Role:
    if flags & RST:
        return Role.RESET
    if flags & SYN:
        return Role.OPENING
    return Role.CLOSING if flags & FIN else Role.DATA


def _cited(section: str) -> str:
    return for_terminal(section if section.startswith("RFC") else f"RFC 9293 §{section}")


def _remark_on(
    event: Dropped | OutOfOrder | ChallengeAck | Congestion | IcmpIn | PathMtu,
    conversation: Conversation,
    absolute: bool,
) -> tuple[str, str, Role]:
    """The kind by which it is counted, its text, its role."""
    match event:
        case Dropped():
            return "dropped", f"dropped: {for_terminal(event.reason)} ({_cited(event.section)})", Role.ERROR
        case OutOfOrder():
            text = f"out of order: {amount(event.length)} kept until the gap before is filled"
            return "out of order", f"{text} ({amount(event.held)} kept in all)", Role.WARNING
        case ChallengeAck():
            done = "challenge ACK" if event.sent else "challenge ACK held back by its rate limit"
            return "challenge ACKs", f"{done}: {for_terminal(event.reason)}", Role.WARNING
        case Congestion():
            threshold = f"{event.ssthresh:,}" if event.ssthresh <= _MAX_WINDOW else "not set"
            text = f"{for_terminal(event.what)}: cwnd {event.cwnd:,}, ssthresh {threshold}"
            return "congestion events", text, Role.NOTE
        case IcmpIn():
            return "ICMP", f"ICMP {for_terminal(event.message)}: {for_terminal(event.effect)}", Role.WARNING
        case PathMtu():
            text = f"path MTU {event.mtu:,}, segments of {event.mss:,}: {for_terminal(event.what)}"
            return "path MTU", text, Role.NOTE
