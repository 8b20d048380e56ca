"""What ``ip route`` says of the connections over a route: the metrics of its entry as settings."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from usertcp.drill.target import NotPossible
from usertcp.tcp.congestion import registry

if TYPE_CHECKING:
    from usertcp.drill.system import System

_SMALLEST_MTU: Final = 68


def set_route(system: System, metrics: Iterable[tuple[str, str]]) -> System:
    """``system`` with the metrics of its one route set, and those of an earlier entry gone.  Raises NotPossible."""
    mtu = None
    values: dict[str, Any] = {}
    for name, text in metrics:
        try:
            match name:
                case "initcwnd":
                    values["initial_window"] = _number(text, 1, 1 << 20)
                case "rto_min":
                    values["min_rto"] = _time(text)
                case "hoplimit":
                    values["ttl"] = _number(text, 1, 255)
                case "congctl" if text in registry.NAMES:
                    values["congestion_control"] = text
                case "features" if text == "ecn":
                    values["ecn"] = "on"
                case "mtu":
                    mtu = _number(text, _SMALLEST_MTU, 0xFFFF)
                case "rtt" | "rttvar" | "ssthresh" | "cwnd" if _number(text, 0, 0) == 0:
                    continue
                case _:
                    raise ValueError
        except ValueError:
            raise NotPossible(f"ip route: {name} {text}") from None
    bare = system.with_settings(**system.unrouted)
    unrouted = {name: getattr(bare.settings, name) for name in values}
    changed = replace(bare.with_settings(**values), unrouted=unrouted)
    return changed if mtu is None else replace(changed, mtu=mtu)


def _number(text: str, low: int, high: int) -> int:
    if not re.fullmatch("[0-9]{1,10}", text):
        raise ValueError
    number = int(text)
    if not low <= number <= high:
        raise ValueError
    return number


def _time(text: str) -> float:
    """Seconds of a time with a unit; without one it is in milliseconds."""
    for unit, length in (("usecs", 1e-6), ("us", 1e-6), ("msecs", 1e-3), ("ms", 1e-3), ("s", 1.0), ("", 1e-3)):
        if text.endswith(unit):
            return _number(text.removesuffix(unit), 1, 10**9) * length
    raise ValueError
