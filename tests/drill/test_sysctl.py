"""The variables of two systems, and what they become."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usertcp.drill.profiles import profile
from usertcp.drill.shell import DEFAULTS
from usertcp.drill.sysctl import plain_name
from usertcp.drill.sysctl_freebsd import FREEBSD
from usertcp.drill.sysctl_linux import LINUX
from usertcp.drill.system import System
from usertcp.drill.target import NotPossible

LINUX_SYSTEM = System.of(profile("linux"))
FREEBSD_SYSTEM = System.of(profile("freebsd"))
SYSTEMS = {"linux": LINUX_SYSTEM, "freebsd": FREEBSD_SYSTEM}
VARIABLES = [("linux", name) for name in LINUX] + [("freebsd", name) for name in FREEBSD]


@pytest.mark.parametrize(
    "name",
    [
        "net.ipv4.tcp_sack",
        "net/ipv4/tcp_sack",
        "/proc/sys/net/ipv4/tcp_sack",
    ],
)
def test_names_with_dots_and_slashes(name: str) -> None:
    assert not LINUX_SYSTEM.sysctl(name, "0").settings.sack


@pytest.mark.parametrize("device", ["all", "default", "tun0", "lo"])
def test_a_variable_of_any_device(device: str) -> None:
    assert LINUX_SYSTEM.sysctl(f"net.ipv6.conf.{device}.hop_limit", "9").settings.ttl == 9
    LINUX_SYSTEM.sysctl(f"net/ipv4/conf/{device}/rp_filter", "0")


def test_the_first_separator_counts() -> None:
    assert plain_name("net/ipv4/conf/tun0.1/rp_filter") == "net.ipv4.conf.tun0/1.rp_filter"
    assert plain_name("net.ipv4.conf.tun0/1.rp_filter") == "net.ipv4.conf.tun0/1.rp_filter"
    assert plain_name("kern") == "kern"


@pytest.mark.parametrize(("dialect", "name"), VARIABLES)
def test_a_profile_begins_with_the_defaults_of_its_variables(dialect: str, name: str) -> None:
    system = SYSTEMS[dialect]
    variable = (LINUX if dialect == "linux" else FREEBSD)[name]
    if not variable.default:
        assert not variable.effect.seen
        return
    after = system.sysctl(name.replace(".*.", ".tun0."), variable.default)
    assert replace(after, values=system.values) == system
    assert after.value(name) == system.value(name)


@pytest.mark.parametrize(("dialect", "name"), VARIABLES)
def test_every_variable_says_what_it_does(dialect: str, name: str) -> None:
    effect = (LINUX if dialect == "linux" else FREEBSD)[name].effect
    assert len(effect.says) >= 4
    assert effect.seen or ": " in effect.says


@settings(max_examples=1000)
@given(
    variable=st.sampled_from(VARIABLES),
    text=st.text(max_size=20) | st.integers().map(str) | st.sampled_from(["0x10", "010", "1 2 3", "-1", "+1", ""]),
)
def test_any_value_is_taken_or_refused_by_name(variable: tuple[str, str], text: str) -> None:
    dialect, name = variable
    name = name.replace(".*.", ".tun0.")
    reasons = []
    try:
        SYSTEMS[dialect].sysctl(name, text)
    except NotPossible as error:
        reasons.append(str(error))
    assert all(reason.startswith(f"sysctl {name}={text}: ") for reason in reasons)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("net.ipv4.tcp_no_such_thing", "1"),
        ("net.inet.tcp.msl", "500"),
        ("", "1"),
        ("net.ipv4.tcp_sack", "2"),
        ("net.ipv4.tcp_sack", "-1"),
        ("net.ipv4.tcp_sack", "yes"),
        ("net.ipv4.tcp_sack", ""),
        ("net.ipv4.tcp_sack", "1 1"),
        ("net.ipv4.tcp_ecn", "3"),
        ("net.ipv4.tcp_ecn", "6"),
        ("net.ipv4.tcp_rmem", "4096"),
        ("net.ipv4.tcp_rmem", "1 2 3 4"),
        ("net.ipv4.tcp_syn_retries", "0"),
        ("net.ipv4.tcp_congestion_control", "vegas"),
        ("net.ipv4.tcp_fastopen_key", "0-0-0"),
        ("net.ipv4.tcp_fastopen_key", "0-0-0-123456789"),
        ("net.ipv4.tcp_syncookies", "2"),
        ("net.ipv4.tcp_stdurg", "1"),
        ("net.ipv4.ip_default_ttl", "256"),
    ],
)
def test_refused_with_name_and_value(name: str, value: str) -> None:
    with pytest.raises(NotPossible) as caught:
        LINUX_SYSTEM.sysctl(name, value)
    assert str(caught.value).startswith(f"sysctl {name}={value}: ")


def test_each_system_has_its_own_variables() -> None:
    assert FREEBSD_SYSTEM.sysctl("net.inet.tcp.msl", "500").settings.time_wait == 1.0
    with pytest.raises(NotPossible):
        FREEBSD_SYSTEM.sysctl("net.ipv4.tcp_sack", "0")


@pytest.mark.parametrize(
    ("name", "value", "setting", "expected"),
    [
        ("tcp_sack", "0", "sack", False),
        ("tcp_timestamps", "0", "timestamps", False),
        ("tcp_timestamps", "2", "timestamps", True),
        ("tcp_window_scaling", "0", "window_scaling", False),
        ("tcp_ecn", "1", "ecn", "on"),
        ("tcp_ecn", "0", "ecn", "off"),
        ("tcp_congestion_control", "reno", "congestion_control", "reno"),
        ("tcp_fin_timeout", "5", "fin_wait_2_timeout", 5.0),
        ("tcp_keepalive_time", "10", "keepalive_idle", 10.0),
        ("tcp_keepalive_intvl", "3", "keepalive_interval", 3.0),
        ("tcp_keepalive_probes", "2", "keepalive_probes", 2),
        ("tcp_frto", "0", "frto", False),
        ("tcp_early_retrans", "0", "tlp", False),
        ("tcp_early_retrans", "4", "tlp", True),
        ("tcp_rto_min_us", "5000", "min_rto", 0.005),
        ("tcp_rto_max_ms", "2000", "max_rto", 2.0),
        ("tcp_rfc1337", "1", "rfc1337", True),
        ("tcp_invalid_ratelimit", "0", "challenge_interval", 0.0),
        ("tcp_mtu_probing", "1", "mtu_probing", True),
        ("tcp_rmem", "4096 10000 20000", "initial_receive_buffer", 10000),
        ("tcp_rmem", "4096 10000 0x8000", "receive_buffer", 32768),
        ("tcp_fastopen", "0", "fast_open", False),
        ("ip_default_ttl", "010", "ttl", 8),
    ],
)
def test_linux_variables_become_settings(name: str, value: str, setting: str, expected: object) -> None:
    assert getattr(LINUX_SYSTEM.sysctl(f"net.ipv4.{name}", value).settings, setting) == expected


@pytest.mark.parametrize(
    ("name", "value", "setting", "expected"),
    [
        ("rfc1323", "0", ("window_scaling", "timestamps"), (False, False)),
        ("rfc1323", "2", ("window_scaling", "timestamps"), (True, False)),
        ("rfc1323", "3", ("window_scaling", "timestamps"), (False, True)),
        ("sack.enable", "0", ("sack",), (False,)),
        ("ecn.enable", "1", ("ecn",), ("on",)),
        ("msl", "100", ("msl",), (0.1,)),
        ("delacktime", "100", ("ack_delay",), (0.1,)),
        ("cc.algorithm", "newreno", ("congestion_control",), ("reno",)),
        ("keepidle", "1000", ("keepalive_idle",), (1.0,)),
        ("always_keepalive", "0", ("keepalive",), (False,)),
        ("minmss", "48", ("min_mss",), (48,)),
        ("initcwnd_segments", "3", ("initial_window",), (3,)),
    ],
)
def test_freebsd_variables_become_settings(
    name: str, value: str, setting: tuple[str, ...], expected: tuple[object, ...]
) -> None:
    found = FREEBSD_SYSTEM.sysctl(f"net.inet.tcp.{name}", value).settings
    assert tuple(getattr(found, each) for each in setting) == expected


def test_variables_of_the_socket_layer_and_the_host() -> None:
    system = LINUX_SYSTEM.sysctl("net.core.somaxconn", "5").sysctl("net.ipv4.tcp_wmem", "4096 8192 16384")
    assert system.sockets.somaxconn == 5
    assert (system.sockets.send_buffer, system.sockets.most_send_buffer) == (8192, 16384)
    assert not system.sysctl("net.ipv4.tcp_syncookies", "0").host.syn_cookies
    assert system.value("net.core.somaxconn") == (5,)
    assert system.sysctl("net.ipv4.tcp_fastopen", "0x602").sockets.fast_open == 0x602


def test_fast_open_keys() -> None:
    """Each word's least byte first; the present key and the one before."""
    system = LINUX_SYSTEM.sysctl("net.ipv4.tcp_fastopen_key", "01020304-5-6-7,0-0-0-0")
    assert system.host.fast_open_keys == (bytes.fromhex("04030201050000000600000007000000"), bytes(16))


def test_a_window_scale_is_for_the_larger_of_two_bounds() -> None:
    system = LINUX_SYSTEM.sysctl("net.core.rmem_max", "1000000").sysctl("net.ipv4.tcp_rmem", "4096 10000 20000")
    assert system.settings.window_scale_buffer == 1000000
    assert system.sysctl("net.core.rmem_max", "2304").settings.window_scale_buffer == 20000


def test_variables_of_freebsd_that_work_together() -> None:
    def tcp(system: System, name: str, value: str) -> System:
        return system.sysctl(f"net.inet.tcp.{name}", value)

    undelayed = tcp(tcp(FREEBSD_SYSTEM, "delayed_ack", "0"), "delacktime", "100")
    assert undelayed.settings.ack_delay == 0
    assert tcp(undelayed, "delayed_ack", "1").settings.ack_delay == 0.1
    idle = tcp(tcp(FREEBSD_SYSTEM, "keepcnt", "2"), "keepintvl", "1000")
    assert (idle.settings.keepalive_interval, idle.settings.fin_wait_2_timeout) == (1.0, 2.0)
    assert tcp(tcp(idle, "fast_finwait2_recycle", "1"), "finwait2_timeout", "500").settings.fin_wait_2_timeout == 0.5


def test_the_values_of_defaults_sh_are_all_taken() -> None:
    system = LINUX_SYSTEM
    for name, value in DEFAULTS:
        system = system.sysctl(name, value)
    assert (system.settings.ecn, system.settings.congestion_control) == ("off", "cubic")
    assert (system.settings.initial_receive_buffer, system.settings.receive_buffer) == (540000, 15 << 20)
    assert (system.sockets.send_buffer, system.sockets.most_send_buffer) == (256 << 10, 4 << 20)
