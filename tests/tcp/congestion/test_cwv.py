"""Congestion window validation: what RFC 7661 keeps of an unused window, and for how long."""

import pytest

from usertcp.tcp.congestion.base import UNLIMITED, AckSample
from usertcp.tcp.congestion.cubic import Cubic
from usertcp.tcp.congestion.cwv import WindowValidation
from usertcp.tcp.congestion.newreno import NewReno

MSS = 1000
RTT = 0.1


class Sender:
    """A sender that uses so much of its window in each round trip."""

    def __init__(self, control: Cubic | NewReno) -> None:
        self.control = control
        self.una = 0
        self.now = 0.0

    def round_trips(self, count: int, used: int) -> None:
        for _ in range(count):
            end = self.una + used
            self.now += RTT
            for i in range(used // MSS):
                self.una += MSS
                s = AckSample()
                s.acked = s.delivered = MSS
                s.rtt = s.srtt = s.min_rtt = RTT
                s.limited = False
                s.snd_una = self.una
                s.snd_nxt = end + i * MSS
                self.control.on_ack(s, self.now)


@pytest.fixture(params=[Cubic, NewReno])
def sender(request: pytest.FixtureRequest) -> Sender:
    control = request.param(10, 8, validate=True)
    control.set_mss(MSS)
    control.cwnd = control.ssthresh = 100 * MSS
    return Sender(control)


def test_a_used_window_is_validated(sender: Sender) -> None:
    sender.round_trips(5, 60 * MSS)
    validation = sender.control._validation
    assert validation is not None
    assert validation.pipe_ack(sender.now) == 60 * MSS
    assert validation.validated(100 * MSS, sender.now)


def test_pipe_ack_is_the_largest_of_the_last_second(sender: Sender) -> None:
    validation = sender.control._validation
    assert validation is not None
    assert validation.pipe_ack(0.0) is None
    sender.round_trips(3, 60 * MSS)
    sender.round_trips(5, 10 * MSS)
    assert validation.pipe_ack(sender.now) == 60 * MSS
    sender.round_trips(10, 10 * MSS)
    assert validation.pipe_ack(sender.now) == 10 * MSS
    assert not validation.validated(100 * MSS, sender.now)
    assert validation.pipe_ack(sender.now + 2) == 0


def test_a_short_silence_costs_nothing(sender: Sender) -> None:
    sender.round_trips(5, 60 * MSS)
    sender.control.on_idle(sender.now + 60)
    assert sender.control.cwnd == 100 * MSS


def test_each_five_minutes_unused_halve_the_window_down_to_the_initial_one(sender: Sender) -> None:
    sender.round_trips(5, 60 * MSS)
    sender.control.on_idle(sender.now + 301)
    assert (sender.control.cwnd, sender.control.ssthresh) == (50 * MSS, 100 * MSS)
    sender.control.on_idle(sender.now + 599)
    assert sender.control.cwnd == 50 * MSS
    sender.control.on_idle(sender.now + 3000)
    assert (sender.control.cwnd, sender.control.ssthresh) == (10 * MSS, 100 * MSS)


def test_five_minutes_of_little_use_count_as_well(sender: Sender) -> None:
    sender.round_trips(5, 60 * MSS)
    sender.round_trips(3030, 10 * MSS)
    assert sender.control.cwnd == 50 * MSS


def test_a_loss_is_answered_by_what_was_used(sender: Sender) -> None:
    sender.round_trips(20, 30 * MSS)
    sender.control.on_loss(20 * MSS, sender.now)
    assert sender.control.ssthresh == 15 * MSS  # half of pipeACK, the larger of the two
    sender.control.on_recovered(15 * MSS, sender.now, 4 * MSS)
    assert sender.control.cwnd == sender.control.ssthresh == 13 * MSS  # (30 - 4) / 2
    validation = sender.control._validation
    assert validation is not None
    assert validation.pipe_ack(sender.now) is None


def test_a_validated_window_is_reduced_as_ever(sender: Sender) -> None:
    sender.round_trips(20, 100 * MSS)
    sender.control.on_loss(100 * MSS, sender.now)
    assert sender.control.ssthresh == (70 if isinstance(sender.control, Cubic) else 50) * MSS
    sender.control.on_recovered(sender.control.ssthresh, sender.now, 4 * MSS)
    assert sender.control.cwnd == sender.control.ssthresh


def test_a_timeout_begins_anew(sender: Sender) -> None:
    sender.round_trips(20, 30 * MSS)
    sender.control.on_timeout(30 * MSS, again=False, now=sender.now)
    assert (sender.control.cwnd, sender.control.ssthresh) == (MSS, 15 * MSS)
    validation = sender.control._validation
    assert validation is not None
    assert validation.pipe_ack(sender.now) is None


def test_without_it_the_silence_costs_the_window() -> None:
    control = Cubic(10, 8)
    control.set_mss(MSS)
    control.cwnd = 100 * MSS
    control.on_idle(5.0)
    assert (control.cwnd, control.ssthresh) == (10 * MSS, UNLIMITED)


def test_what_is_kept_is_bounded() -> None:
    validation = WindowValidation()
    for i in range(1, 10000):
        s = AckSample()
        s.acked, s.snd_una, s.snd_nxt, s.srtt = 10, 10 * i, 10 * i, 0.001
        validation.on_ack(s, i / 1000)
    assert len(validation._maxima) <= 5
