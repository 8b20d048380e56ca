"""Which connection a packet of a script is of."""

from __future__ import annotations

import pytest

from usertcp.drill.outcome import Outcome, Result
from usertcp.drill.runner import How, run_text

LISTEN = """\
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0
+0 bind(3, ..., ...) = 0
+0 listen(3, 5) = 0
"""
OPEN = """\
+.1 < S 0:0(0) win 65535 <mss 1460>
+0 > S. 0:0(0) ack 1 <mss 1460>
+.1 < . 1:1(0) ack 1 win 65535
+0 accept(3, ..., ...) = 4
"""
#: We close first, so TIME-WAIT is ours.
CLOSE = """\
+.1 close(4) = 0
+0 > F. 1:1(0) ack 1
+.1 < F. 1:1(0) ack 2 win 65535
+0 > . 2:2(0) ack 2
"""


def run(text: str) -> Outcome:
    return run_text(text, "x", How(strict_end=True))


def passes(text: str) -> Outcome:
    outcome = run(text)
    assert outcome.result is Result.PASSED, f"{outcome.line}: {outcome.reason}\n{outcome.detail}"
    return outcome


def ports(outcome: Outcome) -> list[tuple[int, int]]:
    """Source and destination of each packet."""
    return [
        (int.from_bytes(each.packet[20:22], "big"), int.from_bytes(each.packet[22:24], "big"))
        for each in outcome.crossings
    ]


def test_a_syn_of_a_next_connection() -> None:
    outcome = passes(LISTEN + OPEN + CLOSE + OPEN)
    assert len({source for source, destination in ports(outcome) if destination == 8080}) == 2


def test_a_syn_into_time_wait_where_nothing_new_is_expected() -> None:
    outcome = passes(LISTEN + OPEN + CLOSE + "+.1 < S 0:0(0) win 65535 <mss 1460>\n+0 > . 2:2(0) ack 2\n")
    assert len({source for source, destination in ports(outcome) if destination == 8080}) == 1


def test_a_syn_is_sent_again() -> None:
    syn = "+.1 < S 0:0(0) win 65535 <mss 1460>\n+0 > S. 0:0(0) ack 1 <mss 1460>\n"
    outcome = passes(LISTEN + syn + "+.1 < S 0:0(0) win 65535 <mss 1460>\n+0 > S. 0:0(0) ack 1 <mss 1460>\n")
    assert len(set(ports(outcome))) == 2


def test_a_listener_is_a_new_beginning() -> None:
    text = LISTEN + OPEN + "+0 close(3) = 0\n+0 close(4) = 0\n+0 > F. 1:1(0) ack 1\n+.1 < R 1:1(0) win 0\n"
    passes(
        text + LISTEN.replace("0 socket", "+0 socket", 1) + "+0 < . 1:1(0) ack 77 win 65535\n+0 > R 77:77(0) win 0\n"
    )


def test_without_a_listener_everything_is_the_present_connections() -> None:
    text = LISTEN + OPEN + "+0 close(3) = 0\n+.1 < R 1:1(0) win 0\n+.1 < S 7:7(0) win 65535 <mss 1460>\n"
    outcome = passes(text + "+0 > R. 0:0(0) ack 8 win 0\n")
    assert len(set(ports(outcome))) == 2


def test_a_connect_is_a_new_connection() -> None:
    client = (
        "+.1 socket(..., SOCK_STREAM, IPPROTO_TCP) = 5\n"
        "+0 fcntl(5, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n"
        "+0 connect(5, ..., ...) = -1 EINPROGRESS (Operation now in progress)\n"
        "+0 > S 0:0(0) <...>\n"
        "+.1 < S. 0:0(0) ack 1 win 65535 <mss 1460>\n"
        "+0 > . 1:1(0) ack 1\n"
        "+0 write(5, ..., 10) = 10\n"
        "+0 > P. 1:11(10) ack 1\n"
        "+0 %{ assert tcpi_snd_cwnd == 10; assert tcpi_unacked == 1 }%\n"
    )
    passes(LISTEN + OPEN + client)


def test_ports_name_connections() -> None:
    first, second = "1111 > 8080", "2222 > 8080"
    back = {first: "8080 > 1111", second: "8080 > 2222"}
    text = LISTEN
    for name in (first, second):
        text += f"+.1 < {name} S 0:0(0) win 65535 <mss 1460>\n+0 > {back[name]} S. 0:0(0) ack 1 <mss 1460>\n"
    for name, descriptor in ((second, 4), (first, 5)):
        text += f"+.1 < {name} . 1:1(0) ack 1 win 65535\n+0 accept(3, ..., ...) = {descriptor}\n"
    text += "+0 write(4, ..., 10) = 10\n"
    passes(text + f"+0 > {back[second]} P. 1:11(10) ack 1\n")
    assert "ports: expected 8080 > 1111" in run(text + f"+0 > {back[first]} P. 1:11(10) ack 1\n").detail


def test_ports_may_name_the_listener_as_they_like() -> None:
    outcome = passes(
        LISTEN + "+.1 < 1111 > 80 S 0:0(0) win 65535 <mss 1460>\n+0 > 80 > 1111 S. 0:0(0) ack 1 <mss 1460>\n"
    )
    assert ports(outcome) == [(1111, 8080), (8080, 1111)]


def test_no_socket_at_all() -> None:
    passes("0 < S 0:0(0) win 65535 <mss 1460>\n+0 > R. 0:0(0) ack 1 win 0\n")


@pytest.mark.parametrize("version", ["ipv4", "ipv6", "ipv4-mapped-ipv6"])
def test_datagrams(version: str) -> None:
    text = f"--ip_version={version}\n" + (
        "0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3\n"
        "+0 connect(3, ..., ...) = 0\n"
        "+.1 < udp (50)\n"
        "+0 recv(3, ..., 1000, 0) = 50\n"
        "+0 write(3, ..., 100) = 100\n"
        "+0 > udp (100)\n"
        "+.1 < icmp unreachable port_unreachable [udp (100)]\n"
        "+0 write(3, ..., 100) = -1 ECONNREFUSED (Connection refused)\n"
    )
    passes(text)
    assert "length" in run(text.replace("> udp (100)", "> udp (101)")).reason


def test_a_datagram_for_nobody() -> None:
    passes("0 < udp (50)\n+0 > icmp unreachable port_unreachable [udp (50)]\n")
