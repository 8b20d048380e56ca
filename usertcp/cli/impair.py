"""``--impair``: how bad the path is, as a person writes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from usertcp.sim.impairment import PERFECT, Burst, Conditions
from usertcp.sim.selection import Nth

#: A packet that lets others overtake it waits this long at most, in seconds, unless told otherwise.
REORDER_DELAY: Final = 0.005
KEYS: Final = (
    "loss=P%, burst=P%/N, reorder=P%[/DELAY], delay=20ms, jitter=5ms, duplicate=P%, corrupt=P%, rate=10mbit, "
    "queue=N, drop=data:3 (or syn, fin, ack), seed=N"
)
_KINDS: Final = ("data", "syn", "fin", "ack")
_TIMES: Final = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
_RATES: Final = {"kbit": 1e3, "mbit": 1e6, "gbit": 1e9, "bit": 1.0}


@dataclass(frozen=True)
class Path:
    """Both directions, seen from the stack, and the seed of all chance."""

    inbound: Conditions = PERFECT
    outbound: Conditions = PERFECT
    seed: int = 0


class ImpairError(ValueError):
    """Its text says what is wrong and what could stand there."""


def parse(texts: Sequence[str]) -> Path | None:
    """Read every ``--impair``; None where there is none.  Raises :class:`ImpairError`.

    ``in:`` or ``out:`` before the first key of a text applies all of it to one direction.
    """
    if not texts:
        return None
    path = Path()
    for text in texts:
        path = _add(path, text)
    return path


def _add(path: Path, text: str) -> Path:
    direction, colon, rest = text.partition(":")
    one_way = bool(colon) and direction in ("in", "out")
    directions = [direction] if one_way else ["in", "out"]
    items = rest if one_way else text
    for item in items.split(","):
        key, equals, value = item.strip().partition("=")
        if not equals or not value:
            raise ImpairError(f"{item.strip()!r} is not KEY=VALUE; there are {KEYS}")
        if key == "seed":
            path = replace(path, seed=_whole(key, value, 0))
            continue
        if "in" in directions:
            path = replace(path, inbound=_change(path.inbound, key, value))
        if "out" in directions:
            path = replace(path, outbound=_change(path.outbound, key, value))
    return path


def _change(conditions: Conditions, key: str, value: str) -> Conditions:
    changes: dict[str, Any]
    if key in ("loss", "duplicate", "corrupt"):
        changes = {key: _share(key, value)}
    elif key == "burst":
        begins, slash, length = value.partition("/")
        changes = {"burst": Burst(_share(key, begins), _whole(key, length, 1) if slash else 3)}
    elif key == "reorder":
        share, slash, delay = value.partition("/")
        changes = {"reorder": _share(key, share), "reorder_delay": _time(key, delay) if slash else REORDER_DELAY}
    elif key in ("delay", "jitter"):
        changes = {key: _time(key, value)}
    elif key == "rate":
        changes = {"rate": _rate(value)}
    elif key == "queue":
        changes = {"queue": _whole(key, value, 1)}
    elif key == "drop":
        changes = {"drop": (*conditions.drop, _nth(value))}
    else:
        raise ImpairError(f"there is no {key!r} to impair; there are {KEYS}")
    return replace(conditions, **changes)


def _share(key: str, text: str) -> float:
    number = _number(text.removesuffix("%"))
    if not text.endswith("%") or number is None or not 0 <= number <= 100:
        raise ImpairError(f"{key}={text!r} is not a share such as 5%")
    return number / 100


def _time(key: str, text: str) -> float:
    for unit, seconds in _TIMES.items():
        number = _number(text.removesuffix(unit)) if text.endswith(unit) else None
        if number is not None:
            return number * seconds
    raise ImpairError(f"{key}={text!r} is not a time such as 20ms")


def _rate(text: str) -> float:
    for unit, bits in _RATES.items():
        number = _number(text.removesuffix(unit)) if text.endswith(unit) else None
        if number:
            return number * bits
    raise ImpairError(f"rate={text!r} is not a rate such as 10mbit")


def _whole(key: str, text: str, least: int) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 9 or int(text) < least:
        raise ImpairError(f"{key}={text!r} is not a whole number from {least}")
    return int(text)


def _nth(text: str) -> Nth:
    kind, _, number = text.partition(":")
    for known in _KINDS:
        if kind == known:
            return Nth(known, _whole("drop", number, 1))
    raise ImpairError(f"drop={text!r} names no segment; it is data, syn, fin or ack with a number, as data:3")


def _number(text: str) -> float | None:
    if len(text) > 12 or not text or not all(character in "0123456789." for character in text):
        return None
    try:
        return float(text)
    except ValueError:
        return None
