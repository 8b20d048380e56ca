"""The socket object: what a kernel's does, with the kernel's errno."""

from __future__ import annotations

import errno
import gc
import select
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import usertcp
from tests.runtime.sockets.conftest import Pair
from usertcp.tcp.errors import ConnectionRefused, ConnectionReset, ConnectionTimedOut, TcpError
from usertcp.testing import Conditions, NetworkHost

families = pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])


def make(host: NetworkHost, family: int = socket.AF_INET) -> trio.socket.SocketType:
    with host.sockets():
        return trio.socket.socket(family)


@asynccontextmanager
async def connected(pair: Pair) -> AsyncIterator[tuple[trio.socket.SocketType, trio.socket.SocketType]]:
    """The client's socket, and the server's."""
    with make(pair.server) as listening, make(pair.client) as client:
        await listening.bind(("10.0.0.1", 80))
        listening.listen()
        await client.connect(("10.0.0.1", 80))
        server, address = await listening.accept()
        assert address == client.getsockname() == server.getpeername()
        with server:
            yield client, server


@families
async def test_names_of_both_ends(pair: Pair, autojump_clock: MockClock, family: int) -> None:
    any_address, there, here = ("0.0.0.0", "10.0.0.1", "10.0.0.2")
    rest: tuple[int, ...] = ()
    if family == socket.AF_INET6:
        any_address, there, here, rest = "::", "fd00::1", "fd00::2", (0, 0)
    with make(pair.server, family) as listening, make(pair.client, family) as client:
        assert client.family == family
        assert client.type == socket.SOCK_STREAM
        assert client.proto == 0
        assert client.getsockname() == (any_address, 0, *rest)
        with pytest.raises(OSError, match="not connected") as raised:
            client.getpeername()
        assert raised.value.errno == errno.ENOTCONN
        await listening.bind((any_address, 0))
        port = listening.getsockname()[1]
        assert port > 1024
        listening.listen()
        await client.connect((there, port))
        server, address = await listening.accept()
        with server:
            assert server.getsockname() == client.getpeername() == (there, port, *rest)
            assert address == client.getsockname()
            assert address[0] == here


async def test_a_dual_stack_listener_shows_mapped_addresses(pair: Pair, autojump_clock: MockClock) -> None:
    with make(pair.server, socket.AF_INET6) as listening, make(pair.client) as client:
        await listening.bind(("::", 80))
        listening.listen()
        await client.connect(("10.0.0.1", 80))
        server, address = await listening.accept()
        server.close()
        assert address[0] == "::ffff:10.0.0.2"
    with make(pair.client, socket.AF_INET6) as client:
        client.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        with pytest.raises(OSError, match="unreachable") as raised:
            await client.connect(("::ffff:10.0.0.1", 80))
        assert raised.value.errno == errno.ENETUNREACH


async def test_v6only_leaves_the_port_to_ipv4(pair: Pair, autojump_clock: MockClock) -> None:
    with make(pair.server, socket.AF_INET6) as six, make(pair.server) as four, make(pair.client) as client:
        six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        for each, address in ((six, "::"), (four, "0.0.0.0")):
            await each.bind((address, 80))
            each.listen()
        await client.connect(("10.0.0.1", 80))
        accepted, _ = await four.accept()
        accepted.close()


async def test_bind_says_why_not(pair: Pair, autojump_clock: MockClock) -> None:
    with make(pair.server) as one, make(pair.server) as other:
        await one.bind(("10.0.0.1", 80))
        one.listen()
        for address, number in (
            (("10.0.0.1", 80), errno.EADDRINUSE),
            (("", 80), errno.EADDRINUSE),
            (("10.0.0.77", 0), errno.EADDRNOTAVAIL),
        ):
            with pytest.raises(OSError, match="ddress") as raised:
                await other.bind(address)
            assert raised.value.errno == number
        with pytest.raises(ValueError, match="tuple"):
            await other.bind("10.0.0.1")
        with pytest.raises(OverflowError):
            await other.bind(("10.0.0.1", 70_000))
        one.close()
        await other.bind(("10.0.0.1", 80))


async def test_a_port_that_a_listener_of_the_stack_has(pair: Pair, autojump_clock: MockClock) -> None:
    async with await pair.server.open_listener(80):
        with make(pair.server) as sock:
            await sock.bind(("", 80))
            with pytest.raises(OSError, match="in use") as raised:
                sock.listen()
            assert raised.value.errno == errno.EADDRINUSE


async def test_connections_that_do_not_come_about(pair: Pair, autojump_clock: MockClock) -> None:
    await pair.network.add_host("away", "10.0.0.3")
    cases: list[tuple[str, type[OSError], int, type[TcpError] | None]] = [
        ("10.0.0.1", ConnectionRefusedError, errno.ECONNREFUSED, ConnectionRefused),
        ("10.0.0.3", TimeoutError, errno.ETIMEDOUT, ConnectionTimedOut),
        ("224.0.0.1", OSError, errno.ENETUNREACH, None),
    ]
    for host, kind, number, cause in cases:
        with make(pair.client) as sock:
            with pytest.raises(kind) as raised:
                await sock.connect((host, 9))
            assert raised.value.errno == number
            if cause is not None:
                assert isinstance(raised.value.__cause__, cause)
                assert str(raised.value.__cause__) in str(raised.value)


async def test_a_connect_that_is_cancelled_closes_the_socket(pair: Pair, autojump_clock: MockClock) -> None:
    pair.link.partition()
    sock = make(pair.client)
    with trio.move_on_after(1) as scope:
        await sock.connect(("10.0.0.1", 80))
    assert scope.cancelled_caught
    assert sock.fileno() == -1
    assert pair.client.stack.open_connections == 0


async def test_data_every_way(pair: Pair, autojump_clock: MockClock) -> None:
    async with connected(pair) as (client, server):
        assert await client.send(b"one") == 3
        assert await server.recv(100) == b"one"
        assert await client.sendmsg([b"t", b"wo"]) == 3
        room = bytearray(10)
        assert await server.recv_into(room) == 3
        assert room[:3] == b"two"
        assert await client.send(memoryview(b"three and four")) == 14
        assert await server.recv(3, socket.MSG_PEEK) == b"thr"
        assert await server.recvfrom(5) == (b"three", None)
        assert await server.recvmsg(4) == (b" and", [], 0, None)
        halves = bytearray(2), bytearray(10)
        assert (await server.recvmsg_into(halves))[0] == 5
        assert halves[0] + halves[1][:3] == b" four"
        assert await client.send(b"!", socket.MSG_OOB) == 1
        await trio.sleep(1)
        assert await server.recv(1, socket.MSG_OOB) == b"!"
        client.shutdown(socket.SHUT_WR)
        assert client.did_shutdown_SHUT_WR
        assert await server.recv(10) == b""
        with pytest.raises(BrokenPipeError):
            await client.send(b"x")
        await server.send(b"still")
        assert await client.recv_into(room, 2) == 2
        assert await client.recvfrom_into(room) == (3, None)


async def test_what_is_received_is_bytes(pair: Pair, autojump_clock: MockClock) -> None:
    """However it came: in small pieces, and in large ones."""
    async with connected(pair) as (client, server):
        for size in (1, 10, 5000, 60_000):
            for _ in range(3):
                await client.send(bytes(size))
            await trio.sleep(1)
            assert type(await server.recv(1_000_000)) is bytes


async def test_a_full_buffer_waits_for_the_reader(pair: Pair, autojump_clock: MockClock) -> None:
    async with connected(pair) as (client, server):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 20_000)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 20_000)
        stream, sent = trio.SocketStream(client), 0
        with trio.move_on_after(100):
            while True:
                sent += await client.send(bytes(1000))
        assert 20_000 < sent < 400_000
        with trio.move_on_after(10) as scope:
            await stream.wait_send_all_might_not_block()
        assert scope.cancelled_caught
        got = 0
        while got < sent:
            got += len(await server.recv(1_000_000))
        with trio.fail_after(10):
            await stream.wait_send_all_might_not_block()


async def test_reading_opens_the_window_at_once(pair: Pair, autojump_clock: MockClock) -> None:
    async with connected(pair) as (client, server):
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 20_000)
        with trio.move_on_after(20):
            while True:
                await client.send(bytes(100_000))
        told: list[str] = []
        pair.network.tap(lambda packet: told.append(packet.sender))
        assert len(await server.recv(1_000_000)) > 10_000
        assert told == ["server"]  # without another call of ours


async def test_little_waits_unsent_where_that_is_asked_for(pair: Pair, autojump_clock: MockClock) -> None:
    """TCP_NOTSENT_LOWAT, which trio.SocketStream sets: data that cannot leave stays with the application."""
    pair.link.change(Conditions(delay=0.01, rate=100_000))
    async with connected(pair) as (client, _):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, 16_384)
        with trio.move_on_after(0.5):
            while True:
                await client.send(bytes(4096))
        info = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        unsent = int.from_bytes(info[144:148], "little")  # tcpi_notsent_bytes
        assert 0 < unsent < 16_384 + 4096


async def test_a_reset_says_so(pair: Pair, autojump_clock: MockClock) -> None:
    async with connected(pair) as (client, server):
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, (1).to_bytes(4, "little") + bytes(4))
        server.close()
        with pytest.raises(ConnectionResetError) as raised:
            await client.recv(1)
        assert raised.value.errno == errno.ECONNRESET
        assert isinstance(raised.value.__cause__, ConnectionReset)
        with pytest.raises(BrokenPipeError):
            await client.send(b"x")


async def test_a_stream_over_it_breaks_as_trio_has_it(pair: Pair, autojump_clock: MockClock) -> None:
    async with connected(pair) as (client, server):
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, (1).to_bytes(4, "little") + bytes(4))
        server.close()
        with pytest.raises(trio.BrokenResourceError, match="reset by peer") as raised:
            await trio.SocketStream(client).receive_some()
        assert isinstance(raised.value.__cause__, ConnectionResetError)
        assert isinstance(raised.value.__cause__.__cause__, ConnectionReset)


async def test_closed(pair: Pair, autojump_clock: MockClock) -> None:
    async with connected(pair) as (client, server):
        assert client.fileno() >= 0
        client.close()
        client.close()
        assert client.fileno() == -1
        for call in (client.getsockname, client.getpeername, client.listen, client.is_readable):
            with pytest.raises(OSError, match="descriptor") as raised:
                call()
            assert raised.value.errno == errno.EBADF
        with pytest.raises(OSError, match="descriptor"):
            await client.recv(1)
        with pytest.raises(trio.ClosedResourceError):
            await trio.SocketStream(client).send_all(b"x")
        assert await server.recv(1) == b""


@pytest.mark.parametrize("what", ["recv", "send", "accept", "wait_writable"])
async def test_one_task_waits_and_a_close_wakes_it(pair: Pair, autojump_clock: MockClock, what: str) -> None:
    async with connected(pair) as (client, _), trio.open_nursery() as nursery:
        sock, args = client, {"recv": (10,), "send": (b"x",)}.get(what, ())
        if what in ("send", "wait_writable"):
            for _ in range(2):  # until our own buffer is full to the last byte, too
                with trio.move_on_after(1000):
                    while True:
                        await client.send(bytes(100_000))
        elif what == "accept":
            sock = make(pair.client)
            await sock.bind(("", 0))
            sock.listen()

        async def wait() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await getattr(sock, what)(*args)

        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await getattr(sock, what)(*args)
        sock.close()


@pytest.mark.parametrize("what", ["recv", "accept"])
async def test_a_cancelled_call_takes_nothing(pair: Pair, autojump_clock: MockClock, what: str) -> None:
    with make(pair.server) as listening, make(pair.client) as client:
        await listening.bind(("10.0.0.1", 80))
        listening.listen()
        if what == "accept":
            with trio.move_on_after(1):
                await listening.accept()
        await client.connect(("10.0.0.1", 80))
        server, _ = await listening.accept()
        with server:
            with trio.move_on_after(1):
                await server.recv(10)
            await client.send(b"all of it")
            await trio.sleep(1)
            with trio.CancelScope() as scope:
                scope.cancel()
                await server.recv(4)
            assert await server.recv(10) == b"all of it"


async def test_every_call_is_a_checkpoint(pair: Pair, autojump_clock: MockClock) -> None:
    async with connected(pair) as (client, server):
        with trio.testing.assert_checkpoints():
            await client.send(b"x")
        await trio.sleep(1)
        with trio.testing.assert_checkpoints():
            await server.recv(1)
        with trio.testing.assert_checkpoints():
            await client.wait_writable()
        with trio.testing.assert_checkpoints(), pytest.raises(OSError, match="connected"):
            await client.connect(("10.0.0.1", 80))
        with make(pair.client) as other, trio.testing.assert_checkpoints():
            await other.bind(("", 0))


async def test_its_descriptor_can_be_polled_for_reading(pair: Pair, autojump_clock: MockClock) -> None:
    async with connected(pair) as (client, server):
        poll = select.poll()
        poll.register(server.fileno(), select.POLLIN)
        assert not poll.poll(0)
        assert not server.is_readable()
        await client.send(b"two")
        await trio.lowlevel.wait_readable(server.fileno())
        assert poll.poll(0)
        assert server.is_readable()
        await server.recv(1)
        assert poll.poll(0)
        await server.recv(2)
        assert not poll.poll(0)
        client.close()
        await trio.sleep(1)
        assert poll.poll(0)
        descriptor = server.fileno()
        server.close()
        with pytest.raises(OSError, match="descriptor"):
            socket.socket(fileno=descriptor)


async def test_what_needs_a_real_descriptor_is_refused(pair: Pair, autojump_clock: MockClock) -> None:
    with make(pair.client) as sock:
        for call in (sock.detach, sock.dup, lambda: sock.set_inheritable(True)):
            with pytest.raises(OSError, match="a usertcp socket") as raised:
                call()
            assert raised.value.errno == errno.EOPNOTSUPP
        assert not sock.get_inheritable()


async def test_one_that_was_forgotten_is_closed(pair: Pair, autojump_clock: MockClock) -> None:
    async with connected(pair) as (_, server):
        forgotten = make(pair.client)
        await forgotten.connect(("10.0.0.1", 80))
        connections = pair.client.stack.open_connections
        with pytest.warns(ResourceWarning, match="unclosed <usertcp socket"):  # noqa: PT031
            del forgotten
            gc.collect()
        await trio.sleep(100)
        assert pair.client.stack.open_connections == connections - 1
        assert server.fileno() >= 0


async def test_below_it_is_what_libraries_look_for(pair: Pair, autojump_clock: MockClock) -> None:
    """anyio asks ``_sock``, which trio's own sockets have."""
    async with connected(pair) as (client, _):
        below: Any = vars(client)["_sock"]
        assert below.getsockname() == client.getsockname()
        assert below.getpeername() == client.getpeername()
        assert (below.family, below.type, below.proto) == (socket.AF_INET, socket.SOCK_STREAM, 0)
        assert below.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_STREAM
        with pytest.raises(BlockingIOError):
            below.recv(1)
        assert below.gettimeout() == 0


async def test_data_with_the_syn(pair: Pair, autojump_clock: MockClock) -> None:
    """MSG_FASTOPEN: the second time the cookie is known."""
    with make(pair.server) as listening:
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 5)
        await listening.bind(("", 80))
        listening.listen()
        for _ in range(2):
            with make(pair.client) as client:
                assert await client.sendto(b"hi", socket.MSG_FASTOPEN, ("10.0.0.1", 80)) == 2
                server, _ = await listening.accept()
                with server:
                    assert await server.recv(2) == b"hi"
    assert pair.client.stats()["fast-open-data-sent"] == 1


async def test_a_program_of_the_stack_beside_it(pair: Pair, autojump_clock: MockClock) -> None:
    """Sockets and the stack's own streams are of one host."""
    async with await pair.server.open_listener(80) as listener:
        with usertcp.trio_sockets(pair.client.stack):
            stream = await trio.open_tcp_stream("10.0.0.1", 80)
        async with stream, await listener.accept() as other:
            await stream.send_all(b"hello")
            assert await other.receive_some() == b"hello"
