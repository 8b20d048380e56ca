"""CUBIC (RFC 9438), with HyStart++ (RFC 9406) in slow start.

After a loss the window climbs back to where the loss happened along a cubic function of the time: fast at
first, flat around the old maximum, then faster and faster.  Where Reno would be quicker (small windows,
short round trips) it grows as Reno does.  All windows are bytes, so that C is multiplied by the MSS.
"""

from __future__ import annotations

from typing import Final

from usertcp.tcp.congestion.base import AckSample
from usertcp.tcp.congestion.loss_based import LossBased

#: Multiplicative decrease (RFC 9438 §4.6).
BETA: Final = 0.7
#: The same where congestion was marked and not dropped, if asked for (RFC 8511 §3.1: 0.85 suits CUBIC).
BETA_ABE: Final = 0.85
#: Segments per second cubed (RFC 9438 §5).
C: Final = 0.4
#: The additive increase with which AIMD(α, 0.7) is on average as fast as Reno (RFC 9438 §4.3).
ALPHA: Final = 3 * (1 - BETA) / (1 + BETA)


#: cwnd, ssthresh, cwnd_prior, W_max, t_epoch + K, W_est, alpha, whether a stage has begun.
_State = tuple[int, int, float, float, float, float, float, bool]


class Cubic(LossBased):
    """One connection's CUBIC.

    ``fast_convergence``: give up room to new flows faster (RFC 9438 §4.7); ``abe``: a smaller reduction for
    a congestion mark than for a loss (RFC 8511).
    """

    __slots__ = (
        "_alpha", "_before", "_beta_mark", "_cwnd_prior", "_fast_convergence", "_in_stage",
        "_paused_since", "_plateau", "_w_est", "_w_max",
    )  # fmt: skip

    name = "cubic"

    def __init__(
        self,
        initial_segments: int,
        counting_limit: int,
        *,
        hystart: bool = True,
        paced: bool = False,
        validate: bool = False,
        fast_convergence: bool = True,
        abe: bool = False,
    ) -> None:
        super().__init__(initial_segments, counting_limit, hystart=hystart, paced=paced, validate=validate)
        self._fast_convergence = fast_convergence
        self._beta_mark = BETA_ABE if abe else BETA
        #: A congestion avoidance stage has begun; the fields below describe it.
        self._in_stage = False
        self._w_max = 0.0
        self._cwnd_prior = 0.0
        #: t_epoch + K: when the cubic function reaches W_max.
        self._plateau = 0.0
        self._w_est = 0.0
        self._alpha = 0.0
        #: Since when cwnd has not been what limits the sender.
        self._paused_since: float | None = None
        self._before: _State | None = None

    def set_mss(self, mss: int) -> None:
        super().set_mss(mss)
        self._in_stage = False
        self._before = None

    def on_ack(self, sample: AckSample, now: float) -> None:
        if self.cwnd < self.ssthresh:
            self._slow_start(sample)
        elif sample.limited:
            self._avoid(sample, now)
        elif self._paused_since is None:
            self._paused_since = now
        if self._validation is not None and self._validation.on_ack(sample, now):
            self._validate(self._validation, now)
        if self._paced:
            self._pace(sample.srtt)

    def _avoid(self, sample: AckSample, now: float) -> None:
        """Congestion avoidance: the larger of the cubic function and Reno's estimate (RFC 9438 §4.2)."""
        if not self._in_stage:
            self._begin_stage(now)
        elif self._paused_since is not None:
            # RFC 9438 §5.8: t does not include the time in which the window was not filled
            self._plateau += now - self._paused_since
        self._paused_since = None
        cwnd = self.cwnd
        acked = sample.acked
        self._w_est = w_est = self._w_est + self._alpha * acked / cwnd  # Figure 4
        if w_est >= self._cwnd_prior:
            self._alpha = float(self.mss)  # from here on as Reno (RFC 9438 §4.3)
        t = now - self._plateau
        c = C * self.mss
        if c * t * t * t + self._w_max < w_est:  # the Reno-friendly region
            if w_est > cwnd:
                self.cwnd = int(w_est)
            return
        t += sample.srtt or 0.0
        target = c * t * t * t + self._w_max
        if target > cwnd:
            # RFC 9438 §4.2: slower than slow start.  An acknowledgment of more than a window reaches the
            # target, and no more than that (§4.4, §4.5).
            target = min(target, 1.5 * cwnd)
            self.cwnd = cwnd + int((target - cwnd) * min(acked, cwnd) / cwnd)

    def _begin_stage(self, now: float) -> None:
        """The first acknowledgment of congestion avoidance: t_epoch is now."""
        cwnd = self.cwnd
        if cwnd < self._w_max:
            self._plateau = now + ((self._w_max - cwnd) / (C * self.mss)) ** (1 / 3)  # K, Figure 2
        else:
            # RFC 9438 §4.8, §4.10: after a timeout, or a slow start that ended without a loss, K is 0
            self._plateau = now
            self._w_max = float(cwnd)
            self._cwnd_prior = max(cwnd, self._cwnd_prior)
        self._w_est = float(cwnd)
        self._alpha = ALPHA * self.mss if cwnd < self._cwnd_prior else float(self.mss)
        self._in_stage = True

    def _state(self) -> _State:
        """What RFC 9438 §4.9.2 says to save."""
        return (
            self.cwnd, self.ssthresh, self._cwnd_prior, self._w_max, self._plateau, self._w_est, self._alpha,
            self._in_stage,
        )  # fmt: skip

    def _reduce(self, in_flight: int, beta: float, now: float) -> int:
        """RFC 9438 §4.6 and, for W_max, §4.7.  Returns the new window before any lower bound."""
        # A window that was being filled is taken for flight_size (RFC 9438 §4.6 allows it to those who
        # grow only a filled window): after one acknowledgment of many segments flight_size is far smaller.
        filled = self._in_stage and self._paused_since is None
        window = self.cwnd if filled else self._window_in_use(in_flight)
        self._cwnd_prior = float(self.cwnd)
        if self._fast_convergence and self.cwnd < self._w_max:
            self._w_max = self.cwnd * (1 + BETA) / 2
        else:
            self._w_max = float(self.cwnd)
        reduced = self._unvalidated(in_flight, now)
        if reduced is None:
            reduced = round(window * beta)
        self.ssthresh = max(reduced, 2 * self.mss)
        self._in_stage = False
        self._paused_since = None
        return reduced

    def on_loss(self, in_flight: int, now: float) -> None:
        self._before = self._state()
        self._reduce(in_flight, BETA, now)

    def on_recovered(self, in_flight: int, now: float, retransmitted: int = 0) -> None:
        if not self._recovered(retransmitted):
            self.cwnd = self.ssthresh  # RFC 5681 §3.2 step 6; proportional rate reduction is there already

    def on_timeout(self, in_flight: int, *, again: bool, now: float) -> None:
        if not again:
            self._before = self._state()
            self._reduce(in_flight, BETA, now)
            self._w_max = 0.0  # RFC 9438 §4.8: the next stage begins with its own window for W_max
        if self._validation is not None:
            self._validation.reset()
        self._in_stage = False
        self.cwnd = self.mss  # the loss window (RFC 5681 §3.1)

    def on_congestion_mark(self, in_flight: int, now: float) -> None:
        # RFC 8511 §3.1: the smaller reduction is for congestion avoidance only
        beta = self._beta_mark if self.cwnd >= self.ssthresh else BETA
        # RFC 9438 §4.6: down to one segment as long as the marks go on
        self.cwnd = max(self._reduce(in_flight, beta, now), self.mss)
        self._before = None  # a mark is never mistaken, nor is what came before it to be restored now

    def undo(self, now: float) -> None:
        before = self._before
        self._before = None
        if before is None or self.cwnd > before[0]:
            return  # RFC 9438 §4.9.2: found out too late to matter
        (
            self.cwnd, self.ssthresh, self._cwnd_prior, self._w_max, self._plateau, self._w_est, self._alpha,
            self._in_stage,
        ) = before  # fmt: skip

    def on_idle(self, now: float, timeouts: int = 1) -> None:
        super().on_idle(now, timeouts)
        # The silence is no time of growth (RFC 9438 §5.8): what follows is a stage of its own
        self._in_stage = False
        self._paused_since = None
