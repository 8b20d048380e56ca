from __future__ import annotations

from typing import Any

from usertcp.observe.recorder import Recorder
from usertcp.tcp.events import Deleted, Kind


def _deleted(number: int) -> tuple[Any, ...]:
    return (Kind.DELETED, float(number), number, "")


def test_events_are_read_in_their_typed_form() -> None:
    recorder = Recorder()
    recorder(_deleted(1))
    assert list(recorder.events()) == [Deleted(1.0, 1, "")]
    assert recorder.lost == 0


def test_a_full_ring_keeps_the_newest_and_counts_the_rest() -> None:
    recorder = Recorder(limit=3)
    for number in range(5):
        recorder(_deleted(number))
    assert [event.conn for event in recorder.events()] == [2, 3, 4]
    assert len(recorder) == 3
    assert recorder.lost == 2


def test_reading_goes_on_while_events_come() -> None:
    recorder = Recorder()
    recorder(_deleted(1))
    events = recorder.events()
    recorder(_deleted(2))
    assert len(list(events)) == 1


def test_events_are_forwarded_as_they_come() -> None:
    seen: list[tuple[Any, ...]] = []
    recorder = Recorder(limit=1, forward=seen.append)
    recorder(_deleted(1))
    recorder(_deleted(2))
    assert seen == [_deleted(1), _deleted(2)]


def test_clear_forgets_everything() -> None:
    recorder = Recorder(limit=1)
    recorder(_deleted(1))
    recorder(_deleted(2))
    recorder.clear()
    assert not list(recorder.events())
    assert recorder.lost == 0
