"""Why no more was sent than was: read off from what the rules of :mod:`.output` left behind.

Whatever may leave has left when this is asked, so the first thing that is in the way of the rest is the reason.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from usertcp.tcp.states import ESTABLISHED, SENDING

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection

NOTHING_TO_SEND: Final = "nothing-to-send"
CWND: Final = "cwnd"
#: Each reason, and where it is written.
SECTIONS: Final = {
    NOTHING_TO_SEND: "3.10.2",
    "handshake": "3.10.2",
    "window": "3.8.6",
    "silly-window": "3.8.6.2.1",
    CWND: "RFC 5681 §3.1",
    "ecn": "RFC 3168 §6.1.2",
    "nagle": "3.7.4",
    "cork": "3.8.6.2.1",
    "pacing": "RFC 7661 §4.4.2",
    "burst": "RFC 7661 §4.4.2",
}


def reason(tcb: Connection, now: float) -> str:
    """One of :data:`SECTIONS`; to be asked after output, of a connection that is neither CLOSED nor in LISTEN."""
    unsent = tcb.send_buffer.end - tcb.snd_nxt
    if unsent < 0:
        unsent = 0  # SND.NXT is beyond it once the FIN has left
    lost = tcb.rtx.lost
    if not (unsent or lost or (tcb.close_queued and tcb.fin_seq is None)):
        return NOTHING_TO_SEND
    if tcb.state is not ESTABLISHED and tcb.state not in SENDING and not lost:
        return "handshake" if unsent else NOTHING_TO_SEND
    if tcb.pace_due != inf:
        return "pacing"
    if now < tcb.ecn.held_until:
        return "ecn"
    if lost:
        return CWND
    least = tcb.snd_mss if unsent > tcb.snd_mss else unsent
    window = tcb.snd_una + tcb.snd_wnd - tcb.snd_nxt
    if window < least or window <= 0:
        # What is left of a window that is in use is less than a segment for a while; a whole one is silly.
        return "window" if tcb.rtx or window <= 0 else "silly-window"
    if tcb.congestion.cwnd - tcb.in_flight < least:
        return CWND
    if unsent >= tcb.snd_mss:
        return "burst"
    return "cork" if tcb.corked or tcb.more else "nagle"


def amounts(tcb: Connection, why: str) -> tuple[int, int]:
    """How many bytes wait that were never sent, and how many more would be let out as far as ``why`` goes."""
    room = 0
    if why == CWND:
        room = tcb.congestion.cwnd - tcb.in_flight
    elif why in ("window", "silly-window"):
        room = tcb.snd_una + tcb.snd_wnd - tcb.snd_nxt
    return max(0, tcb.send_buffer.end - tcb.snd_nxt), max(0, room)
