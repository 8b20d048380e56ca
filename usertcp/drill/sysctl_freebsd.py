"""The variables of FreeBSD, as its release 14 has them: ``net.inet``, ``net.inet6``, ``kern.ipc``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from usertcp.drill.sysctl import Refused, Value, Variable, first, flag, number, of_host, of_sockets, seconds, setting

if TYPE_CHECKING:
    from usertcp.drill.system import System

_LARGE: Final = 2**31 - 1


def _extensions(system: System, value: Value) -> System:
    """``rfc1323``: 0: neither, 1: both, 2: window scale, 3: timestamps."""
    on = first(value)
    return system.with_settings(window_scaling=on in (1, 2), timestamps=on in (1, 3))


def _ecn(system: System, value: Value) -> System:
    modes = {0: "off", 1: "on", 2: "passive"}
    if first(value) not in modes:
        raise Refused("accurate ECN is not done")
    return system.with_settings(ecn=modes[first(value)])


FREEBSD: Final[dict[str, Variable]] = {
    "net.inet.tcp.rfc1323": Variable("1", number(0, 3), _extensions),
    "net.inet.tcp.sack.enable": Variable("1", flag, setting("sack")),
    "net.inet.tcp.ecn.enable": Variable("2", number(0, 4), _ecn),
    "net.inet.tcp.msl": Variable("30000", number(1, _LARGE), setting("msl", seconds)),
    "net.inet.tcp.delacktime": Variable("40", number(1, _LARGE), setting("ack_delay", seconds)),
    "net.inet.tcp.syncookies": Variable("1", flag, of_host("syn_cookies")),
    "kern.ipc.soacceptqueue": Variable("128", number(1, 65535), of_sockets("somaxconn")),
}
