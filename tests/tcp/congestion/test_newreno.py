"""Reno (RFC 5681) by hand."""

import pytest

from usertcp.tcp.congestion.base import UNLIMITED, AckSample
from usertcp.tcp.congestion.newreno import NewReno

MSS = 1000


def sample(acked: int, *, limited: bool = True) -> AckSample:
    s = AckSample()
    s.acked = s.delivered = acked
    s.limited = limited
    s.rtt = s.srtt = 0.1
    s.snd_una, s.snd_nxt = acked, 2 * acked
    return s


def reno(**options: bool) -> NewReno:
    control = NewReno(10, 8, **options)
    control.set_mss(MSS)
    return control


def test_slow_start_doubles_and_counts_eight_segments_at_most() -> None:
    control = reno()
    for _ in range(5):
        control.on_ack(sample(2 * MSS), 0.0)
    assert control.cwnd == 20 * MSS
    control.on_ack(sample(20 * MSS), 0.0)
    assert control.cwnd == 28 * MSS


def test_congestion_avoidance_adds_a_segment_for_each_window() -> None:
    control = reno()
    control.ssthresh = 10 * MSS
    for _ in range(5):
        control.on_ack(sample(2 * MSS), 0.0)
    assert control.cwnd == 11 * MSS
    control.on_ack(sample(8 * MSS), 0.0)
    control.on_ack(sample(8 * MSS), 0.0)  # five more than the window's eleven: they count for the next
    assert control.cwnd == 12 * MSS
    control.on_ack(sample(7 * MSS), 0.0)
    assert control.cwnd == 13 * MSS


def test_an_unfilled_window_does_not_grow() -> None:
    control = reno()
    control.on_ack(sample(2 * MSS, limited=False), 0.0)
    control.ssthresh = 10 * MSS
    control.on_ack(sample(10 * MSS, limited=False), 0.0)
    assert control.cwnd == 10 * MSS


def test_a_loss_halves_and_undo_takes_it_back() -> None:
    control = reno()
    control.cwnd = 40 * MSS
    control.on_loss(40 * MSS, 0.0)
    assert control.ssthresh == 20 * MSS
    control.on_recovered(20 * MSS, 0.1)
    assert control.cwnd == 20 * MSS
    control.undo(0.2)
    assert (control.cwnd, control.ssthresh) == (40 * MSS, UNLIMITED)
    control.cwnd = 30 * MSS
    control.undo(0.3)  # once is enough
    assert control.cwnd == 30 * MSS


def test_what_was_sent_beyond_the_window_does_not_raise_the_threshold() -> None:
    control = reno()
    control.cwnd = control.ssthresh = 10 * MSS
    control.on_loss(13 * MSS, 0.0)  # with three segments of limited transmit
    assert control.ssthresh == 5 * MSS


def test_timeouts() -> None:
    control = reno()
    control.cwnd = 40 * MSS
    control.on_timeout(40 * MSS, again=False, now=0.0)
    assert (control.cwnd, control.ssthresh) == (MSS, 20 * MSS)
    control.on_timeout(MSS, again=True, now=1.0)
    assert (control.cwnd, control.ssthresh) == (MSS, 20 * MSS)
    control.undo(1.1)
    assert control.cwnd == 40 * MSS


@pytest.mark.parametrize(("abe", "share"), [(False, 0.5), (True, 0.8)])
def test_a_mark_reduces_at_once_by_less_with_abe(abe: bool, share: float) -> None:
    control = reno(abe=abe)
    control.cwnd = control.ssthresh = 40 * MSS
    control.on_congestion_mark(40 * MSS, 0.0)
    assert control.cwnd == control.ssthresh == share * 40 * MSS
    control.undo(0.1)
    assert control.cwnd == share * 40 * MSS


def test_abe_is_not_for_slow_start() -> None:
    control = reno(abe=True)
    control.on_congestion_mark(10 * MSS, 0.0)
    assert control.cwnd == 5 * MSS


def test_restart_after_idle() -> None:
    control = reno()
    control.cwnd = 40 * MSS
    control.on_idle(10.0)
    assert control.cwnd == 10 * MSS
    control.cwnd = 3 * MSS
    control.on_idle(20.0)
    assert control.cwnd == 3 * MSS
