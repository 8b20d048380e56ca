"""The variables of Linux, as its kernel 6.18 has them: ``net.ipv4``, ``net.ipv6``, ``net.core``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from usertcp.drill.sysctl import (
    Effect,
    Refused,
    Value,
    Variable,
    default_only,
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
    three,
    word,
    words,
)
from usertcp.drill.sysctl_linux_unseen import UNSEEN
from usertcp.tcp.congestion import registry

if TYPE_CHECKING:
    from usertcp.drill.system import System

_MILLION: Final = 10**6
_LARGE: Final = 2**31 - 1
_HUGE: Final = 2**63 - 1
#: What a machine that runs published scripts makes its cookies with.
FAST_OPEN_KEY: Final = "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4"
_KEY: Final = "[0-9a-fA-F]{1,8}(-[0-9a-fA-F]{1,8}){3}"


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
    _, at_first, most = three(value)
    return _window_scale(system.with_settings(initial_receive_buffer=at_first, receive_buffer=max(at_first, most)))


def _window_scale(system: System) -> System:
    """A SYN's window scale is made for the larger of what a buffer grows to and what a socket may ask for."""
    return system.with_settings(
        window_scale_buffer=max(system.settings.receive_buffer, system.sockets.receive_buffer_limit)
    )


def _send_buffers(system: System, value: Value) -> System:
    """``tcp_wmem``: least, at first, most."""
    _, at_first, most = three(value)
    return system.with_sockets(send_buffer=at_first, most_send_buffer=max(at_first, most))


def _most_receive_buffer(system: System, value: Value) -> System:
    return _window_scale(system.with_sockets(receive_buffer_limit=first(value)))


def _fast_open(system: System, value: Value) -> System:
    bits = first(value)
    return system.with_settings(
        fast_open=bool(bits & 3),
        fast_open_client_cookie=not bits & 0x4,
        fast_open_server_cookie=not bits & 0x200,
    ).with_sockets(fast_open=bits)


def _keys(text: str) -> str:
    """Keys of four 32-bit words in hexadecimal, one or two; raises ValueError for anything else."""
    if not re.fullmatch(f"{_KEY}(,{_KEY})?", text):
        raise ValueError("one or two keys like 1234abcd-1234abcd-1234abcd-1234abcd")
    return text


def _fast_open_keys(system: System, value: Value) -> System:
    assert isinstance(value, str)
    return system.with_host(fast_open_keys=tuple(map(fast_open_key, value.split(","))))


def fast_open_key(text: str) -> bytes:
    """A key of 16 bytes: the kernel keeps each word as its machine does, the least byte first."""
    return b"".join(int(word, 16).to_bytes(4, "little") for word in text.split("-"))


def _recovery(system: System, value: Value) -> System:
    if not first(value) & 1:
        raise Refused("losses are always found by RACK")
    if first(value) & 6:
        raise Refused("RACK's reordering window is always that of RFC 8985")
    return system


def _syn_cookies(system: System, value: Value) -> System:
    if first(value) == 2:
        raise Refused("cookies are for a backlog that is full")
    return system.with_host(syn_cookies=bool(first(value)))


def _mtu_probing(system: System, value: Value) -> System:
    if first(value) == 2:
        raise Refused("probing begins where large segments vanish only")
    return system.with_settings(mtu_probing=bool(first(value)))


_NO_CACHE: Final = "nothing is remembered from one connection for the next"
_AT_ONCE: Final = "the device takes all at once, so nothing waits for it"
_ACCURATE: Final = "about accurate ECN, which cannot be turned on"
_ORPHANS: Final = "how often a connection without its application tries again"

_TCP: Final[dict[str, Variable]] = {
    # -- What a SYN says
    "tcp_sack": Variable("1", flag, setting("sack")),
    "tcp_dsack": Variable("1", flag, setting("dsack")),
    "tcp_timestamps": Variable(
        "1", number(0, 2), setting("timestamps", note="2 differs from 1 only in where the clock begins")
    ),
    "tcp_window_scaling": Variable("1", flag, setting("window_scaling")),
    "tcp_ecn": Variable("2", number(0, 5), Effect(_ecn, "`ecn`; accurate ECN is refused")),
    "tcp_ecn_fallback": Variable("1", flag, setting("ecn_syn_retries", lambda on: 0 if on else _LARGE)),
    "tcp_ecn_option": Variable("2", number(0, 2), nothing(_ACCURATE)),
    "tcp_ecn_option_beacon": Variable("3", number(0, 3), nothing(_ACCURATE)),
    "tcp_min_snd_mss": Variable("48", number(48, 65535), setting("min_mss", int)),
    "tcp_fastopen": Variable("1", number(0, _LARGE), Effect(_fast_open, "`fast_open`, and that of the sockets")),
    "tcp_fastopen_key": Variable(FAST_OPEN_KEY, _keys, Effect(_fast_open_keys, "`fast_open_keys`")),
    "tcp_fastopen_blackhole_timeout_sec": Variable(
        "0", number(0, _LARGE), only(0, does="a path that swallows Fast Open does not turn it off for others")
    ),
    "tcp_reflect_tos": Variable("0", flag, only(0, does="a SYN,ACK has our own type of service")),
    # -- Buffers
    "tcp_rmem": Variable(
        f"4096 540000 {15 << 20}",
        numbers(3, 1, _LARGE),
        Effect(_receive_buffers, "`initial_receive_buffer` and `receive_buffer`"),
    ),
    "tcp_wmem": Variable(
        f"4096 {256 << 10} {4 << 20}",
        numbers(3, 1, _LARGE),
        Effect(_send_buffers, "`send_buffer` and `most_send_buffer` of the sockets"),
    ),
    "tcp_mem": Variable(
        "94044 125392 188088", numbers(3, 0, _HUGE), nothing("memory of all connections is not counted")
    ),
    "tcp_moderate_rcvbuf": Variable("1", flag, setting("grow_receive_buffer")),
    "tcp_app_win": Variable("31", number(0, 31), only(31, does="no part of the window is kept back")),
    "tcp_adv_win_scale": Variable("1", number(-31, 31), nothing("has no effect in kernels from 6.6 on")),
    "tcp_workaround_signed_windows": Variable("0", flag, only(0, does="windows are unsigned")),
    "tcp_shrink_window": Variable("0", flag, only(0, does="a window's right edge never moves left")),
    "tcp_notsent_lowat": Variable("4294967295", number(0, 2**32 - 1), of_sockets("notsent_lowat")),
    # -- Congestion control and what is sent together
    "tcp_congestion_control": Variable("cubic", word, Effect(_congestion_control, "`congestion_control`")),
    "tcp_allowed_congestion_control": Variable("", words, nothing("a script may choose all of them")),
    "tcp_slow_start_after_idle": Variable("1", flag, setting("slow_start_after_idle")),
    "tcp_no_metrics_save": Variable("0", flag, nothing(_NO_CACHE)),
    "tcp_no_ssthresh_metrics_save": Variable("1", flag, nothing(_NO_CACHE)),
    "tcp_autocorking": Variable("1", flag, nothing(_AT_ONCE)),
    "tcp_limit_output_bytes": Variable("4194304", number(0, _LARGE), nothing(_AT_ONCE)),
    "tcp_min_tso_segs": Variable("2", number(1, 255), setting("tso_min_segments", int)),
    "tcp_tso_win_divisor": Variable("3", number(0, _LARGE), setting("tso_window_divisor", int)),
    "tcp_tso_rtt_log": Variable("9", number(0, 255), setting("tso_rtt_log", int)),
    "tcp_pacing_ss_ratio": Variable("200", number(0, 1000), setting("pacing_slow_start_percent", int)),
    "tcp_pacing_ca_ratio": Variable("120", number(0, 1000), setting("pacing_avoidance_percent", int)),
    # -- Losses
    "tcp_frto": Variable("2", number(0, 2), setting("frto")),
    "tcp_early_retrans": Variable(
        "3", number(0, 4), setting("tlp", lambda mode: mode >= 3, "early retransmit itself is gone since 4.13")
    ),
    "tcp_recovery": Variable("1", number(0, 7), Effect(_recovery, "RACK with the reordering window of RFC 8985 only")),
    "tcp_reordering": Variable("3", number(1, 300), setting("reordering", int)),
    "tcp_max_reordering": Variable("300", number(1, _LARGE), default_only("reordering is adapted to without a bound")),
    "tcp_min_rtt_wlen": Variable(
        "300", number(0, 86400), default_only("the least round trip is that of the whole connection")
    ),
    "tcp_thin_linear_timeouts": Variable("0", flag, default_only("a timer doubles however little is outstanding")),
    "tcp_retrans_collapse": Variable("1", flag, only(1, does="small segments are joined when they are sent again")),
    "tcp_fack": Variable("0", number(0, _LARGE), nothing("has no effect in kernels from 4.15 on")),
    "tcp_low_latency": Variable("0", number(0, _LARGE), nothing("has no effect in kernels from 4.14 on")),
    # -- Timers
    "tcp_syn_retries": Variable("6", number(1, 127), setting("syn_retries", int)),
    "tcp_syn_linear_timeouts": Variable("4", number(0, 127), setting("syn_linear_timeouts", int)),
    "tcp_synack_retries": Variable("5", number(0, 255), setting("syn_ack_retries", int)),
    "tcp_retries1": Variable("3", number(0, 255), setting("r1", int)),
    "tcp_retries2": Variable("15", number(0, 255), setting("retries", int)),
    "tcp_orphan_retries": Variable("0", number(0, 255), setting("orphan_retries", lambda n: n or 8, _ORPHANS)),
    "tcp_fin_timeout": Variable("60", number(0, _LARGE), setting("fin_wait_2_timeout", float)),
    "tcp_keepalive_time": Variable("7200", number(0, _LARGE), setting("keepalive_idle", float)),
    "tcp_keepalive_intvl": Variable("75", number(0, _LARGE), setting("keepalive_interval", float)),
    "tcp_keepalive_probes": Variable("9", number(0, 255), setting("keepalive_probes", int)),
    "tcp_rto_min_us": Variable("200000", number(1, _LARGE), setting("min_rto", lambda us: us / _MILLION)),
    "tcp_rto_max_ms": Variable("120000", number(1000, 120000), setting("max_rto", seconds)),
    # -- Acknowledgments
    "tcp_comp_sack_delay_ns": Variable("1000000", number(0, _HUGE), setting("sack_delay", lambda ns: ns / 1e9)),
    "tcp_comp_sack_slack_ns": Variable("100000", number(0, _HUGE), nothing("a timer of ours is never late")),
    "tcp_comp_sack_nr": Variable("44", number(0, 255), setting("delayed_sacks", int)),
    "tcp_pingpong_thresh": Variable("1", number(1, 255), setting("pingpong_threshold", int)),
    # -- What comes in
    "tcp_rfc1337": Variable("0", flag, setting("rfc1337")),
    "tcp_invalid_ratelimit": Variable("500", number(0, _LARGE), setting("challenge_interval", seconds)),
    "tcp_challenge_ack_limit": Variable(
        "2147483647", number(0, _LARGE), only(_LARGE, does="challenge ACKs are limited for each connection by itself")
    ),
    "tcp_stdurg": Variable("0", flag, only(0, does="the urgent pointer points behind the urgent byte")),
    "tcp_syncookies": Variable("1", number(0, 2), Effect(_syn_cookies, "`syn_cookies`; 2 is refused")),
    "tcp_abort_on_overflow": Variable("0", flag, default_only("who finds a full backlog is not told")),
    "tcp_max_syn_backlog": Variable(
        "128", number(0, _LARGE), default_only("half-open connections are bounded by the listener's backlog")
    ),
    "tcp_max_orphans": Variable("65536", number(0, _LARGE), of_host("max_orphans", int)),
    "tcp_tw_reuse": Variable("2", number(0, 2), only(0, 2, does="connect() never takes a pair in TIME-WAIT")),
    # -- Path MTU
    "tcp_mtu_probing": Variable(
        "0", number(0, 2), Effect(_mtu_probing, "`mtu_probing`; probing from the start is refused")
    ),
    "tcp_base_mss": Variable(
        "1024", number(1, _LARGE), default_only("where probing for the path's MTU begins is fixed")
    ),
    "tcp_mtu_probe_floor": Variable("48", number(1, _LARGE), only(48, does="probing has no floor of its own")),
    "tcp_probe_threshold": Variable(
        "8", number(0, _LARGE), default_only("how close probing for the path's MTU comes is fixed")
    ),
    "tcp_probe_interval": Variable("600", number(0, _LARGE), default_only("the path is tried again after ten minutes")),
    # -- IP
    "ip_default_ttl": Variable("64", number(1, 255), setting("ttl", int)),
    "ip_no_pmtu_disc": Variable("0", number(0, 3), default_only("the path's MTU is always found out")),
}

_CUBIC: Final[dict[str, Variable]] = {
    "hystart": Variable("1", flag, setting("hystart")),
    "hystart_detect": Variable("3", number(0, 3), only(3, does="HyStart looks at the delay")),
    "hystart_low_window": Variable("16", number(0, _LARGE), only(16, does="HyStart begins at 16 segments")),
    "hystart_ack_delta_us": Variable("2000", number(0, _LARGE), only(2000, does="HyStart looks at the delay")),
    "fast_convergence": Variable("1", flag, only(1, does="fast convergence is always on")),
    "tcp_friendliness": Variable("1", flag, only(1, does="the region that is friendly to Reno is always there")),
    "beta": Variable("717", number(1, 1023), only(717, does="beta is 0.7")),
    "bic_scale": Variable("41", number(1, 1000), only(41, does="C is 0.4")),
    "initial_ssthresh": Variable("0", number(0, _LARGE), only(0, does="the first slow start has no end")),
}

LINUX: Final[dict[str, Variable]] = {
    **{f"net.ipv4.{name}": variable for name, variable in _TCP.items()},
    "net.core.somaxconn": Variable("4096", number(0, _LARGE), of_sockets("somaxconn")),
    "net.core.rmem_max": Variable(
        "4194304", number(2304, _LARGE), Effect(_most_receive_buffer, "`receive_buffer_limit` of the sockets")
    ),
    "net.core.wmem_max": Variable("4194304", number(4608, _LARGE), of_sockets("send_buffer_limit")),
    "net.core.rmem_default": Variable("212992", number(2304, _LARGE), of_sockets("receive_buffer")),
    "net.core.wmem_default": Variable("212992", number(4608, _LARGE), nothing("for sockets other than TCP's")),
    "net.ipv4.route.min_adv_mss": Variable(
        "256", number(0, _LARGE), default_only("the MSS offered is that of the link, however small")
    ),
    "net.ipv4.route.min_pmtu": Variable("552", number(68, _LARGE), setting("min_path_mtu", int)),
    "net.ipv4.route.mtu_expires": Variable("600", number(0, _LARGE), nothing("scripts end before")),
    "net.ipv6.bindv6only": Variable("0", flag, only(0, does="a socket of both families takes both")),
    "net.ipv6.conf.*.hop_limit": Variable("64", number(1, 255), setting("ttl", int)),
    **{f"/sys/module/tcp_cubic/parameters/{name}": variable for name, variable in _CUBIC.items()},
    **UNSEEN,
}
