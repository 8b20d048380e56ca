"""System calls as scripts write them, on a connection of our own stack."""

from __future__ import annotations

import pytest

from usertcp.drill.outcome import Outcome, Result
from usertcp.drill.runner import How, run_text

CONNECTION = """\
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 65535 <mss 1460>
+0 > S. 0:0(0) ack 1 <mss 1460>
+.1 < . 1:1(0) ack 1 win 65535
+0 accept(3, ..., ...) = 4
"""
DATA = "+0 < P. 1:101(100) ack 1 win 65535\n"


def run(lines: str, profile: str = "usertcp") -> Outcome:
    return run_text(CONNECTION + "".join(f"+0 {line}\n" for line in lines.splitlines()), "x", How(profile))


@pytest.mark.parametrize(
    "line",
    [
        "write(4, ..., 100) = 100",
        "write(4, NULL, 0) = 0",
        "write(4, NULL, 10) = -1 EFAULT (Bad address)",
        "write(4, 0xffff, 10) = -1 EFAULT (Bad address)",
        "write(4, ..., -1) = -1 EFAULT (Bad address)",
        "write(9, NULL, 10) = -1 EBADF (Bad file descriptor)",
        'send(4, "hello", 5, MSG_NOSIGNAL) = 5',
        'send(4, "hel"..., 100, 0) = 100',
        "sendto(4, ..., 100, 0, NULL, 0) = 100",
        "sendto(4, ..., 100, 0, ..., 3) = -1 EINVAL (Invalid argument)",
        "writev(4, [{..., 100}, {..., 200}], 2) = 300",
        "writev(4, [{..., 100}, {..., 200}], 1) = 100",
        "writev(4, [{..., 100}], 0) = 0",
        "writev(4, [{..., 100}], 2) = -1 EFAULT (Bad address)",
        "writev(4, [{..., 100}], -1) = -1 EINVAL (Invalid argument)",
        "writev(4, NULL, 1) = -1 EFAULT (Bad address)",
        "writev(4, [{NULL, 100}], 1) = -1 EFAULT (Bad address)",
        "sendmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 100}], msg_flags=0}, 0) = 100",
        "sendmsg(4, NULL, 0) = -1 EFAULT (Bad address)",
        "recvmsg(4, NULL, 0) = -1 EFAULT (Bad address)",
        "recv(4, ..., 100, MSG_DONTWAIT) = -1 EAGAIN (Resource temporarily unavailable)",
        "recv(4, ..., 100, MSG_DONTWAIT) = -1 EWOULDBLOCK (the other name)",
        "recv(4, NULL, 100, MSG_DONTWAIT) = -1 EAGAIN (before the pointer is looked at)",
        "recvfrom(4, ..., 100, MSG_DONTWAIT, NULL, NULL) = -1 EAGAIN (Resource temporarily unavailable)",
        "shutdown(4, SHUT_WR) = 0",
        "shutdown(4, 7) = -1 EINVAL (Invalid argument)",
        "close(-1) = -1 EBADF (Bad file descriptor)",
        "fcntl(4, F_GETFL) = 0x2 (flags O_RDWR)",
        "fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0",
        "fcntl(4, F_DUPFD, 0) = 7",
        "dup(4) = 9",
        "ioctl(4, FIONREAD, [0]) = 0",
        "ioctl(4, FIONBIO, [1]) = 0",
        "ioctl(4, FIONREAD, NULL) = -1 EFAULT (Bad address)",
        "poll([{fd=4, events=POLLIN|POLLOUT, revents=POLLOUT}], 1, 0) = 1",
        "poll([{fd=4, events=POLLIN, revents=0}, {fd=3, events=POLLIN, revents=0}], 2, 0) = 0",
        "poll([{fd=77, events=POLLIN, revents=POLLNVAL}], 1, 0) = 1",
        "poll([{fd=4, events=POLLOUT}], 1, 0) = 1",
        "poll(NULL, 1, 0) = -1 EFAULT (Bad address)",
        "poll(NULL, 0, 0) = 0",
        "select(5, [4], [4], NULL, {tv_sec=0, tv_usec=0}) = 1",
        "select(5, [4], ..., ..., {tv_sec=-1, tv_usec=0}) = -1 EINVAL (Invalid argument)",
        "epoll_create(1) = 5",
        "epoll_create(0) = -1 EINVAL (Invalid argument)",
        "epoll_create1(0) = 5",
        "pipe([5, 6]) = 0",
        "getsockopt(4, SOL_SOCKET, SO_ERROR, [0], [4]) = 0",
        "getsockopt(4, SOL_SOCKET, SO_TYPE, [SOCK_STREAM], [4]) = 0",
        "getsockopt(4, SOL_SOCKET, SO_TYPE, NULL, [4]) = -1 EFAULT (Bad address)",
        "getsockopt(4, SOL_SOCKET, SO_TYPE, [1], [-1]) = -1 EINVAL (Invalid argument)",
        "getsockopt(4, IPPROTO_TCP, TCP_CONGESTION, ..., ...) = 0",
        'getsockopt(4, IPPROTO_TCP, TCP_CONGESTION, ["cubic"], [16]) = 0',
        'getsockopt(4, IPPROTO_TCP, TCP_CONGESTION, "cubic", [16]) = 0',
        "getsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=0, linger=0}, [8]) = 0",
        "getsockopt(4, SOL_TCP, TCP_INFO, {tcpi_state=TCP_ESTABLISHED, tcpi_snd_cwnd=10, tcpi_rto=...}, [192]) = 0",
        "setsockopt(4, IPPROTO_TCP, TCP_NODELAY, [1], 4) = 0",
        "setsockopt(4, IPPROTO_TCP, TCP_NODELAY, [1], 1) = -1 EINVAL (Invalid argument)",
        "setsockopt(4, IPPROTO_TCP, TCP_NODELAY, NULL, 4) = -1 EFAULT (Bad address)",
        "setsockopt(4, IPPROTO_TCP, TCP_NODELAY, [1], -1) = -1 EINVAL (Invalid argument)",
        "setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0",
        "setsockopt(4, SOL_SOCKET, SO_RCVTIMEO, {tv_sec=1, tv_usec=0}, 16) = 0",
        "setsockopt(4, SOL_TCP, 9999, [1], 4) = -1 ENOPROTOOPT (Protocol not available)",
        'getsockname(4, {sa_family=AF_INET, sin_port=htons(8080), sin_addr=inet_addr("192.168.0.1")}, [16]) = 0',
        "getpeername(4, ..., ...) = 0",
        "bind(3, NULL, 16) = -1 EFAULT (Bad address)",
        "bind(3, ..., 3) = -1 EINVAL (Invalid argument)",
        "bind(9, NULL, 16) = -1 EBADF (Bad file descriptor)",
        "socket(99, SOCK_STREAM, IPPROTO_TCP) = -1 EAFNOSUPPORT (Address family not supported)",
        "sendfile(4, 5, [0], 100) = -1 EBADF (Bad file descriptor)",
        "splice(4, NULL, 5, NULL, 100, 0) = -1 EBADF (Bad file descriptor)",
        "accept(3, ..., ...) = ...",
    ][:-1],
)  # fmt: skip
def test_as_expected(line: str) -> None:
    outcome = run(line)
    assert outcome.result is Result.PASSED, outcome.reason


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("fcntl(4, F_GETFL) = 0x802 (flags O_RDWR|O_NONBLOCK)", "result: expected 2050, got 2"),
        ("ioctl(4, FIONREAD, [1]) = 0", "value: expected 1, got 0"),
        ("poll([{fd=4, events=POLLIN|POLLOUT, revents=POLLIN}], 1, 0) = 1", "revents of 4: expected 0x1, got 0x4"),
        ("poll([{fd=4, events=POLLOUT, revents=POLLOUT}], 1, 0) = 0", "result: expected 0, got 1"),
        ("getsockopt(4, SOL_SOCKET, SO_ERROR, [ECONNRESET], [4]) = 0", "option value: expected 104, got 0"),
        ("getsockopt(4, SOL_SOCKET, SO_TYPE, [1], [8]) = 0", "option length: expected 8, got 4"),
        ('getsockopt(4, IPPROTO_TCP, TCP_CONGESTION, "reno", [16]) = 0', "expected 'reno', got 'cubic'"),
        ("getsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, [8]) = 0", "onoff: expected 1, got 0"),
        ("getsockopt(4, SOL_TCP, TCP_INFO, {tcpi_snd_cwnd=11}, [192]) = 0", "tcpi_snd_cwnd: expected 11, got 10"),
        ("getsockopt(4, SOL_TCP, TCP_INFO, {tcpi_nonsense=11}, [192]) = 0", "tcpi_nonsense"),
        (
            'getsockname(4, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("192.168.0.1")}, [16]) = 0',
            "address: expected 192.168.0.1:80, got 192.168.0.1:8080",
        ),
        ("write(4, ..., 10) = -1 EAGAIN (no)", "expected -1 EAGAIN, got 10"),
        ("close(77) = 0", "expected 0, got -1 EBADF"),
        ("socket(..., SOCK_STREAM, IPPROTO_TCP) = -1 EPERM (no)", "result: expected -1 EPERM, got"),
    ],
)
def test_not_as_expected(lines: str, reason: str) -> None:
    outcome = run(lines)
    assert outcome.result is Result.FAILED
    assert reason in outcome.reason


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("frobnicate(4) = 0", "frobnicate()"),
        ("write(4) = 0", "write() with 1 arguments"),
        ("write(4, ..., 99999999) = 0", "a buffer of 99999999 bytes"),
        ("write(4, [1], 1) = 1", "an array as a buffer"),
        ('write("4", ..., 1) = 1', "a string as an argument of write() that is a number"),
        ("setsockopt(4, SOL_SOCKET, SO_LINGER, {a=1, b=0}, 8) = 0", "a structure of a, b as a socket option"),
        ("setsockopt(4, SOL_SOCKET, 9999, [1], 4) = 0", "ENOPROTOOPT"),
        ("socket(..., SOCK_STREAM, 99) = 5", "EPROTONOSUPPORT"),
        ("bind(4, [1], 16) = 0", "an array as an address"),
        ("poll([4], 1, 0) = 0", "an entry of poll()"),
        ("readv(4, [4], 1) = 0", "an I/O vector"),
        ("sendmsg(4, {msg_iov(1)=[{..., 1}], msg_control=[{a=1}]}, 0) = 0", "a control message"),
        ("bind(3, {sa_family = AF_INET, sin_port = htons(80), sin_addr = inet_addr(\"a.b\")}, 16) = 0", "the address"),
    ],
)  # fmt: skip
def test_what_cannot_be_tried_is_unsupported(line: str, reason: str) -> None:
    outcome = run(line)
    assert outcome.result is Result.UNSUPPORTED, outcome
    assert reason in outcome.reason


@pytest.mark.parametrize(
    "lines",
    [
        "read(4, ..., 1000) = 100",
        "read(4, ..., 60) = 60\nread(4, ..., 60) = 40",
        "readv(4, [{..., 60}, {..., 60}], 2) = 100",
        "recv(4, ..., 60, MSG_PEEK) = 60\nrecvfrom(4, ..., 1000, 0, ..., ...) = 100",
        "recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 1000}], msg_flags=0}, 0) = 100",
        "ioctl(4, SIOCINQ, [100]) = 0",
        "recv(4, NULL, 100, 0) = -1 EFAULT (Bad address)",
        'read(4, "\\x00\\x00"..., 100) = 100',
    ],
)
def test_reading(lines: str) -> None:
    text = CONNECTION + DATA + "".join(f"+0 {line}\n" for line in lines.splitlines())
    outcome = run_text(text, "x", How())
    assert outcome.result is Result.PASSED, outcome.reason


def test_data_that_is_read_is_compared_where_the_script_says_it() -> None:
    outcome = run_text(CONNECTION + DATA + '+0 read(4, "abc"..., 100) = 100\n', "x", How())
    assert outcome.result is Result.FAILED
    assert "data: expected 'abc', got '\\x00\\x00\\x00'" in outcome.reason


def test_epoll() -> None:
    lines = (
        "epoll_create1(0) = 5\n"
        "epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLOUT, fd=4}) = 0\n"
        "epoll_wait(5, {events=EPOLLOUT, fd=4}, 1, 0) = 1\n"
        "epoll_wait(5, [{events=EPOLLOUT, fd=4}], 8, 0) = 1\n"
        "epoll_wait(5, ..., 1, 0) = 1\n"
        "epoll_wait(5, ..., 0, 0) = -1 EINVAL (Invalid argument)\n"
    )
    outcome = run(lines, "linux")
    assert outcome.result is Result.PASSED, outcome.reason
    assert (
        "events: expected 0x1, got 0x4" in run(lines.replace("EPOLLOUT, fd=4}, 1", "EPOLLIN, fd=4}, 1"), "linux").reason
    )
    assert "data of the event: expected 5, got 4" in run(lines.replace("fd=4}, 1", "fd=5}, 1"), "linux").reason


def test_a_pipe_in_between() -> None:
    lines = "pipe([5, 6]) = 0\nwrite(6, ..., 10) = 10\nread(5, ..., 10) = 10\nclose(5) = 0\nclose(6) = 0"
    outcome = run(lines)
    assert outcome.result is Result.PASSED, outcome.reason
    assert "the script has a descriptor 4 already" in run("pipe([4, 6]) = 0").reason


def test_a_file_to_send() -> None:
    lines = 'open("/etc/passwd", O_RDONLY) = 5\nsendfile(4, 5, [0], 1000) = 1000\nsendfile(4, 5, NULL, 10) = 10'
    outcome = run(lines)
    assert outcome.result is Result.PASSED, outcome.reason
    assert not any(any(crossing.packet[40:]) for crossing in outcome.crossings if len(crossing.packet) > 100)
    assert "no string" in run("open(4, O_RDONLY) = 5").reason


def test_addresses_of_ipv6() -> None:
    address = '{sa_family = AF_INET6, sin6_port = htons(99), inet_pton(AF_INET6, "::1", &sin6_addr)}'
    text = f"0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 bind(3, {address}, 28) = -1 EADDRNOTAVAIL (no)\n"
    assert run_text(text, "x", How(options=[("ip_version", "ipv6")])).result is Result.PASSED
    text = text.replace("28) = -1 EADDRNOTAVAIL", "16) = -1 EINVAL")
    assert run_text(text, "x", How(options=[("ip_version", "ipv6")])).result is Result.PASSED


def test_names_are_those_of_the_profiles_system() -> None:
    line = "setsockopt(4, SOL_TCP, TCP_CORK, [1], 4) = ..."
    assert "TCP_CORK" in run(line, "freebsd").reason
    assert "the name" not in run(line, "linux").reason


CONTROL = (
    "setsockopt(4, SOL_SOCKET, SO_TIMESTAMPING, [SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_SOFTWARE |"
    " SOF_TIMESTAMPING_OPT_ID], 4) = 0\n"
    "write(4, ..., 100) = 100\n"
    "recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 0}], msg_flags=MSG_ERRQUEUE|MSG_TRUNC, msg_control=["
    "{cmsg_level=SOL_SOCKET, cmsg_type=SCM_TIMESTAMPING, cmsg_data={scm_sec=0, scm_nsec=100000000}},"
    " {cmsg_level=SOL_IP, cmsg_type=IP_RECVERR, cmsg_data={ee_errno=ENOMSG, ee_origin=SO_EE_ORIGIN_TIMESTAMPING,"
    " ee_type=0, ee_code=0, ee_info=SCM_TSTAMP_SCHED, ee_data=99}}]}, MSG_ERRQUEUE) = 0"
)


def test_control_messages() -> None:
    outcome = run(CONTROL, "linux")
    assert outcome.result is Result.PASSED, outcome.reason


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("nsec=100000000", "nsec=110000000", "timestamp: expected 0.110000 s, got 0.100000 s"),
        ("ee_data=99", "ee_data=98", "ee_data: expected 98, got 99"),
        ("MSG_ERRQUEUE|MSG_TRUNC", "MSG_ERRQUEUE", "msg_flags: expected 0x2000, got 0x2020"),
        ("cmsg_type=IP_RECVERR", "cmsg_type=IP_TTL", "level and type of a control message"),
        (", {cmsg_level=SOL_IP", "] , x=[{cmsg_level=SOL_IP", "control messages: expected 1, got 2"),
    ],
)
def test_control_messages_that_differ(old: str, new: str, reason: str) -> None:
    outcome = run(CONTROL.replace(old, new), "linux")
    assert outcome.result is Result.FAILED
    assert reason in outcome.reason


def test_structures_that_are_not_known_in_control_messages() -> None:
    assert "a structure of zz_sec" in run(CONTROL.replace("scm_sec=0, scm_nsec", "zz_sec"), "linux").reason
