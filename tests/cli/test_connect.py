"""``usertcp connect`` with a real TUN, to servers on kernel sockets."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Running

    Start: TypeAlias = Callable[..., Running]

pytestmark = pytest.mark.kernel

Talk: TypeAlias = Callable[[socket.socket], None]


@contextmanager
def server(talk: Talk, family: socket.AddressFamily = socket.AF_INET) -> Iterator[str]:
    """A server on all addresses; the port that talks once."""
    listener = socket.create_server(("", 0), family=family)

    def serve() -> None:
        client, _ = listener.accept()
        with client:
            talk(client)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with listener:
        yield str(listener.getsockname()[1])
    thread.join()


def read_all(client: socket.socket) -> bytes:
    return client.makefile("rb").read()


@pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "fd00:9293::1")]
)
def test_stdin_goes_out_and_the_answer_comes_after_its_end(
    usertcp: Start, family: socket.AddressFamily, host: str
) -> None:
    data = os.urandom(10_000_000)
    received = []

    def talk(client: socket.socket) -> None:
        received.append(read_all(client))
        client.sendall(b"thank you\n")

    with server(talk, family) as port:
        ended = usertcp("connect", host, port, stdin=data).end()
    assert ended.status == 0
    assert ended.err.count("\n") == 1  # where its control socket is
    assert ended.out == "thank you\n"
    assert received == [data]


def test_a_peer_that_half_closes_first_still_gets_everything(usertcp: Start) -> None:
    data = os.urandom(10_000_000)
    received = []

    def talk(client: socket.socket) -> None:
        client.sendall(b"welcome\n")
        client.shutdown(socket.SHUT_WR)
        received.append(read_all(client))

    with server(talk) as port:
        ended = usertcp("connect", "192.0.2.1", port, stdin=data).end()
    assert (ended.status, ended.out) == (0, "welcome\n")
    assert received == [data]


def test_a_closed_port_is_refused(usertcp: Start) -> None:
    ended = usertcp("connect", "192.0.2.1", "9").end()
    assert ended.status == 1
    assert ended.err.count("\n") == 2
    refused = "connection refused in SYN-SENT: the peer answered our SYN with a RST"
    assert f"cannot connect to 192.0.2.1 port 9: {refused}" in ended.err


def test_a_reset_is_told(usertcp: Start) -> None:
    def talk(client: socket.socket) -> None:
        client.recv(1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1, 0, 0, 0, 0, 0, 0, 0]))

    with server(talk) as port:
        ended = usertcp("connect", "192.0.2.1", port, stdin=b"x").end()
    assert ended.status == 1
    assert ended.err.count("\n") == 2
    assert f"the connection to 192.0.2.1 port {port} broke: " in ended.err


@pytest.mark.parametrize(
    ("host", "words"), [("nowhere.invalid", "neither an address nor a name"), ("::1", "no address of a family")]
)
def test_hosts_that_cannot_be_reached(usertcp: Start, host: str, words: str) -> None:
    ended = usertcp("connect", host, "80", "--address", "192.0.2.2/24").end()
    assert ended.status == 1
    assert words in ended.err
    assert ended.err.count("\n") == 1


def test_the_ladder_goes_to_stderr(usertcp: Start) -> None:
    with server(lambda client: client.sendall(b"hi")) as port:
        ended = usertcp("connect", "192.0.2.1", port, "--trace").end()
    assert ended.out == "hi"
    assert "SYN-SENT" in ended.err
