from __future__ import annotations

import sys
from typing import Any

from tests.scenarios.driver import PLAIN, established
from usertcp.observe.recorder import MAX_EVENT, Recorder
from usertcp.tcp.events import Deleted, Kind, Lost
from usertcp.wire.tcp import ACK, MAX_OPTIONS_LENGTH, Options


def _deleted(number: int) -> tuple[Any, ...]:
    return (Kind.DELETED, float(number), number, "")


def test_events_are_read_in_their_typed_form() -> None:
    recorder = Recorder()
    recorder(_deleted(1))
    assert list(recorder.events()) == [Deleted(1.0, 1, "")]
    assert recorder.flat_events() == (_deleted(1),)
    assert recorder.lost == 0


def test_the_beginning_and_the_newest_are_kept_and_the_rest_is_counted() -> None:
    recorder = Recorder(limit=5, beginning=2)
    for number in range(9):
        recorder(_deleted(number))
    assert list(recorder.events()) == [
        Deleted(0.0, 0, ""),
        Deleted(1.0, 1, ""),
        Lost(6.0, 0, 4),
        Deleted(6.0, 6, ""),
        Deleted(7.0, 7, ""),
        Deleted(8.0, 8, ""),
    ]
    assert len(recorder) == 5
    assert recorder.lost == 4


def test_nothing_is_lost_until_it_is_full() -> None:
    recorder = Recorder(limit=5, beginning=2)
    for number in range(5):
        recorder(_deleted(number))
    assert [event.conn for event in recorder.events()] == [0, 1, 2, 3, 4]
    assert recorder.lost == 0


def test_without_a_beginning_it_is_a_ring() -> None:
    recorder = Recorder(limit=3, beginning=0)
    for number in range(5):
        recorder(_deleted(number))
    assert next(iter(recorder.events())) == Lost(2.0, 0, 2)
    assert [event.conn for event in list(recorder.events())[1:]] == [2, 3, 4]


def test_reading_goes_on_while_events_come() -> None:
    recorder = Recorder()
    recorder(_deleted(1))
    events = recorder.events()
    recorder(_deleted(2))
    assert len(list(events)) == 1


def test_clear_forgets_everything() -> None:
    recorder = Recorder(limit=1)
    recorder(_deleted(1))
    recorder(_deleted(2))
    recorder.clear()
    assert not list(recorder.events())
    assert recorder.lost == 0


def _size(value: Any) -> int:
    """What ``value`` takes with all that is in it, in bytes."""
    inside = value if isinstance(value, tuple) else ()
    return sys.getsizeof(value) + sum(_size(each) for each in inside)


def test_no_event_takes_more_memory_than_is_said_whatever_the_peer_sends() -> None:
    crowded = Options(unknown=tuple((200 + number, b"") for number in range(MAX_OPTIONS_LENGTH // 2)))
    blocks = Options(sack=tuple((number, number + 1) for number in range(1 << 30, (1 << 30) + 4)))
    lengthy = Options(unknown=((200, bytes(MAX_OPTIONS_LENGTH - 2)),))
    us, peer = established(PLAIN, sack=True)
    for options in (crowded, blocks, lengthy):
        peer.sends(ACK, seq=1, data=b"x" * 1000, options=options)
        peer.sends(ACK, seq=5000, data=b"x" * 1000, options=options)
    peer.sends(ACK, ack=70_000)
    largest = max(map(_size, us.events))
    assert 1000 < largest <= MAX_EVENT
