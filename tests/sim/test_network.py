"""Hosts joined by links in virtual time."""

from __future__ import annotations

from math import inf

import pytest

from usertcp.sim.impairment import Burst, Conditions, Impairment
from usertcp.sim.network import Network, TimeStandsStill
from usertcp.sim.selection import Nth
from usertcp.stack.host import Host, HostConfig
from usertcp.tcp.connection import Connection
from usertcp.tcp.states import State
from usertcp.wire import icmp, ipv4

ADDRESSES = [bytes([10, 0, 0, number]) for number in range(1, 5)]
A, B, C, D = ADDRESSES


def host(address: bytes, *, offload: bool = False) -> Host:
    return Host([address], secret=b"secret of " + address, offload=offload)


class Pair:
    """Two hosts, a link between them, and a connection from the first to the second."""

    def __init__(
        self,
        there: Conditions | None = None,
        back: Conditions | None = None,
        *,
        seed: int = 0,
        offload: tuple[bool, bool] = (False, False),
    ) -> None:
        self.packets: list[tuple[float, bytes]] = []
        self.network = Network(tap=lambda now, _, packet: self.packets.append((now, packet)))
        self.a, self.b = host(A, offload=offload[0]), host(B, offload=offload[1])
        self.there = Impairment(there or Conditions(), seed=seed)
        self.back = Impairment(back or there or Conditions(), seed=seed + 1)
        self.network.link(self.a, self.b, self.there, self.back)
        self.listener = self.b.listen(80)
        self.client = self.a.connect(B, 80, 0.0)

    def established(self) -> tuple[Connection, Connection]:
        assert self.network.run_until(lambda: bool(self.listener.ready), 100)
        server = self.listener.accept()
        assert server is not None
        return self.client, server


def transfer(pair: Pair, data: bytes, limit: float = 1000) -> tuple[bytes, float]:
    """Send ``data`` from client to server; returns what arrived, and when all of it had."""
    client, server = pair.established()
    network = pair.network
    got = bytearray()
    sent = 0

    def done() -> bool:
        nonlocal sent
        if sent < len(data):
            sent += client.send(data[sent:], network.now)
        got.extend(server.receive(1 << 20, network.now))
        return len(got) == len(data)

    while not done() and network.now < limit:
        pair.a.flush(network.now)
        pair.b.flush(network.now)
        network.run_until(lambda: bool(pair.b.woken or pair.a.woken), min(limit, network.now + 1))
        for one in (pair.a, pair.b):
            for connection in one.woken:
                connection.pending = 0
            one.woken.clear()
    return bytes(got), network.now


def test_a_handshake_takes_one_and_a_half_round_trips() -> None:
    pair = Pair(Conditions(delay=0.1))
    pair.established()
    assert pair.network.now == pytest.approx(0.3)
    assert pair.client.state is State.ESTABLISHED
    assert pair.client.rtt.srtt == pytest.approx(0.2)


def test_each_direction_has_its_own_conditions() -> None:
    pair = Pair(Conditions(delay=0.1), Conditions(delay=0.5))
    assert pair.network.run_until(lambda: pair.client.state is State.ESTABLISHED, 10)
    assert pair.network.now == pytest.approx(0.6)


@pytest.mark.parametrize("offload", [(False, False), (True, False), (False, True), (True, True)], ids=str)
def test_a_transfer(offload: tuple[bool, bool]) -> None:
    data = bytes(range(256)) * 1000
    pair = Pair(Conditions(delay=0.01), offload=offload)
    got, _ = transfer(pair, data)
    assert got == data
    assert max(len(packet) for _, packet in pair.packets) <= 1500


def test_offload_makes_no_difference_on_the_wire() -> None:
    """Not for the path and not for the peer: the same sizes, the same bytes."""
    data = bytes(range(256)) * 200
    streams = []
    for offload in (False, True):
        pair = Pair(Conditions(delay=0.01), offload=(offload, False))
        transfer(pair, data)
        streams.append(sorted(len(packet) for _, packet in pair.packets if len(packet) > 100))
    assert streams[0] == streams[1]


def test_the_rate_is_kept() -> None:
    pair = Pair(Conditions(delay=0.01, rate=8e6), Conditions(delay=0.01))
    _, took = transfer(pair, bytes(1_000_000))
    assert 1.0 < took < 1.4


EVERYTHING = Conditions(
    loss=0.05, burst=Burst(0.01, 2), corrupt=0.05, duplicate=0.05, delay=0.01, jitter=0.005, reorder=0.1, rate=1e7
)


def test_the_same_seed_gives_the_same_packets() -> None:
    runs = []
    for _ in range(2):
        pair = Pair(EVERYTHING, seed=42)
        transfer(pair, bytes(100_000))
        runs.append(pair.packets)
    assert runs[0] == runs[1]
    assert len(runs[0]) > 100
    other = Pair(EVERYTHING, seed=43)
    transfer(other, bytes(100_000))
    assert other.packets != runs[0]


def test_the_third_data_segment_is_lost() -> None:
    pair = Pair(Conditions(delay=0.05, drop=(Nth("data", 3),)), Conditions(delay=0.05))
    got, _ = transfer(pair, bytes(20 * 1448))
    assert len(got) == 20 * 1448
    assert pair.there.counts["dropped"] == 1
    assert pair.client.retransmissions == 1
    assert pair.a.stats["retransmission-timeouts"] == 0


@pytest.mark.parametrize("kind", ["syn", "fin", "ack", "data"])
def test_the_first_of_each_kind_is_lost(kind: str) -> None:
    pair = Pair(Conditions(delay=0.05, drop=(Nth(kind, 1),)), Conditions(delay=0.05, drop=(Nth(kind, 1),)))  # type: ignore[arg-type]
    client, server = pair.established()
    client.send(b"question", pair.network.now)
    assert pair.network.run_until(lambda: server.receive_buffer.ready.length == 8, 100)
    server.send(b"answer", pair.network.now)
    client.close(pair.network.now)
    server.close(pair.network.now)
    assert pair.network.run_until(lambda: client.state is server.state is State.CLOSED, 200)
    assert client.receive(10, pair.network.now) == b"answer"
    assert client.error is server.error is None


def test_an_hour_of_silence_costs_nothing() -> None:
    pair = Pair(Conditions(delay=0.1))
    client, _ = pair.established()
    pair.network.run(3600 * 24)
    assert pair.network.now == 3600 * 24
    assert client.state is State.ESTABLISHED
    assert pair.network.deadline() == inf


def test_run_until_ends_when_nothing_will_happen() -> None:
    pair = Pair()
    pair.established()
    assert not pair.network.run_until(lambda: False)


def test_nobody_answers() -> None:
    pair = Pair(Conditions(loss=1.0))
    assert pair.network.run_until(lambda: pair.client.state is State.CLOSED, 1000)
    assert pair.network.now > 180
    assert pair.a.connections == {}


def test_packets_go_where_they_are_addressed() -> None:
    network = Network()
    hosts = [host(address) for address in ADDRESSES[:3]]
    network.link(hosts[0], hosts[1])
    network.link(hosts[0], hosts[2])
    listeners = [one.listen(80) for one in hosts[1:]]
    to_b, to_c = (hosts[0].connect(address, 80, 0.0) for address in (B, C))
    nowhere = hosts[0].connect(D, 80, 0.0)
    network.run(1)
    assert to_b.state is to_c.state is State.ESTABLISHED
    assert [len(listener.ready) for listener in listeners] == [1, 1]
    assert nowhere.state is State.SYN_SENT


def test_a_program_runs_when_there_is_something_to_do() -> None:
    """An echo server in a dozen lines."""
    pair = Pair(Conditions(delay=0.1))
    open_connections: list[Connection] = []

    def echo(now: float) -> None:
        pair.b.woken_listeners.clear()
        pair.listener.pending = False
        while (connection := pair.listener.accept()) is not None:
            open_connections.append(connection)
        for connection in pair.b.woken:
            connection.pending = 0
        pair.b.woken.clear()
        for connection in open_connections:
            data = connection.receive(1000, now)
            if data:
                connection.send(bytes(data), now)
            if connection.at_eof:
                connection.close(now)

    pair.network.install(pair.b, echo)
    pair.client.send(b"hello", 0.0)
    assert pair.network.run_until(lambda: pair.client.receive_buffer.ready.length == 5, 10)
    assert pair.network.now == pytest.approx(0.4)
    pair.client.close(pair.network.now)
    assert pair.network.run_until(lambda: pair.client.state is State.TIME_WAIT, 10)
    assert pair.client.receive(10, pair.network.now) == b"hello"


def test_hosts_that_never_stop_are_found_out() -> None:
    """Two hosts on a link without delay that ping each other's replies would take no time for ever."""
    network = Network()
    unlimited = HostConfig(icmp_rate=1e9, icmp_burst=1 << 30)
    one, other = (Host([address], secret=b"a secret of some bytes", config=unlimited) for address in (A, B))
    network.link(one, other)

    def ping_again(_: float, sender: Host, packet: bytes) -> None:
        if sender is other and not other.outbox:
            body = icmp.emit_v4(icmp.Echo(False, 1, 1))
            one.outbox.append((ipv4.emit(ipv4.Header(A, B, 1), len(body)), body))

    network.tap = ping_again
    body = icmp.emit_v4(icmp.Echo(False, 1, 1))
    one.outbox.append((ipv4.emit(ipv4.Header(A, B, 1), len(body)), body))
    with pytest.raises(TimeStandsStill):
        network.run(1)
