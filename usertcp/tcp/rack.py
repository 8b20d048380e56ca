"""RACK: a segment is lost when one sent later has arrived and some time has passed (RFC 8985 §6)."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from usertcp.tcp.moments import LONG_AGO
from usertcp.tcp.retransmission import Delivery, Record

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection

#: Segments held by the peer that mean a loss where no reordering was ever seen (RFC 8985 §6.2, step 4).
DUPLICATE_THRESHOLD: Final = 3
#: Recoveries without DSACK after which an enlarged reordering window is given up.
_PERSIST: Final = 16
#: Two readings of the clock that differ by less mean the same moment: sums of floats are not exact.
_EPSILON: Final = 1e-9
_MOST_REORDERING: Final = 300


class Rack:
    """The variables of RFC 8985 §5.2; times are seconds."""

    __slots__ = (
        "distance", "dsack_round", "end", "fack", "order", "persist", "reo_wnd_mult", "reordering", "reordering_seen",
        "reorderings", "rtt", "sent_at",
    )  # fmt: skip

    def __init__(self, reordering: int = DUPLICATE_THRESHOLD) -> None:
        #: Segments held by the peer that mean a loss where no reordering was ever seen; grows with what is seen.
        self.reordering = reordering
        #: How often it was seen, and the largest distance in sequence numbers.
        self.reorderings = 0
        self.distance = 0
        #: When the most recently sent of all delivered segments was sent (xmit_ts), and where it ends.
        self.sent_at = LONG_AGO
        self.end = -1
        self.order = 0
        self.rtt = 0.0
        #: The highest sequence number that is known to have arrived.
        self.fack = -1
        self.reordering_seen = False
        self.reo_wnd_mult = 1
        self.persist = 0
        self.dsack_round: int | None = None

    def update(self, delivery: Delivery, min_rtt: float, now: float, *, echo_older: bool) -> None:
        """Steps 2 and 3.  ``echo_older``: the timestamp echo is older than the newest record's sending."""
        newest = delivery.newest
        if newest is None:
            return
        rtt = now - newest.sent_at
        if newest.times_sent == 1 or not (echo_older or rtt < min_rtt - _EPSILON):
            self.rtt = rtt
            if newest.sent_at > self.sent_at or (
                newest.sent_at == self.sent_at and (newest.order, newest.end) > (self.order, self.end)
            ):
                self.sent_at = newest.sent_at
                self.order = newest.order
                self.end = newest.end
        lowest = delivery.lowest_first_time
        if lowest is not None and lowest < self.fack:
            self.reordering_seen = True
            self.reorderings += 1
            self.distance = max(self.distance, self.fack - delivery.lowest_start)
        if delivery.highest > self.fack:
            self.fack = delivery.highest

    def note_distance(self, delivery: Delivery, mss: int, now: float) -> None:
        """Where segments are counted: how far they were seen to change places, and the round trip of the last one that
        the cumulative acknowledgment covers (RFC 8985 §6.2, step 2, takes each in turn)."""
        if self.distance > self.reordering * mss:
            self.reordering = min(-(-self.distance // mss), _MOST_REORDERING)
        last = delivery.last_cumulative
        if last is not None and last.times_sent == 1:
            self.rtt = now - last.sent_at

    def came_late(self, seq: int, mss: int) -> None:
        """What begins at ``seq`` came after all that the peer holds beyond it, and had been sent before."""
        if seq < self.fack:
            self.reordering_seen = True
            self.reorderings += 1
            self.distance = max(self.distance, self.fack - seq)
            if self.distance > self.reordering * mss:
                self.reordering = min(-(-self.distance // mss), _MOST_REORDERING)

    def dsack_seen(self, snd_una: int, snd_nxt: int) -> None:
        """Step 4: something was sent again in vain, so the window was too small (once a round trip)."""
        if self.dsack_round is not None and snd_una >= self.dsack_round:
            self.dsack_round = None
        if self.dsack_round is None:
            self.dsack_round = snd_nxt
            self.reo_wnd_mult += 1
            self.persist = _PERSIST

    def recovery_ends(self) -> None:
        """Step 4: an enlarged window lasts for so many recoveries."""
        self.persist -= 1
        if self.persist <= 0:
            self.reo_wnd_mult = 1

    def reo_wnd(self, *, recovering: bool, segments_sacked: int, min_rtt: float, srtt: float) -> float:
        """RACK_update_reo_wnd (step 4): how long a segment may be late, in seconds."""
        if not self.reordering_seen and (recovering or segments_sacked >= self.reordering):
            return 0.0
        return min(self.reo_wnd_mult * min_rtt / 4, srtt) if min_rtt < inf else 0.0


def detect_losses(tcb: Connection, now: float) -> float:
    """Step 5: mark what is lost; returns the seconds until the next one would be (0: none is in doubt).

    Records are looked at in the order of their sending, so the first that cannot be lost yet ends it.
    """
    rack, rtx = tcb.rack, tcb.rtx
    reo_wnd = rack.reo_wnd(
        recovering=tcb.recovery.active,
        segments_sacked=rtx.sacked // tcb.snd_mss,
        min_rtt=tcb.rtt.min_rtt,
        srtt=tcb.rtt.srtt or 0.0,
    )
    record = rtx.oldest
    while record is not None and _sent_before(record, rack):
        remaining = record.sent_at + rack.rtt + reo_wnd - now
        if remaining > _EPSILON:
            return remaining
        following = record.newer
        rtx.mark_lost(record)
        record = following
    return 0.0


def _sent_before(record: Record, rack: Rack) -> bool:
    return rack.sent_at > record.sent_at or (
        rack.sent_at == record.sent_at and (rack.order, rack.end) > (record.order, record.end)
    )


def mark_losses_on_timeout(tcb: Connection, now: float) -> None:
    """RFC 8985 §6.3: the first segment, and what was sent long enough ago."""
    rack, rtx = tcb.rack, tcb.rtx
    min_rtt = tcb.rtt.min_rtt
    allowance = rack.rtt + (rack.reo_wnd_mult * min_rtt / 4 if min_rtt < inf else 0.0)
    for record in rtx:
        if record.seq == tcb.snd_una or record.sent_at + allowance <= now + _EPSILON:
            rtx.mark_lost(record)
