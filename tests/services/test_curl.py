"""The HTTP service on kernel sockets, asked by the real curl over loopback."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from usertcp.services import http
from usertcp.services.http import routes

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@asynccontextmanager
async def serving() -> AsyncIterator[str]:
    """The base URL of the service, while it runs."""
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, http.serve, [listener])
        yield f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


async def curl(*arguments: str) -> bytes:
    done = await trio.run_process(["curl", "-sS", "--noproxy", "*", *arguments], capture_stdout=True)
    return done.stdout or b""


async def test_down_and_up_arrive_whole(tmp_path: Path) -> None:
    size = 20_000_000
    file = tmp_path / "down"
    expected = hashlib.sha256((routes.block() * 20)[:size]).hexdigest()
    async with serving() as url:
        await curl("-o", str(file), f"{url}/bytes/{size}")
        counted = json.loads(await curl("-T", str(file), f"{url}/upload"))
        chunked = json.loads(await curl("-H", "Transfer-Encoding: chunked", "-T", str(file), f"{url}/upload"))
        sunk = json.loads(await curl("-T", str(file), f"{url}/sink"))
    assert hashlib.sha256(file.read_bytes()).hexdigest() == expected
    assert counted == chunked == {"bytes": size, "sha256": expected}
    assert sunk == {"bytes": size}


async def test_curl_keeps_the_connection_alive() -> None:
    async with serving() as url:
        ports = await curl("-w", "%{local_port} ", *["-o", "/dev/null", f"{url}/stats"] * 3)
        again = await curl("-d", "x", f"{url}/sink", "--next", "-sS", f"{url}/connection")
    assert len(set(ports.split())) == 1
    assert b'"remote_address"' in again


async def test_curl_gets_the_answer_to_a_refused_upload(tmp_path: Path) -> None:
    file = tmp_path / "big"
    file.write_bytes(bytes(5_000_000))
    async with serving() as url:
        answer = await curl("-H", "Expect:", "-T", str(file), f"{url}/nowhere", "-w", "%{http_code}")
    assert answer.endswith(b"404")


async def test_a_client_that_resets_leaves_the_listener_alone() -> None:
    async with serving() as url:
        port = int(url.rpartition(":")[2])
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        await stream.send_all(b"GET /bytes/1000000000000 HTTP/1.1\r\nHost: x\r\n\r\n")
        await stream.receive_some()
        # SO_LINGER of zero seconds: close() sends a RST
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1, 0, 0, 0, 0, 0, 0, 0]))
        await stream.aclose()
        assert b"Hello" in await curl(url)


async def test_a_client_that_half_closes_gets_its_answer() -> None:
    async with serving() as url:
        stream = await trio.open_tcp_stream("127.0.0.1", int(url.rpartition(":")[2]))
        async with stream:
            await stream.send_all(b"GET /bytes/3000000 HTTP/1.1\r\nHost: x\r\n\r\n")
            await stream.send_eof()
            received = 0
            async for data in stream:
                received += len(data)
    assert received > 3_000_000
