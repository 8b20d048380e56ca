"""setsockopt and getsockopt: what people use, with the kernel's meaning."""

from __future__ import annotations

import errno
import socket
import struct

import pytest
import trio
from trio.testing import MockClock

from tests.runtime.sockets.conftest import Pair
from tests.runtime.sockets.test_socket import connected, make

TCP, SOCKET = socket.IPPROTO_TCP, socket.SOL_SOCKET


@pytest.mark.parametrize(
    ("level", "name", "value"),
    [
        (TCP, socket.TCP_NODELAY, 1),
        (TCP, socket.TCP_CORK, 1),
        (TCP, socket.TCP_KEEPIDLE, 30),
        (TCP, socket.TCP_KEEPINTVL, 5),
        (TCP, socket.TCP_KEEPCNT, 3),
        (TCP, socket.TCP_USER_TIMEOUT, 5000),
        (TCP, socket.TCP_NOTSENT_LOWAT, 16384),
        (TCP, socket.TCP_MAXSEG, 1000),
        (TCP, socket.TCP_SYNCNT, 3),
        (TCP, socket.TCP_LINGER2, 10),
        (TCP, socket.TCP_QUICKACK, 0),
        (TCP, socket.TCP_FASTOPEN, 5),
        (SOCKET, socket.SO_REUSEADDR, 1),
        (SOCKET, socket.SO_REUSEPORT, 1),
        (SOCKET, socket.SO_KEEPALIVE, 1),
        (SOCKET, socket.SO_OOBINLINE, 1),
        (SOCKET, socket.SO_PRIORITY, 3),
        (socket.IPPROTO_IP, socket.IP_TOS, 0x10),
        (socket.IPPROTO_IP, socket.IP_TTL, 9),
    ],
)
async def test_what_is_set_can_be_read(
    pair: Pair, autojump_clock: MockClock, level: int, name: int, value: int
) -> None:
    with make(pair.client) as sock:
        sock.setsockopt(level, name, value)
        assert sock.getsockopt(level, name) == value
        assert sock.getsockopt(level, name, 4) == struct.pack("=i", value)
        sock.setsockopt(level, name, struct.pack("=i", value))


async def test_what_a_socket_is(pair: Pair, autojump_clock: MockClock) -> None:
    with make(pair.client) as sock, make(pair.server, socket.AF_INET6) as listening:
        assert sock.getsockopt(SOCKET, socket.SO_TYPE) == socket.SOCK_STREAM
        assert sock.getsockopt(SOCKET, socket.SO_DOMAIN) == socket.AF_INET
        assert sock.getsockopt(SOCKET, socket.SO_PROTOCOL) == TCP
        assert sock.getsockopt(SOCKET, socket.SO_ERROR) == 0
        assert not listening.getsockopt(SOCKET, socket.SO_ACCEPTCONN)
        listening.listen()
        assert listening.getsockopt(SOCKET, socket.SO_ACCEPTCONN) == 1
        assert trio.SocketListener(listening).socket is listening
        with pytest.raises(ValueError, match="listening"):
            trio.SocketListener(sock)


async def test_buffers_are_doubled_as_linux_does(pair: Pair, autojump_clock: MockClock) -> None:
    with make(pair.client) as sock:
        for name in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            sock.setsockopt(SOCKET, name, 50_000)
            assert sock.getsockopt(SOCKET, name) == 100_000


async def test_congestion_control_by_its_name(pair: Pair, autojump_clock: MockClock) -> None:
    async with connected(pair) as (client, _):
        assert client.getsockopt(TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0") == b"cubic"
        client.setsockopt(TCP, socket.TCP_CONGESTION, b"reno")
        assert client.getsockopt(TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0") == b"reno"
        with pytest.raises(FileNotFoundError):
            client.setsockopt(TCP, socket.TCP_CONGESTION, b"nonsense")


async def test_keepalives_find_out_that_the_peer_is_gone(pair: Pair, autojump_clock: MockClock) -> None:
    async with connected(pair) as (client, _):
        client.setsockopt(SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in ((socket.TCP_KEEPIDLE, 10), (socket.TCP_KEEPINTVL, 2), (socket.TCP_KEEPCNT, 3)):
            client.setsockopt(TCP, name, value)
        pair.link.partition()
        started = trio.current_time()
        with pytest.raises(TimeoutError) as raised:
            await client.recv(1)
        assert raised.value.errno == errno.ETIMEDOUT
        assert 15 <= trio.current_time() - started <= 17


async def test_the_user_timeout(pair: Pair, autojump_clock: MockClock) -> None:
    async with connected(pair) as (client, _):
        client.setsockopt(TCP, socket.TCP_USER_TIMEOUT, 3000)
        pair.link.partition()
        await client.send(b"x")
        started = trio.current_time()
        with pytest.raises(TimeoutError):
            await client.recv(1)
        assert 3 <= trio.current_time() - started < 8


async def test_tcp_info_is_the_kernels_structure(pair: Pair, autojump_clock: MockClock) -> None:
    async with connected(pair) as (client, _):
        await client.send(bytes(5000))
        await trio.sleep(1)
        info = client.getsockopt(TCP, socket.TCP_INFO, 256)
        assert info[0] == 1  # TCP_ESTABLISHED
        (rtt,) = struct.unpack_from("=I", info, 68)
        assert 20_000 <= rtt < 30_000


async def test_options_that_are_inherited(pair: Pair, autojump_clock: MockClock) -> None:
    with make(pair.server) as listening, make(pair.client) as client:
        listening.setsockopt(TCP, socket.TCP_NODELAY, 1)
        listening.setsockopt(SOCKET, socket.SO_KEEPALIVE, 1)
        await listening.bind(("", 80))
        listening.listen()
        await client.connect(("10.0.0.1", 80))
        server, _ = await listening.accept()
        with server:
            assert server.getsockopt(TCP, socket.TCP_NODELAY) == 1
            assert server.getsockopt(SOCKET, socket.SO_KEEPALIVE) == 1


@pytest.mark.parametrize(("level", "name"), [(TCP, 999), (SOCKET, 999), (TCP, 14), (SOCKET, socket.SO_BINDTODEVICE)])
async def test_what_there_is_not(pair: Pair, autojump_clock: MockClock, level: int, name: int) -> None:
    """999 no kernel has; TCP_MD5SIG (14) and SO_BINDTODEVICE we have not, and say so."""
    with make(pair.client) as sock:
        with pytest.raises(OSError, match=r"rotocol not available|usertcp has no") as raised:
            sock.setsockopt(level, name, 1)
        assert raised.value.errno == errno.ENOPROTOOPT


async def test_wrong_values(pair: Pair, autojump_clock: MockClock) -> None:
    with make(pair.client) as sock:
        with pytest.raises(OSError, match="Invalid argument"):
            sock.setsockopt(TCP, socket.TCP_KEEPIDLE, 0)
        with pytest.raises(OSError, match="Invalid argument"):
            sock.setsockopt(TCP, socket.TCP_NODELAY, b"x")
        with pytest.raises(TypeError):
            sock.setsockopt(TCP, socket.TCP_NODELAY, None)  # type: ignore[call-overload]
        with pytest.raises(OSError, match="out of range"):
            sock.getsockopt(TCP, socket.TCP_INFO, 5000)
