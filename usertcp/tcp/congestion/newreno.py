"""Reno: RFC 5681, counting bytes (RFC 3465), with the initial window of RFC 6928."""

from __future__ import annotations

from usertcp.tcp.congestion.base import UNLIMITED, AckSample


class NewReno:
    """Slow start, congestion avoidance, and halving at a loss."""

    __slots__ = ("_avoidance_acked", "_before", "counting_limit", "cwnd", "initial_segments", "mss", "ssthresh")

    name = "reno"
    pacing_rate: float | None = None
    governs_recovery = False

    def __init__(self, initial_segments: int, counting_limit: int) -> None:
        self.initial_segments = initial_segments
        self.counting_limit = counting_limit
        self.mss = 536
        self.cwnd = self.initial_window()
        self.ssthresh = UNLIMITED
        self._avoidance_acked = 0
        self._before = (self.cwnd, self.ssthresh)

    def initial_window(self) -> int:
        """RFC 6928 §2: min (10*MSS, max (2*MSS, 14600))."""
        return min(self.initial_segments * self.mss, max(2 * self.mss, self.initial_segments * 1460))

    def set_mss(self, mss: int) -> None:
        self.mss = mss
        self.cwnd = self.initial_window()

    def on_ack(self, sample: AckSample, now: float) -> None:
        if not sample.limited:
            return
        acked = sample.acked
        if self.cwnd < self.ssthresh:
            # RFC 5681 §3.1 with L segments counted for each acknowledgment (RFC 3465 §2.3)
            self.cwnd += min(acked, self.counting_limit * self.mss)
            return
        self._avoidance_acked += acked
        if self._avoidance_acked >= self.cwnd:
            # RFC 3465 §2.1: one segment for each window's worth of acknowledged bytes
            self._avoidance_acked -= self.cwnd
            self.cwnd += self.mss

    def on_loss(self, in_flight: int, now: float) -> None:
        self._before = (self.cwnd, self.ssthresh)
        self._reduce(in_flight)

    def _reduce(self, in_flight: int) -> None:
        self.ssthresh = max(in_flight // 2, 2 * self.mss)  # RFC 5681 §3.1 (4)
        self._avoidance_acked = 0

    def on_recovered(self, in_flight: int, now: float) -> None:
        # RFC 6582 §3.2 step 3, option 1: no burst when recovery ends
        self.cwnd = min(self.ssthresh, max(in_flight, self.mss) + self.mss)

    def on_timeout(self, in_flight: int, *, again: bool, now: float) -> None:
        if not again:
            self._before = (self.cwnd, self.ssthresh)
            self._reduce(in_flight)
        self.cwnd = self.mss  # the loss window

    def on_congestion_mark(self, in_flight: int, now: float) -> None:
        self._before = (self.cwnd, self.ssthresh)
        self._reduce(in_flight)
        self.cwnd = self.ssthresh

    def undo(self, now: float) -> None:
        cwnd, ssthresh = self._before
        self.cwnd = max(self.cwnd, cwnd)
        self.ssthresh = max(self.ssthresh, ssthresh)

    def on_idle(self, now: float) -> None:
        self.cwnd = min(self.cwnd, self.initial_window())  # RFC 5681 §4.1

    def on_syn_lost(self) -> None:
        self.cwnd = self.mss
