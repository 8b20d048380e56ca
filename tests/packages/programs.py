"""Programs of others, as they are published: each a server and a client that know nothing of usertcp.

Everything here is written as the documentation of the package says; who provides the sockets is decided outside.
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from functools import partial
from typing import Any, NamedTuple, cast

import anyio
import httpcore
import httpx
import pytest
import trio
import trio_websocket
import trustme
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext

HTTP, HTTPS, WEBSOCKET, RAW = 8000, 8443, 8001, 12345


class Ends(NamedTuple):
    """Whose sockets the server gets, and the client, and at which address the client finds the server."""

    server: Callable[[], AbstractContextManager[None]]
    client: Callable[[], AbstractContextManager[None]]
    address: str


class Identity:
    """A server with a certificate for every address of these tests, and a client that believes it."""

    def __init__(self) -> None:
        authority = trustme.CA()
        self.server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("192.0.2.1", "192.0.2.2", "10.0.0.1").configure_cert(self.server)
        self.client = ssl.create_default_context()
        authority.configure_trust(self.client)


@asynccontextmanager
async def serving(ends: Ends, serve: Callable[..., Awaitable[Any]]) -> AsyncIterator[None]:
    """``serve`` runs with the server's sockets, and the block with the client's."""
    async with trio.open_nursery() as nursery:
        with ends.server():
            await nursery.start(serve)
        with ends.client():
            yield
        nursery.cancel_scope.cancel()


# -- An ASGI application under hypercorn's TCP server, and httpx --------------------------------------------


async def application(scope: dict[str, Any], receive: Callable[..., Any], send: Callable[..., Any]) -> None:
    """Answers with the method, the path, who asks, and what came."""
    assert scope["type"] == "http"
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    text = f"{scope['method']} {scope['path']} {scope['client'][0]} {len(body)}"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": text.encode()})


async def hypercorn(
    port: int, context: ssl.SSLContext | None = None, *, task_status: trio.TaskStatus[Any] = trio.TASK_STATUS_IGNORED
) -> None:
    """hypercorn's trio TCP server with :func:`application`."""
    wrapped = ASGIWrapper(cast("Any", application))
    server = partial(TCPServer, cast("Any", wrapped), Config(), WorkerContext(None), cast("Any", {}))

    async def handle(stream: Any) -> None:
        await server(stream)

    if context is None:
        await trio.serve_tcp(handle, port, task_status=task_status)
    else:
        await trio.serve_ssl_over_tcp(handle, port, context, task_status=task_status)


async def httpx_and_hypercorn(ends: Ends) -> None:
    async with serving(ends, partial(hypercorn, HTTP)), httpx.AsyncClient(trust_env=False) as client:
        for size in (0, 300_000):
            answer = await client.post(f"http://{ends.address}:{HTTP}/path", content=bytes(size))
            assert answer.status_code == 200
            assert answer.text.startswith("POST /path ")
            assert answer.headers["x-length"] == str(size)


async def httpx_and_hypercorn_with_tls(ends: Ends) -> None:
    identity = Identity()
    async with (
        serving(ends, partial(hypercorn, HTTPS, identity.server)),
        httpx.AsyncClient(verify=identity.client, trust_env=False) as client,
    ):
        answers = []

        async def ask(number: int) -> None:
            answers.append(await client.get(f"https://{ends.address}:{HTTPS}/{number}"))

        async with trio.open_nursery() as nursery:  # several connections at once
            for number in range(5):
                nursery.start_soon(ask, number)
        assert sorted(answer.text.split()[1] for answer in answers) == [f"/{number}" for number in range(5)]


async def httpx_on_anyio(ends: Ends) -> None:
    """httpx with httpcore's other back-end, which is anyio's."""
    identity = Identity()
    transport = httpx.AsyncHTTPTransport(verify=identity.client)
    transport._pool = httpcore.AsyncConnectionPool(ssl_context=identity.client, network_backend=httpcore.AnyIOBackend())
    async with (
        serving(ends, partial(hypercorn, HTTPS, identity.server)),
        httpx.AsyncClient(transport=transport, trust_env=False) as client,
    ):
        answer = await client.put(f"https://{ends.address}:{HTTPS}/x", content=bytes(100_000))
        assert answer.headers["x-length"] == "100000"


async def httpx_where_nobody_listens(ends: Ends) -> None:
    with ends.client():
        async with httpx.AsyncClient(trust_env=False) as client:
            with pytest.raises(httpx.ConnectError):
                await client.get(f"http://{ends.address}:9/")


async def httpx_meets_a_reset(ends: Ends) -> None:
    async def reset(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await stream.aclose()

    async with (
        serving(ends, partial(trio.serve_tcp, reset, HTTP)),
        httpx.AsyncClient(trust_env=False) as client,
    ):
        with pytest.raises(httpx.ReadError) as raised:
            await client.get(f"http://{ends.address}:{HTTP}/")
        cause: BaseException | None = raised.value
        while cause is not None and not isinstance(cause, ConnectionResetError):
            cause = cause.__cause__ or cause.__context__
        assert cause is not None


# -- trio-websocket -----------------------------------------------------------------------------------------


async def trio_websockets(ends: Ends) -> None:
    async def handler(request: trio_websocket.WebSocketRequest) -> None:
        socket = await request.accept()
        try:
            while True:
                await socket.send_message(await socket.get_message())
        except trio_websocket.ConnectionClosed:
            pass

    async with (
        serving(ends, partial(trio_websocket.serve_websocket, handler, None, WEBSOCKET, None)),
        trio_websocket.open_websocket_url(f"ws://{ends.address}:{WEBSOCKET}/") as socket,
    ):
        for message in ("hello", "x" * 200_000):
            await socket.send_message(message)
            assert await socket.get_message() == message
        assert str(socket.remote.address) == ends.address


async def trio_websockets_with_tls(ends: Ends) -> None:
    identity = Identity()

    async def handler(request: trio_websocket.WebSocketRequest) -> None:
        socket = await request.accept()
        await socket.send_message(await socket.get_message())

    async with (
        serving(ends, partial(trio_websocket.serve_websocket, handler, None, WEBSOCKET, identity.server)),
        trio_websocket.open_websocket_url(f"wss://{ends.address}:{WEBSOCKET}/", identity.client) as socket,
    ):
        await socket.send_message("hello")
        assert await socket.get_message() == "hello"


# -- anyio --------------------------------------------------------------------------------------------------


async def echo(stream: trio.abc.Stream) -> None:
    """anyio's own listeners are made by the socket module, so the server is trio's."""
    async for data in stream:
        await stream.send_all(data)


async def anyio_connects(ends: Ends) -> None:
    async with (
        serving(ends, partial(trio.serve_tcp, echo, RAW)),
        await anyio.connect_tcp(ends.address, RAW) as stream,
    ):
        assert stream.extra(anyio.abc.SocketAttribute.remote_address) == (ends.address, RAW)
        assert stream.extra(anyio.abc.SocketAttribute.remote_port) == RAW
        await stream.send(bytes(100_000))
        heard = 0
        while heard < 100_000:
            heard += len(await stream.receive())
        await stream.send_eof()
        with pytest.raises(anyio.EndOfStream):  # the server closes when we have
            await stream.receive()


async def anyio_connects_with_tls(ends: Ends) -> None:
    identity = Identity()
    async with (
        serving(ends, partial(trio.serve_ssl_over_tcp, echo, RAW, identity.server)),
        await anyio.connect_tcp(
            ends.address, RAW, ssl_context=identity.client, tls=True, tls_standard_compatible=False
        ) as stream,
    ):
        await stream.send(b"hello")
        assert await stream.receive() == b"hello"


# -- The examples of trio's tutorial ------------------------------------------------------------------------


async def trios_echo(ends: Ends) -> None:
    """The echo server and client of trio's tutorial; the client ends after three rounds and not by Ctrl-C."""
    received = []

    async def echo_server(server_stream: trio.SocketStream) -> None:
        async for data in server_stream:
            await server_stream.send_all(data)

    async def sender(client_stream: trio.SocketStream) -> None:
        for _ in range(3):
            await client_stream.send_all(b"async can sometimes be confusing, but I believe in you!")
            await trio.sleep(0.05)
        await client_stream.send_eof()

    async def receiver(client_stream: trio.SocketStream) -> None:
        async for data in client_stream:
            received.append(data)

    async with serving(ends, partial(trio.serve_tcp, echo_server, RAW)):
        client_stream = await trio.open_tcp_stream(ends.address, RAW)
        async with client_stream, trio.open_nursery() as nursery:
            nursery.start_soon(sender, client_stream)
            nursery.start_soon(receiver, client_stream)
    assert b"".join(received) == 3 * b"async can sometimes be confusing, but I believe in you!"


PROGRAMS: dict[str, Callable[[Ends], Awaitable[None]]] = {
    each.__name__: each
    for each in (
        httpx_and_hypercorn,
        httpx_and_hypercorn_with_tls,
        httpx_on_anyio,
        httpx_where_nobody_listens,
        httpx_meets_a_reset,
        trio_websockets,
        trio_websockets_with_tls,
        anyio_connects,
        anyio_connects_with_tls,
        trios_echo,
    )
}
