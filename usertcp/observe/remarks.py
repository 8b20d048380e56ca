"""Events in a person's words: what is said of each, how loudly, and by what it is counted."""

from __future__ import annotations

from typing import Final, NamedTuple

from usertcp.observe.escape import for_terminal
from usertcp.observe.lines import Role
from usertcp.observe.names import amount, in_brackets, milliseconds, threshold
from usertcp.tcp.events import (
    Acknowledged,
    ChallengeAck,
    Congestion,
    Cwnd,
    Dropped,
    Dsack,
    Estimated,
    Handshake,
    HeldBack,
    IcmpIn,
    OutOfOrder,
    PathMtu,
    Probe,
    Retransmitted,
    Timer,
    TraceEvent,
    WindowChanged,
)

#: The kind of an acknowledgment that meant nothing; where its segment is dropped, that says as much.
IGNORED: Final = "ignored acknowledgment"


class Said(NamedTuple):
    """What is said of an event.

    ``kind`` is by what it is counted where it is not said one by one; ``loud``: also without
    ``--verbose``.  ``often``: how many of the kind are said before the rest is only counted.
    """

    kind: str
    text: str
    role: Role = Role.NOTE
    loud: bool = True
    often: int = 5


def said_of(event: TraceEvent) -> Said | None:
    """What to say of ``event`` besides arrows and steps of the state machine; None for nothing."""
    match event:
        case Dropped():
            text = f"dropped: {for_terminal(event.reason)}"
            return Said("dropped", text + in_brackets(event.section), Role.ERROR)
        case OutOfOrder():
            text = f"out of order: {amount(event.length)} kept until the gap before is filled"
            return Said("out of order", f"{text} ({amount(event.held)} kept in all)", Role.WARNING)
        case ChallengeAck():
            done = "challenge ACK" if event.sent else "challenge ACK held back by its rate limit"
            return Said("challenge ACK", f"{done}: {for_terminal(event.reason)}", Role.WARNING)
        case IcmpIn():
            text = f"ICMP {for_terminal(event.message)}: {for_terminal(event.effect)}"
            return Said("ICMP message", text, Role.WARNING)
        case PathMtu():
            text = f"path MTU {event.mtu:,}, segments of {event.mss:,}: {for_terminal(event.what)}"
            return Said("change of the path MTU", text)
        case Handshake():
            return Said("remark on the handshake", for_terminal(event.what) + in_brackets(event.section))
        case Retransmitted():
            text = f"sent again, attempt {event.attempt}: {for_terminal(event.rule)}"
            return Said("sent again", text, Role.WARNING)
        case Probe():
            return _of_probe(event)
        case Acknowledged():
            return _of_acknowledgment(event)
        case WindowChanged():
            return _of_window(event)
        case HeldBack():
            return _of_silence(event)
        case Congestion() | Cwnd():
            return _of_congestion(event)
        case Estimated():
            return _of_estimate(event)
        case Timer():
            return _of_timer(event)
        case _:
            return None


def said_of_duplicate(event: Dsack, start: int, end: int) -> Said:
    """Of a DSACK; ``start`` and ``end`` as the ladder counts."""
    what = "we got" if event.side == "ours" else "the peer got"
    return Said("DSACK", f"DSACK: {what} {start}-{end} twice (RFC 2883 §4)", Role.WARNING)


_PURPOSES: Final = {"keep-alive": "keep-alive", "zero-window": "zero-window probe", "tail-loss": "tail loss probe"}


def _of_probe(event: Probe) -> Said:
    purpose = _PURPOSES.get(event.purpose, f"probe of {for_terminal(event.purpose)}")
    return Said("probe", f"{purpose} {event.attempt}" + in_brackets(event.section), Role.WARNING)


def _of_acknowledgment(event: Acknowledged) -> Said:
    in_flight = f"{amount(event.in_flight)} in flight"
    sacked = f", {amount(event.sacked)} more are reported beyond a gap" if event.sacked else ""
    why = f": {for_terminal(event.reason)}" if event.reason else ""
    match event.verdict:
        case "accepted":
            text = f"acknowledges {amount(event.acked)}{sacked}; {in_flight}"
            return Said("acknowledgment", text, loud=False)
        case "partial":
            text = f"partial acknowledgment of {amount(event.acked)}{sacked}{why}"
            return Said("partial acknowledgment", text)
        case "duplicate":
            if event.sacked:
                why = f": {amount(event.sacked)} more are held beyond a gap"
            return Said("duplicate acknowledgment", f"duplicate acknowledgment{why}", often=3)
        case _:
            text = f"acknowledgment ignored{why}"
            return Said(IGNORED, text + in_brackets(event.section), Role.WARNING)


def _of_window(event: WindowChanged) -> Said:
    whose = "our window" if event.side == "ours" else "the peer's window"
    why = f": {for_terminal(event.reason)}" if event.reason else ""
    match event.what:
        case "closed":
            text = f"{whose} is closed{why}"
            return Said("closed window", text + in_brackets(event.section), Role.WARNING)
        case "opened":
            text = f"{whose} is open again, {amount(event.window)}{why}"
            return Said("opened window", text + in_brackets(event.section), Role.WARNING)
        case _:
            done = "grew" if event.what == "grew" else "shrank"
            text = f"{whose} {done} to {amount(event.window)}{why}"
            return Said("window change", text + in_brackets(event.section), loud=False)


#: Why nothing, or no more, was sent; how often it is told without --verbose.
_SILENCES: Final = {
    "window": ("the peer's window has room for {room} more", 3),
    "cwnd": ("the congestion window has room for {room} more", 1),
    "nagle": ("Nagle: less than a full segment waits until what is out is acknowledged", 2),
    "cork": ("the application is about to add to it", 2),
    "silly-window": ("the window is too small to be worth a segment", 2),
    "pacing": ("pacing: it is not yet its time", 1),
    "burst": ("a larger segment is being gathered", 0),
    "handshake": ("the handshake comes first", 1),
    "nothing-to-send": ("nothing is left to send", 0),
}


def _of_silence(event: HeldBack) -> Said:
    text, often = _SILENCES.get(event.reason, (for_terminal(event.reason), 1))
    text = text.format(room=amount(event.room) if event.room > 0 else "no")
    waiting = f"{amount(event.unsent)} held back: " if event.unsent else ""
    kind = f"held back by {for_terminal(event.reason)}"
    return Said(kind, waiting + text + in_brackets(event.section), loud=often > 0, often=often or 5)


def _of_congestion(event: Congestion | Cwnd) -> Said:
    numbers = f"cwnd {event.cwnd:,}, ssthresh {threshold(event.ssthresh)}"
    if isinstance(event, Cwnd):
        return Said("congestion window", f"{numbers}; {amount(event.in_flight)} in flight", loud=False)
    return Said("congestion event", f"{for_terminal(event.what)}: {numbers}")


def _of_estimate(event: Estimated) -> Said:
    rto = f"RTO {milliseconds(event.rto)}"
    if event.backoffs:
        times = "once" if event.backoffs == 1 else f"{event.backoffs} times"
        return Said("RTO change", f"{rto}, doubled {times} (RFC 6298 §5.5)", loud=False)
    if event.srtt is None:
        return Said("RTO change", f"{rto}; no round trip measured yet", loud=False)
    text = f"round trip {milliseconds(event.srtt)} ± {milliseconds(event.rttvar)}, {rto}"
    return Said("RTO change", text, loud=False)


#: Timers that show by nothing else that they fired.
_TELLING: Final = ("delayed-ack", "silly-window", "reordering")


def _of_timer(event: Timer) -> Said:
    name = for_terminal(event.timer)
    if event.what == "fired":
        return Said(f"{name} timeout", f"{name} timer fired", loud=event.timer in _TELLING, often=2)
    if event.what == "armed" and event.due is not None:
        text = f"{name} timer set: due in {milliseconds(event.due - event.time)}"
        return Said(f"set {name} timer", text, loud=False)
    return Said(f"stopped {name} timer", f"{name} timer stopped", loud=False)
