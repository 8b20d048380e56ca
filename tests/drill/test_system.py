"""What shell lines make of a system."""

from __future__ import annotations

from dataclasses import replace

import pytest

from usertcp.drill.profiles import NAMES, UnknownProfile, profile
from usertcp.drill.shell import RestoreSysctls, SaveSysctls, SetMtu, SetOffload, SetRoute, SetSysctl
from usertcp.drill.system import System, changes
from usertcp.drill.target import NotPossible
from usertcp.stack.host import HostConfig
from usertcp.tcp.settings import DEFAULT

SYSTEM = System.of(profile("linux"))


def test_a_system_starts_as_its_profile_says() -> None:
    chosen = profile("freebsd")
    system = System.of(chosen)
    assert (system.host, system.sockets, system.offload) == (chosen.host, chosen.sockets, chosen.offload)
    assert system.mtu is None


def test_the_profile_of_this_stack_is_its_defaults() -> None:
    assert profile("usertcp").host == HostConfig()
    assert profile("usertcp").host.settings == DEFAULT


def test_unknown_profiles_are_refused_with_the_known_names() -> None:
    with pytest.raises(UnknownProfile, match="linux, freebsd, usertcp"):
        profile("windows")
    assert [profile(name).name for name in NAMES] == list(NAMES)


def test_actions() -> None:
    assert not SYSTEM.apply(SetSysctl("net.ipv4.tcp_sack", "0")).settings.sack
    assert SYSTEM.apply(SetOffload(False)).offload is False
    assert SYSTEM.apply(SetMtu(1400)).mtu == 1400
    assert SYSTEM.apply(SetRoute((("initcwnd", "3"),))).settings.initial_window == 3
    assert System.of(profile("linux")) == SYSTEM


@pytest.mark.parametrize("mtu", [0, 67, 65536])
def test_an_mtu_that_no_ipv4_link_can_have(mtu: int) -> None:
    with pytest.raises(NotPossible, match=f"an MTU of {mtu}"):
        SYSTEM.apply(SetMtu(mtu))


def test_a_connection_sees_what_it_looks_at_later_and_keeps_what_it_was_born_with() -> None:
    after = SYSTEM.sysctl("net.ipv4.tcp_fin_timeout", "7").sysctl("net.ipv4.tcp_congestion_control", "reno")
    assert after.settings.congestion_control == "reno"
    assert changes(SYSTEM, after) == {"fin_wait_2_timeout": 7.0}
    assert changes(SYSTEM, SYSTEM) == {}


# -- Routes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "setting", "expected"),
    [
        ("initcwnd", "20", "initial_window", 20),
        ("rto_min", "10ms", "min_rto", 0.01),
        ("rto_min", "1s", "min_rto", 1.0),
        ("rto_min", "5000us", "min_rto", 0.005),
        ("rto_min", "300", "min_rto", 0.3),
        ("hoplimit", "9", "ttl", 9),
        ("congctl", "reno", "congestion_control", "reno"),
        ("features", "ecn", "ecn", "on"),
    ],
)
def test_route_metrics(name: str, text: str, setting: str, expected: object) -> None:
    assert getattr(SYSTEM.apply(SetRoute(((name, text),))).settings, setting) == pytest.approx(expected)


def test_a_route_replaces_the_one_before_and_keeps_what_variables_say() -> None:
    first = SYSTEM.apply(SetRoute((("initcwnd", "3"), ("hoplimit", "9"))))
    second = first.sysctl("net.ipv4.tcp_sack", "0").apply(SetRoute((("initcwnd", "5"),)))
    assert (second.settings.initial_window, second.settings.ttl, second.settings.sack) == (5, 64, False)
    last = second.apply(SetRoute(()))
    assert replace(last.settings, sack=True) == SYSTEM.settings


def test_a_routes_mtu() -> None:
    assert SYSTEM.apply(SetRoute((("mtu", "1000"),))).mtu == 1000


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("initcwnd", "0"),
        ("initcwnd", "many"),
        ("rto_min", "0"),
        ("rto_min", "5 s"),
        ("rto_min", ""),
        ("congctl", "vegas"),
        ("features", "magic"),
        ("mtu", "10"),
        ("cwnd", "5"),
        ("ssthresh", "5"),
        ("window", "5000"),
    ],
)
def test_a_metric_that_is_not_done_is_refused_by_name(name: str, text: str) -> None:
    with pytest.raises(NotPossible, match=f"ip route: {name} {text}"):
        SYSTEM.apply(SetRoute(((name, text),)))


def test_remembered_variables_are_set_again() -> None:
    before = SYSTEM.apply(SetSysctl("net.ipv4.tcp_keepalive_time", "60"))
    saved = before.apply(SaveSysctls(("net/ipv4/tcp_sack", "net/ipv4/tcp_keepalive_time", "net/ipv4/nothing")))
    changed = saved.apply(SetSysctl("net.ipv4.tcp_sack", "0")).apply(SetSysctl("net.ipv4.tcp_keepalive_time", "9"))
    changed = changed.apply(SetSysctl("net.ipv4.tcp_timestamps", "0"))
    restored = changed.apply(RestoreSysctls())
    assert restored.settings == replace(before.settings, timestamps=False)
    assert not changed.settings.sack


def test_a_variable_without_a_setting_keeps_its_default() -> None:
    assert SYSTEM.apply(SetSysctl("net.ipv4.tcp_thin_linear_timeouts", "0")).settings == SYSTEM.settings
    with pytest.raises(NotPossible, match="tcp_thin_linear_timeouts=1: its default only: a timer doubles"):
        SYSTEM.apply(SetSysctl("net.ipv4.tcp_thin_linear_timeouts", "1"))
