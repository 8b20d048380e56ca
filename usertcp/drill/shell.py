"""The shell lines of a script, as what they would change.  None is ever run.

Scripts set up the system that they are about: its variables, its device, its routes.  The few commands for that are
known here by name, with the helpers that published collections bring (``set_sysctls.py``, ``defaults.sh``).  Those
that change nothing that a script can see are known too, and do nothing.  Anything else is unsupported.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from posixpath import basename
from typing import Final, Literal, TypeAlias

from usertcp.drill.errors import Unsupported
from usertcp.drill.shell_words import NotShell, Simple, commands

#: Which system's commands and variables a script speaks of.
Dialect: TypeAlias = Literal["linux", "freebsd"]


@dataclass(frozen=True, slots=True)
class SetSysctl:
    """Set a variable: its name as the script has it (dots or slashes, without ``/proc/sys/``), its value as text."""

    name: str
    value: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class SetOffload:
    """Let the device take super-segments, or not."""

    on: bool
    text: str = ""


@dataclass(frozen=True, slots=True)
class SetMtu:
    """Set the device's MTU, in bytes."""

    mtu: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class SetRoute:
    """Set what the route to the peer says of its connections: names and values of ``ip route``.

    What is not named goes back to its default, as ``ip route`` replaces the whole entry.
    """

    metrics: tuple[tuple[str, str], ...]
    text: str = ""


@dataclass(frozen=True, slots=True)
class SaveSysctls:
    """Remember what these variables are, in place of what was remembered before."""

    names: tuple[str, ...]
    text: str = ""


@dataclass(frozen=True, slots=True)
class RestoreSysctls:
    """Set the variables that were remembered to what they were."""

    text: str = ""


#: Each has ``text``: the command that it stands for.
Action: TypeAlias = SetSysctl | SaveSysctls | RestoreSysctls | SetOffload | SetMtu | SetRoute

#: What ``defaults.sh`` sets: what the scripts of that collection take for granted.
DEFAULTS: Final = (
    ("net.ipv4.tcp_congestion_control", "cubic"),
    ("net.ipv4.tcp_rmem", f"4096 540000 {15 << 20}"),
    ("net.ipv4.tcp_wmem", f"4096 {256 << 10} {4 << 20}"),
    ("net.ipv4.tcp_timestamps", "1"),
    ("net.ipv4.tcp_sack", "1"),
    ("net.ipv4.tcp_dsack", "1"),
    ("net.ipv4.tcp_frto", "2"),
    ("net.ipv4.tcp_reordering", "3"),
    ("net.ipv4.tcp_slow_start_after_idle", "0"),
    ("net.ipv4.tcp_early_retrans", "4"),
    ("net.ipv4.tcp_recovery", "1"),
    ("net.ipv4.tcp_ecn", "0"),
    ("net.ipv4.tcp_syn_retries", "5"),
    ("net.ipv4.tcp_synack_retries", "5"),
    ("net.ipv4.tcp_fastopen", "0x70403"),
    ("net.ipv4.tcp_syncookies", "1"),
)


def interpret(text: str, line: int, dialect: Dialect) -> list[Action]:
    """What a shell line on ``line`` would change, in its order; nothing for a harmless one.

    Raises Unsupported for a command, or a way to use one, that is not known.
    """
    try:
        found: list[Action] = []
        for command in commands(text):
            if command.after == "||":  # all that come here succeed, so what stands for their failure is skipped
                continue
            found += _command(command, dialect)
        return found
    except NotShell as error:
        raise Unsupported(line, f"shell command: {_short(text)} ({error})") from None


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 100 else text[:97] + "..."


def _command(command: Simple, dialect: Dialect) -> list[Action]:
    name, *arguments = command.words
    name = basename(name)
    if name == "echo":
        return list(_echo(arguments, command.output, dialect))
    if command.output not in (None, "/dev/null"):
        raise NotShell(f"output to {command.output}")
    known = {**_COMMANDS, **_OF[dialect]}.get(name)
    if known is None:
        raise NotShell(f"{name} is not known")
    return list(known(arguments, " ".join(command.words)))


# -- Variables ------------------------------------------------------------------------------------------

#: Options of sysctl that only say what to print, and those that say that a value follows.
_SYSCTL_FLAGS: Final = frozenset(
    {"-q", "-w", "-n", "-e", "-i", "-N", "-qw", "-wq", "--quiet", "--write", "--values", "--ignore"}
)
_PROC: Final = "/proc/sys/"
_MODULES: Final = "/sys/module/"


def _sysctl(arguments: list[str], text: str) -> Iterator[Action]:
    """``sysctl [-q] [-w] name=value ...``; a name alone is only shown."""
    words = [word for word in arguments if word not in _SYSCTL_FLAGS]
    if "=" in words:  # procps takes "name = value" too, where it is quoted as one word only
        raise NotShell("= stands alone")
    for word in words:
        if word.startswith("-"):
            raise NotShell(f"sysctl {word}")
        name, equals, value = (part.strip() for part in word.partition("="))
        if not name:
            raise NotShell("sysctl without a name")
        if equals:
            yield SetSysctl(_plain(name), value, text)


def _plain(name: str) -> str:
    """A variable's name without its place in /proc."""
    return name.removeprefix(_PROC)


def _set_sysctls(arguments: list[str], text: str) -> Iterator[Action]:
    """``set_sysctls.py /proc/sys/...=value ...``, which leaves a script behind that undoes it."""
    found: list[tuple[str, str]] = []
    for word in arguments:
        path, equals, value = word.partition("=")
        if not equals or not path.startswith(_PROC):
            raise NotShell(f"set_sysctls.py {word}")
        found.append((_plain(path), value.strip()))
    yield SaveSysctls(tuple(name for name, _ in found), text)
    for name, value in found:
        yield SetSysctl(name, value, text)


def _restore(arguments: list[str], text: str) -> Iterator[Action]:
    """``/tmp/sysctl_restore_${PPID}.sh``: what ``set_sysctls.py`` left behind."""
    if arguments:
        raise NotShell("sysctl_restore with arguments")
    yield RestoreSysctls(text)


def _defaults(arguments: list[str], text: str) -> Iterator[Action]:
    """``defaults.sh``."""
    if arguments:
        raise NotShell("defaults.sh with arguments")
    return (SetSysctl(name, value, text) for name, value in DEFAULTS)


def _echo(arguments: list[str], output: str | None, dialect: Dialect) -> Iterator[Action]:
    """``echo value > /proc/sys/...``; elsewhere it only shows something."""
    if output in (None, "/dev/null", "/dev/stderr", "/dev/stdout"):
        return
    assert output is not None
    if dialect != "linux" or not output.startswith((_PROC, _MODULES)) or ".." in output:
        raise NotShell(f"output to {output}")
    words = [word for word in arguments if word not in ("-n", "-e")]
    yield SetSysctl(_plain(output), " ".join(words), f"echo {' '.join(arguments)} > {output}")


# -- The device and the route ------------------------------------------------------------------------------

_TSO: Final = frozenset({"tso", "tcp-segmentation-offload", "tx-tcp-segmentation"})
#: What else ethtool -K may turn on or off, and nobody sees it here.
_OTHER_OFFLOADS: Final = frozenset(
    {
        "gro",
        "generic-receive-offload",
        "lro",
        "large-receive-offload",
        "rx",
        "rx-checksumming",
        "tx",
        "tx-checksumming",
        "sg",
        "scatter-gather",
        "gso",
        "generic-segmentation-offload",
        "ufo",
        "tso6",
        "tx-tcp6-segmentation",
    }
)


def _ethtool(arguments: list[str], text: str) -> Iterator[Action]:
    """``ethtool -K tun0 tso off gso off``."""
    if len(arguments) < 4 or arguments[0] not in ("-K", "--features", "--offload") or len(arguments) % 2:
        raise NotShell("ethtool does something else than to turn features on or off")
    for name, state in zip(arguments[2::2], arguments[3::2], strict=True):
        if name not in _TSO | _OTHER_OFFLOADS or state not in ("on", "off"):
            raise NotShell(f"ethtool {name} {state}")
        if name in _TSO:
            yield SetOffload(state == "on", text)


def _number(word: str, what: str) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", word):
        raise NotShell(f"{what} {word}")
    return int(word)


_ROUTE_METRICS: Final = frozenset(
    {
        "mtu",
        "advmss",
        "window",
        "rtt",
        "rttvar",
        "rto_min",
        "initcwnd",
        "initrwnd",
        "quickack",
        "features",
        "congctl",
        "reordering",
        "ssthresh",
        "cwnd",
        "hoplimit",
        "fastopen_no_cookie",
    }
)
#: What of a route says where it leads to: a script's peer is on the one link that there is.
_ROUTE_PLACE: Final = frozenset({"via", "dev", "proto", "scope", "src", "table", "metric", "pref", "type"})


def _ip(arguments: list[str], text: str) -> Iterator[Action]:
    """``ip link set dev tun0 mtu N``, ``ip route change ... initcwnd N``, and what flushes caches."""
    words = [word for word in arguments if word not in ("-4", "-6", "-s", "-o")]
    match words:
        case ["link" | "l", "set", *rest]:
            yield from _link(rest, text)
        case ["route" | "ro" | "r", "flush", *rest] if "cache" in rest:
            return
        case ["route" | "ro" | "r", "add" | "change" | "replace" | "chg" | "append", *rest]:
            yield from _route(rest, text)
        case ["tcp_metrics" | "tcpmetrics" | "tcp_m", "flush" | "del" | "delete", *_]:
            return
        case [_, "show" | "list" | "ls", *_] | ["route" | "ro" | "r" | "link" | "l" | "addr" | "a"]:
            return
        case _:
            raise NotShell("ip does something else than to set a link's MTU or a route's metrics")


def _link(words: list[str], text: str) -> Iterator[Action]:
    rest = words[1:] if words[:1] == ["dev"] else words
    settings = rest[1:]  # behind the device's name
    while settings:
        match settings:
            case ["mtu", number, *settings]:
                yield SetMtu(_number(number, "mtu"), text)
            case ["up", *settings]:
                continue
            case ["txqueuelen" | "qlen", _, *settings]:
                continue
            case _:
                raise NotShell(f"ip link set {settings[0]}")


def _route(words: list[str], text: str) -> Iterator[Action]:
    metrics: list[tuple[str, str]] = []
    rest = words[1:] if words[:1] in (["to"], ["unicast"]) else words
    rest = rest[1:]  # behind the destination
    while rest:
        name, value, length = rest[0], rest[1] if len(rest) > 1 else "", 2
        if value == "lock":
            value, length = rest[2] if len(rest) > 2 else "", 3
        if name == "onlink":
            length = 1
        elif not value or name not in _ROUTE_METRICS | _ROUTE_PLACE:
            raise NotShell(f"ip route {name}")
        elif name in _ROUTE_METRICS:
            metrics.append((name, value))
        rest = rest[length:]
    yield SetRoute(tuple(metrics), text)


_HARMLESS_QDISCS: Final = frozenset({"pfifo", "pfifo_fast", "bfifo", "noqueue", "fq_codel"})


def _tc(arguments: list[str], text: str) -> Iterator[Action]:
    """``tc qdisc replace dev tun0 root pfifo``: a queue that keeps the order and takes no time."""
    match arguments:
        case ["qdisc", "add" | "replace" | "change", "dev", _, "root", kind, *_] if kind in _HARMLESS_QDISCS:
            return iter(())
        case ["qdisc", "del" | "delete", "dev", _, "root"]:
            return iter(())
        case ["qdisc", "show", *_] | ["-s", "qdisc", "show", *_]:
            return iter(())
    raise NotShell("tc does something else than to set a plain queue")


def _ifconfig(arguments: list[str], text: str) -> Iterator[Action]:
    """``ifconfig tun0 mtu N``, ``ifconfig tun0 -tso``."""
    if not arguments:
        return
    for word, value in pairwise([*arguments[1:], ""]):
        if word == "mtu":
            yield SetMtu(_number(value, "mtu"), text)
    for word in (word for word, before in zip(arguments[1:], arguments, strict=False) if before != "mtu"):
        if word in ("tso", "-tso"):
            yield SetOffload(word == "tso", text)
        elif word not in ("mtu", "up", "txcsum", "-txcsum", "rxcsum", "-rxcsum", "lro", "-lro"):
            raise NotShell(f"ifconfig {word}")


# -- What changes nothing ------------------------------------------------------------------------------------


def _nothing(arguments: list[str], text: str) -> Iterator[Action]:
    """Whatever its arguments are: it shows something, waits, or loads what is here anyway."""
    return iter(())


_COMMANDS: Final[dict[str, Callable[[list[str], str], Iterator[Action]]]] = {
    "sysctl": _sysctl,
    "true": _nothing,
    ":": _nothing,
    "printf": _nothing,
    "date": _nothing,
    # A script leaves the time that its commands take; the times of its events are what counts.
    "sleep": _nothing,
    "sync": _nothing,
    "netstat": _nothing,
}
_OF: Final[dict[Dialect, dict[str, Callable[[list[str], str], Iterator[Action]]]]] = {
    "linux": {
        "set_sysctls.py": _set_sysctls,
        "sysctl_restore_$PPID.sh": _restore,
        "defaults.sh": _defaults,
        "ip": _ip,
        "tc": _tc,
        "ethtool": _ethtool,
        "ifconfig": _ifconfig,
        "modprobe": _nothing,
        "nstat": _nothing,
        "ss": _nothing,
        "dmesg": _nothing,
    },
    "freebsd": {
        "kldload": _nothing,
        "kldunload": _nothing,
        "kldstat": _nothing,
        "ifconfig": _ifconfig,
        "sockstat": _nothing,
    },
}
