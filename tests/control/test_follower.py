"""Which events a filter selects, and what a follower gets that joins late or falls behind."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest

from usertcp.control.filter_parser import parse
from usertcp.control.follower import Follower, Selection, selected
from usertcp.stack.host import Host
from usertcp.tcp.events import Dropped, Joined, Kind, Lost, Opened, Transitioned, read
from usertcp.tcp.states import Event, State
from usertcp.tcp.time_wait import TimeWait
from usertcp.wire.tcp import ACK, NO_OPTIONS, SYN

OURS, PEER = ip_address("192.0.2.2").packed, ip_address("192.0.2.1").packed
Flat = tuple[Any, ...]


def opened(conn: int, port: int) -> Flat:
    return (Kind.OPENED, 1.0, conn, OURS, port, PEER, 40000, "passive")


def moved(conn: int, before: State, after: State) -> Flat:
    return (Kind.TRANSITION, 1.0, conn, before, Event.RCV_ACK, after, "3.10.7.4", "why")


def dropped(conn: int) -> Flat:
    return (Kind.DROPPED, 1.0, conn, "no-ack", "3.10.7.4", 1, 0)


def deleted(conn: int) -> Flat:
    return (Kind.DELETED, 1.0, conn, "")


STRAY: Flat = (
    Kind.STRAY_IN, 1.0, 0, OURS, 80, PEER, 40000, 1, 0, 2, 1000, 0, None, None, NO_OPTIONS, 0, 0,
)  # fmt: skip
LIFE = [
    opened(1, 80),
    moved(1, State.CLOSED, State.LISTEN),
    opened(2, 81),
    moved(1, State.LISTEN, State.SYN_RECEIVED),
    dropped(1),
    moved(1, State.SYN_RECEIVED, State.ESTABLISHED),
    dropped(2),
    dropped(1),
    moved(1, State.ESTABLISHED, State.CLOSE_WAIT),
    dropped(1),
    deleted(1),
    dropped(0),
    STRAY,
    (Kind.LOST, 1.0, 0, 7),
]


@pytest.mark.parametrize(
    ("text", "indices"),
    [
        ("", range(len(LIFE))),
        ("sport = :80", [0, 1, 3, 4, 5, 7, 8, 9, 10, 12, 13]),
        ("sport = :81", [2, 6, 13]),
        ("sport = :99", [13]),
        # Into the state, and out of it.
        ("state established", [5, 7, 8, 13]),
        ("state close-wait", [8, 9, 10, 13]),
    ],
)
def test_what_is_selected(text: str, indices: list[int]) -> None:
    assert list(selected(LIFE, parse(text))) == [LIFE[index] for index in indices]


def test_a_connection_that_has_gone_is_forgotten() -> None:
    selection = Selection(parse("sport = :80"))
    for event in (opened(1, 80), deleted(1)):
        selection.takes(event)
    assert selection.subject(1) is None
    assert not selection.takes(dropped(1))


def follower(host: Host, text: str = "", limit: int = 100) -> tuple[Follower, list[None]]:
    rung: list[None] = []
    made = Follower(host, parse(text), wake=lambda: rung.append(None), limit=limit)
    return made, rung


def a_host() -> Host:
    return Host([OURS], secret=bytes(16))


def test_it_is_woken_once_for_what_waits() -> None:
    one, rung = follower(a_host())
    one(opened(1, 80))
    one(dropped(1))
    assert len(rung) == 1
    assert [read(each) for each in one.take(10)] == [read(opened(1, 80)), read(dropped(1))]
    assert one.take(10) == []
    one(dropped(1))
    assert len(rung) == 2


def test_what_was_there_before_joins_with_its_first_event() -> None:
    host = a_host()
    tcb = host.connect(PEER, 80, 0.0)
    host.connect(PEER, 81, 0.0)
    one, _ = follower(host, "dport = :80")
    one(dropped(2))
    one(moved(1, State.SYN_SENT, State.ESTABLISHED))
    one(dropped(1))
    joined, transition, drop = map(read, one.take(10))
    iss = tcb.iss & 0xFFFFFFFF
    assert joined == Joined(1.0, 1, OURS, tcb.local_port, PEER, 80, "active", State.SYN_SENT, iss, 0)
    assert isinstance(transition, Transitioned)
    assert isinstance(drop, Dropped)


def test_what_waits_in_time_wait_joins_too() -> None:
    host = a_host()
    tcb = host.connect(PEER, 80, 0.0)
    tcb.snd_nxt, tcb.rcv_nxt = 1001, 2001
    host.connections.clear()
    host.time_waits.begin(TimeWait(tcb, 0))
    one, _ = follower(host, "state time-wait dport = :80")
    one(dropped(1))
    joined, _ = map(read, one.take(10))
    # The initial sequence numbers are forgotten: what is next counts as 1.
    assert joined == Joined(1.0, 1, OURS, tcb.local_port, PEER, 80, "", State.TIME_WAIT, 1000, 2000)


def test_a_state_is_joined_when_it_is_reached() -> None:
    host = a_host()
    host.connect(PEER, 80, 0.0)
    one, _ = follower(host, "state established")
    one(dropped(1))
    one(moved(1, State.SYN_SENT, State.ESTABLISHED))
    assert [type(read(each)) for each in one.take(10)] == [Joined, Transitioned]


def test_of_too_many_events_the_oldest_are_lost_and_that_is_told() -> None:
    one, _ = follower(a_host(), limit=3)
    for conn in range(1, 8):
        one(opened(conn, 80))
    lost, *kept = map(read, one.take(2))
    assert lost == Lost(1.0, 0, 4)
    assert [each.conn for each in kept] == [5, 6]
    one(opened(8, 80))
    told = list(map(read, one.take(10)))
    assert [each.conn for each in told] == [7, 8]
    assert all(isinstance(each, Opened) for each in told)


def test_a_connection_that_opens_and_is_meant_later_joins_then() -> None:
    follower = Follower(Host([OURS], secret=bytes(16)), parse("state established"), wake=lambda: None, limit=10)
    follower(opened(1, 80))
    follower((Kind.SEGMENT_IN, 1.0, 1, 500, 0, SYN, 1000, 0, None, None, NO_OPTIONS, 0, 0, 0))
    follower((Kind.SEGMENT_OUT, 1.0, 1, 700, 501, SYN | ACK, 1000, 0, None, None, NO_OPTIONS, 1, 0, 0, 0))
    follower(moved(1, State.SYN_RECEIVED, State.ESTABLISHED))
    joined, moving = map(read, follower.take(10))
    assert isinstance(joined, Joined)
    assert (joined.local_port, joined.role, joined.state) == (80, "passive", State.SYN_RECEIVED)
    assert (joined.iss, joined.irs) == (700, 500)
    assert isinstance(moving, Transitioned)
    follower(opened(2, 80))
    follower(deleted(2))
    follower(moved(2, State.SYN_RECEIVED, State.ESTABLISHED))
    assert all(event[0] != Kind.JOINED for event in follower.take(10)), "what ended is forgotten"
