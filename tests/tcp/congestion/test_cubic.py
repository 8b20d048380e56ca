"""CUBIC against numbers worked out by hand from RFC 9438."""

from math import inf

import pytest

from usertcp.tcp.congestion.base import UNLIMITED, AckSample
from usertcp.tcp.congestion.cubic import ALPHA, Cubic

MSS = 1000
RTT = 0.1


def sample(acked: int, *, limited: bool = True, rtt: float | None = RTT, una: int = 0, nxt: int = 0) -> AckSample:
    s = AckSample()
    s.acked = s.delivered = acked
    s.total_delivered = s.prior_delivered = s.in_flight = s.marked = s.lost = 0
    s.rtt, s.srtt, s.min_rtt = rtt, rtt or RTT, rtt or inf
    s.limited = limited
    s.snd_una, s.snd_nxt = una, nxt
    s.rate, s.rate_app_limited = None, False
    return s


def cubic(**options: bool) -> Cubic:
    control = Cubic(10, 8, **options)
    control.set_mss(MSS)
    return control


def after_loss_at(segments: int, **options: bool) -> Cubic:
    """Fast recovery of a filled window is just over: congestion avoidance begins with the next ACK."""
    control = cubic(**options)
    control.cwnd = segments * MSS
    control.on_loss(control.cwnd, 0.0)
    control.on_recovered(control.ssthresh, 0.0)
    return control


def round_trip(control: Cubic, now: float, *, rtt: float = RTT, step: int = MSS) -> None:
    """A window's worth of acknowledgments of ``step`` bytes each, spread over one round trip."""
    window = control.cwnd
    count = max(window // step, 1)
    for i in range(count):
        control.on_ack(sample(step, rtt=rtt), now + rtt * (i + 1) / count)


def test_initial_window_of_rfc_6928() -> None:
    control = cubic()
    assert control.cwnd == 10 * MSS
    assert control.ssthresh == UNLIMITED
    control.set_mss(8960)
    assert control.cwnd == 2 * 8960


def test_a_change_of_mss_in_the_middle_keeps_the_window() -> None:
    control = after_loss_at(100)
    control.set_mss(500)
    assert control.cwnd == 70 * MSS


def test_slow_start_counts_at_most_eight_segments_of_an_acknowledgment() -> None:
    control = cubic()
    control.on_ack(sample(2 * MSS), 0.1)
    assert control.cwnd == 12 * MSS
    control.on_ack(sample(45 * MSS), 0.2)
    assert control.cwnd == 20 * MSS


def test_slow_start_does_not_pass_a_known_threshold() -> None:
    control = cubic()
    control.cwnd = 20 * MSS
    control.on_timeout(20 * MSS, again=False, now=1.0)
    assert (control.cwnd, control.ssthresh) == (MSS, 14 * MSS)
    control.on_ack(sample(8 * MSS), 1.1)
    control.on_ack(sample(8 * MSS), 1.2)
    assert control.cwnd == 14 * MSS


def test_an_unfilled_window_does_not_grow() -> None:
    control = cubic()
    control.on_ack(sample(2 * MSS, limited=False), 0.1)
    assert control.cwnd == 10 * MSS
    control = after_loss_at(100)
    for i in range(1, 100):
        control.on_ack(sample(MSS, limited=False), i * RTT)
    assert control.cwnd == 70 * MSS


def test_loss_sets_the_threshold_to_seven_tenths() -> None:
    control = cubic()
    control.cwnd = 100 * MSS
    control.on_loss(100 * MSS, 0.0)
    assert control.ssthresh == 70 * MSS
    control.on_recovered(50 * MSS, 0.5)
    assert control.cwnd == 70 * MSS


def test_concave_and_convex_growth_follow_w_cubic() -> None:
    # W_max = 1000 segments, so K = cbrt(1000 * 0.3 / 0.4) = 9.0856 s
    control = after_loss_at(1000)
    k = (1000 * 0.3 / 0.4) ** (1 / 3)
    first_ack = RTT / 700
    now = 0.0
    while now < 14.0:
        round_trip(control, now)
        now += RTT
        w_cubic = 0.4 * (now - first_ack - k) ** 3 + 1000
        if now > 0.5:
            assert control.cwnd / MSS == pytest.approx(w_cubic, rel=0.01), now
        if abs(now - k) < RTT / 2:
            assert control.cwnd / MSS == pytest.approx(1000, rel=0.002)  # the plateau is W_max
    assert control.cwnd > 1040 * MSS


def test_the_target_is_at_most_half_a_window_away() -> None:
    control = after_loss_at(1000)
    control.on_ack(sample(MSS), 0.0)
    # Sixty seconds on, W_cubic is far away; a window's worth acknowledged at once may not jump there
    window = control.cwnd
    control.on_ack(sample(window, rtt=RTT), 60.0)
    assert control.cwnd == int(window * 1.5)


def test_one_acknowledgment_of_many_segments_grows_like_many_of_one() -> None:
    by_one, by_45 = after_loss_at(1000), after_loss_at(1000)
    for i in range(30):
        round_trip(by_one, i * RTT)
        round_trip(by_45, i * RTT, step=45 * MSS)
    assert by_45.cwnd == pytest.approx(by_one.cwnd, rel=0.01)


def test_an_acknowledgment_of_more_than_the_window_does_not_pass_the_target() -> None:
    control = after_loss_at(1000)
    control.on_ack(sample(MSS), 0.0)
    control.on_ack(sample(3000 * MSS), 4.0)
    k = (1000 * 0.3 / 0.4) ** (1 / 3)
    assert control.cwnd / MSS == pytest.approx(0.4 * (4.0 + RTT - k) ** 3 + 1000, rel=0.001)


def test_a_small_window_grows_as_reno_would_on_average() -> None:
    # 20 segments at 10 ms: W_cubic needs K = 2.47 s back to W_max; AIMD(0.529, 0.7) needs 6/0.529 = 11.3
    # round trips, 0.113 s, and from W_max on one segment a round trip (RFC 9438 §4.3)
    control = after_loss_at(20)
    now = 0.0
    for _ in range(8):
        round_trip(control, now, rtt=0.01)
        now += 0.01
    assert control.cwnd / MSS == pytest.approx(14 + 8 * ALPHA, abs=0.35)
    while control.cwnd < 20 * MSS:
        round_trip(control, now, rtt=0.01)
        now += 0.01
    assert 0.10 <= now <= 0.13
    before = control.cwnd
    for _ in range(10):
        round_trip(control, now, rtt=0.01)
        now += 0.01
    assert (control.cwnd - before) / MSS == pytest.approx(10, abs=0.8)


def test_alpha_is_three_seventeenths_times_three() -> None:
    assert pytest.approx(9 / 17) == ALPHA


def test_fast_convergence_lowers_w_max_of_a_shrinking_flow() -> None:
    slow, fast = after_loss_at(1000, fast_convergence=False), after_loss_at(1000)
    for control in slow, fast:
        control.on_ack(sample(0), 0.0)
        control.on_loss(control.cwnd, 0.01)  # at 700 < W_max = 1000
        control.on_recovered(control.ssthresh, 0.02)
        assert control.cwnd == 490 * MSS
        control.on_ack(sample(0), 0.02)
    for i in range(200):
        round_trip(slow, 0.02 + i * RTT)
        round_trip(fast, 0.02 + i * RTT)
        if i == 60:  # the plateau: 700 without, 700 * 1.7 / 2 = 595 with fast convergence
            assert slow.cwnd / MSS == pytest.approx(700, rel=0.01)
            assert fast.cwnd / MSS == pytest.approx(595, rel=0.02)
            return


def test_time_without_a_filled_window_is_no_time_of_growth() -> None:
    steady, paused = after_loss_at(1000), after_loss_at(1000)
    for i in range(20):
        round_trip(steady, i * RTT)
        round_trip(paused, i * RTT)
    for i in range(50):
        paused.on_ack(sample(MSS, limited=False), 2.0 + i)
    for i in range(20, 40):
        round_trip(steady, i * RTT)
        round_trip(paused, 52.0 + (i - 20) * RTT)
    assert paused.cwnd == pytest.approx(steady.cwnd, rel=0.01)


def test_after_idle_the_initial_window_and_a_stage_of_its_own() -> None:
    control = after_loss_at(1000)
    for i in range(20):
        round_trip(control, i * RTT)
    control.on_idle(100.0)
    assert (control.cwnd, control.ssthresh) == (10 * MSS, 700 * MSS)
    now = 100.0
    while control.cwnd < control.ssthresh:
        round_trip(control, now)
        now += RTT
    assert control.cwnd < 715 * MSS
    round_trip(control, now)
    assert control.cwnd < 730 * MSS  # and not 1.5 times as much, to catch up with a hundred seconds


def test_timeout_begins_again_with_one_segment_and_k_zero() -> None:
    control = after_loss_at(1000)
    control.on_ack(sample(0), 0.0)
    control.on_timeout(700 * MSS, again=False, now=1.0)
    assert (control.cwnd, control.ssthresh) == (MSS, 490 * MSS)
    control.on_timeout(MSS, again=True, now=3.0)
    assert (control.cwnd, control.ssthresh) == (MSS, 490 * MSS)
    control.cwnd = control.ssthresh
    control.on_ack(sample(0), 4.0)
    for i in range(20):
        round_trip(control, 4.0 + i * RTT)
    # RFC 9438 §4.8: W_max is the window the stage began with: 490 + 0.4 * 2 ** 3, against Reno's 0.529 a
    # round trip, 490 + 10.6
    assert control.cwnd / MSS == pytest.approx(490 + 20 * ALPHA, abs=1.0)


def test_undo_restores_everything() -> None:
    undone, untouched = after_loss_at(1000), after_loss_at(1000)
    for i in range(20):
        round_trip(undone, i * RTT)
        round_trip(untouched, i * RTT)
    undone.on_loss(undone.cwnd, 2.0)
    undone.cwnd = undone.ssthresh
    undone.undo(2.01)
    assert (undone.cwnd, undone.ssthresh) == (untouched.cwnd, untouched.ssthresh)
    for i in range(20, 100):
        round_trip(undone, i * RTT)
        round_trip(untouched, i * RTT)
    assert undone.cwnd == untouched.cwnd


def test_undo_after_the_next_stage_has_begun_restores_the_curve() -> None:
    # a DSACK tells of the mistake a round trip after recovery was over (RFC 9438 §4.9.2)
    undone, untouched = after_loss_at(1000), after_loss_at(1000)
    for i in range(20):
        round_trip(undone, i * RTT)
        round_trip(untouched, i * RTT)
    undone.on_loss(undone.cwnd, 2.0)
    undone.on_recovered(undone.ssthresh, 2.1)
    undone.on_ack(sample(MSS), 2.2)
    undone.undo(2.2)
    for i in range(20, 60):
        round_trip(undone, i * RTT)
        round_trip(untouched, i * RTT)
    assert undone.cwnd == untouched.cwnd


def test_undo_of_a_timeout_and_of_a_repeated_one() -> None:
    control = cubic()
    control.cwnd = 50 * MSS
    control.on_timeout(50 * MSS, again=False, now=1.0)
    control.on_timeout(MSS, again=True, now=2.0)
    control.undo(2.1)
    assert (control.cwnd, control.ssthresh) == (50 * MSS, UNLIMITED)


def test_undo_comes_too_late_when_the_window_is_larger_already() -> None:
    control = after_loss_at(100)
    control.cwnd = 120 * MSS
    control.undo(5.0)
    assert (control.cwnd, control.ssthresh) == (120 * MSS, 70 * MSS)
    control.cwnd = 60 * MSS
    control.undo(6.0)
    assert control.cwnd == 60 * MSS


def test_a_mark_reduces_at_once_down_to_one_segment() -> None:
    control = cubic()
    control.cwnd = 100 * MSS
    control.on_congestion_mark(100 * MSS, 0.0)
    assert (control.cwnd, control.ssthresh) == (70 * MSS, 70 * MSS)
    control.undo(0.1)
    assert control.cwnd == 70 * MSS
    for _ in range(20):
        control.on_congestion_mark(control.cwnd, 1.0)
    assert (control.cwnd, control.ssthresh) == (MSS, 2 * MSS)


def test_what_a_mark_has_reduced_no_undo_restores() -> None:
    control = cubic()
    control.cwnd = 100 * MSS
    control.on_loss(100 * MSS, 0.0)
    control.on_recovered(control.ssthresh, 0.1)
    control.on_congestion_mark(70 * MSS, 0.2)
    control.undo(0.3)
    assert control.cwnd == control.ssthresh == 49 * MSS


def test_abe_reduces_less_for_a_mark_in_congestion_avoidance() -> None:
    control = after_loss_at(100, abe=True)
    control.on_ack(sample(0), 0.0)
    control.on_congestion_mark(70 * MSS, 0.1)
    assert control.cwnd == int(70 * MSS * 0.85)
    control.on_loss(control.cwnd, 1.0)
    assert control.ssthresh == int(int(70 * MSS * 0.85) * 0.7)


def test_an_unfilled_window_is_reduced_from_what_was_in_flight() -> None:
    control = after_loss_at(1000)
    control.on_ack(sample(0), 0.0)
    control.on_ack(sample(MSS, limited=False), 0.1)
    control.on_loss(20 * MSS, 0.2)
    assert control.ssthresh == 14 * MSS


def test_a_filled_window_is_reduced_from_cwnd_after_a_stretch_acknowledgment() -> None:
    control = after_loss_at(1000)
    control.on_ack(sample(600 * MSS), 0.0)
    window = control.cwnd
    control.on_loss(100 * MSS, 0.0)
    assert control.ssthresh == int(window * 0.7)


def test_a_lost_syn_begins_with_one_segment() -> None:
    control = cubic()
    control.on_syn_lost()
    assert control.cwnd == MSS


def test_paced_it_has_no_limit_and_a_rate() -> None:
    control = cubic(paced=True)
    assert control.pacing_rate is None
    control.on_ack(sample(45 * MSS), 0.1)
    assert control.cwnd == 55 * MSS
    assert control.pacing_rate == pytest.approx(2 * 55 * MSS / RTT)
    control.on_loss(control.cwnd, 0.2)
    control.on_recovered(0, 0.3)
    control.on_ack(sample(0), 0.3)
    assert control.pacing_rate == pytest.approx(1.2 * control.cwnd / RTT)
