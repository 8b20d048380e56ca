"""Shell lines as what they would change."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usertcp.drill.errors import Unsupported
from usertcp.drill.shell import (
    DEFAULTS,
    Action,
    RestoreSysctls,
    SaveSysctls,
    SetMtu,
    SetOffload,
    SetRoute,
    SetSysctl,
    interpret,
)


def actions(text: str, *, freebsd: bool = False) -> list[Action]:
    """What a line changes, without the text that each action came from."""
    return [replace(action, text="") for action in interpret(text, 1, "freebsd" if freebsd else "linux")]


def sysctls(text: str, *, freebsd: bool = False) -> list[tuple[str, str]]:
    found = interpret(text, 1, "freebsd" if freebsd else "linux")
    assert all(isinstance(action, SetSysctl) for action in found)
    return [(action.name, action.value) for action in found if isinstance(action, SetSysctl)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sysctl -q net.ipv4.tcp_sack=0", [("net.ipv4.tcp_sack", "0")]),
        ("sysctl -q -w net.ipv4.tcp_sack=0", [("net.ipv4.tcp_sack", "0")]),
        ("/sbin/sysctl -qw net/ipv4/tcp_sack=0 > /dev/null 2>&1", [("net/ipv4/tcp_sack", "0")]),
        ("sysctl -w a.b=1 c.d=2", [("a.b", "1"), ("c.d", "2")]),
        ("sysctl -w net.ipv4.tcp_rmem='4096 131072 6291456'", [("net.ipv4.tcp_rmem", "4096 131072 6291456")]),
        ('sysctl -w "net.ipv4.tcp_rmem = 4096 1 2"', [("net.ipv4.tcp_rmem", "4096 1 2")]),
        (
            'sysctl -w net.ipv4.tcp_rmem="4096 $((1<<17)) $((15*1024*1024))"',
            [("net.ipv4.tcp_rmem", "4096 131072 15728640")],
        ),
        ("sysctl a.b=$((2 + 3 * (4 - 1)))", [("a.b", "11")]),
        (
            "sysctl a.b=1; sysctl c.d=2\nsysctl e.f=3 && sysctl g.h=4",
            [("a.b", "1"), ("c.d", "2"), ("e.f", "3"), ("g.h", "4")],
        ),
        ("sysctl a.b=1 || sysctl c.d=2", [("a.b", "1")]),
        ("sysctl a.b=1 \\\n  c.d=2 # and a comment = 3", [("a.b", "1"), ("c.d", "2")]),
        ("sysctl net.ipv4.tcp_sack", []),
        ("echo 0 > /proc/sys/net/ipv4/tcp_sack", [("net/ipv4/tcp_sack", "0")]),
        ("echo -n '1 2' >> /proc/sys/net/ipv4/tcp_sack", [("net/ipv4/tcp_sack", "1 2")]),
        ("echo 0 >/sys/module/tcp_cubic/parameters/hystart", [("/sys/module/tcp_cubic/parameters/hystart", "0")]),
        ("echo hello", []),
        ("echo hello > /dev/null", []),
        ("", []),
        ("  \n ; # nothing", []),
        ("true && : ; sleep 0.1; date", []),
        ("ip tcp_metrics flush all > /dev/null 2>&1", []),
        ("ip route flush cache; tc qdisc replace dev tun0 root pfifo limit 100", []),
        ("modprobe tcp_bbr; nstat -n", []),
    ],
)
def test_linux(text: str, expected: list[tuple[str, str]]) -> None:
    assert sysctls(text) == expected


@pytest.mark.parametrize("text", ["./defaults.sh", "../common/defaults.sh", "../../common/defaults.sh\n"])
def test_defaults_by_basename(text: str) -> None:
    found = dict(sysctls(text))
    assert found == dict(DEFAULTS)
    assert found["net.ipv4.tcp_rmem"] == "4096 540000 15728640"
    assert found["net.ipv4.tcp_wmem"] == "4096 262144 4194304"
    assert found["net.ipv4.tcp_fastopen"] == "0x70403"


def test_what_follows_defaults_comes_after_them() -> None:
    found = sysctls("../common/defaults.sh\nsysctl -q net.ipv4.tcp_ecn=1")
    assert found[:-1] == list(DEFAULTS)
    assert found[-1] == ("net.ipv4.tcp_ecn", "1")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sysctl -w net.inet.tcp.ecn.enable=2", [("net.inet.tcp.ecn.enable", "2")]),
        ("sysctl net.inet.tcp.msl=500", [("net.inet.tcp.msl", "500")]),
        ("kldload -n tcp_rack", []),
        (
            "kldload -n cc_newreno && sysctl kern.timecounter.alloweddeviation=0",
            [("kern.timecounter.alloweddeviation", "0")],
        ),
    ],
)
def test_freebsd(text: str, expected: list[tuple[str, str]]) -> None:
    assert sysctls(text, freebsd=True) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ethtool -K tun0 tso off gso off gro off", [SetOffload(False)]),
        ("ethtool -K tun0 tso on", [SetOffload(True)]),
        ("ethtool -K tun0 gro off", []),
        ("ip link set dev tun0 mtu 1400", [SetMtu(1400)]),
        ("ip link set tun0 up mtu 1280 txqueuelen 100", [SetMtu(1280)]),
        ("ifconfig tun0 mtu 1400 up", [SetMtu(1400)]),
        (
            "ip route change 192.0.2.0/24 via 192.168.0.1 dev tun0 initcwnd 20 rto_min 10ms mtu lock 1000",
            [SetRoute((("initcwnd", "20"), ("rto_min", "10ms"), ("mtu", "1000")))],
        ),
        ("ip -6 ro replace default dev tun0 onlink quickack 1", [SetRoute((("quickack", "1"),))]),
        ("ip route replace default dev tun0", [SetRoute(())]),
    ],
)
def test_devices_and_routes(text: str, expected: list[Action]) -> None:
    assert actions(text) == expected


def test_an_action_tells_its_command() -> None:
    (first, second) = interpret(
        "true; echo 1 > /proc/sys/net/ipv4/tcp_sack; ip link set dev 'tun0' mtu 1400", 1, "linux"
    )
    assert first.text == "echo 1 > /proc/sys/net/ipv4/tcp_sack"
    assert second.text == "ip link set dev tun0 mtu 1400"


@pytest.mark.parametrize(
    "text",
    [
        "rm -rf /",
        "reboot",
        "sysctl -p",
        "sysctl =1",
        "sysctl -w a.b = 1",
        "sysctl a.b=$VALUE",
        "sysctl a.b=${VALUE}",
        "sysctl a.b=$(cat x)",
        'sysctl a.b="`cat x`"',
        "sysctl a.b=$((x + 1))",
        "sysctl a.b=$((1 / 0))",
        "sysctl a.b=$((1 << 200))",
        "sysctl a.b=$((9 ** 9 ** 9))",
        "sysctl a.b=$((1 + 2)",
        "sysctl a.b=1 > /etc/passwd",
        "sysctl a.b=1 2> log",
        "sysctl a.b=1 < file",
        "sysctl a.b=1 << EOF",
        "sysctl a.b=1 | cat",
        "sysctl a.b=1 &",
        "sysctl a.b=1 &&",
        "&& sysctl a.b=1",
        "sysctl 'a.b=1",
        'sysctl "a.b=1',
        "(sysctl a.b=1)",
        "for i in 1 2; do true; done",
        "if true; then true; fi",
        "A=1 sysctl a.b=1",
        "A=1",
        "> /proc/sys/net/ipv4/tcp_sack",
        "echo 1 > /etc/passwd",
        "echo 1 > /proc/sys/../../etc/passwd",
        "echo 1 | tee /proc/sys/net/ipv4/tcp_sack",
        "cat /proc/sys/net/ipv4/*",
        "true > file",
        "defaults.sh --much",
        "set_sysctls.py net.ipv4.tcp_ecn=1",
        "set_sysctls.py /proc/sys/net/ipv4/tcp_ecn",
        "ethtool -K tun0 tso maybe",
        "ethtool -K tun0 ntuple on",
        "ethtool -s tun0 speed 10",
        "ip link set dev tun0 down",
        "ip link set dev tun0 mtu many",
        "ip link set dev tun0 mtu",
        "ip route add default dev tun0 realms 5",
        "ip route add default mtu lock",
        "ip route add default mtu",
        "ip route del default",
        "ip addr add 1.2.3.4/8 dev tun0",
        "ip netns add x",
        "ip",
        "tc qdisc add dev tun0 root netem delay 10ms",
        "tc filter add dev tun0",
        "iptables -A INPUT -j DROP",
        "python -c 'import os'",
        "kldload -n tcp_rack",
        "a" * 100_000,
    ],
)
def test_unsupported(text: str) -> None:
    with pytest.raises(Unsupported, match=r"line 12: shell command: .+") as caught:
        interpret(text, 12, "linux")
    assert len(caught.value.reason) < 400
    assert "\n" not in caught.value.reason


@pytest.mark.parametrize("text", ["defaults.sh", "echo 1 > /proc/sys/net/ipv4/tcp_sack", "ip route flush cache"])
def test_each_system_has_its_own_commands(text: str) -> None:
    interpret(text, 1, "linux")
    with pytest.raises(Unsupported):
        interpret(text, 1, "freebsd")


@given(st.text(alphabet=" \n;&|<>()$'\"\\`#=-/.0129abdehilnopqrstuvw", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    for line in (text, "sysctl " + text, "ip route add x " + text, "ifconfig tun0 " + text):
        with suppress(Unsupported):
            assert isinstance(interpret(line, 1, "linux"), list)


def test_what_set_sysctls_did_can_be_undone() -> None:
    found = actions("../../common/set_sysctls.py /proc/sys/net/ipv4/tcp_ecn=1 /proc/sys/net/ipv4/tcp_rmem='1 2 3'")
    names = ("net/ipv4/tcp_ecn", "net/ipv4/tcp_rmem")
    assert found == [SaveSysctls(names), SetSysctl(names[0], "1"), SetSysctl(names[1], "1 2 3")]
    assert actions("/tmp/sysctl_restore_${PPID}.sh") == actions("/tmp/sysctl_restore_$PPID.sh") == [RestoreSysctls()]
    with pytest.raises(Unsupported, match="variable"):
        actions("/tmp/sysctl_restore_${PPIDS}.sh")
