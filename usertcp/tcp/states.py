"""The eleven states, and the one table that says how a connection moves between them.

Everything that changes a connection's state goes through :func:`step` and so through :data:`TABLE`.
The table is total: each pair of state and event has either a :class:`Transition` or, in
:data:`UNREACHABLE`, the proof that it cannot happen; looking up such a pair raises
:class:`ImpossibleTransition`.  The diagram, the ladders, the documentation and the exhaustive test are
all made from it.

Source: RFC 9293 §3.3.2 (figure 5), §3.10.1-§3.10.8.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Final, NamedTuple


class State(Enum):
    """A connection's state (RFC 9293 §3.3.2); the value is the RFC's spelling."""

    CLOSED = "CLOSED"
    LISTEN = "LISTEN"
    SYN_SENT = "SYN-SENT"
    SYN_RECEIVED = "SYN-RECEIVED"
    ESTABLISHED = "ESTABLISHED"
    FIN_WAIT_1 = "FIN-WAIT-1"
    FIN_WAIT_2 = "FIN-WAIT-2"
    CLOSE_WAIT = "CLOSE-WAIT"
    CLOSING = "CLOSING"
    LAST_ACK = "LAST-ACK"
    TIME_WAIT = "TIME-WAIT"

    # Members are unique, so the identity will do; Enum's own hash is a call of a Python function.
    __hash__ = object.__hash__

    def __str__(self) -> str:
        return self.value


# By themselves, too: ``State.LISTEN`` asks Enum's class, 20 times as dear as a name, and each segment asks often.
CLOSED: Final = State.CLOSED
LISTEN: Final = State.LISTEN
SYN_SENT: Final = State.SYN_SENT
SYN_RECEIVED: Final = State.SYN_RECEIVED
ESTABLISHED: Final = State.ESTABLISHED
FIN_WAIT_1: Final = State.FIN_WAIT_1
FIN_WAIT_2: Final = State.FIN_WAIT_2
CLOSE_WAIT: Final = State.CLOSE_WAIT
CLOSING: Final = State.CLOSING
LAST_ACK: Final = State.LAST_ACK
TIME_WAIT: Final = State.TIME_WAIT


class Event(Enum):
    """What can happen to a connection; the value is how a person reads it."""

    # User calls (§3.10.1-§3.10.6)
    PASSIVE_OPEN = "passive OPEN"
    ACTIVE_OPEN = "active OPEN"
    SEND = "SEND"
    RECEIVE = "RECEIVE"
    CLOSE = "CLOSE"
    ABORT = "ABORT"
    STATUS = "STATUS"
    # Segments (§3.10.7); a segment that does several things is several events, in the RFC's order
    RCV_SYN = "rcv SYN"
    RCV_SYN_PASSIVE = "rcv SYN (opened passively)"
    RCV_SYN_ACK = "rcv SYN,ACK"
    RCV_ACK = "rcv ACK"
    RCV_ACK_OF_FIN = "rcv ACK of FIN"
    RCV_FIN = "rcv FIN"
    RCV_RST = "rcv RST"
    RCV_RST_PASSIVE = "rcv RST (opened passively)"
    DATA_AFTER_CLOSE = "rcv data nobody will read"
    RCV_NEW_SYN = "rcv SYN of a new connection"
    ICMP_HARD_ERROR = "ICMP unreachable"
    # Timeouts (§3.10.8)
    USER_TIMEOUT = "user timeout"
    RETRANSMISSION_TIMEOUT = "retransmission timeout"
    TIME_WAIT_TIMEOUT = "time-wait timeout"
    FIN_WAIT_2_TIMEOUT = "FIN-WAIT-2 timeout"
    KEEPALIVE_TIMEOUT = "keep-alive timeout"

    __hash__ = object.__hash__

    def __str__(self) -> str:
        return self.value


class Transition(NamedTuple):
    """What an event does to a state: the next state, where that is written, and why in one line."""

    next_state: State
    section: str
    reason: str


class ImpossibleTransition(RuntimeError):
    """An event came in a state in which it cannot happen: a bug in usertcp, never in the peer."""


TABLE: Final[dict[tuple[State, Event], Transition]] = {}
UNREACHABLE: Final[dict[tuple[State, Event], str]] = {}

_ALL: Final = tuple(State)
_OPENING: Final = (State.SYN_SENT, State.SYN_RECEIVED)
#: Both directions' initial sequence numbers are known and acknowledged.
SYNCHRONIZED: Final = frozenset(_ALL) - {State.CLOSED, State.LISTEN, State.SYN_SENT, State.SYN_RECEIVED}
#: The application has closed its side (a FIN was sent or is queued).
SEND_CLOSED: Final = frozenset(
    {State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSING, State.LAST_ACK, State.TIME_WAIT}
)
#: The peer's FIN has been received.
RECEIVE_CLOSED: Final = frozenset({State.CLOSE_WAIT, State.CLOSING, State.LAST_ACK, State.TIME_WAIT})
#: Text in a segment is processed (§3.10.7.4, seventh).
RECEIVING: Final = frozenset({State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2})
#: Queued data may go out.
SENDING: Final = frozenset(
    {State.ESTABLISHED, State.CLOSE_WAIT, State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK}
)


def step(state: State, event: Event) -> Transition:
    """The transition for ``event`` in ``state``.

    Raises :class:`ImpossibleTransition` for a pair that is proved unreachable.
    """
    try:
        return TABLE[state, event]
    except KeyError:
        why = UNREACHABLE.get((state, event), "it has no entry in the table")
        raise ImpossibleTransition(f"{event} in {state} cannot happen: {why}") from None


def _moves(event: Event, state: State, next_state: State, section: str, reason: str) -> None:
    assert (state, event) not in TABLE
    TABLE[state, event] = Transition(next_state, section, reason)


def _stays(event: Event, states: Iterable[State], section: str, reason: str) -> None:
    for state in states:
        _moves(event, state, state, section, reason)


def _all_move(event: Event, states: Iterable[State], next_state: State, section: str, reason: str) -> None:
    for state in states:
        _moves(event, state, next_state, section, reason)


def _never(event: Event, states: Iterable[State], proof: str) -> None:
    for state in states:
        assert (state, event) not in TABLE
        assert (state, event) not in UNREACHABLE
        UNREACHABLE[state, event] = proof


def _others(*states: State) -> tuple[State, ...]:
    return tuple(state for state in _ALL if state not in states)


_S, _E = State, Event

# -- OPEN (§3.10.1) ------------------------------------------------------------------------------------
_moves(_E.PASSIVE_OPEN, _S.CLOSED, _S.LISTEN, "3.10.1", "a passive OPEN waits for a peer's SYN")
_stays(
    _E.PASSIVE_OPEN, _others(_S.CLOSED), "3.10.1", 'refused with "connection already exists": it is open already'
)
_moves(_E.ACTIVE_OPEN, _S.CLOSED, _S.SYN_SENT, "3.10.1", "an active OPEN sends a SYN with our initial sequence number")
_moves(_E.ACTIVE_OPEN, _S.LISTEN, _S.SYN_SENT, "3.10.1", "a listening connection turns active and sends a SYN")
_stays(
    _E.ACTIVE_OPEN,
    _others(_S.CLOSED, _S.LISTEN),
    "3.10.1",
    'refused with "connection already exists": it is open already',
)

# -- SEND (§3.10.2) ------------------------------------------------------------------------------------
_stays(_E.SEND, [_S.CLOSED], "3.10.2", 'refused with "connection does not exist"')
_moves(_E.SEND, _S.LISTEN, _S.SYN_SENT, "3.10.2", "a SEND on a listening connection with a known peer turns it active")
_stays(_E.SEND, _OPENING, "3.10.2", "the data is queued until the connection is established")
_stays(_E.SEND, [_S.ESTABLISHED, _S.CLOSE_WAIT], "3.10.2", "the data is cut into segments and sent")
_stays(_E.SEND, SEND_CLOSED, "3.10.2", 'refused with "connection closing": our FIN follows all our data')

# -- RECEIVE (§3.10.3) ---------------------------------------------------------------------------------
_stays(_E.RECEIVE, [_S.CLOSED], "3.10.3", 'refused with "connection does not exist"')
_stays(_E.RECEIVE, [_S.LISTEN, *_OPENING], "3.10.3", "the call waits until the connection is established")
_stays(_E.RECEIVE, RECEIVING, "3.10.3", "what has arrived in order is handed over")
_stays(_E.RECEIVE, RECEIVE_CLOSED, "3.10.3", "what is left is handed over, then the end of the stream: the peer sent FIN")

# -- CLOSE (§3.10.4) -----------------------------------------------------------------------------------
_stays(_E.CLOSE, [_S.CLOSED], "3.10.4", 'refused with "connection does not exist"')
_moves(_E.CLOSE, _S.LISTEN, _S.CLOSED, "3.10.4", "nobody has connected: the connection block is deleted")
_moves(_E.CLOSE, _S.SYN_SENT, _S.CLOSED, "3.10.4", "nothing is established yet: the connection block is deleted")
_moves(_E.CLOSE, _S.SYN_RECEIVED, _S.FIN_WAIT_1, "3.10.4", "no data is waiting: a FIN is sent at once")
_moves(_E.CLOSE, _S.ESTABLISHED, _S.FIN_WAIT_1, "3.10.4", "we close first: a FIN follows the last byte of our data")
_moves(_E.CLOSE, _S.CLOSE_WAIT, _S.LAST_ACK, "3.10.4", "we close second: a FIN follows the last byte of our data")
_stays(_E.CLOSE, SEND_CLOSED, "3.10.4", "our side is closed already: no second FIN is sent")

# -- ABORT (§3.10.5) -----------------------------------------------------------------------------------
_stays(_E.ABORT, [_S.CLOSED], "3.10.5", 'refused with "connection does not exist"')
_all_move(_E.ABORT, [_S.LISTEN, _S.SYN_SENT], _S.CLOSED, "3.10.5", "nothing is established yet: the connection block is deleted")
_all_move(
    _E.ABORT,
    [_S.SYN_RECEIVED, _S.ESTABLISHED, _S.FIN_WAIT_1, _S.FIN_WAIT_2, _S.CLOSE_WAIT],
    _S.CLOSED,
    "3.10.5",
    "a RST is sent and everything queued is thrown away",
)
_all_move(
    _E.ABORT,
    [_S.CLOSING, _S.LAST_ACK, _S.TIME_WAIT],
    _S.CLOSED,
    "3.10.5",
    "both sides have closed already: the connection block is deleted without a RST",
)

# -- STATUS (§3.10.6) ----------------------------------------------------------------------------------
_stays(_E.STATUS, _ALL, "3.10.6", "looking changes nothing")

# -- SEGMENT ARRIVES: RST (§3.10.7) --------------------------------------------------------------------
_stays(_E.RCV_RST, [_S.CLOSED], "3.10.7.1", "a RST for a connection that does not exist is dropped")
_stays(_E.RCV_RST, [_S.LISTEN], "3.10.7.2", "a RST cannot answer anything a listener sent: ignored")
_moves(_E.RCV_RST, _S.SYN_SENT, _S.CLOSED, "3.10.7.3", "the peer refused our SYN: connection refused")
_moves(_E.RCV_RST, _S.SYN_RECEIVED, _S.CLOSED, "3.10.7.4", "the peer took back its SYN, and here nobody goes back to listening: the connection ends")
_all_move(
    _E.RCV_RST,
    [_S.ESTABLISHED, _S.FIN_WAIT_1, _S.FIN_WAIT_2, _S.CLOSE_WAIT],
    _S.CLOSED,
    "3.10.7.4",
    "the peer aborted: connection reset, everything queued is thrown away",
)
_all_move(
    _E.RCV_RST,
    [_S.CLOSING, _S.LAST_ACK, _S.TIME_WAIT],
    _S.CLOSED,
    "3.10.7.4",
    "both sides had closed already: the connection block is deleted",
)
_moves(
    _E.RCV_RST_PASSIVE,
    _S.SYN_RECEIVED,
    _S.LISTEN,
    "3.10.7.4",
    "the SYN was an old duplicate or was taken back: the listener goes on listening",
)
_never(
    _E.RCV_RST_PASSIVE,
    _others(_S.SYN_RECEIVED),
    "only a connection that is in SYN-RECEIVED and was opened passively raises it (§3.10.7.4, second)",
)

# -- SEGMENT ARRIVES: SYN ------------------------------------------------------------------------------
_stays(_E.RCV_SYN, [_S.CLOSED], "3.10.7.1", "no connection and no listener: answered with a RST")
_moves(_E.RCV_SYN, _S.LISTEN, _S.SYN_RECEIVED, "3.10.7.2", "a peer's SYN is answered with SYN,ACK")
_moves(
    _E.RCV_SYN,
    _S.SYN_SENT,
    _S.SYN_RECEIVED,
    "3.10.7.3",
    "simultaneous open: the SYNs crossed, ours is sent again with an ACK",
)
_stays(
    _E.RCV_SYN,
    [_S.SYN_RECEIVED, *sorted(SYNCHRONIZED, key=lambda s: s.value)],
    "3.10.7.4",
    "a SYN on an open connection is only answered with a challenge ACK (RFC 5961 §4)",
)
_moves(
    _E.RCV_SYN_PASSIVE,
    _S.SYN_RECEIVED,
    _S.LISTEN,
    "3.10.7.4",
    "a new SYN inside the window of a passively opened connection: back to listening",
)
_never(
    _E.RCV_SYN_PASSIVE,
    _others(_S.SYN_RECEIVED),
    "only a connection that is in SYN-RECEIVED and was opened passively raises it (§3.10.7.4, fourth)",
)
_moves(
    _E.RCV_SYN_ACK,
    _S.SYN_SENT,
    _S.ESTABLISHED,
    "3.10.7.3",
    "our SYN is acknowledged and the peer's SYN has come: both initial sequence numbers are agreed",
)
_never(
    _E.RCV_SYN_ACK,
    _others(_S.SYN_SENT),
    "outside SYN-SENT a SYN is handled before the ACK field is looked at (§3.10.7.2 second, §3.10.7.4 fourth)",
)

# -- SEGMENT ARRIVES: ACK ------------------------------------------------------------------------------
_stays(_E.RCV_ACK, [_S.CLOSED], "3.10.7.1", "no connection: answered with a RST")
_stays(_E.RCV_ACK, [_S.LISTEN], "3.10.7.2", "a listener has sent nothing to acknowledge: answered with a RST")
_stays(_E.RCV_ACK, [_S.SYN_SENT], "3.10.7.3", "an ACK of our SYN without the peer's SYN agrees on nothing: dropped")
_moves(
    _E.RCV_ACK,
    _S.SYN_RECEIVED,
    _S.ESTABLISHED,
    "3.10.7.4",
    "our SYN is acknowledged: both initial sequence numbers are agreed",
)
_stays(
    _E.RCV_ACK,
    sorted(SYNCHRONIZED, key=lambda s: s.value),
    "3.10.7.4",
    "it takes acknowledged data off the retransmission queue and updates the send window",
)
_moves(_E.RCV_ACK_OF_FIN, _S.FIN_WAIT_1, _S.FIN_WAIT_2, "3.10.7.4", "our FIN is acknowledged; the peer may still send")
_moves(
    _E.RCV_ACK_OF_FIN,
    _S.CLOSING,
    _S.TIME_WAIT,
    "3.10.7.4",
    "both closed at once and our FIN is acknowledged: wait 2 MSL for stray segments",
)
_moves(_E.RCV_ACK_OF_FIN, _S.LAST_ACK, _S.CLOSED, "3.10.7.4", "our FIN is acknowledged and the peer had closed before: done")
_never(
    _E.RCV_ACK_OF_FIN,
    _others(_S.FIN_WAIT_1, _S.CLOSING, _S.LAST_ACK),
    "only these three states have a FIN that is not acknowledged yet",
)

# -- SEGMENT ARRIVES: FIN ------------------------------------------------------------------------------
_stays(_E.RCV_FIN, [_S.CLOSED], "3.10.7.1", "no connection: answered with a RST")
_stays(_E.RCV_FIN, [_S.LISTEN], "3.10.7.2", "its sequence number cannot be validated: dropped")
_stays(_E.RCV_FIN, [_S.SYN_SENT], "3.10.7.3", "its sequence number cannot be validated: dropped")
_never(
    _E.RCV_FIN,
    [_S.SYN_RECEIVED],
    "the ACK field is looked at first and moves the connection to ESTABLISHED or ends the processing (§3.10.7.4, fifth)",
)
_moves(_E.RCV_FIN, _S.ESTABLISHED, _S.CLOSE_WAIT, "3.10.7.4", "the peer closed first: it will send no more")
_moves(_E.RCV_FIN, _S.FIN_WAIT_1, _S.CLOSING, "3.10.7.4", "the FINs crossed: both sides close at once")
_moves(_E.RCV_FIN, _S.FIN_WAIT_2, _S.TIME_WAIT, "3.10.7.4", "both sides have closed: wait 2 MSL for stray segments")
_stays(
    _E.RCV_FIN,
    [_S.CLOSE_WAIT, _S.CLOSING, _S.LAST_ACK],
    "3.10.7.4",
    "the peer's FIN again: acknowledged again",
)
_stays(
    _E.RCV_FIN,
    [_S.TIME_WAIT],
    "3.10.7.4",
    "the peer's FIN again, so our ACK was lost: acknowledged again, and 2 MSL start anew",
)

# -- SEGMENT ARRIVES: text that no application will read -----------------------------------------------
_all_move(
    _E.DATA_AFTER_CLOSE,
    [_S.FIN_WAIT_1, _S.FIN_WAIT_2, _S.CLOSE_WAIT, _S.CLOSING, _S.LAST_ACK],
    _S.CLOSED,
    "3.6.1",
    "data came that nobody will read: a RST tells the peer that it is lost",
)
_never(
    _E.DATA_AFTER_CLOSE,
    _others(_S.FIN_WAIT_1, _S.FIN_WAIT_2, _S.CLOSE_WAIT, _S.CLOSING, _S.LAST_ACK),
    "somebody reads, or there is nothing left to be read",
)

# -- A new connection between the same sockets ---------------------------------------------------------
_moves(
    _E.RCV_NEW_SYN,
    _S.TIME_WAIT,
    _S.CLOSED,
    "3.10.7.4",
    "a SYN beyond all numbers of the old connection: it makes room for the new one (MAY-2)",
)
_never(_E.RCV_NEW_SYN, _others(_S.TIME_WAIT), "only TIME-WAIT gives way to a new connection")

# -- ICMP (§3.9.2.2) -----------------------------------------------------------------------------------
_all_move(
    _E.ICMP_HARD_ERROR,
    _OPENING,
    _S.CLOSED,
    "3.9.2.2",
    "the network says that the peer cannot be reached: the attempt to connect ends",
)
_stays(
    _E.ICMP_HARD_ERROR,
    sorted(SYNCHRONIZED, key=lambda s: s.value),
    "3.9.2.2",
    "an established connection takes it as a hint only, since ICMP is easily forged (RFC 5461 §4.1)",
)
_never(_E.ICMP_HARD_ERROR, [_S.CLOSED, _S.LISTEN], "nothing was sent that an ICMP message could quote")

# -- Timeouts (§3.10.8) --------------------------------------------------------------------------------
_all_move(
    _E.USER_TIMEOUT,
    _others(_S.CLOSED, _S.LISTEN, _S.TIME_WAIT, _S.FIN_WAIT_2),
    _S.CLOSED,
    "3.10.8",
    "the peer did not answer for too long: the connection is aborted",
)
_never(
    _E.USER_TIMEOUT,
    [_S.CLOSED, _S.LISTEN, _S.TIME_WAIT, _S.FIN_WAIT_2],
    "nothing is waiting there for an acknowledgment",
)
_stays(
    _E.RETRANSMISSION_TIMEOUT,
    _others(_S.CLOSED, _S.LISTEN, _S.TIME_WAIT, _S.FIN_WAIT_2),
    "3.10.8",
    "the segment at the front of the retransmission queue is sent again",
)
_never(
    _E.RETRANSMISSION_TIMEOUT,
    [_S.CLOSED, _S.LISTEN, _S.TIME_WAIT, _S.FIN_WAIT_2],
    "the retransmission queue is empty there",
)
_moves(_E.TIME_WAIT_TIMEOUT, _S.TIME_WAIT, _S.CLOSED, "3.10.8", "2 MSL have passed: no segment of this connection is left")
_never(_E.TIME_WAIT_TIMEOUT, _others(_S.TIME_WAIT), "the timer runs in TIME-WAIT only")
_moves(
    _E.FIN_WAIT_2_TIMEOUT,
    _S.FIN_WAIT_2,
    _S.CLOSED,
    "3.6",
    "the application is gone and the peer never closed: the connection block is deleted",
)
_never(_E.FIN_WAIT_2_TIMEOUT, _others(_S.FIN_WAIT_2), "the timer runs in FIN-WAIT-2 only")
_all_move(
    _E.KEEPALIVE_TIMEOUT,
    sorted(SYNCHRONIZED - {_S.TIME_WAIT}, key=lambda s: s.value),
    _S.CLOSED,
    "3.8.4",
    "the peer answered no keep-alive: it is taken to be gone",
)
_never(
    _E.KEEPALIVE_TIMEOUT,
    [_S.CLOSED, _S.LISTEN, *_OPENING, _S.TIME_WAIT],
    "keep-alives are sent on synchronized connections only, and TIME-WAIT waits for nobody",
)
