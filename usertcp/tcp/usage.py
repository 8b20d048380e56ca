"""How far the congestion window is used, for controllers that let only a used one grow.

RFC 5681 §3.1 lets the window grow with each acknowledgment, RFC 7661 asks for a window that is used.  Here it is
used where it stopped the sender at some time in the present round trip, or in slow start, where at least half of it
was outstanding (RFC 2861 §3.1 in the form that is in use).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection


class Usage:
    """``limited``: the window was the limit in the round trip that ends at ``_round_end``; else ``largest`` bytes
    were outstanding at most."""

    __slots__ = ("_round_end", "largest", "limited")

    def __init__(self) -> None:
        self.limited = False
        self.largest = 0
        self._round_end = 0

    def note(self, tcb: Connection, *, sent: bool, stopped: bool) -> None:
        """After sending; ``stopped``: the window is why no more left."""
        stopped = stopped or tcb.in_flight > tcb.congestion.cwnd - tcb.snd_mss
        if not (sent or stopped):
            return
        outstanding = tcb.snd_nxt - tcb.snd_una
        if tcb.snd_una >= self._round_end or stopped or (not self.limited and outstanding > self.largest):
            self.limited = stopped
            self.largest = outstanding
            self._round_end = tcb.snd_nxt

    def lets_grow(self, cwnd: int, ssthresh: int) -> bool:
        """Whether an acknowledgment may widen the window."""
        return self.limited or (cwnd < ssthresh and cwnd < 2 * self.largest)
