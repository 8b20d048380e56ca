"""Congestion window validation (RFC 7661): what to think of a window that has not been used.

Instead of forgetting the window after a short silence (RFC 5681 §4.1), remember it for up to five minutes,
and answer a loss by what was really used.  ``pipe_ack`` is that: the most that one round trip of the last
second (or three round trips) acknowledged.  Below half of cwnd the window is not validated.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from usertcp.tcp.congestion.base import AckSample

#: Seconds for which an unused window is kept: the non-validated period (RFC 7661 §5).
NVP: Final = 300.0
#: The pipeACK sampling period is divided into so many measurement periods (RFC 7661 §4.5.1).
PERIODS: Final = 5


class WindowValidation:
    """What one sender has used of its window.  ``now`` in seconds, windows in bytes."""

    __slots__ = ("_high_ack", "_loss_window", "_maxima", "_measured", "_period", "_round_end", "_validated_at")

    def __init__(self) -> None:
        #: Start and largest sample of the last measurement periods, the newest last.
        self._maxima: deque[tuple[float, int]] = deque(maxlen=PERIODS)
        self._measured = False
        self._high_ack = -1
        self._round_end: int | None = None
        self._period = 1.0
        #: When the window was last seen to be validated.
        self._validated_at: float | None = None
        self._loss_window: int | None = None

    def pipe_ack(self, now: float) -> int | None:
        """Bytes; None: undefined, since nothing was measured since the start or since a recovery (§4.2)."""
        if not self._measured:
            return None
        while self._maxima and now - self._maxima[0][0] > self._period:
            self._maxima.popleft()
        return max((value for _, value in self._maxima), default=0)

    def validated(self, cwnd: int, now: float) -> bool:
        """RFC 7661 §4.3."""
        pipe_ack = self.pipe_ack(now)
        return pipe_ack is None or 2 * pipe_ack >= cwnd

    def on_ack(self, sample: AckSample, now: float) -> bool:
        """Measure (RFC 7661 §4.2, §4.5.1); True: a sample was taken, it is time for :meth:`periods_over`."""
        if self._high_ack < 0:
            self._high_ack = sample.snd_una - sample.acked
        if self._round_end is None:
            self._round_end = sample.snd_nxt
        if sample.snd_una < self._round_end:
            return False
        self._period = max(3 * (sample.srtt or 0.0), 1.0)
        self._record(sample.snd_una - self._high_ack, now)
        self._high_ack = sample.snd_una
        self._round_end = None
        return True

    def _record(self, value: int, now: float) -> None:
        self._measured = True
        if self._maxima and now - self._maxima[-1][0] < self._period / PERIODS:
            start, largest = self._maxima[-1]
            self._maxima[-1] = (start, max(value, largest))
        else:
            self._maxima.append((now, value))

    def periods_over(self, cwnd: int, now: float) -> int:
        """How many non-validated periods have passed: the window is to be halved for each (§4.4.3, §4.5.2)."""
        since = self._validated_at
        if since is None or self.validated(cwnd, now):
            self._validated_at = now
            return 0
        passed = int((now - since) // NVP)
        self._validated_at = since + passed * NVP
        return passed

    def on_loss(self, in_flight: int, cwnd: int, now: float) -> int | None:
        """The window for recovery if cwnd is not validated, else None (RFC 7661 §4.4.1)."""
        self._loss_window = None
        if self.validated(cwnd, now):
            return None
        self._loss_window = max(self.pipe_ack(now) or 0, in_flight)
        return self._loss_window // 2

    def on_recovered(self, retransmitted: int) -> int | None:
        """The window after a recovery that began with a window not validated, else None (RFC 7661 §4.4.1)."""
        window = self._loss_window
        self.reset()
        return None if window is None else (window - retransmitted) // 2

    def reset(self) -> None:
        """What was measured before a loss says nothing any more: pipeACK is undefined (RFC 7661 §4.2)."""
        self._measured = False
        self._maxima.clear()
        self._high_ack = -1
        self._round_end = None
        self._validated_at = None
        self._loss_window = None
