"""HyStart++ (RFC 9406), round trip by round trip."""

from math import inf

import pytest

from usertcp.tcp.congestion.base import UNLIMITED, AckSample
from usertcp.tcp.congestion.cubic import Cubic
from usertcp.tcp.congestion.hystart import HyStart
from usertcp.tcp.congestion.newreno import NewReno

MSS = 1000


class Flow:
    """Sequence numbers of a bulk sender: each round trip acknowledges what was outstanding before."""

    def __init__(self) -> None:
        self.una = 0
        self.nxt = 10 * MSS

    def acknowledgment(self, acked: int, rtt: float | None) -> AckSample:
        s = AckSample()
        self.una += acked
        s.acked = s.delivered = acked
        s.total_delivered = s.prior_delivered = s.in_flight = s.marked = s.lost = 0
        s.rtt, s.srtt, s.min_rtt = rtt, rtt, rtt if rtt is not None else inf
        s.limited = True
        s.snd_una, s.snd_nxt = self.una, self.nxt
        s.rate, s.rate_app_limited = None, False
        return s

    def round_trip(self, control: Cubic | NewReno, rtt: float, *, samples: int | None = None) -> None:
        """All of the window in acknowledgments of one segment; only the first ``samples`` have an RTT."""
        end, i = self.nxt, 0
        while self.una < end:
            with_rtt = samples is None or i < samples
            control.on_ack(self.acknowledgment(min(MSS, end - self.una), rtt if with_rtt else None), 0.0)
            i += 1
            self.nxt = self.una + control.cwnd


def slow_start() -> tuple[Flow, Cubic]:
    control = Cubic(10, 8)
    control.set_mss(MSS)
    return Flow(), control


def test_a_steady_round_trip_time_doubles_the_window() -> None:
    flow, control = slow_start()
    for i in range(1, 6):
        flow.round_trip(control, 0.1)
        assert control.cwnd == 10 * MSS * 2**i
    assert control.ssthresh == UNLIMITED


def test_a_rise_of_an_eighth_slows_the_growth_and_five_rounds_end_it() -> None:
    flow, control = slow_start()
    flow.round_trip(control, 0.1)
    flow.round_trip(control, 0.1)
    flow.round_trip(control, 0.1125)
    # seven acknowledgments as in slow start, from the eighth on a quarter
    assert control.cwnd == 40 * MSS + 7 * MSS + 33 * MSS // 4
    for _ in range(3):
        before = control.cwnd
        flow.round_trip(control, 0.115)
        assert control.cwnd / before == pytest.approx(1.25, rel=0.03)
        assert control.ssthresh == UNLIMITED
    flow.round_trip(control, 0.115)  # the partial round counts: this is the fifth
    assert control.ssthresh != UNLIMITED
    assert control.cwnd >= control.ssthresh


def test_the_threshold_is_at_least_four_milliseconds() -> None:
    flow, control = slow_start()
    flow.round_trip(control, 0.001)
    flow.round_trip(control, 0.001)
    flow.round_trip(control, 0.0049)
    assert control.cwnd == 80 * MSS
    flow.round_trip(control, 0.0090)
    assert control.cwnd < 160 * MSS


def test_the_threshold_is_at_most_sixteen_milliseconds() -> None:
    flow, control = slow_start()
    flow.round_trip(control, 0.4)
    flow.round_trip(control, 0.4)
    flow.round_trip(control, 0.417)
    assert control.cwnd < 80 * MSS


def test_the_window_resumes_doubling_when_the_delay_was_jitter() -> None:
    flow, control = slow_start()
    flow.round_trip(control, 0.1)
    flow.round_trip(control, 0.1)
    flow.round_trip(control, 0.120)
    before = control.cwnd
    flow.round_trip(control, 0.105)  # below the baseline of 120 ms
    assert control.cwnd > 1.8 * before
    before = control.cwnd
    for _ in range(8):
        flow.round_trip(control, 0.105)
    assert control.cwnd == 2**8 * before
    assert control.ssthresh == UNLIMITED


def test_fewer_than_eight_samples_say_nothing() -> None:
    flow, control = slow_start()
    flow.round_trip(control, 0.1)
    flow.round_trip(control, 0.1)
    flow.round_trip(control, 0.2, samples=7)
    assert control.cwnd == 80 * MSS


def test_only_the_first_slow_start_is_watched() -> None:
    flow, control = slow_start()
    flow.round_trip(control, 0.1)
    control.cwnd = 100 * MSS
    control.on_timeout(100 * MSS, again=False, now=1.0)
    control.cwnd = 10 * MSS
    flow.nxt = flow.una + control.cwnd
    flow.round_trip(control, 0.1)
    flow.round_trip(control, 0.3)
    assert control.cwnd == 40 * MSS


def test_reno_uses_it_if_asked() -> None:
    plain, watched = NewReno(10, 8), NewReno(10, 8, hystart=True)
    for control in plain, watched:
        control.set_mss(MSS)
        flow = Flow()
        for rtt in (0.1, 0.1, 0.12):
            flow.round_trip(control, rtt)
    assert plain.cwnd == 80 * MSS
    assert watched.cwnd < 60 * MSS


def test_growth_counts_at_most_the_limit() -> None:
    flow = Flow()
    assert HyStart().growth(flow.acknowledgment(45 * MSS, 0.1), 8 * MSS) == 8 * MSS
