from __future__ import annotations

import gc
from math import inf
from weakref import ref

from hypothesis import given
from hypothesis import strategies as st

from usertcp.stack.host import Host
from usertcp.stack.timer_queue import TimerQueue
from usertcp.tcp.connection import Connection

OURS, THEIRS = b"\xc0\0\2\2", b"\xc0\0\2\1"


def connection(due: float) -> Connection:
    made = Connection(Host([OURS], secret=bytes(16)), 1, OURS, 80, THEIRS, 9)
    made.retransmit_due = due
    return made


def test_nothing_is_due_where_nothing_is_watched() -> None:
    timers = TimerQueue()
    assert timers.deadline() == inf
    timers.watch(connection(inf))
    assert timers.deadline() == inf
    assert list(timers.due(1e9)) == []


def test_the_earliest_comes_first() -> None:
    timers = TimerQueue()
    late, early = connection(7.0), connection(5.0)
    timers.watch(late)
    timers.watch(early)
    assert timers.deadline() == 5.0
    assert list(timers.due(4.9)) == []
    assert list(timers.due(7.0)) == [early, late]
    assert timers.deadline() == inf


def test_a_deadline_that_moves_earlier_counts_at_once() -> None:
    timers = TimerQueue()
    one = connection(7.0)
    timers.watch(one)
    one.retransmit_due = 5.0
    timers.watch(one)
    assert timers.deadline() == 5.0
    assert list(timers.due(10.0)) == [one]


def test_a_deadline_that_moves_later_is_looked_at_again() -> None:
    timers = TimerQueue()
    one = connection(5.0)
    timers.watch(one)
    one.retransmit_due = 7.0
    timers.watch(one)
    assert list(timers.due(5.0)) == []
    assert timers.deadline() == 7.0
    assert list(timers.due(7.0)) == [one]


def test_a_forgotten_connection_wakes_nobody() -> None:
    timers = TimerQueue()
    one = connection(5.0)
    timers.watch(one)
    one.stop_timers()
    timers.forget(one)
    assert timers.deadline() == inf


class Handle:
    """Lives as long as the connection that it is the ``user`` of: a compiled connection takes no weak references."""


def test_a_forgotten_connection_is_not_kept() -> None:
    timers = TimerQueue()
    gone, stays = connection(5.0), connection(7.0)
    timers.watch(gone)
    timers.watch(stays)
    gone.user = Handle()
    reference = ref(gone.user)
    timers.forget(gone)
    del gone
    gc.collect()
    assert reference() is None
    assert timers.deadline() == 7.0
    assert list(timers.due(10.0)) == [stays]


@given(st.lists(st.tuples(st.integers(0, 4), st.one_of(st.just(inf), st.integers(0, 20)), st.integers(0, 20))))
def test_each_is_run_when_it_is_due(moves: list[tuple[int, float, int]]) -> None:
    """Whatever the deadlines do, what is due at a time is run then, and nothing else."""
    timers = TimerQueue()
    connections = [connection(inf) for _ in range(5)]
    now = 0
    for which, due, later in moves:
        connections[which].retransmit_due = now + due
        timers.watch(connections[which])
        now += later
        expected = [each for each in connections if each.retransmit_due <= now]
        run = list(timers.due(now))
        for each in run:
            each.retransmit_due = inf
            timers.watch(each)
        assert sorted(map(id, run)) == sorted(map(id, expected))
        assert timers.deadline() > now
