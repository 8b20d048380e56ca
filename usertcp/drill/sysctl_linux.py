"""The variables of Linux, as its kernel 6.18 has them: ``net.ipv4``, ``net.ipv6``, ``net.core``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from usertcp.drill.sysctl import (
    Refused,
    Value,
    Variable,
    first,
    flag,
    nothing,
    number,
    numbers,
    of_host,
    of_sockets,
    only,
    seconds,
    setting,
    word,
    words,
)
from usertcp.tcp.congestion import registry

if TYPE_CHECKING:
    from usertcp.drill.system import System

_MILLION: Final = 10**6
_LARGE: Final = 2**31 - 1


def _congestion_control(system: System, value: Value) -> System:
    if value not in registry.NAMES:
        raise Refused(f"there are {', '.join(registry.NAMES)}")
    return system.with_settings(congestion_control=value)


def _ecn(system: System, value: Value) -> System:
    modes = {0: "off", 1: "on", 2: "passive"}
    if first(value) not in modes:
        raise Refused("accurate ECN is not done")
    return system.with_settings(ecn=modes[first(value)])


def _receive_buffers(system: System, value: Value) -> System:
    """``tcp_rmem``: least, at first, most."""
    at_first, most = _last_two(value)
    return system.with_settings(initial_receive_buffer=at_first, receive_buffer=max(at_first, most))


def _last_two(value: Value) -> tuple[int, int]:
    if len(value) != 3:
        raise Refused("three numbers are needed")
    assert isinstance(value, tuple)
    return value[1], value[2]


def _fast_open(system: System, value: Value) -> System:
    bits = first(value)
    return system.with_settings(fast_open=bool(bits & 3))


def _recovery(system: System, value: Value) -> System:
    if not first(value) & 1:
        raise Refused("losses are always found by RACK")
    if first(value) & 6:
        raise Refused("RACK's reordering window is always that of RFC 8985")
    return system


def _mtu_probing(system: System, value: Value) -> System:
    if first(value) == 2:
        raise Refused("probing begins where large segments vanish only")
    return system.with_settings(mtu_probing=bool(first(value)))


_NO_CACHE: Final = "nothing is remembered from one connection for the next"
_UNSEEN: Final = "about how the kernel spends time and memory, not about what it sends"

LINUX: Final[dict[str, Variable]] = {
    # -- What a SYN offers
    "net.ipv4.tcp_sack": Variable("1", flag, setting("sack")),
    "net.ipv4.tcp_dsack": Variable("1", flag, only(1, does="duplicates are always reported")),
    "net.ipv4.tcp_timestamps": Variable(
        "1", number(0, 2), setting("timestamps"), "2 differs from 1 only in where the clock begins"
    ),
    "net.ipv4.tcp_window_scaling": Variable("1", flag, setting("window_scaling")),
    "net.ipv4.tcp_ecn": Variable("2", number(0, 5), _ecn),
    "net.ipv4.tcp_ecn_fallback": Variable("1", flag, only(1, does="a SYN that comes again asks for no ECN")),
    "net.ipv4.tcp_ecn_option": Variable("2", number(0, 2), nothing, "about accurate ECN, which cannot be turned on"),
    "net.ipv4.tcp_ecn_option_beacon": Variable("3", number(0, 3), nothing, "the same"),
    "net.ipv4.tcp_min_snd_mss": Variable("48", number(48, 65535), setting("min_mss", int)),
    # -- Buffers
    "net.ipv4.tcp_rmem": Variable(f"4096 131072 {6 << 20}", numbers(3, 1, _LARGE), _receive_buffers),
    "net.ipv4.tcp_moderate_rcvbuf": Variable("1", flag, only(1, does="the receive buffer always grows with need")),
    "net.ipv4.tcp_app_win": Variable("31", number(0, 31), only(31, does="no part of the window is kept back")),
    "net.ipv4.tcp_adv_win_scale": Variable("1", number(-31, 31), nothing, "has no effect in kernels from 6.6 on"),
    "net.ipv4.tcp_workaround_signed_windows": Variable("0", flag, only(0, does="windows are unsigned")),
    "net.ipv4.tcp_shrink_window": Variable("0", flag, only(0, does="a window's right edge never moves left")),
    "net.ipv4.tcp_notsent_lowat": Variable("4294967295", number(0, 2**32 - 1), of_sockets("notsent_lowat")),
    "net.ipv4.tcp_mem": Variable(
        "94044 125392 188088", numbers(3, 0, 2**63 - 1), nothing, "memory is not counted in pages"
    ),
    # -- Congestion control, loss detection
    "net.ipv4.tcp_congestion_control": Variable("cubic", word, _congestion_control),
    "net.ipv4.tcp_allowed_congestion_control": Variable("", words, nothing, "a script is root"),
    "net.ipv4.tcp_frto": Variable("2", number(0, 2), setting("frto")),
    "net.ipv4.tcp_early_retrans": Variable(
        "3", number(0, 4), setting("tlp", lambda mode: mode >= 3), "early retransmit itself is gone since 4.13"
    ),
    "net.ipv4.tcp_recovery": Variable("1", number(0, 7), _recovery),
    "net.ipv4.tcp_fack": Variable("0", number(0, _LARGE), nothing, "has no effect in kernels from 4.15 on"),
    "net.ipv4.tcp_slow_start_after_idle": Variable("1", flag, nothing),
    "net.ipv4.tcp_no_metrics_save": Variable("0", flag, nothing, _NO_CACHE),
    "net.ipv4.tcp_no_ssthresh_metrics_save": Variable("1", flag, nothing, _NO_CACHE),
    "net.ipv4.tcp_low_latency": Variable("0", number(0, _LARGE), nothing, "has no effect in kernels from 4.14 on"),
    "net.ipv4.tcp_autocorking": Variable("1", flag, nothing, "the device takes all at once, so nothing is waited for"),
    "net.ipv4.tcp_limit_output_bytes": Variable("4194304", number(0, _LARGE), nothing, "the device takes all at once"),
    # -- Timers and retries
    "net.ipv4.tcp_fin_timeout": Variable("60", number(0, _LARGE), setting("fin_wait_2_timeout", float)),
    "net.ipv4.tcp_keepalive_time": Variable("7200", number(0, _LARGE), setting("keepalive_idle", float)),
    "net.ipv4.tcp_keepalive_intvl": Variable("75", number(0, _LARGE), setting("keepalive_interval", float)),
    "net.ipv4.tcp_keepalive_probes": Variable("9", number(0, 255), setting("keepalive_probes", int)),
    "net.ipv4.tcp_retries1": Variable("3", number(0, 255), setting("r1", int)),
    "net.ipv4.tcp_rto_min_us": Variable("200000", number(1, _LARGE), setting("min_rto", lambda us: us / _MILLION)),
    "net.ipv4.tcp_rto_max_ms": Variable("120000", number(1000, 120000), setting("max_rto", seconds)),
    # -- What comes in
    "net.ipv4.tcp_rfc1337": Variable("0", flag, setting("rfc1337")),
    "net.ipv4.tcp_invalid_ratelimit": Variable("500", number(0, _LARGE), setting("challenge_interval", seconds)),
    "net.ipv4.tcp_challenge_ack_limit": Variable(
        "2147483647", number(0, _LARGE), nothing, "counts for all connections of a host together"
    ),
    "net.ipv4.tcp_stdurg": Variable("0", flag, only(0, does="the urgent pointer points behind the urgent byte")),
    "net.ipv4.tcp_syncookies": Variable("1", number(0, 2), of_host("syn_cookies")),
    "net.ipv4.tcp_fastopen": Variable("1", number(0, _LARGE), _fast_open),
    "net.ipv4.tcp_max_orphans": Variable("65536", number(0, _LARGE), of_host("max_orphans", int)),
    # -- Path MTU
    "net.ipv4.tcp_mtu_probing": Variable("0", number(0, 2), _mtu_probing),
    # -- IP
    "net.ipv4.ip_default_ttl": Variable("64", number(1, 255), setting("ttl", int)),
    "net.core.somaxconn": Variable("4096", number(0, _LARGE), of_sockets("somaxconn")),
}
