"""What the loss-based controllers share: windows, slow start, restart after idle, pacing as a switch."""

from __future__ import annotations

from typing import Final

from usertcp.tcp.congestion.base import UNLIMITED, AckSample
from usertcp.tcp.congestion.cwv import WindowValidation
from usertcp.tcp.congestion.hystart import HyStart

#: Pacing rates as multiples of cwnd / srtt: slow start doubles in each round trip, so the rate must not
#: hold it back; later a little above the window's own rate keeps cwnd, not the pacer, in charge.
SLOW_START_PACING: Final = 2.0
AVOIDANCE_PACING: Final = 1.2


class LossBased:
    """A controller whose window says how much may be outstanding, and which takes losses for congestion.

    ``initial_segments``: the initial window (RFC 6928); ``counting_limit``: segments that one
    acknowledgment may add in slow start, L in RFC 9406 §4.3 and RFC 3465 §2.3; with ``paced`` there is no
    such limit, and ``pacing_rate`` follows cwnd.  With ``validate`` the window outlives silence by RFC 7661,
    which is used in the place of RFC 5681 §4.1.
    """

    __slots__ = (
        "_hystart", "_paced", "_validation", "_with_hystart", "counting_limit", "cwnd", "initial_segments",
        "mss", "pacing_rate", "ssthresh",
    )  # fmt: skip

    governs_recovery = False

    def __init__(
        self,
        initial_segments: int,
        counting_limit: int,
        *,
        hystart: bool = False,
        paced: bool = False,
        validate: bool = False,
    ) -> None:
        self.initial_segments = initial_segments
        self.counting_limit = counting_limit
        self.mss = 536
        self.cwnd = self.initial_window()
        self.ssthresh = UNLIMITED
        self.pacing_rate: float | None = None
        self._paced = paced
        self._with_hystart = hystart
        #: Of a slow start that has begun and not ended.
        self._hystart: HyStart | None = None
        self._validation = WindowValidation() if validate else None

    def _ack_limit(self) -> int:
        """RFC 9406 §4.3: L = infinity if paced."""
        return UNLIMITED if self._paced else self.counting_limit * self.mss

    def initial_window(self) -> int:
        """RFC 6928 §2: min (10*MSS, max (2*MSS, 14600))."""
        return min(self.initial_segments * self.mss, max(2 * self.mss, self.initial_segments * 1460))

    def set_mss(self, mss: int) -> None:
        fresh = self.cwnd == self.initial_window() and self.ssthresh == UNLIMITED
        self.mss = mss
        # A path MTU found in the middle of a connection is no reason to forget what the path carries
        self.cwnd = self.initial_window() if fresh else max(self.cwnd, mss)

    def _slow_start(self, sample: AckSample) -> None:
        """RFC 5681 §3.1, with HyStart++ as long as no loss has told where slow start ends (RFC 9406 §4.3)."""
        if self.ssthresh == UNLIMITED and self._with_hystart:
            hystart = self._hystart
            if hystart is None:
                if sample.acked <= 1:
                    return  # a SYN: rounds are of data
                hystart = self._hystart = HyStart()
            growth = hystart.growth(sample, self._ack_limit())
            if sample.limited:
                self.cwnd += growth
            if hystart.finished:
                self.ssthresh = self.cwnd  # RFC 9406 §4.2
                self._hystart = None
        elif sample.limited:
            # no further than ssthresh: one acknowledgment may cover a large part of the window
            self.cwnd = min(self.cwnd + min(sample.acked, self._ack_limit()), self.ssthresh)

    def _pace(self, srtt: float | None) -> None:
        if srtt:
            gain = SLOW_START_PACING if self.cwnd < self.ssthresh else AVOIDANCE_PACING
            self.pacing_rate = gain * self.cwnd / srtt

    def _window_in_use(self, in_flight: int) -> int:
        """FlightSize without what limited transmit and SACK let out beyond the window (RFC 5681 §3.2)."""
        window = self.cwnd if self.ssthresh == UNLIMITED else max(self.cwnd, self.ssthresh)
        return min(in_flight, window)

    def _validate(self, validation: WindowValidation, now: float) -> None:
        """Reduce a window that has not been used for a non-validated period (RFC 7661 §4.4.3)."""
        for _ in range(validation.periods_over(self.cwnd, now)):
            if self.cwnd <= self.initial_window():
                break
            self.ssthresh = max(self.ssthresh, 3 * self.cwnd // 4)
            self.cwnd = max(self.cwnd // 2, self.initial_window())

    def _unvalidated(self, in_flight: int, now: float) -> int | None:
        """What a loss makes of a window that is not validated (RFC 7661 §4.4.1); None: it is."""
        return None if self._validation is None else self._validation.on_loss(in_flight, self.cwnd, now)

    def _recovered(self, retransmitted: int) -> bool:
        """The end of a recovery that began with a window not validated (RFC 7661 §4.4.1); False: another."""
        if self._validation is None:
            return False
        window = self._validation.on_recovered(retransmitted)
        if window is None:
            return False
        self.cwnd = max(window, self.mss)
        self.ssthresh = max(window, 2 * self.mss)
        return True

    def on_idle(self, now: float, timeouts: int = 1) -> None:
        if self._validation is not None:
            self._validate(self._validation, now)
        else:
            self.cwnd = min(self.cwnd, self.initial_window())  # RFC 5681 §4.1

    def round_trip(self, rtt: float, snd_una: int, snd_nxt: int, now: float) -> None:
        pass

    def sending_again(self, idle: float, now: float) -> None:
        pass

    def on_syn_lost(self) -> None:
        self.cwnd = self.mss
