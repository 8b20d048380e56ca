"""System calls that wait for descriptors to be ready: ``poll``, ``select`` and ``epoll``."""

from __future__ import annotations

from collections.abc import Iterator
from errno import EFAULT, EINVAL
from typing import Any

from usertcp.drill.arguments import Arguments
from usertcp.drill.plan import Plan, differs
from usertcp.drill.script import Anything, Array, Expression, Number, Structure, Text

#: As large as a C int, in milliseconds.
_LONG = 0x7FFFFFFF


def poll(a: Arguments) -> Plan:
    """``poll([{fd=4, events=POLLIN, revents=POLLIN}], count, timeout in ms)``."""
    a.expect(3)
    entries, count, timeout = a.at(0), a.number(1), max(-1, min(a.number(2), _LONG))
    if a.is_pointer(entries):
        if count:
            return Plan("poll", ([], 0), fails_with=EFAULT)
        entries = Array(())
    if not isinstance(entries, Array):
        raise a.refuse("descriptors of poll() that are no array")
    if count > len(entries.items):
        return Plan("poll", ([], 0), fails_with=EFAULT)
    items = [_poll_entry(a, item) for item in entries.items[: max(count, 0)]]
    pairs = [(a.context.descriptors.live(_field(a, item, "fd")), _field(a, item, "events")) for item in items]
    return Plan(
        "poll",
        (pairs, timeout),
        result=lambda value: sum(1 for _, events in value if events),
        differences=lambda value: _poll_differences(a, items, value),
    )


def _poll_entry(a: Arguments, item: Expression) -> Structure:
    if not isinstance(item, Structure) or item.get("fd") is None:
        raise a.refuse("an entry of poll() that is not {fd=..., events=...}")
    return item


def _field(a: Arguments, item: Structure, name: str) -> int:
    value = item.get(name)
    return 0 if value is None or isinstance(value, Anything) else a.value(value)


def _poll_differences(a: Arguments, items: list[Structure], value: list[tuple[int, int]]) -> Iterator[str]:
    for item, (_, actual) in zip(items, value, strict=True):
        expected = item.get("revents")
        if expected is not None and not isinstance(expected, Anything) and a.value(expected) != actual:
            yield differs(f"revents of {_field(a, item, 'fd')}", hex(a.value(expected)), hex(actual))


# -- select


def select(a: Arguments) -> Plan:
    """``select(count, [reads], [writes], [excepts], {tv_sec=1, tv_usec=0})``; NULL or ``...`` is no set."""
    a.expect(5)
    sets = [_descriptors(a, a.at(index)) for index in (1, 2, 3)]
    timeout = _timeout(a, a.at(4))
    if timeout is not None and timeout < 0:
        return Plan("select", (0, [], [], [], 0.0), fails_with=EINVAL)
    return Plan(
        "select",
        (a.number(0) if a.number(0) < 0 else _enough(sets), *sets, timeout),
        result=lambda value: sum(map(len, value)),
    )


def _enough(sets: list[list[int]]) -> int:
    """The first argument: live descriptors may have larger numbers than the script's."""
    return max((max(one) + 1 for one in sets if one), default=0)


def _descriptors(a: Arguments, expression: Expression) -> list[int]:
    match expression:
        case Array(items):
            return [a.context.descriptors.live(a.value(item)) for item in items]
        case Structure(fields):
            return [a.context.descriptors.live(a.value(value)) for _, value in fields]
        case Anything():
            return []
    if a.value(expression) == 0:
        return []
    raise a.refuse("a set of descriptors that is no array")


def _timeout(a: Arguments, expression: Expression) -> float | None:
    """Seconds; None: for ever."""
    if not isinstance(expression, Structure):
        return None
    return float(_decimal(a, expression.get("tv_sec")) + _decimal(a, expression.get("tv_usec")) / 1e6)


def _decimal(a: Arguments, value: Expression | None) -> float:
    match value:
        case None | Anything():
            return 0
        case Number(number):
            return number
    return a.value(value)


# -- epoll


def epoll_create(a: Arguments) -> Plan:
    """``epoll_create(size)`` and ``epoll_create1(flags)``."""
    a.expect(1)
    return Plan(a.call.name, (a.number(0),), opens=True, socket=False)


def epoll_ctl(a: Arguments) -> Plan:
    """``epoll_ctl(epoll, operation, fd, {events=EPOLLIN, fd=4})``."""
    a.expect(3, 4)
    event = a.at(3)
    if isinstance(event, Array) and len(event.items) == 1:
        event = event.items[0]
    if isinstance(event, Text):
        raise a.refuse("a string as an event of epoll")
    events = data = 0
    if isinstance(event, Structure):
        events, data = _field(a, event, "events"), _data(a, event) or 0
    return Plan("epoll_ctl", (a.descriptor(0), a.number(1), a.descriptor(2), events, data))


def _data(a: Arguments, event: Structure) -> int | None:
    """What epoll is to give back: a number, whichever of its names it has."""
    for name in ("fd", "ptr", "u32", "u64"):
        value = event.get(name)
        if value is not None and not isinstance(value, Anything):
            return a.value(value) & 0xFFFFFFFFFFFFFFFF
    return None


def epoll_wait(a: Arguments) -> Plan:
    """``epoll_wait(epoll, {events=EPOLLIN, fd=4}, most, timeout in ms)``; an array for several."""
    a.expect(4)
    expected = a.at(1)
    items = expected.items if isinstance(expected, Array) else (expected,)
    most = a.number(2)
    if most <= 0:
        return Plan("epoll_wait", (a.descriptor(0), 1, 0), fails_with=EINVAL)
    return Plan(
        "epoll_wait",
        (a.descriptor(0), most, max(-1, min(a.number(3), _LONG))),
        differences=lambda value: _epoll_differences(a, items, value),
    )


def _epoll_differences(a: Arguments, items: tuple[Expression, ...], value: Any) -> Iterator[str]:
    for item, (events, data) in zip(items, value, strict=False):
        if not isinstance(item, Structure):
            continue
        wanted = item.get("events")
        if wanted is not None and not isinstance(wanted, Anything) and a.value(wanted) != events:
            yield differs("events", hex(a.value(wanted)), hex(events))
        expected = _data(a, item)
        if expected is not None and expected != data:
            yield differs("data of the event", expected, data)
