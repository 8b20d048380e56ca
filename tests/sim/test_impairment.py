"""Packets in with a time, packets out with a time, and chance from a seed."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usertcp.sim.impairment import PERFECT, Burst, Conditions, Impairment
from usertcp.sim.selection import Nth, kinds_of
from usertcp.wire import ipv4, ipv6, tcp
from usertcp.wire.tcp import ACK, FIN, RST, SYN, Segment

A4, B4 = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])
A6, B6 = bytes(15) + b"\1", bytes(15) + b"\2"


def tcp_packet(flags: int, data: bytes = b"", *, family: int = 4) -> bytes:
    src, dst = (A4, B4) if family == 4 else (A6, B6)
    segment = Segment(1, 2, 3, 4, flags, 5, payload=data)
    body = tcp.emit(segment, src, dst) + data
    if family == 4:
        return ipv4.emit(ipv4.Header(src, dst, tcp.PROTOCOL), len(body)) + body
    return ipv6.emit(ipv6.Header(src, dst, tcp.PROTOCOL), len(body)) + body


def numbered(count: int) -> list[bytes]:
    return [number.to_bytes(4, "big") * 10 for number in range(count)]


def all_at_once(impairment: Impairment, packets: list[bytes], now: float = 0.0) -> list[tuple[float, bytes]]:
    for packet in packets:
        impairment.put(packet, now)
    return list(impairment.take(inf))


def test_a_perfect_path_changes_nothing() -> None:
    packets = numbered(5)
    assert all_at_once(Impairment(), packets, now=3.0) == [(3.0, packet) for packet in packets]
    assert Impairment().deadline() == inf


def test_what_is_not_due_stays() -> None:
    path = Impairment(Conditions(delay=1.0))
    path.put(b"a", 0.0)
    path.put(b"b", 0.5)
    assert path.deadline() == 1.0
    assert list(path.take(0.9)) == []
    assert list(path.take(1.2)) == [(1.0, b"a")]
    assert path.deadline() == 1.5
    assert list(path.take(2.0)) == [(1.5, b"b")]
    assert path.deadline() == inf


def test_loss() -> None:
    path = Impairment(Conditions(loss=0.25), seed=1)
    through = all_at_once(path, numbered(10_000))
    assert path.counts["lost"] == 10_000 - len(through)
    assert 2300 < path.counts["lost"] < 2700


def test_burst_loss_comes_in_bursts() -> None:
    packets = numbered(20_000)
    path = Impairment(Conditions(burst=Burst(begins=0.01, length=5)), seed=1)
    through = {packet for _, packet in all_at_once(path, packets)}
    bursts = []
    length = 0
    for packet in packets:
        if packet in through:
            if length:
                bursts.append(length)
            length = 0
        else:
            length += 1
    assert 150 < len(bursts) < 250
    assert 4 < sum(bursts) / len(bursts) < 6
    assert path.counts["lost"] == sum(bursts)


def test_corruption_flips_one_bit() -> None:
    path = Impairment(Conditions(corrupt=1.0), seed=1)
    packets = numbered(100)
    for packet, (_, damaged) in zip(packets, all_at_once(path, packets), strict=True):
        difference = int.from_bytes(packet, "big") ^ int.from_bytes(damaged, "big")
        assert difference.bit_count() == 1
        assert len(damaged) == len(packet)


@pytest.mark.parametrize("family", [4, 6])
def test_one_flipped_bit_never_gets_past_the_checksums(family: int) -> None:
    packet = tcp_packet(ACK, b"some text", family=family)
    path = Impairment(Conditions(corrupt=1.0), seed=2)
    for _, damaged in all_at_once(path, [packet] * 300):
        if family == 4:
            header = ipv4.parse(damaged)
            if not isinstance(header, ipv4.Header):
                continue
            assert header == ipv4.parse(packet)
            assert not tcp.checksum_ok(damaged[20:], header.src, header.dst)
        else:
            # IPv6 has no checksum of its own: the hop limit may differ, what counts may not.
            six = ipv6.parse(damaged)
            if isinstance(six, ipv6.Header) and six.next_header == tcp.PROTOCOL:
                data = damaged[six.payload_offset : six.payload_offset + six.payload_length]
                intact = (six.src, six.dst, data) == (A6, B6, packet[40:])
                assert intact or not tcp.checksum_ok(data, six.src, six.dst)


def test_duplicates_follow_at_once() -> None:
    path = Impairment(Conditions(duplicate=1.0, delay=1.0))
    assert all_at_once(path, [b"a", b"b"]) == [(1.0, b"a"), (1.0, b"a"), (1.0, b"b"), (1.0, b"b")]
    assert path.counts["duplicated"] == 2


def test_jitter_keeps_the_order() -> None:
    path = Impairment(Conditions(delay=1.0, jitter=0.5), seed=1)
    packets = numbered(200)
    through = all_at_once(path, packets)
    assert [packet for _, packet in through] == packets
    times = [time for time, _ in through]
    assert times == sorted(times)
    assert times[0] >= 1.0
    assert times[-1] <= 1.5
    assert len(set(times)) > 1


class Deciding:
    """Chance that a test has decided: the packets with these numbers are held."""

    def __init__(self, *held: int) -> None:
        self.held = held
        self.drawn = -1

    def random(self) -> float:
        self.drawn += 1
        return 0.0 if self.drawn in self.held else 1.0


def holding(*held: int, delay: float = 0.0, distance: int = 3, patience: float = 10.0) -> Impairment:
    path = Impairment(Conditions(reorder=0.5, delay=delay, reorder_distance=distance, reorder_delay=patience))
    path._random = Deciding(*held)  # type: ignore[assignment]
    return path


def test_three_packets_overtake() -> None:
    path = holding(1)
    assert [packet for _, packet in all_at_once(path, [b"a", b"b", b"c", b"d", b"e", b"f"])] == [
        b"a", b"c", b"d", b"e", b"b", b"f",
    ]  # fmt: skip
    assert path.counts["reordered"] == 1


def test_nobody_overtakes_so_it_goes_after_a_while() -> None:
    path = holding(0, delay=1.0, patience=0.2)
    path.put(b"a", 0.0)
    path.put(b"b", 0.0)
    assert path.deadline() == 1.0
    assert list(path.take(1.0)) == [(1.0, b"b")]
    assert path.deadline() == pytest.approx(1.2)
    assert [packet for _, packet in path.take(1.3)] == [b"a"]
    assert path.deadline() == inf


def test_a_held_packet_that_is_overtaken_late_does_not_wait_any_longer() -> None:
    path = holding(0, patience=0.2)
    path.put(b"a", 0.0)
    path.put(b"b", 0.1)
    path.put(b"c", 0.5)
    assert list(path.take(inf)) == [(0.1, b"b"), (0.2, b"a"), (0.5, b"c")]


def test_the_bottleneck_spaces_packets_out() -> None:
    path = Impairment(Conditions(rate=8000, delay=1.0))
    assert all_at_once(path, [bytes(100), bytes(300), bytes(100)]) == [
        (pytest.approx(1.1), bytes(100)),
        (pytest.approx(1.4), bytes(300)),
        (pytest.approx(1.5), bytes(100)),
    ]


def test_the_queue_before_the_bottleneck_is_bounded() -> None:
    path = Impairment(Conditions(rate=8000, queue=2))
    packets = [bytes([number]) * 100 for number in range(6)]
    assert [packet[0] for _, packet in all_at_once(path, packets)] == [0, 1, 2]
    assert path.counts["queue-full"] == 3
    path.put(packets[5], 0.1)
    assert [packet[0] for _, packet in path.take(inf)] == [5]


@pytest.mark.parametrize("family", [4, 6])
def test_what_a_segment_is(family: int) -> None:
    assert kinds_of(tcp_packet(SYN, family=family)) == ["syn"]
    assert kinds_of(tcp_packet(SYN | ACK, family=family)) == ["syn"]
    assert kinds_of(tcp_packet(ACK, family=family)) == ["ack"]
    assert kinds_of(tcp_packet(ACK, b"x", family=family)) == ["data"]
    assert kinds_of(tcp_packet(FIN | ACK, family=family)) == ["fin"]
    assert kinds_of(tcp_packet(FIN | ACK, b"x", family=family)) == ["data", "fin"]
    assert kinds_of(tcp_packet(RST | ACK, family=family)) == []


@given(st.binary(max_size=100))
def test_anything_may_be_asked_what_it_is(packet: bytes) -> None:
    assert kinds_of(packet) is not None


def test_the_second_data_segment_is_dropped() -> None:
    path = Impairment(Conditions(drop=(Nth("data", 2), Nth("syn", 1))))
    packets = [tcp_packet(SYN), tcp_packet(ACK), tcp_packet(SYN | ACK)]
    packets += [tcp_packet(ACK, data) for data in (b"one", b"two", b"three", b"two")]
    through = [packet for _, packet in all_at_once(path, packets)]
    assert through == [packets[1], packets[2], packets[3], packets[5], packets[6]]
    assert path.counts["dropped"] == 2


EVERYTHING = Conditions(
    loss=0.1,
    burst=Burst(0.02, 3),
    corrupt=0.1,
    duplicate=0.1,
    rate=1e6,
    queue=20,
    delay=0.02,
    jitter=0.01,
    reorder=0.2,
)


@given(st.integers(0, 1 << 32), st.lists(st.tuples(st.floats(0, 0.1), st.binary(max_size=50)), max_size=60))
def test_the_same_seed_gives_the_same_packets(seed: int, packets: list[tuple[float, bytes]]) -> None:
    first, second = Impairment(EVERYTHING, seed=seed), Impairment(EVERYTHING, seed=seed)
    runs = []
    for path in (first, second):
        now = 0.0
        out = []
        for interval, packet in packets:
            now += interval
            out += list(path.take(now))
            path.put(packet, now)
        runs.append(out + list(path.take(inf)))
    assert runs[0] == runs[1]
    assert first.counts == second.counts


def test_another_seed_gives_other_packets() -> None:
    packets = numbered(200)
    assert all_at_once(Impairment(EVERYTHING, seed=1), packets) != all_at_once(Impairment(EVERYTHING, seed=2), packets)


@given(st.integers(0, 1000), st.lists(st.tuples(st.floats(0, 0.1), st.binary(max_size=50)), max_size=60))
def test_nothing_is_made_up_and_times_go_forward(seed: int, packets: list[tuple[float, bytes]]) -> None:
    conditions = Conditions(delay=0.02, jitter=0.01, reorder=0.3, loss=0.1, duplicate=0.1)
    path = Impairment(conditions, seed=seed)
    now = 0.0
    sent: dict[bytes, int] = {}
    out: list[tuple[float, bytes]] = []
    for interval, packet in packets:
        now += interval
        due = list(path.take(now))
        assert all(time <= now for time, _ in due)
        out += due
        path.put(packet, now)
        sent[packet] = sent.get(packet, 0) + 1
    out += list(path.take(inf))
    assert [time for time, _ in out] == sorted(time for time, _ in out)
    assert len(out) == len(packets) - path.counts["lost"] + path.counts["duplicated"]
    for _, packet in out:
        assert packet in sent


@pytest.mark.parametrize(
    "wrong",
    [
        {"loss": 1.1},
        {"corrupt": -0.1},
        {"duplicate": 2},
        {"reorder": float("nan")},
        {"burst": Burst(0.1, 0.5)},
        {"burst": Burst(1.5, 2)},
        {"rate": -1},
        {"delay": -1},
        {"delay": float("nan")},
        {"delay": inf},
        {"queue": -1},
        {"drop": (Nth("syn", 0),)},
        {"drop": (("SYN", 3),)},
        {"drop": Nth("syn", 3)},
    ],
)
def test_impossible_conditions(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Conditions(**wrong)  # type: ignore[arg-type]


def test_perfect_is_the_default() -> None:
    assert Conditions() == PERFECT


def test_a_rate_of_zero_holds_packets_until_it_changes() -> None:
    path = Impairment(Conditions(rate=0, queue=2, delay=0.5))
    for packet in (b"1", b"2", b"3"):
        path.put(packet, 0.0)
    assert path.deadline() == inf
    assert path.counts["queue-full"] == 1
    path.change(Conditions(rate=8, queue=2, delay=0.5), 100.0)
    assert list(path.take(200.0)) == [(101.5, b"1"), (102.5, b"2")]


def test_a_new_rate_is_for_what_is_before_the_bottleneck() -> None:
    path = Impairment(Conditions(rate=8, delay=10.0))
    for packet in (b"1", b"2", b"3"):
        path.put(packet, 0.0)
    path.change(Conditions(rate=80, delay=10.0), 1.5)
    assert list(path.take(20.0)) == [(11.0, b"1"), (pytest.approx(11.6), b"2"), (pytest.approx(11.7), b"3")]


def test_what_is_dropped_by_name_is_counted_anew_only_where_the_names_change() -> None:
    path = Impairment(Conditions(drop=(Nth("syn", 2),)))
    path.put(tcp_packet(SYN), 0.0)
    path.change(Conditions(drop=(Nth("syn", 2),), delay=1.0), 0.0)
    path.put(tcp_packet(SYN), 0.0)
    assert path.counts["dropped"] == 1
    path.change(Conditions(drop=(Nth("syn", 1),)), 0.0)
    path.put(tcp_packet(SYN), 0.0)
    assert path.counts["dropped"] == 2
