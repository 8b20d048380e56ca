"""Two endpoints of ours over a bad link: every byte arrives once, in order, and both end in CLOSED.

RFC 9293 §1: "a reliable, in-order, byte-stream service"; §3.6: "A TCP implementation will reliably deliver
all buffers SENT before the connection was CLOSED".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from usertcp.sim.impairment import Conditions, Impairment
from usertcp.sim.network import Network
from usertcp.stack.host import Host, HostConfig
from usertcp.tcp.congestion import registry
from usertcp.tcp.connection import Connection
from usertcp.tcp.settings import Settings
from usertcp.tcp.states import State

ADDRESSES = {
    4: (bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])),
    6: (bytes.fromhex("fd00") + bytes(13) + b"\1", bytes.fromhex("fd00") + bytes(13) + b"\2"),
}
#: However bad the link is, nobody gives up: whether that is right is asked elsewhere.
PATIENT = {"r2": 1e9, "r2_syn": 1e9}


def stream(length: int, step: int) -> bytes:
    """Bytes in which every mistake shows: no piece looks like another."""
    return b"".join((number * step & 0xFFFFFFFF).to_bytes(4, "big") for number in range(length // 4 + 1))[:length]


@dataclass
class Side:
    """An application: writes ``data`` in pieces, half-closes, and reads until the end."""

    data: bytes = field(repr=False)
    writes: list[int]
    reads: list[int]
    connection: Connection | None = None
    written: int = 0
    received: bytearray = field(default_factory=bytearray)
    turn: int = 0

    def acts(self, now: float) -> bool:
        """Write, close and read a little; returns whether that moved anything."""
        connection = self.connection
        assert connection is not None
        self.turn += 1
        before = self.written, len(self.received)
        if self.written < len(self.data):
            size = self.writes[self.turn % len(self.writes)]
            self.written += connection.send(self.data[self.written : self.written + size], now)
        if self.written == len(self.data) and connection.state is not State.SYN_SENT:  # there it would give up
            connection.close(now)
        self.received += connection.receive(self.reads[self.turn % len(self.reads)], now)
        limits = connection.settings
        assert len(connection.send_buffer) <= limits.send_buffer
        held = connection.receive_buffer
        assert held.ready.length + held.held_bytes <= max(limits.receive_buffer, 1 << 23)
        return before != (self.written, len(self.received))

    @property
    def done(self) -> bool:
        connection = self.connection
        return connection is not None and connection.state is State.CLOSED and connection.at_eof


class Exchange:
    """Client and server over one link."""

    def __init__(
        self,
        sides: tuple[Side, Side],
        conditions: Conditions,
        *,
        seed: int,
        family: int,
        offload: tuple[bool, bool],
        mtu: int,
        hosts: tuple[Settings, Settings],
    ) -> None:
        self.network = Network()
        self.sides = sides
        self.hosts = [
            Host(
                [address],
                secret=b"a secret for " + address,
                mtu=mtu,
                offload=with_offload,
                config=HostConfig(settings=how),
            )
            for address, with_offload, how in zip(ADDRESSES[family], offload, hosts, strict=True)
        ]
        self.network.link(*self.hosts, Impairment(conditions, seed=seed), Impairment(conditions, seed=seed + 1))
        self.listener = self.hosts[1].listen(80)
        sides[0].connection = self.hosts[0].connect(ADDRESSES[family][1], 80, 0.0)

    def run(self, tick: float) -> None:
        """Both applications act every ``tick`` seconds until everything has ended."""
        client, server = self.sides
        turns = 0
        while not (client.done and server.done):
            turns += 1
            assert turns < 20_000, f"stuck: {client} {server}"
            self.network.run(self.network.now + tick)
            now = self.network.now
            if server.connection is None:
                server.connection = self.listener.accept()
            moved = [side.acts(now) for side in self.sides if side.connection is not None and not side.done]
            if not any(moved):
                # Only the network or a timer will go on (a backed-off retransmission, TIME-WAIT): go there.
                self.network.run(now)
                if self.network.deadline() < inf:
                    self.network.run(self.network.deadline())


#: More writes or reads than this say nothing new, and take long.
TURNS = 500


def two_sides(
    lengths: tuple[int, int], step: int, writes: tuple[list[int], list[int]], reads: tuple[list[int], list[int]]
) -> tuple[Side, Side]:
    sides = []
    for me, other in ((0, 1), (1, 0)):
        pieces = min(sum(writes[me]) / len(writes[me]), sum(reads[other]) / len(reads[other]))
        length = min(lengths[me], int(TURNS * pieces))
        sides.append(Side(stream(length, step + 2 * me | 1), writes[me], reads[me]))
    return sides[0], sides[1]


SIZES = st.lists(st.integers(1, 20_000), min_size=1, max_size=5)
LENGTHS = st.one_of(st.integers(0, 10), st.integers(0, 40_000))
SIDES = st.builds(
    two_sides,
    st.tuples(LENGTHS, LENGTHS),
    st.integers(0x10000001, 0x7FFFFFFF),
    st.tuples(SIZES, SIZES),
    st.tuples(SIZES, SIZES),
)
UP_TO_30_PERCENT = st.floats(0, 0.3)
CONDITIONS = st.builds(
    Conditions,
    loss=UP_TO_30_PERCENT,
    duplicate=UP_TO_30_PERCENT,
    reorder=UP_TO_30_PERCENT,
    corrupt=UP_TO_30_PERCENT,
    delay=st.sampled_from([0.0, 0.001, 0.05, 0.5]),
    jitter=st.sampled_from([0.0, 0.02]),
    rate=st.sampled_from([None, 1e6]),
    queue=st.just(30),
)
HOW = st.builds(
    lambda **values: Settings(**values, **PATIENT),
    timestamps=st.booleans(),
    window_scaling=st.booleans(),
    sack=st.booleans(),
    nodelay=st.booleans(),
    receive_buffer=st.sampled_from([1000, 5000, 65535, 4 << 20]),
    send_buffer=st.sampled_from([500, 65535, 4 << 20]),
    congestion_control=st.sampled_from(registry.NAMES),
    tlp=st.booleans(),
    frto=st.booleans(),
    ecn=st.sampled_from(["off", "passive", "on"]),
    mtu_probing=st.booleans(),
    paced=st.booleans(),
    validate_window=st.booleans(),
    abe=st.booleans(),
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    sides=SIDES,
    conditions=CONDITIONS,
    seed=st.integers(0, 1 << 20),
    family=st.sampled_from([4, 6]),
    offload=st.tuples(st.booleans(), st.booleans()),
    mtu=st.sampled_from([576, 1280, 1500]),
    hosts=st.tuples(HOW, HOW),
    tick=st.sampled_from([0.01, 0.1, 1.0]),
)
def test_every_byte_arrives_once_and_in_order(
    sides: tuple[Side, Side],
    conditions: Conditions,
    seed: int,
    family: int,
    offload: tuple[bool, bool],
    mtu: int,
    hosts: tuple[Settings, Settings],
    tick: float,
) -> None:
    exchange = Exchange(sides, conditions, seed=seed, family=family, offload=offload, mtu=mtu, hosts=hosts)
    exchange.run(tick)
    client, server = sides
    assert bytes(server.received) == client.data
    assert bytes(client.received) == server.data
    assert client.connection is not None
    assert server.connection is not None
    assert client.connection.error is server.connection.error is None
    _nothing_is_left(exchange)


def _nothing_is_left(exchange: Exchange) -> None:
    """Not even in the hosts' tables, once what was still in the network has come and gone."""
    exchange.listener.close(exchange.network.now)
    exchange.network.run(exchange.network.now + 10_000)
    for host in exchange.hosts:
        assert not host.connections
        assert not host.time_waits
        assert host.deadline() == inf


@pytest.mark.parametrize("offload", [False, True])
def test_a_megabyte_over_a_bad_link(offload: bool) -> None:
    """Long enough for all of recovery to be in it: 10 % lost, 10 % damaged, 10 % twice, 20 % out of order."""
    data = stream(1_000_000, 0x12345677)
    sides = (Side(data, [65536], [65536]), Side(data[:300_000], [5000], [65536]))
    how = Settings(**PATIENT)
    conditions = Conditions(loss=0.1, corrupt=0.1, duplicate=0.1, reorder=0.2, delay=0.01, jitter=0.005)
    exchange = Exchange(
        sides, conditions, seed=7, family=4, offload=(offload, offload), mtu=1500, hosts=(how, how)
    )
    exchange.run(0.02)
    assert bytes(sides[1].received) == data
    assert bytes(sides[0].received) == data[:300_000]
    _nothing_is_left(exchange)


#: One thing at a time that differs from the defaults, everything else on.
SWITCHED: dict[str, dict[str, Any]] = {
    "sack": {"sack": False},
    "timestamps": {"timestamps": False},
    "window-scaling": {"window_scaling": False},
    "tlp": {"tlp": False},
    "frto": {"frto": False},
    "mtu-probing": {"mtu_probing": False},
    "ecn-off": {"ecn": "off"},
    "ecn-on": {"ecn": "on"},
    "nodelay": {"nodelay": True},
    "paced": {"paced": True},
    "validated": {"validate_window": True},
    "reno": {"congestion_control": "reno"},
    "bbr": {"congestion_control": "bbr"},
    "dctcp": {"congestion_control": "dctcp"},
}


@pytest.mark.parametrize("switched", SWITCHED.values(), ids=list(SWITCHED))
def test_each_feature_switched_in_turn(switched: dict[str, Any]) -> None:
    """Everything works without any one of its helpers, over the same bad link."""
    data = stream(200_000, 0x2468ACE1)
    sides = (Side(data, [65536], [65536]), Side(data[:60_000], [5000], [65536]))
    how = Settings(**PATIENT, **switched)
    conditions = Conditions(loss=0.05, corrupt=0.02, duplicate=0.05, reorder=0.1, delay=0.01, jitter=0.005)
    exchange = Exchange(sides, conditions, seed=11, family=4, offload=(True, False), mtu=1500, hosts=(how, how))
    exchange.run(0.02)
    assert bytes(sides[1].received) == data
    assert bytes(sides[0].received) == data[:60_000]
    _nothing_is_left(exchange)
