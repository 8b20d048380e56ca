"""HyStart++ (RFC 9406): leave slow start when the round-trip time rises, before packets are lost.

A queue that builds makes each round trip longer than the last.  When that is seen, conservative slow
start (CSS) grows at a quarter of the pace for five round trips; if the delay goes away within them it was
jitter, and slow start resumes.
"""

from __future__ import annotations

from math import inf
from typing import Final

from usertcp.tcp.congestion.base import AckSample

# RFC 9406 §4.3, seconds where they are times
MIN_RTT_THRESH: Final = 0.004
MAX_RTT_THRESH: Final = 0.016
MIN_RTT_DIVISOR: Final = 8
N_RTT_SAMPLE: Final = 8
CSS_GROWTH_DIVISOR: Final = 4
CSS_ROUNDS: Final = 5


class HyStart:
    """One slow start.  ``conservative``: in CSS; ``finished``: congestion avoidance is to begin."""

    __slots__ = (
        "_baseline", "_css_rounds", "_current_min", "_last_min", "_samples", "_window_end", "conservative",
        "finished",
    )  # fmt: skip

    def __init__(self) -> None:
        self.conservative = False
        self.finished = False
        self._last_min = inf
        self._current_min = inf
        self._samples = 0
        self._baseline = inf
        self._css_rounds = 0
        self._window_end: int | None = None

    def growth(self, sample: AckSample, limit: int) -> int:
        """Bytes by which this acknowledgment may widen cwnd; at most ``limit`` of it counts."""
        rtt = sample.rtt
        if rtt is not None:
            self._samples += 1
            if rtt < self._current_min:
                self._current_min = rtt
            if self._samples >= N_RTT_SAMPLE:
                self._judge()
        counted = min(sample.acked, limit)
        growth = counted // CSS_GROWTH_DIVISOR if self.conservative else counted
        if self._window_end is None:
            # SND.NXT with what the acknowledgment before this one let out: that belongs to this round too
            self._window_end = sample.snd_nxt
        if sample.snd_una >= self._window_end:
            self._end_round()
        return growth

    def _judge(self) -> None:
        """Enough samples in this round: does the delay rise, or has it fallen again (RFC 9406 §4.2)?"""
        if self.conservative:
            if self._current_min < self._baseline:
                self.conservative = False  # the rise was not ours: resume slow start
                self._baseline = inf
        elif self._last_min != inf:
            threshold = max(MIN_RTT_THRESH, min(self._last_min / MIN_RTT_DIVISOR, MAX_RTT_THRESH))
            if self._current_min >= self._last_min + threshold:
                self.conservative = True
                self._baseline = self._current_min
                self._css_rounds = 0

    def _end_round(self) -> None:
        """``windowEnd`` is acknowledged: the next round trip begins (RFC 9406 §4.2)."""
        self._window_end = None
        self._last_min = self._current_min
        self._current_min = inf
        self._samples = 0
        if self.conservative:
            # the round in which CSS was entered counts, though only a part of it was CSS
            self._css_rounds += 1
            self.finished = self._css_rounds >= CSS_ROUNDS
