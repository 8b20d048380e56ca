"""DCTCP (RFC 8257) §3.3 by hand."""

from math import inf

import pytest

from usertcp.tcp.congestion.base import AckSample
from usertcp.tcp.congestion.dctcp import Dctcp

MSS = 1000


def window(control: Dctcp, share: float, *, una: int) -> int:
    """A window's worth of acknowledgments, ``share`` of them with ECE.  Returns the next SND.UNA."""
    count = control.cwnd // MSS
    end = una + count * MSS
    for i in range(count):
        s = AckSample()
        s.acked = s.delivered = MSS
        s.marked = MSS if i < round(share * count) else 0
        s.total_delivered = s.prior_delivered = s.in_flight = 0
        s.rtt, s.srtt, s.min_rtt = None, None, inf
        s.limited = False  # the window stays, for the arithmetic
        s.snd_una, s.snd_nxt = una + (i + 1) * MSS, end + i * MSS
        s.rate, s.rate_app_limited = None, False
        control.on_ack(s, 0.0)
    return end


def dctcp(segments: int) -> Dctcp:
    control = Dctcp(10, 8)
    control.set_mss(MSS)
    control.cwnd = control.ssthresh = segments * MSS
    return control


def test_alpha_begins_at_one_so_that_the_first_mark_halves() -> None:
    control = dctcp(100)
    assert control.alpha == 1
    control.on_congestion_mark(100 * MSS, 0.0)
    assert (control.cwnd, control.ssthresh) == (50 * MSS, 50 * MSS)


def test_alpha_decays_by_a_sixteenth_a_window_without_marks() -> None:
    control = dctcp(100)
    una = 0
    for i in range(1, 6):
        una = window(control, 0.0, una=una)
        assert control.alpha == pytest.approx((15 / 16) ** i)


def test_alpha_goes_to_the_share_of_marked_bytes() -> None:
    control = dctcp(100)
    una = 0
    for _ in range(200):
        una = window(control, 0.25, una=una)
    assert control.alpha == pytest.approx(0.25, abs=0.02)
    control.on_congestion_mark(100 * MSS, 0.0)
    assert control.cwnd == pytest.approx(100 * MSS * (1 - 0.25 / 2), rel=0.01)


def test_loss_is_answered_as_reno_does() -> None:
    control = dctcp(100)
    control.alpha = 0.0
    control.on_loss(100 * MSS, 0.0)
    assert control.ssthresh == 50 * MSS
    control.on_timeout(100 * MSS, again=False, now=1.0)
    assert control.cwnd == MSS


def test_marks_bring_the_window_down_to_one_segment_and_no_further() -> None:
    control = dctcp(4)
    for _ in range(10):
        control.on_congestion_mark(control.cwnd, 0.0)
    assert (control.cwnd, control.ssthresh) == (MSS, 2 * MSS)


def test_it_grows_as_reno_does() -> None:
    control = dctcp(10)
    s = AckSample()
    s.acked = s.delivered = 10 * MSS
    s.limited = True
    s.snd_una, s.snd_nxt = 10 * MSS, 20 * MSS
    control.on_ack(s, 0.0)
    assert control.cwnd == 11 * MSS
