"""Scripts against the kernel that runs these tests: see tools/drill_kernel."""

from __future__ import annotations

from pathlib import Path
from select import EPOLLIN, POLLIN, POLLNVAL, POLLOUT
from socket import (
    AF_INET,
    AF_INET6,
    IP_RECVTOS,
    IP_TOS,
    MSG_DONTWAIT,
    MSG_PEEK,
    MSG_TRUNC,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOL_IP,
)

import pytest
from drill_kernel_calls import Calls, Waits
from drill_kernel_device import route_metric
from drill_kernel_run import How, is_marked, run_all, run_file

from usertcp.drill.outcome import Outcome, Result
from usertcp.sim.posix import socket_address
from usertcp.wire.tcp import checksum_ok

EPOLL_CTL_ADD = 1
SCRIPTS = Path(__file__).resolve().parents[1] / "packetdrill/linux"
# Of what Linux has done for long, and within two seconds each; tools/drill_kernel runs all of them.
CHOSEN = (
    "ack-duplicates",
    "ack-out-of-order",
    "calls-connect-refused",
    "calls-epoll-edge",
    "calls-peek",
    "close-linger-zero",
    "close-then-data",
    "close-unread-data",
    "ecn-server-asked",
    "icmp-syn-sent-host",
    "open-server-timestamps-without-sack",
    "paws",
    "reset-established",
)
# Seconds: a busy machine is not what these scripts are about.
BUSY = How(tolerance=0.1)

OPEN = """
    0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
   +0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0
   +0 bind(3, ..., ...) = 0
   +0 listen(3, 1) = 0
   +0 < S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>
   +0 > S. 0:0(0) ack 1 <...>
   +0 < . 1:1(0) ack 1 win 257
   +0 accept(3, ..., ...) = 4
"""


def run(tmp_path: Path, text: str, how: How | None = None) -> Outcome:
    path = tmp_path / "script.pkt"
    path.write_text(text)
    return run_file(path, how or How())


@pytest.mark.kernel
def test_a_script_that_says_what_the_kernel_does_passes(tmp_path: Path) -> None:
    outcome = run(tmp_path, OPEN + "+.1 write(4, ..., 1000) = 1000\n+0 > P. 1:1001(1000) ack 1\n")
    assert (outcome.result, outcome.reason) == (Result.PASSED, "")


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("+.1 write(4, ..., 1000) = 1000\n+0 > . 1:1001(1000) ack 1", "not as expected: flags"),
        ("+.1 write(4, ..., 1000) = 999", "write() is not as expected"),
        ("+.1 < P. 1:2(1) ack 1 win 257\n+.2 > . 1:1(0) ack 2", "left at"),
        ("+0 > . 1:1(0) ack 1", "did not come"),
        ("+0 %{ assert tcpi_state == TCP_CLOSE, tcpi_state }%", "assertion failed"),
        ("+0...0.1 read(4, ..., 1) = 1", "has not returned"),
    ],
)
def test_what_the_kernel_does_not_do_fails(tmp_path: Path, lines: str, reason: str) -> None:
    outcome = run(tmp_path, f"{OPEN}{lines}\n")
    assert outcome.result is Result.FAILED
    assert reason in outcome.reason


@pytest.mark.kernel
def test_calls_sleep_while_packets_come(tmp_path: Path) -> None:
    text = OPEN + "+0...0.1 read(4, ..., 10) = 3\n+.1 < P. 1:4(3) ack 1 win 257\n+0 > . 1:1(0) ack 4\n"
    assert run(tmp_path, text).reason == ""


@pytest.mark.kernel
def test_super_segments_come_whole_with_their_checksum(tmp_path: Path) -> None:
    outcome = run(tmp_path, OPEN + "+.1 write(4, ..., 3000) = 3000\n+0 > P. 1:3001(3000) ack 1\n")
    assert outcome.reason == ""
    last = [crossing.packet for crossing in outcome.crossings if not crossing.inbound][-1]
    assert checksum_ok(last[20:], last[12:16], last[16:20])


@pytest.mark.kernel
def test_without_offload_segments_come_one_by_one(tmp_path: Path) -> None:
    segments = "+0 > . 1:1001(1000) ack 1\n+0 > . 1001:2001(1000) ack 1\n+0 > P. 2001:3001(1000) ack 1\n"
    text = f"{OPEN}+.1 `ethtool -K tun0 tso off`\n+.1 write(4, ..., 3000) = 3000\n{segments}"
    assert run(tmp_path, text).reason == ""


@pytest.mark.kernel
@pytest.mark.parametrize("version", ["ipv6", "ipv4-mapped-ipv6"])
def test_both_families(tmp_path: Path, version: str) -> None:
    text = f"--ip_version={version}\n{OPEN}+.1 write(4, ..., 1000) = 1000\n+0 > P. 1:1001(1000) ack 1\n"
    assert run(tmp_path, text).reason == ""


@pytest.mark.kernel
@pytest.mark.parametrize("command", ["sysctl -q net.ipv4.tcp_nonsense=1", "sysctl -q kernel.hostname=x"])
def test_only_the_namespace_is_changed(tmp_path: Path, command: str) -> None:
    outcome = run(tmp_path, f"`{command}`\n{OPEN}")
    assert outcome.result is Result.UNSUPPORTED


@pytest.mark.kernel
@pytest.mark.parametrize(("most", "scale"), [(15 << 20, 8), (64 << 20, 11)])
def test_variables_hold_for_the_script(tmp_path: Path, most: int, scale: int) -> None:
    text = OPEN.replace("<...>", f"<mss 1460,nop,nop,sackOK,nop,wscale {scale}>")
    assert run(tmp_path, f"`sysctl -q net.ipv4.tcp_rmem='4096 60000 {most}'`\n{text}").reason == ""


@pytest.mark.kernel
def test_a_congestion_control_that_not_everybody_may_choose(tmp_path: Path) -> None:
    text = '+0 getsockopt(4, SOL_TCP, TCP_CONGESTION, ["cubic"], [16]) = 0\n'
    assert run(tmp_path, f"`sysctl -q net.ipv4.tcp_congestion_control=cubic`\n{OPEN}{text}").reason == ""
    assert run(tmp_path, f"`sysctl -q net.ipv4.tcp_congestion_control=none-such`\n{OPEN}").result is Result.UNSUPPORTED


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("command", "mss"), [("ip route change 192.0.2.0/24 dev tun0 advmss 1000", 1000), ("ip link set tun0 mtu 900", 860)]
)
def test_a_route_has_metrics_and_the_device_an_mtu(tmp_path: Path, command: str, mss: int) -> None:
    defaults = "`sysctl -q net.ipv4.tcp_rmem='4096 540000 15728640'`"
    text = OPEN.replace("<...>", f"<mss {mss},nop,nop,sackOK,nop,wscale 8>")
    assert run(tmp_path, f"{defaults}\n`{command}`\n{text}").reason == ""


def test_metrics_of_routes() -> None:
    assert route_metric("initcwnd", "20") == ("initcwnd", 20)
    assert route_metric("rto_min", "5ms") == ("rto_min", 5)
    assert route_metric("rtt", "1s") == ("rtt", 8000)
    assert route_metric("congctl", "reno") == ("cc_algo", "reno")
    with pytest.raises(OSError, match="window lots"):
        route_metric("window", "lots")


# -- The system calls by themselves


@pytest.mark.kernel
def test_datagrams_with_addresses_and_control_messages() -> None:
    calls = Calls()
    here = socket_address("127.0.0.1", 7001)
    receiver, sender = (calls.socket(AF_INET, SOCK_DGRAM) for _ in range(2))
    calls.bind(receiver, here)
    calls.setsockopt(receiver, SOL_IP, IP_RECVTOS, (1).to_bytes(4, "little"))
    assert calls.sendto(sender, b"one", 0, here) == 3
    assert calls.recvfrom(receiver, 10, 0) == (b"one", calls.getsockname(sender)._replace(address=here.address))
    tos = (SOL_IP, IP_TOS, (0x20).to_bytes(4, "little"))
    assert calls.sendmsg(sender, [b"tw", b"o"], [tos], 0, here) == 3
    message = calls.recvmsg(receiver, 2, 64)
    assert message.data == b"tw"
    assert message.flags & MSG_TRUNC
    assert [(level, kind, data[:1]) for level, kind, data in message.control] == [(SOL_IP, IP_TOS, b"\x20")]


@pytest.mark.kernel
def test_streams_of_ipv6() -> None:
    calls = Calls()
    listener, client = (calls.socket(AF_INET6, SOCK_STREAM) for _ in range(2))
    calls.bind(listener, socket_address("::1", 7002))
    calls.listen(listener, 1)
    calls.connect(client, socket_address("::1", 7002))
    server, peer = calls.accept(listener)
    assert peer == calls.getsockname(client)
    assert calls.getpeername(client) == socket_address("::1", 7002)
    assert calls.writev(client, [b"ab", b"cd"]) == 4
    assert calls.recv(server, 2, MSG_PEEK) == b"ab"
    assert calls.readv(server, [1, 5]) == b"abcd"
    with pytest.raises(BlockingIOError):
        calls.recv(server, 1, MSG_DONTWAIT)


def test_waiting() -> None:
    calls, waits = Calls(), Waits()
    reader, writer = calls.pipe()
    epoll = waits.epoll_create1(0)
    waits.epoll_ctl(epoll, EPOLL_CTL_ADD, reader, EPOLLIN, 1 << 40)
    assert waits.epoll_wait(epoll, 5, 0) == []
    assert waits.poll([(reader, POLLIN), (writer, POLLOUT)], 0) == [(reader, 0), (writer, POLLOUT)]
    calls.write(writer, b"x")
    assert waits.epoll_wait(epoll, 5, 0) == [(EPOLLIN, 1 << 40)]
    assert waits.select(reader + 1, [reader], [], [], 0.0) == ([reader], [], [])
    for fd in (reader, writer, epoll):
        calls.close(fd)
    assert waits.poll([(reader, POLLIN)], 0) == [(reader, POLLNVAL)]
    with pytest.raises(OSError, match="Bad file descriptor"):
        calls.is_socket(reader)


# -- What the tool runs


@pytest.mark.kernel
def test_our_scripts_hold_for_the_kernel() -> None:
    paths = [SCRIPTS / f"{name}.pkt" for name in CHOSEN]
    assert all(map(is_marked, paths))
    outcomes = list(run_all(paths, BUSY, jobs=4))
    assert [outcome.reason for outcome in outcomes if outcome.result is not Result.PASSED] == []


def test_marks(tmp_path: Path) -> None:
    path = tmp_path / "script.pkt"
    path.write_text("// A title.\n// also: linux\n")
    assert is_marked(path)
    path.write_text("// It is also: linux that matters\n")
    assert not is_marked(path)
