"""BBR: send at the rate the path was measured to deliver, not until it drops.

Follows draft-cardwell-iccrg-bbr-congestion-control-00 (BBR version 1): the model of the path is its
bottleneck bandwidth (the largest delivery rate of ten round trips) and its round-trip time without queue
(the smallest of ten seconds); the four states are Startup, Drain, ProbeBW with a cycle of eight pacing
gains, and ProbeRTT.  From version 3 (draft-ietf-ccwg-bbr) come the gains of Startup and Drain, the window
of ProbeRTT, the pacing margin, and that more than 2 % loss in a round trip means more than the path holds
(``inflight_hi``); less than that is noise.  A congestion mark is such a bound too (RFC 3168 §6.1.2).
The long-term sampling of policers, and version 3's short-term bounds, are left out.
"""

from __future__ import annotations

from enum import StrEnum
from math import inf
from typing import Final

from usertcp.tcp.congestion.base import UNLIMITED, AckSample
from usertcp.tcp.congestion.windowed_max import WindowedMax

#: 4 ln 2: the least pacing gain with which the rate doubles in each round trip.
STARTUP_PACING_GAIN: Final = 2.77
STARTUP_CWND_GAIN: Final = 2.0
DRAIN_PACING_GAIN: Final = 0.5
PROBE_BW_CWND_GAIN: Final = 2.0
#: Probe for more, drain what that queued, then six round trips at the bottleneck's rate.
CYCLE: Final[tuple[float, ...]] = (1.25, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
PROBE_UP: Final = 0
PROBE_DOWN: Final = 1
#: In ProbeRTT the window is this share of the bandwidth-delay product.
PROBE_RTT_CWND_GAIN: Final = 0.5
#: Seconds.
PROBE_RTT_DURATION: Final = 0.2
MIN_RTT_WINDOW: Final = 10.0
#: Round trips.
BANDWIDTH_WINDOW: Final = 10
#: The pipe is full when the bandwidth has not grown by a quarter in three round trips.
FULL_GROWTH: Final = 1.25
FULL_ROUNDS: Final = 3
#: More than this share of a round trip lost is more than the path holds.
LOSS_THRESHOLD: Final = 0.02
#: More than this share, which is what a probe adds, and the model does not describe the path any more.
HEAVY_LOSS: Final = 0.2
#: Fewer segments lost in a round trip than this are too few to tell a share from.
COUNTABLE_LOSSES: Final = 6
#: What remains of the window's bound at a congestion mark.
BETA: Final = 0.7
#: Paced a little below the estimate, so that no queue is built by its errors.
PACING_MARGIN: Final = 0.99
#: Segments.
MIN_CWND: Final = 4
#: Bytes and seconds: a burst is what is sent in a millisecond, at most 64 KB.
MAX_QUANTUM: Final = 65536
QUANTUM_TIME: Final = 0.001


class BbrState(StrEnum):
    """What BBR is doing."""

    STARTUP = "startup"
    DRAIN = "drain"
    PROBE_BW = "probe-bw"
    PROBE_RTT = "probe-rtt"


class Bbr:
    """One connection's BBR.  ``bandwidth`` in bytes per second, ``min_rtt`` in seconds, ``inflight_hi`` in bytes."""

    __slots__ = (
        "_bandwidth", "_before", "_cwnd_gain", "_cycle_index", "_cycle_started", "_delivered", "_filled",
        "_full_bandwidth", "_full_rounds", "_idle_restart", "_in_recovery", "_min_rtt_at",
        "_pacing_gain", "_prior_cwnd", "_probe_rtt_done_at", "_probe_rtt_round_done", "_recover",
        "_round_end", "_round_lossy", "_round_lost", "_round_start", "_round_started_at", "_rounds", "cwnd",
        "inflight_hi", "initial_segments", "min_rtt", "mss", "pacing_rate", "ssthresh", "state",
    )  # fmt: skip

    name = "bbr"
    governs_recovery = True

    def __init__(self, initial_segments: int, counting_limit: int) -> None:
        """``counting_limit`` is not used: pacing is what keeps bursts short."""
        self.initial_segments = initial_segments
        self.mss = 536
        self.cwnd = self.initial_window()
        self.ssthresh = UNLIMITED
        self.pacing_rate: float | None = None
        self.state = BbrState.STARTUP
        self._pacing_gain = STARTUP_PACING_GAIN
        self._cwnd_gain = STARTUP_CWND_GAIN
        # the model of the path
        self._bandwidth = WindowedMax(BANDWIDTH_WINDOW)
        self.min_rtt = inf
        self._min_rtt_at = 0.0
        self.inflight_hi = UNLIMITED
        # round trips, counted by what has been delivered; _rounds without those of ProbeRTT
        self._rounds = 0
        self._round_start = False
        self._delivered = 0
        self._round_started_at = 0
        self._round_end = 0
        self._round_lost = 0
        self._round_lossy = False
        # Startup
        self._filled = False
        self._full_bandwidth = 0.0
        self._full_rounds = 0
        # ProbeBW
        self._cycle_index = 0
        self._cycle_started = 0.0
        # ProbeRTT
        self._probe_rtt_done_at = inf
        self._probe_rtt_round_done = False
        self._idle_restart = False
        # recovery, which is over when _recover is acknowledged
        self._in_recovery = False
        self._recover: int | None = None
        self._prior_cwnd = 0
        self._before: tuple[int, int] | None = None

    @property
    def bandwidth(self) -> float:
        return self._bandwidth.best

    def initial_window(self) -> int:
        """RFC 6928 §2: min (10*MSS, max (2*MSS, 14600))."""
        return min(self.initial_segments * self.mss, max(2 * self.mss, self.initial_segments * 1460))

    def set_mss(self, mss: int) -> None:
        fresh = self.cwnd == self.initial_window() and not self._delivered
        self.mss = mss
        self.cwnd = self.initial_window() if fresh else max(self.cwnd, mss)

    def on_ack(self, sample: AckSample, now: float) -> None:
        self._count_round(sample)
        self._measure_bandwidth(sample)
        in_flight = max(sample.in_flight - sample.delivered - sample.lost, 0)
        if self._in_recovery:
            self._follow_recovery(sample)
        if self._round_start:
            self._judge_losses()
            self._judge_startup(sample)
        if self.state is BbrState.PROBE_BW:
            self._cycle(sample.in_flight, now)
        elif self.state is BbrState.DRAIN and in_flight <= self._window(1.0):
            self._enter_probe_bw(sample.snd_una, now)
        self._measure_min_rtt(sample, in_flight, now)
        self._set_pacing_rate(sample)
        self._set_cwnd(sample, in_flight)
        self._idle_restart = False

    # The model

    def _count_round(self, sample: AckSample) -> None:
        """A round trip is over when something sent since it began has arrived (draft-00 §4.1.1.3)."""
        self._delivered = sample.total_delivered
        self._round_lost += sample.lost
        self._round_start = sample.prior_delivered >= self._round_end
        if self._round_start:
            self._round_end = self._delivered
            if self.state is not BbrState.PROBE_RTT:
                # On a short path ProbeRTT lasts more round trips than the bandwidth is remembered for
                self._rounds += 1

    def _measure_bandwidth(self, sample: AckSample) -> None:
        rate = sample.rate
        if rate is None:
            return
        # What was sent slower than the path allows says only that the path is at least as fast
        if not sample.rate_app_limited or rate >= self._bandwidth.best:
            self._bandwidth.add(rate, self._rounds)

    def _measure_min_rtt(self, sample: AckSample, in_flight: int, now: float) -> None:
        """The smallest round-trip time of ten seconds; where none came up, drain the queue for one."""
        expired = now > self._min_rtt_at + MIN_RTT_WINDOW
        rtt = sample.rtt
        if rtt is not None and (rtt <= self.min_rtt or expired):
            self.min_rtt = rtt
            self._min_rtt_at = now
        if self.state is BbrState.PROBE_RTT:
            self._stay_in_probe_rtt(sample, in_flight, now)
        elif expired and not self._idle_restart and self._bandwidth.best:
            self._save_cwnd()
            self.state = BbrState.PROBE_RTT
            self._pacing_gain = 1.0
            self._cwnd_gain = PROBE_RTT_CWND_GAIN
            self._probe_rtt_done_at = inf

    def _judge_losses(self) -> None:
        """A round trip is over: was more lost in it than the path's own noise?"""
        delivered = self._delivered - self._round_started_at
        lost = self._round_lost
        self._round_started_at = self._delivered
        self._round_lost = 0
        self._round_lossy = lost > LOSS_THRESHOLD * (lost + delivered)
        if not self._round_lossy:
            return
        if self.state is BbrState.STARTUP:
            if lost < COUNTABLE_LOSSES * self.mss:
                return
            self._pipe_is_full()
        elif self.state is not BbrState.PROBE_BW or self._cycle_index not in (PROBE_UP, PROBE_DOWN):
            return
        # What arrived in that round trip is what the path holds.  Room for a probe stays: a path that always
        # loses more than the threshold must not hold the estimate where it happens to be.
        self.inflight_hi = max(delivered, self._window(CYCLE[PROBE_UP]))

    # The states

    def _judge_startup(self, sample: AckSample) -> None:
        """Startup ends when more speed no longer brings more bandwidth (draft-00 §4.3.2.2)."""
        if self.state is not BbrState.STARTUP:
            return
        if not self._filled and not sample.rate_app_limited:
            if self._bandwidth.best >= self._full_bandwidth * FULL_GROWTH:
                self._full_bandwidth = self._bandwidth.best
                self._full_rounds = 0
            else:
                self._full_rounds += 1
                if self._full_rounds >= FULL_ROUNDS:
                    self._pipe_is_full()
        if self._filled:
            self.state = BbrState.DRAIN
            self._pacing_gain = DRAIN_PACING_GAIN

    def _pipe_is_full(self) -> None:
        self._filled = True
        self.ssthresh = self._window(1.0)

    def _enter_probe_bw(self, snd_una: int, now: float) -> None:
        """At any phase but the draining one: there is nothing to drain (draft-00 §4.3.4.2).

        Flows that begin together should not probe together; the sequence number is as good as a die.
        """
        self.state = BbrState.PROBE_BW
        self._cwnd_gain = PROBE_BW_CWND_GAIN
        self._set_phase((PROBE_DOWN + 1 + snd_una % (len(CYCLE) - 1)) % len(CYCLE), now)

    def _set_phase(self, index: int, now: float) -> None:
        self._cycle_index = index
        self._cycle_started = now
        self._pacing_gain = CYCLE[index]

    def _cycle(self, in_flight: int, now: float) -> None:
        """Is this phase of the cycle over?  ``in_flight``: before this acknowledgment (draft-00 §4.3.4.3)."""
        index = self._cycle_index
        over = now - self._cycle_started > self.min_rtt
        if index == PROBE_UP:
            # until the probe has filled what it is meant to fill, or met the path's bound
            goal = min(self._window(CYCLE[PROBE_UP]), self.inflight_hi, self.cwnd) - self._quantum()
            over = over and (in_flight >= goal or self._round_lost > 0 or self._round_lossy)
            if over and not self._round_lossy and in_flight >= self.inflight_hi - self._quantum():
                self.inflight_hi = int(self.inflight_hi * CYCLE[PROBE_UP])
        elif index == PROBE_DOWN:
            over = over or in_flight <= self._window(1.0)
        if over:
            self._set_phase((index + 1) % len(CYCLE), now)

    def _stay_in_probe_rtt(self, sample: AckSample, in_flight: int, now: float) -> None:
        """200 ms and a round trip with a small window (draft-00 §4.3.5)."""
        if self._probe_rtt_done_at == inf:
            if in_flight <= self._probe_rtt_cwnd():
                self._probe_rtt_done_at = now + PROBE_RTT_DURATION
                self._probe_rtt_round_done = False
                self._round_end = self._delivered
            return
        if self._round_start:
            self._probe_rtt_round_done = True
        if self._probe_rtt_round_done and now >= self._probe_rtt_done_at:
            self._min_rtt_at = now
            self._restore_cwnd()
            if self._filled:
                self._enter_probe_bw(sample.snd_una, now)
            else:
                self.state = BbrState.STARTUP
                self._pacing_gain = STARTUP_PACING_GAIN
                self._cwnd_gain = STARTUP_CWND_GAIN

    # What follows from it

    def _quantum(self) -> int:
        """How much is sent at once (draft-00 §4.2.2)."""
        rate = self.pacing_rate or 0.0
        return int(min(max(rate * QUANTUM_TIME, 2 * self.mss), MAX_QUANTUM))

    def _window(self, gain: float) -> int:
        """``gain`` bandwidth-delay products (draft-00 §4.2.3.2)."""
        if not self._bandwidth.best or self.min_rtt == inf:
            return self.initial_window()
        return max(int(gain * self._bandwidth.best * self.min_rtt), MIN_CWND * self.mss)

    def _probe_rtt_cwnd(self) -> int:
        return self._window(PROBE_RTT_CWND_GAIN)

    def _set_pacing_rate(self, sample: AckSample) -> None:
        bandwidth = self._bandwidth.best
        if not bandwidth:
            if sample.srtt:
                self.pacing_rate = STARTUP_PACING_GAIN * self.cwnd / sample.srtt
            return
        rate = self._pacing_gain * bandwidth * PACING_MARGIN
        # Startup does not slow down for a low first sample
        if self._filled or self.pacing_rate is None or rate > self.pacing_rate:
            self.pacing_rate = rate

    def _set_cwnd(self, sample: AckSample, in_flight: int) -> None:
        """draft-00 §4.2.3: not above the target, and towards it by no more than what has arrived."""
        delivered = sample.delivered
        if sample.lost:
            self.cwnd = max(self.cwnd - sample.lost, self.mss)
        target = min(self._window(self._cwnd_gain) + 3 * self._quantum(), self.inflight_hi)
        if self._in_recovery and self._loss_is_heavy():
            # packet conservation, one out for one in: the model of the path does not hold just now
            self.cwnd = min(self.cwnd, max(in_flight + delivered, self.mss))
        elif self._filled:
            self.cwnd = min(self.cwnd + delivered, target)
        elif self.cwnd < target or self._delivered < self.initial_window():
            self.cwnd += delivered
        if not self._in_recovery:
            self.cwnd = max(self.cwnd, MIN_CWND * self.mss)
        if self.state is BbrState.PROBE_RTT:
            self.cwnd = min(self.cwnd, self._probe_rtt_cwnd())

    def _loss_is_heavy(self) -> bool:
        lost = self._round_lost
        if lost < COUNTABLE_LOSSES * self.mss:
            return False
        return lost > HEAVY_LOSS * (lost + self._delivered - self._round_started_at)

    # Recovery, marks, idleness

    def _save_cwnd(self) -> None:
        if not self._in_recovery and self.state is not BbrState.PROBE_RTT:
            self._prior_cwnd = self.cwnd
        else:
            self._prior_cwnd = max(self._prior_cwnd, self.cwnd)

    def _restore_cwnd(self) -> None:
        self.cwnd = max(self.cwnd, min(self._prior_cwnd, self.inflight_hi))

    def _follow_recovery(self, sample: AckSample) -> None:
        """The engine tells of the end of fast recovery, not of that after a timeout or a tail loss probe."""
        if self._recover is None:
            self._recover = sample.snd_nxt
        if sample.snd_una >= self._recover:
            self.on_recovered(sample.in_flight, 0.0)

    def on_loss(self, in_flight: int, now: float) -> None:
        self._before = (self.cwnd, self.inflight_hi)
        self._save_cwnd()
        self._in_recovery = True
        self._recover = None

    def on_recovered(self, in_flight: int, now: float, retransmitted: int = 0) -> None:
        if self._in_recovery:
            self._in_recovery = False
            self._restore_cwnd()

    def on_timeout(self, in_flight: int, *, again: bool, now: float) -> None:
        if not again:
            self._before = (self.cwnd, self.inflight_hi)
            self._save_cwnd()
        self._in_recovery = True
        self._recover = None
        self._full_bandwidth = 0.0  # the path may be another one: Startup, if in it, looks again
        self.cwnd = self.mss

    def on_congestion_mark(self, in_flight: int, now: float) -> None:
        self._before = None
        if self.state is BbrState.STARTUP:
            self._pipe_is_full()
        self.inflight_hi = max(int(min(in_flight, self.cwnd) * BETA), MIN_CWND * self.mss)
        self.cwnd = min(self.cwnd, self.inflight_hi)

    def undo(self, now: float) -> None:
        if self._before is not None:
            cwnd, self.inflight_hi = self._before
            self.cwnd = max(self.cwnd, cwnd)
            self._before = None
            self._in_recovery = False

    def round_trip(self, rtt: float, snd_una: int, snd_nxt: int, now: float) -> None:
        pass

    def sending_again(self, idle: float, now: float) -> None:
        pass

    def on_idle(self, now: float, timeouts: int = 1) -> None:
        """The model holds; the pacing starts at the bottleneck's rate (draft-00 §4.2.1, §4.3.4.4)."""
        self._idle_restart = True
        if self.state is BbrState.PROBE_BW and self._bandwidth.best:
            self.pacing_rate = self._bandwidth.best * PACING_MARGIN

    def on_syn_lost(self) -> None:
        self.cwnd = self.mss
