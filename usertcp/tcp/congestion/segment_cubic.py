"""CUBIC for windows that are whole numbers of segments.

RFC 9438 moves a part of the way to a target with each acknowledgment; here the cubic function says after how many
segments that arrived the window grows by one, and slow start ends by the delay or by long trains of acknowledgments
(HyStart: Ha and Rhee, "Taming the elephants", 2011).  Where the RFC has real numbers this rounds down.
"""

from __future__ import annotations

from math import inf
from typing import Final

from usertcp.tcp.congestion.segments import SegmentReno

#: Multiplicative decrease (RFC 9438 §4.6: 0.7), as parts of 1024.
BETA: Final = 717
_WHOLE: Final = 1024
#: C of RFC 9438 §5, in segments per second cubed.
C: Final = 410 / 1024
#: Segments after which Reno's estimate grows by one, in eighths of windows (RFC 9438 §4.3).
_RENO_EIGHTHS: Final = 15
#: Before the first loss the window grows by one for so many segments at least.
_PROBING: Final = 20
#: The function is evaluated once in this time, where the window has not changed; seconds.
_UNCHANGED: Final = 1 / 32
_TICK: Final = 0.001

LOW_WINDOW: Final = 16
_TRAIN_GAP: Final = 0.002
_SAMPLES: Final = 8
_LEAST_RISE: Final = 0.004
_MOST_RISE: Final = 0.016


class SegmentCubic(SegmentReno):
    """``hystart``: leave the first slow start before something is lost."""

    __slots__ = (
        "_arrived", "_every", "_hystart", "_last_at", "_last_segments", "_least", "_most_before", "_origin", "_reno",
        "_since", "_time_to_origin",
    )  # fmt: skip

    name = "cubic"

    def __init__(
        self, initial_segments: int, counting_limit: int, *, paced: bool = False, hystart: bool = True
    ) -> None:
        super().__init__(initial_segments, counting_limit, paced=paced)
        self._hystart = HyStartClassic() if hystart else None
        self._forget()

    def _forget(self) -> None:
        """As if nothing had been seen of the path."""
        self._most_before = 0
        self._last_segments = 0
        self._last_at = -inf
        self._least = 0.0
        #: When the present stage began; None: none has.
        self._since: float | None = None
        self._origin = 0
        self._time_to_origin = 0.0
        self._arrived = 0
        self._reno = 0
        self._every = 0

    # -- Congestion avoidance --------------------------------------------------------------------------------------

    def _avoid(self, segments: int, now: float) -> None:
        cwnd = self.cwnd // self.mss
        self._arrived += segments
        if self._last_segments != cwnd or now - self._last_at > _UNCHANGED:
            if self._since is None or now - self._last_at >= _TICK:
                self._last_segments, self._last_at = cwnd, now
                self._every = self._by_the_function(cwnd, segments, now)
            self._every = max(min(self._every, self._by_reno(cwnd)), 2)
        self._grow(self._every, segments)

    def _by_the_function(self, cwnd: int, segments: int, now: float) -> int:
        """After how many segments to grow by one (RFC 9438 §4.2, §4.4)."""
        if self._since is None:
            self._since = now
            self._arrived = segments
            self._reno = cwnd
            self._origin = max(cwnd, self._most_before)
            self._time_to_origin = ((self._origin - cwnd) / C) ** (1 / 3)
        offset = now - self._since + self._least - self._time_to_origin
        distance = int(C * abs(offset) ** 3)
        target = self._origin - distance if offset < 0 else self._origin + distance
        every = cwnd // (target - cwnd) if target > cwnd else 100 * cwnd
        return every if self._most_before else min(every, _PROBING)

    def _by_reno(self, cwnd: int) -> int:
        """The same by what Reno would have reached (RFC 9438 §4.3)."""
        step = cwnd * _RENO_EIGHTHS >> 3
        while self._arrived > step:
            self._arrived -= step
            self._reno += 1
        return cwnd // (self._reno - cwnd) if self._reno > cwnd else 100 * cwnd

    # -- Reduction -----------------------------------------------------------------------------------------------

    def _reduced(self, segments: int, now: float) -> int:
        self._since = None
        # RFC 9438 §4.7: fast convergence
        converging = segments < self._most_before
        self._most_before = segments * (_WHOLE + BETA) // (2 * _WHOLE) if converging else segments
        return segments * BETA // _WHOLE

    def on_timeout(self, in_flight: int, *, again: bool, now: float) -> None:
        super().on_timeout(in_flight, again=again, now=now)
        self._forget()
        if self._hystart is not None:
            self._hystart = HyStartClassic()

    def on_idle(self, now: float, timeouts: int = 1) -> None:
        super().on_idle(now, timeouts)
        self._since = None

    def sending_again(self, idle: float, now: float) -> None:
        # RFC 9438 §5.8: in the meantime nothing could grow
        if self._since is not None:
            self._since = min(self._since + idle, now)

    # -- The end of slow start -------------------------------------------------------------------------------------

    def round_trip(self, rtt: float, snd_una: int, snd_nxt: int, now: float) -> None:
        if self._since is not None and now - self._since < 1.0:
            return  # right after a recovery delays say nothing
        if not self._least or rtt < self._least:
            self._least = rtt
        hystart = self._hystart
        if hystart is None or hystart.found or self.cwnd >= self.ssthresh:
            return
        if hystart.sees_the_end(rtt, snd_una, snd_nxt, self.cwnd // self.mss, self._least, now):
            self.ssthresh = self.cwnd


class HyStartClassic:
    """Whether slow start is about to fill the queue; times are seconds."""

    __slots__ = ("_began", "_end", "_last", "_least", "_samples", "found")

    def __init__(self) -> None:
        self.found = False
        self._began = self._last = -inf
        self._end = -1
        self._least = inf
        self._samples = 0

    def sees_the_end(
        self, rtt: float, snd_una: int, snd_nxt: int, segments: int, least: float, now: float
    ) -> bool:
        """Take one round trip; ``segments``: the window; ``least``: the shortest round trip ever."""
        if snd_una > self._end:
            self._began = self._last = now
            self._end = snd_nxt
            self._least = inf
            self._samples = 0
        if segments < LOW_WINDOW:
            return False
        if now - self._last <= _TRAIN_GAP:
            self._last = now
            self.found = now - self._began > least / 2  # the train is half a round trip long
        self._least = min(self._least, rtt)
        if self._samples < _SAMPLES:
            self._samples += 1
        elif self._least > least + min(max(least / 8, _LEAST_RISE), _MOST_RISE):
            self.found = True
        return self.found
