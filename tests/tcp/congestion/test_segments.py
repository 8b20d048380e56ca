"""Controllers whose windows are whole numbers of segments."""

from __future__ import annotations

import pytest

from usertcp.tcp.congestion.base import UNLIMITED, AckSample
from usertcp.tcp.congestion.registry import of_settings
from usertcp.tcp.congestion.segment_cubic import SegmentCubic
from usertcp.tcp.congestion.segments import SegmentReno
from usertcp.tcp.settings import Settings

MSS = 1000


def _sample(segments: int) -> AckSample:
    sample = AckSample()
    sample.acked = sample.delivered = segments * MSS
    sample.limited = True
    sample.srtt = 0.1
    return sample


def _made(kind: type[SegmentReno], cwnd: int, ssthresh: int) -> SegmentReno:
    control = kind(10, 1 << 20)
    control.set_mss(MSS)
    control.cwnd, control.ssthresh = cwnd * MSS, ssthresh * MSS
    return control


@pytest.mark.parametrize("name", ["cubic", "reno", "dctcp", "bbr"])
def test_by_name(name: str) -> None:
    control = of_settings(Settings(window_unit="segment", congestion_control=name))
    assert control.name == name
    control.set_mss(MSS)
    control.round_trip(0.1, 1, 2, 3.0)
    control.sending_again(0.1, 3.0)


def test_what_slow_start_does_not_need_counts_for_avoidance() -> None:
    control = _made(SegmentReno, 10, 12)
    control.on_ack(_sample(10), 0.0)
    assert control.cwnd == 12 * MSS
    control.on_ack(_sample(4), 0.0)
    assert control.cwnd == 13 * MSS


def test_what_was_saved_for_a_larger_window_is_one_segment() -> None:
    control = _made(SegmentReno, 10, 2)
    control.on_ack(_sample(9), 0.0)
    control.cwnd = 5 * MSS
    control.on_ack(_sample(1), 0.0)
    assert control.cwnd == 6 * MSS


@pytest.mark.parametrize(("kind", "ssthresh"), [(SegmentReno, 5), (SegmentCubic, 7)])
def test_a_loss_and_its_undoing(kind: type[SegmentReno], ssthresh: int) -> None:
    control = _made(kind, 11, UNLIMITED // MSS)
    control.on_loss(3 * MSS, 0.0)
    assert control.ssthresh == ssthresh * MSS
    control.on_recovered(0, 0.0)
    assert control.cwnd == ssthresh * MSS
    control.undo(0.0)
    assert control.cwnd == 11 * MSS
    assert control.ssthresh >= UNLIMITED // MSS * MSS


def test_idle_times_halve_down_to_the_initial_window() -> None:
    control = _made(SegmentReno, 64, 100)
    control.on_idle(0.0, 2)
    assert control.cwnd == 16 * MSS
    control.on_idle(0.0, 60)
    assert control.cwnd == 10 * MSS


def test_cubic_climbs_back_and_stops_the_clock_when_idle() -> None:
    """From 7 segments; where nothing can grow, the function's time stands still (RFC 9438 §5.8)."""
    control = _made(SegmentCubic, 10, UNLIMITED // MSS)
    control.round_trip(0.1, 1, 2, 0.0)
    control.on_loss(0, 0.0)
    control.on_recovered(0, 0.0)
    windows = []
    for tick in range(40):
        now = 0.1 * (tick + 1)
        control.on_ack(_sample(control.cwnd // MSS), now)
        windows.append(control.cwnd // MSS)
    assert windows[0] == 8
    assert windows == sorted(windows)
    assert windows[20] == 18  # Reno's estimate, half a segment a round trip, is ahead of the function (RFC 9438 §4.3)
    still = _made(SegmentCubic, 10, UNLIMITED // MSS)
    still.round_trip(0.1, 1, 2, 0.0)
    still.on_loss(0, 0.0)
    still.on_recovered(0, 0.0)
    still.on_ack(_sample(1), 0.1)
    for tick in range(40):
        still.sending_again(0.1, 0.1 * (tick + 2))
    assert still.cwnd == 7 * MSS


def test_slow_start_ends_where_the_delay_rises() -> None:
    control = _made(SegmentCubic, 20, UNLIMITED // MSS)
    for number in range(20):
        control.round_trip(0.1, number, 100, float(number))
    for number in range(20):
        control.round_trip(0.15, 101 + number, 400, 30.0 + number)
    assert control.ssthresh == 20 * MSS


def test_and_not_while_the_window_is_small() -> None:
    control = _made(SegmentCubic, 15, UNLIMITED // MSS)
    for number in range(40):
        control.round_trip(0.1 + 0.1 * (number > 20), number, 400, float(number))
    assert control.ssthresh > 1000 * MSS
