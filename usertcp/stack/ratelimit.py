"""A token bucket, for what we send only because somebody provoked it (RFC 4443 §2.4(f))."""

from __future__ import annotations


class RateLimiter:
    """Allows ``rate`` events per second on average, and up to ``burst`` at once."""

    __slots__ = ("_burst", "_last", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._last = 0.0

    def allow(self, now: float) -> bool:
        """Whether one more event may happen at ``now`` (seconds); if so it is taken as having happened."""
        elapsed = now - self._last
        if elapsed > 0:
            self._tokens = min(self._burst, self._tokens + elapsed * self._rate)
            self._last = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
