"""The retransmission timeout: RFC 6298 §2 and §5, in seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from usertcp.tcp.settings import Settings

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

    def sample(self, rtt: float, snd_una: int = 0, snd_nxt: int = 0) -> None:
        """Take one measurement of a segment that was sent once (Karn: RFC 6298 §3).

        The sequence numbers are those after the acknowledgment, for telling one round trip from the next.
        """
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

    def take_back(self) -> None:
        """Undo the last :meth:`back_off`."""
        before = self.backoffs - 1
        if self.srtt is None:
            self.backoffs, self.rto = before, self.rto / 2
            return
        self.reset()
        for _ in range(before):
            self.back_off()


class LateTimeout(RttEstimator):
    """A timeout that is later by a constant whatever the back-off, and never earlier than ``floor``."""

    __slots__ = ("_doubled", "floor", "slop")

    def __init__(self, initial_rto: float, min_rto: float, max_rto: float, slop: float, floor: float) -> None:
        super().__init__(initial_rto, min_rto, max_rto)
        self.slop = slop
        self.floor = floor
        self._doubled = initial_rto

    def reset(self) -> None:
        super().reset()
        if self.srtt is not None:
            self._doubled = max(self.rto, self.floor)
            self.rto = min(self._doubled + self.slop, self.max_rto)

    def back_off(self) -> None:
        self.backoffs += 1
        self._doubled *= 2
        self.rto = min(self._doubled + self.slop, self.max_rto)


class LargestOfRound(RttEstimator):
    """A timeout by the largest variance of a round trip, which falls only once a round trip.

    Many samples in one round trip then do not average a spike away.  A falling round trip raises the variance by
    little: it says that the path became better, not less regular (Ludwig and Katz, "The Eifel Retransmission
    Timer").  ``rttvar`` follows each sample; ``spread`` is four times the variance that the timeout uses.
    """

    __slots__ = ("_largest", "_round_end", "spread")

    def __init__(self, initial_rto: float, min_rto: float, max_rto: float) -> None:
        super().__init__(initial_rto, min_rto, max_rto)
        self.rttvar = initial_rto / 4
        self.spread = initial_rto
        self._largest = min_rto
        self._round_end = -1

    def sample(self, rtt: float, snd_una: int = 0, snd_nxt: int = 0) -> None:
        self.samples += 1
        self.latest = rtt
        self.min_rtt = min(self.min_rtt, rtt)
        srtt = self.srtt
        if srtt is None:
            self.srtt = rtt
            self.rttvar = rtt / 2
            self.spread = self._largest = max(4 * self.rttvar, self.min_rto)
            self._round_end = snd_nxt
        else:
            self._follow(rtt - srtt, srtt)
            if snd_una > self._round_end:
                self._round_is_over(snd_nxt)
        self.reset()

    def _follow(self, error: float, srtt: float) -> None:
        self.srtt = srtt + error / 8
        change = abs(error) - self.rttvar
        self.rttvar += change / 32 if error < 0 < change else change / 4
        self._largest = max(self._largest, 4 * self.rttvar)
        self.spread = max(self.spread, self._largest)

    def _round_is_over(self, snd_nxt: int) -> None:
        self.spread -= (self.spread - self._largest) / 4
        self._largest = self.min_rto
        self._round_end = snd_nxt

    def reset(self) -> None:
        self.backoffs = 0
        if self.srtt is not None:
            self.rto = min(self.srtt + self.spread, self.max_rto)


def make(settings: Settings) -> RttEstimator:
    """The estimator that ``settings`` ask for."""
    bounds = (settings.initial_rto, settings.min_rto, settings.max_rto)
    if settings.rto_variance == "round":
        return LargestOfRound(*bounds)
    if settings.rto_slop or settings.rto_floor:
        return LateTimeout(*bounds, settings.rto_slop, settings.rto_floor)
    return RttEstimator(*bounds)
