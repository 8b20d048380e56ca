"""SYN-RECEIVED of a listener's child: what else may come before the ACK that ends the handshake.

RFC 9293 §3.10.7.4 treats the child as any other connection.  Systems that keep less of it than a connection answer
less exactly; :attr:`Settings.half_open` chooses.  Each rule here looks at a segment first; what it lets through is
processed as the RFC has it, and opens the connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from usertcp.tcp import ecn, opening, output
from usertcp.tcp.errors import ConnectionReset
from usertcp.tcp.refusal import answer_with_reset, drop
from usertcp.tcp.reset import sequence_length
from usertcp.tcp.states import Event
from usertcp.wire.seq import unwrap
from usertcp.wire.tcp import ACK, RST, SYN, Segment

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection

#: Whether a segment, whose sequence number is the third argument, is processed further.
Rule: TypeAlias = "Callable[[Connection, Segment, int, float], bool]"


def takes(tcb: Connection, segment: Segment, seq: int, now: float) -> bool:
    """Whether a segment in SYN-RECEIVED is processed further; else it has had its answer."""
    if tcb.listener is None or tcb.early:
        return True
    return RULES[tcb.settings.half_open](tcb, segment, seq, now)


def _connection(tcb: Connection, segment: Segment, seq: int, now: float) -> bool:
    """It is a connection like any other."""
    return True


# -- A request ------------------------------------------------------------------------------------------------


def _request(tcb: Connection, segment: Segment, seq: int, now: float) -> bool:
    """A RST or a new SYN anywhere in the window ends it; all that is outside gets one acknowledgment in a while."""
    flags = segment.flags
    if seq == tcb.irs and flags & (SYN | ACK | RST) == SYN:  # the SYN that opened it, again
        drop(tcb, segment, "old-duplicate", "3.10.7.4", now)
        if output.may_challenge(tcb, "our SYN,ACK once more", now):
            ecn.syn_again(tcb, segment)
            opening.repeat_syn(tcb)
        return False
    if flags & ACK and unwrap(segment.ack, tcb.snd_una) != tcb.snd_nxt:
        drop(tcb, segment, "ack-of-unsent", "3.10.7.4", now)
        answer_with_reset(tcb, segment, now)
        return False
    end = seq + sequence_length(segment)
    edge = tcb.rcv_adv
    inside = seq == tcb.rcv_nxt or (end > tcb.rcv_nxt and seq < edge) or seq == end == edge
    if not inside or _is_older(tcb, segment):
        drop(tcb, segment, "outside-window" if not inside else "paws", "3.10.7.4", now)
        if not flags & RST:
            output.challenge_ack(tcb, "it lies outside the window", now)
        return False
    if flags & RST or (flags & SYN and seq != tcb.irs):
        if not flags & RST:
            answer_with_reset(tcb, segment, now)
        _give_up(tcb, Event.RCV_RST_PASSIVE if flags & RST else Event.RCV_SYN_PASSIVE, now)
        return False
    return True


def _is_older(tcb: Connection, segment: Segment) -> bool:
    ts_val = segment.ts_val if tcb.timestamps else None
    return ts_val is not None and 1 < (tcb.ts_recent - ts_val) & 0xFFFFFFFF < 0x80000000


# -- An entry of a cache --------------------------------------------------------------------------------------


def _entry(tcb: Connection, segment: Segment, seq: int, now: float) -> bool:
    """Any SYN gets the SYN,ACK again; what is no answer to that gets a RST, and nothing but a RST ends it."""
    flags = segment.flags
    if flags & RST:
        _reset_of_entry(tcb, segment, seq, now)
        return False
    if flags & (SYN | ACK) == SYN:
        if tcb.timestamps and segment.ts_val is not None:
            tcb.ts_recent = segment.ts_val
        opening.repeat_syn(tcb)
        return False
    if not flags & ACK:
        drop(tcb, segment, "no-ack", "3.10.7.4", now)
        return False
    if flags & SYN:
        answer_with_reset(tcb, segment, now)
        _give_up(tcb, Event.RCV_SYN_PASSIVE, now)
        return False
    if tcb.timestamps and (segment.ts_val is None or _is_older(tcb, segment)):
        drop(tcb, segment, "paws", "RFC 7323 §5.3", now)
        return False
    if unwrap(segment.ack, tcb.snd_una) == tcb.iss + 1 and tcb.rcv_nxt <= seq <= tcb.irs + (tcb.rcv_adv - tcb.rcv_nxt):
        return True
    drop(tcb, segment, "ack-of-unsent", "3.10.7.4", now)
    answer_with_reset(tcb, segment, now)
    return False


def _reset_of_entry(tcb: Connection, segment: Segment, seq: int, now: float) -> None:
    """RFC 5961 §3.2."""
    if seq == tcb.rcv_nxt or (tcb.settings.reset_at == "window" and tcb.rcv_nxt <= seq < tcb.rcv_adv):
        _give_up(tcb, Event.RCV_RST_PASSIVE, now)
    elif tcb.rcv_nxt <= seq < tcb.rcv_adv:
        output.send_ack(tcb, now)
    else:
        drop(tcb, segment, "reset-outside-window", "3.10.7.4", now)


def _give_up(tcb: Connection, event: Event, now: float) -> None:
    tcb.step(event, now)
    tcb.end(now, ConnectionReset("reset by peer in SYN-RECEIVED: it took back its SYN"))


#: By the name that :attr:`usertcp.tcp.settings.Settings.half_open` has for it.
RULES: Final[dict[str, Rule]] = {"connection": _connection, "request": _request, "entry": _entry}
