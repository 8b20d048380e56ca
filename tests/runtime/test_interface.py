from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usertcp.runtime.errors import SetupError
from usertcp.runtime.interface import QUEUE_LENGTH, bring_up_loopback, configure, host_side, parse_address
from usertcp.runtime.tun import Tun

kernel = pytest.mark.kernel
rootless = pytest.mark.rootless

V4 = parse_address("192.0.2.2/24")
V6 = parse_address("fd00:9293::2/64")


def ip_json(*words: str) -> Any:
    return json.loads(subprocess.run(["ip", "-json", *words], check=True, capture_output=True).stdout)


def host_addresses(name: str) -> set[str]:
    """The configured addresses of an interface, those that the kernel makes up itself left out."""
    (link,) = ip_json("address", "show", "dev", name)
    return {f"{a['local']}/{a['prefixlen']}" for a in link["addr_info"] if a["scope"] == "global"}


@pytest.mark.parametrize(
    ("ours", "host"),
    [
        ("192.0.2.2/24", "192.0.2.1/24"),
        ("192.0.2.1/24", "192.0.2.2/24"),
        ("192.0.2.200/24", "192.0.2.1/24"),
        ("192.0.2.129/25", "192.0.2.130/25"),
        ("192.0.2.2/30", "192.0.2.1/30"),
        ("192.0.2.2/31", "192.0.2.3/31"),
        ("192.0.2.3/31", "192.0.2.2/31"),
        ("fd00:9293::2/64", "fd00:9293::1/64"),
        ("fd00:9293::1/64", "fd00:9293::2/64"),
        ("fd00::2/127", "fd00::3/127"),
        ("fd00::2/126", "fd00::1/126"),
    ],
)
def test_host_side(ours: str, host: str) -> None:
    assert str(host_side(parse_address(ours))) == host


def test_host_side_of_two_addresses_in_one_prefix() -> None:
    both = [parse_address("192.0.2.1/24"), parse_address("192.0.2.2/24")]
    assert {str(host_side(each, both)) for each in both} == {"192.0.2.3/24"}


def test_host_side_of_a_prefix_that_is_full() -> None:
    both = [parse_address("192.0.2.1/30"), parse_address("192.0.2.2/30")]
    with pytest.raises(ValueError, match="shorter prefix"):
        host_side(both[0], both)


@given(st.ip_addresses(), st.integers(0, 128))
def test_host_side_is_another_host_of_the_same_prefix(address: Any, length: int) -> None:
    try:
        ours = parse_address(f"{address}/{min(length, address.max_prefixlen)}")
    except ValueError:
        return
    host = host_side(ours)
    assert host.network == ours.network
    assert host.ip != ours.ip


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("192.0.2.2", "no prefix length"),
        ("fd00::2", "no prefix length"),
        ("192.0.2.2/33", "is not an address"),
        ("nonsense/24", "is not an address"),
        ("192.0.2.0/24", "cannot be a host's address"),
        ("192.0.2.255/24", "cannot be a host's address"),
        ("127.0.0.2/8", "cannot be a host's address"),
        ("224.0.0.1/24", "cannot be a host's address"),
        ("255.255.255.255/32", "shorter prefix"),
        ("0.0.0.0/8", "cannot be a host's address"),
        ("::1/64", "cannot be a host's address"),
        ("ff02::1/64", "cannot be a host's address"),
        ("fd00::/64", "cannot be a host's address"),
        ("192.0.2.2/32", "shorter prefix"),
        ("fd00::2/128", "shorter prefix"),
        ("\x1b]0;x\x07/24", r"'\\x1b"),
    ],
)
def test_addresses_that_cannot_be_ours(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as caught:
        parse_address(text)
    assert "\n" not in str(caught.value)
    assert str(caught.value).isprintable()


@kernel
@rootless
def test_configure() -> None:
    tun = Tun()
    done = configure(tun.name, [V4, V6], mtu=1400)
    assert done == ((V4, V6), ())
    assert host_addresses(tun.name) == {"192.0.2.1/24", "fd00:9293::1/64"}
    (link,) = ip_json("link", "show", "dev", tun.name)
    assert link["mtu"] == 1400
    assert link["txqlen"] == QUEUE_LENGTH
    assert "UP" in link["flags"]
    (route,) = ip_json("route", "get", "fd00:9293::2")
    assert route["dev"] == tun.name
    assert configure(tun.name, [V4, V6], mtu=1400) == done, "and again changes nothing"
    tun.close()


@kernel
def test_two_addresses_in_one_prefix_share_the_host_side() -> None:
    tun = Tun()
    both = [parse_address("192.0.2.1/24"), parse_address("192.0.2.2/24")]
    assert configure(tun.name, both, mtu=1500).addresses == tuple(both)
    assert host_addresses(tun.name) == {"192.0.2.3/24"}
    tun.close()


@kernel
def test_loopback() -> None:
    bring_up_loopback()
    (link,) = ip_json("link", "show", "dev", "lo")
    assert "UP" in link["flags"]


@kernel
@rootless
def test_ipv6_disabled() -> None:
    Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")
    tun = Tun()
    addresses, warnings = configure(tun.name, [V4, V6], mtu=1500)
    assert addresses == (V4,)
    assert warnings == ("IPv6 is disabled on this host: going on without fd00:9293::2",)
    with pytest.raises(SetupError, match="IPv6 is disabled"):
        configure(tun.name, [V6], mtu=1500)
    tun.close()


@kernel
def test_an_address_of_the_host_itself() -> None:
    subprocess.run(["ip", "address", "add", "192.0.2.2/32", "dev", "lo"], check=True)
    tun = Tun()
    with pytest.raises(SetupError, match=r"192\.0\.2\.2 is this host's own address, on lo: .*--address"):
        configure(tun.name, [V4], mtu=1500)
    assert not host_addresses(tun.name)
    tun.close()


@kernel
def test_a_prefix_that_another_interface_has() -> None:
    first, second = Tun("usertcp0"), Tun("usertcp1")
    configure(first.name, [V4], mtu=1500)
    with pytest.raises(SetupError, match=r"routes 192\.0\.2\.2 by usertcp0, not by usertcp1: .*--address"):
        configure(second.name, [V4], mtu=1500)
    first.close()
    second.close()


@kernel
def test_no_such_interface() -> None:
    with pytest.raises(SetupError, match="there is no interface"):
        configure("usertcp9", [V4], mtu=1500)


@kernel
def test_mtu_out_of_range() -> None:
    tun = Tun()
    with pytest.raises(SetupError, match="mtu 99999"):
        configure(tun.name, [V4], mtu=99_999)
    tun.close()
