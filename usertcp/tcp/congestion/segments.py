"""Reno for windows that are whole numbers of segments, and the frame of others.

RFC 5681 counts bytes; many systems count segments, and reduce the window itself where the RFC reduces what is in
flight (it warns of that: an unused window is too large).  With full-sized segments each window here is theirs.
``cwnd`` and ``ssthresh`` are multiples of the MSS.
"""

from __future__ import annotations

from typing import Final

from usertcp.tcp.congestion.base import UNLIMITED, AckSample

#: Pacing rates as multiples of cwnd / SRTT.
_SLOW_START_PACING: Final = 2.0
_AVOIDANCE_PACING: Final = 1.2


class SegmentReno:
    """Slow start, one segment more a round trip, half at a loss."""

    __slots__ = (
        "_before", "_credit", "_paced", "counting_limit", "cwnd", "initial_segments", "mss", "pacing_rate", "ssthresh",
    )  # fmt: skip

    name = "reno"
    governs_recovery = False

    def __init__(self, initial_segments: int, counting_limit: int, *, paced: bool = False) -> None:
        self.initial_segments = initial_segments
        #: Segments that one acknowledgment may add in slow start (RFC 3465 §2.3).
        self.counting_limit = counting_limit
        self.mss = 536
        self.cwnd = initial_segments * self.mss
        self.ssthresh = UNLIMITED
        self.pacing_rate: float | None = None
        self._paced = paced
        self._credit = 0
        self._before: tuple[int, int] | None = None

    def set_mss(self, mss: int) -> None:
        # Windows stay what they are, in segments.
        self.cwnd = self.cwnd // self.mss * mss
        if self.ssthresh != UNLIMITED:
            self.ssthresh = self.ssthresh // self.mss * mss
        self.mss = mss

    # -- Growth --------------------------------------------------------------------------------------------------

    def on_ack(self, sample: AckSample, now: float) -> None:
        if sample.acked and sample.limited:
            segments = -(-sample.delivered // self.mss)
            if self.cwnd < self.ssthresh:
                segments = self._slow_start(segments)
            if segments:
                self._avoid(segments, now)
        if self._paced and sample.srtt:
            gain = _SLOW_START_PACING if self.cwnd < self.ssthresh else _AVOIDANCE_PACING
            self.pacing_rate = gain * self.cwnd / sample.srtt

    def _slow_start(self, segments: int) -> int:
        """One for each, up to ssthresh; returns how many are left for congestion avoidance."""
        room = (self.ssthresh - self.cwnd) // self.mss
        taken = min(segments, room)
        self.cwnd += min(taken, self.counting_limit) * self.mss
        return segments - taken

    def _avoid(self, segments: int, now: float) -> None:
        self._grow(self.cwnd // self.mss, segments)

    def _grow(self, every: int, segments: int) -> None:
        """One segment more for ``every`` ones that arrived."""
        if self._credit >= every:
            self._credit = 0  # it was saved up for a larger window
            self.cwnd += self.mss
        self._credit += segments
        if self._credit >= every:
            self.cwnd += self._credit // every * self.mss
            self._credit %= every

    # -- Reduction -----------------------------------------------------------------------------------------------

    def _reduced(self, segments: int, now: float) -> int:
        return segments >> 1

    def _reduce(self, now: float) -> None:
        self._before = (self.cwnd, self.ssthresh)
        self.ssthresh = max(self._reduced(self.cwnd // self.mss, now), 2) * self.mss
        self._credit = 0

    def on_loss(self, in_flight: int, now: float) -> None:
        self._reduce(now)

    def on_recovered(self, in_flight: int, now: float, retransmitted: int = 0) -> None:
        self.cwnd = self.ssthresh

    def on_timeout(self, in_flight: int, *, again: bool, now: float) -> None:
        if not again:
            self._reduce(now)
        self.cwnd = self.mss

    def on_congestion_mark(self, in_flight: int, now: float) -> None:
        self._reduce(now)
        self._before = None

    def undo(self, now: float) -> None:
        if self._before is not None:
            cwnd, ssthresh = self._before
            self.cwnd = max(self.cwnd, cwnd)
            # a slow start that ended early is not to begin again with a burst (RFC 5681 §4.1's idea)
            self.ssthresh = max(self.ssthresh, ssthresh, cwnd // self.mss * 3 // 4 * self.mss)
            self._before = None

    def on_idle(self, now: float, timeouts: int = 1) -> None:
        # RFC 2861 §3.2: half for each timeout, and slow start up to where it was
        self.ssthresh = max(self.ssthresh, self.cwnd // self.mss * 3 // 4 * self.mss)
        segments = self.cwnd // self.mss
        least = min(self.initial_segments, segments)
        self.cwnd = max(segments >> min(timeouts, 64), least) * self.mss

    def round_trip(self, rtt: float, snd_una: int, snd_nxt: int, now: float) -> None:
        pass

    def sending_again(self, idle: float, now: float) -> None:
        pass

    def on_syn_lost(self) -> None:
        self.cwnd = self.mss
