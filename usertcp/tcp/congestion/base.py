"""What the engine asks of a congestion controller.

The engine finds losses and does the retransmitting, and in fast recovery lets PRR (RFC 9937) set cwnd on
the way down to ssthresh; the controller owns ``cwnd`` and ``ssthresh`` otherwise.  Both are bytes.
"""

from __future__ import annotations

from typing import Final, Protocol

#: "Arbitrarily high" (RFC 5681 §3.1): slow start goes on until the first loss.
UNLIMITED: Final = 1 << 40


class AckSample:
    """What one acknowledgment says.  Lengths are bytes, times seconds, rates bytes per second.

    ``acked``: newly acknowledged cumulatively; ``delivered``: newly known to have arrived, SACK included;
    ``total_delivered``: all that ever arrived; ``rtt``: this acknowledgment's sample or None;
    ``srtt``: None before the first sample; ``min_rtt``: ``inf`` before it; ``in_flight``: before this
    acknowledgment; ``limited``: cwnd was what stopped the sender; ``snd_una`` and ``snd_nxt``: unbounded
    sequence numbers after it, for counting round trips; ``rate``: the delivery rate over the last round
    trip or None; ``rate_app_limited``: the sender had too little to send for ``rate`` to be the path's;
    ``prior_delivered``: ``total_delivered`` when the newest delivered record was sent; ``marked``: bytes
    acknowledged by segments with ECE (DCTCP); ``lost``: newly taken for lost since the sample before.
    """

    __slots__ = (
        "acked", "delivered", "in_flight", "limited", "lost", "marked", "min_rtt", "prior_delivered", "rate",
        "rate_app_limited", "rtt", "snd_nxt", "snd_una", "srtt", "total_delivered",
    )  # fmt: skip

    acked: int
    delivered: int
    total_delivered: int
    rtt: float | None
    srtt: float | None
    min_rtt: float
    in_flight: int
    limited: bool
    snd_una: int
    snd_nxt: int
    rate: float | None
    rate_app_limited: bool
    prior_delivered: int
    marked: int
    lost: int

    def __init__(self) -> None:
        self.marked = 0
        self.lost = 0


class CongestionControl(Protocol):
    """One connection's congestion controller."""

    name: str
    cwnd: int
    ssthresh: int
    #: Bytes per second at which to send, or None: as fast as cwnd lets.
    pacing_rate: float | None
    #: True for a controller that sets cwnd in recovery too (PRR is left out).
    governs_recovery: bool

    def set_mss(self, mss: int) -> None:
        """The sender's maximum segment size is known, or has changed; before anything is sent: begin."""

    def on_ack(self, sample: AckSample, now: float) -> None:
        """Something newly arrived; in fast recovery called only where ``governs_recovery``."""

    def on_loss(self, in_flight: int, now: float) -> None:
        """Fast recovery begins: set ssthresh (and cwnd where ``governs_recovery``)."""

    def on_recovered(self, in_flight: int, now: float, retransmitted: int = 0) -> None:
        """Everything that was outstanding when recovery began is acknowledged; ``retransmitted`` bytes of it
        were sent again (R in RFC 7661 §4.4.1)."""

    def on_timeout(self, in_flight: int, *, again: bool, now: float) -> None:
        """The retransmission timer fired; ``again``: within the same episode as before."""

    def on_congestion_mark(self, in_flight: int, now: float) -> None:
        """The peer echoed a congestion mark (RFC 3168 §6.1.2), once per window of data."""

    def undo(self, now: float) -> None:
        """The last :meth:`on_loss` or :meth:`on_timeout` was mistaken: go back to where it was before."""

    def on_idle(self, now: float, timeouts: int = 1) -> None:
        """Sending restarts after more than one timeout of silence (RFC 5681 §4.1): ``timeouts`` whole ones."""

    def round_trip(self, rtt: float, snd_una: int, snd_nxt: int, now: float) -> None:
        """A round trip was measured, in recovery too (asked for only where windows are counted in segments)."""

    def sending_again(self, idle: float, now: float) -> None:
        """The first packet after ``idle`` seconds in which nothing was in flight."""

    def on_syn_lost(self) -> None:
        """Our SYN had to be sent again: begin with one segment (RFC 5681 §3.1)."""
