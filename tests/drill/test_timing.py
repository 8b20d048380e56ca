"""When events are due."""

from __future__ import annotations

from math import inf

import pytest

from usertcp.drill.script import Command, Event, SystemCall, Time, TimeKind, Word
from usertcp.drill.timing import Due, Schedule, first_time, free


def event(kind: TimeKind, start: float = 0.0, end: float = 0.0) -> Event:
    return Event(Time(kind, start, end), Command("true"), 1)


def schedule(tolerance: float = 0.004, percent: float = 0.0, first: float = 0.0) -> Schedule:
    return Schedule(tolerance, percent, first)


def test_relative_times_count_from_the_written_time_of_the_event_before() -> None:
    times = schedule()
    one = event(TimeKind.RELATIVE, 0.1)
    due = times.due(one)
    assert (due.start, due.end) == (0.1, 0.1)
    times.happened(one, due, 0.103)  # a packet may be late within the tolerance
    assert times.due(event(TimeKind.RELATIVE, 0.1)).start == pytest.approx(0.2)


@pytest.mark.parametrize("kind", [TimeKind.ANY, TimeKind.RELATIVE_RANGE, TimeKind.ABSOLUTE_RANGE])
def test_after_a_time_that_is_not_fixed_they_count_from_what_happened(kind: TimeKind) -> None:
    times = schedule()
    one = event(kind, 0.1, 0.5)
    times.happened(one, times.due(one), 0.3)
    assert times.due(event(TimeKind.RELATIVE, 0.1)).start == pytest.approx(0.4)


def test_absolute_times_count_from_the_first_event() -> None:
    events = (event(TimeKind.ABSOLUTE, 5.0), event(TimeKind.ABSOLUTE, 5.5))
    times = schedule(first=first_time(events))
    assert times.due(events[0]).start == 0.0
    assert times.due(events[1]).start == 0.5
    assert first_time((event(TimeKind.RELATIVE, 5.0),)) == 0.0
    assert first_time(()) == 0.0


def test_ranges_have_both_ends() -> None:
    times = schedule()
    before = event(TimeKind.ABSOLUTE, 1.0)
    times.happened(before, times.due(before), 1.0)
    due = times.due(event(TimeKind.RELATIVE_RANGE, 0.1, 0.2))
    assert (due.start, due.end) == (pytest.approx(1.1), pytest.approx(1.2))
    due = times.due(event(TimeKind.ABSOLUTE_RANGE, 2.0, 2.5))
    assert (due.start, due.end) == (2.0, 2.5)


def test_any_time_is_any_time() -> None:
    due = schedule().due(event(TimeKind.ANY))
    assert due.has(0.0)
    assert due.has(1e6)
    assert due.end == inf
    assert str(due) == "any time"


def test_tolerance_is_on_both_sides_and_exact() -> None:
    due = Due(0.1, 0.1, 0.004)
    assert due.has(0.096)
    assert due.has(0.104)
    assert not due.has(0.0959)
    assert not due.has(0.1041)
    assert str(due) == "0.100000 s (tolerance 0.004000 s)"
    assert str(Due(0.1, 0.2, 0.0)) == "0.100000 to 0.200000 s (tolerance 0.000000 s)"


def test_tolerance_in_percent_of_the_time_between_events() -> None:
    times = schedule(percent=10)
    assert times.due(event(TimeKind.RELATIVE, 1.0)).tolerance == pytest.approx(0.1)
    assert times.due(event(TimeKind.RELATIVE, 0.01)).tolerance == 0.004


@pytest.mark.parametrize(("kind", "returns"), [(TimeKind.RELATIVE, 1.2), (TimeKind.ABSOLUTE, 0.2)])
def test_a_call_returns_at_a_time_counted_like_its_begin(kind: TimeKind, returns: float) -> None:
    times = schedule()
    before = event(TimeKind.ABSOLUTE, 1.0)
    times.happened(before, times.due(before), 1.0)
    call = SystemCall("accept", (), Word("NULL"), end=0.2)
    assert times.returns(Event(Time(kind, 0.1), call, 1), call).start == pytest.approx(returns)


def test_free_allows_everything_later() -> None:
    assert free(Due(0.1, 0.1, 0.004)).has(77.0)
