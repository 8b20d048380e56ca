"""The retransmission timeout: RFC 6298 §2 and §5, in seconds."""

from __future__ import annotations

from typing import Final

#: Clock granularity G (RFC 6298 §2): deadlines are kept by an event loop with millisecond timers.
GRANULARITY: Final = 0.001


class RttEstimator:
    """Smoothed round-trip time, its variance, and the timeout made of them.

    ``srtt`` is None before the first sample.  ``rto`` includes the back-off of unanswered
    retransmissions, which the next sample takes away.
    """

    __slots__ = ("backoffs", "latest", "max_rto", "min_rto", "min_rtt", "rto", "rttvar", "samples", "srtt")

    def __init__(self, initial_rto: float, min_rto: float, max_rto: float) -> None:
        self.srtt: float | None = None
        self.rttvar = 0.0
        self.rto = initial_rto
        self.min_rto = min_rto
        self.max_rto = max_rto
        self.latest = 0.0
        self.min_rtt = float("inf")
        self.backoffs = 0
        self.samples = 0

    def sample(self, rtt: float) -> None:
        """Take one measurement of a segment that was sent once (Karn: RFC 6298 §3)."""
        self.samples += 1
        self.latest = rtt
        if rtt < self.min_rtt:
            self.min_rtt = rtt
        if self.srtt is None:
            self.srtt = rtt  # RFC 6298 §2.2
            self.rttvar = rtt / 2
        else:
            self.rttvar += (abs(self.srtt - rtt) - self.rttvar) / 4  # RFC 6298 §2.3
            self.srtt += (rtt - self.srtt) / 8
        self.reset()

    def reset(self) -> None:
        """Undo the back-off: the timeout that follows from the samples (RFC 6298 §2.3, §2.4, §2.5)."""
        self.backoffs = 0
        if self.srtt is not None:
            # The minimum is on the variance, not on the sum: on a path whose round trip never varies, a
            # delayed acknowledgment would else fire the timer in vain.
            self.rto = min(self.srtt + max(GRANULARITY, 4 * self.rttvar, self.min_rto), self.max_rto)

    def back_off(self) -> None:
        """Double the timeout (RFC 6298 §5.5)."""
        self.backoffs += 1
        self.rto = min(self.rto * 2, self.max_rto)
