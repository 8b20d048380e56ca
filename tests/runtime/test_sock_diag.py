"""The kernel's own view of a socket; and answers that no kernel gives."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usertcp.runtime.sock_diag import Reading, SockDiag, parse, question
from usertcp.tcp.states import State


@pytest.fixture
def kernel() -> Iterator[SockDiag]:
    asked = SockDiag()
    yield asked
    asked.close()
    asked.close()


@pytest.fixture(params=[socket.AF_INET, socket.AF_INET6], ids=["IPv4", "IPv6"])
def listener(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    with socket.socket(request.param) as made:
        made.bind(("localhost" if request.param == socket.AF_INET else "::1", 0))
        made.listen()
        yield made


def about(one: socket.socket, other: socket.socket) -> bytes:
    """The question for the kernel's socket ``one``, whose peer is ``other``."""
    (address, port, *_), (other_address, other_port, *_) = one.getsockname(), other.getsockname()
    return question(
        socket.inet_pton(one.family, address), port, socket.inet_pton(one.family, other_address), other_port
    )


def test_a_connection_from_both_sides(kernel: SockDiag, listener: socket.socket) -> None:
    with socket.create_connection(listener.getsockname()[:2]) as client:
        client.sendall(b"hello")
        client_sees, server_sees = kernel.ask(about(client, listener)), kernel.ask(about(listener, client))
        assert client_sees is not None
        assert server_sees is not None
        assert client_sees.state is server_sees.state is State.ESTABLISHED
        assert (client_sees.unread, server_sees.unread) == (0, 5)
        # The same from the socket itself (tcp(7), TCP_INFO).
        info = struct.unpack("=8B24I", client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104))[8:]
        rto, mss, unacked, rtt, rttvar, ssthresh, cwnd, again = (info[at] for at in (0, 2, 4, 15, 16, 17, 18, 23))
        assert client_sees.rto == pytest.approx(rto / 1e6)
        assert (client_sees.mss, client_sees.cwnd) == (mss, cwnd * mss)
        assert (client_sees.unacked, client_sees.retransmitted) == (unacked, again)
        assert (client_sees.srtt, client_sees.rttvar) == pytest.approx((rtt / 1e6, rttvar / 1e6))
        assert ssthresh == 0x7FFFFFFF
        assert client_sees.ssthresh is None
    # It never read what came, and so it has got a RST.
    listener.accept()[0].close()


def test_who_closes_first_waits(kernel: SockDiag, listener: socket.socket) -> None:
    with socket.create_connection(listener.getsockname()[:2]) as client:
        asked = about(client, listener)
        served, _ = listener.accept()
        client.shutdown(socket.SHUT_WR)
        half_closed = kernel.ask(asked)
        assert half_closed is not None
        assert half_closed.state in (State.FIN_WAIT_1, State.FIN_WAIT_2)
        served.close()
    waiting = kernel.ask(asked)
    assert waiting is not None
    assert waiting.timer_left is not None
    assert waiting == Reading(State.TIME_WAIT, timer="time-wait", timer_left=waiting.timer_left)
    assert 50 < waiting.timer_left <= 60


def test_where_no_socket_is_a_listener_or_nobody_answers(kernel: SockDiag, listener: socket.socket) -> None:
    with socket.socket(listener.family) as nobody:
        nobody.bind((listener.getsockname()[0], 0))
        assert kernel.ask(about(listener, nobody)) == Reading(State.LISTEN)
        assert kernel.ask(about(nobody, listener)) is None


def test_closed_it_knows_nothing() -> None:
    kernel = SockDiag()
    kernel.close()
    assert kernel.ask(question(bytes(4), 1, bytes(4), 2)) is None


@given(st.binary(max_size=512))
def test_no_answer_is_too_strange(answer: bytes) -> None:
    parse(answer)


@given(st.data())
def test_nor_one_that_is_nearly_right(data: st.DataObject) -> None:
    with socket.socket() as listener, socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4) as netlink:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with socket.create_connection(listener.getsockname()) as client:
            netlink.send(about(client, listener))
            answer = bytearray(netlink.recv(8192))
    for _ in range(data.draw(st.integers(1, 4))):
        answer[data.draw(st.integers(0, len(answer) - 1))] = data.draw(st.integers(0, 255))
    parse(bytes(answer[: data.draw(st.integers(0, len(answer)))]))
