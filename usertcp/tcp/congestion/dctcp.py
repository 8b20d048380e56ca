"""DCTCP (RFC 8257): reduce the window by how much of it was marked, not by half whenever anything was.

For networks under one administration whose switches mark early and whose receivers echo each mark
(RFC 8257 §3.2); growth and the answer to loss are Reno's (§3.4, §3.5).
"""

from __future__ import annotations

from typing import Final

from usertcp.tcp.congestion.base import AckSample
from usertcp.tcp.congestion.newreno import NewReno

#: g, the gain of the estimate (RFC 8257 §4.2).
GAIN: Final = 1 / 16


class Dctcp(NewReno):
    """``alpha``: the estimated fraction of bytes that met congestion, 0 to 1 (DCTCP.Alpha)."""

    __slots__ = ("_bytes_acked", "_bytes_marked", "_window_end", "alpha")

    name = "dctcp"

    def __init__(
        self, initial_segments: int, counting_limit: int, *, paced: bool = False, validate: bool = False
    ) -> None:
        super().__init__(initial_segments, counting_limit, paced=paced, validate=validate)
        self.alpha = 1.0
        self._window_end = 0
        self._bytes_acked = 0
        self._bytes_marked = 0

    def on_ack(self, sample: AckSample, now: float) -> None:
        # RFC 8257 §3.3, steps 1 to 8
        self._bytes_acked += sample.acked
        self._bytes_marked += sample.marked
        if sample.snd_una > self._window_end:
            self._end_window(sample.snd_nxt)
        super().on_ack(sample, now)

    def _end_window(self, snd_nxt: int) -> None:
        if self._bytes_acked:
            # a mark may be told of by more than one acknowledgment's bytes, alpha stays a fraction (§4.2)
            marked = min(self._bytes_marked / self._bytes_acked, 1.0)
            self.alpha += GAIN * (marked - self.alpha)
        self._window_end = snd_nxt
        self._bytes_acked = self._bytes_marked = 0

    def on_congestion_mark(self, in_flight: int, now: float) -> None:
        reduced = int(self.cwnd * (1 - self.alpha / 2))  # RFC 8257 §3.3 step 9
        self.ssthresh = max(reduced, 2 * self.mss)
        self.cwnd = max(reduced, self.mss)
        self._avoidance_acked = 0
        self._before = None
