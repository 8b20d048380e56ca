"""Our streams with the kernel at the other end: cancelled, waiting, with other options, and under TLS."""

from __future__ import annotations

import random
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio
from pyroute2 import IPRoute
from trio.testing import wait_all_tasks_blocked

import usertcp
from tests.certificates import Certificates
from tests.kernel.clients import KERNEL, OURS, PATIENCE, curl, dial, handling, read_all, until
from usertcp import DeviceGone, HostConfig, Settings, TcpStream
from usertcp.tcp.congestion.registry import NAMES
from usertcp.tcp.errors import ConnectionAborted

DATA = random.Random(6).randbytes(3_000_000)
ROOM = 32 << 10
FIXED = HostConfig(settings=Settings(initial_receive_buffer=ROOM, receive_buffer=ROOM, send_buffer=ROOM))
#: struct tcp_info: where tcpi_bytes_received stands.
BYTES_RECEIVED = struct.Struct("=128xQ")

families = pytest.mark.parametrize("family", [4, 6])


async def connected(stack: usertcp.Stack, family: int = 4, *, listening: str) -> tuple[TcpStream, trio.SocketStream]:
    """Our end and the kernel's, of a connection that either has opened."""
    if listening == "ours":
        async with await stack.open_listener(1000) as listener:
            theirs = await dial(1000, family)
            return await listener.accept(), theirs
    with trio.socket.socket(socket.AF_INET6) as kernel_listener:
        await kernel_listener.bind(("::", 0))
        kernel_listener.listen()
        ours = await stack.open_stream(KERNEL[family], kernel_listener.getsockname()[1])
        accepted, _ = await kernel_listener.accept()
    return ours, trio.SocketStream(accepted)


# -- Cancelled ---------------------------------------------------------------------------------------


@pytest.mark.rootless
@families
async def test_a_cancelled_aclose_sends_everything_and_the_fin(family: int) -> None:
    async with usertcp.open_stack() as stack:
        ours, theirs = await connected(stack, family, listening="ours")
        await ours.send_all(DATA)
        assert ours.info().bytes_acked < len(DATA)
        with trio.CancelScope() as scope:
            scope.cancel()
            await ours.aclose()
        assert scope.cancelled_caught
        async with theirs:
            assert await read_all(theirs) == DATA
        await until(lambda: not stack.host.connections)


async def test_what_a_cancelled_send_all_took_arrives_and_nothing_else() -> None:
    async with usertcp.open_stack(config=FIXED) as stack:
        ours, theirs = await connected(stack, listening="the kernel's")
        with trio.move_on_after(0.3) as patience:
            await ours.send_all(DATA)
        assert patience.cancelled_caught
        taken = ours.info().bytes_acked + len(ours.connection.send_buffer)
        assert ROOM <= taken < len(DATA)
        await ours.aclose()
        async with theirs:
            assert await read_all(theirs) == DATA[:taken]


async def test_a_receive_some_that_is_cancelled_often_loses_no_byte() -> None:
    async with usertcp.open_stack(config=FIXED) as stack:
        ours, theirs = await connected(stack, listening="ours")
        got, cancelled = bytearray(), 0
        chance = random.Random(7)

        async def send() -> None:
            async with theirs:
                for start in range(0, len(DATA), 100_000):
                    await theirs.send_all(DATA[start : start + 100_000])
                    await trio.sleep(0.001)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            with trio.fail_after(PATIENCE):
                while len(got) < len(DATA):
                    with trio.move_on_after(chance.random() * 0.0005) as scope:
                        got += await ours.receive_some(chance.randrange(1, 100_000))
                    cancelled += scope.cancelled_caught
        assert got == DATA
        assert cancelled > 5
        assert await ours.receive_some() == b""
        await ours.aclose()


# -- Waiting -----------------------------------------------------------------------------------------


async def test_a_kernel_that_does_not_read_stops_us() -> None:
    async with usertcp.open_stack(config=FIXED) as stack:
        ours, theirs = await connected(stack, listening="ours")
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM)
        taken = 0

        async def send() -> None:
            nonlocal taken
            for start in range(0, len(DATA), 1000):
                await ours.send_all(DATA[start : start + 1000])
                taken += 1000
            await ours.send_eof()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            await until(lambda: "persist" in ours.info().timers)
            await trio.sleep(0.1)
            stopped = taken
            assert stopped <= ours.info().bytes_acked + ROOM < len(DATA)
            await trio.sleep(0.3)
            assert taken == stopped
            assert await read_all(theirs) == DATA
        # The kernel counts as we do.
        received = theirs.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, BYTES_RECEIVED.size)
        assert BYTES_RECEIVED.unpack(received)[0] == ours.info().bytes_acked + 1 == len(DATA) + 1  # its FIN
        await theirs.aclose()
        await ours.aclose()


async def test_we_who_do_not_read_stop_the_kernel() -> None:
    async with usertcp.open_stack(config=FIXED) as stack:
        ours, theirs = await connected(stack, listening="the kernel's")
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ROOM)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(theirs.send_all, DATA)
            await until(lambda: ours.info().rcv_wnd < 1460)
            await trio.sleep(0.3)
            nursery.cancel_scope.cancel()
        assert ROOM - 1460 < ours.info().unread <= ROOM + 1460
        await trio.sleep(0.3)
        assert ours.info().unread <= ROOM + 1460
        ours.abort()
        with pytest.raises(trio.BrokenResourceError) as caught:
            await theirs.receive_some()
        assert isinstance(caught.value.__cause__, ConnectionResetError)


# -- Other options in mid-transfer -------------------------------------------------------------------


async def test_options_that_change_in_mid_transfer() -> None:
    async with usertcp.open_stack() as stack:
        ours, theirs = await connected(stack, listening="ours")

        async def change() -> None:
            for turn in range(40):
                ours.congestion_control = NAMES[turn % len(NAMES)]
                ours.receive_buffer = (20_000, 2_000_000)[turn % 2]
                ours.send_buffer = (10_000, 1_000_000)[turn % 2]
                ours.nodelay = not ours.nodelay
                await trio.sleep(0.002)

        async def echo() -> None:
            async with theirs:
                async for piece in theirs:
                    await theirs.send_all(piece)

        async def send() -> None:
            await ours.send_all(DATA)
            await ours.send_eof()

        async with trio.open_nursery() as nursery:
            for task in (change, echo, send):
                nursery.start_soon(task)
            assert await read_all(ours) == DATA
        await ours.aclose()


async def test_a_kernel_answers_keep_alives() -> None:
    async with usertcp.open_stack() as stack:
        ours, theirs = await connected(stack, listening="ours")
        ours.keepalive_idle, ours.keepalive_probes = 0.05, 2
        ours.keepalive_interval = 0.7  # Linux answers one in half a second (tcp_invalid_ratelimit)
        ours.keepalive = True
        await until(lambda: stack.stats()["keepalives-sent"] >= 4)
        await theirs.send_all(b"still here")
        assert await ours.receive_some() == b"still here"
        await ours.aclose()
        await theirs.aclose()


# -- The stack goes away -----------------------------------------------------------------------------


async def test_the_tun_is_removed_by_somebody() -> None:
    """Who holds a stream outside of the stack's block is told; the block ends with DeviceGone."""
    held: list[TcpStream] = []
    told: list[BaseException | None] = []

    async def hold(connected_: trio.Event) -> None:
        await connected_.wait()
        with pytest.raises(trio.BrokenResourceError, match="the TUN usertcp0") as caught:
            await held[0].receive_some()
        told.append(caught.value.__cause__)

    async def run(connected_: trio.Event) -> None:
        async with usertcp.open_stack() as stack:
            ours, theirs = await connected(stack, listening="ours")
            held.append(ours)
            connected_.set()
            await wait_all_tasks_blocked()
            with IPRoute() as netlink:
                netlink.link("del", ifname="usertcp0")
            try:
                await trio.sleep_forever()
            finally:
                theirs.socket.close()

    event = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hold, event)
        with pytest.RaisesGroup(DeviceGone, flatten_subgroups=True), trio.fail_after(PATIENCE):
            await run(event)
    [cause] = told
    assert isinstance(cause, ConnectionAborted)
    assert str(cause).endswith("in ESTABLISHED")


# -- TLS ---------------------------------------------------------------------------------------------


@families
@pytest.mark.parametrize("listening", ["ours", "the kernel's"])
async def test_tls_in_both_roles(family: int, listening: str) -> None:
    certificates = Certificates("server.example")
    async with usertcp.open_stack() as stack:
        ours, theirs = await connected(stack, family, listening=listening)
        server: trio.abc.Stream
        client: trio.abc.Stream
        if listening == "ours":
            server = trio.SSLStream(ours, certificates.server, server_side=True)
            client = trio.SSLStream(theirs, certificates.client, server_hostname="server.example")
        else:
            server = trio.SSLStream(theirs, certificates.server, server_side=True)
            client = trio.SSLStream(ours, certificates.client, server_hostname="server.example")
        with trio.fail_after(PATIENCE):
            await exchange(client, server)
        await until(lambda: not stack.host.connections)


async def exchange(client: trio.abc.Stream, server: trio.abc.Stream) -> None:
    """The server sends back what comes; the client closes."""

    async def echo() -> None:
        async with server:
            async for piece in server:
                await server.send_all(piece)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(echo)
        async with client:
            nursery.start_soon(client.send_all, DATA)
            got = bytearray()
            while len(got) < len(DATA):
                got += await client.receive_some()
            assert got == DATA


def https(certificates: Certificates) -> Callable[[TcpStream], Awaitable[None]]:
    async def handle(stream: TcpStream) -> None:
        async with trio.SSLStream(stream, certificates.server, server_side=True, https_compatible=True) as tls:
            request = bytearray()
            while b"\r\n\r\n" not in request:
                request += await tls.receive_some()
            await tls.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\nConnection: close\r\n\r\nHello under TLS")

    return handle


@pytest.mark.rootless
@families
async def test_curl_https(family: int, tmp_path: Path) -> None:
    certificates = Certificates(OURS[family])
    certificates.write(tmp_path / "authority.pem")
    host = f"[{OURS[family]}]" if family == 6 else OURS[family]
    async with handling(443, https(certificates)):
        said = await curl("--cacert", str(tmp_path / "authority.pem"), f"https://{host}/")
    assert said == "Hello under TLS"
