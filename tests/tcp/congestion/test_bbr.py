"""BBR on a simulated bottleneck, packet by packet."""

from collections import deque
from math import inf

import pytest

from usertcp.tcp.congestion.base import UNLIMITED, AckSample
from usertcp.tcp.congestion.bbr import Bbr, BbrState

MSS = 1000
RATE = 1_250_000  # bytes per second: 10 Mbit/s
RTT = 0.04
BDP = int(RATE * RTT)


class Path:
    """A paced sender that always has data, a bottleneck with a queue, and a receiver that acknowledges all.

    What the queue refuses, or ``drop_every`` picks, is reported as lost with the next packet's
    acknowledgment; what is sent instead counts as new, since a controller sees bytes and not their numbers.
    """

    def __init__(self, control: Bbr, *, queue: float = inf, drop_every: int = 0) -> None:
        self.control, self.queue, self.drop_every = control, queue, drop_every
        self.rate, self.rtt = RATE, RTT
        self.now = self.next_send = self.link_free = 0.0
        self.sent = self.delivered = self.in_flight = self.lost = self.una = 0
        self.delivered_at = self.first_sent_at = 0.0
        self.flying: deque[tuple[float, float, int, float, float, int]] = deque()
        self.min_rtt = inf
        self.recover = -1
        self.states: list[BbrState] = []
        self.queue_delay = 0.0

    def run(self, seconds: float) -> float:
        """Returns the goodput as a share of the bottleneck's rate."""
        end, before = self.now + seconds, self.delivered
        while self.now < end:
            may_send = self.in_flight + MSS <= self.control.cwnd
            if may_send and (not self.flying or self.next_send <= self.flying[0][0]):
                self.now = max(self.now, self.next_send)
                self.send()
            else:
                assert self.flying, "nothing in flight and nothing may be sent"
                self.acknowledge()
        return (self.delivered - before) / (seconds * self.rate)

    def send(self) -> None:
        self.sent += 1
        if not self.flying:
            self.delivered_at = self.first_sent_at = self.now
        self.in_flight += MSS
        waiting = max(self.link_free - self.now, 0.0)
        rate = self.control.pacing_rate
        self.next_send = self.now + (MSS / rate if rate else 0.0)
        if waiting * self.rate + MSS > self.queue + MSS or (self.drop_every and self.sent % self.drop_every == 0):
            self.lost += MSS
            return
        self.link_free = self.now + waiting + MSS / self.rate
        record = (self.link_free + self.rtt, self.now, self.delivered, self.delivered_at, self.first_sent_at, self.sent)
        self.flying.append(record)

    def acknowledge(self) -> None:
        at, sent_at, delivered, delivered_at, first_sent_at, number = self.flying.popleft()
        self.now = at
        self.delivered += MSS
        self.delivered_at, self.first_sent_at = at, sent_at
        s = AckSample()
        s.acked = s.delivered = MSS
        s.total_delivered, s.prior_delivered = self.delivered, delivered
        s.rtt = s.srtt = at - sent_at
        self.queue_delay = s.rtt - self.rtt
        self.min_rtt = s.min_rtt = min(self.min_rtt, s.rtt)
        s.in_flight, s.lost, self.lost = self.in_flight, self.lost, 0
        s.limited = True
        s.snd_una, s.snd_nxt = number * MSS, self.sent * MSS
        s.rate = (self.delivered - delivered) / max(at - delivered_at, sent_at - first_sent_at)
        s.rate_app_limited = False
        self.in_flight -= MSS + s.lost
        if s.lost and number > self.recover:
            self.recover = self.sent
            self.control.on_loss(s.in_flight, at)
        self.control.on_ack(s, at)
        if not self.states or self.states[-1] is not self.control.state:
            self.states.append(self.control.state)


def bbr() -> Bbr:
    control = Bbr(10, 8)
    control.set_mss(MSS)
    return control


def test_it_finds_the_bandwidth_and_the_round_trip_time() -> None:
    path = Path(bbr())
    path.run(1.0)
    assert path.states == [BbrState.STARTUP, BbrState.DRAIN, BbrState.PROBE_BW]
    assert path.run(4.0) > 0.95
    assert path.control.bandwidth == pytest.approx(RATE, rel=0.03)
    assert path.control.min_rtt == pytest.approx(RTT + MSS / RATE, rel=0.02)
    assert path.queue_delay < 0.4 * RTT  # a queue only while it probes


def test_startup_doubles_the_rate_in_each_round_trip() -> None:
    path = Path(bbr())
    path.rate = 100 * RATE
    path.run(2.5 * RTT)
    first = path.control.bandwidth
    path.run(2 * RTT)
    assert path.control.bandwidth / first == pytest.approx(4, rel=0.25)


def test_the_gain_cycle_probes_up_and_then_drains() -> None:
    path = Path(bbr())
    path.run(1.0)
    gains = []
    for _ in range(1000):
        path.run(0.001)
        gain = round(path.control.pacing_rate / path.control.bandwidth / 0.99, 2)
        if not gains or gains[-1] != gain:
            gains.append(gain)
    assert gains[1:4] in ([1.25, 0.75, 1.0], [0.75, 1.0, 1.25], [1.0, 1.25, 0.75])
    assert set(gains) == {0.75, 1.0, 1.25}


def test_more_bandwidth_is_found_by_probing() -> None:
    path = Path(bbr())
    path.run(2.0)
    path.rate = 2 * RATE
    path.run(4.0)
    assert path.control.bandwidth == pytest.approx(2 * RATE, rel=0.05)


def test_less_bandwidth_is_known_after_ten_round_trips() -> None:
    path = Path(bbr())
    path.run(2.0)
    path.rate = RATE // 2
    path.run(3.0)
    assert path.control.bandwidth == pytest.approx(RATE / 2, rel=0.05)
    assert path.run(3.0) > 0.95


def test_a_longer_path_is_noticed_by_probe_rtt() -> None:
    path = Path(bbr())
    path.run(2.0)
    path.rtt = 2 * RTT
    path.states.clear()
    path.run(12.0)
    assert BbrState.PROBE_RTT in path.states
    assert path.control.state is BbrState.PROBE_BW
    assert path.control.min_rtt == pytest.approx(2 * RTT, rel=0.1)
    assert path.run(5.0) > 0.95


def test_probe_rtt_empties_the_queue_of_a_full_path() -> None:
    path = Path(bbr())
    path.run(2.0)
    path.control.min_rtt = RTT * 1.5  # what a flow that began beside others believes
    path.control._min_rtt_at = path.now
    while path.control.state is not BbrState.PROBE_RTT:
        path.control._min_rtt_at = min(path.control._min_rtt_at, path.now - 10)
        path.run(0.01)
    began = path.now
    while path.control.state is BbrState.PROBE_RTT:
        path.run(0.005)
    assert 0.2 <= path.now - began < 0.2 + 4 * RTT
    assert path.control.cwnd > BDP  # the window is back


def test_probe_rtt_teaches_nothing_about_the_bandwidth() -> None:
    path = Path(bbr())
    path.rate, path.rtt = 20 * RATE, RTT / 20  # in 200 ms are a hundred round trips
    path.run(9.9)
    while path.control.state is not BbrState.PROBE_RTT:
        path.run(0.01)
        path.control._min_rtt_at = min(path.control._min_rtt_at, path.now - 10)
    while path.control.state is BbrState.PROBE_RTT:
        path.run(0.001)
        assert path.control.bandwidth == pytest.approx(20 * RATE, rel=0.05)


def test_one_percent_of_random_loss_is_noise() -> None:
    path = Path(bbr(), drop_every=101)
    path.run(2.0)
    assert path.run(5.0) > 0.9
    assert path.control.inflight_hi == UNLIMITED


def test_a_shallow_queue_bounds_what_is_in_flight() -> None:
    bounded, feels_nothing = Path(bbr(), queue=BDP / 10), Path(bbr(), queue=BDP / 10)
    sent = []
    for path in bounded, feels_nothing:
        path.run(2.0)
        before = path.sent, path.delivered // MSS
        assert path.run(10.0) > 0.9
        sent.append(1 - (path.delivered // MSS - before[1]) / (path.sent - before[0]))
        if path is bounded:
            assert path.control.inflight_hi < 2 * BDP
    assert sent[0] < 0.03


def test_startup_ends_for_loss_in_its_first_lossy_round_trip() -> None:
    control = bbr()
    path = Path(control, queue=20 * BDP / 10)
    path.rate = 20 * RATE
    while control.state is BbrState.STARTUP:
        path.run(0.001)
    assert control.inflight_hi < 2 * 20 * BDP
    assert control.ssthresh != UNLIMITED
    assert control._full_rounds < 3


def cruising() -> Path:
    """A path in the first of the six round trips without a probe."""
    path = Path(bbr())
    path.run(2.0)
    while path.control._cycle_index != 2:
        path.run(0.001)
    return path


def lose(path: Path, segments: int) -> None:
    """So many more were sent, and none arrived."""
    path.lost += segments * MSS
    path.in_flight += segments * MSS
    path.acknowledge()


def test_a_few_lost_segments_cost_the_window_no_more_than_themselves() -> None:
    path = cruising()
    window = path.control.cwnd
    lose(path, 5)
    assert window - 5 * MSS <= path.control.cwnd < window
    path.run(2 * RTT)
    assert path.control.cwnd == window


def test_heavy_loss_is_answered_by_conservation_and_the_window_comes_back() -> None:
    path = cruising()
    window = path.control.cwnd
    lose(path, 40)
    assert path.control.cwnd <= path.in_flight + MSS < window
    path.run(4 * RTT)
    assert path.control.cwnd == window


def test_the_end_of_recovery_gives_the_window_back_at_once() -> None:
    path = cruising()
    control = path.control
    window = control.cwnd
    lose(path, 40)
    assert control.cwnd < window
    control.on_recovered(path.in_flight, path.now)
    assert control.cwnd == window


def test_startup_does_not_slow_down_for_a_low_first_sample() -> None:
    control = bbr()
    s = AckSample()
    s.acked = s.delivered = s.total_delivered = MSS
    s.in_flight, s.prior_delivered, s.snd_una, s.snd_nxt = MSS, 0, MSS, MSS
    s.rtt = s.srtt = s.min_rtt = RTT
    s.rate, s.rate_app_limited = None, False
    control.on_ack(s, RTT)
    assert control.pacing_rate is not None
    assert control.pacing_rate >= 2.77 * 10 * MSS / RTT  # the initial window in a round trip
    before = control.pacing_rate
    s.rate, s.prior_delivered, s.total_delivered = MSS / RTT, MSS, 2 * MSS
    control.on_ack(s, 2 * RTT)
    assert control.pacing_rate == before


def test_timeout_and_its_undo() -> None:
    path = Path(bbr())
    path.run(2.0)
    control = path.control
    window = control.cwnd
    control.on_timeout(window, again=False, now=path.now)
    assert control.cwnd == MSS
    control.on_timeout(MSS, again=True, now=path.now)
    control.undo(path.now)
    assert control.cwnd == window
    control.on_timeout(window, again=False, now=path.now)
    path.in_flight = 0
    path.flying.clear()
    path.run(12 * RTT)
    assert control.cwnd == pytest.approx(window, rel=0.1)


def test_a_mark_bounds_what_is_in_flight_and_probing_lifts_it() -> None:
    path = Path(bbr())
    path.run(2.0)
    control = path.control
    control.on_congestion_mark(path.in_flight, path.now)
    assert control.cwnd <= 0.7 * path.in_flight + 1
    assert control.cwnd == control.inflight_hi
    path.run(3.0)
    assert path.run(1.0) > 0.95


def test_app_limited_samples_do_not_lower_the_bandwidth() -> None:
    path = Path(bbr())
    path.run(2.0)
    control = path.control
    bandwidth = control.bandwidth
    for i in range(100):
        s = AckSample()
        s.acked = s.delivered = MSS
        s.prior_delivered = path.delivered + i * MSS
        s.total_delivered = path.delivered + (i + 1) * MSS
        s.rtt = s.srtt = s.min_rtt = RTT
        s.in_flight = MSS
        s.limited = False
        s.snd_una = s.snd_nxt = 0
        s.rate, s.rate_app_limited = RATE / 10, True
        control.on_ack(s, path.now + i * RTT)
    assert control.bandwidth == bandwidth


def test_restart_from_idle_at_the_bottleneck_rate_and_not_in_probe_rtt() -> None:
    path = Path(bbr())
    path.run(2.0)
    control = path.control
    while path.flying:
        path.acknowledge()
    path.now = path.next_send = path.now + 60
    control.on_idle(path.now)
    assert control.pacing_rate == pytest.approx(control.bandwidth * 0.99)
    assert control.cwnd > BDP
    path.send()
    path.acknowledge()
    assert control.state is BbrState.PROBE_BW
