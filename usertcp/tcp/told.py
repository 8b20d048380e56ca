"""What a watcher remembers to have been told: only then can it be told what has changed since."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from usertcp.tcp.held_back import NOTHING_TO_SEND

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection
    from usertcp.tcp.recovery import CaState


class Told:
    """What the watcher of one connection was told last.

    Of the windows nothing is told at first (-1); the congestion window and the estimates, which nothing else tells, are
    told with the first acknowledgment.
    """

    __slots__ = (
        "ack_at", "acked", "bulk_until", "cwnd", "estimate_due", "field", "held_back", "least_rto", "look_at",
        "most_rto", "ours", "ours_buffer", "recovery", "snd_nxt", "srtt", "theirs", "theirs_edge", "timers",
    )  # fmt: skip

    def __init__(self, tcb: Connection) -> None:
        self.timers = 0
        self.held_back = NOTHING_TO_SEND
        self.cwnd = 0
        self.recovery: CaState = tcb.recovery.state
        self.srtt = 0.0
        #: What runs and what waits is looked at again then; super-segments have left lately; and SND.NXT as it was.
        self.look_at = self.bulk_until = -inf
        #: Accepted acknowledgments are told together until then: so much was acknowledged by those that were not told.
        self.ack_at = -inf
        self.acked = 0
        self.snd_nxt = tcb.snd_nxt
        #: An estimate is looked at when it is due, or when the timeout is beyond these.
        self.estimate_due = -inf
        self.least_rto = self.most_rto = 0.0
        #: The window field of our last segment when it was looked at.
        self.field = -1
        self.ours = self.theirs = -1
        self.ours_buffer = tcb.rcv_buf
        self.theirs_edge = 0


def told_of(tcb: Connection) -> Told:
    """What the watcher of ``tcb`` was told, from now on if nothing yet."""
    told = tcb.told
    if told is None:
        told = tcb.told = Told(tcb)
    return told
