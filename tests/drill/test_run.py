"""The interpreter over our own stack: what passes, and what each thing that is wrong is called."""

from __future__ import annotations

import pytest

from usertcp.drill.ignore import Ignore
from usertcp.drill.outcome import Outcome, Result
from usertcp.drill.runner import How, run_text

SERVER = """\
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 65535 <mss 1460>
+0 > S. 0:0(0) ack 1 <mss 1460>
+.1 < . 1:1(0) ack 1 win 65535
+0 accept(3, ..., ...) = 4
"""
CLIENT = """\
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
+0 > S 0:0(0) <...>
+.1 < S. 0:0(0) ack 1 win 65535 <mss 1460>
+0 > . 1:1(0) ack 1
"""


def run(text: str, how: How | None = None) -> Outcome:
    return run_text(text, "x.pkt", how or How())


def passes(text: str, how: How | None = None) -> Outcome:
    outcome = run(text, how)
    assert outcome.result is Result.PASSED, f"{outcome.line}: {outcome.reason}\n{outcome.detail}"
    return outcome


def fails(text: str, reason: str, line: int | None = None, how: How | None = None) -> Outcome:
    outcome = run(text, how)
    assert outcome.result is Result.FAILED, outcome
    assert reason in outcome.reason, f"{outcome.reason}\n{outcome.detail}"
    assert outcome.line == line or line is None
    return outcome


def refuses(text: str, reason: str, line: int | None = None) -> None:
    outcome = run(text)
    assert outcome.result is Result.UNSUPPORTED, outcome
    assert reason in outcome.reason
    assert outcome.line == line or line is None


# -- Packets and their times


def test_a_server_and_a_client() -> None:
    passes(SERVER + "+0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1\n")
    passes(CLIENT + "+0 write(3, ..., 10) = 10\n+0 > P. 1:11(10) ack 1\n")


@pytest.mark.parametrize("version", ["ipv4", "ipv6", "ipv4-mapped-ipv6"])
def test_ip_versions(version: str) -> None:
    how = How(options=[("ip_version", version)])
    passes(SERVER + "+0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1\n", how)
    passes(CLIENT + "+0 write(3, ..., 10) = 10\n+0 > P. 1:11(10) ack 1\n", how)
    assert run("--ip_version=ipv5\n" + SERVER).result is Result.UNSUPPORTED


def test_the_command_lines_options_win_over_the_scripts() -> None:
    text = "--mtu=1000\n" + SERVER.replace("> S. 0:0(0) ack 1 <mss 1460>", "> S. 0:0(0) ack 1 <mss 1160>")
    fails(text, "mss")
    passes(text, How(options=[("mtu", "1200")]))


def test_a_packet_that_differs() -> None:
    text = SERVER + "+0 write(4, ..., 10) = 10\n+0 > P. 1:12(11) ack 1\n"
    outcome = fails(text, "the packet is not as expected: length", 9)
    assert "length: expected 11, actual 10" in outcome.detail
    assert "+0 > P. 1:12(11) ack 1" in outcome.detail


def test_a_packet_that_does_not_come() -> None:
    outcome = fails(SERVER + "+0 > . 1:1(0) ack 1\n", "the packet did not come", 8)
    assert "nothing more will come by itself" in outcome.detail


def test_what_comes_later_is_named() -> None:
    text = SERVER + "+0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1\n+0 > P. 1:11(10) ack 1\n"
    outcome = fails(text, "the packet did not come", 10)
    assert "next comes, at 0." in outcome.detail
    assert "P. 1:11(10) ack 1" in outcome.detail.splitlines()[-1]


def test_a_packet_that_nobody_expects_is_compared_with_the_next_expectation() -> None:
    text = (
        SERVER
        + "+0 write(4, ..., 10) = 10\n+.1 < . 1:1(0) ack 11 win 65535\n+.5 close(4) = 0\n+0 > F. 11:11(0) ack 1\n"
    )
    outcome = fails(text, "the packet is not as expected", 11)
    assert "P. 1:11(10)" in outcome.detail


def test_what_is_left_at_the_end_is_counted_and_fails_only_if_that_is_asked_for() -> None:
    text = SERVER + "+0 write(4, ..., 10) = 10\n"
    assert passes(text).unseen == 1
    outcome = fails(text, "packets left that the script does not expect: 1", how=How(strict_end=True))
    assert "P. 1:11(10) ack 1" in outcome.detail


def test_packets_are_held_until_they_are_expected_and_have_left_at_their_time() -> None:
    text = SERVER + "+0 write(4, ..., 10) = 10\n+.05 < . 1:1(0) ack 1 win 1000\n"
    passes(text + "+0~+0.1 > P. 1:11(10) ack 1\n".replace("+0~", "0.09~").replace("+0.1", "0.2"))
    fails(text + "+0 > P. 1:11(10) ack 1\n", "the packet left at 0.100000 s, and was expected at 0.150000 s", 10)
    passes("--tolerance_usecs=60000\n" + text + "+0 > P. 1:11(10) ack 1\n")
    passes(text + "+0 > P. 1:11(10) ack 1\n", How(ignore=frozenset({Ignore.TIMING})))
    passes(text + "* > P. 1:11(10) ack 1\n")


def test_a_retransmission_is_awaited() -> None:
    text = SERVER + "+0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1\n"
    passes(text + "+.1~+1 > P. 1:11(10) ack 1\n+.01 < . 1:1(0) ack 11 win 65535\n")
    fails(text + "+.01~+.02 > P. 1:11(10) ack 1\n", "the packet did not come", 10)


def test_after_a_range_times_count_from_what_happened() -> None:
    text = SERVER + "+0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1\n* > P. 1:11(10) ack 1\n"
    passes(text + "+0 close(4) = 0\n+0 > F. 11:11(0) ack 1\n")


def test_only_expectations_have_times_that_are_not_fixed() -> None:
    fails("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n* < S 0:0(0) win 1\n", "not fixed", 2)
    fails("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0~+1 close(3) = 0\n", "not fixed", 2)


def test_an_event_that_comes_too_late() -> None:
    text = SERVER + "+0 poll([{fd=4, events=POLLIN}], 1, 500) = 0\n"
    fails(text + "+.1 close(4) = 0\n", "it is 0.600000 s already", 9)
    passes(text + "+.5 close(4) = 0\n")


def test_time_is_bounded() -> None:
    refuses("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+9999999 close(3) = 0\n", "1,000,000 seconds", 2)
    refuses(
        "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+900000 close(3) = 0\n+900000 close(3) = -1 EBADF\n",
        "1,000,000 seconds",
        3,
    )


def test_timers_that_are_due_when_the_script_acts_go_off_after_it() -> None:
    """A delayed acknowledgment at the moment at which more data comes: one acknowledgment, for both."""
    text = (
        SERVER
        + "+0 < P. 1:101(100) ack 1 win 65535\n+.04 < P. 101:201(100) ack 1 win 65535\n+0~+.1 > . 1:1(0) ack 201\n"
    )
    passes(text, How(profile="usertcp"))


def test_super_segments_are_compared_segment_by_segment() -> None:
    text = SERVER + "+0 write(4, ..., 2920) = 2920\n"
    assert passes(text + "+0 > P. 1:2921(2920) ack 1\n").recut == 0
    cut = text + "+0 > . 1:1461(1460) ack 1\n"
    assert passes(cut + "+0 > P. 1461:2921(1460) ack 1\n").recut == 1
    fails(cut, "packets left that the script does not expect")
    fails("--strict_segments\n" + cut, "the packet is not as expected: flags, length")
    fails(text + "+0 > . 1:1001(1000) ack 1\n+0 > P. 1001:2921(1920) ack 1\n", "the packet is not as expected")


def test_an_expected_segment_may_come_in_several_packets() -> None:
    text = "`ethtool -K tun0 tso off gso off`\n" + SERVER + "+0 write(4, ..., 4380) = 4380\n"
    assert passes(text + "+0 > P. 1:4381(4380) ack 1\n").recut == 2
    one_by_one = "+0 > . 1:1461(1460) ack 1\n+0 > . 1461:2921(1460) ack 1\n+0 > P. 2921:4381(1460) ack 1\n"
    assert passes(text + one_by_one).recut == 0
    fails("--strict_segments\n" + text + "+0 > P. 1:4381(4380) ack 1\n", "the packet is not as expected")
    fails(text + "+0 > . 1:4381(4380) ack 1\n", "the packet is not as expected")
    fails(text + "+0 > P. 1:4001(4000) ack 1\n", "the packet is not as expected")
    outcome = fails(text + "+0 > P. 1:5841(5840) ack 1\n", "the packet")
    assert "P. 1:5841(5840)" in outcome.detail


# -- System calls


def test_a_call_that_blocks_goes_on_while_other_things_happen() -> None:
    text = SERVER + "+.1...0.3 read(4, ..., 100) = 10\n+.2 < P. 1:11(10) ack 1 win 65535\n"
    passes(text + "+.1 close(4) = 0\n")


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ("0.2", "read() has not returned by 0.30"),
        ("0.4", "read() returned at 0.400000 s, and was to at 0.500000 s"),
    ],
)
def test_it_must_return_at_its_end(end: str, reason: str) -> None:
    fails(SERVER + f"+.1...{end} read(4, ..., 100) = 10\n+.2 < P. 1:11(10) ack 1 win 65535\n", reason, 8)


def test_with_timing_ignored_it_may_return_whenever_it_likes() -> None:
    text = SERVER + "+.1...0.4 read(4, ..., 100) = 10\n+.2 < P. 1:11(10) ack 1 win 65535\n"
    passes(text, How(ignore=frozenset({Ignore.TIMING})))


def test_what_it_returns_counts() -> None:
    fails(
        SERVER + "+.1...0.3 read(4, ..., 100) = 11\n+.2 < P. 1:11(10) ack 1 win 65535\n",
        "read() is not as expected: result: expected 11, got 10",
        8,
    )


def test_the_end_of_the_script_waits_for_it() -> None:
    passes(SERVER + "+0...0.5 poll([{fd=4, events=POLLIN, revents=0}], 1, 500) = 0\n")
    fails(SERVER + "+0...0.5 read(4, ..., 10) = 10\n", "read() has not returned by 0.60", 8)


def test_a_call_that_sleeps_without_an_end_is_waited_for() -> None:
    passes(SERVER + "+0 poll([{fd=4, events=POLLIN, revents=0}], 1, 500) = 0\n+.5 close(4) = 0\n")
    fails(SERVER + "+0 read(4, ..., 10) = 10\n", "read() would sleep for ever", 8)


def test_results_and_errnos() -> None:
    fails(SERVER + "+0 write(4, ..., 10) = 9\n", "result: expected 9, got 10", 8)
    fails(SERVER + "+0 write(5, ..., 10) = 10\n", "result: expected 10, got -1 EBADF", 8)
    fails(SERVER + "+0 write(5, ..., 10) = -1 EPIPE (Broken pipe)\n", "expected -1 EPIPE, got -1 EBADF", 8)
    passes(SERVER + "+0 write(5, ..., 10) = -1 EBADF (Bad file descriptor)\n+0 write(5, ..., 10) = ...\n")
    fails(SERVER + "+0 accept(3, ..., ...) = 4\n", "would sleep for ever")


def test_numbers_of_descriptors_are_the_scripts() -> None:
    passes(SERVER.replace("= 4", "= 77") + "+0 write(77, ..., 10) = 10\n+0 close(77) = 0\n+0 close(77) = -1 EBADF\n")
    fails(SERVER + "+.1 socket(..., SOCK_STREAM, IPPROTO_TCP) = 4\n", "expected 4, got", 8)


def test_flows_follow_the_calls() -> None:
    text = SERVER + (
        "+0 < R. 1:1(0) ack 1 win 0\n"
        "+0 close(4) = 0\n"
        "+0 < S 500:500(0) win 65535 <mss 1460>\n"
        "+0 > S. 0:0(0) ack 501 <mss 1460>\n"
        "+.1 < . 501:501(0) ack 1 win 65535\n"
        "+0 accept(3, ..., ...) = 4\n"
        "+0 write(4, ..., 10) = 10\n"
        "+0 > P. 1:11(10) ack 501\n"
    )
    passes(text)


def test_packets_go_to_the_usual_port_or_to_the_one_that_is_bound() -> None:
    bound = '{sa_family = AF_INET, sin_port = htons(1234), sin_addr = inet_addr("192.168.0.1")}'
    passes(SERVER.replace("bind(3, ...", f"bind(3, {bound}"))
    refused = (
        "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
        "+0 listen(3, 1) = 0\n"
        "+0 < S 0:0(0) win 65535 <mss 1460>\n"
        "+0 > R. 0:0(0) ack 1\n"
    )
    passes(refused)


def test_a_syn_to_a_live_connection_is_that_connections() -> None:
    passes(SERVER + "+0 < S 1:1(0) win 65535 <mss 1460>\n+0 > . 1:1(0) ack 1\n", How(strict_end=True))


# -- Code and shell


def test_code() -> None:
    outcome = passes(SERVER + "+0 %{ print(1 + 1) }%\n")
    assert outcome.printed == ["2"]
    fails(SERVER + "+0 %{ assert 1 == 2 }%\n", "assertion failed", 8)
    refuses(SERVER + "+0 %{ import os }%\n", "import", 8)


def test_code_asks_the_newest_connection() -> None:
    passes(SERVER + "+0 %{ assert tcpi_state == TCP_ESTABLISHED }%\n")
    fails("0 %{ assert tcpi_state == 1 }%\n", "there is no socket", 1)


def test_shell_lines_are_never_run() -> None:
    refuses("0 `rm -rf /tmp/usertcp-nothing`\n", "rm", 1)
    refuses("`rm -rf /tmp/usertcp-nothing`\n" + SERVER, "rm")
    passes("`true`\n" + SERVER)


# -- What is not supported is found before anything is run


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (SERVER + "+0 > . 1:1(0) ack 77\n+0 frobnicate(3) = 0\n", "the system call frobnicate()"),
        (SERVER + "+0 > . 1:1(0) ack 77\n+0 setsockopt(3, SOL_SOCKET, SO_NONSENSE, [1], 4) = 0\n", "SO_NONSENSE"),
        (SERVER + "+0 > . 1:1(0) ack 77\n+0 close(4) = -1 ENONSENSE (What)\n", "ENONSENSE"),
        (SERVER + "+0 > . 1:1(0) ack 77\n+0 `frobnicate`\n", "frobnicate"),
        (SERVER + "+0 > . 1:1(0) ack 77\n+0 bind(4, [1], 16) = 0\n", "an array as an address"),
        (SERVER + "+0 > . 1:1(0) ack 77\n+0 %{ import os }%\n", "code block"),
        (SERVER + "+0 > . 1:1(0) ack 77\n+0 `sysctl -w net.ipv4.no_such_thing=1`\n", "net.ipv4.no_such_thing"),
        (SERVER + "+0 > . 1:1(0) ack 77\n+0 < . 1:1(0) ack 1 win 1 {rep tcp seq_num 1}\n", "rep tcp seq_num"),
    ],
)
def test_unsupported_wherever_it_stands(text: str, reason: str) -> None:
    refuses(text, reason, 9)


def test_what_is_no_script() -> None:
    fails("this is no script", "no script", 1)
    fails("0 < S 0:0(0) win 70000\n", "0 to 65535", 1)
    fails("", "nothing happens", 1)
    fails("// nothing but a comment\n", "nothing happens", 1)
