"""Explicit congestion notification: routers mark packets instead of dropping them (RFC 3168 §6.1).

The receiver of a marked packet echoes the mark (ECE) until the sender says that it has reduced its window
(CWR).  For DCTCP each acknowledgment says exactly whether what it covers was marked (RFC 8257 §3.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from usertcp.tcp import output, telling
from usertcp.tcp.moments import LONG_AGO
from usertcp.tcp.states import SYN_SENT
from usertcp.wire.codepoint import CE, NOT_ECT
from usertcp.wire.tcp import CWR, ECE, Segment

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection

#: Values of :attr:`Settings.ecn <usertcp.tcp.settings.Settings.ecn>`.
OFF: Final = "off"
PASSIVE: Final = "passive"
ON: Final = "on"

_SETUP: Final = ECE | CWR


class Ecn:
    """What one connection knows of ECN; sequence numbers are unbounded, times seconds."""

    __slots__ = (
        "cwr_due", "echoing", "exact", "held_until", "listens", "marks", "offered", "recover", "reductions", "sends",
    )  # fmt: skip

    def __init__(self) -> None:
        #: A SYN of ours said that we can.
        self.offered = False
        #: Both ends agreed: our new data is ECN-capable, and what the peer echoes counts.
        self.sends = False
        #: Marks that arrive are echoed: also where a later SYN of ours took the offer back (§6.1.1).
        self.listens = False
        #: Echo each mark once (RFC 8257 §3.2) instead of until CWR.
        self.exact = False
        #: Acknowledgments bear ECE at present.
        self.echoing = False
        #: The next new data bears CWR.
        self.cwr_due = False
        #: Echoes up to this acknowledgment belong to a reduction that was made already.
        self.recover = -1
        #: No new data before this time: the window cannot become smaller than one segment.
        self.held_until = LONG_AGO
        #: Marked segments that arrived, and reductions that the peer's echoes caused.
        self.marks = 0
        self.reductions = 0


#: Of all connections that do without: an end that asked for it, or was asked, gets one of its own, and it is only
#: these that anything else here changes.
UNUSED: Final = Ecn()


def _own(tcb: Connection) -> Ecn:
    if tcb.ecn is UNUSED:
        tcb.ecn = Ecn()
    return tcb.ecn


# -- The handshake (§6.1.1) --------------------------------------------------------------------------


def syn_flags(tcb: Connection) -> int:
    """ECE and CWR of the SYN or SYN,ACK that leaves now."""
    ecn = tcb.ecn
    if tcb.state is not SYN_SENT:
        return ECE if ecn.listens else 0
    wanted = tcb.settings.ecn == ON or (tcb.settings.ecn != OFF and _is_dctcp(tcb))
    asking = 1 + tcb.settings.ecn_syn_retries
    if wanted and tcb.rtx.first.times_sent <= asking:
        _own(tcb).offered = True
        return _SETUP
    if ecn.offered and tcb.rtx.first.times_sent == asking + 1:
        # §6.1.1.1: something on the path may drop SYNs with these bits.
        tcb.outlet.count("ecn-fallbacks")
    return 0


def peer_syn(tcb: Connection, segment: Segment) -> None:
    """The peer's SYN or SYN,ACK has come."""
    if tcb.state is SYN_SENT:
        # The answer has ECE alone: a peer that only reflects reserved bits sends both (§6.1.1.2).
        listens = tcb.ecn.offered and segment.flags & _SETUP == ECE
        # A connection that sent a SYN without the offer must not send ECT (§6.1.1).
        sends = listens and tcb.rtx.first.times_sent == 1
    else:
        # An ECN field that is set on a SYN was not set by the peer (§6.1.1): the path writes into it.
        asked = segment.flags & _SETUP == _SETUP and segment.ecn == NOT_ECT
        listens = sends = asked and tcb.settings.ecn != OFF
    if listens or tcb.ecn is not UNUSED:
        ecn = _own(tcb)
        ecn.exact, ecn.listens, ecn.sends = _is_dctcp(tcb), listens, sends


def syn_again(tcb: Connection, segment: Segment) -> None:
    """The peer's SYN came once more; without the offer now it has fallen back (§6.1.1.1)."""
    if segment.flags & _SETUP != _SETUP and tcb.ecn is not UNUSED:
        tcb.ecn.listens = tcb.ecn.sends = False


def _is_dctcp(tcb: Connection) -> bool:
    return tcb.congestion.name == "dctcp"


# -- Sending (§6.1.2) --------------------------------------------------------------------------------


def flags_of_new_data(tcb: Connection) -> int:
    """CWR on the first new data after a reduction, never on what is sent again."""
    if not tcb.ecn.cwr_due:
        return 0
    tcb.ecn.cwr_due = False
    return CWR


def window_reduced(tcb: Connection) -> None:
    """The congestion window became smaller, for whatever reason: tell, and once a window is enough."""
    if tcb.ecn.sends:
        tcb.ecn.cwr_due = True
        tcb.ecn.recover = tcb.snd_nxt


def echo_arrived(tcb: Connection, in_flight: int, now: float) -> None:
    """An acknowledgment with ECE, for a connection that sends ECT: reduce, once per window of data."""
    ecn = tcb.ecn
    if tcb.snd_una <= ecn.recover or tcb.recovery.active:
        return
    congestion = tcb.congestion
    if congestion.cwnd <= tcb.snd_mss:
        # "The sending TCP will then be able to send a new packet only when the retransmit timer expires."
        ecn.held_until = now + tcb.rtt.rto
        if tcb.rtx:
            tcb.retransmit_due = ecn.held_until
    congestion.on_congestion_mark(in_flight, now)
    window_reduced(tcb)
    ecn.reductions += 1
    tcb.outlet.count("ecn-reductions")
    telling.congestion(tcb, "the peer echoes a congestion mark: as if a segment were lost (RFC 3168 §6.1.2)", now)


def holds_back(tcb: Connection, now: float) -> bool:
    """Whether new data waits because even one segment a round trip was too much."""
    if now >= tcb.ecn.held_until:
        return False
    if not tcb.rtx:
        tcb.probing = True  # nothing is outstanding: the timer only goes on with the output
        tcb.retransmit_due = tcb.ecn.held_until
    return True


# -- Receiving (§6.1.3) ------------------------------------------------------------------------------


def text_arrived(tcb: Connection, segment: Segment, now: float) -> None:
    """Text inside the window, before it is taken (§6.1.5: marks outside of it say nothing)."""
    ecn = tcb.ecn
    marked = segment.ecn == CE
    ecn.marks += marked
    if marked:
        tcb.outlet.count("ecn-marks-received")
    if ecn.exact:
        _echo_exactly(tcb, marked, now)
        return
    if segment.flags & CWR:
        # Before the mark: a segment may bear both (RFC 8257 §3.2 recalls it).
        ecn.echoing = False
        tcb.need_ack()  # the peer's window may be a single segment
    if marked and not ecn.echoing:
        ecn.echoing = True
        tcb.need_ack()


def _echo_exactly(tcb: Connection, marked: bool, now: float) -> None:
    """RFC 8257 §3.2: on a change, acknowledge what came before it with the old echo, then with the new."""
    ecn = tcb.ecn
    if marked == ecn.echoing:
        return
    if tcb.unacked_bytes:
        output.send_ack(tcb, now)
    ecn.echoing = marked
    tcb.need_ack()
