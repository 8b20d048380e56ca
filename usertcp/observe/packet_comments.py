"""What a capture's comments say, a line each."""

from __future__ import annotations

from typing import Final

from usertcp.observe.escape import for_terminal
from usertcp.observe.names import counted, in_brackets, threshold
from usertcp.observe.packet_log import Numbers
from usertcp.observe.remarks import said_of
from usertcp.stack.counters import NAMES
from usertcp.tcp.events import (
    Acknowledged,
    ChallengeAck,
    Congestion,
    Deleted,
    Dropped,
    Dsack,
    Handshake,
    HeldBack,
    IcmpIn,
    Opened,
    OutOfOrder,
    PathMtu,
    Probe,
    Retransmitted,
    StrayOut,
    Timer,
    TraceEvent,
    Transitioned,
    WindowChanged,
)
from usertcp.wire.seq import MASK

#: What an impairment does, by its own names.
_IMPAIRED: Final = {
    "dropped": "lost (it was to be dropped by name)",
    "lost": "lost",
    "queue-full": "lost in a full queue",
    "corrupted": "damaged",
    "duplicated": "sent twice",
    "reordered": "held back until later ones have overtaken it",
}

#: What is sent without a connection.
_STRAY: Final = {
    "reset": "the answer to a segment of no connection",
    "syn-cookie": "a SYN cookie: nothing is kept of the SYN that it answers",
}


def of_event(event: TraceEvent) -> str:
    """The comment of the packet that ``event`` belongs to; "" where there is nothing to say about it."""
    match event:
        case Opened():
            return f"connection {event.conn} begins: {'we open it' if event.role == 'active' else 'the peer opens it'}"
        case Transitioned():
            return _transition(event)
        case Retransmitted() | OutOfOrder() | IcmpIn() | PathMtu() | Handshake():
            said = said_of(event)  # as in a ladder
            return "" if said is None else said.text
        case Probe():
            return f"{event.purpose} probe, attempt {event.attempt}{in_brackets(event.section)}"
        case Dropped():
            meaning = NAMES.get(event.reason, "")
            return (
                f"dropped: {for_terminal(event.reason)}{in_brackets(event.section)}{f': {meaning}' if meaning else ''}"
            )
        case ChallengeAck():
            done = "a challenge ACK answers it" if event.sent else "no challenge ACK, because of its rate limit"
            return f"{done} (RFC 5961): {for_terminal(event.reason)}"
        case Acknowledged():
            return _acknowledgment(event)
        case Deleted():
            return f"connection {event.conn} ends: {for_terminal(event.error) or 'in good order'}"
    return _of_rarer_event(event)


def _of_rarer_event(event: TraceEvent) -> str:
    match event:
        case Congestion():
            return (
                f"{for_terminal(event.what)}: cwnd {event.cwnd:,}, ssthresh {threshold(event.ssthresh)}, "
                f"state {for_terminal(event.state)}"
            )
        case WindowChanged():
            whose = "our" if event.side == "ours" else "the peer's"
            text = f"{whose} window {event.what}: {counted(event.window, 'byte')}{in_brackets(event.section)}"
            return f"{text}: {for_terminal(event.reason)}"
        case Timer(what="fired"):
            return f"the {for_terminal(event.timer)} timer fired"
        case HeldBack() if event.unsent:
            text = f"no more follows now: {counted(event.unsent, 'byte')} wait, held back by {event.reason}"
            return f"{text} (room for {event.room:,}){in_brackets(event.section)}"
        case Dsack():
            length = (event.end - event.start) & MASK
            return f"says that {counted(length, 'byte')} came twice (RFC 2883)"
        case StrayOut():
            return f"{_STRAY.get(event.reason, event.reason)}{in_brackets(event.section)}"
    return ""


def _transition(event: Transitioned) -> str:
    same = event.state is event.next_state
    moves = f"stays in {event.state.value}" if same else f"{event.state.value} → {event.next_state.value}"
    text = f"{moves}: {event.event.value}{in_brackets(event.section)}"
    return f"{text}: {for_terminal(event.reason)}"


def _acknowledgment(event: Acknowledged) -> str:
    verdict = f"acknowledgment {for_terminal(event.verdict)}{in_brackets(event.section)}: {for_terminal(event.reason)}"
    new = [f"{event.acked:,} more"] if event.acked else []
    if event.sacked:
        new.append(f"{counted(event.sacked, 'byte')} beyond a gap")
    return f"{verdict} ({', '.join(new)})" if new else verdict


def of_numbers(numbers: Numbers) -> str:
    """What the connection has in mind."""
    return (
        f"{numbers.state.value} · cwnd {numbers.cwnd:,} · ssthresh {threshold(numbers.ssthresh)} · "
        f"in flight {numbers.in_flight:,} · rto {_time(numbers.rto)}"
    )


def of_impairment(what: tuple[str, ...], copies: int) -> str:
    """What --impair does to a packet, of which ``copies`` go on."""
    if not copies:
        # What else was to happen to it does not matter any more.
        what = tuple(each for each in what if each in ("dropped", "lost", "queue-full"))
    return " and ".join(_IMPAIRED.get(each, each) for each in dict.fromkeys(what)) + " by --impair"


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 10 else f"{seconds:.1f} s"
