"""Infers the peer's state from the segments that our side sends and receives.

The peer runs the same state machine, seen from the other end: what it sends shows which call it made
(a SYN is an OPEN, a FIN a CLOSE, a RST an ABORT), what we send is what arrives there.  So its states come
from the same :data:`usertcp.tcp.states.TABLE`.

Only segments that the peer has acknowledged are known to have arrived; :class:`Inference` keeps the state that
is proved by them, and on top of it, for what is still under way, the state that the peer will be in when
it arrives.  The latter is shown; a later segment may prove it wrong (a FIN that crossed ours, a SYN sent
again since our SYN,ACK was lost), and then it is corrected.

Where the peer is this machine's kernel, its state needs not be inferred: ``peer`` events tell what it says itself.
From the first of them on only those move the state of a :class:`Peer`, and all that is inferred is what happened
between two.
"""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

from usertcp.tcp.events import PeerSeen, SegmentIn, SegmentOut
from usertcp.tcp.states import TABLE, Event, State, step
from usertcp.wire.tcp import ACK, FIN, RST, SYN


class PeerStep(NamedTuple):
    """One change of the peer's inferred state; ``event`` is None where an earlier inference is corrected."""

    state: State | None
    event: Event | None
    next_state: State
    reason: str


class _Arrival(NamedTuple):
    """What one of our segments means to the peer.  ``end`` is the sequence number after its SYN or FIN."""

    syn: bool
    fin: bool
    rst: bool
    acks_syn: bool
    acks_fin: bool
    end: int


class _FinCame(NamedTuple):
    """Our FIN is acknowledged: the peer's state before it, and where the peer's sequence numbers were then."""

    state: State | None
    arrival: _Arrival
    seq: int


_WAITING_FOR_ACK_OF_FIN = (State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK)
_NOT_SYNCHRONIZED = (None, State.CLOSED, State.LISTEN, State.SYN_SENT, State.SYN_RECEIVED)
_CALLS: Final = (Event.PASSIVE_OPEN, Event.ACTIVE_OPEN, Event.CLOSE, Event.ABORT)
_ARRIVALS: Final = (
    Event.RCV_SYN_ACK,
    Event.RCV_SYN,
    Event.RCV_ACK,
    Event.RCV_ACK_OF_FIN,
    Event.RCV_FIN,
    Event.DATA_AFTER_CLOSE,
    Event.RCV_RST,
    Event.RCV_RST_PASSIVE,
)
_TIMEOUTS: Final = (
    Event.RETRANSMISSION_TIMEOUT,
    Event.USER_TIMEOUT,
    Event.KEEPALIVE_TIMEOUT,
    Event.FIN_WAIT_2_TIMEOUT,
    Event.TIME_WAIT_TIMEOUT,
)


def _covers(ack: int, end: int) -> bool:
    return (ack - end) & 0xFFFFFFFF < 0x80000000


class Peer:
    """The peer of one connection: as its kernel says, where that can be asked, else as its segments tell.

    ``state`` is None as long as nothing is known.  ``exact``: it is what the peer's kernel says, and
    :meth:`sent_to` and :meth:`received_from` have no changes to tell any more.
    """

    __slots__ = ("_inference", "_reset_sent", "exact", "state")

    def __init__(self, role: str) -> None:
        """``role`` is our side's: "active" (the peer must have been listening) or "passive"."""
        self._inference = Inference(role)
        self._reset_sent = False
        self.state = self._inference.state
        self.exact = False

    def sent_to(self, segment: SegmentOut) -> list[PeerStep]:
        """Our side sent ``segment``; the changes that it makes at the peer when it arrives."""
        self._reset_sent = bool(segment.flags & RST)
        steps = self._inference.sent_to(segment)
        if self.exact:
            return []
        self.state = self._inference.state
        return steps

    def received_from(self, segment: SegmentIn) -> tuple[list[PeerStep], list[PeerStep]]:
        """``segment`` came from the peer.

        Returns the changes that it shows to have come before it was sent, and those that will follow there
        when what is under way arrives.
        """
        before, after = self._inference.received_from(segment)
        if self.exact:
            return [], []
        self.state = self._inference.state
        return before, after

    def read(self, seen: PeerSeen) -> list[PeerStep]:
        """What the peer's kernel said of its state; the changes that it went through since, most likely."""
        before, after = self.state, seen.state
        self.state, self.exact = after, True
        if before is after:
            return []
        opening = after in (State.LISTEN, State.SYN_SENT, State.SYN_RECEIVED)
        if before in (None, State.CLOSED) and not opening and not self._inference.saw_syn:
            return [PeerStep(before, None, after, "joined in the middle")]
        start = before or State.CLOSED
        events = self._likely(seen.after)
        known = self._inference.proved
        if known not in (None, State.CLOSED, start, after):
            ways = _way(start, known, events), _way(known, after, events)
            if all(ways):
                return ways[0] + ways[1]
        return _way(start, after, events) or [PeerStep(start, None, after, "its kernel says so")]

    def _likely(self, after: str) -> tuple[Event, ...]:
        """What may have happened, the likeliest first."""
        arrivals = sorted(_ARRIVALS, key=lambda event: event is not Event.RCV_RST) if self._reset_sent else _ARRIVALS
        first, second = (arrivals, _CALLS) if after == "segment-out" else (_CALLS, arrivals)
        return (*first, *second, *_TIMEOUTS)


class Inference:
    """The peer of one connection, as far as its segments tell.

    ``state`` is None as long as nothing is known: nobody may be there at all.  ``proved`` is the state that its
    segments show it to have reached, whatever is still under way.
    """

    __slots__ = ("_fin_end", "_passive", "_syn_end", "_under_way", "_when_fin_came", "proved", "state")

    def __init__(self, role: str) -> None:
        """``role`` is our side's: "active" (the peer must have been listening) or "passive"."""
        self.state: State | None = State.CLOSED if role == "passive" else None
        self.proved = self.state
        self._passive = role != "passive"
        self._under_way: list[_Arrival] = []
        self._syn_end: int | None = None
        self._fin_end: int | None = None
        self._when_fin_came: _FinCame | None = None

    @property
    def saw_syn(self) -> bool:
        """The peer's SYN has come."""
        return self._syn_end is not None

    def sent_to(self, segment: SegmentOut) -> list[PeerStep]:
        """Our side sent ``segment``; the changes that it makes at the peer when it arrives."""
        ack = segment.ack if segment.flags & ACK else None
        arrival = _Arrival(
            syn=bool(segment.flags & SYN),
            fin=bool(segment.flags & FIN),
            rst=bool(segment.flags & RST),
            acks_syn=ack is not None and self._syn_end is not None and _covers(ack, self._syn_end),
            acks_fin=ack is not None and self._fin_end is not None and _covers(ack, self._fin_end),
            end=segment.seq + segment.length + bool(segment.flags & SYN) + bool(segment.flags & FIN),
        )
        steps = self._steps_of(self.state, arrival)
        if steps:
            self.state = steps[-1].next_state
        if steps or (self.state is None and arrival.syn and not self._under_way):
            self._under_way.append(arrival)
        return steps

    def received_from(self, segment: SegmentIn) -> tuple[list[PeerStep], list[PeerStep]]:
        """``segment`` came from the peer.

        Returns the changes that it shows to have come before it was sent, and those that will follow there
        when what is under way arrives.
        """
        before = self.state
        learned = self._prove(segment)
        own = self._own_call(segment)
        self.proved = _end(self.proved, own)
        coming = self._replay()
        self.state = _end(self.proved, coming)
        if before is None:
            return learned + own, coming
        if own:
            return own, coming
        if self.state is before or self.state is None:
            return [], []
        why = "joined in the middle" if self._syn_end is None else "what we sent is lost or late"
        return [PeerStep(before, None, self.state, why)], []

    # -- what the peer has proved to have received --------------------------------------------------------

    def _prove(self, segment: SegmentIn) -> list[PeerStep]:
        """Moves the proved state on by what ``segment`` acknowledges."""
        known = 0
        if segment.flags & ACK and not segment.flags & RST:
            for index, arrival in enumerate(self._under_way):
                if (arrival.syn or arrival.fin) and _covers(segment.ack, arrival.end):
                    known = index + 1
        for arrival in self._under_way[:known]:
            if arrival.fin:
                self._when_fin_came = _FinCame(self.proved, arrival, segment.seq)
        steps = self._apply(known)
        if not segment.flags & (SYN | RST):
            # Only a synchronized peer sends a segment that is neither a SYN nor a RST.
            while self.proved in _NOT_SYNCHRONIZED and self._under_way:
                steps += self._apply(1)
            if self.proved in _NOT_SYNCHRONIZED:
                self.proved = State.ESTABLISHED
        return steps

    def _apply(self, count: int) -> list[PeerStep]:
        steps: list[PeerStep] = []
        for arrival in self._under_way[:count]:
            if self.proved is None and arrival.syn:
                steps += _changes(State.CLOSED, Event.PASSIVE_OPEN)
                self.proved = State.LISTEN
            taken = self._steps_of(self.proved, arrival)
            self.proved = _end(self.proved, taken)
            steps += taken
        del self._under_way[:count]
        return steps

    def _replay(self) -> list[PeerStep]:
        """The steps from the proved state that everything still under way will cause."""
        steps: list[PeerStep] = []
        for arrival in self._under_way:
            steps += self._steps_of(_end(self.proved, steps), arrival)
        return steps

    # -- what the peer did by itself ----------------------------------------------------------------------

    def _own_call(self, segment: SegmentIn) -> list[PeerStep]:
        if segment.flags & RST:
            return self._aborts()
        steps: list[PeerStep] = []
        if segment.flags & SYN:
            steps += self._opens(segment)
        if segment.flags & FIN:
            steps += self._closes(segment)
        return steps

    def _aborts(self) -> list[PeerStep]:
        self._under_way.clear()
        if self.proved is None:
            return [PeerStep(None, None, State.CLOSED, "nothing listens there")]
        return _changes(self.proved, Event.ABORT)

    def _opens(self, segment: SegmentIn) -> list[PeerStep]:
        end = segment.seq + 1
        if self._syn_end is not None:
            # The SYN again: what we answered has not arrived.
            self._under_way = [arrival for arrival in self._under_way if not arrival.acks_syn]
            return []
        self._syn_end = end
        if segment.flags & ACK or self.proved not in (None, State.CLOSED):
            return []
        self._passive = False
        return _changes(State.CLOSED, Event.ACTIVE_OPEN)

    def _closes(self, segment: SegmentIn) -> list[PeerStep]:
        if self._fin_end is not None:
            self._under_way = [arrival for arrival in self._under_way if arrival.fin or not arrival.acks_fin]
            return []
        end = self._fin_end = segment.seq + segment.length + 1 + bool(segment.flags & SYN)
        came = self._when_fin_came
        if came is not None and _covers(came.seq, end):
            # When it acknowledged our FIN it was past its own, which is seen only now: it had closed before.
            steps = _changes(came.state, Event.CLOSE)
            return steps + self._steps_of(_end(came.state, steps), came.arrival)
        return _changes(self.proved, Event.CLOSE)

    # -- what our segments do there -----------------------------------------------------------------------

    def _steps_of(self, state: State | None, arrival: _Arrival) -> list[PeerStep]:
        steps: list[PeerStep] = []

        def happens(event: Event) -> None:
            nonlocal state
            taken = _changes(state, event)
            if taken:
                steps.extend(taken)
                state = taken[-1].next_state

        if state is None:
            return steps
        if arrival.rst:
            back = state is State.SYN_RECEIVED and self._passive
            happens(Event.RCV_RST_PASSIVE if back else Event.RCV_RST)
            return steps
        if arrival.syn and state is State.SYN_SENT:
            happens(Event.RCV_SYN_ACK if arrival.acks_syn else Event.RCV_SYN)
        elif arrival.syn and state is State.LISTEN:
            happens(Event.RCV_SYN)
        if arrival.acks_syn and state is State.SYN_RECEIVED:
            happens(Event.RCV_ACK)
        if arrival.acks_fin and state in _WAITING_FOR_ACK_OF_FIN:
            happens(Event.RCV_ACK_OF_FIN)
        if arrival.fin and state not in _NOT_SYNCHRONIZED:
            happens(Event.RCV_FIN)
        return steps


def _end(state: State | None, steps: list[PeerStep]) -> State | None:
    return steps[-1].next_state if steps else state


def _way(start: State, end: State | None, events: tuple[Event, ...]) -> list[PeerStep]:
    """The fewest steps that lead from ``start`` to ``end``, [] where none do; of ``events`` the earlier are likelier.

    None leads by way of CLOSED: what follows that is another connection.
    """
    ways: dict[State, list[PeerStep]] = {start: []}
    waiting = deque([start])
    while waiting:
        state = waiting.popleft()
        for event in events if state is start or state is not State.CLOSED else ():
            for each in _changes(state, event) if (state, event) in TABLE else []:
                if each.next_state not in ways:
                    ways[each.next_state] = [*ways[state], each]
                    waiting.append(each.next_state)
    return [] if end is None else ways.get(end, [])


def _changes(state: State | None, event: Event) -> list[PeerStep]:
    """The step of ``event``, if it leads out of ``state``."""
    if state is None:
        return []
    transition = step(state, event)
    if transition.next_state is state:
        return []
    return [PeerStep(state, event, transition.next_state, transition.reason)]
