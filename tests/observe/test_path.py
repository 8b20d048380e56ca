"""The path through the state diagram, and when."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.observe.scenes import SCENES
from usertcp.observe.path import MAX_STOPS
from usertcp.observe.tales import paths
from usertcp.tcp.events import PeerSeen
from usertcp.tcp.states import Event, State
from usertcp.wire.tcp import SYN

Make = Callable[..., Any]


def test_both_ends_of_a_connection_and_when() -> None:
    (path,) = paths(SCENES["close_by_both_at_once"]())
    ours = [(stop.state, stop.event, round((stop.time - path.started) * 1000)) for stop in path.ours]
    assert ours == [
        (State.CLOSED, None, 0),
        (State.LISTEN, Event.PASSIVE_OPEN, 0),
        (State.SYN_RECEIVED, Event.RCV_SYN, 0),
        (State.ESTABLISHED, Event.RCV_ACK, 20),
        (State.FIN_WAIT_1, Event.CLOSE, 20),
        (State.CLOSING, Event.RCV_FIN, 30),
        (State.TIME_WAIT, Event.RCV_ACK_OF_FIN, 40),
        (State.CLOSED, Event.TIME_WAIT_TIMEOUT, 60_040),
    ]
    assert [stop.state for stop in path.peers][-3:] == [State.FIN_WAIT_1, State.CLOSING, State.TIME_WAIT]
    assert not any(stop.read for stop in path.peers)
    assert path.complete
    assert round(path.ended - path.started) == 60


def test_one_path_for_each_connection() -> None:
    assert [path.conn for path in paths(SCENES["fast_open"]())] == [1, 2]


def test_what_has_no_connection_has_no_path() -> None:
    assert paths(SCENES["closed_port"]()) == []


def test_a_state_that_the_kernel_told_is_known(script: Make) -> None:
    made = script()
    made.comes(SYN, 0)
    seen = PeerSeen(made.time, 1, "segment-in", State.SYN_SENT, *[None] * 7, "", *[None] * 3)
    (path,) = paths([made.events[0], seen, *made.events[1:]])
    assert [(stop.state, stop.read) for stop in path.peers][-1] == (State.SYN_SENT, True)


def test_a_path_is_bounded(script: Make) -> None:
    made = script()
    for _ in range(MAX_STOPS):
        made.moves(Event.RCV_SYN)
        made.moves(Event.RCV_RST_PASSIVE)
    (path,) = paths(made.events)
    assert len(path.ours) == MAX_STOPS
    assert not path.complete


def test_what_a_kernel_was_asked_with_a_segment_has_the_segment_s_time(script: Make) -> None:
    made = script()
    before = made.events[0]
    made.comes(SYN, 0)
    seen = PeerSeen(made.time + 0.5, 1, "segment-in", State.SYN_SENT, *[None] * 7, "", *[None] * 3)
    (path,) = paths([before, seen, *made.events[1:]])
    assert path.peers[-1].time == made.events[-1].time
