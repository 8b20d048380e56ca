from __future__ import annotations

from typing import Any

from usertcp.runtime.fanout import Fanout
from usertcp.stack.host import Host

Events = list[tuple[Any, ...]]


def make_host() -> Host:
    return Host([b"\x0a\0\0\1"], secret=bytes(16))


def kinds(events: Events) -> list[int]:
    return [int(event[0]) for event in events]


def test_nobody_watches_and_nothing_is_told() -> None:
    host = make_host()
    Fanout(host)
    assert host.trace is None


def test_a_single_sink_is_the_host_s_own() -> None:
    host = make_host()
    seen: Events = []
    fanout = Fanout(host)
    fanout.attach(seen.append)
    assert host.trace == seen.append
    fanout.detach(seen.append)
    assert host.trace is None


def test_every_sink_gets_every_event_from_when_it_came_until_it_went() -> None:
    host = make_host()
    first: Events = []
    second: Events = []
    fanout = Fanout(host)
    fanout.attach(first.append)
    host.connect(b"\x0a\0\0\2", 80, 0.0)
    before = len(first)
    fanout.attach(second.append)
    connection = host.connect(b"\x0a\0\0\2", 81, 1.0)
    assert first[before:] == second
    assert {event[2] for event in second} == {connection.number}
    fanout.detach(second.append)
    host.connect(b"\x0a\0\0\2", 82, 2.0)
    assert {event[2] for event in second} == {connection.number}
    assert first[-1][1] == 2.0


def test_the_sink_that_the_host_was_made_with_stays() -> None:
    first: Events = []
    second: Events = []
    host = Host([b"\x0a\0\0\1"], secret=bytes(16), trace=first.append)
    Fanout(host).attach(second.append)
    host.connect(b"\x0a\0\0\2", 80, 0.0)
    assert first == second != []


def test_a_sink_that_is_attached_twice_gets_each_event_once() -> None:
    host = make_host()
    seen: Events = []
    fanout = Fanout(host)
    for _ in range(2):
        fanout.attach(seen.append)
    host.connect(b"\x0a\0\0\2", 80, 0.0)
    assert len(seen) == len(set(seen))
    fanout.detach(seen.append)
    fanout.detach(seen.append)
    assert host.trace is None
