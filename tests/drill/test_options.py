"""packetdrill's own options."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from usertcp.drill.errors import Unsupported
from usertcp.drill.options import FLAGS, NAMES, Options


def test_defaults() -> None:
    options = Options()
    assert options.local_address == ip_address("192.168.0.1").packed
    assert options.remote_address == ip_address("192.0.2.1").packed
    assert (options.link_mtu, options.bind_port, options.connect_port) == (1500, 8080, 8080)
    assert options.tolerance == 0.004
    assert not options.sockets_ipv6


def test_ipv6() -> None:
    options = Options().with_pairs([("ip_version", "ipv6")])
    assert len(options.local_address) == len(options.remote_address) == 16
    assert options.link_mtu == 1520
    assert options.sockets_ipv6
    assert options.on_wire_ipv6


def test_mapped_sockets_speak_ipv4() -> None:
    options = Options().with_pairs([("ip_version", "ipv4-mapped-ipv6")])
    assert options == Options().with_pairs([("ip_version", "ipv4_mapped_ipv6")])
    assert options.sockets_ipv6
    assert not options.on_wire_ipv6
    assert len(options.local_address) == 4
    assert options.link_mtu == 1500


def test_values_and_the_last_one_counts() -> None:
    options = Options().with_pairs(
        [
            ("tolerance_usecs", "10000"),
            ("mtu", "1400"),
            ("mtu", "1300"),
            ("local_ip", "10.0.0.1/24"),
            ("remote-ip", "10.0.0.2"),
            ("tcp_ts_tick_usecs", "1000"),
            ("strict_segments", ""),
            ("define", "A=B=C"),
            ("tolerance_percent", "2.5"),
            ("init_scripts", "a.sh,b.sh"),
        ]
    )
    assert options.tolerance == 0.01
    assert options.link_mtu == 1300
    assert options.local_address == bytes([10, 0, 0, 1])
    assert options.remote_address == bytes([10, 0, 0, 2])
    assert options.timestamp_tick == 0.001
    assert options.strict_segments
    assert options.defines == {"A": "B=C"}
    assert options.tolerance_percent == 2.5
    assert options.init_scripts == ("a.sh", "b.sh")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ip_version", "ipv5"),
        ("mtu", "many"),
        ("mtu", "10"),
        ("mtu", "70000"),
        ("local_ip", "here"),
        ("bind_port", "0"),
        ("bind_port", "65536"),
        ("tolerance_usecs", "-1"),
        ("tolerance_percent", "nan"),
        ("strict_segments", "perhaps"),
        ("code_sockopt", "TCP_CC_INFO"),
        ("nonsense", "1"),
        ("dry_run", ""),
        ("udp_encaps", "tcp"),
        ("non_fatal", "packet"),
        ("wire_client", ""),
    ],
)
def test_what_is_not_known_or_not_done_is_unsupported(name: str, value: str) -> None:
    with pytest.raises(Unsupported, match=name):
        Options().with_pairs([(name, value)])


@pytest.mark.parametrize(
    "pairs",
    [
        [("ip_version", "ipv6"), ("local_ip", "10.0.0.1")],
        [("remote_ip", "fd00::1")],
        [("ip_version", "ipv6"), ("mtu", "1000")],
    ],
)
def test_what_does_not_fit_together(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(Unsupported):
        Options().with_pairs(pairs)


@pytest.mark.parametrize(
    ("name", "value"), [("speed", "TSO"), ("debug", ""), ("send_omit_free", ""), ("wire_client", "0")]
)
def test_what_changes_nothing_here(name: str, value: str) -> None:
    assert Options().with_pairs([(name, value)]) == Options()


def test_every_name_is_dealt_with() -> None:
    assert set(NAMES) > FLAGS
    for name in NAMES:
        try:
            Options().with_pairs([(name, "1")])
        except Unsupported as error:
            assert "an option of this name" not in error.reason  # noqa: PT017
