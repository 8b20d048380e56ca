"""The variables of FreeBSD, as its release 14 has them: ``net.inet``, ``net.inet6``, ``kern.ipc``."""

from __future__ import annotations

from collections.abc import Callable
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
    of_host,
    of_sockets,
    only,
    seconds,
    setting,
    word,
)
from usertcp.drill.sysctl_freebsd_unseen import UNSEEN

if TYPE_CHECKING:
    from usertcp.drill.system import System

_LARGE: Final = 2**31 - 1
#: Of IPv4 and TCP, without options.
_HEADERS: Final = 40
_CONTROLLERS: Final = {"newreno": "reno", "cubic": "cubic", "dctcp": "dctcp"}


def _extensions(system: System, value: Value) -> System:
    """``rfc1323``: 0: neither, 1: both, 2: window scale, 3: timestamps."""
    on = first(value)
    return system.with_settings(window_scaling=on in (1, 2), timestamps=on in (1, 3))


def _ecn(system: System, value: Value) -> System:
    modes = {0: "off", 1: "on", 2: "passive"}
    if first(value) not in modes:
        raise Refused("accurate ECN is not done")
    return system.with_settings(ecn=modes[first(value)])


def _congestion_control(system: System, value: Value) -> System:
    if value not in _CONTROLLERS:
        raise Refused(f"there are {', '.join(_CONTROLLERS)}")
    return system.with_settings(congestion_control=_CONTROLLERS[str(value)])


def _keepalives(system: System, value: Value) -> System:
    return system.with_settings(keepalive=bool(first(value)))


def _milliseconds(system: System, name: str) -> float:
    return first(system.value(f"net.inet.tcp.{name}")) / 1000


def _ack_delay(system: System, value: Value) -> System:
    on = first(system.value("net.inet.tcp.delayed_ack"))
    return system.with_settings(ack_delay=_milliseconds(system, "delacktime") if on else 0.0)


def _fast_open(bit: int) -> Callable[[System, Value], System]:
    """Clients (1) or servers (2)."""

    def change(system: System, value: Value) -> System:
        bits = system.sockets.fast_open & ~bit | (bit if first(value) else 0)
        return system.with_settings(fast_open=bool(bits)).with_sockets(fast_open=bits)

    return change


def _least_sizes(system: System, value: Value) -> System:
    return system.with_settings(min_mss=first(value), min_path_mtu=max(first(value) + _HEADERS, 68))


def _keepalive_times(system: System, value: Value) -> System:
    probes = first(system.value("net.inet.tcp.keepcnt"))
    changed = system.with_settings(keepalive_interval=_milliseconds(system, "keepintvl"), keepalive_probes=probes)
    return _fin_wait_2(changed, value)


def _fin_wait_2(system: System, value: Value) -> System:
    """Silence in FIN-WAIT-2 may last as long as it does before keep-alives give up, or only so long."""
    if first(system.value("net.inet.tcp.fast_finwait2_recycle")):
        return system.with_settings(fin_wait_2_timeout=_milliseconds(system, "finwait2_timeout"))
    settings = system.settings
    return system.with_settings(fin_wait_2_timeout=settings.keepalive_interval * settings.keepalive_probes)


_AND_LONGER: Final = ", and `fin_wait_2_timeout`"
_NO_CACHE: Final = "nothing is remembered from one connection for the next"
_MORE_SACK: Final = "the list of what is missing is limited by memory only"

_TCP: Final[dict[str, Variable]] = {
    # -- What a SYN says
    "rfc1323": Variable("1", number(0, 3), Effect(_extensions, "`window_scaling` and `timestamps`")),
    "sack.enable": Variable("1", flag, setting("sack")),
    "ecn.enable": Variable("2", number(0, 4), Effect(_ecn, "`ecn`; accurate ECN is refused")),
    "ecn.maxretries": Variable("1", number(0, _LARGE), setting("ecn_syn_retries", int)),
    "mssdflt": Variable("536", number(216, 65535), setting("default_mss", int)),
    "v6mssdflt": Variable("1220", number(216, 65535), setting("default_mss_ipv6", int)),
    "minmss": Variable("216", number(0, 65535), Effect(_least_sizes, "`min_mss`, and `min_path_mtu` with its headers")),
    "fastopen.server_enable": Variable("0", flag, Effect(_fast_open(2), "`fast_open` of the sockets")),
    "fastopen.client_enable": Variable("1", flag, Effect(_fast_open(1), "`fast_open`, and that of the sockets")),
    # -- Buffers
    "recvspace": Variable("65536", number(1, _LARGE), setting("initial_receive_buffer", int)),
    "sendspace": Variable("32768", number(1, _LARGE), of_sockets("send_buffer")),
    "recvbuf_auto": Variable("1", flag, setting("grow_receive_buffer")),
    "recvbuf_max": Variable("2097152", number(1, _LARGE), setting("receive_buffer", int)),
    "sendbuf_auto": Variable("1", flag, default_only("the send buffer grows with the congestion window")),
    "sendbuf_max": Variable("2097152", number(1, _LARGE), of_sockets("most_send_buffer")),
    "sendbuf_inc": Variable("8192", number(1, _LARGE), nothing("by how much the send buffer grows at once")),
    # -- Timers
    "msl": Variable("30000", number(1, _LARGE), setting("msl", seconds)),
    "delayed_ack": Variable("1", flag, Effect(_ack_delay, "`ack_delay`, which is 0 without it")),
    "delacktime": Variable("40", number(1, _LARGE), Effect(_ack_delay, "`ack_delay`")),
    "rexmit_initial": Variable("1000", number(1, _LARGE), setting("initial_rto", seconds)),
    "rexmit_min": Variable("30", number(1, _LARGE), setting("rto_floor", seconds)),
    "rexmit_max": Variable("64000", number(1, _LARGE), setting("max_rto", seconds)),
    "rexmit_slop": Variable("200", number(0, _LARGE), setting("rto_slop", seconds)),
    "rexmit_drop_options": Variable("0", flag, only(0, does="a SYN that comes again has all its options")),
    "retries": Variable("12", number(1, 12), setting("retries", int)),
    "persmin": Variable("5000", number(1, _LARGE), setting("persist_min", seconds)),
    "persmax": Variable("60000", number(1, _LARGE), setting("persist_max", seconds)),
    "maxpersistidle": Variable("7200000", number(1, _LARGE), only(7200000, does="who answers no probes is given up")),
    "always_keepalive": Variable("1", flag, Effect(_keepalives, "`keepalive`")),
    "keepidle": Variable("7200000", number(1, _LARGE), setting("keepalive_idle", seconds)),
    "keepintvl": Variable("75000", number(1, _LARGE), Effect(_keepalive_times, f"`keepalive_interval`{_AND_LONGER}")),
    "keepcnt": Variable("8", number(1, 255), Effect(_keepalive_times, f"`keepalive_probes`{_AND_LONGER}")),
    "keepinit": Variable("75000", number(1, _LARGE), setting("opening_timeout", seconds)),
    "finwait2_timeout": Variable(
        "60000", number(1, _LARGE), Effect(_fin_wait_2, "`fin_wait_2_timeout` of fast recycling")
    ),
    "fast_finwait2_recycle": Variable("0", flag, Effect(_fin_wait_2, "`fin_wait_2_timeout`")),
    # -- Sending
    "cc.algorithm": Variable("cubic", word, Effect(_congestion_control, "`congestion_control`")),
    "cc.abe": Variable("0", flag, setting("abe")),
    "initcwnd_segments": Variable("10", number(1, _LARGE), setting("initial_window", int)),
    "abc_l_var": Variable("2", number(0, _LARGE), setting("ack_counting_limit", int)),
    "rfc3465": Variable("1", flag, only(1, does="bytes are counted")),
    "rfc3042": Variable("1", flag, default_only("new data follows the first duplicates")),
    "rfc3390": Variable("1", flag, only(1, does="the initial window is that of RFC 6928")),
    "rfc6675_pipe": Variable("1", flag, only(1, does="what is in flight is counted as RFC 6675 has it")),
    "sack.revised": Variable("1", flag, only(1, does="what is in flight is counted as RFC 6675 has it")),
    "sack.lrd": Variable("1", flag, only(1, does="a lost retransmission is found")),
    "do_lrd": Variable("1", flag, only(1, does="a lost retransmission is found")),
    "do_prr": Variable("1", flag, only(1, does="the window shrinks by proportional rate reduction")),
    "sack.maxholes": Variable("128", number(0, _LARGE), nothing(_MORE_SACK)),
    "sack.globalmaxholes": Variable("65536", number(0, _LARGE), nothing(_MORE_SACK)),
    "tso": Variable("1", flag, nothing("the device takes single segments")),
    "newcwv": Variable("0", flag, setting("validate_window")),
    # -- What comes in
    "drop_synfin": Variable("0", flag, setting("drop_syn_fin")),
    "blackhole": Variable("0", number(0, 3), of_host("silent_ports", lambda mode: ("none", "syn", "all", "all")[mode])),
    "blackhole_local": Variable("0", flag, nothing("nothing comes from the host itself")),
    "insecure_rst": Variable("0", flag, setting("reset_at", lambda on: "window" if on else "acknowledged")),
    "insecure_syn": Variable("0", flag, setting("syn_in_window_resets")),
    "insecure_ack": Variable("0", flag, only(0, does="an acknowledgment older than any window is challenged")),
    "ack_war_timewindow": Variable("1000", number(0, _LARGE), setting("challenge_interval", seconds)),
    "ack_war_cnt": Variable("5", number(0, _LARGE), setting("challenge_count", int)),
    "icmp_may_rst": Variable("1", flag, setting("icmp_ends_opening", lambda on: "refusals" if on else "none")),
    "tolerate_missing_ts": Variable("0", flag, setting("require_timestamps", lambda on: not on)),
    "syncookies": Variable("1", flag, of_host("syn_cookies")),
    "syncookies_only": Variable("0", flag, only(0, does="cookies are for a backlog that is full")),
    "syncache.rexmtlimit": Variable("3", number(0, 12), setting("syn_ack_retries", int)),
    "syncache.rst_on_sock_fail": Variable("1", flag, nothing("a socket can always be made")),
    "nolocaltimewait": Variable("0", flag, nothing("about connections of a host with itself")),
    # -- Path MTU
    "path_mtu_discovery": Variable("1", flag, default_only("the path's MTU is always found out")),
    "pmtud_blackhole_detection": Variable("0", number(0, 3), setting("mtu_probing")),
    "pmtud_blackhole_mss": Variable(
        "1200", number(216, 65535), default_only("where probing for the path's MTU begins is fixed")
    ),
    "v6pmtud_blackhole_mss": Variable("1220", number(216, 65535), nothing("about IPv6 and black holes")),
    # -- Other stacks
    "functions_default": Variable("freebsd", word, only("freebsd", does="there is one TCP")),
    "functions_inherit_listen_socket_stack": Variable("1", flag, nothing("there is one TCP")),
}

FREEBSD: Final[dict[str, Variable]] = {
    **{f"net.inet.tcp.{name}": variable for name, variable in _TCP.items()},
    "net.inet.udp.blackhole": Variable("0", flag, of_host("silent_udp_ports")),
    "net.inet.ip.ttl": Variable("64", number(1, 255), setting("ttl", int)),
    "net.inet6.ip6.hlim": Variable("64", number(1, 255), setting("ttl", int)),
    "kern.ipc.maxsockbuf": Variable("2097152", number(1, _LARGE), setting("window_scale_buffer", int)),
    "kern.ipc.soacceptqueue": Variable("128", number(1, 65535), of_sockets("somaxconn")),
    "kern.ipc.somaxconn": Variable("128", number(1, 65535), of_sockets("somaxconn")),
    **UNSEEN,
}
