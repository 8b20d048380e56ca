"""Reno: RFC 5681, counting bytes (RFC 3465), with the initial window of RFC 6928."""

from __future__ import annotations

from typing import Final

from usertcp.tcp.congestion.base import AckSample
from usertcp.tcp.congestion.loss_based import LossBased

#: Multiplicative decrease at a loss (RFC 5681 §3.1, equation 4).
BETA: Final = 0.5
#: The same where congestion was marked and not dropped, if asked for (RFC 8511 §3.1).
BETA_ABE: Final = 0.8


class NewReno(LossBased):
    """Slow start, congestion avoidance, and halving at a loss.

    ``abe``: a smaller reduction for a congestion mark than for a loss (RFC 8511).
    """

    __slots__ = ("_avoidance_acked", "_before", "_beta_mark")

    name = "reno"

    def __init__(
        self,
        initial_segments: int,
        counting_limit: int,
        *,
        hystart: bool = False,
        paced: bool = False,
        validate: bool = False,
        abe: bool = False,
    ) -> None:
        super().__init__(initial_segments, counting_limit, hystart=hystart, paced=paced, validate=validate)
        self._beta_mark = BETA_ABE if abe else BETA
        self._avoidance_acked = 0
        self._before: tuple[int, int] | None = None

    def on_ack(self, sample: AckSample, now: float) -> None:
        if self.cwnd < self.ssthresh:
            self._slow_start(sample)
        elif sample.limited:
            self._avoidance_acked += sample.acked
            if self._avoidance_acked >= self.cwnd:
                # RFC 3465 §2.1: one segment for each window's worth of acknowledged bytes
                self._avoidance_acked -= self.cwnd
                self.cwnd += self.mss
        if self._validation is not None and self._validation.on_ack(sample, now):
            self._validate(self._validation, now)
        if self._paced:
            self._pace(sample.srtt)

    def on_loss(self, in_flight: int, now: float) -> None:
        self._before = (self.cwnd, self.ssthresh)
        self._reduce(in_flight, BETA, now)

    def _reduce(self, in_flight: int, beta: float, now: float) -> int:
        """RFC 5681 §3.1 (4).  Returns the new window before any lower bound."""
        reduced = self._unvalidated(in_flight, now)
        if reduced is None:
            reduced = round(self._window_in_use(in_flight) * beta)
        self.ssthresh = max(reduced, 2 * self.mss)
        self._avoidance_acked = 0
        return reduced

    def on_recovered(self, in_flight: int, now: float, retransmitted: int = 0) -> None:
        if self._recovered(retransmitted):
            return
        # RFC 6582 §3.2 step 3, option 1: no burst when recovery ends
        self.cwnd = min(self.ssthresh, max(in_flight, self.mss) + self.mss)

    def on_timeout(self, in_flight: int, *, again: bool, now: float) -> None:
        if not again:
            self._before = (self.cwnd, self.ssthresh)
            self._reduce(in_flight, BETA, now)
        if self._validation is not None:
            self._validation.reset()
        self.cwnd = self.mss  # the loss window

    def on_congestion_mark(self, in_flight: int, now: float) -> None:
        # RFC 8511 §3.1: the smaller reduction is for congestion avoidance only
        beta = self._beta_mark if self.cwnd >= self.ssthresh else BETA
        # RFC 3168 §6.1.2: down to one segment as long as the marks go on
        self.cwnd = max(self._reduce(in_flight, beta, now), self.mss)
        self._before = None  # a mark is never mistaken, nor is what came before it to be restored now

    def undo(self, now: float) -> None:
        if self._before is not None:
            cwnd, ssthresh = self._before
            self.cwnd = max(self.cwnd, cwnd)
            self.ssthresh = max(self.ssthresh, ssthresh)
            self._before = None
